//! Followers: full nodes outside the network, which take final blocks from upstreams that they need not believe.
//!
//! ```text
//!  upstream ◄── Tap ──► check (chain, certificate) ──► Shelf ◄── Resolver ◄── engine: what is missing
//!  upstream ◄── Tap ──►            │                                            │
//!     ▲                            └─► the newest certificate ──────────────────┤
//!     └──────── transactions ◄── mempool                                        ▼
//!                                                    execution, history, state: as on every node
//! ```
//!
//! A follower knows the network by its chain spec alone: the identity in it verifies the certificates of all epochs. It executes
//! every block from block 1 on and compares the roots, so it is a full node; it has no key, no share and no peers, and nobody
//! has to let it in. An upstream can be silent or withhold what is new, which is why there should be two or more; it cannot
//! make a follower believe a block that a quorum has not signed. One that tries is named in the log and left alone for a while.
//!
//! In reading order: [`Upstream`] (whom blocks are taken from), `page` (what an upstream sent, checked), `shelf` (what waits
//! for the engine), `shared` (what is known of upstreams), `resolver` (answers the engine), `tap` (asks one upstream),
//! `health`. What the others give is `Node::page`.

mod health;
mod page;
mod resolver;
mod shared;
mod shelf;
mod tap;
#[cfg(test)]
mod tests;
mod upstream;

pub use shared::{UpstreamStatus, Upstreams};
pub use upstream::{Lie, Upstream, UpstreamError};

use self::{
    health::Monitor,
    page::Verifier,
    resolver::Resolver,
    shared::Shared,
    tap::{Tap, pass_on},
};
use crate::{
    alias::{Marshal, Runtime},
    engine::StartError,
    epoch::{Calendar, ElectorateActor},
    ledger::{self, Execution, Ledger},
    mempool,
    node::{self, Node},
    store::{MAILBOX, Settings, Store},
    upgrade::Program,
};
use alloy_primitives::Bytes;
use commonware_consensus::{Reporters, marshal::resolver::handler};
use commonware_glue::stateful::{
    SyncPlan,
    db::{AttachableResolver, Shared as SharedDb},
};
use commonware_parallel::Strategy;
use commonware_runtime::Handle;
use commonware_storage::qmdb::sync::{self, Request, Source, source};
use commonware_utils::{
    NZUsize,
    channel::{mpsc, watch},
};
use contracts::member::VALIDATORS_MIN;
use state::Database;
use std::{
    convert::Infallible,
    marker::PhantomData,
    num::{NonZeroU64, NonZeroUsize},
    sync::Arc,
    time::Duration,
};
use types::{ChainSpec, Digest, Family};

/// Upstreams of one follower.
pub const UPSTREAMS_MAX: usize = 16;

/// Blocks that the engine asks for at a time, by height: their certificates are verified together.
const REPAIR: NonZeroUsize = NZUsize!(64);
/// Transactions that wait to be passed on to one upstream; more are sent again later.
const PASSED_ON_MAX: usize = 1_024;

/// What makes a follower.
pub struct Config<S, U> {
    /// The chain's constitution, from somebody trusted: it says whose signatures count.
    pub spec: Arc<ChainSpec>,
    /// Prefix of all storage partitions. Fixed for the life of the data.
    pub partition_prefix: String,
    /// Whom blocks are taken from, at most [`UPSTREAMS_MAX`]. One alone can hold back what is new.
    pub upstreams: Vec<U>,
    /// How CPU-bound work is spread over threads.
    pub strategy: S,
    /// Bytes of disk pages kept in memory.
    pub page_cache_bytes: usize,
    /// How much the mempool holds: transactions that were sent to this node, and wait to become final.
    pub mempool: mempool::Limits,
    /// Whether the states of past blocks are kept.
    pub archive: bool,
    /// What this program knows.
    pub program: Program,
    /// How many of the last blocks are kept at least; none: all are. At least two epochs, and not with `archive`.
    pub keep_blocks: Option<NonZeroU64>,
    /// Items that are stored, and removed, together: [`SECTION_ITEMS`](crate::SECTION_ITEMS), but in tests.
    pub section_items: NonZeroU64,
    /// Called first on each thread that computes what may take long: it should give way to the others.
    pub give_way: fn(),
}

/// Starts a follower. The handle ends when it takes no blocks any more, which is a failure.
///
/// # Errors
/// [`StartError`] naming what is wrong with its settings or data.
///
/// # Panics
/// Tasks panic when storage fails later, or if a final block has another effect here than its header says: the process must
/// end.
pub async fn start<E, S, U>(
    context: E,
    config: Config<S, U>,
) -> Result<(Handle<()>, Node), StartError>
where
    E: Runtime,
    S: Strategy,
    U: Upstream,
{
    let Config {
        spec,
        partition_prefix: prefix,
        upstreams,
        strategy,
        page_cache_bytes,
        mempool: limits,
        archive,
        program,
        keep_blocks,
        section_items: section,
        give_way,
    } = config;
    if upstreams.is_empty() || upstreams.len() > UPSTREAMS_MAX {
        return Err(StartError::Upstreams(upstreams.len()));
    }
    if spec.origin.is_some() {
        return Err(StartError::Origin);
    }
    let store = Store::open(
        &context,
        Settings {
            spec: &spec,
            prefix: &prefix,
            page_cache_bytes,
            archive,
            keep_blocks,
            section,
        },
    )
    .await?;
    let plan = SyncPlan::init(context.child("plan"), prefix.clone()).await;
    let archive = store.archive(&context).await?;
    let (page_cache, kept, retention) = (store.page_cache.clone(), store.kept, store.retention);
    let (genesis, history) = (store.genesis.clone(), store.history.clone());
    let calendar = Calendar::new(spec.epoch_blocks);
    let verifier = Verifier {
        scheme: store.verifier.clone(),
        calendar,
    };
    // Kept as every node does: `Members` is read at the same blocks.
    let (electorate_actor, electorate) = ElectorateActor::open(
        context.child("electorate"),
        &prefix,
        calendar,
        &store.committee,
        if spec.dev { 1 } else { VALIDATORS_MIN },
    )
    .await?;
    electorate_actor.start();
    let (marshal_actor, marshal, floor) = store
        .marshal(&context, &plan, strategy.clone(), REPAIR)
        .await;
    let (ledger, mempool_actor) = Ledger::new(
        &context,
        ledger::Parts {
            spec: &spec,
            genesis,
            program,
            limits,
            history,
            archive,
        },
    );
    let (stateful_actor, stateful) = ledger::execution(
        &context,
        Execution {
            application: ledger.application(strategy.clone(), electorate.clone(), None),
            prefix: &prefix,
            page_cache,
            marshal: (marshal.clone(), floor),
            plan,
            resolvers: Nowhere::default(),
            retention,
        },
    );
    let (receiver, handler) = handler::init(context.child("missing"), MAILBOX);
    let (bell, rung) = mpsc::channel(1);
    let resolver = Resolver::new(bell.clone());
    let reporters = Reporters::from((stateful.clone(), electorate));
    let engine = marshal_actor.start_unbuffered(reporters, (receiver, resolver.clone()));
    stateful_actor.start();
    ledger.resume(&marshal, kept, &strategy).await?;
    ledger.attend(&context, &marshal, retention);

    let names = upstreams.iter().map(Upstream::name);
    let shared = Arc::new(Shared::new(names, ledger.feed.clone(), bell));
    let answering = Arc::clone(&shared);
    context
        .child("answers")
        .spawn(move |context| resolver.run(context, rung, answering, handler));
    let outbox = tap_all(&context, upstreams, &shared, &verifier, &marshal);
    mempool_actor.start_alone(ledger.clone().state(stateful.clone()), outbox);

    let (health, healths) = watch::channel(None);
    let upstreams = Upstreams(shared);
    let opened = ledger.clone().opened(stateful);
    let node = node::start(
        context.child("node"),
        node::Parts {
            ledger,
            marshal,
            peers: None,
            upstreams: Some(upstreams.clone()),
            fence: None,
            entered: None,
            keep_blocks,
            health: healths,
            give_way,
        },
        opened,
    );
    let idle = Duration::from_millis(spec.pacing.idle_interval_ms);
    let monitor = Monitor {
        node: node.clone(),
        upstreams,
        leader_timeout: idle.saturating_add(Duration::from_secs(1)),
        health,
    };
    context
        .child("health")
        .spawn(move |context| monitor.run(context));
    Ok((engine, node))
}

/// Starts asking the upstreams. What is sent to the channel is passed on to all of them.
fn tap_all<E: Runtime, U: Upstream>(
    context: &E,
    upstreams: Vec<U>,
    shared: &Arc<Shared>,
    verifier: &Verifier,
    marshal: &Marshal,
) -> mpsc::Sender<Bytes> {
    let (outbox, mut outbound) = mpsc::channel(PASSED_ON_MAX);
    let mut queues = Vec::with_capacity(upstreams.len());
    for (index, upstream) in upstreams.into_iter().enumerate() {
        let upstream = Arc::new(upstream);
        let (queue, queued) = mpsc::channel(PASSED_ON_MAX);
        queues.push(queue);
        let (passing, known) = (Arc::clone(&upstream), Arc::clone(shared));
        let passes = context.child("passes_on").with_attribute("upstream", index);
        passes.spawn(move |context| pass_on(context, passing, index, known, queued));
        let asks = context.child("asks").with_attribute("upstream", index);
        let (verifier, shared, marshal) = (verifier.clone(), Arc::clone(shared), marshal.clone());
        asks.spawn(move |context| {
            let tap = Tap {
                context,
                upstream,
                index,
                verifier,
                shared,
                marshal,
            };
            tap.run()
        });
    }
    context.child("transactions").spawn(|_| async move {
        while let Some(raw) = outbound.recv().await {
            for queue in &queues {
                // Full: it is sent again while it waits in the mempool.
                let _ = queue.try_send(Bytes::clone(&raw));
            }
        }
    });
    outbox
}

/// Where the state could be taken from: a follower executes every block instead, and gives its state to nobody.
struct Nowhere<E>(PhantomData<fn() -> E>);

impl<E> Default for Nowhere<E> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<E> Clone for Nowhere<E> {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl<E: Runtime> Source for Nowhere<E> {
    type Family = Family;
    type Digest = Digest;
    type Op = <Database<E> as sync::Database>::Op;
    type Error = Infallible;

    fn serve(
        &self,
        _request: Request<Family>,
    ) -> impl Future<Output = source::Result<Self>> + Send {
        std::future::pending()
    }
}

impl<E: Runtime> AttachableResolver<Database<E>> for Nowhere<E> {
    async fn attach_database(&self, _database: SharedDb<Database<E>>) {}
}
