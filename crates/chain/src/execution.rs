//! Where the synchronous executor meets the asynchronous state: poll once, fetch, resume.

use crate::{
    alias::Runtime,
    history::archive::{self, Past},
};
use alloy_primitives::B256;
use commonware_glue::stateful::db::ReadGuard;
use evm::{Environment, Executor, Overlay, Progress, View, ViewError};
use futures::FutureExt as _;
use state::{Database, SharedDatabase, StateError, StateRead};
use std::{sync::Arc, task::Poll};
use types::{StateKey, StateValue, Transaction};

/// Keys fetched in one read of the database: enough to amortize it, few enough to bound its memory.
const FETCH_BATCH: usize = 1024;

/// The applied state, locked for each read only: it may move on in between.
pub struct Now<'a, E: Runtime>(pub &'a SharedDatabase<E>);

impl<E: Runtime> StateRead for Now<'_, E> {
    async fn read(&self, key: StateKey) -> Result<StateValue, StateError> {
        self.0.read().await.read(key).await
    }

    async fn read_many(&self, keys: &[StateKey]) -> Result<Vec<StateValue>, StateError> {
        self.0.read().await.read_many(keys).await
    }
}

/// The state after a past block: what the archive says replaced, else what is there now.
pub struct PastState<'a, R> {
    /// The state now, which the archive is never behind. It is read first, so that the archive knows of every change it
    /// has by then.
    pub now: R,
    /// What its changes replaced.
    pub archive: &'a archive::Mailbox,
    /// The block.
    pub height: u64,
}

impl<R: StateRead> PastState<'_, R> {
    async fn past(&self, keys: Vec<StateKey>) -> Result<Vec<Past>, StateError> {
        let answer = self.archive.past(self.height, keys).await;
        let answer = answer.ok_or(StateError::Abandoned)?;
        answer.map_err(|error| StateError::Database(error.to_string()))
    }
}

impl<R: StateRead> StateRead for PastState<'_, R> {
    async fn read(&self, key: StateKey) -> Result<StateValue, StateError> {
        // A read that is polled once must not ask the archive in vain.
        pause().await;
        let now = self.now.read(key).await?;
        match self.past(vec![key]).await?.pop() {
            Some(Past::Was(value)) => Ok(value),
            Some(Past::Unchanged) | None => Ok(now),
        }
    }

    async fn read_many(&self, keys: &[StateKey]) -> Result<Vec<StateValue>, StateError> {
        let now = self.now.read_many(keys).await?;
        let past = self.past(keys.to_vec()).await?;
        let values = now.into_iter().zip(past).map(|(now, past)| match past {
            Past::Was(value) => value,
            Past::Unchanged => now,
        });
        Ok(values.collect())
    }
}

/// The state after a block: read where it is applied, if and as long as it is the last, else from the archive. It is locked
/// for each read only: however long a question takes, blocks become final meanwhile.
pub struct BlockState<'a, E: Runtime> {
    /// As it is in the archive.
    pub past: PastState<'a, Now<'a, E>>,
    /// The root in the block's header.
    pub root: B256,
}

impl<E: Runtime> StateRead for BlockState<'_, E> {
    async fn read(&self, key: StateKey) -> Result<StateValue, StateError> {
        if let Some(applied) = self.applied().await {
            return applied.read(key).await;
        }
        self.past.read(key).await
    }

    async fn read_many(&self, keys: &[StateKey]) -> Result<Vec<StateValue>, StateError> {
        if let Some(applied) = self.applied().await {
            return applied.read_many(keys).await;
        }
        self.past.read_many(keys).await
    }
}

impl<E: Runtime> BlockState<'_, E> {
    /// The database, if it still holds this state. Roots are of the log of all changes: none comes twice.
    async fn applied(&self) -> Option<ReadGuard<'_, Database<E>>> {
        let applied = self.past.now.0.read().await;
        (applied.root().as_ref() == self.root.as_slice()).then_some(applied)
    }
}

/// Pending once, so that others may run.
async fn pause() {
    let mut asked = false;
    std::future::poll_fn(|context| {
        if std::mem::replace(&mut asked, true) {
            Poll::Ready(())
        } else {
            context.waker().wake_by_ref();
            Poll::Pending
        }
    })
    .await;
}

/// A state as the executor sees it: each read is polled once, with nobody to wake.
struct Polled<'a, R>(&'a R);

impl<R: StateRead> View for Polled<'_, R> {
    fn poll(&self, key: &StateKey) -> Poll<Result<StateValue, ViewError>> {
        self.0
            .read(*key)
            .now_or_never()
            .map_or(Poll::Pending, |read| {
                Poll::Ready(read.map_err(|error| match error {
                    StateError::Abandoned => ViewError::Abandoned,
                    other => ViewError::Database(other.to_string()),
                }))
            })
    }
}

/// How execution of a block's transactions ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Executed {
    /// All were executed, or left out as the policy says.
    Done,
    /// The one at this index makes the block invalid.
    Invalid {
        /// Its place in the block.
        index: usize,
        /// Why.
        reason: evm::Invalid,
    },
}

/// Runs `executor` to its end over `state`, fetching what it lacks.
///
/// # Errors
/// [`StateError`] when the branch was abandoned or the database failed.
pub async fn execute<R: StateRead>(
    executor: &mut Executor,
    transactions: &[Arc<Transaction>],
    state: &R,
) -> Result<Executed, StateError> {
    let keys = executor.likely_reads(transactions);
    for keys in keys.chunks(FETCH_BATCH) {
        for (key, value) in keys.iter().zip(state.read_many(keys).await?) {
            executor.supply(*key, value);
        }
    }
    loop {
        match executor.run(transactions, &Polled(state)).map_err(fault)? {
            Progress::Done => return Ok(Executed::Done),
            Progress::Invalid { index, reason } => {
                return Ok(Executed::Invalid { index, reason });
            }
            Progress::Suspended(key) => executor.supply(key, state.read(key).await?),
        }
    }
}

/// Whether this transaction may be executed in a block on `state`.
///
/// # Errors
/// As [`execute`].
pub async fn permit<R: StateRead>(
    environment: &Environment,
    transaction: &Transaction,
    state: &R,
) -> Result<Result<(), evm::Invalid>, StateError> {
    let mut overlay = Overlay::default();
    loop {
        match environment.permit(transaction, &mut overlay, &Polled(state)) {
            Ok(permitted) => return Ok(permitted),
            Err(ViewError::Missing(key)) => overlay.supply(key, state.read(key).await?),
            Err(error) => return Err(fault(error)),
        }
    }
}

/// Runs a question of the state to its end, with a pause wherever it makes one.
///
/// # Errors
/// As [`execute`].
pub async fn answer<R: StateRead>(
    asked: &mut dyn Asked,
    state: &R,
) -> Result<Answered, StateError> {
    loop {
        match asked.run(&Polled(state)) {
            Ok(true) => return Ok(Answered::Done),
            Err(ViewError::Exhausted) => return Ok(Answered::Exhausted),
            Ok(false) => pause().await,
            Err(ViewError::Missing(key)) => {
                let value = state.read(key).await?;
                asked.supply(key, value);
            }
            Err(error) => return Err(fault(error)),
        }
    }
}

/// How work on a question ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answered {
    /// It has its answer.
    Done,
    /// It takes more than a short question may.
    Exhausted,
}

/// A [`evm::Question`] without its type, which keeps its answer to itself.
pub trait Asked: Send {
    /// Goes on; whether it is answered.
    fn run(&mut self, view: &dyn View) -> Result<bool, ViewError>;

    /// Makes a value of the state known.
    fn supply(&mut self, key: StateKey, value: StateValue);
}

fn fault(error: ViewError) -> StateError {
    match error {
        ViewError::Abandoned => StateError::Abandoned,
        other => StateError::Database(other.to_string()),
    }
}
