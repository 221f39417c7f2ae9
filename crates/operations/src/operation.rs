//! The operations machine: accepted contract calls are signed by their accounts and ride in transactions of relayers until
//! each has run, or failed with a reason.
//!
//! # Rules
//! 1. *Records before effects.* Effects are performed strictly in the order given. A signature is persisted before it is
//!    used, a signed transaction before it is sent; what a block settled is persisted before anyone is told.
//! 2. *Only the stream of blocks settles.* For the transactions, [`carrier`](crate::carrier) sees to that.
//! 3. *The contract decides.* An operation ran if its account said so in a final block, whoever brought it, and is over if
//!    the contract refused it for good, or can only do so because its deadline is past. Whatever else happens, it is
//!    brought again: the contract makes that harmless. Its signature is known to others as soon as it was sent, so a
//!    failure that they could still turn into an effect is none.
//! 4. *Nothing ends silently.* Every accepted operation is with its signer, behind another in its line, waiting, queued,
//!    riding, searched, final or failed.
//!
//! # Relayers
//! Any of several accounts may bring an operation. One without transactions in flight takes what is queued at once; with
//! some, it waits until a transaction is full. So operations collect while a block is made, and a stuck transaction of one
//! relayer holds up what rides in it, and no more.
//!
//! # Crashes
//! Between any two effects the process may end. [`Machine::recover`] continues from the journal. Blocks are idempotent by
//! height.

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

mod facts;
mod ledger;
mod message;
mod settle;

use std::collections::BTreeSet;

use alloy_primitives::{Address, B256, Bytes};
use db::{Batch, Cursor, Failure, NewRelay, OperationEntry, OperationWrite};

use self::ledger::Ledger;
pub use self::{
    facts::{Place, facts, found},
    message::{Alarm, BlockFacts, Effect, Input, TransactionFacts},
};
use crate::{
    carrier::{Carrier, Judgement, Pace},
    observe,
};

/// Operations that are with their signers at once.
const AUTHORIZING_MAX: usize = 64;
/// Operations that are searched at once.
const SEARCHED_MAX: usize = 64;

/// How the machine paces itself. Times are in milliseconds.
#[derive(Debug, Clone)]
pub struct Config {
    /// Of each relayer's transactions.
    pub pace: Pace,
    /// How long a signer may take before it is asked again.
    pub authorize_ms: u64,
    /// How often the cursor is persisted when blocks hold nothing of ours.
    pub cursor_ms: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            pace: Pace::default(),
            authorize_ms: 30_000,
            cursor_ms: 2_000,
        }
    }
}

/// The journal's rows that a machine starts from.
#[derive(Debug, Clone)]
pub struct Recovered {
    /// Every operation that is not settled, in order of acceptance.
    pub unsettled: Vec<OperationEntry>,
    /// The last operation accepted; whatever is told about it or an earlier one is known already.
    pub last_seq: u64,
    /// The relayers.
    pub relayers: Vec<RecoveredRelayer>,
    /// The last block taken in.
    pub cursor: Cursor,
}

/// What the journal has of a relayer.
#[derive(Debug, Clone)]
pub struct RecoveredRelayer {
    /// Its account.
    pub account: Address,
    /// Every transaction whose end is not known.
    pub pending: Vec<Batch>,
    /// One more than the highest nonce whose transaction came to an end.
    pub nonce_floor: u64,
}

/// What to look out for in the next block.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Watch {
    /// The relayers' accounts, in their order, and what to look out for of each.
    pub relayers: Vec<(Address, observe::Watch)>,
    /// Keys of operations that are not settled.
    pub keys: BTreeSet<B256>,
}

/// How things stand, for metrics and readiness.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Status {
    /// Operations not settled.
    pub unsettled: usize,
    /// Operations that can be brought and are in no transaction.
    pub queued: usize,
    /// Transactions in flight.
    pub in_flight: usize,
    /// The last final block taken in.
    pub cursor: Cursor,
    /// Whether the nonces of all relayers are known.
    pub reconciled: bool,
}

/// The machine. See the module.
#[derive(Debug)]
pub struct Machine {
    ledger: Ledger,
    carriers: Vec<(Address, Carrier)>,
    /// Accounts that were found without the code since the last relay.
    undelegated: BTreeSet<Address>,
    cursor: Cursor,
    /// When the cursor was last persisted, and how often it is.
    cursor_ms: u64,
    cursor_every_ms: u64,
    authorize_ms: u64,
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
        let relayers = rows.relayers.into_iter().map(|relayer| {
            for batch in &relayer.pending {
                ledger.ride(&batch.records);
            }
            let pace = config.pace.clone();
            let carrier = Carrier::recover(pace, relayer.pending, relayer.nonce_floor);
            (relayer.account, carrier)
        });
        let carriers = relayers.collect();
        Self {
            ledger,
            carriers,
            undelegated: BTreeSet::new(),
            cursor: rows.cursor,
            cursor_ms: 0,
            cursor_every_ms: config.cursor_ms,
            authorize_ms: config.authorize_ms,
            search: Search::default(),
        }
    }

    /// Takes in what happened at `now_ms` (Unix, never going back); returns what is to be done.
    pub fn step(&mut self, now_ms: u64, input: Input) -> Vec<Effect> {
        let mut effects = Vec::new();
        self.take(now_ms, input, &mut effects);
        self.ledger.wake(now_ms);
        self.authorize(now_ms, &mut effects);
        for relayer in 0..self.carriers.len() {
            self.resend(relayer, now_ms, &mut effects);
        }
        self.find(now_ms, &mut effects);
        for relayer in 0..self.carriers.len() {
            self.load(relayer, now_ms, &mut effects);
        }
        effects
    }

    fn take(&mut self, now_ms: u64, input: Input, effects: &mut Vec<Effect>) {
        match input {
            Input::Accepted(entries) => self.ledger.accept(entries),
            Input::Authorized {
                seq,
                follows,
                signature,
            } => {
                if self.ledger.authorized(seq, follows) {
                    let write = OperationWrite::Signature(seq, signature.to_vec());
                    effects.push(Effect::Persist(write));
                }
            }
            Input::Forbidden { seq, failure } => self.end(now_ms, seq, failure, effects),
            Input::Unauthorized { seq } => {
                let again = now_ms.saturating_add(self.authorize_ms / 16);
                self.ledger.authorize_at(seq, again);
            }
            Input::Cancel { seq } => self.cancel(now_ms, seq, effects),
            Input::Signed {
                relayer,
                nonce,
                hash,
                raw,
            } => self.signed(relayer, now_ms, nonce, hash, raw, effects),
            Input::SignFailed { relayer, nonce } => {
                self.sign_failed(relayer, now_ms, nonce, effects);
            }
            Input::Sent {
                relayer,
                nonce,
                answer,
            } => {
                let carrier = self.carrier(relayer);
                if let Some(reason) = carrier.and_then(|it| it.sent(now_ms, nonce, answer)) {
                    effects.push(Effect::Alarm(Alarm::Refused {
                        relayer,
                        nonce,
                        reason,
                    }));
                }
            }
            Input::NodeLost => {
                for (_, carrier) in &mut self.carriers {
                    carrier.send_all_now();
                }
            }
            Input::NonceRead { relayer, read } => {
                let height = self.cursor.height;
                if let Some(carrier) = self.carrier(relayer) {
                    let judged = carrier.nonce_read(now_ms, read, height);
                    self.judged(relayer, judged, effects);
                }
            }
            Input::Block(facts) => self.block(now_ms, facts, effects),
            Input::Found(found) => self.found(now_ms, found, effects),
            Input::Tick => {}
        }
    }

    fn carrier(&mut self, relayer: usize) -> Option<&mut Carrier> {
        self.carriers.get_mut(relayer).map(|(_, carrier)| carrier)
    }

    /// When the next [`Input::Tick`] is due; none if only other inputs can bring anything.
    pub fn deadline(&self) -> Option<u64> {
        let search = (!self.search.running && self.ledger.searched().next().is_some())
            .then_some(self.search.not_before_ms);
        let waiting = self.ledger.queued() > 0;
        let carriers = self.carriers.iter();
        let carriers = carriers.filter_map(|(_, carrier)| carrier.deadline(waiting));
        let others = [self.ledger.deadline(), search].into_iter().flatten();
        carriers.chain(others).min()
    }

    /// What to look out for in the next block.
    pub fn watch(&self) -> Watch {
        Watch {
            relayers: self
                .carriers
                .iter()
                .map(|(account, carrier)| (*account, carrier.watch()))
                .collect(),
            keys: self.ledger.keys().collect(),
        }
    }

    /// How things stand.
    pub fn status(&self) -> Status {
        let carriers = self.carriers.iter().map(|(_, carrier)| carrier);
        Status {
            unsettled: self.ledger.len(),
            queued: self.ledger.queued(),
            in_flight: carriers.clone().map(Carrier::len).sum(),
            cursor: self.cursor,
            reconciled: carriers.clone().all(Carrier::is_reconciled),
        }
    }

    /// Asks the signers of operations that nobody signed.
    fn authorize(&mut self, now_ms: u64, effects: &mut Vec<Effect>) {
        let until = now_ms.saturating_add(self.authorize_ms);
        let due = self.ledger.due_to_sign(now_ms, until, AUTHORIZING_MAX);
        effects.extend(due.into_iter().map(|entry| Effect::Authorize {
            seq: entry.seq,
            follows: entry.follows,
        }));
    }

    /// Starts a relay, if the relayer may.
    fn load(&mut self, relayer: usize, now_ms: u64, effects: &mut Vec<Effect>) {
        if self.ledger.queued() == 0 {
            return;
        }
        let Some(carrier) = self.carrier(relayer) else {
            return;
        };
        let Some(nonce) = carrier.free(now_ms) else {
            return;
        };
        let (idle, room) = (carrier.flying() == 0, carrier.has_room());
        let max_fee_per_gas = carrier.max_fee_per_gas();
        if !idle && !room {
            return;
        }
        let load = self.ledger.next_load();
        // What is queued behind a full load fills another one.
        let full = load.operations.len() < self.ledger.queued();
        if !idle && !full {
            return;
        }
        self.ledger.ride(&load.operations);
        if let Some(carrier) = self.carrier(relayer) {
            carrier.begin(nonce, load.operations.clone());
        }
        effects.push(Effect::Sign {
            relayer,
            nonce,
            max_fee_per_gas,
            gas_limit: load.gas_limit,
            operations: load.operations,
            undelegated: std::mem::take(&mut self.undelegated).into_iter().collect(),
        });
    }

    fn signed(
        &mut self,
        relayer: usize,
        now_ms: u64,
        nonce: u64,
        hash: B256,
        raw: Bytes,
        effects: &mut Vec<Effect>,
    ) {
        let Some((account, carrier)) = self.carriers.get_mut(relayer) else {
            return;
        };
        let Some(riders) = carrier.signing(nonce) else {
            return;
        };
        if self.ledger.unsettled(riders).is_empty() {
            carrier.abandon(nonce);
            return;
        }
        let Some(operations) = carrier.signed(now_ms, nonce, hash, raw.clone()) else {
            return;
        };
        self.ledger.submitted(&operations);
        effects.push(Effect::Persist(OperationWrite::Relay(NewRelay {
            relayer: *account,
            nonce,
            hash,
            raw: raw.to_vec(),
            operations,
            created_ms: now_ms,
        })));
        effects.push(Effect::Send {
            relayer,
            nonce,
            raw,
            attempt: 0,
        });
    }

    fn sign_failed(&mut self, relayer: usize, now_ms: u64, nonce: u64, effects: &mut Vec<Effect>) {
        let carrier = self.carrier(relayer);
        if let Some(riders) = carrier.and_then(|it| it.sign_failed(now_ms, nonce)) {
            self.ledger.alight(&riders);
            effects.push(Effect::Alarm(Alarm::SignFailed { relayer }));
        }
    }

    /// Sends again what is not final in time, and reads the nonce where that is wanted.
    fn resend(&mut self, relayer: usize, now_ms: u64, effects: &mut Vec<Effect>) {
        let Some(carrier) = self.carrier(relayer) else {
            return;
        };
        for sending in carrier.due(now_ms) {
            effects.push(Effect::Send {
                relayer,
                nonce: sending.nonce,
                raw: sending.raw,
                attempt: sending.attempt,
            });
        }
        if let Some(attempt) = carrier.read(now_ms) {
            effects.push(Effect::ReadNonce { relayer, attempt });
        }
    }

    /// Operations are in one transaction more or less by what a node said.
    fn judged(&mut self, relayer: usize, judged: Judgement, effects: &mut Vec<Effect>) {
        if let Some(nonce) = judged.gap {
            effects.push(Effect::Alarm(Alarm::NonceGap { relayer, nonce }));
        }
        self.ledger.alight(&judged.moves.alight);
        self.ledger.ride(&judged.moves.ride);
    }

    /// Looks for operations that are known to have run, but not where.
    fn find(&mut self, now_ms: u64, effects: &mut Vec<Effect>) {
        if self.search.running || now_ms < self.search.not_before_ms {
            return;
        }
        let searched = self.ledger.searched().take(SEARCHED_MAX);
        let operations: Vec<_> = searched.map(|entry| (entry.account, entry.key)).collect();
        if operations.is_empty() {
            return;
        }
        self.search.running = true;
        effects.push(Effect::Find {
            operations,
            attempt: self.search.attempt,
        });
    }

    /// What nothing was signed for yet that could bring it ends here; else the request is without effect.
    fn cancel(&mut self, now_ms: u64, seq: u64, effects: &mut Vec<Effect>) {
        if self.ledger.can_cancel(seq) {
            let failure = Failure {
                code: "cancelled".to_owned(),
                detail: "it was cancelled before anything was sent".to_owned(),
            };
            self.end(now_ms, seq, failure, effects);
        }
    }
}
