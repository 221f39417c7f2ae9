//! The state as the node has applied it, and what is read from it.

use super::{
    NodeError,
    question::{Ground, Posed, Turn},
};
use crate::{
    alias::{Marshal, Runtime},
    epoch::members,
    execution::{self, Answered, BlockState, Now, PastState},
    feed::Feed,
    history::archive,
    upgrade::Upgrades,
};
use commonware_macros::select;
use commonware_utils::ordered::Set;
use evm::{CodeCache, Interrupt};
use futures::{FutureExt as _, future::BoxFuture};
use state::{SharedDatabase, StateRead};
use std::{panic::AssertUnwindSafe, pin::pin, sync::Arc};
use types::{Block, ChainSpec, PublicKey, StateKey, StateValue};

/// The state, without the runtime's type.
pub(super) trait World: Send + Sync {
    /// Values after the block at a height, or after the last final one.
    fn read(
        &self,
        at: Option<u64>,
        keys: Vec<StateKey>,
    ) -> BoxFuture<'_, Result<Vec<StateValue>, NodeError>>;

    /// Whom the last state has as validators.
    fn elected(&self) -> BoxFuture<'_, Result<Set<PublicKey>, NodeError>>;

    /// Proves values, or their absence, in the last state.
    fn prove(
        &self,
        keys: Vec<state::Key>,
    ) -> BoxFuture<'_, Result<(state::Snapshot, Vec<state::Entry>), NodeError>>;

    /// Runs a question to its end, on the state after the block at a height or after the last final one.
    fn answer<'a>(
        &'a self,
        at: Option<u64>,
        turn: Turn,
        interrupt: Interrupt,
        posed: &'a mut dyn Posed,
    ) -> BoxFuture<'a, Result<(), NodeError>>;

    /// Works on a thread of its own that gives way to others.
    fn set_apart(&self, work: BoxFuture<'static, ()>);
}

/// What answering takes beside the state.
pub(super) struct Keeping {
    pub spec: Arc<ChainSpec>,
    pub feed: Feed,
    pub upgrades: Upgrades,
    pub codes: CodeCache,
    pub marshal: Marshal,
    pub genesis: Arc<Block>,
    pub archive: Option<archive::Mailbox>,
    pub give_way: fn(),
}

/// The applied state of a running node.
pub(super) struct Applied<E: Runtime> {
    context: E,
    database: SharedDatabase<E>,
    keeping: Keeping,
}

impl<E: Runtime> Applied<E> {
    pub(super) const fn new(context: E, database: SharedDatabase<E>, keeping: Keeping) -> Self {
        Self {
            context,
            database,
            keeping,
        }
    }

    /// Waits for an answer as long as there is a state. The engine lets its database go when the node stops or fails, and
    /// who asks for it then, panics: readers are on other threads than the node, and need not share its end.
    async fn guarded<T>(
        &self,
        answer: impl Future<Output = Result<T, NodeError>>,
    ) -> Result<T, NodeError> {
        let mut answer = pin!(AssertUnwindSafe(answer).catch_unwind());
        // Most of what is asked is at hand.
        let done = match answer.as_mut().now_or_never() {
            Some(done) => done,
            None => select! {
                _ = self.context.stopped() => return Err(NodeError::Unavailable),
                done = answer => done,
            },
        };
        done.unwrap_or(Err(NodeError::Unavailable))
    }

    async fn run(
        &self,
        at: Option<u64>,
        turn: Turn,
        interrupt: Interrupt,
        posed: &mut dyn Posed,
    ) -> Result<(), NodeError> {
        let Keeping {
            spec,
            feed,
            upgrades,
            codes,
            ..
        } = &self.keeping;
        let block = match at {
            None => Arc::clone(&feed.latest().block),
            Some(height) => self.past_block(height).await?,
        };
        let root = block.header().state_root;
        let past = self.past(block.number(), Now(&self.database));
        posed.begin(Ground {
            spec: Arc::clone(spec),
            fork: upgrades.fork_at(block.number()),
            fork_next: upgrades.fork_at(block.number().saturating_add(1)),
            block,
            codes: codes.clone(),
            interrupt,
            turn,
        });
        let answered = match (at, past) {
            (_, Ok(past)) => execution::answer(posed, &BlockState { past, root }).await,
            // Without an archive this state is gone with the next block, which has to wait.
            (None, Err(_)) => execution::answer(posed, &*self.database.read().await).await,
            (Some(_), Err(error)) => return Err(error),
        };
        match answered? {
            Answered::Done => Ok(()),
            Answered::Exhausted => Err(NodeError::Exhausted),
        }
    }

    /// The final block at a past height.
    async fn past_block(&self, height: u64) -> Result<Arc<Block>, NodeError> {
        let Keeping {
            feed,
            marshal,
            genesis,
            ..
        } = &self.keeping;
        let block = super::body(feed, marshal, genesis, height).await;
        block.ok_or_else(|| self.pruned(height))
    }

    /// The state after the block at a past height.
    fn past<R>(&self, height: u64, now: R) -> Result<PastState<'_, R>, NodeError> {
        let archive = self.keeping.archive.as_ref();
        Ok(PastState {
            now,
            archive: archive.ok_or_else(|| self.pruned(height))?,
            height,
        })
    }

    fn pruned(&self, asked: u64) -> NodeError {
        NodeError::StatePruned {
            asked,
            first: None,
            latest: self.keeping.feed.height(),
        }
    }
}

impl<E: Runtime> World for Applied<E> {
    fn read(
        &self,
        at: Option<u64>,
        keys: Vec<StateKey>,
    ) -> BoxFuture<'_, Result<Vec<StateValue>, NodeError>> {
        let values = async move {
            match at {
                None => read(&*self.database.read().await, &keys).await,
                Some(height) => read(&self.past(height, Now(&self.database))?, &keys).await,
            }
        };
        self.guarded(values).boxed()
    }

    fn elected(&self) -> BoxFuture<'_, Result<Set<PublicKey>, NodeError>> {
        let elected = async { Ok(members::validators(&*self.database.read().await).await?) };
        self.guarded(elected).boxed()
    }

    fn prove(
        &self,
        keys: Vec<state::Key>,
    ) -> BoxFuture<'_, Result<(state::Snapshot, Vec<state::Entry>), NodeError>> {
        let proved = async move {
            let guard = self.database.read().await;
            Ok(state::prove(&*guard, &keys).await?)
        };
        self.guarded(proved).boxed()
    }

    fn answer<'a>(
        &'a self,
        at: Option<u64>,
        turn: Turn,
        interrupt: Interrupt,
        posed: &'a mut dyn Posed,
    ) -> BoxFuture<'a, Result<(), NodeError>> {
        self.guarded(self.run(at, turn, interrupt, posed)).boxed()
    }

    fn set_apart(&self, work: BoxFuture<'static, ()>) {
        let give_way = self.keeping.give_way;
        let context = self.context.child("apart").dedicated();
        context.spawn(move |_| async move {
            give_way();
            work.await;
        });
    }
}

async fn read(state: &impl StateRead, keys: &[StateKey]) -> Result<Vec<StateValue>, NodeError> {
    let mut values = Vec::with_capacity(keys.len());
    for key in keys {
        values.push(state.read(*key).await?);
    }
    Ok(values)
}
