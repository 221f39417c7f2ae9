//! The chain executed: what every node does with final blocks once it has them, and who reads what they led to.

use crate::{
    alias::{Delivery, Marshal, Runtime},
    application::{self, Application},
    engine::StartError,
    epoch::{Electorate, Peers},
    feed::{Feed, Finalized},
    history::{self, archive},
    mempool,
    recovery::Recovery,
    retention::Retention,
    store::{Floor, MAILBOX, Plan},
    upgrade::{Program, Upgrades},
};
use commonware_consensus::{marshal::Identifier, types::Height};
use commonware_glue::stateful::{
    self, Config as StatefulConfig, Stateful,
    db::{AttachableResolver, SyncEngineConfig},
};
use commonware_parallel::{Sequential, Strategy};
use commonware_runtime::buffer::paged::CacheRef;
use commonware_storage::qmdb::sync::SourceFor;
use commonware_utils::{NZU64, NZUsize};
use evm::CodeCache;
use state::{Database, SharedDatabase};
use std::{num::NonZeroU64, sync::Arc};
use tracing::warn;
use types::{Block, ChainSpec};

/// State operations in one message of state sync.
pub(crate) const SYNC_BATCH: NonZeroU64 = NZU64!(1024);

/// Who executes final blocks, before it runs.
pub(crate) type StatefulOf<E, S, R> = Stateful<E, Application<S>, Delivery, R, Sequential>;
/// Where it is asked for the state.
pub(crate) type StatefulMailbox<E, S> = stateful::Mailbox<E, Application<S>>;

/// What execution shares with readers. Cheap to clone; clones share everything.
#[derive(Clone)]
pub(crate) struct Ledger {
    pub spec: Arc<ChainSpec>,
    pub genesis: Arc<Block>,
    pub recovery: Recovery,
    pub codes: CodeCache,
    pub upgrades: Upgrades,
    pub feed: Feed,
    pub mempool: mempool::Mailbox,
    pub history: history::Mailbox,
    pub archive: Option<archive::Mailbox>,
}

/// What a ledger is made of.
pub(crate) struct Parts<'a> {
    pub spec: &'a Arc<ChainSpec>,
    pub genesis: Block,
    pub program: Program,
    pub limits: mempool::Limits,
    pub history: history::Mailbox,
    pub archive: Option<archive::Mailbox>,
}

impl Ledger {
    /// Puts it together, with the mempool, which does not run yet.
    pub(crate) fn new<E: Runtime>(context: &E, parts: Parts<'_>) -> (Self, mempool::Actor<E>) {
        let spec = parts.spec;
        let genesis = Arc::new(parts.genesis);
        let recovery = Recovery::new(spec.chain_id);
        let upgrades = Upgrades::new(spec, parts.program);
        let (actor, mempool) = mempool::Actor::new(
            context.child("mempool"),
            mempool::Config {
                spec: Arc::clone(spec),
                genesis: Arc::clone(&genesis),
                limits: parts.limits,
                mailbox_size: 16_384,
                upgrades: upgrades.clone(),
                recovery: recovery.clone(),
            },
        );
        let ledger = Self {
            spec: Arc::clone(spec),
            feed: Feed::new(Finalized::new(Arc::clone(&genesis), Vec::new(), Vec::new())),
            genesis,
            recovery,
            codes: CodeCache::default(),
            upgrades,
            mempool,
            history: parts.history,
            archive: parts.archive,
        };
        (ledger, actor)
    }

    /// The application on it. `peers`: where the nodes of new members are let in, on nodes that speak with them.
    pub(crate) fn application<S: Strategy>(
        &self,
        strategy: S,
        electorate: Electorate,
        peers: Option<Peers>,
    ) -> Application<S> {
        let ledger = self.clone();
        Application::new(application::Parts {
            spec: ledger.spec,
            genesis: ledger.genesis,
            strategy,
            recovery: ledger.recovery,
            codes: ledger.codes,
            mempool: ledger.mempool,
            history: ledger.history,
            archive: ledger.archive,
            electorate,
            peers,
            upgrades: ledger.upgrades,
            feed: ledger.feed,
        })
    }

    /// After a restart: readers see the block the state is at, not block 0.
    ///
    /// # Errors
    /// [`StartError::HistoryLost`] if blocks were processed of which it is not known up to `kept` what they did.
    pub(crate) async fn resume(
        &self,
        marshal: &Marshal,
        kept: u64,
        strategy: &impl Strategy,
    ) -> Result<(), StartError> {
        let Some(processed) = marshal.get_processed().await else {
            return Ok(());
        };
        let processed = processed.height().get();
        if processed > kept {
            return Err(StartError::HistoryLost { processed, kept });
        }
        let height = Identifier::Height(Height::new(processed));
        let Some(block) = marshal.get_block(height).await else {
            return Ok(());
        };
        let block = block.inner_shared();
        let Some(effects) = self.history.effects(block.number()).await else {
            return Ok(());
        };
        if let Ok(transactions) = self.recovery.recover_all(strategy, block.transactions()) {
            let last = Finalized::new(block, transactions, effects.receipts);
            self.feed.resume_at(last);
        }
        Ok(())
    }

    /// Does what goes on beside execution: ends a program that is too old, and removes what is not kept.
    pub(crate) fn attend<E: Runtime>(
        &self,
        context: &E,
        marshal: &Marshal,
        retention: Option<Retention>,
    ) {
        let doubts = self.upgrades.clone();
        context
            .child("upgrades")
            .spawn(move |context| doubts.settle_doubts(context));
        if let Some(retention) = retention {
            let (marshal, history) = (marshal.clone(), self.history.clone());
            let blocks = self.feed.watch();
            context
                .child("retention")
                .spawn(move |_| retention.run(marshal, history, blocks));
        }
    }

    /// The state, once it is there and known by which rules it is read.
    pub(crate) async fn state<E: Runtime, S: Strategy>(
        self,
        stateful: StatefulMailbox<E, S>,
    ) -> SharedDatabase<E> {
        let database = stateful.subscribe_databases().await;
        let height = self.feed.floor();
        let state = database.read().await;
        if let Err(error) = self.upgrades.begin(height, &*state).await {
            warn!(%error, "could not read which rules hold");
        }
        drop(state);
        database
    }

    /// As [`Self::state`], for readers: whoever reads the last block's state must find that block.
    pub(crate) async fn opened<E: Runtime, S: Strategy>(
        self,
        stateful: StatefulMailbox<E, S>,
    ) -> SharedDatabase<E> {
        let feed = self.feed.clone();
        let database = self.state(stateful).await;
        feed.begin().await;
        database
    }
}

/// How final blocks are executed.
pub(crate) struct Execution<'a, E: Runtime, S, R> {
    pub application: Application<S>,
    pub prefix: &'a str,
    pub page_cache: CacheRef,
    pub marshal: (Marshal, Floor),
    pub plan: Plan<E>,
    /// Where the state can be taken from, and to whom it is given.
    pub resolvers: R,
    pub retention: Option<Retention>,
}

/// Makes who executes final blocks.
pub(crate) fn execution<E, S, R>(
    context: &E,
    parts: Execution<'_, E, S, R>,
) -> (StatefulOf<E, S, R>, StatefulMailbox<E, S>)
where
    E: Runtime,
    S: Strategy,
    R: SourceFor<Database<E>> + AttachableResolver<Database<E>>,
{
    let prefix = parts.prefix;
    Stateful::new(
        context.child("stateful"),
        StatefulConfig {
            application: parts.application,
            db_config: state::config(&format!("{prefix}-state"), parts.page_cache),
            provider: (),
            marshal: parts.marshal,
            mailbox_size: MAILBOX,
            plan: parts.plan,
            resolvers: parts.resolvers,
            sync_config: SyncEngineConfig {
                fetch_batch_size: SYNC_BATCH,
                apply_batch_size: NZU64!(1024),
                max_outstanding_requests: NZUsize!(8),
            },
            prune_config: parts.retention.map(|retention| retention.engine()),
            strategy: Sequential,
        },
    )
}
