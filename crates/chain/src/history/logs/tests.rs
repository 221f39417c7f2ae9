use super::*;
use crate::sample;
use alloy_consensus::{Receipt, ReceiptWithBloom};
use alloy_primitives::{Bytes, keccak256};
use commonware_runtime::{Runner as _, Supervisor as _, buffer::paged::CacheRef, deterministic};
use commonware_storage::journal::contiguous::Contiguous as _;
use commonware_utils::{NZU16, NZU32, NZU64, NZUsize};
use types::{Block, TransactionReceipt};

/// Small numbers from a seed, the same everywhere.
struct Dice(u64);

impl Dice {
    fn below(&mut self, sides: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (self.0 >> 33) % sides
    }
}

fn address(number: u64) -> Address {
    Address::left_padding_from(&number.to_be_bytes())
}

fn topic(number: u64) -> B256 {
    B256::left_padding_from(&number.to_be_bytes())
}

fn log(address: Address, topics: Vec<B256>) -> Log {
    Log::new_unchecked(address, topics, Bytes::from_static(b"data"))
}

fn receipt(logs: Vec<Log>) -> TransactionReceipt {
    let receipt = Receipt {
        status: true.into(),
        cumulative_gas_used: 21_000,
        logs,
    };
    TransactionReceipt::Eip1559(ReceiptWithBloom::from(receipt))
}

fn block(number: u64, transactions: usize) -> Block {
    let raw = |index| Bytes::from(format!("{number}/{index}").into_bytes());
    sample::block(number, (0..transactions).map(raw).collect())
}

/// Blocks 1 to `count` with few addresses and topics, and what a reader should find.
pub(in crate::history) fn chain(
    count: u64,
    seed: u64,
) -> (Vec<(Block, Vec<TransactionReceipt>)>, Vec<IndexedLog>) {
    let mut dice = Dice(seed);
    let mut all = Vec::new();
    let blocks = (1..=count).map(|number| {
        let block = block(number, dice.below(3) as usize);
        let mut log_index = 0;
        let mut receipts = Vec::new();
        for (transaction_index, raw) in (0..).zip(block.transactions()) {
            let logs: Vec<Log> = (0..dice.below(4))
                .map(|_| {
                    let topics = (0..dice.below(5)).map(|_| topic(dice.below(6))).collect();
                    log(address(dice.below(4)), topics)
                })
                .collect();
            for log in &logs {
                all.push(IndexedLog {
                    block_number: number,
                    block_hash: block.hash(),
                    block_timestamp: 1_000 + number,
                    transaction_hash: keccak256(raw),
                    transaction_index,
                    log_index,
                    log: log.clone(),
                });
                log_index += 1;
            }
            receipts.push(receipt(logs));
        }
        (block, receipts)
    });
    (blocks.collect(), all)
}

fn layout(run_logs: std::num::NonZeroU32) -> Layout {
    Layout {
        prefix: "t".to_owned(),
        page_cache: CacheRef::new(NZU16!(4096), NZUsize!(256)),
        run_logs,
        section: NZU64!(2),
    }
}

async fn open(
    context: &deterministic::Context,
    name: &'static str,
) -> Index<deterministic::Context> {
    let context = context.child(name);
    Index::open(context, layout(NZU32!(16))).await.unwrap()
}

async fn search(index: &Index<deterministic::Context>, query: &LogQuery) -> Vec<IndexedLog> {
    let mut found = Vec::new();
    let mut least = 0;
    let mut after = None;
    loop {
        let page = index.search(query, after).await.unwrap();
        least = least.max(found.len() as u64 + page.least);
        found.extend(page.logs);
        match page.next {
            Some(next) => {
                assert_ne!(after, Some(next), "a page must get further");
                after = Some(next);
            }
            None => break,
        }
    }
    let count = found.len() as u64;
    assert!(least <= count, "{least} were announced, {count} found");
    found
}

fn some(dice: &mut Dice, most: u64, kinds: u64) -> Vec<u64> {
    (0..dice.below(most)).map(|_| dice.below(kinds)).collect()
}

fn question(dice: &mut Dice, count: u64) -> LogQuery {
    let from = dice.below(count);
    let to = from + dice.below(count);
    // Each thing asked for leaves little: mostly nothing is.
    let mut rarely = |most, kinds| match dice.below(3) {
        0 => some(dice, most, kinds),
        _ => Vec::new(),
    };
    LogQuery {
        blocks: from..=to,
        addresses: rarely(4, 6).into_iter().map(address).collect(),
        topics: [(); 4].map(|()| rarely(3, 8).into_iter().map(topic).collect()),
    }
}

fn expected(all: &[IndexedLog], query: &LogQuery) -> Vec<IndexedLog> {
    let wanted =
        |log: &&IndexedLog| query.blocks.contains(&log.block_number) && query.matches(&log.log);
    all.iter().filter(wanted).cloned().collect()
}

async fn compare(index: &Index<deterministic::Context>, all: &[IndexedLog], count: u64, seed: u64) {
    let mut dice = Dice(seed);
    let mut found = 0;
    for _ in 0..200 {
        let query = question(&mut dice, count);
        let logs = search(index, &query).await;
        assert_eq!(logs, expected(all, &query), "{query:?}");
        found += logs.len();
    }
    assert!(
        found > 100,
        "the questions find too little to show anything"
    );
}

#[test]
fn a_search_finds_what_a_scan_finds() {
    for seed in 0..4 {
        deterministic::Runner::default().start(|context| async move {
            let (blocks, all) = chain(60, seed);
            let mut index = open(&context, "index").await;
            for (block, receipts) in &blocks {
                index = index.append(block, receipts).await.unwrap();
            }
            assert!(index.runs.len() > 3, "{}", index.runs.len());
            compare(&index, &all, 60, seed).await;

            let everything = LogQuery {
                blocks: 0..=u64::MAX,
                addresses: Vec::new(),
                topics: Default::default(),
            };
            assert_eq!(search(&index, &everything).await, all);
        });
    }
}

#[test]
fn a_restart_and_a_repeated_block_change_nothing() {
    deterministic::Runner::default().start(|context| async move {
        let (blocks, all) = chain(60, 9);
        let mut index = open(&context, "first").await;
        for (number, (block, receipts)) in blocks.iter().enumerate() {
            index = index.append(block, receipts).await.unwrap();
            let (block, receipts) = &blocks[number / 2];
            index = index.append(block, receipts).await.unwrap();
            if number % 7 == 0 {
                drop(index);
                index = open(&context, "again").await;
                // What is not on disk has no logs, and is given again.
                for (block, receipts) in &blocks[index.next().saturating_sub(1) as usize..=number] {
                    assert!(receipts.iter().all(|each| each.logs().is_empty()));
                    index = index.append(block, receipts).await.unwrap();
                }
            }
        }
        compare(&index, &all, 60, 9).await;
    });
}

/// Power is lost in the middle of each of many writes, and any part of what was not durable stays.
#[test]
fn a_crash_loses_nothing_that_was_acknowledged() {
    use commonware_runtime::{Clock as _, Spawner as _};
    use std::sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    };
    let faults = || {
        deterministic::FaultConfig::default().write(deterministic::WriteConfig {
            failure_rate: commonware_utils::Probability::new(0, 100).unwrap(),
            retention_rate: commonware_utils::Probability::new(50, 100).unwrap(),
            mode: deterministic::PartialWriteMode::Subset,
        })
    };
    let (blocks, all) = chain(80, 3);
    let blocks = Arc::new(blocks);
    let acknowledged = Arc::new(AtomicU64::new(0));
    let config = deterministic::Config::default()
        .with_seed(5)
        .with_storage_fault_config(faults());
    let mut runner = deterministic::Runner::new(config);
    for crash in 0..40_u64 {
        let (blocks, acknowledged) = (Arc::clone(&blocks), Arc::clone(&acknowledged));
        let (done, checkpoint) = runner.start_and_recover(|context| async move {
            let writer = context.child("writer").spawn(move |context| async move {
                let mut index = open(&context, "index").await;
                let logs = |height: u64| {
                    let until = &blocks[..height as usize];
                    until
                        .iter()
                        .flat_map(|(_, receipts)| receipts)
                        .flat_map(|each| each.logs())
                        .count()
                };
                let kept = acknowledged.load(Ordering::SeqCst);
                assert!(
                    index.logs.size() as usize >= logs(kept),
                    "crash {crash}: logs of block {kept} are gone"
                );
                for (block, receipts) in &blocks[index.next().saturating_sub(1) as usize..] {
                    index = index.append(block, receipts).await.unwrap();
                    acknowledged.fetch_max(block.number(), Ordering::SeqCst);
                }
            });
            // Each poll of the clock lets the writer take a few steps more than last time.
            for _ in 0..=crash * 3 {
                context.sleep(std::time::Duration::from_micros(1)).await;
            }
            writer.abort();
        });
        let () = done;
        runner = deterministic::Runner::from(checkpoint);
    }
    let reached = acknowledged.load(Ordering::SeqCst);
    assert!(reached > 0, "no block was ever indexed");
    runner.start(|context| async move {
        let mut index = open(&context, "index").await;
        for (block, receipts) in &blocks[index.next().saturating_sub(1) as usize..] {
            index = index.append(block, receipts).await.unwrap();
        }
        compare(&index, &all, 80, 3).await;
    });
}

/// The same hundred logs in a chain ten times as long, and in a range ten times as long: the same work.
#[test]
fn the_cost_of_a_search_is_that_of_what_it_finds() {
    deterministic::Runner::default().start(|context| async move {
        let context = context.child("index");
        let mut index = Index::open(context, layout(NZU32!(4_096))).await.unwrap();
        let mut reads = Vec::new();
        let rare = |number: u64| number % 6 == 1 && number < 600;
        for number in 1..=6_000 {
            let topics = if rare(number) {
                vec![topic(1)]
            } else {
                vec![topic(2)]
            };
            let receipts = [receipt(vec![log(address(number % 3), topics)])];
            index = index.append(&block(number, 1), &receipts).await.unwrap();
            if number == 600 || number == 6_000 {
                let query = LogQuery {
                    blocks: 0..=number,
                    addresses: Vec::new(),
                    topics: [vec![topic(1)], vec![], vec![], vec![]],
                };
                let page = index.search(&query, None).await.unwrap();
                assert_eq!((page.logs.len(), page.next), (100, None));
                assert_eq!(page.least, 100, "known from the postings alone");
                reads.push(page.reads);
            }
        }
        // One page of postings more: the first 4,096 logs have become a run.
        assert_eq!(reads, [100, 101]);
    });
}

#[test]
fn a_gap_starts_anew_and_says_so() {
    deterministic::Runner::default().start(|context| async move {
        let (blocks, all) = chain(40, 1);
        let mut index = open(&context, "index").await;
        for (block, receipts) in blocks
            .iter()
            .filter(|(block, _)| !(11..=20).contains(&block.number()))
        {
            index = index.append(block, receipts).await.unwrap();
        }
        drop(index);
        let mut index = open(&context, "again").await;
        for (block, receipts) in &blocks[index.next() as usize - 1..] {
            index = index.append(block, receipts).await.unwrap();
        }
        let query = |from| LogQuery {
            blocks: from..=40,
            addresses: Vec::new(),
            topics: Default::default(),
        };
        let before = index.search(&query(20), None).await;
        assert!(
            matches!(before, Err(LogsError::Pruned { first: 21 })),
            "{before:?}"
        );
        assert_eq!(search(&index, &query(21)).await, expected(&all, &query(21)));
    });
}

fn since(from: u64) -> LogQuery {
    LogQuery {
        blocks: from..=u64::MAX,
        addresses: Vec::new(),
        topics: Default::default(),
    }
}

#[test]
fn what_is_removed_is_refused_and_the_rest_is_found() {
    deterministic::Runner::default().start(|context| async move {
        let (blocks, all) = chain(200, 4);
        let mut index = open(&context, "index").await;
        let mut removed = 0;
        for (block, receipts) in &blocks {
            let number = block.number();
            index = index.append(block, receipts).await.unwrap();
            if number % 7 != 0 {
                continue;
            }
            let floor = number.saturating_sub(30);
            index = index.prune(floor).await.unwrap();
            if number % 3 == 0 {
                drop(index);
                index = open(&context, "again").await;
                for (block, receipts) in &blocks[index.next().max(1) as usize - 1..number as usize]
                {
                    index = index.append(block, receipts).await.unwrap();
                }
            }
            let first = index.first();
            assert!(first <= floor.max(1), "{first} > {floor}");
            if let Some(before) = first.checked_sub(1).filter(|before| *before > 0) {
                removed += 1;
                let found = index.search(&since(before), None).await;
                let refused =
                    matches!(found, Err(LogsError::Pruned { first: told }) if told == first);
                assert!(refused, "{found:?}");
            }
            let mut dice = Dice(number);
            for _ in 0..20 {
                let query = question(&mut dice, number);
                let from = (*query.blocks.start()).max(first);
                let query = LogQuery {
                    blocks: from..=(*query.blocks.end()).min(number),
                    ..query
                };
                assert_eq!(
                    search(&index, &query).await,
                    expected(&all, &query),
                    "{query:?}"
                );
            }
        }
        assert!(removed > 10, "{removed}");
        // Within two sections of what was asked for: 8 logs each.
        assert!(index.first() > 130, "{}", index.first());
        assert!(index.logs.bounds().start > 0 && index.pages.bounds().start > 0);
        assert!(index.blocks.bounds().start > 0);
    });
}
