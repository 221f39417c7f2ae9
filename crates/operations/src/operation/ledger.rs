//! The operations that are not settled: waiting for their account's signature, queued, riding in some transaction, or
//! searched on chain.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

use alloy_primitives::{Address, B256};
use db::{Failure, OperationEntry};

use crate::transaction::GAS_MAX;

/// Gas of a relay beside its operations: the transaction, and what the contract keeps back for the last of them.
const GAS_BASE: u64 = 150_000;
/// Gas of bringing an operation beside its call and calldata: signature, two writes of its key's slot, log.
const GAS_BESIDE: u64 = 60_000;
/// Gas of a byte of calldata: what a transaction pays for it (EIP-7623), and what copying and hashing it costs.
const GAS_BYTE: u64 = 48;
/// Bytes of an operation beside its calldata, as it is encoded.
const BYTES_BESIDE: u64 = 640;
/// Most bytes of all operations in a relay. Nodes take transactions of 128 KiB.
const BYTES_MAX: u64 = 100_000;
/// How long an operation that could not run waits before it is brought again, at first and at most.
const AGAIN_MS: u64 = 250;
const AGAIN_MS_MAX: u64 = 30_000;

/// Every operation that is not settled. Each is in exactly one place: with its signer, behind another one, waiting, in the
/// queue, in at least one transaction, or in the search.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    operations: BTreeMap<u64, Rider>,
    by_key: BTreeMap<B256, u64>,
    /// Who comes next in its line, by the key of the one before.
    successors: BTreeMap<B256, u64>,
    /// Those that can be brought: the highest priority first, then in order of acceptance.
    queue: BTreeSet<(Reverse<u8>, u64)>,
    /// Those that could not run and wait, by when that is over.
    waiting: BTreeSet<(u64, u64)>,
    /// Not signed, and with no signer.
    unsigned: BTreeSet<u64>,
    /// With their signers, and when these are asked again.
    asked: BTreeMap<u64, u64>,
    last_recovered: u64,
}

#[derive(Debug)]
struct Rider {
    entry: OperationEntry,
    /// Transactions in flight that carry it. More than one after a nonce was in doubt.
    rides: u32,
    /// It was brought and could not run: how often, until when it waits, and why that was.
    tries: u32,
    not_before_ms: u64,
    reason: Option<Failure>,
}

impl Rider {
    const fn place(&self) -> (Reverse<u8>, u64) {
        (Reverse(self.entry.priority), self.entry.seq)
    }

    /// Gas that a relay needs for it.
    const fn gas(&self) -> u64 {
        let gas = self.entry.gas;
        gas.saturating_add(gas / 63)
            .saturating_add(GAS_BESIDE)
            .saturating_add(self.bytes().saturating_mul(GAS_BYTE))
    }

    /// Bytes that it takes in a relay.
    const fn bytes(&self) -> u64 {
        self.entry.size.saturating_add(BYTES_BESIDE)
    }
}

/// A relay to be signed.
#[derive(Debug)]
pub(super) struct Load {
    pub(super) operations: Vec<u64>,
    pub(super) gas_limit: u64,
    bytes: u64,
    most: u16,
}

impl Default for Load {
    fn default() -> Self {
        Self {
            operations: Vec::new(),
            gas_limit: GAS_BASE,
            bytes: 0,
            most: u16::MAX,
        }
    }
}

impl Load {
    /// Takes an operation in, if there is room. The first one always has it.
    fn take(&mut self, rider: &Rider) -> bool {
        let gas = self.gas_limit.saturating_add(rider.gas());
        let bytes = self.bytes.saturating_add(rider.bytes());
        let most = self.most.min(rider.entry.relay_max);
        let full = self.operations.len() >= usize::from(most);
        if !self.operations.is_empty() && (gas > GAS_MAX || bytes > BYTES_MAX || full) {
            return false;
        }
        (self.gas_limit, self.bytes, self.most) = (gas.min(GAS_MAX), bytes, most);
        self.operations.push(rider.entry.seq);
        true
    }
}

impl Ledger {
    /// `last_seq`: every operation up to it that is not in `unsettled` is settled.
    pub(super) fn recover(unsettled: Vec<OperationEntry>, last_seq: u64) -> Self {
        let mut ledger = Self {
            last_recovered: last_seq,
            ..Self::default()
        };
        for entry in unsettled {
            ledger.insert(entry);
        }
        ledger
    }

    /// An operation that was recovered is not accepted again: it may be settled by now.
    pub(super) fn accept(&mut self, entries: Vec<OperationEntry>) {
        for entry in entries {
            if entry.seq > self.last_recovered && !self.operations.contains_key(&entry.seq) {
                self.insert(entry);
            }
        }
    }

    fn insert(&mut self, entry: OperationEntry) {
        let rider = Rider {
            entry,
            rides: 0,
            tries: 0,
            not_before_ms: 0,
            reason: None,
        };
        self.by_key.insert(entry.key, entry.seq);
        if let Some(before) = entry.follows {
            self.successors.insert(before, entry.seq);
        }
        if !entry.signed {
            self.unsigned.insert(entry.seq);
        }
        self.operations.insert(entry.seq, rider);
        self.line_up(entry.seq);
    }

    /// Puts an operation where it can be found, if it can be brought or waits.
    fn line_up(&mut self, seq: u64) {
        let Some(rider) = self.operations.get(&seq) else {
            return;
        };
        let OperationEntry {
            signed,
            searched,
            follows,
            ..
        } = rider.entry;
        let behind = follows.is_some_and(|before| self.by_key.contains_key(&before));
        if !signed || searched || rider.rides > 0 || behind {
            return;
        }
        if rider.not_before_ms > 0 {
            self.waiting.insert((rider.not_before_ms, seq));
        } else {
            self.queue.insert(rider.place());
        }
    }

    fn withdraw(&mut self, seq: u64) {
        if let Some(rider) = self.operations.get(&seq) {
            self.queue.remove(&rider.place());
            self.waiting.remove(&(rider.not_before_ms, seq));
        }
    }

    /// Those whose waiting is over can be brought again.
    pub(super) fn wake(&mut self, now_ms: u64) {
        while let Some((at, seq)) = self.waiting.first().copied()
            && at <= now_ms
        {
            self.waiting.pop_first();
            if let Some(rider) = self.operations.get_mut(&seq) {
                rider.not_before_ms = 0;
            }
            self.line_up(seq);
        }
    }

    pub(super) fn len(&self) -> usize {
        self.operations.len()
    }

    pub(super) fn queued(&self) -> usize {
        self.queue.len()
    }

    pub(super) fn get(&self, seq: u64) -> Option<OperationEntry> {
        self.operations.get(&seq).map(|rider| rider.entry)
    }

    /// The unsettled operation of an account with that key.
    pub(super) fn by_key(&self, account: &Address, key: &B256) -> Option<OperationEntry> {
        let entry = self.get(*self.by_key.get(key)?)?;
        (entry.account == *account).then_some(entry)
    }

    /// Keys of all that are not settled.
    pub(super) fn keys(&self) -> impl Iterator<Item = B256> + '_ {
        self.by_key.keys().copied()
    }

    /// Those of them that are not settled.
    pub(super) fn unsettled(&self, seqs: &[u64]) -> Vec<OperationEntry> {
        seqs.iter().filter_map(|seq| self.get(*seq)).collect()
    }

    /// Operations that ran in an unknown transaction.
    pub(super) fn searched(&self) -> impl Iterator<Item = OperationEntry> + '_ {
        let entries = self.operations.values().map(|rider| rider.entry);
        entries.filter(|entry| entry.searched)
    }

    /// Those whose signer is to be asked now, `most` of them at once; it is asked again at `until_ms`.
    pub(super) fn due_to_sign(
        &mut self,
        now_ms: u64,
        until_ms: u64,
        most: usize,
    ) -> Vec<OperationEntry> {
        let late: Vec<u64> = self
            .asked
            .iter()
            .filter(|(_, until)| **until <= now_ms)
            .map(|(seq, _)| *seq)
            .collect();
        for seq in late {
            self.asked.remove(&seq);
            self.unsigned.insert(seq);
        }
        let mut due = Vec::new();
        while self.asked.len() < most
            && let Some(seq) = self.unsigned.pop_first()
        {
            self.asked.insert(seq, until_ms);
            due.extend(self.get(seq));
        }
        due
    }

    /// The signer is asked again then.
    pub(super) fn authorize_at(&mut self, seq: u64, at_ms: u64) {
        if let Some(until) = self.asked.get_mut(&seq) {
            *until = at_ms;
        }
    }

    /// It is signed now, as one that follows another or none. Whether this is what was waited for.
    pub(super) fn authorized(&mut self, seq: u64, follows: Option<B256>) -> bool {
        let Some(rider) = self.operations.get_mut(&seq) else {
            return false;
        };
        if rider.entry.follows != follows {
            self.authorize_at(seq, 0);
            return false;
        }
        if self.asked.remove(&seq).is_none() && !self.unsigned.remove(&seq) {
            return false;
        }
        rider.entry.signed = true;
        self.line_up(seq);
        true
    }

    /// The head of the queue, as many as fit into one transaction. Who follows another in its line rides right behind it.
    pub(super) fn next_load(&self) -> Load {
        let mut load = Load::default();
        let mut queue = self.queue.iter().map(|(_, seq)| *seq);
        let mut next = queue.next();
        while let Some(rider) = next.and_then(|seq| self.operations.get(&seq)) {
            if !load.take(rider) {
                break;
            }
            next = self.successor(rider).or_else(|| queue.next());
        }
        load
    }

    /// Who can be brought in the same transaction, right behind another.
    fn successor(&self, rider: &Rider) -> Option<u64> {
        let seq = *self.successors.get(&rider.entry.key)?;
        let next = self.operations.get(&seq)?;
        let free = next.entry.signed && !next.entry.searched && next.rides == 0;
        (free && next.not_before_ms == 0).then_some(seq)
    }

    /// When the next operation is to be brought again, or a signer asked.
    pub(super) fn deadline(&self) -> Option<u64> {
        let waiting = self.waiting.first().map(|(at, _)| *at);
        let asked = self.asked.values().min().copied();
        [waiting, asked].into_iter().flatten().min()
    }

    /// They are in one more transaction.
    pub(super) fn ride(&mut self, seqs: &[u64]) {
        for seq in seqs {
            self.withdraw(*seq);
            if let Some(rider) = self.operations.get_mut(seq) {
                rider.rides = rider.rides.saturating_add(1);
            }
        }
    }

    /// They are in one transaction less; who is in none can be brought again.
    pub(super) fn alight(&mut self, seqs: &[u64]) {
        for seq in seqs {
            if let Some(rider) = self.operations.get_mut(seq) {
                rider.rides = rider.rides.saturating_sub(1);
            }
            self.line_up(*seq);
        }
    }

    /// It could not run, for this reason: it waits a while, longer each time.
    pub(super) fn wait(&mut self, seq: u64, now_ms: u64, reason: Failure) {
        self.withdraw(seq);
        let Some(rider) = self.operations.get_mut(&seq) else {
            return;
        };
        let factor = 1_u64.checked_shl(rider.tries).unwrap_or(u64::MAX);
        let after = AGAIN_MS.saturating_mul(factor).min(AGAIN_MS_MAX);
        rider.tries = rider.tries.saturating_add(1);
        rider.not_before_ms = now_ms.saturating_add(after);
        rider.reason = Some(reason);
        self.line_up(seq);
    }

    /// Those that wait, in no transaction, and that no later block can run: the chain's time is past their deadlines.
    pub(super) fn overdue(&self, time: u64) -> Vec<(OperationEntry, Failure)> {
        let waiting = self.waiting.iter();
        let riders = waiting.filter_map(|(_, seq)| self.operations.get(seq));
        let overdue = riders.filter(|rider| rider.entry.deadline < time);
        overdue
            .filter_map(|rider| Some((rider.entry, rider.reason.clone()?)))
            .collect()
    }

    /// A transaction was signed that brings them.
    pub(super) fn submitted(&mut self, seqs: &[u64]) {
        for seq in seqs {
            if let Some(rider) = self.operations.get_mut(seq) {
                rider.entry.submitted = true;
            }
        }
    }

    pub(super) fn set_relay_max(&mut self, seq: u64, relay_max: u16) {
        if let Some(rider) = self.operations.get_mut(&seq) {
            rider.entry.relay_max = relay_max;
        }
    }

    /// Whether this is news.
    pub(super) fn set_searched(&mut self, seq: u64) -> bool {
        self.withdraw(seq);
        let rider = self.operations.get_mut(&seq);
        rider.is_some_and(|rider| !std::mem::replace(&mut rider.entry.searched, true))
    }

    /// Whether nothing was signed yet that could bring it.
    pub(super) fn can_cancel(&self, seq: u64) -> bool {
        let rider = self.operations.get(&seq);
        rider.is_some_and(|rider| {
            rider.rides == 0 && !rider.entry.submitted && !rider.entry.searched
        })
    }

    /// It is final or failed; whoever comes next in its line can be brought. If it did not run, that one follows whom this
    /// followed, and must be signed anew: gives its number, and whom it follows.
    pub(super) fn settle(&mut self, seq: u64, ran: bool) -> Option<(u64, Option<B256>)> {
        self.withdraw(seq);
        self.unsigned.remove(&seq);
        self.asked.remove(&seq);
        let OperationEntry { key, follows, .. } = self.operations.remove(&seq)?.entry;
        self.by_key.remove(&key);
        if let Some(before) = follows {
            self.successors.remove(&before);
        }
        let next = self.successors.get(&key).copied()?;
        if ran {
            self.line_up(next);
            return None;
        }
        self.successors.remove(&key);
        self.withdraw(next);
        let rider = self.operations.get_mut(&next)?;
        rider.entry.follows = follows;
        rider.entry.signed = false;
        if let Some(before) = follows {
            self.successors.insert(before, next);
        }
        // What its signer answers to the question before is not taken.
        if !self.asked.contains_key(&next) {
            self.unsigned.insert(next);
        }
        Some((next, follows))
    }
}
