//! One account that sends transactions, and what rides in them: the part that the machines of records and of operations
//! share. It knows riders by number only.
//!
//! # Rules
//! 1. *A nonce is signed once.* The bytes never change. A transaction that cannot become final any more is superseded,
//!    and its riders ride again under another nonce; the contract that is called makes that harmless.
//! 2. *Only the stream of blocks ends a transaction.* Whatever a node answers to a send ("already known", "nonce too
//!    low", a time-out, nothing) leaves open what happened. A transaction has ended when it is in a final block, or when
//!    a final block holds a transaction of the account with the same or a higher nonce.
//! 3. *Chain reads only guide.* What a node says about the nonce is used when the stream has passed the height at which
//!    it was said, and can cost time, never a rider: see [`Carrier::judge`].

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
mod nonce;

use std::collections::BTreeSet;

use alloy_primitives::{B256, Bytes};
use db::Batch;

pub(crate) use self::flight::Transaction;
use self::{
    flight::{Flight, Stage},
    nonce::Nonces,
};
use crate::observe::Watch;

/// How a carrier paces itself. Times are in milliseconds.
#[derive(Debug, Clone)]
pub struct Pace {
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
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            in_flight_max: 4,
            resend_ms: 2_000,
            resend_ms_max: 30_000,
            read_ms: 3_000,
            reconcile_ms: 10_000,
        }
    }
}

/// What a node said to a transaction. None of it says how the transaction ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SendAnswer {
    /// It took it, or has it already.
    Taken,
    /// It says that the nonce is used.
    NonceTooLow,
    /// It says that an earlier nonce is missing.
    NonceTooHigh,
    /// It refuses, for this reason.
    Refused(String),
    /// It did not answer.
    Unknown,
}

/// What a node said about an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NonceRead {
    /// A final height, read after `latest`: when the stream has passed it, `latest` holds nothing new.
    pub height: u64,
    /// The next nonce by the final state.
    pub latest: u64,
    /// The next nonce if the node's mempool is included.
    pub pending: u64,
    /// The base fee per gas at that height.
    pub base_fee: u128,
}

/// A transaction to be sent.
#[derive(Debug)]
pub(crate) struct Sending {
    pub(crate) nonce: u64,
    pub(crate) raw: Bytes,
    /// Which try it is.
    pub(crate) attempt: u32,
}

/// Riders that are in one transaction less, or more.
#[derive(Debug, Default)]
pub(crate) struct Moves {
    pub(crate) alight: Vec<u64>,
    pub(crate) ride: Vec<u64>,
}

/// What a node's word led to.
#[derive(Debug, Default)]
pub(crate) struct Judgement {
    pub(crate) moves: Moves,
    /// A nonce that nobody has used, below some in flight.
    pub(crate) gap: Option<u64>,
}

/// A transaction whose nonce another one used.
#[derive(Debug)]
pub(crate) struct Superseded {
    pub(crate) nonce: u64,
    /// Whether it is in the journal.
    pub(crate) persisted: bool,
    /// Those that rode in it and in no other because of doubt.
    pub(crate) alight: Vec<u64>,
}

/// The account's transactions. See the module.
#[derive(Debug)]
pub(crate) struct Carrier {
    pace: Pace,
    flight: Flight,
    nonces: Nonces,
    base_fee: u128,
    /// No signing before this, after it failed.
    sign_after_ms: u64,
    /// Counts reads of the nonce, so that each asks another node.
    read_attempt: u32,
}

impl Carrier {
    /// Goes on with the transactions whose end is not known. `nonce_floor`: every lower nonce is used for certain.
    pub(crate) fn recover(pace: Pace, pending: Vec<Batch>, nonce_floor: u64) -> Self {
        let mut flight = Flight::default();
        for batch in pending {
            flight.insert(batch.nonce, Transaction::recovered(batch));
        }
        Self {
            pace,
            flight,
            nonces: Nonces::new(nonce_floor),
            base_fee: 0,
            sign_after_ms: 0,
            read_attempt: 0,
        }
    }

    /// The nonce of a transaction that may be begun now.
    pub(crate) fn free(&mut self, now_ms: u64) -> Option<u64> {
        if self.flight.is_signing() || now_ms < self.sign_after_ms {
            return None;
        }
        self.sign_after_ms = 0;
        self.nonces.next(&self.flight)
    }

    /// Transactions that are expected to become final.
    pub(crate) fn flying(&self) -> usize {
        self.flight.active()
    }

    /// Whether one more may fly.
    pub(crate) fn has_room(&self) -> bool {
        self.flight.active() < self.pace.in_flight_max
    }

    /// All transactions whose end is not known.
    pub(crate) fn len(&self) -> usize {
        self.flight.len()
    }

    /// Whether the account's nonce is known.
    pub(crate) const fn is_reconciled(&self) -> bool {
        self.nonces.is_known()
    }

    /// The fee cap of a new transaction. The base fee at most doubles in six blocks; the rest of the room is for one that
    /// waits.
    pub(crate) const fn max_fee_per_gas(&self) -> u128 {
        self.base_fee.saturating_mul(16)
    }

    /// A transaction is being signed, in which they ride.
    pub(crate) fn begin(&mut self, nonce: u64, riders: Vec<u64>) {
        self.flight.insert(nonce, Transaction::signing(riders));
    }

    /// Who rides in the transaction that is being signed. None if the nonce was used by someone else meanwhile; then
    /// nothing was persisted or sent.
    pub(crate) fn signing(&mut self, nonce: u64) -> Option<&[u64]> {
        let transaction = self.flight.signing_mut(nonce);
        transaction.map(|transaction| transaction.riders.as_slice())
    }

    /// Forgets a transaction that is being signed, and gives who rode in it.
    pub(crate) fn abandon(&mut self, nonce: u64) -> Vec<u64> {
        self.nonces.give_back(nonce);
        let abandoned = self.flight.remove(nonce);
        abandoned.map_or(Vec::new(), |transaction| transaction.riders)
    }

    /// As [`Self::abandon`], because the signer failed: nothing is signed for a while.
    pub(crate) fn sign_failed(&mut self, now_ms: u64, nonce: u64) -> Option<Vec<u64>> {
        self.flight.signing_mut(nonce)?;
        self.sign_after_ms = now_ms.saturating_add(self.pace.resend_ms);
        Some(self.abandon(nonce))
    }

    /// It is signed: to be persisted with those who ride in it, and then sent.
    pub(crate) fn signed(
        &mut self,
        now_ms: u64,
        nonce: u64,
        hash: B256,
        raw: Bytes,
    ) -> Option<Vec<u64>> {
        let transaction = self.flight.signing_mut(nonce)?;
        transaction.stage = Stage::Sent { hash, raw };
        transaction.schedule(now_ms, self.pace.resend_ms);
        Some(transaction.riders.clone())
    }

    /// A node answered to a send. Gives why it refuses, if it does.
    pub(crate) fn sent(&mut self, now_ms: u64, nonce: u64, answer: SendAnswer) -> Option<String> {
        let transaction = self.flight.get_mut(nonce)?;
        match answer {
            SendAnswer::Taken => None,
            SendAnswer::Unknown => {
                transaction.hurry(now_ms, self.pace.resend_ms / 4);
                None
            }
            SendAnswer::NonceTooLow | SendAnswer::NonceTooHigh => {
                self.nonces.want_read();
                None
            }
            SendAnswer::Refused(reason) => {
                self.nonces.want_read();
                Some(reason)
            }
        }
    }

    /// What a node took may be lost with it.
    pub(crate) fn send_all_now(&mut self) {
        self.flight.send_all_now();
    }

    /// What is not final in time, to be sent again. From the third time on the nonce is looked at as well.
    pub(crate) fn due(&mut self, now_ms: u64) -> Vec<Sending> {
        let mut due = Vec::new();
        for (nonce, transaction) in self.flight.due(now_ms) {
            let Stage::Sent { raw, .. } = &transaction.stage else {
                continue;
            };
            let raw = raw.clone();
            let attempt =
                transaction.next_attempt(now_ms, self.pace.resend_ms, self.pace.resend_ms_max);
            due.push(Sending {
                nonce,
                raw,
                attempt,
            });
        }
        if due.iter().any(|sending| sending.attempt >= 2) {
            self.nonces.want_read();
        }
        due
    }

    /// A final block came, with this base fee.
    pub(crate) const fn block(&mut self, base_fee: u128) {
        self.base_fee = base_fee;
    }

    /// A final block holds a transaction of the account. Gives it if it is ours, without doubt and taken out.
    pub(crate) fn ended(&mut self, nonce: u64, hash: B256) -> Option<Transaction> {
        self.nonces.used(nonce);
        let known = self.flight.get(nonce);
        known.filter(|transaction| transaction.hash() == Some(hash))?;
        self.flight.remove(nonce)
    }

    /// Transactions whose nonce was used by another one have ended without effect.
    pub(crate) fn supersede(&mut self) -> Vec<Superseded> {
        let below = self.flight.split_below(self.nonces.floor());
        let superseded = below.into_iter().map(|(nonce, transaction)| Superseded {
            nonce,
            persisted: transaction.hash().is_some(),
            alight: transaction.counted(),
        });
        superseded.collect()
    }

    /// When something is due; `waiting`: whether somebody waits for a transaction.
    pub(crate) fn deadline(&self, waiting: bool) -> Option<u64> {
        let sign = (self.sign_after_ms > 0 && waiting).then_some(self.sign_after_ms);
        let due = [self.flight.deadline(), self.nonces.deadline(), sign];
        due.into_iter().flatten().min()
    }

    /// What to look out for in the next block.
    pub(crate) fn watch(&self) -> Watch {
        Watch {
            floor: self.nonces.floor(),
            nonces: self.flight.nonces().collect(),
            hashes: self.flight.hashes().collect::<BTreeSet<_>>(),
        }
    }
}
