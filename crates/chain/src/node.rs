//! A running node as its surfaces see it: questions in, answers out, nothing of the runtime.

mod applied;
mod page;
mod question;
mod world;

pub use page::{CertifiedBlock, CertifiedHeader, PAGE_BLOCKS_MAX, Page};
pub use question::{Ground, Turn};
pub use world::ProvedState;

use self::applied::{Applied, Keeping, World};
use crate::{
    alias::{Finalization, Marshal, Runtime},
    epoch::{Calendar, Peers},
    feed::{Feed, Finalized},
    fence::{Fence, FenceError},
    follow::Upstreams,
    health::Health,
    history::{
        self, archive,
        logs::{LogCursor, LogPage, LogQuery, LogsError},
    },
    ledger::Ledger,
    mempool::{self, Arrivals, Census, Standing, SubmitError},
    recovery::Recovery,
    rules,
    upgrade::{Outdated, Upgrades},
};
use alloy_primitives::{Address, B256, Bytes};
use commonware_codec::Encode as _;
use commonware_consensus::{Epochable as _, Viewable as _, marshal::Identifier, types::Height};
use commonware_glue::dkg::ReshareBlock as _;
use commonware_macros::select;
use commonware_utils::channel::watch;
use evm::Environment;
use state::{SharedDatabase, StateError};
use std::{
    num::NonZeroU64,
    sync::{Arc, Weak},
};
use types::{
    Block, Ceremony, ChainSpec, Digest, EpochInfo, Namespace, Transaction, TransactionReceipt,
};

/// Headers at most between a block and the certificate that covers it. Certificates are missing
/// only for a few blocks in a row, so a longer search means they are lost.
pub(crate) const COVER_BLOCKS_MAX: u64 = 256;

/// Why a question has no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NodeError {
    /// The state cannot be read now (the node is starting or stopping).
    #[error("the node's state is not available: it is starting or stopping")]
    Unavailable,
    /// The state database failed.
    #[error("{0}")]
    State(String),
    /// The question takes more than a short turn.
    #[error("too much to compute in a short turn")]
    Exhausted,
    /// This node does not have states so old.
    #[error(
        "historical state of block {asked} is not available: this node keeps {}",
        match .first {
            Some(first) => format!("the states from block {first} on"),
            None => format!("the state of the latest block ({}) only", .latest),
        }
    )]
    StatePruned {
        /// The block whose state was asked for.
        asked: u64,
        /// The first block whose state it has besides the last one's; none if it keeps no archive.
        first: Option<u64>,
        /// The last block.
        latest: u64,
    },
    /// This node does not have blocks so old, or not what they did.
    #[error(
        "pruned history unavailable: block {asked} is not on this node, which has the blocks from {first} on"
    )]
    BlockPruned {
        /// The block that was asked for.
        asked: u64,
        /// The first block it has after block 0.
        first: u64,
    },
    /// This node does not have logs of blocks so old.
    #[error(
        "pruned history unavailable: this node has the logs of blocks from {first} on, and earlier ones were asked for"
    )]
    LogsPruned {
        /// The first block whose logs it has.
        first: u64,
    },
}

impl From<LogsError> for NodeError {
    fn from(error: LogsError) -> Self {
        match error {
            LogsError::Pruned { first } => Self::LogsPruned { first },
            LogsError::Storage(error) => Self::State(error.to_string()),
        }
    }
}

impl From<StateError> for NodeError {
    fn from(error: StateError) -> Self {
        Self::State(error.to_string())
    }
}

/// A certificate as the outside world takes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// Epoch of the proposal.
    pub epoch: u64,
    /// View of the proposal.
    pub view: u64,
    /// View of its parent.
    pub parent_view: u64,
    /// Hash of the certified block.
    pub block_hash: B256,
    /// The threshold signature: 48 bytes, a compressed G1 point.
    pub signature: Bytes,
}

impl From<&Finalization> for Certificate {
    fn from(finalization: &Finalization) -> Self {
        let proposal = &finalization.proposal;
        Self {
            epoch: proposal.epoch().get(),
            view: proposal.view().get(),
            parent_view: proposal.parent.get(),
            block_hash: B256::from_slice(proposal.payload.as_ref()),
            signature: finalization.certificate.encode().into(),
        }
    }
}

/// The proof that a block is final: headers from it to a certified one, and the certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finality {
    /// RLP headers, each the parent of the next.
    pub headers: Vec<Bytes>,
    /// The certificate over the last.
    pub certificate: Certificate,
}

/// A handle to a running node. Cheap to clone.
#[derive(Clone)]
pub struct Node {
    spec: Arc<ChainSpec>,
    genesis: Arc<Block>,
    namespace: Namespace,
    feed: Feed,
    marshal: Marshal,
    history: history::Mailbox,
    mempool: mempool::Mailbox,
    recovery: Recovery,
    archive: Option<archive::Mailbox>,
    /// None on a node that speaks with no others.
    peers: Option<Peers>,
    /// Of a follower.
    upstreams: Option<Upstreams>,
    /// None without consensus.
    fence: Option<Fence>,
    /// The epoch it began with, if it took the state from others.
    entered: Option<Arc<EpochInfo>>,
    upgrades: Upgrades,
    keep_blocks: Option<NonZeroU64>,
    health: watch::Receiver<Option<Arc<Health>>>,
    /// Set when the state can be read, and gone when the node ends, whoever still holds this handle.
    world: watch::Receiver<Option<Weak<dyn World>>>,
}

/// What a node's handle is made of.
pub(crate) struct Parts {
    pub ledger: Ledger,
    pub marshal: Marshal,
    pub peers: Option<Peers>,
    pub upstreams: Option<Upstreams>,
    pub fence: Option<Fence>,
    pub entered: Option<EpochInfo>,
    pub keep_blocks: Option<NonZeroU64>,
    pub health: watch::Receiver<Option<Arc<Health>>>,
    pub give_way: fn(),
}

/// Starts answering. Questions of the state wait for `database`.
pub(crate) fn start<E: Runtime>(
    context: E,
    parts: Parts,
    database: impl Future<Output = SharedDatabase<E>> + Send + 'static,
) -> Node {
    let Parts {
        ledger,
        marshal,
        peers,
        upstreams,
        fence,
        entered,
        keep_blocks,
        health,
        give_way,
    } = parts;
    let Ledger {
        spec,
        genesis,
        recovery,
        codes,
        upgrades,
        feed,
        mempool,
        history,
        archive,
    } = ledger;
    let keeping = Keeping {
        spec: Arc::clone(&spec),
        feed: feed.clone(),
        upgrades: upgrades.clone(),
        codes,
        marshal: marshal.clone(),
        genesis: Arc::clone(&genesis),
        archive: archive.clone(),
        give_way,
    };
    let (opened, world) = watch::channel(None);
    context.spawn(|context| async move {
        let stopped = context.stopped();
        let run = async {
            let applied = Applied::new(context, database.await, keeping);
            let world: Arc<dyn World> = Arc::new(applied);
            opened.send_replace(Some(Arc::downgrade(&world)));
            std::future::pending::<()>().await;
        };
        // With its end, the state is no longer read.
        select! {
            _ = stopped => {},
            () = run => {},
        }
    });
    let namespace = Namespace::new(spec.chain_id, &Digest::from(genesis.hash().0));
    Node {
        spec,
        genesis,
        namespace,
        feed,
        marshal,
        history,
        mempool,
        recovery,
        archive,
        peers,
        upstreams,
        fence,
        entered: entered.map(Arc::new),
        upgrades,
        keep_blocks,
        health,
        world,
    }
}

impl Node {
    /// The chain's constitution.
    pub const fn spec(&self) -> &Arc<ChainSpec> {
        &self.spec
    }

    /// Block 0.
    pub const fn genesis(&self) -> &Arc<Block> {
        &self.genesis
    }

    /// What the network's signatures are bound to.
    pub const fn namespace(&self) -> &Namespace {
        &self.namespace
    }

    /// Which rules hold from which height on, and what this program knows.
    pub const fn upgrades(&self) -> &Upgrades {
        &self.upgrades
    }

    /// Waits until this node's program must not go on, and says why. Whoever runs the node ends it then; its data is good, and
    /// a newer program goes on from there.
    pub async fn outdated(&self) -> Outdated {
        self.upgrades.outdated().await
    }

    /// What the transactions of a final block saw.
    pub fn environment_of(&self, block: &Block) -> Environment {
        rules::environment_of(&self.spec, self.upgrades.fork_at(block.number()), block)
    }

    /// Takes in a raw transaction and spreads it. Gives its hash.
    ///
    /// # Errors
    /// Why it was not taken.
    pub async fn submit(&self, raw: Bytes) -> Result<B256, SubmitError> {
        let Some(pool) = self.pool() else {
            return Err(SubmitError::Busy("it takes the state from other nodes"));
        };
        pool.submit(raw).await
    }

    /// The last final block, whose state is what is read.
    pub fn latest(&self) -> Arc<Finalized> {
        self.feed.latest()
    }

    /// Wakes at each new final block; it may skip some.
    pub fn watch(&self) -> watch::Receiver<Arc<Finalized>> {
        self.feed.watch()
    }

    /// The final block with this number.
    pub async fn block(&self, number: u64) -> Option<Arc<Finalized>> {
        if let Some(recent) = self.feed.recent(number) {
            return Some(recent);
        }
        self.complete(self.body(number).await?).await
    }

    /// The final block with this number without what it did, which for an old one is cheaper than
    /// [`Self::block`].
    pub async fn body(&self, number: u64) -> Option<Arc<Block>> {
        body(&self.feed, &self.marshal, &self.genesis, number).await
    }

    /// The first block after block 0 from which on this node has all blocks and what they did. 1 on a node that executed the
    /// chain from its beginning and keeps all of it; none as long as a node that took the state from others has seen no block
    /// since.
    pub async fn first_block(&self) -> Option<u64> {
        let first = match self.history.first().await {
            None if self.entered.is_none() => return Some(1),
            first => first?,
        };
        // Blocks are not removed in the same moment, so they may begin a little later.
        let (mut low, mut high) = (first, self.feed.height());
        let mut height = low;
        while low < high {
            if self.has_body(height).await {
                high = height;
            } else {
                low = height.saturating_add(1);
            }
            height = u64::midpoint(low, high);
        }
        Some(low)
    }

    async fn has_body(&self, number: u64) -> bool {
        let height = Identifier::Height(Height::new(number));
        self.feed.recent(number).is_some() || self.marshal.get_info(height).await.is_some()
    }

    /// The first height whose logs can be searched. None when the node is stopping.
    pub async fn first_logs(&self) -> Option<u64> {
        self.history.logs().first().await
    }

    /// How many of the last blocks are kept at least; none if all are that come.
    pub const fn keep_blocks(&self) -> Option<NonZeroU64> {
        self.keep_blocks
    }

    /// Why there is no block with this number here, or not all that it did, though it is final:
    /// [`NodeError::BlockPruned`]. None if it is here, or not final.
    pub async fn pruned(&self, number: u64) -> Option<NodeError> {
        if number == 0 || number > self.feed.height() {
            return None;
        }
        let first = self.first_block().await?;
        (number < first).then_some(NodeError::BlockPruned {
            asked: number,
            first,
        })
    }

    /// The transaction receipts of the final block with this number.
    pub async fn receipts(&self, number: u64) -> Option<Vec<TransactionReceipt>> {
        if let Some(recent) = self.feed.recent(number) {
            return Some(recent.receipts.clone());
        }
        if number == 0 {
            return Some(Vec::new());
        }
        Some(self.history.effects(number).await?.receipts)
    }

    /// Some of the logs wanted, from the beginning or from where a page ended. Whoever goes on until there is no next page
    /// has all of them, but for blocks that became final meanwhile.
    ///
    /// # Errors
    /// [`NodeError::LogsPruned`] when the range begins before what is kept; [`NodeError::Unavailable`] when the node is
    /// stopping.
    pub async fn logs(
        &self,
        query: &Arc<LogQuery>,
        after: Option<LogCursor>,
    ) -> Result<LogPage, NodeError> {
        let page = self.history.logs().search(Arc::clone(query), after).await;
        Ok(page.ok_or(NodeError::Unavailable)??)
    }

    /// The final block with this hash.
    pub async fn block_by_hash(&self, hash: B256) -> Option<Arc<Finalized>> {
        if let Some(recent) = self.feed.recent_by_hash(&hash) {
            return Some(recent);
        }
        if hash == self.genesis.hash() {
            return self.complete(Arc::clone(&self.genesis)).await;
        }
        let digest = Digest::from(hash.0);
        let (height, found) = self.marshal.get_info(Identifier::Digest(digest)).await?;
        if found != digest {
            return None;
        }
        self.block(height.get())
            .await
            .filter(|block| block.hash == hash)
    }

    async fn complete(&self, block: Arc<Block>) -> Option<Arc<Finalized>> {
        let receipts = self.receipts(block.number()).await?;
        let mut transactions = Vec::with_capacity(block.transactions().len());
        for raw in block.transactions() {
            transactions.push(self.recovery.recover(raw.clone()).ok()?);
        }
        Some(Arc::new(Finalized::new(block, transactions, receipts)))
    }

    /// A final transaction: its block and its place in it.
    pub async fn transaction(&self, hash: B256) -> Option<(Arc<Finalized>, usize)> {
        let position = self.history.position(hash).await?;
        let block = self.block(position.height).await?;
        let index = usize::try_from(position.index).ok()?;
        (block.transactions.get(index)?.hash() == hash).then_some((block, index))
    }

    /// A transaction that waits in this node's mempool.
    pub async fn waiting(&self, hash: B256) -> Option<Arc<Transaction>> {
        self.pool()?.transaction(hash).await
    }

    /// How a transaction stands in this node's mempool: waiting, or dropped not long ago and why.
    pub async fn standing(&self, hash: B256) -> Option<Standing> {
        self.pool()?.standing(hash).await
    }

    /// What waits in this node's mempool, of one sender or of all, in order of senders and nonces.
    pub async fn content(&self, sender: Option<Address>) -> Vec<(Standing, Arc<Transaction>)> {
        match self.pool() {
            Some(pool) => pool.content(sender).await,
            None => Vec::new(),
        }
    }

    /// What enters this node's mempool.
    pub const fn arrivals(&self) -> &Arrivals {
        self.mempool.arrivals()
    }

    /// How many transactions wait in this node's mempool.
    pub async fn census(&self) -> Census {
        match self.pool() {
            Some(pool) => pool.census().await,
            None => Census::default(),
        }
    }

    /// The mempool, once it has a state: before it does not answer.
    fn pool(&self) -> Option<&mempool::Mailbox> {
        self.syncing().is_none().then_some(&self.mempool)
    }

    /// How the chain goes on, as of half a second ago at most. None at the very start, and on a node without consensus.
    pub fn health(&self) -> Option<Arc<Health>> {
        self.health.borrow().clone()
    }

    /// The epoch of the next block.
    pub(crate) fn next_epoch(&self) -> u64 {
        Calendar::new(self.spec.epoch_blocks).epoch_of(self.feed.height().saturating_add(1))
    }

    /// Who signs the next block, and who after them. None when the node is stopping.
    pub async fn epoch(&self) -> Option<EpochInfo> {
        let calendar = Calendar::new(self.spec.epoch_blocks);
        let epoch = self.next_epoch();
        let boundary = epoch
            .checked_sub(1)
            .map_or(0, |before| calendar.last(before));
        let Some(block) = self.body(boundary).await else {
            // Before what this node has.
            let entered = self.entered.as_ref()?;
            return (entered.epoch.get() == epoch).then(|| EpochInfo::clone(entered));
        };
        match block.payload()? {
            Ceremony::EpochInfo(info) => Some(info),
            Ceremony::DealerLog(_) => None,
        }
    }

    /// While the node takes the state from others: the height it begins at, or 0 if that is not known yet.
    pub fn syncing(&self) -> Option<u64> {
        let ready = self.world.borrow().is_some();
        let begun = self.feed.height() > 0;
        (self.entered.is_some() && !ready && !begun).then(|| self.feed.floor())
    }

    /// Returns when another process has this validator's key, with what people must know: then this one must end. It signs
    /// nothing any more.
    pub async fn fenced(&self) -> FenceError {
        match &self.fence {
            Some(fence) => fence.fenced().await,
            None => std::future::pending().await,
        }
    }

    /// Whether enough of the others grant this node its key now. It signs only then.
    pub fn may_sign(&self) -> bool {
        self.fence.as_ref().is_some_and(Fence::is_granted)
    }

    /// Whether this node has a share, and no other validator has answered since it started. If they are up, they may be
    /// connected with another process that has its key.
    pub fn is_unheard(&self) -> bool {
        self.fence.as_ref().is_some_and(Fence::is_unheard)
    }

    /// How many other nodes this one speaks with, whether they are up or not; of a follower, how many upstreams answer.
    pub fn peers(&self) -> usize {
        match &self.upstreams {
            Some(upstreams) => upstreams.answering(),
            None => self.peers.as_ref().map_or(0, Peers::count),
        }
    }

    /// Whom a follower takes blocks from; none on any other node.
    pub const fn upstreams(&self) -> Option<&Upstreams> {
        self.upstreams.as_ref()
    }

    /// While a follower executes the blocks that there are already: the highest that it knows of, which may be the one it has.
    pub fn catching_up(&self) -> Option<u64> {
        let upstreams = self.upstreams.as_ref()?;
        upstreams
            .is_behind()
            .then(|| upstreams.head().max(self.feed.height()))
    }

    /// The certificate of the block at this height, if there is one for just this height.
    pub async fn certificate(&self, number: u64) -> Option<Certificate> {
        let finalization = self.marshal.get_finalization(Height::new(number)).await?;
        Some(Certificate::from(&finalization))
    }

    /// The proof that the block at this height is final: its certificate, or a later one and the
    /// headers up to it. None if it is not final here yet, or the next certificate is still to come.
    pub async fn finality(&self, number: u64) -> Option<Finality> {
        let mut headers = Vec::new();
        for height in number..=number.saturating_add(COVER_BLOCKS_MAX) {
            let block = self.block(height).await?;
            headers.push(block.block.header_rlp());
            if let Some(certificate) = self.certificate(height).await
                && certificate.block_hash == block.hash
            {
                return Some(Finality {
                    headers,
                    certificate,
                });
            }
        }
        None
    }
}

/// The final block with this number, without what it did.
async fn body(
    feed: &Feed,
    marshal: &Marshal,
    genesis: &Arc<Block>,
    number: u64,
) -> Option<Arc<Block>> {
    if number > feed.height() {
        return None;
    }
    if let Some(recent) = feed.recent(number) {
        return Some(Arc::clone(&recent.block));
    }
    match marshal
        .get_block(Identifier::Height(Height::new(number)))
        .await
    {
        Some(block) => Some(block.inner_shared()),
        None if number == 0 => Some(Arc::clone(genesis)),
        None => None,
    }
}
