//! What final blocks, searches and signers settle.

use alloy_primitives::{Address, B256, Bytes, hex};
use contracts::operation::{Event, Refusal, Status, revert_reason};
use db::{
    BatchEnd, Execution, Failure, OperationEntry, OperationSettlement, OperationWrite, Outcome,
    SettledOutcome,
};

use super::{Alarm, BlockFacts, Effect, Machine, TransactionFacts};

/// A search that brought nothing is repeated after this, by another node.
const SEARCH_AGAIN_MS: u64 = 5_000;

/// A step of the ledger, with what is to be told afterwards.
#[derive(Default)]
struct Step {
    settlement: OperationSettlement,
    settled: Vec<B256>,
}

impl Machine {
    pub(super) fn block(&mut self, now_ms: u64, facts: BlockFacts, effects: &mut Vec<Effect>) {
        let expected = self.cursor.height.saturating_add(1);
        let found = facts.cursor.height;
        if found < expected {
            return;
        }
        if found > expected {
            effects.push(Effect::Alarm(Alarm::BlockGap { expected, found }));
            return;
        }
        self.cursor = facts.cursor;
        let mut step = Step::default();
        step.settlement.cursor = Some(facts.cursor);
        for transaction in facts.transactions {
            self.transaction(now_ms, transaction, &mut step, effects);
        }
        for relayer in 0..self.carriers.len() {
            self.supersede(relayer, facts.base_fee, &mut step, effects);
        }
        for (entry, reason) in self.ledger.overdue(facts.time) {
            let detail = format!(
                "its deadline is over, and it could not run before: {}",
                reason.detail
            );
            self.fail(&entry, failure("expired", detail), &mut step);
        }
        self.persist(now_ms, step, effects);
    }

    /// Takes in a transaction of ours, or one in which operations of ours ran.
    fn transaction(
        &mut self,
        now_ms: u64,
        facts: TransactionFacts,
        step: &mut Step,
        effects: &mut Vec<Effect>,
    ) {
        let hash = facts.execution.tx_hash;
        let mut riders = Vec::new();
        let mut ours = false;
        if let Some((relayer, nonce)) = facts.sender
            && let Some((account, carrier)) = self.carriers.get_mut(relayer)
        {
            if let Some(transaction) = carrier.ended(nonce, hash) {
                ours = true;
                let end = if facts.reverted {
                    BatchEnd::Reverted
                } else {
                    BatchEnd::Final
                };
                step.settlement.relays.push((*account, nonce, end));
                let all = transaction.riders().to_vec();
                riders = transaction.counted();
                if facts.reverted {
                    let operations = all.len();
                    effects.push(Effect::Alarm(Alarm::Reverted { hash, operations }));
                    self.halve(now_ms, &all, hash, step);
                }
            } else {
                effects.push(Effect::Alarm(Alarm::ForeignTransaction {
                    relayer,
                    nonce,
                    hash,
                }));
            }
        }
        self.told(now_ms, facts, ours, step);
        self.ledger.alight(&riders);
    }

    /// What was said of operations in a transaction. Only what our own one was refused for is a matter of ours.
    fn told(&mut self, now_ms: u64, facts: TransactionFacts, ours: bool, step: &mut Step) {
        let mut execution = None;
        for (log_index, event) in facts.told {
            match event {
                Event::Executed {
                    account,
                    key,
                    call,
                    succeeded,
                    result,
                } => {
                    let Some(entry) = self.ledger.by_key(&account, &key) else {
                        continue;
                    };
                    if entry.call_hash != call {
                        self.fail(&entry, taken(&facts.execution), step);
                        continue;
                    }
                    let at = *execution.get_or_insert_with(|| {
                        step.settlement.executions.push(facts.execution.clone());
                        step.settlement.executions.len().saturating_sub(1)
                    });
                    let outcome = Outcome {
                        log_index,
                        succeeded,
                        result: result.to_vec(),
                    };
                    self.ran(&entry, at, outcome, &result, step);
                }
                Event::Repeated { account, key, .. } => {
                    if let Some(entry) = self.ledger.by_key(&account, &key)
                        && self.ledger.set_searched(entry.seq)
                    {
                        step.settlement.searched.push(entry.seq);
                    }
                }
                Event::Refused {
                    account,
                    key,
                    reason,
                } if ours => self.refused(now_ms, &account, &key, reason, step),
                Event::Refused { .. } => {}
            }
        }
    }

    fn ran(
        &mut self,
        entry: &OperationEntry,
        execution: usize,
        outcome: Outcome,
        result: &Bytes,
        step: &mut Step,
    ) {
        let failure = (!outcome.succeeded).then(|| reverted(result));
        step.settlement.outcomes.push(SettledOutcome {
            seq: entry.seq,
            execution,
            outcome,
            failure,
        });
        step.settled.push(entry.key);
        self.ledger.settle(entry.seq, true);
    }

    fn refused(
        &mut self,
        now_ms: u64,
        account: &Address,
        key: &B256,
        reason: Refusal,
        step: &mut Step,
    ) {
        let Some(entry) = self.ledger.by_key(account, key) else {
            return;
        };
        match reason {
            Refusal::NotDelegated => {
                self.undelegated.insert(entry.account);
            }
            Refusal::NotEnoughGas if entry.relay_max > 1 => {
                self.ledger.set_relay_max(entry.seq, 1);
                step.settlement.relay_max.push((entry.seq, 1));
            }
            _ => {}
        }
        let (over, failure) = verdict(&entry, reason);
        if over {
            self.fail(&entry, failure, step);
            return;
        }
        self.ledger.wait(entry.seq, now_ms, failure);
    }

    /// The operations of a reverted transaction ride in smaller ones; the one at fault in the end alone.
    fn halve(&mut self, now_ms: u64, operations: &[u64], hash: B256, step: &mut Step) {
        let half = u16::try_from(operations.len().div_ceil(2))
            .unwrap_or(u16::MAX)
            .max(1);
        for entry in self.ledger.unsettled(operations) {
            if half < entry.relay_max {
                self.ledger.set_relay_max(entry.seq, half);
                step.settlement.relay_max.push((entry.seq, half));
            }
            let detail = format!("the transaction {hash}, which brought it, reverted as a whole");
            let reason = failure("transaction_reverted", detail);
            self.ledger.wait(entry.seq, now_ms, reason);
        }
    }

    fn fail(&mut self, entry: &OperationEntry, failure: Failure, step: &mut Step) {
        step.settlement.failures.push((entry.seq, failure));
        step.settled.push(entry.key);
        let relinked = self.ledger.settle(entry.seq, false);
        step.settlement.relinked.extend(relinked);
    }

    /// A relayer's transactions whose nonce was used by another one have ended without effect.
    fn supersede(
        &mut self,
        relayer: usize,
        base_fee: u128,
        step: &mut Step,
        effects: &mut Vec<Effect>,
    ) {
        let height = self.cursor.height;
        let Some((account, carrier)) = self.carriers.get_mut(relayer) else {
            return;
        };
        carrier.block(base_fee);
        for superseded in carrier.supersede() {
            if superseded.persisted {
                let end = (*account, superseded.nonce, BatchEnd::Superseded);
                step.settlement.relays.push(end);
            }
            self.ledger.alight(&superseded.alight);
        }
        let moves = carrier.unstrand();
        let judged = carrier.judge(height);
        self.ledger.alight(&moves.alight);
        self.ledger.ride(&moves.ride);
        self.judged(relayer, judged, effects);
    }

    /// An operation ends by what happened here.
    pub(super) fn end(
        &mut self,
        now_ms: u64,
        seq: u64,
        failure: Failure,
        effects: &mut Vec<Effect>,
    ) {
        let Some(entry) = self.ledger.get(seq) else {
            return;
        };
        let mut step = Step::default();
        self.fail(&entry, failure, &mut step);
        self.persist(now_ms, step, effects);
    }

    pub(super) fn found(
        &mut self,
        now_ms: u64,
        found: Vec<TransactionFacts>,
        effects: &mut Vec<Effect>,
    ) {
        self.search.running = false;
        self.search.attempt = self.search.attempt.wrapping_add(1);
        let mut step = Step::default();
        for facts in found {
            self.told(now_ms, facts, false, &mut step);
        }
        if step.settled.is_empty() {
            self.search.not_before_ms = now_ms.saturating_add(SEARCH_AGAIN_MS);
            return;
        }
        self.persist(now_ms, step, effects);
    }

    /// Persists a step, and tells who waits; how far the stream came not for every block that holds nothing of ours.
    fn persist(&mut self, now_ms: u64, step: Step, effects: &mut Vec<Effect>) {
        let Step {
            settlement,
            settled,
        } = step;
        let fresh = now_ms.saturating_sub(self.cursor_ms) < self.cursor_every_ms;
        if settlement.is_cursor_only() && fresh {
            return;
        }
        if settlement.cursor.is_some() {
            self.cursor_ms = now_ms;
        }
        effects.push(Effect::Persist(OperationWrite::Settle(settlement)));
        if !settled.is_empty() {
            effects.push(Effect::Settled(settled));
        }
    }
}

/// What a refusal means, and whether it is for good.
fn verdict(entry: &OperationEntry, reason: Refusal) -> (bool, Failure) {
    let OperationEntry { account, key, .. } = entry;
    match reason {
        Refusal::TooEarly(before) => {
            let detail = format!("the one before it in its line, {before}, has not run");
            (false, failure("too_early", detail))
        }
        Refusal::NotDelegated => {
            let detail = format!(
                "the account {account} has not the code that runs operations, or loses it again"
            );
            (false, failure("not_delegated", detail))
        }
        Refusal::NotEnoughGas => {
            let gas = entry.gas;
            let detail = format!("the transaction that brought it had not {gas} gas left for it");
            (false, failure("gas_too_high", detail))
        }
        Refusal::Other(reason) => {
            let reason = hex::encode_prefixed(reason);
            (
                false,
                failure("refused", format!("the contract refused it with {reason}")),
            )
        }
        Refusal::Expired => {
            let detail =
                "its deadline was over before it could be brought; it did not run and never will";
            (true, failure("expired", detail.to_owned()))
        }
        Refusal::KeyTaken(status) => {
            let status = named(status);
            let detail = format!(
                "the account {account} used the key {key} for another call before ({status}); the same idempotency key was \
                 used by another gateway or by a lost database"
            );
            (true, failure("key_taken", detail))
        }
        Refusal::InvalidSignature => {
            let detail = format!("the contract does not take the signature for one of {account}");
            (true, failure("signature_invalid", detail))
        }
    }
}

fn failure(code: &str, detail: String) -> Failure {
    Failure {
        code: code.to_owned(),
        detail,
    }
}

fn taken(execution: &Execution) -> Failure {
    failure(
        "key_taken",
        format!(
            "another call ran under its key, in the transaction {}; the same idempotency key was used by another gateway or by a \
             lost database",
            execution.tx_hash
        ),
    )
}

/// Why a call failed, in the contract's words where these are the usual ones.
fn reverted(result: &Bytes) -> Failure {
    let why = match revert_reason(result) {
        Some(reason) => reason,
        None if result.is_empty() => "it reverted without a reason, or used up its gas".to_owned(),
        None => format!("it reverted with {result}"),
    };
    failure("reverted", why)
}

const fn named(status: Status) -> &'static str {
    match status {
        Status::None => "it has not run",
        Status::Running => "it runs",
        Status::Succeeded => "it succeeded",
        Status::Failed => "it failed",
    }
}
