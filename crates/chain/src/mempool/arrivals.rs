//! Which transactions entered the pool lately, for those who follow it.

use alloy_primitives::B256;
use commonware_utils::channel::watch;
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};

/// Arrivals that are remembered: a reader who falls further behind misses some.
const WINDOW: usize = 16_384;

/// The latest arrivals, numbered from the start of the node on. Cheap to clone; clones share everything.
#[derive(Clone, Debug)]
pub struct Arrivals {
    count: Arc<watch::Sender<u64>>,
    window: Arc<Mutex<VecDeque<B256>>>,
}

impl Default for Arrivals {
    fn default() -> Self {
        Self {
            count: Arc::new(watch::channel(0).0),
            window: Arc::default(),
        }
    }
}

impl Arrivals {
    /// Notes an arrival.
    pub(super) fn push(&self, hash: B256) {
        let mut window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        if window.len() >= WINDOW {
            window.pop_front();
        }
        window.push_back(hash);
        self.count
            .send_modify(|count| *count = count.saturating_add(1));
    }

    /// The number of the next one.
    pub fn next(&self) -> u64 {
        *self.count.borrow()
    }

    /// Hashes from this number on, without those that were forgotten, and the number after them.
    pub fn since(&self, number: u64) -> (Vec<B256>, u64) {
        let window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        let next = self.next();
        let wanted = usize::try_from(next.saturating_sub(number)).unwrap_or(usize::MAX);
        let skip = window.len().saturating_sub(wanted);
        (window.iter().skip(skip).copied().collect(), next)
    }

    /// A receiver that wakes at arrivals.
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.count.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_hears_of_each_once_and_misses_only_what_is_old() {
        let arrivals = Arrivals::default();
        let hash = |number: usize| B256::from(alloy_primitives::U256::from(number));
        arrivals.push(hash(0));
        let first = arrivals.next();
        assert_eq!(arrivals.since(first), (Vec::new(), 1));
        arrivals.push(hash(1));
        arrivals.push(hash(2));
        assert_eq!(arrivals.since(first), (vec![hash(1), hash(2)], 3));
        for number in 3..WINDOW + 5 {
            arrivals.push(hash(number));
        }
        let (hashes, next) = arrivals.since(first);
        assert_eq!((hashes.len(), next), (WINDOW, WINDOW as u64 + 5));
        assert_eq!(hashes.last(), Some(&hash(WINDOW + 4)));
    }
}
