//! One validator: every actor of the engine wired to ours, the same on any runtime.

use crate::{
    alias::{Delivery, Runtime, Scheme},
    epoch::{
        Calendar, ElectorateActor, Peers, Schemes, Secrets, SecretsError, SecretsKey,
        SharedSecrets, members, stake, sweep,
    },
    fence,
    health::{Ear, Heard, Monitor},
    ledger::{self, Execution, Ledger, SYNC_BATCH},
    mempool,
    node::{self, Node},
    store::{MAILBOX, Settings, Store, WRITE_BUFFER},
    sync::Entrance,
    upgrade::Program,
};
use commonware_broadcast::buffered;
use commonware_consensus::{
    Reporters,
    marshal::{self, resolver::p2p as marshal_resolver, standard::Deferred},
    simplex::{
        self,
        config::{ForwardPolicy, SkipPolicy},
        elector::RoundRobin,
    },
    types::{Epoch, FixedEpocher, ViewDelta},
};
use commonware_cryptography::{
    Keccak256, Signer as _,
    bls12381::{
        dkg::feldman_desmedt::Reveal,
        primitives::{
            sharing::{Mode, ModeVersion},
            variant::MinSig,
        },
    },
    ed25519,
};
use commonware_glue::{
    dkg::{
        self, SecretStore as _, fence::Fence, orchestrator, probe, reshare, state_sync,
        types::SchemeInfo,
    },
    stateful::{SyncPlan, db::p2p as qmdb_resolver},
};
use commonware_p2p::{Blocker, Receiver, Sender, max_message_size};
use commonware_parallel::Strategy;
use commonware_runtime::{Handle, Quota};
use commonware_utils::{NZDuration, NZUsize, channel::watch, ordered::Set};
use contracts::member::VALIDATORS_MIN;
use state::{Database, GenesisError, begin};
use std::{
    num::{NonZeroU32, NonZeroU64},
    sync::Arc,
    time::Duration,
};
use tracing::warn;
use types::{ChainSpec, Digest, Family, MAX_VALIDATORS, PublicKey, SpecError};

/// Channels between validators, in the order [`start`] takes them.
pub const CHANNELS: usize = 10;

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
    /// A follower without upstreams, or with too many.
    #[error(
        "{0} upstreams: a follower needs one at least, better two that do not depend on one another, and at most {max}",
        max = crate::follow::UPSTREAMS_MAX
    )]
    Upstreams(usize),
    /// A follower executes the chain from an empty state on.
    #[error(
        "this network begins with the state of an export (docs/export.md), which a follower cannot take: let a member register \
         an observer instead (docs/networks.md)"
    )]
    Origin,
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
    let public_key = &signer.public_key();
    let store = Store::open(
        &context,
        Settings {
            spec,
            prefix,
            page_cache_bytes: config.page_cache_bytes,
            archive: config.archive,
            keep_blocks: config.keep_blocks,
            section: config.section_items,
        },
    )
    .await?;
    let (page_cache, kept, retention) = (store.page_cache.clone(), store.kept, store.retention);
    let (committee, namespace) = (store.committee.clone(), store.namespace.clone());
    let calendar = Calendar::new(spec.epoch_blocks);
    let epocher = FixedEpocher::new(spec.epoch_blocks);
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
        verifier: store.verifier.clone(),
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
    begin(
        &context,
        prefix,
        spec,
        &store.genesis,
        entrance.epoch().is_some(),
    )
    .await?;
    let archive = store.archive(&context).await?;
    let (genesis, history) = (store.genesis.clone(), store.history.clone());
    let (marshal_actor, marshal, floor) = store
        .marshal(&context, &plan, strategy.clone(), NZUsize!(16))
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

    let (ledger, mempool_actor) = Ledger::new(
        &context,
        ledger::Parts {
            spec,
            genesis,
            program: config.program.clone(),
            limits: config.mempool,
            history,
            archive,
        },
    );
    let (stateful_actor, stateful) = ledger::execution(
        &context,
        Execution {
            application: ledger.application(
                strategy.clone(),
                electorate.clone(),
                Some(peers.clone()),
            ),
            prefix,
            page_cache: page_cache.clone(),
            marshal: (marshal.clone(), floor),
            plan,
            resolvers: sync_resolver,
            retention,
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
    entrance.follow(&context, &marshal, &ledger.feed, async move {
        let _ = taken.subscribe_databases().await;
    });
    if !entrance.is_open() {
        let kept = kept.max(entrance.anchor());
        ledger.resume(&marshal, kept, strategy).await?;
    }
    let (consensus_prefix, blocks) = (format!("{prefix}-simplex"), ledger.feed.watch());
    context
        .child("sweep")
        .spawn(move |context| sweep(context, consensus_prefix, calendar, blocks));
    ledger.attend(&context, &marshal, retention);
    let (source, admitting) = (stateful.clone(), peers.clone());
    context.child("members").spawn(|_| async move {
        // Whoever is a member or a candidate already. Later ones are let in when they become one.
        let database = source.subscribe_databases().await;
        let state = database.read().await;
        match members::nodes(&*state).await {
            Ok(nodes) => admitting.admit(nodes),
            Err(error) => warn!(%error, "could not read the nodes of members"),
        }
        match stake::candidates(&*state).await {
            Ok(candidates) => admitting.stand(candidates),
            Err(error) => warn!(%error, "could not read the candidates"),
        }
    });
    mempool_actor.start(ledger.clone().state(stateful.clone()), gossip);
    let opened = ledger.clone().opened(stateful);
    let (health, healths) = watch::channel(None);
    let node = node::start(
        context.child("node"),
        node::Parts {
            ledger,
            marshal,
            peers: Some(peers),
            upstreams: None,
            fence: Some(key),
            entered: entrance.epoch().cloned(),
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
