//! Blocks that are only imagined, one on top of the other: what `eth_simulateV1` asks.

use crate::{
    call::{Call, CallOutcome},
    environment::Environment,
    overlay::{View, ViewError},
    overrides::Overrides,
    question::{Interrupt, Question},
    simulation::{Message, Simulation},
    transaction::Invalid,
    transfers::TransferLogs,
};
use alloy_consensus::{Header, Receipt, ReceiptEnvelope, ReceiptWithBloom, TxEnvelope, TxType};
use alloy_eips::eip2718::Encodable2718 as _;
use alloy_primitives::{Address, B256, Bloom, Bytes, Log};
use std::{collections::VecDeque, sync::Arc};
use types::{
    Block, ChainSpec, StateKey, StateValue, TransactionReceipt, receipts_root, transactions_root,
};

/// A block to simulate.
#[derive(Clone, Debug, Default)]
pub struct BlockPlan {
    /// Its number; above that of the block before.
    pub number: u64,
    /// Its time in seconds since the Unix epoch; after that of the block before.
    pub timestamp: u64,
    /// Its gas limit; none: that of the block before.
    pub gas_limit: Option<u64>,
    /// Receiver of priority fees; none: that of the block before.
    pub beneficiary: Option<Address>,
    /// What `PREVRANDAO` gives; none: zero.
    pub prev_randao: Option<B256>,
    /// Base fee in wei; none: nothing, or with validation what follows from the block before.
    pub base_fee: Option<u64>,
    /// Blob base fee in wei.
    pub blob_base_fee: Option<u128>,
    /// Changes of the state before it.
    pub overrides: Overrides,
    /// What is in it.
    pub calls: Vec<CallPlan>,
}

/// A call of a block to simulate.
#[derive(Clone, Debug, Default)]
pub struct CallPlan {
    /// The call. Its gas and nonce do not count.
    pub call: Call,
    /// Its gas; none: all that is left.
    pub gas: Option<u64>,
    /// Its nonce; none: the sender's.
    pub nonce: Option<u64>,
}

/// Blocks to simulate.
#[derive(Clone, Debug)]
pub struct Plan {
    /// In order.
    pub blocks: VecDeque<BlockPlan>,
    /// Whether nonces, base fee and gas limits must fit as in a real block.
    pub validation: bool,
    /// Whether transfers of wei are logged as those of a token would be, by address 0xee…ee.
    pub trace_transfers: bool,
    /// Gas of all calls together.
    pub gas_max: u64,
    /// Bytes of logs and return data of all calls together.
    pub bytes_max: usize,
}

/// A block that was simulated.
#[derive(Clone, Debug)]
pub struct SimulatedBlock {
    /// Its header. The state's root is zero: it is not computed for a state that is only imagined.
    pub header: Header,
    /// Its calls as transactions that nobody signed, with their senders.
    pub transactions: Vec<(TxEnvelope, Address)>,
    /// What its calls did.
    pub calls: Vec<SimulatedCall>,
}

/// What a call of a simulated block did.
#[derive(Clone, Debug)]
pub struct SimulatedCall {
    /// How it ended.
    pub outcome: CallOutcome,
    /// Its logs, and those of transfers if they were asked for.
    pub logs: Vec<Log>,
    /// Gas used before refunds, but no less than was paid for.
    pub gas_used_max: u64,
}

/// Why blocks could not be simulated.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SimulateError {
    /// A call could not start.
    #[error("{reason}")]
    Invalid {
        /// Its sender.
        from: Address,
        /// What it would pay per gas at most, in wei.
        fee_cap: u128,
        /// Base fee of its block in wei.
        base_fee: u64,
        /// Gas it had.
        gas: u64,
        /// Why.
        reason: Invalid,
    },
    /// A call wants more gas than its block has left.
    #[error("block gas limit reached: remaining: {remaining}, required: {required}")]
    BlockGas {
        /// What is left.
        remaining: u64,
        /// What it wants.
        required: u64,
    },
    /// All calls together used up the gas there is for them.
    #[error("simulation gas limit reached: {0}")]
    Gas(u64),
    /// All calls together gave too much.
    #[error("simulation gave more than {0} bytes")]
    Bytes(usize),
    /// Nobody waits for it any more.
    #[error("interrupted")]
    Interrupted,
}

/// Blocks simulated on the state after `parent`.
#[derive(Debug)]
pub struct Simulate {
    spec: Arc<ChainSpec>,
    simulation: Simulation,
    plan: Plan,
    parent: Header,
    interrupt: Interrupt,
    gas_left: u64,
    bytes_left: usize,
    current: Option<Current>,
    done: Vec<SimulatedBlock>,
}

/// The block that is being simulated.
#[derive(Debug)]
struct Current {
    environment: Environment,
    calls: VecDeque<CallPlan>,
    block: SimulatedBlock,
    receipts: Vec<TransactionReceipt>,
    gas_used: u64,
}

impl Simulate {
    /// Asks for blocks on top of the one with header `parent`, after which the state is that of `simulation`.
    pub fn new(
        spec: Arc<ChainSpec>,
        parent: Header,
        simulation: Simulation,
        plan: Plan,
        interrupt: Interrupt,
    ) -> Self {
        Self {
            spec,
            simulation,
            gas_left: plan.gas_max,
            bytes_left: plan.bytes_max,
            plan,
            parent,
            interrupt,
            current: None,
            done: Vec::new(),
        }
    }

    fn begin(&mut self, plan: BlockPlan) -> Current {
        let base_fee = plan.base_fee.unwrap_or_else(|| {
            if self.plan.validation {
                self.spec.fees.next_base_fee(&self.parent)
            } else {
                0
            }
        });
        let environment = Environment {
            number: plan.number,
            timestamp: plan.timestamp,
            parent_hash: self.parent.hash_slow(),
            gas_limit: plan.gas_limit.unwrap_or(self.parent.gas_limit),
            base_fee,
            beneficiary: plan.beneficiary.unwrap_or(self.parent.beneficiary),
            prev_randao: plan.prev_randao.unwrap_or_default(),
            ..self.simulation.environment().clone()
        };
        self.simulation.begin(environment.clone());
        self.simulation.change(&crate::BlockChange {
            blob_base_fee: plan.blob_base_fee,
            ..crate::BlockChange::default()
        });
        self.simulation.override_state(plan.overrides);
        Current {
            environment,
            calls: plan.calls.into(),
            block: SimulatedBlock {
                header: Header::default(),
                transactions: Vec::new(),
                calls: Vec::new(),
            },
            receipts: Vec::new(),
            gas_used: 0,
        }
    }

    fn end(&mut self, current: Current) {
        let Current {
            environment,
            mut block,
            receipts,
            gas_used,
            ..
        } = current;
        let raw: Vec<Bytes> = block
            .transactions
            .iter()
            .map(|(envelope, _)| envelope.encoded_2718().into())
            .collect();
        block.header = Header {
            parent_hash: environment.parent_hash,
            beneficiary: environment.beneficiary,
            state_root: B256::ZERO,
            transactions_root: transactions_root(&raw),
            receipts_root: receipts_root(&receipts),
            logs_bloom: receipts
                .iter()
                .fold(Bloom::ZERO, |bloom, receipt| bloom | *receipt.logs_bloom()),
            number: environment.number,
            gas_limit: environment.gas_limit,
            gas_used,
            timestamp: environment.timestamp,
            mix_hash: environment.prev_randao,
            base_fee_per_gas: Some(environment.base_fee),
            ..Block::header_template()
        };
        self.parent = block.header.clone();
        self.done.push(block);
    }

    /// Executes the next call of a block. Nothing is kept of an attempt that fails.
    fn perform(
        &mut self,
        current: &mut Current,
        plan: &CallPlan,
        view: &dyn View,
    ) -> Result<Result<(), SimulateError>, ViewError> {
        let remaining = current
            .environment
            .gas_limit
            .saturating_sub(current.gas_used);
        let required = plan.gas.unwrap_or(remaining);
        if required > remaining {
            return Ok(Err(SimulateError::BlockGas {
                remaining,
                required,
            }));
        }
        if self.gas_left == 0 {
            return Ok(Err(SimulateError::Gas(self.plan.gas_max)));
        }
        let account = self.simulation.account(plan.call.from, view)?;
        let call = Call {
            gas: required.min(self.gas_left),
            nonce: plan.nonce.unwrap_or(account.nonce),
            ..plan.call.clone()
        };
        let mut transfers = TransferLogs::new(self.plan.trace_transfers, self.interrupt.clone());
        let message = Message::Simulated {
            call: &call,
            checked: self.plan.validation,
        };
        let executed = self.simulation.inspect(message, view, &mut transfers)?;
        if self.interrupt.is_set() {
            return Ok(Err(SimulateError::Interrupted));
        }
        let executed = match executed {
            Ok(inspected) => inspected.result,
            Err(reason) => {
                return Ok(Err(SimulateError::Invalid {
                    from: call.from,
                    fee_cap: call.gas_price,
                    base_fee: current.environment.base_fee,
                    gas: call.gas,
                    reason,
                }));
            }
        };
        self.simulation.commit(executed.state, view)?;
        let gas_spent = executed.result.gas().total_gas_spent();
        let own_logs = executed.result.logs().to_vec();
        let outcome = CallOutcome::from(executed.result);
        let gas_used = outcome.gas_used();
        // Call data has a floor (EIP-7623).
        let gas_used_max = gas_spent.max(gas_used);
        self.gas_left = self.gas_left.saturating_sub(gas_used);
        current.gas_used = current.gas_used.saturating_add(gas_used);
        let success = matches!(outcome, CallOutcome::Success { .. });
        let logs = if success {
            transfers.into_logs()
        } else {
            Vec::new()
        };
        let bytes = bytes_of(&outcome, &logs);
        let Some(left) = self.bytes_left.checked_sub(bytes) else {
            return Ok(Err(SimulateError::Bytes(self.plan.bytes_max)));
        };
        self.bytes_left = left;
        let envelope = call.unsigned(self.spec.chain_id);
        let receipt = ReceiptWithBloom::from(Receipt {
            status: success.into(),
            cumulative_gas_used: current.gas_used,
            // As in geth: nobody logged the transfers, they are only told of.
            logs: if success { own_logs } else { Vec::new() },
        });
        current.receipts.push(match envelope.tx_type() {
            TxType::Legacy => ReceiptEnvelope::Legacy(receipt),
            TxType::Eip2930 => ReceiptEnvelope::Eip2930(receipt),
            TxType::Eip1559 => ReceiptEnvelope::Eip1559(receipt),
            TxType::Eip4844 => ReceiptEnvelope::Eip4844(receipt),
            TxType::Eip7702 => ReceiptEnvelope::Eip7702(receipt),
        });
        current.block.transactions.push((envelope, call.from));
        current.block.calls.push(SimulatedCall {
            outcome,
            logs,
            gas_used_max,
        });
        Ok(Ok(()))
    }
}

impl Question for Simulate {
    type Answer = Result<Vec<SimulatedBlock>, SimulateError>;

    fn run(&mut self, view: &dyn View) -> Result<Option<Self::Answer>, ViewError> {
        let Some(mut current) = self.current.take() else {
            let Some(plan) = self.plan.blocks.pop_front() else {
                return Ok(Some(Ok(std::mem::take(&mut self.done))));
            };
            self.current = Some(self.begin(plan));
            return Ok(None);
        };
        let Some(plan) = current.calls.front().cloned() else {
            // What a block without calls changes is there for those after it.
            if let Err(fault) = self.simulation.settle(view) {
                self.current = Some(current);
                return Err(fault);
            }
            self.end(current);
            return Ok(None);
        };
        let performed = self.perform(&mut current, &plan, view);
        let result = match performed {
            Ok(Ok(())) => {
                current.calls.pop_front();
                Ok(None)
            }
            Ok(Err(error)) => return Ok(Some(Err(error))),
            Err(fault) => Err(fault),
        };
        self.current = Some(current);
        result
    }

    fn supply(&mut self, key: StateKey, value: StateValue) {
        self.simulation.supply(key, value);
    }
}

/// Bytes of an answer that a call makes: its return data and its logs.
fn bytes_of(outcome: &CallOutcome, logs: &[Log]) -> usize {
    let output = match outcome {
        CallOutcome::Success { output, .. } | CallOutcome::Revert { output, .. } => output.len(),
        _ => 0,
    };
    // Topics, address and place of a log, and half of what a call takes in JSON.
    const LOG_BYTES: usize = 350;
    let logs = logs
        .iter()
        .map(|log| log.data.data.len().saturating_add(LOG_BYTES));
    logs.fold(output.saturating_add(LOG_BYTES), usize::saturating_add)
}
