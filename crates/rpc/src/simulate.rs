//! Blocks that are only imagined: `eth_simulateV1`.

use crate::{
    account, block,
    call::{short, to_call},
    dispatch::{Reply, reply},
    error::Error,
    method::Api,
    overrides::state_overrides,
    parameter::Params,
    transaction,
};
use alloy_consensus::{Sealed, transaction::TransactionInfo};
use alloy_eips::{BlockId, eip2718::Encodable2718 as _};
use alloy_primitives::{Address, B256, Bytes, Log, U256};
use alloy_rpc_types_eth::{
    Block, BlockTransactions, Header, Log as PlacedLog, TransactionRequest, Withdrawals,
    simulate::{
        MAX_SIMULATE_BLOCKS, SimBlock, SimCallResult, SimulateError as CallError, SimulatePayload,
        SimulatedBlock as Simulated,
    },
};
use chain::Node;
use evm::{
    BlockChange, BlockPlan, CallOutcome, CallPlan, Invalid, Plan, Simulate, SimulateError,
    SimulatedBlock, SimulatedCall,
};

/// Seconds between simulated blocks whose time is not said, as in geth.
const BLOCK_SECONDS: u64 = 12;

/// Why blocks cannot be simulated. Texts are geth's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("empty input")]
    Empty,
    #[error("too many blocks")]
    TooManyBlocks,
    #[error("block numbers must be in order: {0} <= {1}")]
    Number(u64, u64),
    #[error("block timestamps must be in order: {0} <= {1}")]
    Timestamp(u64, u64),
    #[error("{}", failed(.0))]
    Failed(SimulateError),
}

impl Refusal {
    /// geth's code for it.
    pub(crate) const fn code(&self) -> i64 {
        match self {
            Self::Empty => -32602,
            Self::TooManyBlocks => -38026,
            Self::Number(..) => -38020,
            Self::Timestamp(..) => -38021,
            Self::Failed(SimulateError::BlockGas { .. }) => -38015,
            Self::Failed(SimulateError::Gas(_) | SimulateError::Bytes(_)) => -38026,
            Self::Failed(SimulateError::Interrupted) => -32002,
            Self::Failed(SimulateError::Invalid { reason, .. }) => match reason {
                Invalid::NonceTooLow { .. } => -38010,
                Invalid::NonceTooHigh { .. } => -38011,
                Invalid::FeeTooLow => -38012,
                Invalid::IntrinsicGas { .. } => -38013,
                Invalid::InsufficientFunds { .. } => -38014,
                Invalid::GasLimit { .. } => -38015,
                Invalid::SenderNotEoa => -38024,
                Invalid::InitCode => -38025,
                Invalid::TipAboveFee => -32602,
                Invalid::Denied(_) | Invalid::Quota { .. } | Invalid::Other(_) => -32603,
            },
        }
    }
}

fn failed(error: &SimulateError) -> String {
    let SimulateError::Invalid {
        from,
        fee_cap,
        base_fee,
        gas,
        reason,
    } = error
    else {
        return error.to_string();
    };
    let reason = match reason {
        Invalid::NonceTooLow { tx, state } => {
            format!("nonce too low: address {from}, tx: {tx} state: {state}")
        }
        Invalid::NonceTooHigh { tx, state } => {
            format!("nonce too high: address {from}, tx: {tx} state: {state}")
        }
        Invalid::FeeTooLow => format!(
            "max fee per gas less than block base fee: address {from}, maxFeePerGas: {fee_cap}, baseFee: {base_fee}"
        ),
        Invalid::InsufficientFunds { have, want } => format!(
            "insufficient funds for gas * price + value: address {from} have {have} want {want}"
        ),
        other => other.to_string(),
    };
    format!("err: {reason} (supplied gas {gas})")
}

/// `eth_simulateV1`.
pub(crate) async fn simulate(api: &Api, mut params: Params<'_>) -> Reply {
    let payload: SimulatePayload = params.required()?;
    let id: Option<BlockId> = params.optional()?;
    params.end()?;
    let node = &api.node;
    let at = account::state_at(node, id).await?;
    let parent = match at {
        None => node.latest().block.header().clone(),
        Some(number) => {
            let absent = || Error::Failed("header not found".to_owned());
            let body = block::body(node, number).await?;
            body.ok_or_else(absent)?.header().clone()
        }
    };
    let SimulatePayload {
        block_state_calls,
        trace_transfers,
        validation,
        return_full_transactions: full,
    } = payload;
    let plan = Plan {
        blocks: plan(
            node,
            at,
            (parent.number, parent.timestamp),
            block_state_calls,
        )?
        .into(),
        validation,
        trace_transfers,
        gas_max: api.limits.call_gas_max,
        bytes_max: api.limits.response_bytes_max,
    };
    let simulated = api.ask_long(at, move |ground| {
        let (spec, interrupt) = (ground.spec.clone(), ground.interrupt.clone());
        Simulate::new(spec, parent, ground.simulation_after(), plan, interrupt)
    });
    let blocks = simulated.await?.map_err(Refusal::Failed)?;
    let items = blocks.iter().map(|block| block.calls.len() + 1).sum();
    block::offload(items, move || {
        let blocks: Vec<_> = blocks
            .into_iter()
            .map(|block| render(block, full))
            .collect();
        reply(&blocks)
    })
    .await
}

/// The blocks to simulate after one with this number and time, with those between that were left out.
fn plan(
    node: &Node,
    at: Option<u64>,
    (base, mut timestamp): (u64, u64),
    blocks: Vec<SimBlock>,
) -> Result<Vec<BlockPlan>, Error> {
    if blocks.is_empty() {
        return Err(Refusal::Empty.into());
    }
    if blocks.len() as u64 > MAX_SIMULATE_BLOCKS {
        return Err(Refusal::TooManyBlocks.into());
    }
    let mut plans = Vec::with_capacity(blocks.len());
    let mut number = base;
    for block in blocks {
        let change = crate::overrides::block_change(block.block_overrides.unwrap_or_default())?;
        let wanted = change.number.unwrap_or_else(|| number.saturating_add(1));
        if wanted <= number {
            return Err(Refusal::Number(wanted, number).into());
        }
        if wanted - base > MAX_SIMULATE_BLOCKS {
            return Err(Refusal::TooManyBlocks.into());
        }
        for number in number + 1..wanted {
            timestamp = timestamp.saturating_add(BLOCK_SECONDS);
            plans.push(BlockPlan {
                number,
                timestamp,
                ..BlockPlan::default()
            });
        }
        number = wanted;
        let next = change
            .timestamp
            .unwrap_or_else(|| timestamp.saturating_add(BLOCK_SECONDS));
        if next <= timestamp {
            return Err(Refusal::Timestamp(next, timestamp).into());
        }
        timestamp = next;
        let BlockChange {
            gas_limit,
            beneficiary,
            prev_randao,
            base_fee,
            blob_base_fee,
            ..
        } = change;
        let calls = block.calls.into_iter().map(|call| call_plan(node, call));
        plans.push(BlockPlan {
            number,
            timestamp,
            gas_limit,
            beneficiary,
            prev_randao,
            base_fee,
            blob_base_fee,
            overrides: state_overrides(node, at, block.state_overrides)?,
            calls: calls.collect::<Result<_, _>>()?,
        });
    }
    Ok(plans)
}

fn call_plan(node: &Node, request: TransactionRequest) -> Result<CallPlan, Error> {
    let (gas, nonce) = (request.gas, request.nonce);
    let legacy = request.gas_price.is_some();
    let mut call = to_call(node, request, 0)?;
    if !legacy {
        call.tip = Some(call.tip.unwrap_or_default());
    }
    Ok(CallPlan { call, gas, nonce })
}

fn render(simulated: SimulatedBlock, full: bool) -> Simulated {
    let SimulatedBlock {
        header,
        transactions,
        calls,
    } = simulated;
    let hash = header.hash_slow();
    let raw: Vec<Bytes> = transactions
        .iter()
        .map(|(envelope, _)| envelope.encoded_2718().into())
        .collect();
    let size = U256::from(block::size(&header, &raw));
    let place = Place {
        block_hash: hash,
        number: header.number,
        timestamp: header.timestamp,
        base_fee: header.base_fee_per_gas,
    };
    let mut first_log = 0;
    let calls = calls
        .into_iter()
        .zip(0..)
        .zip(&transactions)
        .map(|((call, index), (envelope, _))| {
            let call = place.call(call, *envelope.tx_hash(), index, first_log);
            first_log += call.logs.len() as u64;
            call
        })
        .collect();
    let transactions = if full {
        let transactions = transactions.into_iter().zip(0..);
        BlockTransactions::Full(
            transactions
                .map(|((envelope, from), index)| place.transaction(envelope, from, index))
                .collect(),
        )
    } else {
        let hashes = transactions.iter().map(|(envelope, _)| *envelope.tx_hash());
        BlockTransactions::Hashes(hashes.collect())
    };
    Simulated {
        inner: Block {
            header: Header::from_sealed(Sealed::new_unchecked(header, hash)).with_size(Some(size)),
            uncles: Vec::new(),
            transactions,
            withdrawals: Some(Withdrawals::default()),
        },
        calls,
    }
}

/// Where simulated transactions and logs are.
struct Place {
    block_hash: B256,
    number: u64,
    timestamp: u64,
    base_fee: Option<u64>,
}

impl Place {
    fn transaction(
        &self,
        envelope: alloy_consensus::TxEnvelope,
        from: Address,
        index: u64,
    ) -> alloy_rpc_types_eth::Transaction {
        let info = TransactionInfo {
            hash: Some(*envelope.tx_hash()),
            index: Some(index),
            block_hash: Some(self.block_hash),
            block_number: Some(self.number),
            base_fee: self.base_fee,
            block_timestamp: Some(self.timestamp),
        };
        transaction::rendered(envelope, from, info)
    }

    fn call(&self, call: SimulatedCall, hash: B256, index: u64, first_log: u64) -> SimCallResult {
        let SimulatedCall {
            outcome,
            logs,
            gas_used_max,
        } = call;
        let gas_used = outcome.gas_used();
        let error = (!matches!(outcome, CallOutcome::Success { .. })).then(|| call_error(&outcome));
        let logs = logs.into_iter().zip(first_log..);
        let logs = logs.map(|(log, log_index)| self.log(log, hash, index, log_index));
        SimCallResult {
            logs: logs.collect(),
            gas_used,
            max_used_gas: Some(gas_used_max),
            status: error.is_none(),
            error,
            // As in geth: what a call reverted with is in its error.
            return_data: match outcome {
                CallOutcome::Success { output, .. } => output,
                _ => Bytes::new(),
            },
        }
    }

    fn log(&self, log: Log, hash: B256, index: u64, log_index: u64) -> PlacedLog {
        PlacedLog {
            inner: log,
            block_hash: Some(self.block_hash),
            block_number: Some(self.number),
            block_timestamp: Some(self.timestamp),
            transaction_hash: Some(hash),
            transaction_index: Some(index),
            log_index: Some(log_index),
            removed: false,
        }
    }
}

fn call_error(outcome: &CallOutcome) -> CallError {
    if let CallOutcome::Revert { output, .. } = outcome {
        return CallError {
            code: CallError::EXECUTION_REVERTED_CODE,
            message: Error::Revert(output.clone()).to_string(),
            data: Some(output.clone()),
        };
    }
    CallError {
        code: CallError::VM_EXECUTION_ERROR_CODE,
        message: short(outcome),
        data: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_speak_as_geth_does() {
        let invalid = |reason| {
            Refusal::Failed(SimulateError::Invalid {
                from: Address::repeat_byte(0xc0),
                fee_cap: 0,
                base_fee: 10,
                gas: 50_000_000,
                reason,
            })
        };
        let address = Address::repeat_byte(0xc0);
        for (refusal, code, text) in [
            (
                invalid(Invalid::FeeTooLow),
                -38012,
                format!(
                    "err: max fee per gas less than block base fee: address {address}, maxFeePerGas: 0, baseFee: 10 (supplied gas 50000000)"
                ),
            ),
            (
                invalid(Invalid::InsufficientFunds {
                    have: U256::ZERO,
                    want: U256::from(1000),
                }),
                -38014,
                format!(
                    "err: insufficient funds for gas * price + value: address {address} have 0 want 1000 (supplied gas 50000000)"
                ),
            ),
            (
                Refusal::Timestamp(552, 563),
                -38021,
                "block timestamps must be in order: 552 <= 563".to_owned(),
            ),
        ] {
            assert_eq!((refusal.code(), refusal.to_string()), (code, text));
        }
    }
}
