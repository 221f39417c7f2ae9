//! What the machine answers to single inputs, in words. Schedules with crashes are in `tests/it`.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test may stop"
)]

use std::fmt::Write as _;

use alloy_primitives::{B256, Bytes};
use db::{Batch, BatchEnd, Cursor, Entry, Settlement, Unsettled, Write};
use expect_test::{Expect, expect};

use super::{Config, Effect, Input, Machine, NonceRead, Recovered, SendAnswer};
use crate::observe::{BlockFacts, EntryFacts, Fate, Outcome, Recording, TxFacts};

fn word(value: u64) -> B256 {
    B256::from(alloy_primitives::U256::from(value))
}

/// The record with that `seq`; its id is the same number.
fn entry(seq: u64) -> Entry {
    Entry {
        seq,
        id: word(seq),
        key: word(seq + 1000),
        commitment: word(seq + 2000),
        batch_max: 512,
    }
}

fn hash(nonce: u64) -> B256 {
    word(nonce + 5000)
}

fn anchor() -> db::Anchor {
    db::Anchor {
        tx_hash: B256::ZERO,
        height: 0,
        block_hash: B256::ZERO,
        block_ms: 0,
        log_index: 0,
        receipt: vec![],
    }
}

struct Bench {
    machine: Machine,
    now_ms: u64,
    height: u64,
    log: String,
}

impl Bench {
    fn recovered(unsettled: Vec<Unsettled>, pending: Vec<Batch>, nonce_floor: u64) -> Self {
        let cursor = Cursor {
            height: 10,
            hash: B256::ZERO,
        };
        let rows = Recovered {
            unsettled,
            last_seq: 0,
            pending,
            nonce_floor,
            cursor,
        };
        let mut config = Config::default();
        config.pace.in_flight_max = 2;
        let machine = Machine::recover(config, rows);
        Self {
            machine,
            now_ms: 100_000,
            height: 10,
            log: String::new(),
        }
    }

    /// Empty, with nonce 7 next.
    fn ready() -> Self {
        let mut bench = Self::recovered(vec![], vec![], 0);
        bench.machine.step(bench.now_ms, Input::Tick);
        bench.machine.step(bench.now_ms, word_of(10, 7, 7));
        bench
    }

    fn step(&mut self, input: Input) -> &mut Self {
        for effect in self.machine.step(self.now_ms, input) {
            writeln!(self.log, "{}", describe(&effect)).unwrap();
        }
        self
    }

    fn accept(&mut self, seqs: std::ops::RangeInclusive<u64>) -> &mut Self {
        self.step(Input::Accepted(seqs.map(entry).collect()))
    }

    fn signed(&mut self, nonce: u64) -> &mut Self {
        self.step(Input::Signed {
            nonce,
            hash: hash(nonce),
            raw: Bytes::from(vec![nonce as u8]),
        })
    }

    fn sent(&mut self, nonce: u64, answer: SendAnswer) -> &mut Self {
        self.step(Input::Sent { nonce, answer })
    }

    fn after(&mut self, ms: u64) -> &mut Self {
        self.now_ms += ms;
        self.step(Input::Tick)
    }

    fn block(&mut self, transactions: Vec<TxFacts>) -> &mut Self {
        self.height += 1;
        let cursor = Cursor {
            height: self.height,
            hash: word(self.height),
        };
        self.step(Input::Block(BlockFacts {
            cursor,
            base_fee: 0,
            transactions,
        }))
    }

    fn check(&mut self, expected: Expect) -> &mut Self {
        expected.assert_eq(&std::mem::take(&mut self.log));
        self
    }
}

fn word_of(height: u64, latest: u64, pending: u64) -> Input {
    Input::NonceRead(Some(NonceRead {
        height,
        latest,
        pending,
        base_fee: 0,
    }))
}

fn transaction(nonce: u64, outcome: Outcome) -> TxFacts {
    TxFacts {
        hash: hash(nonce),
        nonce,
        outcome,
    }
}

fn recorded(nonce: u64, fates: &[(u64, Fate)]) -> TxFacts {
    let entries = fates.iter().map(|(seq, fate)| {
        let entry = entry(*seq);
        EntryFacts {
            id: entry.id,
            commitment: entry.commitment,
            fate: fate.clone(),
        }
    });
    let recording = Recording {
        anchor: Some(anchor()),
        entries: entries.collect(),
    };
    transaction(nonce, Outcome::Recorded(recording))
}

fn claimed(seqs: std::ops::RangeInclusive<u64>) -> Vec<(u64, Fate)> {
    seqs.clone()
        .map(|seq| (seq, Fate::Claimed(seq - seqs.start(), vec![])))
        .collect()
}

fn describe(effect: &Effect) -> String {
    match effect {
        Effect::Persist(Write::Batch(batch)) => {
            format!(
                "persist batch {} of {:?}",
                batch.nonce,
                span(&batch.records)
            )
        }
        Effect::Persist(Write::Settle(settlement)) => {
            format!("persist {}", describe_settlement(settlement))
        }
        Effect::Sign { nonce, entries, .. } => format!("sign {nonce} with {}", entries.len()),
        Effect::Send { nonce, attempt, .. } => format!("send {nonce}, try {attempt}"),
        Effect::ReadNonce { attempt } => format!("read nonce, try {attempt}"),
        Effect::Find { entries, .. } => format!("find {}", entries.len()),
        Effect::Settled(ids) => format!("tell {}", ids.len()),
        Effect::Alarm(alarm) => format!("alarm: {alarm}"),
    }
}

fn span(records: &[u64]) -> (usize, Option<&u64>, Option<&u64>) {
    (records.len(), records.first(), records.last())
}

fn describe_settlement(settlement: &Settlement) -> String {
    let mut parts = vec![];
    if let Some(cursor) = settlement.cursor {
        parts.push(format!("block {}", cursor.height));
    }
    if !settlement.claims.is_empty() {
        parts.push(format!(
            "{} final by {} anchors",
            settlement.claims.len(),
            settlement.anchors.len()
        ));
    }
    for (seq, failure) in &settlement.failures {
        parts.push(format!("{seq} failed: {}", failure.code));
    }
    for (nonce, end) in &settlement.batches {
        let end = match end {
            BatchEnd::Final => "final",
            BatchEnd::Reverted => "reverted",
            BatchEnd::Superseded => "superseded",
        };
        parts.push(format!("{nonce} {end}"));
    }
    if !settlement.batch_max.is_empty() {
        parts.push(format!("batch_max {:?}", settlement.batch_max));
    }
    if !settlement.searched.is_empty() {
        parts.push(format!("searched {:?}", settlement.searched));
    }
    parts.join(", ")
}

#[test]
fn nothing_is_signed_before_the_chain_was_looked_at() {
    let mut bench = Bench::recovered(vec![], vec![], 0);
    bench.accept(1..=1).check(expect![[r#"
        read nonce, try 1
    "#]]);
    bench
        .step(Input::NonceRead(None))
        .after(400)
        .check(expect![[r#"
        read nonce, try 2
    "#]]);
    // The stream has to reach the height of what was said first: the journal may be an old backup.
    bench.step(word_of(11, 7, 7)).check(expect![[""]]);
    bench.block(vec![]).check(expect![[r#"
        persist block 11
        sign 7 with 1
    "#]]);
}

#[test]
fn a_record_goes_at_once_and_the_next_ones_gather() {
    let mut bench = Bench::ready();
    bench.accept(1..=1).signed(7).check(expect![[r#"
        sign 7 with 1
        persist batch 7 of (1, Some(1), Some(1))
        send 7, try 0
    "#]]);
    bench
        .sent(7, SendAnswer::Taken)
        .accept(2..=2)
        .accept(3..=5)
        .check(expect![[""]]);
    bench
        .block(vec![recorded(7, &claimed(1..=1))])
        .check(expect![[r#"
        persist block 11, 1 final by 1 anchors, 7 final
        tell 1
        sign 8 with 4
    "#]]);
}

#[test]
fn full_batches_fly_side_by_side_up_to_the_limit() {
    let mut bench = Bench::ready();
    bench
        .accept(1..=1500)
        .signed(7)
        .signed(8)
        .check(expect![[r#"
        sign 7 with 512
        persist batch 7 of (512, Some(1), Some(512))
        send 7, try 0
        sign 8 with 512
        persist batch 8 of (512, Some(513), Some(1024))
        send 8, try 0
    "#]]);
    bench
        .block(vec![recorded(7, &claimed(1..=512))])
        .check(expect![[r#"
        persist block 11, 512 final by 1 anchors, 7 final
        tell 512
    "#]]);
    bench
        .block(vec![recorded(8, &claimed(513..=1024))])
        .check(expect![[r#"
        persist block 12, 512 final by 1 anchors, 8 final
        tell 512
        sign 9 with 476
    "#]]);
}

#[test]
fn what_a_lost_node_took_goes_to_the_next_one_at_once() {
    let mut bench = Bench::ready();
    bench.accept(1..=1).step(Input::NodeLost).signed(7);
    bench.sent(7, SendAnswer::Taken).after(100);
    bench.log.clear();
    bench.step(Input::NodeLost).check(expect![[r#"
        send 7, try 1
    "#]]);
    bench.after(100).check(expect![[""]]);
}

#[test]
fn what_is_not_final_is_sent_again_and_never_signed_again() {
    let mut bench = Bench::ready();
    bench.accept(1..=1).signed(7).sent(7, SendAnswer::Unknown);
    bench.log.clear();
    bench
        .after(500)
        .after(2_000)
        .after(4_000)
        .check(expect![[r#"
        send 7, try 1
        send 7, try 2
        read nonce, try 2
        send 7, try 3
        read nonce, try 3
    "#]]);
    // The node has it: it is on its way.
    bench
        .step(word_of(10, 7, 8))
        .sent(7, SendAnswer::NonceTooLow)
        .check(expect![[r#"
        read nonce, try 4
    "#]]);
    bench
        .block(vec![recorded(7, &claimed(1..=1))])
        .check(expect![[r#"
        persist block 11, 1 final by 1 anchors, 7 final
        tell 1
    "#]]);
}

#[test]
fn a_nonce_used_by_another_transaction_supersedes_ours() {
    let mut bench = Bench::ready();
    bench.accept(1..=2).signed(7);
    bench.log.clear();
    let foreign = TxFacts {
        hash: word(1),
        nonce: 7,
        outcome: Outcome::Other,
    };
    bench.block(vec![foreign]).check(expect![[r#"
        alarm: transaction 0x0000000000000000000000000000000000000000000000000000000000000001 with nonce 7 was not sent by this gateway: its relayer key is used elsewhere
        persist block 11, 7 superseded
        sign 8 with 2
    "#]]);
}

#[test]
fn a_node_that_says_the_nonce_is_used_makes_records_ride_twice_and_be_final_once() {
    let mut bench = Bench::ready();
    bench
        .accept(1..=1)
        .signed(7)
        .sent(7, SendAnswer::NonceTooLow);
    bench.log.clear();
    bench.step(word_of(10, 9, 9)).signed(9).check(expect![[r#"
        sign 9 with 1
        persist batch 9 of (1, Some(1), Some(1))
        send 9, try 0
    "#]]);
    // It lied: ours is included after all, and settles the record. The other one stays, in case it is.
    bench
        .block(vec![recorded(7, &claimed(1..=1))])
        .check(expect![[r#"
        persist block 11, 1 final by 1 anchors, 7 final
        tell 1
    "#]]);
    bench.accept(2..=2).check(expect![[""]]);
    // Another node tells the truth: the gap is closed first.
    bench.after(7_000);
    bench.log.clear();
    bench.step(word_of(11, 8, 8)).signed(8).check(expect![[r#"
        alarm: nonce 8 is missing below transactions in flight; it is used next
        sign 8 with 1
        persist batch 8 of (1, Some(2), Some(2))
        send 8, try 0
    "#]]);
    bench
        .block(vec![recorded(8, &claimed(2..=2))])
        .check(expect![[r#"
        persist block 12, 1 final by 1 anchors, 8 final
        tell 1
        send 9, try 2
        read nonce, try 3
    "#]]);
    let repeated = recorded(9, &[(1, Fate::Earlier)]);
    bench.block(vec![repeated]).check(expect![[r#"
        persist block 13, 9 final
    "#]]);
}

#[test]
fn a_reverted_batch_is_halved_down_to_the_record_at_fault() {
    let mut bench = Bench::ready();
    bench.accept(1..=3).signed(7);
    bench.log.clear();
    bench.block(vec![transaction(7, Outcome::Reverted)]).signed(8).check(expect![[r#"
        alarm: the transaction 0x000000000000000000000000000000000000000000000000000000000000138f with 3 records reverted
        persist block 11, 7 reverted, batch_max [(1, 2), (2, 2), (3, 2)]
        sign 8 with 2
        persist batch 8 of (2, Some(1), Some(2))
        send 8, try 0
    "#]]);
    bench
        .block(vec![transaction(8, Outcome::Reverted)])
        .signed(9);
    bench.log.clear();
    bench.block(vec![transaction(9, Outcome::Reverted)]).check(expect![[r#"
        alarm: the transaction 0x0000000000000000000000000000000000000000000000000000000000001391 with 1 records reverted
        persist block 13, 1 failed: transaction_reverted, 9 reverted
        tell 1
        sign 10 with 1
    "#]]);
}

#[test]
fn conflicts_fail_and_earlier_claims_are_searched() {
    let mut bench = Bench::ready();
    bench.accept(1..=3).signed(7);
    bench.log.clear();
    let fates = [
        (1, Fate::Claimed(0, vec![])),
        (2, Fate::Conflict(word(9))),
        (3, Fate::Earlier),
    ];
    bench.block(vec![recorded(7, &fates)]).check(expect![[r#"
        persist block 11, 1 final by 1 anchors, 2 failed: id_conflict, 7 final, searched [3]
        tell 2
        find 1
    "#]]);
    bench
        .step(Input::Found(vec![]))
        .after(4_000)
        .check(expect![[""]]);
    bench.after(1_000).check(expect![[r#"
        find 1
    "#]]);
    let entry = entry(3);
    let found = super::Found {
        id: entry.id,
        commitment: entry.commitment,
        leaf_index: 4,
        siblings: vec![],
        anchor: anchor(),
    };
    bench.step(Input::Found(vec![found])).check(expect![[r#"
        persist 1 final by 1 anchors
        tell 1
    "#]]);
    assert_eq!(bench.machine.status().unsettled, 0);
}

#[test]
fn a_machine_recovers_what_was_signed_and_queues_the_rest() {
    let unsettled = [1, 2, 3]
        .map(|seq| Unsettled {
            entry: entry(seq),
            searched: seq == 3,
        })
        .to_vec();
    let pending = vec![Batch {
        nonce: 7,
        hash: hash(7),
        raw: vec![7],
        records: vec![1],
    }];
    let mut bench = Bench::recovered(unsettled, pending, 7);
    bench.step(Input::Tick).check(expect![[r#"
        send 7, try 1
        read nonce, try 1
        find 1
    "#]]);
    bench.step(word_of(10, 7, 8)).check(expect![[""]]);
    bench
        .block(vec![recorded(7, &claimed(1..=1))])
        .check(expect![[r#"
        persist block 11, 1 final by 1 anchors, 7 final
        tell 1
        sign 8 with 1
    "#]]);
}

#[test]
fn repeated_blocks_are_ignored_and_missing_ones_are_noticed() {
    let mut bench = Bench::ready();
    bench.block(vec![]);
    bench.log.clear();
    bench.height = 10;
    bench
        .block(vec![recorded(7, &claimed(1..=1))])
        .check(expect![[""]]);
    bench.height = 12;
    bench.block(vec![]).check(expect![[r#"
        alarm: block 13 came where block 12 was due
    "#]]);
    assert_eq!(bench.machine.status().cursor.height, 11);
}

#[test]
fn a_signer_that_fails_is_asked_again_with_the_same_nonce() {
    let mut bench = Bench::ready();
    bench
        .accept(1..=1)
        .step(Input::SignFailed { nonce: 7 })
        .after(1_000)
        .after(1_000)
        .check(expect![[r#"
        sign 7 with 1
        alarm: the relayer key could not sign
        sign 7 with 1
    "#]]);
}

#[test]
fn records_known_from_the_recovery_are_not_accepted_again() {
    let mut bench = Bench::ready();
    let rows = Recovered {
        unsettled: vec![],
        last_seq: 5,
        pending: vec![],
        nonce_floor: 0,
        cursor: Cursor {
            height: 10,
            hash: B256::ZERO,
        },
    };
    bench.machine = Machine::recover(Config::default(), rows);
    bench.accept(4..=5);
    assert_eq!(bench.machine.status().unsettled, 0);
    bench.accept(6..=6).accept(6..=6);
    assert_eq!(bench.machine.status().unsettled, 1);
}
