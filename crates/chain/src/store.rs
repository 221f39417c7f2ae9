//! What every node keeps of its chain, opened: block 0, certificates and blocks, what blocks did, past states.
//!
//! How final blocks come in is not known here: to those who sign and to observers by the network between members (`engine`),
//! to followers from upstreams (`follow`).

use crate::{
    alias::{Delivery, Finalization, Marshal, Runtime, Scheme},
    engine::StartError,
    history::{self, archive},
    retention::Retention,
};
use commonware_consensus::{
    marshal::{self, core::Actor as MarshalActor},
    types::{Epoch, FixedEpocher, ViewDelta},
};
use commonware_cryptography::{Digested, Digestible as _, certificate::ConstantProvider};
use commonware_glue::stateful::SyncPlan;
use commonware_parallel::Strategy;
use commonware_runtime::buffer::paged::CacheRef;
use commonware_storage::{archive::prunable, translator::Cap};
use commonware_utils::{NZU16, NZU64, NZUsize};
use state::open_genesis;
use std::{
    num::{NonZeroU16, NonZeroU64, NonZeroUsize},
    sync::Arc,
};
use types::{Block, ChainSpec, Committee, Digest, Namespace};

/// Bytes of a page on disk. Part of the layout of all that is stored: fixed for the life of the data.
pub const PAGE_BYTES: NonZeroU16 = NZU16!(16_384);
/// Bytes buffered before a write, by actor.
pub(crate) const WRITE_BUFFER: NonZeroUsize = NZUsize!(1 << 16);
/// Messages waiting for an actor of the engine. When full the sender waits or drops, as each says.
pub(crate) const MAILBOX: NonZeroUsize = NZUsize!(1024);

/// What the engine stores by height.
type Stored<E, V> = prunable::Archive<Cap<4>, E, Digest, V>;
/// The engine's plan to take the state from others, or not.
pub(crate) type Plan<E> = SyncPlan<E, Scheme, Delivery>;
/// Where the engine stands in what it delivers.
pub(crate) type Floor = marshal::core::Floor;
/// Who stores and delivers final blocks, before it runs.
pub(crate) type MarshalOf<E, S> = MarshalActor<
    E,
    Delivery,
    ConstantProvider<Scheme, Epoch>,
    Stored<E, Finalization>,
    Stored<E, Arc<Block>>,
    FixedEpocher,
    S,
>;

/// How a node keeps its chain.
pub(crate) struct Settings<'a> {
    /// The chain's constitution.
    pub spec: &'a ChainSpec,
    /// Prefix of all storage partitions.
    pub prefix: &'a str,
    /// Bytes of disk pages kept in memory.
    pub page_cache_bytes: usize,
    /// Whether the states of past blocks are kept.
    pub archive: bool,
    /// How many of the last blocks are kept at least.
    pub keep_blocks: Option<NonZeroU64>,
    /// Items that are stored, and removed, together.
    pub section: NonZeroU64,
}

/// What is opened.
pub(crate) struct Store<E: Runtime> {
    prefix: String,
    archived: bool,
    epoch_blocks: NonZeroU64,
    pub page_cache: CacheRef,
    pub genesis: Block,
    pub committee: Committee,
    pub namespace: Namespace,
    /// One key for all epochs.
    pub verifier: Scheme,
    pub retention: Option<Retention>,
    pub history: history::Mailbox,
    /// Height up to which it is known what blocks did.
    pub kept: u64,
    finalizations: Stored<E, Finalization>,
    blocks: Stored<E, Arc<Block>>,
}

impl<E: Runtime> Store<E> {
    /// Opens it, and makes block 0 if there is none yet.
    ///
    /// # Errors
    /// [`StartError`] naming what is wrong with the settings or the data.
    pub(crate) async fn open(context: &E, settings: Settings<'_>) -> Result<Self, StartError> {
        let Settings {
            spec,
            prefix,
            section,
            ..
        } = settings;
        let retention = match settings.keep_blocks {
            Some(keep) => Some(Retention::new(
                keep,
                settings.archive,
                spec.epoch_blocks,
                section,
            )?),
            None => None,
        };
        let pages = settings.page_cache_bytes / usize::from(PAGE_BYTES.get());
        let page_cache =
            CacheRef::new(PAGE_BYTES, NonZeroUsize::new(pages).unwrap_or(NZUsize!(64)));
        let genesis =
            open_genesis(context.child("genesis"), prefix, spec, page_cache.clone()).await?;
        let committee = spec.committee()?;
        let namespace = Namespace::new(spec.chain_id, &genesis.digest());
        let verifier = Scheme::certificate_verifier(
            namespace.as_bytes(),
            *committee.output().public().public(),
        );
        let kept = |name: &str| layout(prefix, name, section, &page_cache);
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
        Ok(Self {
            prefix: prefix.to_owned(),
            archived: settings.archive,
            epoch_blocks: spec.epoch_blocks,
            page_cache,
            genesis,
            committee,
            namespace,
            verifier,
            retention,
            history,
            kept,
            finalizations,
            blocks,
        })
    }

    /// Hands certificates and blocks to whoever stores and delivers final ones. `repair`: how many missing ones it asks for at
    /// a time.
    pub(crate) async fn marshal<S: Strategy>(
        self,
        context: &E,
        plan: &Plan<E>,
        strategy: S,
        repair: NonZeroUsize,
    ) -> (MarshalOf<E, S>, Marshal, Floor) {
        let genesis = Digested::precomputed(self.genesis.clone(), self.genesis.digest());
        MarshalActor::init(
            context.child("marshal"),
            self.finalizations,
            self.blocks,
            marshal::Config {
                provider: ConstantProvider::new(self.verifier),
                epocher: FixedEpocher::new(self.epoch_blocks),
                start: plan.marshal_start(genesis),
                partition_prefix: self.prefix,
                mailbox_size: MAILBOX,
                view_retention: ViewDelta::new(10),
                prunable_items_per_section: NZU64!(1024),
                page_cache: self.page_cache,
                replay_buffer: NZUsize!(1 << 20),
                key_write_buffer: WRITE_BUFFER,
                value_write_buffer: WRITE_BUFFER,
                block_codec_config: (),
                max_repair: repair,
                max_pending_acks: NZUsize!(16),
                strategy,
            },
        )
        .await
    }

    /// Opens the states of past blocks, on nodes that keep them.
    ///
    /// # Errors
    /// When storage fails.
    pub(crate) async fn archive(
        &self,
        context: &E,
    ) -> Result<Option<archive::Mailbox>, StartError> {
        if !self.archived {
            return Ok(None);
        }
        let layout = archive::Layout {
            prefix: self.prefix.clone(),
            page_cache: self.page_cache.clone(),
        };
        let store = archive::Store::open(context.child("archive"), layout).await;
        let store = store.map_err(commonware_storage::archive::Error::from)?;
        let (actor, mailbox) = archive::Actor::new(context.child("archive"), store);
        actor.start();
        Ok(Some(mailbox))
    }
}

/// How the engine stores what is final by height: `finalizations`, and `blocks`.
pub(crate) fn layout(
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
