//! A node on a chain that was executed elsewhere, for tests that serve Ethereum's own blocks.
//!
//! There is no consensus: all else is what a validator has. The blocks go where final ones go, through the same history,
//! archive, state database and feed, and the handle that is made answers as every other does. Only that nothing of it is
//! checked here, and that a block's `stateRoot` is not the state's root.
//!
//! No node may be started here: the module takes the feature `import`, for which only tests ask.

use crate::{
    alias::{Delivery, Runtime, Scheme},
    feed::{Feed, Finalized},
    history::{self, archive},
    ledger::{self, Ledger},
    mempool,
    node::{self, Node},
    retention::SECTION_ITEMS,
    upgrade::Program,
};
use alloy_consensus::Header;
use alloy_eips::eip2935::{HISTORY_SERVE_WINDOW, HISTORY_STORAGE_ADDRESS};
use alloy_primitives::U256;
use commonware_consensus::{
    marshal::{self, core::Actor as MarshalActor},
    types::{FixedEpocher, ViewDelta},
};
use commonware_cryptography::{Digested, Digestible as _, certificate::ConstantProvider};
use commonware_glue::stateful::db::DatabaseSet as _;
use commonware_p2p::{Receiver, Sender};
use commonware_parallel::Sequential;
use commonware_runtime::buffer::paged::CacheRef;
use commonware_storage::{archive::prunable, translator::Cap};
use commonware_utils::{NZU16, NZU64, NZUsize, channel::watch};
use state::{SharedDatabase, StateRead as _, open_genesis};
use std::sync::Arc;
use types::{Block, ChainSpec, Namespace, StateKey, StateValue, Transaction, TransactionReceipt};

/// Blocks a chain may have after block 0: they are served from memory, from [`Feed`].
pub const BLOCKS_MAX: usize = 127;

/// Prefix of all storage partitions.
const PREFIX: &str = "import";

/// A chain to serve.
#[derive(Clone, Debug)]
pub struct Config {
    /// A constitution to match: chain id, fees and limits, and as its accounts the state after block 0. The rules of its
    /// fork are those of calls.
    pub spec: Arc<ChainSpec>,
    /// The header of block 0.
    pub genesis: Header,
    /// All blocks after it, at most [`BLOCKS_MAX`].
    pub blocks: Vec<ImportedBlock>,
}

/// A block, and what it did.
#[derive(Clone, Debug)]
pub struct ImportedBlock {
    /// Its header.
    pub header: Header,
    /// Its transactions.
    pub transactions: Vec<Arc<Transaction>>,
    /// Its transaction receipts.
    pub receipts: Vec<TransactionReceipt>,
    /// What it changed, in the order of keys.
    pub changes: Vec<(StateKey, StateValue)>,
}

/// Starts a node whose last final block is the last one of the chain. Its mempool speaks over `gossip`.
///
/// # Panics
/// When storage fails, or the chain is too long.
#[expect(clippy::expect_used, reason = "a test has nothing else to do")]
pub async fn start<E, N, R>(context: E, config: Config, gossip: (N, R)) -> Node
where
    E: Runtime,
    N: Sender,
    R: Receiver,
{
    let Config {
        spec,
        genesis,
        blocks,
    } = config;
    assert!(blocks.len() <= BLOCKS_MAX, "at most {BLOCKS_MAX} blocks");
    let page_cache = CacheRef::new(NZU16!(16_384), NZUsize!(256));
    // Writes the accounts. The block that it makes of them is not the one of this chain.
    let ours = open_genesis(context.child("genesis"), PREFIX, &spec, page_cache.clone())
        .await
        .expect("block 0");
    let extension = ours.extension();
    let foreign = |header, transactions: &[Arc<Transaction>]| {
        let raw = transactions.iter().map(|each| each.raw().clone());
        Arc::new(Block::foreign(header, extension.clone(), raw.collect()))
    };
    let layout = state::config(&format!("{PREFIX}-state"), page_cache.clone());
    let database = SharedDatabase::<E>::init(context.child("state"), layout, None).await;
    let (history_actor, history) = history::Actor::open(
        context.child("history"),
        PREFIX,
        page_cache.clone(),
        SECTION_ITEMS,
    )
    .await
    .expect("history");
    history_actor.start();
    let layout = archive::Layout {
        prefix: PREFIX.to_owned(),
        page_cache: page_cache.clone(),
    };
    let store = archive::Store::open(context.child("archive"), layout)
        .await
        .expect("archive");
    let (archive_actor, archive) = archive::Actor::new(context.child("archive"), store);
    archive_actor.start();
    let genesis = foreign(genesis, &[]);
    let feed = Feed::new(Finalized::new(Arc::clone(&genesis), Vec::new(), Vec::new()));
    for imported in blocks {
        let ImportedBlock {
            header,
            transactions,
            receipts,
            changes,
        } = imported;
        let block = foreign(header, &transactions);
        let changes = with_history(changes, block.header());
        // In the order in which a validator does it, who applies a state only when its past is kept.
        let keys: Vec<StateKey> = changes
            .iter()
            .map(|(key, _)| *key)
            .filter(|key| !matches!(key, StateKey::Code(_)))
            .collect();
        let before = database.read().await.read_many(&keys).await;
        let before = keys.into_iter().zip(before.expect("the state")).collect();
        archive.append(block.number(), before).await;
        let batch = database.new_batches().await;
        let changed = state::write(batch, changes).await.expect("the state");
        database.apply(changed).await;
        history.append(Arc::clone(&block), receipts.clone()).await;
        feed.publish(block, transactions, receipts);
    }
    let marshal = nobody(&context, &spec, &ours, page_cache).await;
    let (mut ledger, mempool_actor) = Ledger::new(
        &context,
        ledger::Parts {
            spec: &spec,
            // What the mempool takes follows from the block that it is told of here.
            genesis: Block::clone(&feed.latest().block),
            program: Program::default(),
            limits: mempool::Limits::default(),
            history,
            archive: Some(archive),
        },
    );
    ledger.genesis = genesis;
    ledger.feed = feed;
    let ready = std::future::ready(database.clone());
    mempool_actor.start(ready, gossip);
    node::start(
        context.child("node"),
        node::Parts {
            ledger,
            marshal,
            peers: None,
            upstreams: None,
            fence: None,
            entered: None,
            keep_blocks: None,
            health: watch::channel(None).1,
            give_way: || {},
        },
        std::future::ready(database),
    )
}

/// On our chain `BLOCKHASH` reads the history contract, which holds hashes from the first block on (ADR 0011). On Ethereum's
/// it holds them since Prague.
fn with_history(
    mut changes: Vec<(StateKey, StateValue)>,
    header: &Header,
) -> Vec<(StateKey, StateValue)> {
    let slot = header.number.saturating_sub(1) % HISTORY_SERVE_WINDOW as u64;
    let key = StateKey::Slot(HISTORY_STORAGE_ADDRESS, U256::from(slot));
    changes.retain(|(changed, _)| *changed != key);
    changes.push((key, StateValue::Slot(header.parent_hash.into())));
    changes
}

/// Where blocks that left memory are asked for, and certificates: there are none, and nobody answers.
#[expect(clippy::expect_used, reason = "a test has nothing else to do")]
async fn nobody<E: Runtime>(
    context: &E,
    spec: &ChainSpec,
    genesis: &Block,
    page_cache: CacheRef,
) -> crate::alias::Marshal {
    let committee = spec.committee().expect("a committee");
    let namespace = Namespace::new(spec.chain_id, &genesis.digest());
    let scheme = Scheme::verifier(
        namespace.as_bytes(),
        committee.validators().clone(),
        committee.output().public().clone(),
    );
    let kept = |name: &str| prunable::Config {
        translator: Cap::<4>,
        metadata_partition: format!("{PREFIX}-{name}-metadata"),
        key_partition: format!("{PREFIX}-{name}-key"),
        key_page_cache: page_cache.clone(),
        value_partition: format!("{PREFIX}-{name}-value"),
        compression: None,
        codec_config: (),
        items_per_section: NZU64!(1024),
        key_write_buffer: NZUsize!(1024),
        value_write_buffer: NZUsize!(1024),
        replay_buffer: NZUsize!(1024),
    };
    let finalizations =
        prunable::Archive::init(context.child("finalizations"), kept("finalizations"));
    let blocks = prunable::Archive::init(context.child("blocks"), kept("blocks"));
    let (_actor, marshal, _floor) = MarshalActor::<_, Delivery, _, _, _, _, _>::init(
        context.child("marshal"),
        finalizations.await.expect("finalizations"),
        blocks.await.expect("blocks"),
        marshal::Config {
            provider: ConstantProvider::new(scheme),
            epocher: FixedEpocher::new(NZU64!(u64::MAX)),
            start: marshal::Start::Genesis(Digested::precomputed(
                genesis.clone(),
                genesis.digest(),
            )),
            partition_prefix: PREFIX.to_owned(),
            mailbox_size: NZUsize!(16),
            view_retention: ViewDelta::new(10),
            prunable_items_per_section: NZU64!(1024),
            page_cache: page_cache.clone(),
            replay_buffer: NZUsize!(1024),
            key_write_buffer: NZUsize!(1024),
            value_write_buffer: NZUsize!(1024),
            block_codec_config: (),
            max_repair: NZUsize!(16),
            max_pending_acks: NZUsize!(16),
            strategy: Sequential,
        },
    )
    .await;
    marshal
}
