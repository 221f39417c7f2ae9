//! The records that are not settled: queued for a batch, riding in some, or searched on chain.

use std::collections::{BTreeMap, BTreeSet};

use alloy_primitives::B256;
use contracts::MAX_BATCH;
use db::{Entry, Unsettled};

/// Every record that is not settled. Each is in exactly one place: the queue, at least one transaction, or the search.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    records: BTreeMap<u64, Passenger>,
    by_id: BTreeMap<B256, u64>,
    queue: BTreeSet<u64>,
    last_recovered: u64,
}

#[derive(Debug)]
struct Passenger {
    entry: Entry,
    /// Transactions in flight that carry it. More than one after a nonce was in doubt.
    rides: u32,
    searched: bool,
}

impl Ledger {
    /// `last_seq`: every record up to it that is not in `unsettled` is settled.
    pub(super) fn recover(unsettled: Vec<Unsettled>, last_seq: u64) -> Self {
        let mut ledger = Self {
            last_recovered: last_seq,
            ..Self::default()
        };
        for record in unsettled {
            ledger.insert(record);
        }
        ledger
    }

    /// A record that was recovered is not accepted again: it may be settled by now.
    pub(super) fn accept(&mut self, entries: Vec<Entry>) {
        for entry in entries {
            if entry.seq > self.last_recovered && !self.records.contains_key(&entry.seq) {
                self.insert(Unsettled {
                    entry,
                    searched: false,
                });
            }
        }
    }

    fn insert(&mut self, record: Unsettled) {
        let Unsettled { entry, searched } = record;
        self.records.insert(
            entry.seq,
            Passenger {
                entry,
                rides: 0,
                searched,
            },
        );
        self.by_id.insert(entry.id, entry.seq);
        if !searched {
            self.queue.insert(entry.seq);
        }
    }

    pub(super) fn len(&self) -> usize {
        self.records.len()
    }

    pub(super) fn queued(&self) -> usize {
        self.queue.len()
    }

    pub(super) fn is_queue_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// The unsettled record with that id.
    pub(super) fn by_id(&self, id: &B256) -> Option<Entry> {
        let seq = self.by_id.get(id)?;
        self.records.get(seq).map(|passenger| passenger.entry)
    }

    /// Those of `records` that are not settled.
    pub(super) fn unsettled(&self, records: &[u64]) -> Vec<Entry> {
        records
            .iter()
            .filter_map(|seq| self.records.get(seq))
            .map(|passenger| passenger.entry)
            .collect()
    }

    /// Records whose claim is on chain in an unknown transaction.
    pub(super) fn searched(&self) -> impl Iterator<Item = Entry> + '_ {
        self.records
            .values()
            .filter(|passenger| passenger.searched)
            .map(|passenger| passenger.entry)
    }

    /// The head of the queue, as many as may ride together.
    pub(super) fn next_batch(&self) -> Vec<Entry> {
        let mut limit = MAX_BATCH;
        let mut batch = Vec::new();
        for entry in self
            .queue
            .iter()
            .filter_map(|seq| self.records.get(seq))
            .map(|passenger| passenger.entry)
        {
            limit = limit.min(usize::from(entry.batch_max));
            if batch.len() >= limit {
                break;
            }
            batch.push(entry);
        }
        batch
    }

    /// They are in one more transaction.
    pub(super) fn ride(&mut self, records: &[u64]) {
        for seq in records {
            if let Some(passenger) = self.records.get_mut(seq) {
                passenger.rides = passenger.rides.saturating_add(1);
                self.queue.remove(seq);
            }
        }
    }

    /// They are in one transaction less; who is in none is queued again.
    pub(super) fn alight(&mut self, records: &[u64]) {
        for seq in records {
            if let Some(passenger) = self.records.get_mut(seq) {
                passenger.rides = passenger.rides.saturating_sub(1);
                if passenger.rides == 0 && !passenger.searched {
                    self.queue.insert(*seq);
                }
            }
        }
    }

    pub(super) fn set_batch_max(&mut self, seq: u64, batch_max: u16) {
        if let Some(passenger) = self.records.get_mut(&seq) {
            passenger.entry.batch_max = batch_max;
        }
    }

    /// Whether this is news.
    pub(super) fn set_searched(&mut self, seq: u64) -> bool {
        self.queue.remove(&seq);
        self.records
            .get_mut(&seq)
            .is_some_and(|passenger| !std::mem::replace(&mut passenger.searched, true))
    }

    /// It is final or failed.
    pub(super) fn settle(&mut self, seq: u64) {
        self.queue.remove(&seq);
        if let Some(passenger) = self.records.remove(&seq) {
            self.by_id.remove(&passenger.entry.id);
        }
    }
}
