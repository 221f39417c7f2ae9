//! A gateway without sockets: the machine, its journal, and answers on their way. It can be killed between any two
//! effects.

use std::{collections::BTreeMap, path::Path};

use alloy_primitives::{B256, Bytes, keccak256};
use alloy_signer_local::PrivateKeySigner;
use contracts::{organization_of, record_id};
use db::{Binding, Cursor, Db, Entry, Inserted, NewRecord, Options};
use operations::{
    journal,
    observe::{self, Fate, Outcome, Relayer, observe},
    record::{Config, Effect, Found, Input, Machine, NonceRead, SendAnswer},
    transaction,
};
use rand::{Rng as _, RngExt as _, rngs::StdRng};

use crate::chain::{CHAIN_ID, Chain, NODES};

/// What may go wrong, as probabilities in percent.
#[derive(Debug, Clone, Copy, Default)]
pub struct Faults {
    pub crash: u32,
    pub drop_send: u32,
    pub lose_answer: u32,
    pub lie: u32,
}

pub struct Crash;

pub struct Gateway {
    pub db: Db,
    pub machine: Machine,
    /// Answers that have not arrived yet; they arrive in any order, or never.
    pub pending: Vec<Input>,
    pub now_ms: u64,
    signer: PrivateKeySigner,
    relayer: Relayer,
    /// Every transaction that was sent, by nonce.
    pub sent: BTreeMap<u64, Bytes>,
    pub alarms: usize,
}

pub fn signer() -> PrivateKeySigner {
    PrivateKeySigner::from_bytes(&B256::repeat_byte(0x42)).unwrap()
}

fn config() -> Config {
    let mut config = Config::default();
    config.pace.in_flight_max = 3;
    config
}

pub fn open(dir: &Path, chain: &Chain) -> Db {
    let binding = Binding {
        chain_id: CHAIN_ID,
        genesis: chain.network.genesis,
        organization: organization_of(chain.account),
        master_key: B256::ZERO,
    };
    Db::open(dir, &binding, &Options::default()).unwrap()
}

/// The record under a key; its commitment depends on `body`.
pub fn new_record(chain: &Chain, key: &str, body: &str) -> NewRecord {
    let on_chain = keccak256(key);
    NewRecord {
        id: record_id(organization_of(chain.account), on_chain),
        key: on_chain,
        commitment: keccak256(body),
        tenant: "acme".to_owned(),
        idempotency_key: key.to_owned(),
        digest: keccak256(body),
        created_ms: 1,
        wrapped_key: vec![1],
        parts: vec![vec![2]],
    }
}

impl Gateway {
    pub fn start(dir: &Path, chain: &Chain, now_ms: u64) -> Self {
        let mut db = open(dir, chain);
        journal::start_at(
            Cursor {
                height: 0,
                hash: chain.network.genesis,
            },
            &mut db,
        )
        .unwrap();
        let machine = db.read(|view| journal::recover(config(), view)).unwrap();
        let relayer = Relayer {
            account: chain.account,
            network: chain.network.clone(),
        };
        Self {
            db,
            machine,
            pending: vec![Input::Tick],
            now_ms,
            signer: signer(),
            relayer,
            sent: BTreeMap::new(),
            alarms: 0,
        }
    }

    /// What a POST does: promise, then tell the machine. `None`: killed before the promise was heard.
    pub fn accept(
        &mut self,
        record: &NewRecord,
        chain: &mut Chain,
        faults: Faults,
        rng: &mut StdRng,
    ) -> Result<Option<Entry>, Crash> {
        let inserted = self.db.write(|tx| tx.insert_record(record)).unwrap();
        if percent(rng, faults.crash) {
            return Err(Crash);
        }
        let Inserted::New(entry) = inserted else {
            return Ok(None);
        };
        self.take(Input::Accepted(vec![entry]), chain, faults, rng)?;
        Ok(Some(entry))
    }

    /// The next block of the stream.
    pub fn read_block(
        &mut self,
        chain: &mut Chain,
        faults: Faults,
        rng: &mut StdRng,
    ) -> Result<(), Crash> {
        let next = self.machine.status().cursor.height as usize;
        let Some(block) = chain.blocks.get(next) else {
            return Ok(());
        };
        let facts = observe(block, &self.relayer, &self.machine.watch()).unwrap();
        self.take(Input::Block(facts), chain, faults, rng)
    }

    pub fn take(
        &mut self,
        input: Input,
        chain: &mut Chain,
        faults: Faults,
        rng: &mut StdRng,
    ) -> Result<(), Crash> {
        for effect in self.machine.step(self.now_ms, input) {
            if percent(rng, faults.crash) {
                return Err(Crash);
            }
            self.perform(effect, chain, faults, rng);
        }
        Ok(())
    }

    fn perform(&mut self, effect: Effect, chain: &mut Chain, faults: Faults, rng: &mut StdRng) {
        match effect {
            Effect::Persist(write) => journal::apply(&write, &mut self.db).unwrap(),
            Effect::Sign {
                nonce,
                max_fee_per_gas,
                entries,
            } => {
                let signed =
                    transaction::sign(&self.signer, CHAIN_ID, nonce, max_fee_per_gas, &entries)
                        .unwrap();
                self.pending.push(if percent(rng, faults.lie) {
                    Input::SignFailed { nonce }
                } else {
                    Input::Signed {
                        nonce,
                        hash: signed.hash,
                        raw: signed.raw,
                    }
                });
            }
            Effect::Send {
                nonce,
                raw,
                attempt,
            } => {
                let answer = self.send(nonce, &raw, attempt, chain, faults, rng);
                self.pending.push(Input::Sent { nonce, answer });
            }
            Effect::ReadNonce { attempt } => {
                let mut read = chain.read_nonce(attempt as usize % NODES);
                if percent(rng, faults.lie) {
                    let off = |value: u64, rng: &mut StdRng| {
                        (value + rng.random_range(0..6)).saturating_sub(3)
                    };
                    read = NonceRead {
                        height: off(read.height, rng),
                        latest: off(read.latest, rng),
                        pending: off(read.pending, rng),
                        base_fee: 0,
                    };
                }
                let answer = (!percent(rng, faults.lose_answer)).then_some(read);
                self.pending.push(Input::NonceRead(answer));
            }
            Effect::Find { entries, .. } => {
                self.pending.push(Input::Found(self.find(&entries, chain)));
            }
            Effect::Settled(ids) => {
                for id in ids {
                    let row = self
                        .db
                        .read(|view| view.record_by_id(&id))
                        .unwrap()
                        .unwrap();
                    assert!(row.state.is_settled(), "told before it was on disk");
                }
            }
            Effect::Alarm(_) => self.alarms += 1,
        }
    }

    fn send(
        &mut self,
        nonce: u64,
        raw: &Bytes,
        attempt: u32,
        chain: &mut Chain,
        faults: Faults,
        rng: &mut StdRng,
    ) -> SendAnswer {
        let before = self.sent.insert(nonce, raw.clone());
        assert!(
            before.is_none_or(|before| before == *raw),
            "nonce {nonce} was signed twice"
        );
        if percent(rng, faults.drop_send) {
            return SendAnswer::Unknown;
        }
        let answer = chain.send(attempt as usize % NODES, raw);
        if percent(rng, faults.lose_answer) {
            return SendAnswer::Unknown;
        }
        if percent(rng, faults.lie) {
            let lies = [
                SendAnswer::Taken,
                SendAnswer::NonceTooLow,
                SendAnswer::NonceTooHigh,
                SendAnswer::Refused("transaction underpriced".to_owned()),
            ];
            return lies[rng.next_u32() as usize % lies.len()].clone();
        }
        answer
    }

    /// What an honest node lets a search find.
    fn find(&self, entries: &[Entry], chain: &Chain) -> Vec<Found> {
        let mut found = vec![];
        for (hash, input, receipt) in chain.receipts() {
            let Ok(recording) = observe::found(&receipt, hash, &input, &self.relayer) else {
                continue;
            };
            for facts in recording.entries {
                let wanted = entries
                    .iter()
                    .any(|entry| (entry.id, entry.commitment) == (facts.id, facts.commitment));
                let Fate::Claimed(leaf_index, siblings) = facts.fate else {
                    continue;
                };
                if wanted {
                    let anchor = recording.anchor.clone().unwrap();
                    found.push(Found {
                        id: facts.id,
                        commitment: facts.commitment,
                        leaf_index,
                        siblings,
                        anchor,
                    });
                }
            }
        }
        found
    }

    /// Whether `observe` sees anything of ours in a block; for the tests' own checks.
    pub fn recordings(&self, chain: &Chain) -> usize {
        let facts = chain
            .blocks
            .iter()
            .map(|block| observe(block, &self.relayer, &observe::Watch::default()).unwrap());
        facts
            .flat_map(|facts| facts.transactions)
            .filter(|tx| matches!(tx.outcome, Outcome::Recorded(_)))
            .count()
    }
}

pub fn percent(rng: &mut StdRng, percent: u32) -> bool {
    percent > 0 && rng.random_range(0..100) < percent
}
