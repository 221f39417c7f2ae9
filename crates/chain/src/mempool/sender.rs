//! What waits of one sender, in nonce order, and how good its claim to a place is.

use alloy_consensus::Transaction as _;
use alloy_primitives::Address;
use std::{cmp::Reverse, collections::BTreeMap, sync::Arc};
use types::Transaction;

/// A waiting transaction.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub transaction: Arc<Transaction>,
    /// Place in the order of arrival, which decides between equal tips.
    pub arrival: u64,
    pub arrived_ms: u64,
    /// When it was last gossiped by us; none if a peer brought it.
    pub sent_ms: Option<u64>,
}

/// A sender's transactions.
#[derive(Clone, Debug, Default)]
pub(super) struct Sender {
    /// Next nonce by the last final block.
    next: u64,
    /// The first nonce from `next` on that is not waiting: what is below can be executed, in order.
    ready: u64,
    waiting: BTreeMap<u64, Entry>,
}

impl Sender {
    /// One with nothing waiting, whose account has this next nonce.
    pub(super) const fn at(next: u64) -> Self {
        Self {
            next,
            ready: next,
            waiting: BTreeMap::new(),
        }
    }

    pub(super) const fn next(&self) -> u64 {
        self.next
    }

    pub(super) const fn ready(&self) -> u64 {
        self.ready
    }

    pub(super) const fn waiting(&self) -> &BTreeMap<u64, Entry> {
        &self.waiting
    }

    pub(super) fn entries_mut(&mut self) -> impl Iterator<Item = &mut Entry> {
        self.waiting.values_mut()
    }

    /// How many can be executed now, one after the other.
    pub(super) fn executable(&self) -> usize {
        usize::try_from(self.ready.saturating_sub(self.next)).unwrap_or(usize::MAX)
    }

    /// Puts a transaction in its place.
    pub(super) fn put(&mut self, nonce: u64, entry: Entry) {
        self.waiting.insert(nonce, entry);
        self.settle();
    }

    pub(super) fn take(&mut self, nonce: u64) -> Option<Entry> {
        let taken = self.waiting.remove(&nonce)?;
        self.ready = self.ready.min(nonce.max(self.next));
        Some(taken)
    }

    /// Learns the account's next nonce; gives what can no longer be executed.
    pub(super) fn advance(&mut self, next: u64) -> impl Iterator<Item = Entry> {
        self.next = self.next.max(next);
        let kept = self.waiting.split_off(&self.next);
        let gone = std::mem::replace(&mut self.waiting, kept);
        self.settle();
        gone.into_values()
    }

    fn settle(&mut self) {
        self.ready = self.ready.max(self.next);
        while self.waiting.contains_key(&self.ready) {
            self.ready = self.ready.saturating_add(1);
        }
    }

    /// The claim of its last transaction: only the last can go without leaving a gap.
    pub(super) fn tail(&self, address: Address) -> Option<Tail> {
        let (nonce, entry) = self.waiting.last_key_value()?;
        Some(Tail {
            claim: Claim {
                executable: *nonce < self.ready,
                tip: tip_cap(&entry.transaction),
                waiting: Reverse(self.waiting.len()),
            },
            arrival: Reverse(entry.arrival),
            address,
        })
    }

    /// The claim that a transaction with this nonce would have.
    pub(super) fn claim(&self, transaction: &Transaction) -> Claim {
        Claim {
            executable: transaction.envelope().nonce() <= self.ready,
            tip: tip_cap(transaction),
            waiting: Reverse(self.waiting.len().saturating_add(1)),
        }
    }
}

/// How good a claim to a place in a full pool is: what can be executed before what waits for an earlier nonce, then by tip,
/// then who has fewer waiting, so that where gas is free no sender crowds out the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Claim {
    executable: bool,
    tip: u128,
    waiting: Reverse<usize>,
}

/// The last transaction of a sender, in the order in which they have to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Tail {
    pub claim: Claim,
    arrival: Reverse<u64>,
    pub address: Address,
}

/// Whether `new` may take the place of `old`: both caps at least 10 % higher, as geth asks.
pub(super) fn outbids(new: &Transaction, old: &Transaction) -> bool {
    let raised = |new: u128, old: u128| new > old && new / 11 >= old / 10;
    raised(
        new.envelope().max_fee_per_gas(),
        old.envelope().max_fee_per_gas(),
    ) && raised(tip_cap(new), tip_cap(old))
}

fn tip_cap(transaction: &Transaction) -> u128 {
    let envelope = transaction.envelope();
    envelope
        .max_priority_fee_per_gas()
        .unwrap_or_else(|| envelope.max_fee_per_gas())
}
