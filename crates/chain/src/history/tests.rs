//! What is removed, and what a restart finds.

use super::{
    logs::{IndexedLog, LogQuery, LogsError, tests::chain},
    *,
};
use alloy_primitives::keccak256;
use commonware_runtime::{
    Clock as _, Runner as _, Spawner as _, Storage as _, Supervisor as _, deterministic,
};
use commonware_utils::{NZU16, NZU64, Probability};
use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

/// Items of a section here.
const SECTION: NonZeroU64 = NZU64!(8);

type Context = deterministic::Context;
type Chain = Vec<(Block, Vec<TransactionReceipt>)>;

async fn open(context: &Context) -> (Actor<Context>, Mailbox) {
    let cache = CacheRef::new(NZU16!(4096), NZUsize!(64));
    let context = context.child("history");
    Actor::open(context, "t", cache, SECTION).await.unwrap()
}

/// What the engine keeps beside.
async fn blocks(context: &Context) -> Blocks<Context> {
    let config = prunable::Config {
        translator: Cap::<4>,
        metadata_partition: "blocks-metadata".to_owned(),
        key_partition: "blocks-key".to_owned(),
        key_page_cache: CacheRef::new(NZU16!(4096), NZUsize!(64)),
        value_partition: "blocks-value".to_owned(),
        compression: None,
        codec_config: (),
        items_per_section: SECTION,
        key_write_buffer: NZUsize!(1024),
        value_write_buffer: NZUsize!(1024),
        replay_buffer: NZUsize!(1024),
    };
    prunable::Archive::init(context.child("blocks"), config)
        .await
        .unwrap()
}

/// Opens as the engine does. Also gives up to where everything is here.
async fn start(context: &Context, blocks: &Blocks<Context>) -> (u64, Mailbox) {
    let (actor, mailbox) = open(context).await;
    let kept = actor.complete_to().await.unwrap();
    actor.index_logs(blocks, kept).await.unwrap().start();
    (kept, mailbox)
}

/// Ends what [`start`] began.
async fn stop(context: &Context, mailbox: Mailbox) {
    drop(mailbox);
    context.sleep(Duration::from_secs(1)).await;
}

async fn logs(mailbox: &Mailbox, from: u64, to: u64) -> Result<Vec<IndexedLog>, LogsError> {
    let query = Arc::new(LogQuery {
        blocks: from..=to,
        addresses: Vec::new(),
        topics: Default::default(),
    });
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let page = mailbox.logs().search(Arc::clone(&query), after).await;
        let page = page.unwrap()?;
        found.extend(page.logs);
        after = page.next;
        if after.is_none() {
            return Ok(found);
        }
    }
}

/// All that was not removed is here, and nothing of what was.
async fn check(mailbox: &Mailbox, chain: &[(Block, Vec<TransactionReceipt>)], all: &[IndexedLog]) {
    let first = mailbox.first().await.unwrap();
    for (block, receipts) in chain {
        let height = block.number();
        let effects = mailbox.effects(height).await;
        if height < first {
            assert_eq!(effects, None, "{height}");
            continue;
        }
        assert_eq!(effects.unwrap().receipts, *receipts, "{height}");
        for (index, raw) in (0..).zip(block.transactions()) {
            let position = mailbox.position(keccak256(raw)).await;
            assert_eq!(position, Some(Position { height, index }), "{height}");
        }
    }
    // The index may be ahead: whoever is told waits for both.
    let last = chain.last().unwrap().0.number();
    let from = mailbox.logs().first().await.unwrap();
    let expected = all
        .iter()
        .filter(|log| (from..=last).contains(&log.block_number));
    let expected: Vec<_> = expected.cloned().collect();
    let found = logs(mailbox, from, last).await.unwrap();
    assert!(found == expected, "{} of {}", found.len(), expected.len());
    if from > 0 {
        let refused = logs(mailbox, from - 1, last).await;
        assert!(
            matches!(refused, Err(LogsError::Pruned { first }) if first == from),
            "{refused:?}"
        );
    }
}

async fn append(
    mailbox: &Mailbox,
    blocks: Blocks<Context>,
    chain: &Chain,
    height: u64,
) -> Blocks<Context> {
    let (block, receipts) = &chain[height as usize - 1];
    let block = Arc::new(block.clone());
    let blocks = blocks
        .put_sync(height, block.digest(), &block)
        .await
        .unwrap();
    mailbox.append(block, receipts.clone()).await;
    blocks
}

#[test]
fn whole_sections_before_a_height_are_removed() {
    deterministic::Runner::default().start(|context| async move {
        let (chain, all) = chain(100, 3);
        let mut blocks = blocks(&context).await;
        let (kept, mut mailbox) = start(&context, &blocks).await;
        assert_eq!(kept, 0);
        for height in 1..=60 {
            blocks = append(&mailbox, blocks, &chain, height).await;
        }
        check(&mailbox, &chain[..60], &all).await;
        assert_eq!(mailbox.first().await, Some(1));
        mailbox.prune(7).await;
        assert_eq!(mailbox.first().await, Some(1), "the section is not over");
        for floor in [43, 43, 20] {
            mailbox.prune(floor).await;
            assert_eq!(mailbox.first().await, Some(40));
            check(&mailbox, &chain[..60], &all).await;
        }
        // Positions of transactions go a section later at most.
        let (old, _) = chain
            .iter()
            .find(|(block, _)| !block.transactions().is_empty())
            .unwrap();
        assert_eq!(
            mailbox.position(keccak256(&old.transactions()[0])).await,
            None
        );
        assert!(mailbox.logs().first().await.unwrap() > 20);

        stop(&context, mailbox).await;
        let (kept, reopened) = start(&context, &blocks).await;
        mailbox = reopened;
        assert_eq!(kept, 60);
        assert_eq!(mailbox.first().await, Some(40));
        for height in 61..=100 {
            blocks = append(&mailbox, blocks, &chain, height).await;
        }
        mailbox.prune(80).await;
        check(&mailbox, &chain, &all).await;
        stop(&context, mailbox).await;

        // The index is made again of what is left, of which the engine may have removed more.
        for partition in ["t-log-blocks-blobs", "t-log-blocks-metadata"] {
            context.remove(partition, None).await.unwrap();
        }
        blocks = blocks.prune(90).await.unwrap();
        let (kept, mailbox) = start(&context, &blocks).await;
        assert_eq!(kept, 100);
        assert_eq!(mailbox.logs().first().await, Some(88));
        check(&mailbox, &chain, &all).await;
    });
}

/// Transactions are numbered through the chain, and blocks without any leave the numbers as they are.
#[test]
fn the_last_transactions_place_stays_however_old() {
    deterministic::Runner::default().start(|context| async move {
        let busy = |number| number <= 10 || number > 60;
        let chain: Chain = chain(70, 6)
            .0
            .into_iter()
            .map(|(block, receipts)| match busy(block.number()) {
                true => (block, receipts),
                false => (crate::sample::block(block.number(), Vec::new()), Vec::new()),
            })
            .collect();
        let mut blocks = blocks(&context).await;
        let (_, mailbox) = start(&context, &blocks).await;
        for height in 1..=60 {
            blocks = append(&mailbox, blocks, &chain, height).await;
        }
        mailbox.prune(57).await;
        stop(&context, mailbox).await;
        let (kept, mailbox) = start(&context, &blocks).await;
        assert_eq!(kept, 60, "nothing is missing");
        for height in 61..=70 {
            blocks = append(&mailbox, blocks, &chain, height).await;
        }
        mailbox.prune(62).await;
        stop(&context, mailbox).await;
        let (kept, mailbox) = start(&context, &blocks).await;
        assert_eq!((kept, mailbox.first().await), (70, Some(56)));
        for (block, _) in &chain[60..] {
            for raw in block.transactions() {
                assert!(mailbox.position(keccak256(raw)).await.is_some());
            }
        }
    });
}

/// Power is lost in the middle of each of many writes and removals, and any part of what was not durable stays.
#[test]
fn a_crash_while_something_is_removed_leaves_what_can_be_opened() {
    let faults = deterministic::FaultConfig::default().write(deterministic::WriteConfig {
        failure_rate: Probability::new(0, 100).unwrap(),
        retention_rate: Probability::new(50, 100).unwrap(),
        mode: deterministic::PartialWriteMode::Subset,
    });
    let config = deterministic::Config::default()
        .with_seed(7)
        .with_storage_fault_config(faults);
    let mut runner = deterministic::Runner::new(config);
    let (chain, all) = chain(400, 8);
    let (chain, all) = (Arc::new(chain), Arc::new(all));
    let acknowledged = Arc::new(AtomicU64::new(0));
    let removed = Arc::new(AtomicU64::new(0));
    for crash in 0..80_u64 {
        let (chain, all) = (Arc::clone(&chain), Arc::clone(&all));
        let (acknowledged, removed) = (Arc::clone(&acknowledged), Arc::clone(&removed));
        let ((), checkpoint) = runner.start_and_recover(|context| async move {
            let writer = context.child("writer").spawn(move |context| async move {
                let mut blocks = blocks(&context).await;
                let (kept, mailbox) = start(&context, &blocks).await;
                let least = acknowledged.load(Ordering::SeqCst);
                assert!(kept >= least, "crash {crash}: {kept} of {least} blocks");
                if kept > 0 {
                    let first = mailbox.first().await.unwrap();
                    removed.fetch_max(first, Ordering::SeqCst);
                    check(&mailbox, &chain[..kept as usize], &all).await;
                }
                for height in kept + 1..=chain.len() as u64 {
                    blocks = append(&mailbox, blocks, &chain, height).await;
                    acknowledged.fetch_max(height, Ordering::SeqCst);
                    if height % 3 == 0 {
                        let floor = height.saturating_sub(20);
                        mailbox.prune(floor).await;
                        blocks = blocks.prune(floor).await.unwrap();
                    }
                }
            });
            // Each poll of the clock lets the writer take a few steps more than last time.
            for _ in 0..=40 + crash * 5 {
                context.sleep(Duration::from_micros(1)).await;
            }
            writer.abort();
        });
        runner = deterministic::Runner::from(checkpoint);
    }
    let reached = acknowledged.load(Ordering::SeqCst);
    let removed = removed.load(Ordering::SeqCst);
    assert!(reached > 100 && removed > 50, "{reached} {removed}");
}
