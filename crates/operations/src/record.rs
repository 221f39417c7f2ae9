//! The records journal machine: accepted records ride in batches to the chain until each is final, or failed with a
//! reason.
//!
//! # Rules
//! 1. *Records before effects.* Effects are performed strictly in the order given. A signed transaction is persisted
//!    before it is sent; what a block settled is persisted before anyone is told.
//! 2. *Only the verified stream settles.* For the transactions, [`carrier`](crate::carrier) sees to that.
//! 3. *Nothing ends silently.* Every accepted record is queued, riding, searched, final or failed.
//!
//! # A batch
//! Without transactions in flight, whatever is queued goes at once. With some, the next goes when it is full; else
//! what arrives meanwhile is collected (at most [`MAX_BATCH`] records). A batch that reverted is halved, down to a
//! single record, which then fails with an explanation.
//!
//! # Crashes
//! Between any two effects the process may end. [`Machine::recover`] continues from the journal: transactions that
//! were persisted are sent again, records in none are queued, the nonce is read, and blocks are read again from the
//! cursor. Blocks are idempotent by height.

#![cfg_attr(
    not(test),
    deny(
        clippy::arithmetic_side_effects,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::unwrap_used
    )
)]

mod ledger;
mod message;
mod settle;
#[cfg(test)]
mod tests;

use alloy_primitives::{B256, Bytes};
use contracts::{Entry as CallEntry, MAX_BATCH};
use db::{Batch, Cursor, Entry, NewBatch, Settlement, Unsettled, Write};

use self::ledger::Ledger;
pub use self::message::{Alarm, Effect, Found, Input};
pub use crate::carrier::{NonceRead, Pace, SendAnswer};
use crate::{
    carrier::{Carrier, Judgement, Moves, Sending},
    observe::Watch,
};

/// How the machine paces itself. Times are in milliseconds.
#[derive(Debug, Clone)]
pub struct Config {
    /// Of its transactions.
    pub pace: Pace,
    /// How often the cursor is persisted when blocks hold nothing of ours.
    pub cursor_ms: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            pace: Pace::default(),
            cursor_ms: 2_000,
        }
    }
}

/// The journal's rows that a machine starts from.
#[derive(Debug, Clone)]
pub struct Recovered {
    /// Every record that is not settled, in order of acceptance.
    pub unsettled: Vec<Unsettled>,
    /// The last record accepted; whatever is told about it or an earlier one is known already.
    pub last_seq: u64,
    /// Every transaction whose end is not known.
    pub pending: Vec<Batch>,
    /// One more than the highest nonce whose transaction came to an end.
    pub nonce_floor: u64,
    /// The last block taken in.
    pub cursor: Cursor,
}

/// How things stand, for metrics and readiness.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Status {
    /// Records not settled: queued, riding or searched.
    pub unsettled: usize,
    /// Records in no transaction.
    pub queued: usize,
    /// Transactions in flight.
    pub in_flight: usize,
    /// The last finalized block taken in.
    pub cursor: Cursor,
    /// Whether the account's nonce is known and the start is over.
    pub reconciled: bool,
}

/// The machine. See the module.
#[derive(Debug)]
pub struct Machine {
    ledger: Ledger,
    carrier: Carrier,
    cursor: Cursor,
    /// When the cursor was last persisted, and how often it is.
    cursor_ms: u64,
    cursor_every_ms: u64,
    search: Search,
}

/// The one search that may be under way.
#[derive(Debug, Default)]
struct Search {
    running: bool,
    attempt: u32,
    not_before_ms: u64,
}

impl Machine {
    /// Continues from the journal. Give it a [`Input::Tick`] to start.
    pub fn recover(config: Config, rows: Recovered) -> Self {
        let mut ledger = Ledger::recover(rows.unsettled, rows.last_seq);
        for batch in &rows.pending {
            ledger.ride(&batch.records);
        }
        Self {
            ledger,
            carrier: Carrier::recover(config.pace, rows.pending, rows.nonce_floor),
            cursor: rows.cursor,
            cursor_ms: 0,
            cursor_every_ms: config.cursor_ms,
            search: Search::default(),
        }
    }

    /// Takes in what happened at `now_ms` (Unix, never going back); returns what is to be done.
    pub fn step(&mut self, now_ms: u64, input: Input) -> Vec<Effect> {
        let mut effects = Vec::new();
        match input {
            Input::Accepted(entries) => self.ledger.accept(entries),
            Input::Signed { nonce, hash, raw } => {
                self.signed(now_ms, nonce, hash, raw, &mut effects);
            }
            Input::SignFailed { nonce } => self.sign_failed(now_ms, nonce, &mut effects),
            Input::Sent { nonce, answer } => self.sent(now_ms, nonce, answer, &mut effects),
            Input::NodeLost => self.carrier.send_all_now(),
            Input::NonceRead(read) => {
                let judged = self.carrier.nonce_read(now_ms, read, self.cursor.height);
                self.judged(judged, &mut effects);
            }
            Input::Block(facts) => self.block(now_ms, facts, &mut effects),
            Input::Found(found) => self.found(now_ms, found, &mut effects),
            Input::Tick => {}
        }
        self.resend(now_ms, &mut effects);
        if let Some(attempt) = self.carrier.read(now_ms) {
            effects.push(Effect::ReadNonce { attempt });
        }
        self.find(now_ms, &mut effects);
        self.batch(now_ms, &mut effects);
        effects
    }

    /// When the next [`Input::Tick`] is due; none if only other inputs can bring anything.
    pub fn deadline(&self) -> Option<u64> {
        let search = (!self.search.running && self.ledger.searched().next().is_some())
            .then_some(self.search.not_before_ms);
        let carrier = self.carrier.deadline(!self.ledger.is_queue_empty());
        [carrier, search].into_iter().flatten().min()
    }

    /// What to look out for in the next block.
    pub fn watch(&self) -> Watch {
        self.carrier.watch()
    }

    /// How things stand.
    pub fn status(&self) -> Status {
        Status {
            unsettled: self.ledger.len(),
            queued: self.ledger.queued(),
            in_flight: self.carrier.len(),
            cursor: self.cursor,
            reconciled: self.carrier.is_reconciled(),
        }
    }

    /// Starts as many batches as may fly.
    fn batch(&mut self, now_ms: u64, effects: &mut Vec<Effect>) {
        let Some(nonce) = self.carrier.free(now_ms) else {
            return;
        };
        let full = self.ledger.queued() >= MAX_BATCH;
        if self.carrier.flying() > 0 && !(full && self.carrier.has_room()) {
            return;
        }
        let entries = self.ledger.next_batch();
        if !entries.is_empty() {
            self.sign(nonce, &entries, effects);
        }
    }

    /// Asks for a transaction; the entries ride in it from now on.
    fn sign(&mut self, nonce: u64, entries: &[Entry], effects: &mut Vec<Effect>) {
        let records: Vec<u64> = entries.iter().map(|entry| entry.seq).collect();
        self.ledger.ride(&records);
        self.carrier.begin(nonce, records);
        effects.push(Effect::Sign {
            nonce,
            max_fee_per_gas: self.carrier.max_fee_per_gas(),
            entries: entries
                .iter()
                .map(|entry| CallEntry {
                    key: entry.key,
                    commitment: entry.commitment,
                })
                .collect(),
        });
    }

    fn signed(
        &mut self,
        now_ms: u64,
        nonce: u64,
        hash: B256,
        raw: Bytes,
        effects: &mut Vec<Effect>,
    ) {
        let Some(riders) = self.carrier.signing(nonce) else {
            return;
        };
        if self.ledger.unsettled(riders).is_empty() {
            self.carrier.abandon(nonce);
            return;
        }
        let Some(records) = self.carrier.signed(now_ms, nonce, hash, raw.clone()) else {
            return;
        };
        effects.push(Effect::Persist(Write::Batch(NewBatch {
            nonce,
            hash,
            raw: raw.to_vec(),
            records,
            created_ms: now_ms,
        })));
        effects.push(Effect::Send {
            nonce,
            raw,
            attempt: 0,
        });
    }

    fn sign_failed(&mut self, now_ms: u64, nonce: u64, effects: &mut Vec<Effect>) {
        let Some(records) = self.carrier.sign_failed(now_ms, nonce) else {
            return;
        };
        self.ledger.alight(&records);
        effects.push(Effect::Alarm(Alarm::SignFailed));
    }

    fn sent(&mut self, now_ms: u64, nonce: u64, answer: SendAnswer, effects: &mut Vec<Effect>) {
        if let Some(reason) = self.carrier.sent(now_ms, nonce, answer) {
            effects.push(Effect::Alarm(Alarm::Refused { nonce, reason }));
        }
    }

    /// Sends again what is not final in time.
    fn resend(&mut self, now_ms: u64, effects: &mut Vec<Effect>) {
        let due = self.carrier.due(now_ms).into_iter();
        effects.extend(due.map(|sending| {
            let Sending {
                nonce,
                raw,
                attempt,
            } = sending;
            Effect::Send {
                nonce,
                raw,
                attempt,
            }
        }));
    }

    /// Records are in one transaction more or less by what a node said.
    fn judged(&mut self, judged: Judgement, effects: &mut Vec<Effect>) {
        if let Some(nonce) = judged.gap {
            effects.push(Effect::Alarm(Alarm::NonceGap { nonce }));
        }
        self.moved(&judged.moves);
    }

    fn moved(&mut self, moves: &Moves) {
        self.ledger.alight(&moves.alight);
        self.ledger.ride(&moves.ride);
    }

    /// Looks for the claims that are known to be on chain, but not where.
    fn find(&mut self, now_ms: u64, effects: &mut Vec<Effect>) {
        if self.search.running || now_ms < self.search.not_before_ms {
            return;
        }
        let entries: Vec<Entry> = self.ledger.searched().take(MAX_BATCH).collect();
        if entries.is_empty() {
            return;
        }
        self.search.running = true;
        effects.push(Effect::Find {
            entries,
            attempt: self.search.attempt,
        });
    }

    /// Persists how far the stream came, but not for every block that holds nothing of ours.
    fn persist_settlement(
        &mut self,
        now_ms: u64,
        settlement: Settlement,
        effects: &mut Vec<Effect>,
    ) {
        let fresh = now_ms.saturating_sub(self.cursor_ms) < self.cursor_every_ms;
        if settlement.is_cursor_only() && fresh {
            return;
        }
        if settlement.cursor.is_some() {
            self.cursor_ms = now_ms;
        }
        effects.push(Effect::Persist(Write::Settle(settlement)));
    }
}
