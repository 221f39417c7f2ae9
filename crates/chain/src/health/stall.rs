//! When a chain counts as stalled, and when people are told: synchronous, the time is an input.

use std::time::{Duration, SystemTime};

/// How often people are told again that it lasts.
const REMIND: Duration = Duration::from_secs(60);

/// How long a chain of so many validators may make no block before it counts as stalled. Of `n` validators ⌊(n − 1) / 3⌋ may be
/// down and each cost the time after which a leader is given up; as much is allowed for a block itself, for the change to
/// another epoch, and once more for a slow machine.
pub(crate) fn patience(leader_timeout: Duration, validators: usize) -> Duration {
    let faults = validators.saturating_sub(1).checked_div(3);
    let views = faults.unwrap_or_default().saturating_add(3);
    leader_timeout.saturating_mul(u32::try_from(views).unwrap_or(u32::MAX))
}

/// How the chain went on until it was last looked at.
#[derive(Clone, Debug)]
pub(crate) struct Course {
    height: u64,
    since: SystemTime,
    /// When people were last told of the stall there is.
    told: Option<SystemTime>,
}

/// What people are to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Notice {
    /// A stall begins, or has lasted another minute.
    Stalled,
    /// Blocks become final again, after so long.
    Resumed(Duration),
}

impl Course {
    pub(crate) const fn new(now: SystemTime, height: u64) -> Self {
        Self {
            height,
            since: now,
            told: None,
        }
    }

    /// Height of the last block.
    pub(crate) const fn height(&self) -> u64 {
        self.height
    }

    /// When the last block became final here, or this began.
    pub(crate) const fn since(&self) -> SystemTime {
        self.since
    }

    /// Whether there is a stall.
    pub(crate) const fn is_stalled(&self) -> bool {
        self.told.is_some()
    }

    /// Begins anew: until now no block was to be expected.
    pub(crate) fn restart(&mut self, now: SystemTime, height: u64) {
        *self = Self::new(now, height);
    }

    /// Looks at the last block.
    pub(crate) fn step(
        &mut self,
        now: SystemTime,
        height: u64,
        patience: Duration,
    ) -> Option<Notice> {
        if height > self.height {
            let lasted = now.duration_since(self.since).unwrap_or_default();
            let was_stalled = self.is_stalled();
            self.restart(now, height);
            return was_stalled.then_some(Notice::Resumed(lasted));
        }
        let passed = |since| now.duration_since(since).unwrap_or_default();
        let due = match self.told {
            None => passed(self.since) > patience,
            Some(told) => passed(told) >= REMIND,
        };
        due.then(|| {
            self.told = Some(now);
            Notice::Stalled
        })
    }
}
