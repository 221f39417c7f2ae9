//! The operations machine on a real SQLite journal against a model of the chain and of the contract, under everything that
//! can go wrong around it: crashes between any two effects, lost and repeated sends, forgetful and lying nodes, slow and
//! failing signers, other gateways with the same keys, a wiped store.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use alloy_primitives::{Address, B256, Bytes, U256, keccak256};
use contracts::operation::{Event, Refusal, Status};
use db::{Binding, Call, Cursor, Db, Execution, InsertedOperation, NewOperation, Options, State};
use operations::{
    carrier::{NonceRead, SendAnswer},
    journal,
    operation::{BlockFacts, Config, Effect, Input, Machine, TransactionFacts},
};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};

const RELAYERS: usize = 2;
const ACCOUNTS: u8 = 3;
const NODES: usize = 2;

fn relayer(index: usize) -> Address {
    Address::with_last_byte(0xb0 + index as u8)
}

#[derive(Clone, Copy)]
struct Faults {
    /// In a hundred, each.
    crash: u8,
    lose: u8,
    lie: u8,
    refuse: u8,
}

const NONE: Faults = Faults {
    crash: 0,
    lose: 0,
    lie: 0,
    refuse: 0,
};
const MANY: Faults = Faults {
    crash: 2,
    lose: 20,
    lie: 10,
    refuse: 15,
};

fn percent(rng: &mut StdRng, chance: u8) -> bool {
    rng.random_range(0..100) < chance
}

/// An operation as the contract sees it.
#[derive(Clone)]
struct Brought {
    account: Address,
    key: B256,
    call: B256,
    follows: Option<B256>,
    deadline: u64,
}

#[derive(Clone)]
struct Transaction {
    relayer: usize,
    nonce: u64,
    operations: Vec<Brought>,
    delegates: Vec<Address>,
}

/// What a transaction's logs say, with their positions.
type Told = Vec<(u64, Event)>;

/// The chain, and what the contract remembers in it.
#[derive(Default)]
struct Chain {
    /// What bytes stand for.
    known: BTreeMap<B256, Transaction>,
    pools: [BTreeSet<B256>; NODES],
    nonces: [u64; RELAYERS],
    delegated: BTreeSet<Address>,
    statuses: BTreeMap<(Address, B256), (Status, B256)>,
    /// Each run, in order.
    ran: Vec<(Address, B256)>,
    blocks: Vec<Vec<(B256, Told)>>,
}

impl Chain {
    fn height(&self) -> u64 {
        self.blocks.len() as u64
    }

    /// Seconds: one for each block.
    fn time(&self) -> u64 {
        1_000 + self.height()
    }

    /// Makes a block of what a node has.
    fn produce(&mut self, node: usize, most: usize) {
        let mut block = Vec::new();
        while block.len() < most {
            let fits = |hash: &&B256| {
                let transaction = &self.known[*hash];
                transaction.nonce == self.nonces[transaction.relayer]
            };
            let Some(hash) = self.pools[node].iter().find(fits).copied() else {
                break;
            };
            let transaction = self.known[&hash].clone();
            self.nonces[transaction.relayer] += 1;
            self.delegated.extend(&transaction.delegates);
            let told = transaction.operations.iter();
            let told = told.map(|operation| self.execute(operation));
            block.push((hash, (0..).zip(told.collect::<Vec<_>>()).collect()));
        }
        self.blocks.push(block);
        for pool in &mut self.pools {
            pool.retain(|hash| {
                let transaction = &self.known[hash];
                transaction.nonce >= self.nonces[transaction.relayer]
            });
        }
    }

    /// What the contract does (`contracts/src/Operations.sol`).
    fn execute(&mut self, operation: &Brought) -> Event {
        let Brought {
            account, key, call, ..
        } = *operation;
        let refused = |reason| Event::Refused {
            account,
            key,
            reason,
        };
        if !self.delegated.contains(&account) {
            return refused(Refusal::NotDelegated);
        }
        if let Some((status, other)) = self.statuses.get(&(account, key)).copied() {
            return if other == call {
                Event::Repeated {
                    account,
                    key,
                    status,
                }
            } else {
                refused(Refusal::KeyTaken(status))
            };
        }
        if self.time() > operation.deadline {
            return refused(Refusal::Expired);
        }
        if let Some(before) = operation.follows
            && !self.statuses.contains_key(&(account, before))
        {
            return refused(Refusal::TooEarly(before));
        }
        let succeeded = succeeds(call);
        let status = if succeeded {
            Status::Succeeded
        } else {
            Status::Failed
        };
        self.statuses.insert((account, key), (status, call));
        self.ran.push((account, key));
        Event::Executed {
            account,
            key,
            call,
            succeeded,
            result: Bytes::new(),
        }
    }

    /// A transaction of the chain, as it is observed.
    fn facts(&self, height: u64, hash: B256, told: &[(u64, Event)]) -> TransactionFacts {
        let transaction = &self.known[&hash];
        TransactionFacts {
            execution: Execution {
                tx_hash: hash,
                height,
                block_hash: B256::from(U256::from(height)),
                block_ms: height * 1_000,
                receipt: Some(vec![1]),
            },
            sender: Some((transaction.relayer, transaction.nonce)),
            reverted: false,
            told: told.to_vec(),
        }
    }

    fn block(&self, height: u64) -> Option<BlockFacts> {
        let block = self.blocks.get(height.checked_sub(1)? as usize)?;
        let transactions = block.iter();
        Some(BlockFacts {
            cursor: Cursor {
                height,
                hash: B256::from(U256::from(height)),
            },
            time: 1_000 + height,
            base_fee: 0,
            transactions: transactions
                .map(|(hash, told)| self.facts(height, *hash, told))
                .collect(),
        })
    }

    fn find(&self, wanted: &[(Address, B256)], up_to: u64) -> Vec<TransactionFacts> {
        let mut found = Vec::new();
        for (height, block) in (1..=up_to).zip(&self.blocks) {
            for (hash, told) in block {
                let ran = |event: &Event| matches!(event, Event::Executed { account, key, .. } if wanted.contains(&(*account, *key)));
                if told.iter().any(|(_, event)| ran(event)) {
                    found.push(self.facts(height, *hash, told));
                }
            }
        }
        found
    }
}

/// Every seventh call reverts.
fn succeeds(call: B256) -> bool {
    !call[31].is_multiple_of(7)
}

struct Gateway {
    db: Db,
    machine: Machine,
    pending: Vec<Input>,
    now_ms: u64,
}

struct Crash;

impl Gateway {
    fn start(dir: &Path, from: u64, now_ms: u64) -> Self {
        let binding = Binding {
            chain_id: 1,
            genesis: B256::ZERO,
            organization: B256::ZERO,
            master_key: B256::ZERO,
        };
        let mut db = Db::open(dir, &binding, &Options::default()).unwrap();
        let start = Cursor {
            height: from,
            hash: B256::ZERO,
        };
        let cursor = db.read(|view| view.operation_cursor()).unwrap();
        if cursor.is_none() {
            db.write(|tx| tx.set_operation_cursor(&start)).unwrap();
        }
        let mut config = Config::default();
        config.pace.in_flight_max = 3;
        let relayers: Vec<Address> = (0..RELAYERS).map(relayer).collect();
        let machine = db.read(|view| journal::recover_operations(config, &relayers, view));
        Self {
            db,
            machine: machine.unwrap(),
            pending: vec![Input::Tick],
            now_ms,
        }
    }

    fn take(&mut self, input: Input, world: &mut Outside, faults: Faults) -> Result<(), Crash> {
        for effect in self.machine.step(self.now_ms, input) {
            if percent(&mut world.rng, faults.crash) {
                return Err(Crash);
            }
            self.perform(effect, world, faults);
        }
        Ok(())
    }

    fn perform(&mut self, effect: Effect, world: &mut Outside, faults: Faults) {
        let Outside { chain, rng, .. } = world;
        match effect {
            Effect::Persist(write) => self.db.write(|tx| tx.apply_operation(&write)).unwrap(),
            Effect::Authorize { seq, follows } => {
                let input = match percent(rng, faults.refuse) {
                    true => Input::Unauthorized { seq },
                    false => Input::Authorized {
                        seq,
                        follows,
                        signature: signature(seq, follows),
                    },
                };
                self.pending.push(input);
            }
            Effect::Sign {
                relayer,
                nonce,
                operations,
                undelegated,
                gas_limit,
                ..
            } => {
                assert!(gas_limit <= 16_777_216);
                let input = self.sign(relayer, nonce, &operations, &undelegated, world);
                self.pending
                    .push(if percent(&mut world.rng, faults.refuse) {
                        Input::SignFailed { relayer, nonce }
                    } else {
                        input
                    });
            }
            Effect::Send {
                relayer,
                nonce,
                raw,
                attempt,
            } => {
                let lost = percent(rng, faults.lose);
                if !lost {
                    let hash = B256::from_slice(&raw);
                    let late = nonce < chain.nonces[relayer];
                    if !late {
                        chain.pools[attempt as usize % NODES].insert(hash);
                    }
                }
                let answer = match rng.random_range(0..100) {
                    chance if chance < faults.lie / 2 => SendAnswer::NonceTooLow,
                    chance if chance < faults.lie => SendAnswer::Refused("underpriced".to_owned()),
                    _ if lost || percent(rng, faults.lose) => SendAnswer::Unknown,
                    _ if nonce < chain.nonces[relayer] => SendAnswer::NonceTooLow,
                    _ => SendAnswer::Taken,
                };
                self.pending.push(Input::Sent {
                    relayer,
                    nonce,
                    answer,
                });
            }
            Effect::ReadNonce { relayer, attempt } => {
                let read = read_nonce(chain, relayer, attempt as usize % NODES);
                let off = |value: u64, rng: &mut StdRng| {
                    (value + rng.random_range(0..5)).saturating_sub(2)
                };
                let read = match percent(rng, faults.lie) {
                    true => NonceRead {
                        latest: off(read.latest, rng),
                        pending: off(read.pending, rng),
                        ..read
                    },
                    false => read,
                };
                let read = (!percent(rng, faults.lose)).then_some(read);
                self.pending.push(Input::NonceRead { relayer, read });
            }
            Effect::Find { operations, .. } => {
                let cursor = self.machine.status().cursor.height;
                let found = match percent(rng, faults.lose) {
                    true => Vec::new(),
                    false => chain.find(&operations, cursor),
                };
                self.pending.push(Input::Found(found));
            }
            Effect::Settled(keys) => {
                for key in keys {
                    let row = self.db.read(|view| view.operation(&key)).unwrap().unwrap();
                    assert!(row.state.is_settled(), "told before it was on disk");
                }
            }
            Effect::Alarm(_) => {}
        }
    }

    /// What the shell does: whatever account lacks the code gets it in the same transaction, if that is known.
    fn sign(
        &mut self,
        relayer: usize,
        nonce: u64,
        seqs: &[u64],
        undelegated: &[Address],
        world: &mut Outside,
    ) -> Input {
        let mut operations = Vec::new();
        for seq in seqs {
            let bill = self.db.read(|view| view.bill(*seq)).unwrap().unwrap();
            // A transaction that was begun before a predecessor failed has what was signed then.
            let signed = bill.signature.map(Bytes::from);
            let valid = signed.is_none_or(|signed| signed == signature(*seq, bill.follows));
            assert!(valid, "signed as it is");
            operations.push(Brought {
                account: bill.call.account,
                key: bill.key,
                call: keccak256(&bill.call.data),
                follows: bill.follows,
                deadline: bill.call.deadline,
            });
        }
        let delegates = undelegated.to_vec();
        world.signed += 1;
        let hash = keccak256([U256::from(world.signed).to_be_bytes::<32>(), [7; 32]].concat());
        let transaction = Transaction {
            relayer,
            nonce,
            operations,
            delegates,
        };
        world.chain.known.insert(hash, transaction);
        Input::Signed {
            relayer,
            nonce,
            hash,
            raw: hash.to_vec().into(),
        }
    }
}

/// What an account's key signs, as far as it can be another.
fn signature(seq: u64, follows: Option<B256>) -> Bytes {
    let follows = follows.unwrap_or_default();
    let digest = keccak256([follows.as_slice(), &seq.to_be_bytes()].concat());
    [digest.as_slice(), digest.as_slice(), &[27]]
        .concat()
        .into()
}

fn read_nonce(chain: &Chain, relayer: usize, node: usize) -> NonceRead {
    let latest = chain.nonces[relayer];
    let mut pending = latest;
    let holds = |nonce: u64| {
        chain.pools[node].iter().any(|hash| {
            let transaction = &chain.known[hash];
            (transaction.relayer, transaction.nonce) == (relayer, nonce)
        })
    };
    while holds(pending) {
        pending += 1;
    }
    NonceRead {
        height: chain.height(),
        latest,
        pending,
        base_fee: 0,
    }
}

struct Outside {
    chain: Chain,
    rng: StdRng,
    signed: u64,
}

struct World {
    dir: tempfile::TempDir,
    outside: Outside,
    gateway: Gateway,
    /// Operations that are in the journal, in order of acceptance.
    accepted: Vec<NewOperation>,
    crashes: usize,
}

impl World {
    fn new(seed: u64) -> Self {
        let dir = tempdir();
        let gateway = Gateway::start(dir.path(), 0, 1_000_000);
        Self {
            dir,
            outside: Outside {
                chain: Chain::default(),
                rng: StdRng::seed_from_u64(seed),
                signed: 0,
            },
            gateway,
            accepted: Vec::new(),
            crashes: 0,
        }
    }

    fn survive(&mut self, result: Result<(), Crash>) {
        if result.is_ok() {
            return;
        }
        self.crashes += 1;
        let now_ms = self.gateway.now_ms + 10;
        // The old one must let go of the directory before the new one opens it.
        let elsewhere = tempdir();
        self.gateway = Gateway::start(elsewhere.path(), 0, now_ms);
        self.gateway = Gateway::start(self.dir.path(), 0, now_ms);
    }

    fn take(&mut self, input: Input, faults: Faults) {
        let result = self.gateway.take(input, &mut self.outside, faults);
        self.survive(result);
    }

    fn accept(&mut self, faults: Faults) {
        let number = self.accepted.len();
        let (rng, time) = (&mut self.outside.rng, self.outside.chain.time());
        let data = rng.random::<u64>().to_be_bytes().to_vec();
        let patience = if percent(rng, 10) { 3 } else { 100_000 };
        let operation = NewOperation {
            key: keccak256(format!("key {number}")),
            tenant: "acme".to_owned(),
            idempotency_key: format!("key {number}"),
            digest: keccak256(&data),
            call_hash: keccak256(&data),
            call: Call {
                account: Address::with_last_byte(1 + rng.random_range(0..ACCOUNTS)),
                target: Address::with_last_byte(9),
                value: U256::ZERO,
                data,
                gas: rng.random_range(50_000..6_000_000),
                deadline: time + patience,
            },
            line: percent(rng, 40).then(|| "orders".to_owned()),
            priority: rng.random_range(0..3),
            created_ms: self.gateway.now_ms,
        };
        self.promise(&operation, faults);
        self.accepted.push(operation);
    }

    fn promise(&mut self, operation: &NewOperation, faults: Faults) {
        let inserted = self.gateway.db.write(|tx| tx.insert_operation(operation));
        let InsertedOperation::New(entry) = inserted.unwrap() else {
            panic!("the key is new");
        };
        if percent(&mut self.outside.rng, faults.crash) {
            self.survive(Err(Crash));
        } else {
            self.take(Input::Accepted(vec![entry]), faults);
        }
    }

    fn step(&mut self, faults: Faults) {
        let rng = &mut self.outside.rng;
        match rng.random_range(0..100) {
            0..45 if !self.gateway.pending.is_empty() => {
                let at = rng.random_range(0..self.gateway.pending.len());
                let input = self.gateway.pending.swap_remove(at);
                self.take(input, faults);
            }
            45..60 => {
                let (node, most) = (rng.random_range(0..NODES), rng.random_range(0..4));
                self.outside.chain.produce(node, most);
            }
            60..85 => {
                let next = self.gateway.machine.status().cursor.height + 1;
                if let Some(block) = self.outside.chain.block(next) {
                    self.take(Input::Block(block), faults);
                }
            }
            85..96 => {
                self.gateway.now_ms += rng.random_range(1..2_000);
                self.take(Input::Tick, faults);
            }
            96 if faults.lose > 0 => {
                let node = rng.random_range(0..NODES);
                self.outside.chain.pools[node].clear();
            }
            97 if faults.lie > 0 => {
                // Somebody else delegates the account to other code.
                let account = Address::with_last_byte(1 + rng.random_range(0..ACCOUNTS));
                self.outside.chain.delegated.remove(&account);
            }
            98 if faults.refuse > 0 => {
                let unsettled = self.gateway.db.read(|view| view.unsettled_operations());
                if let Some(entry) = unsettled.unwrap().last() {
                    self.take(Input::Cancel { seq: entry.seq }, faults);
                }
            }
            _ => {}
        }
    }

    fn settle_all(&mut self) {
        for _ in 0..200_000 {
            self.step(NONE);
            if self.gateway.machine.status().unsettled == 0 {
                return;
            }
        }
        panic!("stuck: {:?}", self.gateway.machine.status());
    }

    /// Effects are what was promised: each at most once, told as it was, in order.
    fn check(&mut self) -> BTreeMap<&'static str, usize> {
        let chain = &self.outside.chain;
        let mut once = BTreeSet::new();
        assert!(
            chain.ran.iter().all(|run| once.insert(*run)),
            "at most once"
        );
        let mut ends = BTreeMap::new();
        let mut lines: BTreeMap<Address, Vec<B256>> = BTreeMap::new();
        for operation in &self.accepted {
            let (account, key) = (operation.call.account, operation.key);
            let row = self.gateway.db.read(|view| view.operation(&key));
            let row = row.unwrap().unwrap();
            let status = chain
                .statuses
                .get(&(account, key))
                .map(|(status, _)| *status);
            let failure = row.failure.as_ref().map(|failure| failure.code.as_str());
            let end = match (row.state, failure) {
                (State::Final, None) => "final",
                (State::Failed, Some("reverted")) => "reverted",
                (State::Failed, Some("expired")) => "expired",
                (State::Failed, Some("cancelled")) => "cancelled",
                other => panic!("{other:?}"),
            };
            let expected = match end {
                "final" => Some(Status::Succeeded),
                "reverted" => Some(Status::Failed),
                _ => None,
            };
            assert_eq!(status, expected, "operation {} is {end}", row.seq);
            assert_eq!(row.ran.is_some(), expected.is_some());
            *ends.entry(end).or_default() += 1;
            if operation.line.is_some() && expected.is_some() {
                lines.entry(account).or_default().push(key);
            }
        }
        for (account, wanted) in lines {
            let ran = chain.ran.iter().filter(|(whose, _)| *whose == account);
            let in_line: BTreeSet<_> = wanted.iter().collect();
            let ran: Vec<B256> = ran
                .map(|(_, key)| *key)
                .filter(|key| in_line.contains(key))
                .collect();
            assert_eq!(ran, wanted, "in the order of the line");
        }
        ends
    }
}

/// In memory where there is such a place: what is tested is the order of writes, not the disk.
fn tempdir() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() {
        tempfile::tempdir_in(memory).unwrap()
    } else {
        tempfile::tempdir().unwrap()
    }
}

#[test]
fn each_operation_has_one_effect_or_a_reason() {
    let (mut all, mut crashes) = (BTreeMap::<_, usize>::new(), 0);
    for seed in 0..40 {
        let mut world = World::new(seed);
        for _ in 0..1_200 {
            if percent(&mut world.outside.rng, 6) {
                world.accept(MANY);
            }
            world.step(MANY);
        }
        world.settle_all();
        crashes += world.crashes;
        for (end, count) in world.check() {
            *all.entry(end).or_default() += count;
        }
    }
    assert!(crashes > 200, "{crashes}");
    for end in ["final", "reverted", "expired", "cancelled"] {
        assert!(
            all.get(end).is_some_and(|count| *count > 20),
            "{end}: {all:?}"
        );
    }
}

#[test]
fn a_wiped_store_learns_what_it_had_done() {
    for seed in 0..20 {
        let mut world = World::new(1_000 + seed);
        for _ in 0..600 {
            if percent(&mut world.outside.rng, 6) {
                world.accept(MANY);
            }
            world.step(MANY);
        }
        // Some of it is on its way. What failed without an effect was told so: whoever wants it anew takes another key.
        let ran = world.outside.chain.ran.clone();
        let db = &mut world.gateway.db;
        world.accepted.retain(|operation| {
            let row = db.read(|view| view.operation(&operation.key)).unwrap();
            let row = row.unwrap();
            row.state != State::Failed || row.ran.is_some()
        });
        world.dir = tempdir();
        let (head, now_ms) = (world.outside.chain.height(), world.gateway.now_ms);
        world.gateway = Gateway::start(world.dir.path(), head, now_ms);
        let accepted = std::mem::take(&mut world.accepted);
        for mut operation in accepted {
            operation.call.deadline = world.outside.chain.time() + 100_000;
            world.promise(&operation, NONE);
            world.accepted.push(operation);
        }
        world.settle_all();
        let ends = world.check();
        assert!(ends.keys().all(|end| ["final", "reverted"].contains(end)));
        assert!(world.outside.chain.ran.starts_with(&ran));
        assert_eq!(world.outside.chain.ran.len(), world.accepted.len());
    }
}
