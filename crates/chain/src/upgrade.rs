//! Which rules hold from which height on, and whether this program knows them.
//!
//! ```text
//! state before block H ──► Schedule (forks and versions, with heights) ──► Program::rules ──► the fork of block H
//!                                                                              │
//!                                                                              └──► Outdated: stop before H
//! ```
//!
//! The rules of a block follow from the state before it, as all else does that governance decides (ADR 0026): who proposes it,
//! who verifies it and who executes it years later read the same. `Upgrades` takes only heights to come, so the schedule in
//! any state is right for its block, for all before it, and for the next; which is why calls on an old state need no old
//! schedule.
//!
//! A program that does not know a fork must not guess. It neither proposes nor votes for nor executes the first block under it:
//! when the block before is final, [`Upgrades::outdated`] says why, and whoever runs the node ends it (ADR 0030). Up to there
//! it did everything as the others did, so a newer program goes on from its data.

use crate::alias::Runtime;
use alloy_primitives::{B256, U256};
use commonware_utils::channel::watch;
use contracts::upgrade::{
    ADDRESS, FORKS, FORKS_MAX, Schedule, VERSIONS, Versions, fork_id, fork_slot, height_slot,
};
use state::{StateError, StateRead};
use std::{
    collections::BTreeSet,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tracing::{info, warn};
use types::{ChainSpec, Fork, StateKey, StateValue};

/// What `Upgrades.minimumVersion` is held against. It rises with each release that nodes need for something other than a fork
/// they know by its id.
pub const PROTOCOL_VERSION: u32 = 1;

/// How long a node waits for the block before an upgrade that it does not know to become final. If too many do not know it,
/// the block may never: then they stop without.
const PATIENCE: Duration = Duration::from_secs(10);

/// What a program knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// Its protocol version.
    pub protocol: u32,
    /// The forks that it can activate.
    pub forks: BTreeSet<Fork>,
}

impl Default for Program {
    /// This one.
    fn default() -> Self {
        Self {
            protocol: PROTOCOL_VERSION,
            forks: BTreeSet::from(Fork::ALL),
        }
    }
}

impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let forks: Vec<_> = self.forks.iter().map(|fork| fork.name()).collect();
        let protocol = self.protocol;
        write!(f, "protocol version {protocol}, forks {}", forks.join(", "))
    }
}

/// The id by which `Upgrades` names a fork.
pub fn id(fork: Fork) -> B256 {
    fork_id(fork.name())
}

/// This program cannot take part any more. Nothing is lost: whoever installs a newer one goes on from the same data.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Outdated {
    /// A fork activates that it does not know.
    #[error(
        "from block {height} on the rules of the fork {fork} hold, and this program ({program}) does not know them. Install a \
         version that does, and start it on the same data directory: every block before is kept"
    )]
    UnknownFork {
        /// Its id.
        fork: B256,
        /// The first block under its rules.
        height: u64,
        /// What the program knows.
        program: Program,
    },
    /// The organizations demand a newer one.
    #[error(
        "from block {height} on nodes need protocol version {needed}, and this program has less ({program}). Install a \
         newer version, and start it on the same data directory: every block before is kept"
    )]
    OldProtocol {
        /// The version that is needed.
        needed: u32,
        /// The first block that needs it; 0 if that is long ago.
        height: u64,
        /// What the program knows.
        program: Program,
    },
}

impl Outdated {
    /// The first block that the program cannot execute.
    pub const fn height(&self) -> u64 {
        match self {
            Self::UnknownFork { height, .. } | Self::OldProtocol { height, .. } => *height,
        }
    }
}

impl Program {
    /// The known fork with this id.
    pub fn fork(&self, id: B256) -> Option<Fork> {
        let mut known = self.forks.iter().copied();
        known.find(|fork| self::id(*fork) == id)
    }

    /// The newest fork at a height, of `first` and of those that it knows.
    pub fn fork_at(&self, first: Fork, schedule: &Schedule, height: u64) -> Fork {
        let active = schedule.forks.iter().filter(|(_, from)| **from <= height);
        let known = active.filter_map(|(id, _)| self.fork(*id));
        known.fold(first, Fork::max)
    }

    /// Where the newest fork changes: `first` from block 0 on, and those it knows that bring newer rules.
    pub fn transitions(&self, first: Fork, schedule: &Schedule) -> Vec<(u64, Fork)> {
        let heights: BTreeSet<u64> = schedule.forks.values().copied().collect();
        let mut transitions = vec![(0, self.fork_at(first, schedule, 0))];
        for height in heights {
            let fork = self.fork_at(first, schedule, height);
            if transitions.last().is_some_and(|(_, before)| *before < fork) {
                transitions.push((height, fork));
            }
        }
        transitions
    }

    /// The fork of a block, if the program can execute it: the newest of `first` and of those that are active by then.
    ///
    /// # Errors
    /// [`Outdated`], naming what comes first.
    pub fn rules(&self, first: Fork, schedule: &Schedule, height: u64) -> Result<Fork, Outdated> {
        let mut beyond = self.beyond(schedule);
        beyond.retain(|outdated| outdated.height() <= height);
        match beyond.into_iter().next() {
            Some(outdated) => Err(outdated),
            None => Ok(self.fork_at(first, schedule, height)),
        }
    }

    /// All that is decided and that it does not know, in the order of heights.
    pub fn beyond(&self, schedule: &Schedule) -> Vec<Outdated> {
        let Versions {
            current,
            next,
            height,
        } = schedule.versions;
        let versions = [(current, 0), (next, height)].into_iter();
        let versions = versions.filter(|(needed, _)| *needed > self.protocol);
        let versions = versions.map(|(needed, height)| Outdated::OldProtocol {
            needed,
            height,
            program: self.clone(),
        });
        let forks = schedule.forks.iter();
        let forks = forks.filter(|(id, _)| self.fork(**id).is_none());
        let forks = forks.map(|(fork, height)| Outdated::UnknownFork {
            fork: *fork,
            height: *height,
            program: self.clone(),
        });
        let mut beyond: Vec<_> = versions.chain(forks).collect();
        beyond.sort_by_key(Outdated::height);
        beyond
    }
}

/// What is decided, in the state after a block. Nothing where no `Upgrades` stands since genesis.
///
/// # Errors
/// As [`StateRead::read_many`].
pub async fn schedule(spec: &ChainSpec, state: &impl StateRead) -> Result<Schedule, StateError> {
    if !spec.stands(&ADDRESS) {
        return Ok(Schedule::default());
    }
    let heads = slots(state, [VERSIONS, FORKS]).await?;
    let [versions, count] = <[U256; 2]>::try_from(heads).unwrap_or_default();
    let count: u64 = count.saturating_to::<u64>().min(FORKS_MAX);
    let ids = slots(state, (0..count).map(fork_slot)).await?;
    let ids: Vec<B256> = ids.into_iter().map(B256::from).collect();
    let heights = slots(state, ids.iter().copied().map(height_slot)).await?;
    // Contracts count the blocks of the network before this one, too: what was active there is from block 0 on.
    let before = spec.blocks_before();
    let heights = heights
        .into_iter()
        .map(|height| height.saturating_to::<u64>().saturating_sub(before));
    let mut versions = Versions::from_slot(versions);
    versions.height = versions.height.saturating_sub(before);
    Ok(Schedule {
        versions,
        forks: ids.into_iter().zip(heights).collect(),
    })
}

async fn slots(
    state: &impl StateRead,
    slots: impl IntoIterator<Item = U256>,
) -> Result<Vec<U256>, StateError> {
    let keys = slots.into_iter().map(|slot| StateKey::Slot(ADDRESS, slot));
    let keys: Vec<_> = keys.collect();
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let values = state.read_many(&keys).await?;
    let words = values.into_iter().map(|value| match value {
        StateValue::Slot(word) => word,
        _ => U256::ZERO,
    });
    Ok(words.collect())
}

/// What is decided after the last final block, and what this program makes of it. Clones share it.
#[derive(Clone, Debug)]
pub struct Upgrades(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    spec: Arc<ChainSpec>,
    program: Program,
    standing: Mutex<Standing>,
    /// Set when a block was met that this program cannot judge.
    doubt: watch::Sender<Option<Outdated>>,
    /// Set when it must not go on.
    end: watch::Sender<Option<Outdated>>,
}

#[derive(Debug, Default)]
struct Standing {
    /// The last final block.
    height: u64,
    /// None until it is read.
    schedule: Option<Arc<Schedule>>,
}

impl Upgrades {
    /// Nothing is read yet.
    pub(crate) fn new(spec: &Arc<ChainSpec>, program: Program) -> Self {
        Self(Arc::new(Inner {
            spec: Arc::clone(spec),
            program,
            standing: Mutex::default(),
            doubt: watch::channel(None).0,
            end: watch::channel(None).0,
        }))
    }

    fn standing(&self) -> MutexGuard<'_, Standing> {
        self.0
            .standing
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// What this program knows.
    pub fn program(&self) -> &Program {
        &self.0.program
    }

    /// The last final block, and what is decided after it.
    pub fn decided(&self) -> (u64, Arc<Schedule>) {
        let standing = self.standing();
        (
            standing.height,
            standing.schedule.clone().unwrap_or_default(),
        )
    }

    /// The fork of a final block, or of the next. Of a later one, as things are decided now.
    pub fn fork_at(&self, height: u64) -> Fork {
        let (_, schedule) = self.decided();
        let Inner { spec, program, .. } = &*self.0;
        program.fork_at(spec.fork, &schedule, height)
    }

    /// Where the newest fork changes, as things are decided: the first from block 0 on, each with its height.
    pub fn transitions(&self) -> Vec<(u64, Fork)> {
        let (_, schedule) = self.decided();
        let Inner { spec, program, .. } = &*self.0;
        program.transitions(spec.fork, &schedule)
    }

    /// The fork of the block that comes next.
    pub fn next_fork(&self) -> Fork {
        let (height, schedule) = self.decided();
        let Inner { spec, program, .. } = &*self.0;
        program.fork_at(spec.fork, &schedule, height.saturating_add(1))
    }

    /// The fork of a block, by the state before it, if this program can execute it.
    ///
    /// # Errors
    /// As [`schedule`].
    pub(crate) async fn rules(
        &self,
        before: &impl StateRead,
        height: u64,
    ) -> Result<Result<Fork, Outdated>, StateError> {
        let Inner { spec, program, .. } = &*self.0;
        let schedule = schedule(spec, before).await?;
        Ok(program.rules(spec.fork, &schedule, height))
    }

    /// Reads what is decided when the node starts, in the state after a block at `height` or a later one. Repeating is harmless.
    ///
    /// # Errors
    /// As [`schedule`].
    pub(crate) async fn begin(
        &self,
        height: u64,
        state: &impl StateRead,
    ) -> Result<(), StateError> {
        if self.standing().schedule.is_none() {
            let schedule = schedule(&self.0.spec, state).await?;
            let mut standing = self.standing();
            // Since then a block may have become final, and been followed.
            if standing.schedule.is_none() {
                standing.height = standing.height.max(height);
                standing.schedule = Some(Arc::new(schedule));
                drop(standing);
                self.tell(true);
            }
        }
        Ok(())
    }

    /// Follows a final block. `changed` is false if it cannot have decided anything.
    ///
    /// # Errors
    /// As [`schedule`].
    pub(crate) async fn follow(
        &self,
        height: u64,
        changed: bool,
        state: &impl StateRead,
    ) -> Result<(), StateError> {
        let known = self.standing().schedule.clone();
        let read = match known {
            Some(_) if !changed => None,
            _ => Some(Arc::new(schedule(&self.0.spec, state).await?)),
        };
        let news = read.is_some();
        let mut standing = self.standing();
        standing.height = height;
        if read.is_some() {
            standing.schedule = read;
        }
        drop(standing);
        self.tell(news);
        Ok(())
    }

    /// Says what is ahead, and ends the node when it has come.
    fn tell(&self, news: bool) {
        let (height, schedule) = self.decided();
        let Inner { spec, program, .. } = &*self.0;
        let next = height.saturating_add(1);
        if let Err(outdated) = program.rules(spec.fork, &schedule, next) {
            self.end(outdated);
            return;
        }
        for outdated in program.beyond(&schedule) {
            let blocks_left = outdated.height().saturating_sub(height);
            if news || is_due(blocks_left) {
                warn!(height, blocks_left, "THIS NODE WILL STOP: {outdated}");
            }
        }
        for (id, from) in &schedule.forks {
            let Some(fork) = program.fork(*id) else {
                continue;
            };
            if *from == next {
                info!(%fork, height = from, "a fork activates");
            } else if news && *from > next {
                let blocks_left = from.saturating_sub(height);
                info!(%fork, height = from, blocks_left, "a fork is scheduled, and known here");
            }
        }
    }

    /// A block was met that this program cannot judge, before it is known whether it will be final.
    pub(crate) fn doubt(&self, outdated: Outdated) {
        let first = self.0.doubt.borrow().is_none();
        if first {
            warn!("not voting any more: {outdated}");
            self.0.doubt.send_replace(Some(outdated));
        }
    }

    /// This program must not go on.
    pub(crate) fn end(&self, outdated: Outdated) {
        self.0.end.send_replace(Some(outdated));
    }

    /// Ends the node when a doubt has lasted: then too many others do not know either what comes, and no block becomes final
    /// that would tell.
    pub(crate) async fn settle_doubts(self, context: impl Runtime) {
        let outdated = wait(&self.0.doubt).await;
        context.sleep(PATIENCE).await;
        self.end(outdated);
    }

    /// Why this program must not go on, or does not vote any more, if it is so.
    pub(crate) fn ended(&self) -> Option<Outdated> {
        let ended = self.0.end.borrow().clone();
        ended.or_else(|| self.0.doubt.borrow().clone())
    }

    /// Waits until this program must not go on, and says why. Whoever runs the node ends it then: it does nothing any more.
    pub async fn outdated(&self) -> Outdated {
        wait(&self.0.end).await
    }
}

/// The first value there is.
async fn wait(sender: &watch::Sender<Option<Outdated>>) -> Outdated {
    let mut receiver = sender.subscribe();
    loop {
        let found = receiver.borrow_and_update().clone();
        if let Some(outdated) = found {
            return outdated;
        }
        if receiver.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// Whether it is time to say again that a node will stop: now and then, and the more often the nearer it comes.
const fn is_due(blocks_left: u64) -> bool {
    let every = match blocks_left {
        0..=10 => 1,
        11..=100 => 10,
        101..=1_000 => 100,
        _ => 1_000,
    };
    blocks_left.is_multiple_of(every)
}

#[cfg(test)]
mod tests;
