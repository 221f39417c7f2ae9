//! One validator: every actor of the engine wired to ours, the same on any runtime.

use crate::{
    alias::{Delivery, Marshal, Runtime, Scheme},
    application::{Application, Parts},
    feed::{Feed, Finalized},
    history::{self, archive},
    mempool,
    node::{self, Node},
    recovery::Recovery,
};
use commonware_broadcast::buffered;
use commonware_consensus::{
    marshal::{
        self, Identifier, core::Actor as MarshalActor, resolver::p2p as marshal_resolver,
        standard::Deferred,
    },
    simplex::{
        self,
        config::{Floor, ForwardPolicy, SkipPolicy},
        elector::RoundRobin,
    },
    types::{Epoch, FixedEpocher, Height, ViewDelta},
};
use commonware_cryptography::{
    Digested, Digestible as _, Keccak256, certificate::ConstantProvider,
};
use commonware_glue::stateful::{
    Config as StatefulConfig, Stateful, SyncPlan,
    db::{SyncEngineConfig, p2p as qmdb_resolver},
    probe::{self, Probe},
};
use commonware_p2p::{Blocker, Provider, Receiver, Sender, max_message_size};
use commonware_parallel::{Sequential, Strategy};
use commonware_runtime::{Handle, Quota, buffer::paged::CacheRef};
use commonware_storage::{archive::prunable, translator::Cap};
use commonware_utils::{NZDuration, NZU16, NZU32, NZU64, NZUsize};
use evm::CodeCache;
use state::{Database, GenesisError, open_genesis};
use std::{
    num::{NonZeroU64, NonZeroUsize},
    sync::Arc,
    time::Duration,
};
use types::{ChainSpec, Digest, Family, Namespace, PublicKey, SpecError};

/// Channels between validators, in the order [`start`] takes them.
pub const CHANNELS: usize = 8;

/// Blocks in an epoch: one committee for the life of the chain.
const EPOCH_BLOCKS: NonZeroU64 = NonZeroU64::MAX;
/// State operations in one message of state sync.
const SYNC_BATCH: NonZeroU64 = NZU64!(256);
/// Bytes buffered before a write, by actor.
const WRITE_BUFFER: NonZeroUsize = NZUsize!(1 << 16);
/// Messages waiting for an actor of the engine. When full the sender waits or drops, as each says.
const MAILBOX: NonZeroUsize = NZUsize!(1024);

/// What makes a validator.
pub struct Config<S> {
    /// The chain's constitution.
    pub spec: Arc<ChainSpec>,
    /// Prefix of all storage partitions. Fixed for the life of the data.
    pub partition_prefix: String,
    /// Our network key.
    pub public_key: PublicKey,
    /// Our share of the network key.
    pub share: crate::Share,
    /// How CPU-bound work is spread over threads.
    pub strategy: S,
    /// Bytes of disk pages kept in memory. Below the working set of the state, reads become thirty
    /// times slower.
    pub page_cache_bytes: usize,
    /// How much the mempool holds.
    pub mempool: mempool::Limits,
    /// Whether the states of past blocks are kept, from the first block on that this is set for without a break. It costs
    /// some 200 bytes of disk for each changed value and 40 bytes of memory for each key that ever changed. Without, only
    /// the last state can be read.
    pub archive: bool,
    /// Called first on each thread that computes what may take long: it should give way to the others.
    pub give_way: fn(),
}

/// Why a validator could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Block 0 is missing, damaged or another network's.
    #[error(transparent)]
    Genesis(#[from] GenesisError),
    /// The spec is unusable.
    #[error(transparent)]
    Spec(#[from] SpecError),
    /// The share is not of this committee.
    #[error("the share does not belong to this network's committee")]
    Share,
    /// Storage failed or is damaged.
    #[error("storage: {0}")]
    Storage(#[from] commonware_storage::archive::Error),
    /// Part of what the chain did is gone, though it was durable.
    #[error(
        "history: block {processed} was final here, but what blocks did is kept up to {kept} only: files were damaged or removed"
    )]
    HistoryLost {
        /// Height of the last block this node processed.
        processed: u64,
        /// Height up to which its effects are here.
        kept: u64,
    },
}

/// Largest message between `validators` validators, in bytes.
pub fn message_bytes_max(validators: u32) -> u32 {
    max_message_size(&[
        simplex::max_payload_size::<Scheme, Digest>(validators),
        marshal::max_payload_size::<Delivery, Scheme>(validators, &()),
        probe::max_payload_size::<Delivery, Scheme>(validators),
        qmdb_resolver::max_payload_size::<Family, Digest>(SYNC_BATCH, 50_000),
        mempool::MAX_MESSAGE_BYTES,
    ])
}

/// Messages a peer may send on each channel, in the order of [`CHANNELS`].
pub fn quotas() -> [Quota; CHANNELS] {
    // Generous: at full speed a validator sends another a few hundred messages a second. The network
    // reserves a slot for each message of each peer's quota, so more costs memory: 8 kB a message.
    [Quota::per_second(NZU32!(1024)); CHANNELS]
}

/// Starts a validator. The handle ends when its consensus does, which is a failure.
///
/// # Errors
/// [`StartError`] naming what is wrong with its data or keys.
///
/// # Panics
/// Tasks panic when storage fails later: the process must end and be started again.
pub async fn start<E, S, B, P, N, R>(
    context: E,
    config: Config<S>,
    blocker: B,
    peers: P,
    channels: [(N, R); CHANNELS],
) -> Result<(Handle<()>, Node), StartError>
where
    E: Runtime,
    S: Strategy,
    B: Blocker<PublicKey = PublicKey>,
    P: Provider<PublicKey = PublicKey>,
    N: Sender<PublicKey = PublicKey>,
    R: Receiver<PublicKey = PublicKey>,
{
    let Config {
        spec,
        partition_prefix: prefix,
        public_key,
        share,
        strategy,
        ..
    } = &config;
    let page = NZU16!(16_384);
    let pages = config.page_cache_bytes / usize::from(page.get());
    let page_cache = CacheRef::new(page, NonZeroUsize::new(pages).unwrap_or(NZUsize!(64)));
    let genesis = open_genesis(context.child("genesis"), prefix, spec, page_cache.clone()).await?;
    let digest = genesis.digest();
    let committee = spec.committee()?;
    let namespace = Namespace::new(spec.chain_id, &digest);
    let scheme = Scheme::signer(
        namespace.as_bytes(),
        committee.validators().clone(),
        committee.output().public().clone(),
        share.clone(),
    )
    .ok_or(StartError::Share)?;
    let provider = ConstantProvider::new(scheme.clone());
    let [
        vote,
        certificate,
        resolver,
        backfill,
        broadcast,
        sync,
        probe,
        gossip,
    ] = channels;

    let marshal_resolver = marshal_resolver::init(
        context.child("marshal_resolver"),
        marshal_resolver::Config {
            public_key: public_key.clone(),
            peer_provider: peers.clone(),
            blocker: blocker.clone(),
            mailbox_size: MAILBOX,
            fetch_timeout: NZDuration!(Duration::from_secs(2)),
            fetch_retry_delay: Duration::from_millis(100),
            priority_requests: false,
            priority_responses: false,
        },
        backfill,
    );
    let (buffer_engine, buffer) = buffered::Engine::new(
        context.child("broadcast"),
        buffered::Config {
            public_key: public_key.clone(),
            mailbox_size: MAILBOX,
            deque_size: 16,
            priority: false,
            codec_config: (),
            peer_provider: peers.clone(),
            strategy: strategy.clone(),
        },
    );
    buffer_engine.start(broadcast);

    let kept = |name: &str| prunable::Config {
        translator: Cap::<4>,
        metadata_partition: format!("{prefix}-{name}-metadata"),
        key_partition: format!("{prefix}-{name}-key"),
        key_page_cache: page_cache.clone(),
        value_partition: format!("{prefix}-{name}-value"),
        compression: None,
        codec_config: (),
        items_per_section: NZU64!(16_384),
        key_write_buffer: WRITE_BUFFER,
        value_write_buffer: WRITE_BUFFER,
        replay_buffer: NZUsize!(1 << 20),
    };
    let finalizations =
        prunable::Archive::init(context.child("finalizations"), kept("finalizations")).await?;
    let blocks = prunable::Archive::init(context.child("blocks"), kept("blocks")).await?;
    let (history_actor, history) =
        history::Actor::open(context.child("history"), prefix, page_cache.clone()).await?;
    let kept = history_actor.complete_to().await?;
    history_actor.index_logs(&blocks, kept).await?.start();

    let plan = SyncPlan::init(context.child("plan"), prefix.clone()).await;
    let (probe_actor, probe_mailbox) = Probe::new(probe::Config {
        context: context.child("probe"),
        provider: provider.clone(),
        strategy: strategy.clone(),
        mailbox_size: MAILBOX,
        blocker: blocker.clone(),
        minimum_epoch: Epoch::zero(),
        retry_timeout: NZDuration!(Duration::from_millis(100)),
    });
    probe_actor.start(probe);
    let (marshal_actor, marshal, floor) = MarshalActor::<_, Delivery, _, _, _, _, _>::init(
        context.child("marshal"),
        finalizations,
        blocks,
        marshal::Config {
            provider,
            epocher: FixedEpocher::new(EPOCH_BLOCKS),
            start: plan.marshal_start(Digested::precomputed(genesis.clone(), digest)),
            partition_prefix: prefix.clone(),
            mailbox_size: MAILBOX,
            view_retention: ViewDelta::new(10),
            prunable_items_per_section: NZU64!(1024),
            page_cache: page_cache.clone(),
            replay_buffer: NZUsize!(1 << 20),
            key_write_buffer: WRITE_BUFFER,
            value_write_buffer: WRITE_BUFFER,
            block_codec_config: (),
            max_repair: NZUsize!(16),
            max_pending_acks: NZUsize!(16),
            strategy: strategy.clone(),
        },
    )
    .await;
    let (sync_actor, sync_resolver) =
        qmdb_resolver::Actor::<_, PublicKey, _, _, Family, Database<E>>::new(
            context.child("state_sync"),
            qmdb_resolver::Config {
                peer_provider: peers,
                blocker: blocker.clone(),
                database: None,
                mailbox_size: MAILBOX,
                me: Some(public_key.clone()),
                fetch_timeout: NZDuration!(Duration::from_secs(2)),
                fetch_retry_delay: Duration::from_millis(100),
                max_serve_ops: SYNC_BATCH,
                priority_requests: false,
                priority_responses: false,
            },
        );
    sync_actor.start(sync);

    let archive = if config.archive {
        let layout = archive::Layout {
            prefix: prefix.clone(),
            page_cache: page_cache.clone(),
        };
        let store = archive::Store::open(context.child("archive"), layout).await;
        let store = store.map_err(commonware_storage::archive::Error::from)?;
        let (actor, mailbox) = archive::Actor::new(context.child("archive"), store);
        actor.start();
        Some(mailbox)
    } else {
        None
    };
    let genesis = Arc::new(genesis);
    let recovery = Recovery::new(spec.chain_id);
    let codes = CodeCache::default();
    let feed = Feed::new(Finalized::new(Arc::clone(&genesis), Vec::new(), Vec::new()));
    let (mempool_actor, mempool) = mempool::Actor::new(
        context.child("mempool"),
        mempool::Config {
            spec: Arc::clone(spec),
            genesis: Arc::clone(&genesis),
            limits: config.mempool,
            mailbox_size: 16_384,
            recovery: recovery.clone(),
        },
    );
    let application = Application::new(Parts {
        spec: Arc::clone(spec),
        genesis: Arc::clone(&genesis),
        strategy: strategy.clone(),
        recovery: recovery.clone(),
        codes: codes.clone(),
        mempool: mempool.clone(),
        history: history.clone(),
        archive: archive.clone(),
        feed: feed.clone(),
    });
    let (stateful_actor, stateful) = Stateful::new(
        context.child("stateful"),
        StatefulConfig {
            application,
            db_config: state::config(&format!("{prefix}-state"), page_cache.clone()),
            provider: (),
            marshal: (marshal.clone(), floor),
            mailbox_size: MAILBOX,
            plan,
            resolvers: sync_resolver,
            sync_config: SyncEngineConfig {
                fetch_batch_size: SYNC_BATCH,
                apply_batch_size: NZU64!(1024),
                max_outstanding_requests: NZUsize!(8),
            },
            // Nothing is pruned yet: every node keeps the whole chain.
            prune_config: None,
            strategy: Sequential,
        },
    );
    let automaton = Deferred::new(
        context.child("deferred"),
        stateful.clone(),
        marshal.clone(),
        FixedEpocher::new(EPOCH_BLOCKS),
    );
    marshal_actor.start(stateful.clone(), buffer, marshal_resolver);
    probe_mailbox.attach(marshal.clone());
    stateful_actor.start();
    if let Some(processed) = marshal.get_processed().await {
        let processed = processed.height().get();
        if processed > kept {
            return Err(StartError::HistoryLost { processed, kept });
        }
        resume_feed(&feed, processed, &marshal, &history, &recovery, strategy).await;
    }
    let database = {
        let stateful = stateful.clone();
        async move { stateful.subscribe_databases().await }
    };
    mempool_actor.start(database, gossip);
    let node = node::start(
        context.child("node"),
        node::Parts {
            spec: Arc::clone(spec),
            genesis: Arc::clone(&genesis),
            feed,
            marshal,
            history,
            mempool,
            recovery,
            codes,
            archive,
            give_way: config.give_way,
        },
        async move { stateful.subscribe_databases().await },
    );

    let idle = Duration::from_millis(spec.pacing.idle_interval_ms);
    let validators = u32::try_from(committee.validators().len()).unwrap_or(u32::MAX);
    let engine = simplex::Engine::new(
        context.child("consensus"),
        simplex::Config {
            scheme,
            elector: RoundRobin::<Keccak256>::default(),
            blocker,
            automaton: automaton.clone(),
            relay: automaton.clone(),
            reporter: automaton,
            strategy: strategy.clone(),
            partition: format!("{prefix}-simplex"),
            mailbox_size: MAILBOX,
            epoch: Epoch::zero(),
            floor: Floor::Genesis(digest),
            replay_buffer: NZUsize!(1 << 20),
            write_buffer: WRITE_BUFFER,
            page_cache,
            // A leader may wait the whole idle interval before it proposes.
            leader_timeout: idle + Duration::from_secs(1),
            certification_timeout: idle + Duration::from_secs(2),
            timeout_retry: Duration::from_millis(500),
            view_retention: ViewDelta::new(10),
            // On an idle chain each leader speaks once in n intervals; to skip one sooner would
            // take healthy leaders for dead.
            skip: SkipPolicy::Enabled {
                timeout: (idle + Duration::from_secs(1)) * 2 * validators,
                budget: simplex::SkipBudget::Participants,
            },
            fetch_timeout: NZDuration!(Duration::from_secs(2)),
            fetch_retry_delay: Duration::from_millis(500),
            forward: ForwardPolicy::Disabled,
            track_historical_votes: false,
        },
    );
    Ok((engine.start(vote, certificate, resolver), node))
}

/// After a restart: readers see the block the state is at, not block 0.
async fn resume_feed(
    feed: &Feed,
    processed: u64,
    marshal: &Marshal,
    history: &history::Mailbox,
    recovery: &Recovery,
    strategy: &impl Strategy,
) {
    let height = Identifier::Height(Height::new(processed));
    let Some(block) = marshal.get_block(height).await else {
        return;
    };
    let block = block.inner_shared();
    let Some(effects) = history.effects(block.number()).await else {
        return;
    };
    if let Ok(transactions) = recovery.recover_all(strategy, block.transactions()) {
        feed.resume_at(Finalized::new(block, transactions, effects.receipts));
    }
}
