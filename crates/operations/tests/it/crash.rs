use std::{collections::BTreeMap, fs, path::Path};

use alloy_consensus::{SignableTransaction as _, TxEip1559, TxEnvelope};
use alloy_eips::eip2718::Encodable2718 as _;
use alloy_primitives::{Address, B256, Bytes, TxKind, keccak256};
use alloy_signer::SignerSync as _;
use contracts::Entry as CallEntry;
use db::{NewRecord, State};
use operations::{
    receipt::{self, Receipts},
    record::Input,
    transaction,
};
use rand::{Rng as _, RngExt as _, SeedableRng as _, rngs::StdRng};

use crate::{
    chain::{CHAIN_ID, Chain, NODES},
    gateway::{Crash, Faults, Gateway, new_record, percent, signer},
};

/// In memory where there is such a place: what is tested is the order of writes, not the disk.
fn tempdir() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    let place = if memory.is_dir() {
        memory.to_owned()
    } else {
        std::env::temp_dir()
    };
    tempfile::tempdir_in(place).unwrap()
}

struct World {
    dir: tempfile::TempDir,
    chain: Chain,
    gateway: Gateway,
    rng: StdRng,
    faults: Faults,
    /// Records whose acceptance was heard.
    acknowledged: BTreeMap<B256, NewRecord>,
    accepted: u64,
    crashes: usize,
}

impl World {
    fn new(seed: u64, faults: Faults) -> Self {
        let dir = tempdir();
        let chain = Chain::new(signer().address());
        let gateway = Gateway::start(dir.path(), &chain, 1_000_000);
        let rng = StdRng::seed_from_u64(seed);
        Self {
            dir,
            chain,
            gateway,
            rng,
            faults,
            acknowledged: BTreeMap::new(),
            accepted: 0,
            crashes: 0,
        }
    }

    fn survive(&mut self, result: Result<(), Crash>) {
        if result.is_err() {
            self.restart();
        }
    }

    fn restart(&mut self) {
        self.crashes += 1;
        let sent = std::mem::take(&mut self.gateway.sent);
        let now_ms = self.gateway.now_ms + 10;
        let elsewhere = tempdir();
        // The old one must let go of the directory before the new one opens it.
        self.gateway = Gateway::start(elsewhere.path(), &self.chain, now_ms);
        self.gateway = Gateway::start(self.dir.path(), &self.chain, now_ms);
        self.gateway.sent = sent;
    }

    fn accept(&mut self) {
        self.accepted += 1;
        let record = new_record(
            &self.chain,
            &format!("key {}", self.accepted),
            &format!("body {}", self.accepted),
        );
        match self
            .gateway
            .accept(&record, &mut self.chain, self.faults, &mut self.rng)
        {
            Ok(Some(_)) => drop(self.acknowledged.insert(record.id, record)),
            Ok(None) => panic!("the key is new"),
            Err(Crash) => {
                // Whether the client heard of it or not: the promise is in the journal, and must be kept.
                let promised = {
                    self.restart();
                    self.gateway
                        .db
                        .read(|view| view.record_by_id(&record.id))
                        .unwrap()
                };
                if promised.is_some() {
                    self.acknowledged.insert(record.id, record);
                }
            }
        }
    }

    fn step(&mut self) {
        let (faults, rng) = (self.faults, &mut self.rng);
        match rng.random_range(0..100) {
            0..25 => self.accept(),
            25..55 if !self.gateway.pending.is_empty() => {
                let at = rng.random_range(0..self.gateway.pending.len());
                let input = self.gateway.pending.swap_remove(at);
                let result = self.gateway.take(input, &mut self.chain, faults, rng);
                self.survive(result);
            }
            55..70 => {
                let (node, most) = (rng.random_range(0..NODES), rng.random_range(0..4));
                self.chain.produce(node, most);
            }
            70..90 => {
                let result = self.gateway.read_block(&mut self.chain, faults, rng);
                self.survive(result);
            }
            90..98 => {
                self.gateway.now_ms += rng.random_range(1..3_000);
                let result = self.gateway.take(Input::Tick, &mut self.chain, faults, rng);
                self.survive(result);
            }
            98 => {
                let node = rng.random_range(0..NODES);
                self.chain.forget(node);
            }
            _ => {
                if percent(rng, faults.crash) {
                    self.restart();
                }
            }
        }
    }

    /// Someone else uses the relayer key (or a wallet does).
    fn foreign(&mut self, raw: &Bytes) {
        for node in 0..NODES {
            self.chain.send(node, raw);
        }
    }

    /// No more faults; everything accepted must be settled within a bounded time.
    fn heal(&mut self) {
        self.faults = Faults::default();
        for _ in 0..2_000 {
            if self.gateway.machine.status().unsettled == 0 {
                return;
            }
            let (faults, rng) = (self.faults, &mut self.rng);
            while !self.gateway.pending.is_empty() {
                let input = self.gateway.pending.remove(0);
                let result = self.gateway.take(input, &mut self.chain, faults, rng);
                assert!(result.is_ok());
            }
            let node = rng.random_range(0..NODES);
            self.chain.produce(node, 10);
            while self.gateway.machine.status().cursor.height < self.chain.height() {
                assert!(
                    self.gateway
                        .read_block(&mut self.chain, faults, rng)
                        .is_ok()
                );
            }
            self.gateway.now_ms = match self.gateway.machine.deadline() {
                Some(deadline) => deadline.max(self.gateway.now_ms + 100),
                None => self.gateway.now_ms + 100,
            };
            assert!(
                self.gateway
                    .take(Input::Tick, &mut self.chain, faults, rng)
                    .is_ok()
            );
        }
        panic!(
            "not settled: {:?}, {:?}",
            self.gateway.machine.status(),
            self.gateway.machine
        );
    }

    /// Every promise was kept, exactly once, and can be proved.
    fn judge(&mut self) {
        let identity = self.chain.network.identity;
        for record in self.acknowledged.values() {
            let row = self
                .gateway
                .db
                .read(|view| view.record_by_id(&record.id))
                .unwrap()
                .expect("never lost");
            let on_chain = self.chain.commitments.get(&record.id);
            if Some(record.key) == self.chain.poison {
                assert_eq!(row.failure.unwrap().code, "transaction_reverted");
                assert_eq!(on_chain, None);
                continue;
            }
            if on_chain != Some(&record.commitment) {
                assert_eq!(row.failure.expect("a conflict").code, "id_conflict");
                continue;
            }
            assert_eq!(row.state, State::Final, "{row:?}");
            let proven = self
                .gateway
                .db
                .read(|view| view.proven(row.seq))
                .unwrap()
                .unwrap();
            let receipt = receipt::compose(proven, record.id, record.commitment, None).unwrap();
            let verdict = proof::verify(&receipt, Some(&identity)).unwrap();
            assert_eq!(
                Some(verdict.block.height),
                row.claimed.map(|(height, _)| height)
            );
        }
        let promised = self.gateway.db.read(|view| view.last_seq()).unwrap();
        assert!(promised >= self.acknowledged.len() as u64);
    }
}

fn seeds(default: u64) -> std::ops::Range<u64> {
    let count = std::env::var("OPERATIONS_SEEDS")
        .ok()
        .and_then(|count| count.parse().ok());
    0..count.unwrap_or(default)
}

/// Runs `scenario` for every seed; names the seed that fails.
fn each_seed(default: u64, scenario: impl Fn(u64) + std::panic::RefUnwindSafe) {
    for seed in seeds(default) {
        if let Err(panic) = std::panic::catch_unwind(|| scenario(seed)) {
            eprintln!("seed {seed} fails");
            std::panic::resume_unwind(panic);
        }
    }
}

#[test]
fn every_promise_is_kept_whatever_happens() {
    let crashes = std::sync::atomic::AtomicUsize::new(0);
    each_seed(40, |seed| {
        let faults = Faults {
            crash: 3,
            drop_send: 20,
            lose_answer: 20,
            lie: 10,
        };
        let mut world = World::new(seed, faults);
        for _ in 0..300 {
            world.step();
        }
        world.heal();
        world.judge();
        assert!(world.gateway.recordings(&world.chain) > 0);
        crashes.fetch_add(world.crashes, std::sync::atomic::Ordering::Relaxed);
    });
    assert!(crashes.into_inner() > 0, "the test must crash the gateway");
}

#[test]
fn without_faults_nothing_is_signed_in_vain() {
    each_seed(5, |seed| {
        let mut world = World::new(seed, Faults::default());
        for _ in 0..300 {
            world.step();
        }
        world.heal();
        world.judge();
        assert_eq!(
            world.gateway.sent.len(),
            world.gateway.recordings(&world.chain),
            "one effect per transaction"
        );
    });
}

#[test]
fn a_damaged_journal_hands_out_no_receipt() {
    let mut world = World::new(7, Faults::default());
    for _ in 0..100 {
        world.step();
    }
    world.heal();
    let identity = world.chain.network.identity;
    let (record, proven) = world
        .acknowledged
        .values()
        .find_map(|record| {
            let row = world.gateway.db.read(|view| view.record_by_id(&record.id));
            let seq = row.unwrap()?.seq;
            let proven = world.gateway.db.read(|view| view.proven(seq)).unwrap();
            Some((record, proven.filter(|proven| !proven.siblings.is_empty())?))
        })
        .expect("two records in one batch");
    let warm = Receipts::new(identity);
    let compose = |receipts: &Receipts, proven: db::Proven| {
        receipts.compose(proven, record.id, record.commitment, None)
    };
    let sound = compose(&warm, proven.clone()).unwrap();
    assert_eq!(compose(&warm, proven.clone()), Ok(sound.clone()), "again");

    let mut damaged = Vec::new();
    for at in 0..proven.receipt.len() {
        let mut other = proven.clone();
        other.receipt[at] ^= 1 << (at % 8);
        damaged.push((format!("byte {at} of the proof"), other));
    }
    for (name, change) in [
        (
            "leaf",
            (|proven| proven.leaf_index ^= 1) as fn(&mut db::Proven),
        ),
        ("log", |proven| proven.log_index ^= 1),
        ("sibling", |proven| proven.siblings[0].0[31] ^= 1),
        ("no sibling", |proven| {
            proven.siblings.pop();
        }),
    ] {
        let mut other = proven.clone();
        change(&mut other);
        damaged.push((name.to_owned(), other));
    }
    for (name, proven) in damaged {
        for receipts in [&warm, &Receipts::new(identity)] {
            assert!(compose(receipts, proven.clone()).is_err(), "{name}");
        }
    }
    for receipts in [&warm, &Receipts::new(identity)] {
        let (mut id, mut commitment) = (record.id, record.commitment);
        id.0[0] ^= 1;
        commitment.0[0] ^= 1;
        let compose = |id, commitment| receipts.compose(proven.clone(), id, commitment, None);
        assert!(compose(id, record.commitment).is_err());
        assert!(compose(record.id, commitment).is_err());
        assert_eq!(compose(record.id, record.commitment), Ok(sound.clone()));
    }
}

#[test]
fn a_key_used_elsewhere_costs_time_only() {
    each_seed(15, |seed| {
        let faults = Faults {
            crash: 2,
            drop_send: 10,
            lose_answer: 10,
            lie: 0,
        };
        let mut world = World::new(seed, faults);
        for step in 0..300 {
            world.step();
            if step % 20 == 7 {
                // With the next nonce, or with the one that our newest transaction has.
                let back = u64::from(world.rng.next_u32() % 2);
                let nonce = (world.chain.nonce + 1).saturating_sub(back);
                let raw = if world.rng.next_u32().is_multiple_of(2) {
                    transfer(nonce)
                } else {
                    let key = keccak256(format!("foreign {step}"));
                    let entries = [CallEntry {
                        key,
                        commitment: B256::repeat_byte(1),
                    }];
                    transaction::sign(&signer(), CHAIN_ID, nonce, 0, &entries)
                        .unwrap()
                        .raw
                };
                world.foreign(&raw);
            }
        }
        world.heal();
        world.judge();
    });
}

fn transfer(nonce: u64) -> Bytes {
    let to = TxKind::Call(Address::repeat_byte(1));
    let transaction = TxEip1559 {
        chain_id: CHAIN_ID,
        nonce,
        gas_limit: 21_000,
        to,
        ..TxEip1559::default()
    };
    let signature = signer()
        .sign_hash_sync(&transaction.signature_hash())
        .unwrap();
    TxEnvelope::from(transaction.into_signed(signature))
        .encoded_2718()
        .into()
}

#[test]
fn a_record_the_contract_refuses_fails_alone() {
    each_seed(10, |seed| {
        let mut world = World::new(
            seed,
            Faults {
                crash: 2,
                drop_send: 5,
                lose_answer: 5,
                lie: 0,
            },
        );
        world.chain.poison = Some(keccak256("key 7"));
        for _ in 0..300 {
            world.step();
        }
        world.heal();
        world.judge();
        let poisoned = world
            .acknowledged
            .values()
            .filter(|record| Some(record.key) == world.chain.poison);
        assert_eq!(poisoned.count(), 1, "the test must accept it");
    });
}

#[test]
fn an_id_claimed_with_another_commitment_is_a_conflict() {
    let mut world = World::new(1, Faults::default());
    let entries = [2, 3].map(|at| CallEntry {
        key: keccak256(format!("key {at}")),
        commitment: keccak256("stolen"),
    });
    let raw = transaction::sign(&signer(), CHAIN_ID, 0, 0, &entries)
        .unwrap()
        .raw;
    world.foreign(&raw);
    world.chain.produce(0, 1);
    for _ in 0..5 {
        world.accept();
    }
    world.heal();
    world.judge();
    let failed = world.gateway.db.read(|view| view.count_by_state()).unwrap();
    assert!(
        failed.contains(&(State::Failed, 2)) && failed.contains(&(State::Final, 3)),
        "{failed:?}"
    );
}

fn copy(from: &Path, to: &Path) {
    for name in ["gateway.sqlite3", "gateway.sqlite3-wal"] {
        let _ = fs::remove_file(to.join(name));
        if from.join(name).exists() {
            fs::copy(from.join(name), to.join(name)).unwrap();
        }
    }
}

#[test]
fn a_restored_backup_catches_up_with_the_chain() {
    each_seed(20, |seed| {
        let mut world = World::new(
            seed,
            Faults {
                crash: 1,
                drop_send: 10,
                lose_answer: 10,
                lie: 0,
            },
        );
        for _ in 0..150 {
            world.step();
        }
        let backup = tempdir();
        copy(world.dir.path(), backup.path());
        let kept = world.acknowledged.clone();
        for _ in 0..150 {
            world.step();
        }
        // What was accepted after the backup is lost with the disk; what was in it must not be.
        let elsewhere = tempdir();
        world.gateway = Gateway::start(elsewhere.path(), &world.chain, world.gateway.now_ms);
        copy(backup.path(), world.dir.path());
        world.restart();
        world.gateway.sent.clear();
        world.acknowledged = kept;
        world.heal();
        world.judge();
    });
}

#[test]
fn claims_made_before_the_stream_began_are_found() {
    let mut world = World::new(3, Faults::default());
    for _ in 0..20 {
        world.accept();
    }
    let backup = tempdir();
    copy(world.dir.path(), backup.path());
    world.heal();
    let elsewhere = tempdir();
    world.gateway = Gateway::start(elsewhere.path(), &world.chain, world.gateway.now_ms);
    copy(backup.path(), world.dir.path());
    // The stream goes on after the blocks that hold the claims.
    let head = world.chain.blocks.last().unwrap().head();
    let mut db = crate::gateway::open(world.dir.path(), &world.chain);
    db.write(|tx| {
        tx.set_cursor(&db::Cursor {
            height: head.height,
            hash: head.hash,
        })
    })
    .unwrap();
    drop(db);
    world.restart();
    world.gateway.sent.clear();
    world.heal();
    world.judge();
    assert_eq!(
        world.gateway.db.read(|view| view.count_by_state()).unwrap(),
        [(State::Final, 20)]
    );
}
