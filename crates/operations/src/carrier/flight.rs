//! The transactions whose end is not known, by nonce.

use std::collections::BTreeMap;

use alloy_primitives::{B256, Bytes};
use db::Batch;

#[derive(Debug, Default)]
pub(super) struct Flight(BTreeMap<u64, Transaction>);

/// A transaction of ours.
#[derive(Debug)]
pub(crate) struct Transaction {
    pub(super) stage: Stage,
    /// What rides in it, by `seq`.
    pub(super) riders: Vec<u64>,
    /// Why it may never become final. A doubted transaction is not sent, and its riders ride elsewhere as well.
    pub(super) doubt: Option<Doubt>,
    attempt: u32,
    next_send_ms: u64,
}

/// Why a transaction may never become final.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Doubt {
    /// A node says that its nonce is used, and the stream has not shown by what.
    Used,
    /// A lower nonce is missing, because a node named too high a one before.
    Stranded,
}

#[derive(Debug)]
pub(super) enum Stage {
    /// The signer has it. Nothing is persisted.
    Signing,
    /// Persisted, and sent at least once (or about to be).
    Sent { hash: B256, raw: Bytes },
}

impl Transaction {
    pub(super) const fn signing(riders: Vec<u64>) -> Self {
        Self {
            stage: Stage::Signing,
            riders,
            doubt: None,
            attempt: 0,
            next_send_ms: 0,
        }
    }

    /// Due at once: it may never have been sent.
    pub(super) fn recovered(batch: Batch) -> Self {
        let stage = Stage::Sent {
            hash: batch.hash,
            raw: batch.raw.into(),
        };
        Self {
            stage,
            riders: batch.records,
            doubt: None,
            attempt: 0,
            next_send_ms: 0,
        }
    }

    pub(super) const fn hash(&self) -> Option<B256> {
        match &self.stage {
            Stage::Signing => None,
            Stage::Sent { hash, .. } => Some(*hash),
        }
    }

    /// Who rides in it.
    pub(crate) fn riders(&self) -> &[u64] {
        &self.riders
    }

    /// Those who are counted as riding in it: none while it is in doubt.
    pub(crate) fn counted(self) -> Vec<u64> {
        if self.doubt.is_none() {
            self.riders
        } else {
            Vec::new()
        }
    }

    const fn is_sendable(&self) -> bool {
        matches!(self.stage, Stage::Sent { .. }) && self.doubt.is_none()
    }

    pub(super) const fn schedule(&mut self, now_ms: u64, after_ms: u64) {
        self.next_send_ms = now_ms.saturating_add(after_ms);
    }

    pub(super) const fn send_now(&mut self) {
        self.next_send_ms = 0;
    }

    /// Sends it again soon, if that is earlier than planned.
    pub(super) fn hurry(&mut self, now_ms: u64, after_ms: u64) {
        self.next_send_ms = self.next_send_ms.min(now_ms.saturating_add(after_ms));
    }

    /// Counts a send, and plans the next one: `resend_ms` doubled with every try, up to `resend_ms_max`.
    pub(super) fn next_attempt(&mut self, now_ms: u64, resend_ms: u64, resend_ms_max: u64) -> u32 {
        self.attempt = self.attempt.saturating_add(1);
        let factor = 1_u64
            .checked_shl(self.attempt.saturating_sub(1))
            .unwrap_or(u64::MAX);
        self.schedule(now_ms, resend_ms.saturating_mul(factor).min(resend_ms_max));
        self.attempt
    }
}

impl Flight {
    pub(super) fn insert(&mut self, nonce: u64, transaction: Transaction) {
        self.0.insert(nonce, transaction);
    }

    pub(super) fn remove(&mut self, nonce: u64) -> Option<Transaction> {
        self.0.remove(&nonce)
    }

    pub(super) fn get(&self, nonce: u64) -> Option<&Transaction> {
        self.0.get(&nonce)
    }

    pub(super) fn get_mut(&mut self, nonce: u64) -> Option<&mut Transaction> {
        self.0.get_mut(&nonce)
    }

    /// The transaction with that nonce, if the signer has it.
    pub(super) fn signing_mut(&mut self, nonce: u64) -> Option<&mut Transaction> {
        self.get_mut(nonce)
            .filter(|transaction| matches!(transaction.stage, Stage::Signing))
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Those that are expected to become final.
    pub(super) fn active(&self) -> usize {
        self.0
            .values()
            .filter(|transaction| transaction.doubt.is_none())
            .count()
    }

    pub(super) fn is_signing(&self) -> bool {
        self.0
            .values()
            .any(|transaction| matches!(transaction.stage, Stage::Signing))
    }

    pub(super) fn nonces(&self) -> impl Iterator<Item = u64> + '_ {
        self.0.keys().copied()
    }

    pub(super) fn hashes(&self) -> impl Iterator<Item = B256> + '_ {
        self.0.values().filter_map(Transaction::hash)
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (u64, &mut Transaction)> {
        self.0
            .iter_mut()
            .map(|(nonce, transaction)| (*nonce, transaction))
    }

    /// The lowest nonce from `nonce` on that no transaction in flight has.
    pub(super) fn first_free(&self, nonce: u64) -> u64 {
        let mut free = nonce;
        for taken in self.0.range(nonce..).map(|(taken, _)| *taken) {
            if taken != free {
                break;
            }
            free = free.saturating_add(1);
        }
        free
    }

    /// Whether a transaction with a lower nonce is thought to be stranded.
    pub(super) fn is_stranded_below(&self, nonce: u64) -> bool {
        self.0
            .range(..nonce)
            .any(|(_, transaction)| transaction.doubt == Some(Doubt::Stranded))
    }

    /// Those below `floor`, taken out.
    pub(super) fn split_below(&mut self, floor: u64) -> BTreeMap<u64, Transaction> {
        let rest = self.0.split_off(&floor);
        std::mem::replace(&mut self.0, rest)
    }

    pub(super) fn send_all_now(&mut self) {
        self.0.values_mut().for_each(Transaction::send_now);
    }

    /// Those to be sent now.
    pub(super) fn due(&mut self, now_ms: u64) -> impl Iterator<Item = (u64, &mut Transaction)> {
        self.iter_mut().filter(move |(_, transaction)| {
            transaction.is_sendable() && transaction.next_send_ms <= now_ms
        })
    }

    pub(super) fn deadline(&self) -> Option<u64> {
        let sendable = self
            .0
            .values()
            .filter(|transaction| transaction.is_sendable());
        sendable.map(|transaction| transaction.next_send_ms).min()
    }
}
