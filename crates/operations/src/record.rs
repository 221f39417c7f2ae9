//! The records journal machine: accepted records ride in batches to the chain until each is final, or failed with a
//! reason.
//!
//! # Rules
//! 1. *Records before effects.* Effects are performed strictly in the order given. A signed transaction is persisted
//!    before it is sent; what a block settled is persisted before anyone is told.
//! 2. *A nonce is signed once.* The bytes never change. A transaction that cannot become final any more is superseded,
//!    and its records ride again under another nonce; the contract makes that harmless.
//! 3. *Only the verified stream settles.* Whatever a node answers to a send ("already known", "nonce too low",
//!    a time-out, nothing) leaves open what happened. A transaction has ended when it is in a finalized block, or when
//!    a finalized block holds a transaction of our account with the same or a higher nonce.
//! 4. *Chain reads only guide.* What a node says about our nonce is used when the stream has passed the height at which
//!    it was said, and can cost time, never a record: see `Machine::judge`.
//! 5. *Nothing ends silently.* Every accepted record is queued, riding, searched, final or failed.
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

mod flight;
mod ledger;
mod message;
mod nonce;
mod settle;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use alloy_primitives::{B256, Bytes};
use contracts::{Entry as CallEntry, MAX_BATCH};
use db::{Batch, Cursor, Entry, NewBatch, Settlement, Unsettled, Write};

pub use self::message::{Alarm, Effect, Found, Input, NonceRead, SendAnswer};
use self::{
    flight::{Flight, Stage, Transaction},
    ledger::Ledger,
    nonce::Nonces,
};
use crate::observe::Watch;

/// How the machine paces itself. Times are in milliseconds.
#[derive(Debug, Clone)]
pub struct Config {
    /// Transactions in flight at once. More hide the latency of finality; a stuck one holds up those behind it.
    pub in_flight_max: usize,
    /// A transaction that is not final after this is sent again, to another node; then doubling.
    pub resend_ms: u64,
    /// Longest time between two sends of one transaction.
    pub resend_ms_max: u64,
    /// How long a node may take to answer a read before another is asked.
    pub read_ms: u64,
    /// How long the stream may take to reach the height a node named, before another one is asked.
    pub reconcile_ms: u64,
    /// How often the cursor is persisted when blocks hold nothing of ours.
    pub cursor_ms: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            in_flight_max: 4,
            resend_ms: 2_000,
            resend_ms_max: 30_000,
            read_ms: 3_000,
            reconcile_ms: 10_000,
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
    config: Config,
    ledger: Ledger,
    flight: Flight,
    nonces: Nonces,
    cursor: Cursor,
    /// When the cursor was last persisted.
    cursor_ms: u64,
    base_fee: u128,
    /// No signing before this, after it failed.
    sign_after_ms: u64,
    /// Counts reads of the nonce, so that each asks another node.
    read_attempt: u32,
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
        let mut flight = Flight::default();
        for batch in rows.pending {
            ledger.ride(&batch.records);
            flight.insert(batch.nonce, Transaction::recovered(batch));
        }
        Self {
            config,
            ledger,
            flight,
            nonces: Nonces::new(rows.nonce_floor),
            cursor: rows.cursor,
            cursor_ms: 0,
            base_fee: 0,
            sign_after_ms: 0,
            read_attempt: 0,
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
            Input::NodeLost => self.flight.send_all_now(),
            Input::NonceRead(read) => self.nonce_read(now_ms, read, &mut effects),
            Input::Block(facts) => self.block(now_ms, facts, &mut effects),
            Input::Found(found) => self.found(now_ms, found, &mut effects),
            Input::Tick => {}
        }
        self.resend(now_ms, &mut effects);
        self.read_nonce(now_ms, &mut effects);
        self.find(now_ms, &mut effects);
        self.batch(now_ms, &mut effects);
        effects
    }

    /// When the next [`Input::Tick`] is due; none if only other inputs can bring anything.
    pub fn deadline(&self) -> Option<u64> {
        let search = (!self.search.running && self.ledger.searched().next().is_some())
            .then_some(self.search.not_before_ms);
        let sign =
            (self.sign_after_ms > 0 && !self.ledger.is_queue_empty()).then_some(self.sign_after_ms);
        [self.flight.deadline(), self.nonces.deadline(), search, sign]
            .into_iter()
            .flatten()
            .min()
    }

    /// What to look out for in the next block.
    pub fn watch(&self) -> Watch {
        Watch {
            floor: self.nonces.floor(),
            nonces: self.flight.nonces().collect(),
            hashes: self.flight.hashes().collect::<BTreeSet<_>>(),
        }
    }

    /// How things stand.
    pub fn status(&self) -> Status {
        Status {
            unsettled: self.ledger.len(),
            queued: self.ledger.queued(),
            in_flight: self.flight.len(),
            cursor: self.cursor,
            reconciled: self.nonces.is_known(),
        }
    }

    /// Starts as many batches as may fly.
    fn batch(&mut self, now_ms: u64, effects: &mut Vec<Effect>) {
        if self.flight.is_signing() || now_ms < self.sign_after_ms {
            return;
        }
        self.sign_after_ms = 0;
        let Some(nonce) = self.nonces.next(&self.flight) else {
            return;
        };
        let flying = self.flight.active();
        let full = self.ledger.queued() >= MAX_BATCH;
        if flying > 0 && !(full && flying < self.config.in_flight_max) {
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
        self.flight.insert(nonce, Transaction::signing(records));
        effects.push(Effect::Sign {
            nonce,
            // The base fee at most doubles in six blocks; the rest of the room is for a transaction that waits.
            max_fee_per_gas: self.base_fee.saturating_mul(16),
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
        // The nonce may have been used by someone else while the signer worked; then nothing was persisted or sent.
        let Some(transaction) = self.flight.signing_mut(nonce) else {
            return;
        };
        if self.ledger.unsettled(&transaction.records).is_empty() {
            self.flight.remove(nonce);
            self.nonces.give_back(nonce);
            return;
        }
        transaction.stage = Stage::Sent {
            hash,
            raw: raw.clone(),
        };
        transaction.schedule(now_ms, self.config.resend_ms);
        effects.push(Effect::Persist(Write::Batch(NewBatch {
            nonce,
            hash,
            raw: raw.to_vec(),
            records: transaction.records.clone(),
            created_ms: now_ms,
        })));
        effects.push(Effect::Send {
            nonce,
            raw,
            attempt: 0,
        });
    }

    fn sign_failed(&mut self, now_ms: u64, nonce: u64, effects: &mut Vec<Effect>) {
        if self.flight.signing_mut(nonce).is_none() {
            return;
        }
        if let Some(transaction) = self.flight.remove(nonce) {
            self.ledger.alight(&transaction.records);
        }
        self.nonces.give_back(nonce);
        self.sign_after_ms = now_ms.saturating_add(self.config.resend_ms);
        effects.push(Effect::Alarm(Alarm::SignFailed));
    }

    fn sent(&mut self, now_ms: u64, nonce: u64, answer: SendAnswer, effects: &mut Vec<Effect>) {
        let Some(transaction) = self.flight.get_mut(nonce) else {
            return;
        };
        match answer {
            SendAnswer::Taken => {}
            SendAnswer::Unknown => transaction.hurry(now_ms, self.config.resend_ms / 4),
            SendAnswer::NonceTooLow | SendAnswer::NonceTooHigh => self.nonces.want_read(),
            SendAnswer::Refused(reason) => {
                self.nonces.want_read();
                effects.push(Effect::Alarm(Alarm::Refused { nonce, reason }));
            }
        }
    }

    /// Sends again what is not final in time. From the third time on the nonce is looked at as well.
    fn resend(&mut self, now_ms: u64, effects: &mut Vec<Effect>) {
        for (nonce, transaction) in self.flight.due(now_ms) {
            let Stage::Sent { raw, .. } = &transaction.stage else {
                continue;
            };
            let raw = raw.clone();
            let attempt =
                transaction.next_attempt(now_ms, self.config.resend_ms, self.config.resend_ms_max);
            if attempt >= 2 {
                self.nonces.want_read();
            }
            effects.push(Effect::Send {
                nonce,
                raw,
                attempt,
            });
        }
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
        let fresh = now_ms.saturating_sub(self.cursor_ms) < self.config.cursor_ms;
        if settlement.is_cursor_only() && fresh {
            return;
        }
        if settlement.cursor.is_some() {
            self.cursor_ms = now_ms;
        }
        effects.push(Effect::Persist(Write::Settle(settlement)));
    }
}
