//! What finalized blocks, and searches, settle.

use alloy_primitives::B256;
use db::{BatchEnd, Claim, Entry, Failure, Settlement};

use super::{Alarm, Effect, Found, Machine};
use crate::observe::{BlockFacts, EntryFacts, Fate, Outcome, Recording, TxFacts};

/// A search that brought nothing is repeated after this, by another node.
const SEARCH_AGAIN_MS: u64 = 5_000;

/// A step of the ledger, with what is to be told afterwards.
#[derive(Default)]
struct Step {
    settlement: Settlement,
    settled: Vec<B256>,
}

impl Machine {
    pub(super) fn block(&mut self, now_ms: u64, facts: BlockFacts, effects: &mut Vec<Effect>) {
        let expected = self.cursor.height.saturating_add(1);
        if facts.cursor.height < expected {
            return;
        }
        if facts.cursor.height > expected {
            effects.push(Effect::Alarm(Alarm::BlockGap {
                expected,
                found: facts.cursor.height,
            }));
            return;
        }
        self.cursor = facts.cursor;
        self.carrier.block(facts.base_fee);
        let mut step = Step::default();
        step.settlement.cursor = Some(facts.cursor);
        for transaction in facts.transactions {
            self.transaction(transaction, facts.cursor.height, &mut step, effects);
        }
        self.supersede(&mut step);
        let moves = self.carrier.unstrand();
        self.moved(&moves);
        self.persist_settlement(now_ms, step.settlement, effects);
        if !step.settled.is_empty() {
            effects.push(Effect::Settled(step.settled));
        }
        let judged = self.carrier.judge(facts.cursor.height);
        self.judged(judged, effects);
    }

    fn transaction(
        &mut self,
        facts: TxFacts,
        height: u64,
        step: &mut Step,
        effects: &mut Vec<Effect>,
    ) {
        let TxFacts {
            hash,
            nonce,
            outcome,
        } = facts;
        let mut riders = Vec::new();
        if let Some(transaction) = self.carrier.ended(nonce, hash) {
            let end = if outcome == Outcome::Reverted {
                BatchEnd::Reverted
            } else {
                BatchEnd::Final
            };
            step.settlement.batches.push((nonce, end));
            if outcome == Outcome::Reverted {
                let records = transaction.riders();
                effects.push(Effect::Alarm(Alarm::Reverted {
                    hash,
                    records: records.len(),
                }));
                self.halve(records, hash, height, step);
            }
            riders = transaction.counted();
        } else {
            effects.push(Effect::Alarm(Alarm::ForeignTransaction { nonce, hash }));
        }
        if let Outcome::Recorded(recording) = outcome {
            self.recording(recording, hash, step);
        }
        self.ledger.alight(&riders);
    }

    /// The records of a reverted transaction ride in smaller ones, until the one at fault is alone.
    fn halve(&mut self, records: &[u64], hash: B256, height: u64, step: &mut Step) {
        let alone = records.len() <= 1;
        let half = u16::try_from(records.len().div_ceil(2))
            .unwrap_or(u16::MAX)
            .max(1);
        for entry in self.ledger.unsettled(records) {
            if alone {
                let detail = format!(
                    "the transaction {hash}, which carried only this record, reverted in block {height}; the Records \
                     contract of this network refuses it"
                );
                self.fail(&entry, "transaction_reverted", detail, step);
            } else if half < entry.batch_max {
                self.ledger.set_batch_max(entry.seq, half);
                step.settlement.batch_max.push((entry.seq, half));
            }
        }
    }

    /// Settles what a call of `Records` decided, whoever of our account's users sent it.
    fn recording(&mut self, recording: Recording, hash: B256, step: &mut Step) {
        let before = step.settlement.claims.len();
        for facts in recording.entries {
            self.entry(facts, hash, step);
        }
        if step.settlement.claims.len() > before {
            step.settlement.anchors.extend(recording.anchor);
        }
    }

    fn entry(&mut self, facts: EntryFacts, hash: B256, step: &mut Step) {
        let EntryFacts {
            id,
            commitment,
            fate,
        } = facts;
        let Some(entry) = self.ledger.by_id(&id) else {
            return;
        };
        let ours = entry.commitment == commitment;
        match fate {
            Fate::Claimed(leaf_index, siblings) if ours => {
                self.claim(
                    &entry,
                    step.settlement.anchors.len(),
                    leaf_index,
                    siblings,
                    step,
                );
            }
            Fate::Claimed(..) => self.conflict(&entry, commitment, hash, step),
            Fate::Conflict(recorded) if ours => self.conflict(&entry, recorded, hash, step),
            Fate::Earlier if ours => {
                if self.ledger.set_searched(entry.seq) {
                    step.settlement.searched.push(entry.seq);
                }
            }
            // Another commitment under our id was refused, or claimed before the stream began: our own call tells.
            Fate::Conflict(_) | Fate::Earlier => {}
        }
    }

    fn claim(
        &mut self,
        entry: &Entry,
        anchor: usize,
        leaf_index: u64,
        siblings: Vec<B256>,
        step: &mut Step,
    ) {
        step.settlement.claims.push(Claim {
            seq: entry.seq,
            anchor,
            leaf_index,
            siblings,
        });
        step.settled.push(entry.id);
        self.ledger.settle(entry.seq);
    }

    fn conflict(&mut self, entry: &Entry, recorded: B256, hash: B256, step: &mut Step) {
        let detail = format!(
            "the id {} is claimed on chain with the commitment {recorded}, not with {} (transaction {hash}); the same \
             idempotency key was used before, by another gateway with this relayer key or by a lost database",
            entry.id, entry.commitment
        );
        self.fail(entry, "id_conflict", detail, step);
    }

    fn fail(&mut self, entry: &Entry, code: &str, detail: String, step: &mut Step) {
        step.settlement.failures.push((
            entry.seq,
            Failure {
                code: code.to_owned(),
                detail,
            },
        ));
        step.settled.push(entry.id);
        self.ledger.settle(entry.seq);
    }

    /// Transactions whose nonce was used by another one have ended without effect.
    fn supersede(&mut self, step: &mut Step) {
        for superseded in self.carrier.supersede() {
            if superseded.persisted {
                let end = (superseded.nonce, BatchEnd::Superseded);
                step.settlement.batches.push(end);
            }
            self.ledger.alight(&superseded.alight);
        }
    }

    pub(super) fn found(&mut self, now_ms: u64, found: Vec<Found>, effects: &mut Vec<Effect>) {
        self.search.running = false;
        self.search.attempt = self.search.attempt.wrapping_add(1);
        let mut step = Step::default();
        for claim in found {
            let Some(entry) = self
                .ledger
                .by_id(&claim.id)
                .filter(|entry| entry.commitment == claim.commitment)
            else {
                continue;
            };
            let Found {
                leaf_index,
                siblings,
                anchor,
                ..
            } = claim;
            let known = step
                .settlement
                .anchors
                .iter()
                .position(|other| *other == anchor);
            let at = known.unwrap_or(step.settlement.anchors.len());
            if known.is_none() {
                step.settlement.anchors.push(anchor);
            }
            self.claim(&entry, at, leaf_index, siblings, &mut step);
        }
        if step.settled.is_empty() {
            self.search.not_before_ms = now_ms.saturating_add(SEARCH_AGAIN_MS);
            return;
        }
        self.persist_settlement(now_ms, step.settlement, effects);
        effects.push(Effect::Settled(step.settled));
    }
}
