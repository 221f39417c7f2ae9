//! What was spent.

use std::collections::VecDeque;

use alloy_primitives::U256;
use serde::{Deserialize, Serialize};

/// Most uses that are kept. Limits that would have to count more refuse instead.
pub(super) const USES_MAX: usize = 100_000;

/// One signature that was allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Use {
    /// When: Unix time in seconds.
    pub at: u64,
    /// How many wei it sends.
    pub value: U256,
}

/// What a key has signed, as far back as its policy's longest limit counts. Whoever keeps it over a restart keeps its uses, and gives
/// them back in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spent {
    /// The earliest first.
    uses: VecDeque<Use>,
}

impl Spent {
    /// The uses, the earliest first.
    pub fn uses(&self) -> impl Iterator<Item = &Use> {
        self.uses.iter()
    }

    /// The time at which something is put down: never earlier than what was put down before. A clock that was set back makes limits
    /// last longer, and none shorter.
    pub(super) fn time(&self, now: u64) -> u64 {
        self.uses.back().map_or(now, |last| last.at.max(now))
    }

    pub(super) fn add(&mut self, one: Use, window: u64) {
        let gone = one.at.checked_sub(window);
        while let (Some(gone), Some(first)) = (gone, self.uses.front()) {
            if first.at > gone {
                break;
            }
            self.uses.pop_front();
        }
        self.uses.push_back(one);
    }

    /// How many there were within `window` seconds before `now`, and their value together.
    pub(super) fn within(&self, window: u64, now: u64) -> (u64, U256) {
        let now = self.time(now);
        let counted = self.uses.iter().rev();
        let counted = counted.take_while(|one| now - one.at < window);
        counted.fold((0, U256::ZERO), |(calls, value), one| {
            (calls + 1, value.saturating_add(one.value))
        })
    }

    pub(super) fn is_full(&self, window: u64, now: u64) -> bool {
        self.uses.len() >= USES_MAX && self.within(window, now).0 >= USES_MAX as u64
    }
}

impl FromIterator<Use> for Spent {
    /// From uses in any order.
    fn from_iter<I: IntoIterator<Item = Use>>(uses: I) -> Self {
        let mut uses: Vec<_> = uses.into_iter().collect();
        uses.sort_by_key(|one| one.at);
        Self { uses: uses.into() }
    }
}
