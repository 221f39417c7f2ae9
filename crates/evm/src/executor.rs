//! Execution of a block, transaction by transaction, resumable at any missing read.

use crate::{
    environment::Environment,
    overlay::{CodeCache, Overlay, Session, View, ViewError, history_slot},
    permission::Governed,
    quota::{Quotas, Usage},
    transaction::Invalid,
};
use alloy_consensus::{Receipt, ReceiptEnvelope, ReceiptWithBloom, Transaction as _, TxType};
use alloy_primitives::{Bloom, U256};
use revm::{
    Context, MainBuilder as _, MainContext as _,
    context::{BlockEnv, CfgEnv},
    context_interface::result::ExecutionResult,
};
use std::collections::BTreeSet;
use types::{StateKey, StateValue, Transaction, TransactionReceipt};

/// What to do with a transaction that cannot be executed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// Leave it out and go on: how a leader builds.
    Skip,
    /// The block is invalid: how everyone else checks.
    Reject,
}

/// How far [`Executor::run`] came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// All transactions were executed (or left out).
    Done,
    /// A value is missing: fetch it, [`Executor::supply`] it, run again.
    Suspended(StateKey),
    /// Under [`Policy::Reject`]: this transaction makes the block invalid.
    Invalid {
        /// Its place in the block.
        index: usize,
        /// Why.
        reason: Invalid,
    },
}

/// A block's execution in progress.
#[derive(Debug)]
pub struct Executor {
    pub(crate) rules: Rules,
    policy: Policy,
    pub(crate) overlay: Overlay,
    next: usize,
    gas_used: u64,
    usage: Usage,
    pub(crate) receipts: Vec<TransactionReceipt>,
    included: Vec<usize>,
    skipped: Vec<(usize, Invalid)>,
}

/// Where a block executes, in revm's words: production's fixed shape, or any of Ethereum's.
#[derive(Clone, Debug)]
pub(crate) struct Rules {
    pub cfg: CfgEnv,
    pub block: BlockEnv,
    pub governed: Option<Quotas>,
}

/// The effect of a block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Transaction receipts in order.
    pub receipts: Vec<TransactionReceipt>,
    /// Indices into the given transactions that were executed.
    pub included: Vec<usize>,
    /// Indices that were left out, and why. Empty under [`Policy::Reject`].
    pub skipped: Vec<(usize, Invalid)>,
    /// Gas used by all of them.
    pub gas_used: u64,
    /// The logs' bloom filter for the header.
    pub logs_bloom: Bloom,
    /// New values of changed keys, in key order.
    pub changes: Vec<(StateKey, StateValue)>,
}

impl Executor {
    /// Starts a block: records the parent's hash (EIP-2935) and executes nothing yet.
    pub fn new(environment: Environment, policy: Policy, codes: CodeCache) -> Self {
        let mut overlay = Overlay::new(codes);
        if let Some(parent) = environment.counted_parent() {
            overlay.write(
                history_slot(parent),
                StateValue::Slot(U256::from_be_bytes(environment.parent_hash.0)),
            );
        }
        let rules = Rules {
            cfg: environment.cfg(),
            block: environment.block(),
            governed: environment.governed,
        };
        Self::with_rules(rules, policy, overlay)
    }

    /// Starts a block on what is in the overlay already.
    pub(crate) fn with_rules(rules: Rules, policy: Policy, overlay: Overlay) -> Self {
        Self {
            usage: Usage::new(rules.governed),
            rules,
            policy,
            overlay,
            next: 0,
            gas_used: 0,
            receipts: Vec::new(),
            included: Vec::new(),
            skipped: Vec::new(),
        }
    }

    /// Makes a parent value known.
    pub fn supply(&mut self, key: StateKey, value: StateValue) {
        self.overlay.supply(key, value);
    }

    /// Parent values that these transactions are sure or likely to need and that are not known. Fetching them together
    /// beforehand makes suspension rare.
    pub fn likely_reads(&self, transactions: &[impl AsRef<Transaction>]) -> Vec<StateKey> {
        let keys = likely_reads(transactions, self.rules.governed.is_some());
        keys.into_iter()
            .filter(|key| !self.overlay.knows(key))
            .collect()
    }

    /// Executes `transactions` from where the last call stopped. Every call must be given the
    /// same transactions and a view of the same parent.
    ///
    /// # Errors
    /// [`ViewError::Database`] when the state database failed: the node must stop.
    pub fn run(
        &mut self,
        transactions: &[impl AsRef<Transaction>],
        view: &impl View,
    ) -> Result<Progress, ViewError> {
        let session = Session {
            overlay: &mut self.overlay,
            view,
        };
        let evm = Context::mainnet()
            .with_db(session)
            .with_cfg(self.rules.cfg.clone())
            .with_block(self.rules.block.clone())
            .build_mainnet();
        let mut evm = Governed::new(evm, self.rules.governed.is_some());
        while let Some(transaction) = transactions.get(self.next) {
            let transaction = transaction.as_ref();
            let index = self.next;
            let left = self.rules.block.gas_limit.saturating_sub(self.gas_used);
            let want = transaction.envelope().gas_limit();
            let sender = transaction.signer();
            let permitted = if want > left {
                Ok(Err(Invalid::GasLimit { want, limit: left }))
            } else {
                evm.permit(transaction)
            };
            let executed = match permitted {
                Ok(Ok(organization)) => match self.usage.fits(&sender, &organization, want) {
                    Ok(()) => {
                        let executed = evm.transact(transaction);
                        executed.map(|executed| executed.map(|executed| (executed, organization)))
                    }
                    Err(reached) => Ok(Err(reached)),
                },
                Ok(Err(denied)) => Ok(Err(denied)),
                Err(fault) => Err(fault),
            };
            let refused = match executed {
                Ok(Ok((executed, organization))) => {
                    let overlay = &mut *evm.database().overlay;
                    match overlay.commit(view, executed.state) {
                        Ok(()) => {}
                        Err(ViewError::Missing(key)) => return Ok(Progress::Suspended(key)),
                        Err(fault) => return Err(fault),
                    }
                    let gas = executed.result.tx_gas_used();
                    self.gas_used = self.gas_used.saturating_add(gas);
                    self.usage.add(sender, organization, gas);
                    self.receipts
                        .push(receipt(transaction, executed.result, self.gas_used));
                    self.included.push(index);
                    self.next = index.saturating_add(1);
                    continue;
                }
                Ok(Err(refused)) => refused,
                Err(ViewError::Missing(key)) => return Ok(Progress::Suspended(key)),
                Err(fault) => return Err(fault),
            };
            match self.policy {
                Policy::Reject => {
                    return Ok(Progress::Invalid {
                        index,
                        reason: refused,
                    });
                }
                Policy::Skip => self.skipped.push((index, refused)),
            }
            self.next = index.saturating_add(1);
        }
        Ok(Progress::Done)
    }

    /// Indices of what was executed so far.
    pub fn included(&self) -> &[usize] {
        &self.included
    }

    /// Whether something was left out because of who sent it: others may use what is left of the block.
    pub fn reached_quota(&self) -> bool {
        let mut skipped = self.skipped.iter();
        skipped.any(|(_, reason)| matches!(reason, Invalid::Quota { .. }))
    }

    /// The effect of what was executed.
    pub fn finish(self) -> Outcome {
        let logs_bloom = self
            .receipts
            .iter()
            .fold(Bloom::ZERO, |bloom, receipt| bloom | *receipt.logs_bloom());
        Outcome {
            receipts: self.receipts,
            included: self.included,
            skipped: self.skipped,
            gas_used: self.gas_used,
            logs_bloom,
            changes: self.overlay.into_changes(),
        }
    }
}

/// Senders, recipients, access lists, and what the rule of who may transact reads.
fn likely_reads(transactions: &[impl AsRef<Transaction>], governed: bool) -> BTreeSet<StateKey> {
    let mut keys = BTreeSet::new();
    for transaction in transactions {
        let transaction = transaction.as_ref();
        let (sender, recipient) = (transaction.signer(), transaction.envelope().to());
        keys.insert(StateKey::Account(sender));
        keys.extend(recipient.map(StateKey::Account));
        if governed {
            let slots = contracts::permission::slots(&sender, recipient.as_ref());
            keys.extend(slots.map(|(address, slot)| StateKey::Slot(address, slot)));
        }
        for entry in transaction
            .envelope()
            .access_list()
            .into_iter()
            .flat_map(|list| list.iter())
        {
            keys.insert(StateKey::Account(entry.address));
            for slot in &entry.storage_keys {
                keys.insert(StateKey::Slot(entry.address, U256::from_be_bytes(slot.0)));
            }
        }
    }
    keys
}

/// A receipt carries logs only if the transaction succeeded, whatever the interpreter kept.
fn receipt(
    transaction: &Transaction,
    result: ExecutionResult,
    cumulative_gas_used: u64,
) -> TransactionReceipt {
    let (success, logs) = match result {
        ExecutionResult::Success { logs, .. } => (true, logs),
        ExecutionResult::Revert { .. } | ExecutionResult::Halt { .. } => (false, Vec::new()),
    };
    let receipt = Receipt {
        status: success.into(),
        cumulative_gas_used,
        logs,
    };
    let receipt = ReceiptWithBloom::from(receipt);
    match transaction.envelope().tx_type() {
        TxType::Legacy => ReceiptEnvelope::Legacy(receipt),
        TxType::Eip2930 => ReceiptEnvelope::Eip2930(receipt),
        TxType::Eip1559 => ReceiptEnvelope::Eip1559(receipt),
        TxType::Eip4844 => ReceiptEnvelope::Eip4844(receipt),
        TxType::Eip7702 => ReceiptEnvelope::Eip7702(receipt),
    }
}
