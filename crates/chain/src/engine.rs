//! One validator: every actor of the engine wired to ours, the same on any runtime.

use crate::{
    alias::{Delivery, Marshal, Runtime, Scheme},
    application::{Application, Parts},
    epoch::{
        Calendar, ElectorateActor, Peers, Schemes, Secrets, SecretsError, SecretsKey,
        SharedSecrets, members, sweep,
    },
    feed::{Feed, Finalized},
    fence,
    health::{Ear, Heard, Monitor},
    history::{self, archive},
    mempool,
    node::{self, Node},
    recovery::Recovery,
    retention::Retention,
    sync::Entrance,
    upgrade::{Program, Upgrades},
};
use commonware_broadcast::buffered;
use commonware_consensus::{
    Reporters,
    marshal::{
        self, Identifier, core::Actor as MarshalActor, resolver::p2p as marshal_resolver,
        standard::Deferred,
    },
    simplex::{
        self,
        config::{ForwardPolicy, SkipPolicy},
        elector::RoundRobin,
    },
    types::{Epoch, FixedEpocher, Height, ViewDelta},
};
use commonware_cryptography::{
    Digested, Digestible as _, Keccak256, Signer as _,
    bls12381::{
        dkg::feldman_desmedt::Reveal,
        primitives::{
            sharing::{Mode, ModeVersion},
            variant::MinSig,
        },
    },
    certificate::ConstantProvider,
    ed25519,
};
use commonware_glue::{
    dkg::{
        self, SecretStore as _, fence::Fence, orchestrator, probe, reshare, state_sync,
        types::SchemeInfo,
    },
    stateful::{
        Config as StatefulConfig, Stateful, SyncPlan,
        db::{SyncEngineConfig, p2p as qmdb_resolver},
    },
};
use commonware_p2p::{Blocker, Receiver, Sender, max_message_size};
use commonware_parallel::{Sequential, Strategy};
use commonware_runtime::{Handle, Quota, buffer::paged::CacheRef};
use commonware_storage::{archive::prunable, translator::Cap};
use commonware_utils::{NZDuration, NZU16, NZU64, NZUsize, channel::watch, ordered::Set};
use contracts::member::VALIDATORS_MIN;
use evm::CodeCache;
use state::{Database, GenesisError, begin, open_genesis};
use std::{
    num::{NonZeroU16, NonZeroU32, NonZeroU64, NonZeroUsize},
    sync::Arc,
    time::Duration,
};
use tracing::warn;
use types::{ChainSpec, Digest, Family, MAX_VALIDATORS, Namespace, PublicKey, SpecError};

/// Channels between validators, in the order [`start`] takes them.
pub const CHANNELS: usize = 10;

/// State operations in one message of state sync.
const SYNC_BATCH: NonZeroU64 = NZU64!(1024);
/// Bytes of a page on disk. Part of the layout of all that is stored: fixed for the life of the data.
pub const PAGE_BYTES: NonZeroU16 = NZU16!(16_384);
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
    pub signer: ed25519::PrivateKey,
    /// Our share of the network key at block 0, if we have one. It is kept with the secrets from the first start on, and not
    /// looked at after that.
    pub share: Option<crate::Share>,
    /// What our secrets are sealed under on disk.
    pub secrets_key: SecretsKey,
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
    /// Whether a node that has no state yet takes it from others instead of executing the chain from block 0. It then has
    /// nothing of what earlier blocks did.
    pub state_sync: bool,
    /// What this program knows. Less than it does is for tests of networks with old nodes.
    pub program: Program,
    /// How many of the last blocks are kept at least, with their transaction receipts and logs; none: all are. Earlier ones
    /// are removed by whole sections. At least two epochs, and not with `archive`.
    pub keep_blocks: Option<NonZeroU64>,
    /// Items that are stored, and removed, together: [`SECTION_ITEMS`](crate::SECTION_ITEMS), but in tests that want to see
    /// something removed. Fixed for the life of the data.
    pub section_items: NonZeroU64,
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
    /// An archive was to be pruned.
    #[error("archive = true and keep_blocks exclude one another: an archive node keeps everything")]
    ArchivePruned,
    /// So few blocks were to be kept that consensus could not start again.
    #[error(
        "keep_blocks = {keep} is too few: at least {least} are needed, two epochs. Consensus starts with the last block of the \
         epoch before the running one"
    )]
    KeepsTooFew {
        /// What was asked for.
        keep: u64,
        /// The least there can be.
        least: u64,
    },
    /// What a validator must not lose cannot be read.
    #[error(transparent)]
    Secrets(#[from] SecretsError),
    /// Storage failed or is damaged.
    #[error("storage: {0}")]
    Storage(#[from] commonware_storage::archive::Error),
    /// Storage failed or is damaged.
    #[error("storage: {0}")]
    Metadata(#[from] commonware_storage::metadata::Error),
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

/// Largest message between nodes, in bytes.
pub fn message_bytes_max() -> u32 {
    let validators = MAX_VALIDATORS.get();
    max_message_size(&[
        orchestrator::max_payload_size::<Scheme, Digest>(validators),
        marshal::max_payload_size::<Delivery, Scheme>(validators, &()),
        probe::max_payload_size::<Delivery, Scheme>(validators, &()),
        dkg::max_payload_size::<MinSig, PublicKey>(MAX_VALIDATORS),
        qmdb_resolver::max_payload_size::<Family, Digest>(SYNC_BATCH, 50_000),
        mempool::MAX_MESSAGE_BYTES,
        fence::MAX_MESSAGE_BYTES,
    ])
}

/// Messages a peer may send each second, and at once, on each channel in the order of [`CHANNELS`].
pub fn quotas() -> [Quota; CHANNELS] {
    // A node at full speed sends another some 300 votes a second. The network reserves a slot for each message of each peer's
    // quota, so more costs memory: 0.7 kB a message.
    [512, 512, 64, 512, 64, 64, 32, 8, 512, 32]
        .map(|messages| Quota::per_second(NonZeroU32::new(messages).unwrap_or(NonZeroU32::MIN)))
}

/// Starts a validator. The handle ends when its consensus does, which is a failure.
///
/// # Errors
/// [`StartError`] naming what is wrong with its data or keys.
///
/// # Panics
/// Tasks panic when storage fails later: the process must end and be started again.
pub async fn start<E, S, B, N, R>(
    context: E,
    config: Config<S>,
    blocker: B,
    peers: Peers,
    channels: [(N, R); CHANNELS],
) -> Result<(Handle<()>, Node), StartError>
where
    E: Runtime,
    S: Strategy,
    B: Blocker<PublicKey = PublicKey>,
    N: Sender<PublicKey = PublicKey>,
    R: Receiver<PublicKey = PublicKey>,
{
    let Config {
        spec,
        partition_prefix: prefix,
        signer,
        share,
        strategy,
        ..
    } = &config;
    let section = config.section_items;
    let retention = match config.keep_blocks {
        Some(keep) => Some(Retention::new(
            keep,
            config.archive,
            spec.epoch_blocks,
            section,
        )?),
        None => None,
    };
    let public_key = &signer.public_key();
    let pages = config.page_cache_bytes / usize::from(PAGE_BYTES.get());
    let page_cache = CacheRef::new(PAGE_BYTES, NonZeroUsize::new(pages).unwrap_or(NZUsize!(64)));
    let genesis = open_genesis(context.child("genesis"), prefix, spec, page_cache.clone()).await?;
    let digest = genesis.digest();
    let committee = spec.committee()?;
    let namespace = Namespace::new(spec.chain_id, &digest);
    let calendar = Calendar::new(spec.epoch_blocks);
    let epocher = FixedEpocher::new(spec.epoch_blocks);
    // One key for all epochs.
    let verifier =
        Scheme::certificate_verifier(namespace.as_bytes(), *committee.output().public().public());
    let (committee_now, who_signs) = watch::channel(Set::default());
    let schemes = Schemes::new(namespace.as_bytes(), committee_now.clone());
    let mut secrets = Secrets::open(context.child("secrets"), prefix, &config.secrets_key).await?;
    if let Some(share) = share {
        let first = SchemeInfo::new(
            public_key,
            committee.validators().clone(),
            committee.output().public().clone(),
            Some(share.clone()),
        );
        if schemes.make(first).is_none() {
            return Err(StartError::Share);
        }
    }
    let (clock, heard) = (Arc::new(context.child("ear")), Heard::default());
    let [
        vote,
        certificate,
        resolver,
        backfill,
        broadcast,
        sync,
        ceremony,
        probe,
        gossip,
        claims,
    ] = channels.map(|(sender, receiver)| (sender, Ear::new(&clock, &heard, receiver)));

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

    let kept = |name: &str| kept(prefix, name, section, &page_cache);
    let finalizations =
        prunable::Archive::init(context.child("finalizations"), kept("finalizations")).await?;
    let blocks = prunable::Archive::init(context.child("blocks"), kept("blocks")).await?;
    let (history_actor, history) = history::Actor::open(
        context.child("history"),
        prefix,
        page_cache.clone(),
        section,
    )
    .await?;
    let kept = history_actor.complete_to().await?;
    history_actor.index_logs(&blocks, kept).await?.start();

    let plan = SyncPlan::init(context.child("plan"), prefix.clone()).await;
    let first_epoch = spec.first_epoch()?;
    let first = first_epoch.clone();
    let (probe_actor, probe_mailbox) = probe::Actor::new(probe::Config {
        context: context.child("probe"),
        manager: peers.clone(),
        bootstrap: probe::Bootstrap {
            epoch: Epoch::zero(),
            participants: first_epoch.participants(),
            directory: first_epoch.directory,
        },
        floor: plan.floor().cloned(),
        verifier: verifier.clone(),
        genesis: first_epoch,
        strategy: strategy.clone(),
        blocker: blocker.clone(),
        blocks_per_epoch: spec.epoch_blocks,
        retry_timeout: NZDuration!(Duration::from_millis(500)),
        mailbox_size: MAILBOX,
        block_codec_config: (),
    });
    probe_actor.start(probe);
    let (entrance, plan) =
        Entrance::open(&context, prefix, plan, &probe_mailbox, config.state_sync).await?;
    begin(&context, prefix, spec, &genesis, entrance.epoch().is_some()).await?;
    let (marshal_actor, marshal, floor) = MarshalActor::<_, Delivery, _, _, _, _, _>::init(
        context.child("marshal"),
        finalizations,
        blocks,
        marshal::Config {
            provider: ConstantProvider::<_, Epoch>::new(verifier),
            epocher: epocher.clone(),
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
                peer_provider: peers.clone(),
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
    if secrets.is_empty() {
        if kept > 0 || fence::has_promised(&context, prefix, calendar, kept).await {
            warn!("this node's secrets are gone: it signs again when it has got another share");
            fence::forget_votes(&context, prefix, calendar, kept).await;
        } else if let Some(share) = share {
            secrets.put_share(Epoch::zero(), share.clone()).await;
        }
    }
    let has_secrets = !secrets.is_empty();
    let secrets = SharedSecrets::new(secrets);
    let parts = fence::Parts {
        me: public_key.clone(),
        committee: who_signs,
        began: has_secrets.then_some(kept.max(entrance.anchor())),
    };
    let (fence_actor, key) = fence::Actor::open(context.child("fence"), prefix, parts).await?;
    fence_actor.start(claims);
    key.follow(context.child("height"), marshal.clone());
    let (electorate_actor, electorate) = ElectorateActor::open(
        context.child("electorate"),
        prefix,
        calendar,
        &committee,
        if spec.dev { 1 } else { VALIDATORS_MIN },
    )
    .await?;
    electorate_actor.start();
    if let Some(info) = entrance.epoch() {
        electorate.learn(info.clone(), None);
    }
    let (fence, gate) = Fence::new();
    let state_sync = state_sync::Plan::init(
        context.child("state_sync_plan"),
        state_sync::Config {
            partition_prefix: prefix.clone(),
            max_participants: MAX_VALIDATORS,
            max_supported_mode: ModeVersion::v1(),
        },
        entrance.ceremony(),
    )
    .await;
    let (reshare_actor, reshare) = reshare::Actor::new(
        context.child("reshare"),
        reshare::Config {
            signer: signer.clone(),
            manager: peers.clone(),
            blocker: blocker.clone(),
            participants_provider: electorate.clone(),
            secret_store: secrets.clone(),
            strategy: strategy.clone(),
            registrar: schemes.clone(),
            marshal: marshal.clone(),
            state_sync: state_sync.clone(),
            fence,
            // As long as the process lives: the engine asks for it.
            namespace: Box::leak(namespace.as_bytes().into()),
            sharing_mode: Mode::NonZeroCounter,
            reveal: Reveal::V1,
            mailbox_size: MAILBOX,
            partition_prefix: format!("{prefix}-reshare"),
            page_cache: page_cache.clone(),
            write_buffer: WRITE_BUFFER,
            replay_buffer: NZUsize!(1 << 20),
            max_participants: MAX_VALIDATORS,
            blocks_per_epoch: spec.epoch_blocks,
        },
    );
    let ceremony = (key.gate(ceremony.0), ceremony.1);
    let entry = has_secrets.then(|| fence::Entry {
        fence: key.clone(),
        secrets,
        peers: peers.clone(),
        committee: committee_now,
        marshal: marshal.clone(),
        calendar,
        prefix: prefix.clone(),
        first,
        entered: entrance.epoch().cloned(),
        kept,
    });
    context.child("entry").spawn(move |context| async move {
        if let Some(entry) = entry {
            entry.pass(&context).await;
        }
        // Consensus waits for it.
        reshare_actor.start(ceremony);
    });

    let genesis = Arc::new(genesis);
    let recovery = Recovery::new(spec.chain_id);
    let codes = CodeCache::default();
    let upgrades = Upgrades::new(spec, config.program.clone());
    let feed = Feed::new(Finalized::new(Arc::clone(&genesis), Vec::new(), Vec::new()));
    let (mempool_actor, mempool) = mempool::Actor::new(
        context.child("mempool"),
        mempool::Config {
            spec: Arc::clone(spec),
            genesis: Arc::clone(&genesis),
            limits: config.mempool,
            mailbox_size: 16_384,
            upgrades: upgrades.clone(),
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
        electorate: electorate.clone(),
        peers: peers.clone(),
        upgrades: upgrades.clone(),
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
            prune_config: retention.map(|retention| retention.engine()),
            strategy: Sequential,
        },
    );
    let automaton = Deferred::new(
        context.child("deferred"),
        reshare::Application::new(stateful.clone(), reshare.clone(), spec.epoch_blocks),
        marshal.clone(),
        epocher,
    );
    let idle = Duration::from_millis(spec.pacing.idle_interval_ms);
    // A leader may wait the whole idle interval before it proposes.
    let leader_timeout = idle + Duration::from_secs(1);
    let founders = u32::try_from(committee.validators().len()).unwrap_or(u32::MAX);
    let (orchestrator_actor, orchestrator) = orchestrator::Actor::new(
        context.child("orchestrator"),
        orchestrator::Config {
            oracle: blocker,
            manager: peers.clone(),
            provider: schemes.clone(),
            marshal: marshal.clone(),
            application: automaton,
            strategy: strategy.clone(),
            simplex: orchestrator::SimplexConfig {
                elector: RoundRobin::<Keccak256>::default(),
                mailbox_size: MAILBOX,
                replay_buffer: NZUsize!(1 << 20),
                write_buffer: WRITE_BUFFER,
                page_cache,
                leader_timeout,
                certification_timeout: idle + Duration::from_secs(2),
                timeout_retry: Duration::from_millis(500),
                view_retention: ViewDelta::new(10),
                // On an idle chain each leader speaks once in n intervals; to skip one sooner would take healthy leaders for
                // dead. There is room for twice as many validators as at block 0: with more, this costs an idle chain views.
                skip: SkipPolicy::Enabled {
                    timeout: leader_timeout * 4 * founders,
                    budget: simplex::SkipBudget::Participants,
                },
                fetch_timeout: NZDuration!(Duration::from_secs(2)),
                fetch_retry_delay: Duration::from_millis(500),
                forward: ForwardPolicy::Disabled,
                track_historical_votes: false,
            },
            gate,
            state_sync,
            blocks_per_epoch: spec.epoch_blocks,
            mailbox_size: MAILBOX,
            partition_prefix: format!("{prefix}-simplex"),
        },
    );
    let vote = (key.gate(vote.0), vote.1);
    // What these carry a quorum has signed.
    let certificate = (fence::Gated::open(certificate.0), certificate.1);
    let resolver = (fence::Gated::open(resolver.0), resolver.1);
    let consensus = orchestrator_actor.start(vote, certificate, resolver);
    let reporters = Reporters::from((
        Reporters::from((stateful.clone(), electorate)),
        Reporters::from((orchestrator, reshare)),
    ));
    marshal_actor.start(reporters, buffer, marshal_resolver);
    probe_mailbox.attach(marshal.clone());
    stateful_actor.start();
    let taken = stateful.clone();
    entrance.follow(&context, &marshal, &feed, async move {
        let _ = taken.subscribe_databases().await;
    });
    if let Some(processed) = marshal.get_processed().await
        && !entrance.is_open()
    {
        let processed = processed.height().get();
        if processed > kept.max(entrance.anchor()) {
            return Err(StartError::HistoryLost { processed, kept });
        }
        resume_feed(&feed, processed, &marshal, &history, &recovery, strategy).await;
    }
    let (consensus_prefix, blocks) = (format!("{prefix}-simplex"), feed.watch());
    context
        .child("sweep")
        .spawn(move |context| sweep(context, consensus_prefix, calendar, blocks));
    let doubts = upgrades.clone();
    context
        .child("upgrades")
        .spawn(move |context| doubts.settle_doubts(context));
    if let Some(retention) = retention {
        let (marshal, history, blocks) = (marshal.clone(), history.clone(), feed.watch());
        context
            .child("retention")
            .spawn(move |_| retention.run(marshal, history, blocks));
    }
    let (source, admitting) = (stateful.clone(), peers.clone());
    context.child("members").spawn(|_| async move {
        // Whoever is a member already. Later ones are let in when they become one.
        let database = source.subscribe_databases().await;
        let nodes = members::nodes(&*database.read().await).await;
        match nodes {
            Ok(nodes) => admitting.admit(nodes),
            Err(error) => warn!(%error, "could not read the nodes of members"),
        }
    });
    let database = {
        let (stateful, feed, upgrades) = (stateful.clone(), feed.clone(), upgrades.clone());
        // Nobody reads the state before it is known by which rules.
        move || async move {
            let database = stateful.subscribe_databases().await;
            let height = feed.floor();
            let state = database.read().await;
            if let Err(error) = upgrades.begin(height, &*state).await {
                warn!(%error, "could not read which rules hold");
            }
            drop(state);
            database
        }
    };
    mempool_actor.start(database.clone()(), gossip);
    let begun = feed.clone();
    let opened = async move {
        let database = database().await;
        // Whoever reads the last block's state must find that block.
        begun.begin().await;
        database
    };
    let (health, healths) = watch::channel(None);
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
            peers,
            fence: Some(key),
            entered: entrance.epoch().cloned(),
            upgrades,
            keep_blocks: config.keep_blocks,
            health: healths,
            give_way: config.give_way,
        },
        opened,
    );
    let monitor = Monitor {
        node: node.clone(),
        key: public_key.clone(),
        schemes,
        heard,
        leader_timeout,
        health,
    };
    context
        .child("health")
        .spawn(move |context| monitor.run(context));

    Ok((consensus, node))
}

/// How the engine keeps what is final, by height: `finalizations`, and `blocks`.
pub(crate) fn kept(
    prefix: &str,
    name: &str,
    section: NonZeroU64,
    page_cache: &CacheRef,
) -> prunable::Config<Cap<4>, ()> {
    prunable::Config {
        translator: Cap::<4>,
        metadata_partition: format!("{prefix}-{name}-metadata"),
        key_partition: format!("{prefix}-{name}-key"),
        key_page_cache: page_cache.clone(),
        value_partition: format!("{prefix}-{name}-value"),
        compression: None,
        codec_config: (),
        items_per_section: section,
        key_write_buffer: WRITE_BUFFER,
        value_write_buffer: WRITE_BUFFER,
        replay_buffer: NZUsize!(1 << 20),
    }
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
