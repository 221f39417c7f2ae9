//! The state as surfaces ask for it: at the last final block, or at an earlier one.

use super::{
    Ground, Node, NodeError,
    applied::World,
    question::{Pose, Turn},
};
use crate::{feed::Finalized, history::archive::ArchiveError};
use alloy_primitives::{Address, Bytes, U256};
use commonware_macros::select;
use commonware_utils::{channel::oneshot, ordered::Set};
use evm::{Interrupt, Question};
use futures::FutureExt as _;
use std::sync::Arc;
use types::{Account, PublicKey, StateKey, StateValue};

/// Blocks that may become final while a proof is made: it takes well below a millisecond for each key.
const PROOF_LAG_MAX: u64 = 64;

/// Values of the state, or their absence, with the tree they are proved in.
#[derive(Clone, Debug)]
pub struct ProvedState {
    /// The block after which the state is this.
    pub block: Arc<Finalized>,
    /// The tree.
    pub snapshot: state::Snapshot,
    /// One entry for each key asked for, in their order.
    pub entries: Vec<state::Entry>,
}

impl Node {
    /// The block at which state can be read when it is asked for at `height`: none for the last one, whose state is at hand.
    ///
    /// # Errors
    /// [`NodeError::StatePruned`] when the state of that block is not kept here.
    pub async fn state_at(&self, height: u64) -> Result<Option<u64>, NodeError> {
        let latest = self.feed.height();
        let pruned = |first| NodeError::StatePruned {
            asked: height,
            first,
            latest,
        };
        let Some(archive) = &self.archive else {
            return if height == latest {
                Ok(None)
            } else {
                Err(pruned(None))
            };
        };
        match archive.past(height, Vec::new()).await {
            Some(Ok(_)) => Ok(Some(height)),
            // The state before the first block that is kept may be that of the last one.
            Some(Err(ArchiveError::Pruned { .. })) if height == latest => Ok(None),
            Some(Err(ArchiveError::Pruned { first })) => Err(pruned(Some(first))),
            Some(Err(error)) => Err(NodeError::State(error.to_string())),
            None => Err(NodeError::Unavailable),
        }
    }

    /// Values of the state after the last final block.
    ///
    /// # Errors
    /// [`NodeError`] when the state cannot be read.
    pub async fn read(&self, keys: Vec<StateKey>) -> Result<Vec<StateValue>, NodeError> {
        self.read_at(None, keys).await
    }

    /// As [`Self::read`] after the block at `at`, if it is given ([`Self::state_at`]).
    ///
    /// # Errors
    /// As [`Self::read`].
    pub async fn read_at(
        &self,
        at: Option<u64>,
        keys: Vec<StateKey>,
    ) -> Result<Vec<StateValue>, NodeError> {
        self.world().await?.read(at, keys).await
    }

    /// The keys of those that `Members`, or in a bonded network `Stake`, has as validators after the last final block. They are
    /// announced when an epoch comes to its middle and they still are.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub async fn elected(&self) -> Result<Set<PublicKey>, NodeError> {
        self.world().await?.elected().await
    }

    /// An account after the last final block; an absent one is empty.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub async fn account(&self, address: Address) -> Result<Account, NodeError> {
        self.account_at(None, address).await
    }

    /// As [`Self::account`] after the block at `at`, if it is given.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub async fn account_at(
        &self,
        at: Option<u64>,
        address: Address,
    ) -> Result<Account, NodeError> {
        let keys = vec![StateKey::Account(address)];
        match self.read_at(at, keys).await?.pop() {
            Some(StateValue::Account(account)) => Ok(account),
            _ => Ok(Account::default()),
        }
    }

    /// A storage slot after the block at `at`, or after the last final block.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub async fn slot_at(
        &self,
        at: Option<u64>,
        address: Address,
        slot: U256,
    ) -> Result<U256, NodeError> {
        let keys = vec![StateKey::Slot(address, slot)];
        match self.read_at(at, keys).await?.pop() {
            Some(StateValue::Slot(value)) => Ok(value),
            _ => Ok(U256::ZERO),
        }
    }

    /// The code of an account after the block at `at`, or after the last final block.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub async fn code_at(&self, at: Option<u64>, address: Address) -> Result<Bytes, NodeError> {
        self.code_of(&self.account_at(at, address).await?).await
    }

    /// The code of an account.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub async fn code_of(&self, account: &Account) -> Result<Bytes, NodeError> {
        // Named by its hash, code is the same at all times.
        let code = StateKey::Code(account.code_hash);
        match self.read(vec![code]).await?.pop() {
            Some(StateValue::Code(code)) => Ok(code),
            _ => Ok(Bytes::new()),
        }
    }

    /// Proves an account and slots of it, first the account and then the slots in their order, in the state after the last
    /// final block. The tree holds no other state.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub async fn prove(&self, address: Address, slots: &[U256]) -> Result<ProvedState, NodeError> {
        let slots = slots.iter().map(|slot| state::slot_key(&address, slot));
        let keys = std::iter::once(state::account_key(&address))
            .chain(slots)
            .collect();
        let mut bell = self.watch();
        let (snapshot, entries) = self.world().await?.prove(keys).await?;
        // State is applied shortly before its block is told of.
        loop {
            let latest = self.latest();
            let earlier = latest.number().saturating_sub(PROOF_LAG_MAX);
            for number in (earlier..=latest.number()).rev() {
                if let Some(block) = self.block(number).await
                    && block.block.header().state_root == snapshot.root
                {
                    return Ok(ProvedState {
                        block,
                        snapshot,
                        entries,
                    });
                }
            }
            bell.changed().await.map_err(|_| NodeError::Unavailable)?;
        }
    }

    /// The nonce an account should use next, counting what waits in this node's mempool.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub async fn next_nonce(&self, address: Address) -> Result<u64, NodeError> {
        let account = self.account(address).await?;
        Ok(self.mempool.next_nonce(address, account.nonce).await)
    }

    /// Puts a question to the state after the block at `at`, or after the last final block. It is made by `make` when its
    /// turn comes, and given up when the future is dropped.
    ///
    /// # Errors
    /// As [`Self::read`]; [`NodeError::Exhausted`] if it takes more than a short turn.
    pub async fn pose<Q>(
        &self,
        at: Option<u64>,
        turn: Turn,
        make: impl FnOnce(Ground) -> Q + Send + 'static,
    ) -> Result<Q::Answer, NodeError>
    where
        Q: Question<Answer: Send> + Send + 'static,
    {
        let world = self.world().await?;
        match turn {
            Turn::Short => answer(&*world, at, turn, Interrupt::default(), make).await,
            Turn::Long => long(world, at, make).await,
        }
    }

    /// The state, once it can be read.
    async fn world(&self) -> Result<Arc<dyn World>, NodeError> {
        if let Some(world) = &*self.world.borrow() {
            return world.upgrade().ok_or(NodeError::Unavailable);
        }
        let mut opening = self.world.clone();
        let opened = opening.wait_for(Option::is_some).await;
        let world = opened.ok().and_then(|world| world.as_ref()?.upgrade());
        world.ok_or(NodeError::Unavailable)
    }
}

async fn answer<Q>(
    world: &dyn World,
    at: Option<u64>,
    turn: Turn,
    interrupt: Interrupt,
    make: impl FnOnce(Ground) -> Q + Send,
) -> Result<Q::Answer, NodeError>
where
    Q: Question<Answer: Send> + Send,
{
    let mut pose = Pose::Planned(make);
    world.answer(at, turn, interrupt, &mut pose).await?;
    pose.into_answer()
}

/// Answers on a thread of its own, which ends when nobody waits any more.
async fn long<Q>(
    world: Arc<dyn World>,
    at: Option<u64>,
    make: impl FnOnce(Ground) -> Q + Send + 'static,
) -> Result<Q::Answer, NodeError>
where
    Q: Question<Answer: Send> + Send + 'static,
{
    let (mut reply, answered) = oneshot::channel();
    let interrupt = Interrupt::default();
    let _waiting = Waiting(interrupt.clone());
    let asked = Arc::clone(&world);
    let work = async move {
        let result = select! {
            result = answer(&*asked, at, Turn::Long, interrupt, make) => result,
            () = reply.closed() => return,
        };
        let _ = reply.send(result);
    };
    world.set_apart(work.boxed());
    answered.await.unwrap_or(Err(NodeError::Unavailable))
}

/// Someone who waits for an answer.
struct Waiting(Interrupt);

impl Drop for Waiting {
    /// Between two reads the work sees that nobody waits; while it computes it has to be told.
    fn drop(&mut self) {
        self.0.set();
    }
}
