//! The GeneralStateTests format: a state, an environment, a transaction with choices, and by fork what
//! comes of each choice.

use crate::{
    fork::Fork,
    json::{Allocations, quantity, quantity_option},
    refusal,
    suite::{self, Case, Verdict},
    world::{Parent, World},
};
use alloy_consensus::Transaction as _;
use alloy_primitives::{Address, B256, Bytes, Log, U256, keccak256};
use alloy_rlp::Encodable as _;
use evm::{
    CodeCache, Policy, Progress,
    ethereum::{Blobs, Environment, SpecId},
};
use serde::Deserialize;
use std::collections::BTreeMap;

/// The chain of the state vectors.
const CHAIN_ID: u64 = 1;
/// `BLOCKHASH` sees so many blocks back.
const BLOCKHASH_BLOCKS: u64 = 256;

/// One vector.
#[derive(Debug, Deserialize)]
struct Vector {
    env: Env,
    pre: Allocations,
    post: BTreeMap<String, Vec<Post>>,
    transaction: Choices,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Env {
    current_coinbase: Address,
    #[serde(default)]
    current_difficulty: U256,
    #[serde(deserialize_with = "quantity")]
    current_gas_limit: u64,
    #[serde(deserialize_with = "quantity")]
    current_number: u64,
    #[serde(deserialize_with = "quantity")]
    current_timestamp: u64,
    #[serde(default, deserialize_with = "quantity_option")]
    current_base_fee: Option<u64>,
    current_random: Option<B256>,
    #[serde(default, deserialize_with = "quantity_option")]
    current_excess_blob_gas: Option<u64>,
}

/// What a transaction is made of, as far as there is a choice; the rest is in its bytes.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Choices {
    data: Vec<Bytes>,
    gas_limit: Vec<U256>,
    value: Vec<String>,
}

/// What comes of one choice.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Post {
    hash: B256,
    logs: B256,
    indexes: Indexes,
    txbytes: Option<Bytes>,
    expect_exception: Option<String>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
struct Indexes {
    data: usize,
    gas: usize,
    value: usize,
}

/// Runs all vectors of a file.
pub(crate) fn run(
    file: &[u8],
    wanted: &dyn Fn(&str) -> bool,
) -> Result<Vec<Case>, serde_json::Error> {
    let vectors: BTreeMap<String, Vector> = suite::read(file, wanted)?;
    let mut cases = Vec::new();
    for (name, vector) in &vectors {
        let world = World::new(&vector.pre);
        for (fork, posts) in &vector.post {
            for post in posts {
                let Indexes { data, gas, value } = post.indexes;
                let verdict = match check(vector, &world, fork, post) {
                    Ok(()) => Verdict::Passed,
                    Err(reason) => Verdict::Failed(reason),
                };
                cases.push(Case {
                    name: format!("{name} d{data} g{gas} v{value}"),
                    fork: fork.clone(),
                    verdict,
                });
            }
        }
    }
    Ok(cases)
}

fn check(vector: &Vector, before: &World, fork: &str, post: &Post) -> Result<(), String> {
    let fork = Fork::parse(fork).ok_or_else(|| format!("the fork {fork} is not known"))?;
    let raw = post.txbytes.clone().ok_or("there are no txbytes")?;
    let environment = environment(&vector.env, fork, before);
    let (outcome, wiped) = match execute(environment, &raw, vector, post.indexes, before)? {
        Ok(executed) => executed,
        Err(refused) => return check_refusal(&refused, before, post),
    };
    if let Some(expected) = &post.expect_exception {
        return Err(format!("the transaction was executed; want {expected}"));
    }
    let logs: Vec<Log> = outcome
        .receipts
        .iter()
        .flat_map(|receipt| receipt.logs().to_vec())
        .collect();
    let mut rlp = Vec::new();
    logs.encode(&mut rlp);
    let have = keccak256(rlp);
    if have != post.logs {
        return Err(format!("the logs hash to {have}, want {}", post.logs));
    }
    let mut world = before.clone();
    world.apply(outcome.changes, &wiped);
    check_root(&world, post)
}

fn check_root(world: &World, post: &Post) -> Result<(), String> {
    let have = world.root();
    if have == post.hash {
        Ok(())
    } else {
        Err(format!("the state hashes to {have}, want {}", post.hash))
    }
}

/// A refused transaction is as good as one expected to be, and leaves the state as it was.
fn check_refusal(refused: &Refused, before: &World, post: &Post) -> Result<(), String> {
    let Some(expected) = &post.expect_exception else {
        return Err(format!("the transaction was refused: {}", refused.text()));
    };
    if !refused.is(expected) {
        let text = refused.text();
        return Err(format!(
            "the transaction was refused: {text}; want {expected}"
        ));
    }
    check_root(before, post)
}

/// Why a transaction was not executed.
struct Refused(refusal::Refusal);

impl Refused {
    fn text(&self) -> String {
        self.0.to_string()
    }

    fn is(&self, expected: &str) -> bool {
        self.0.is(expected)
    }
}

type Executed = (evm::Outcome, std::collections::BTreeSet<Address>);

fn execute(
    environment: Environment,
    raw: &Bytes,
    vector: &Vector,
    indexes: Indexes,
    before: &World,
) -> Result<Result<Executed, Refused>, String> {
    let transaction = match environment.recover(raw.clone()) {
        Ok(transaction) => transaction,
        Err(error) => {
            return Ok(Err(Refused(refusal::Refusal::Undecodable {
                index: 0,
                error,
            })));
        }
    };
    check_choice(&vector.transaction, indexes, transaction.envelope())?;
    let view = Parent::new(before);
    let mut executor = environment.executor(Policy::Reject, CodeCache::default());
    let transactions = [transaction];
    loop {
        match executor.run(&transactions, &view) {
            Ok(Progress::Done) => return Ok(Ok(executor.finish_ethereum())),
            Ok(Progress::Suspended(key)) => executor.supply(key, before.value(&key)),
            Ok(Progress::Invalid { index, reason }) => {
                return Ok(Err(Refused(refusal::Refusal::Transaction {
                    index,
                    reason,
                })));
            }
            Err(fault) => return Err(fault.to_string()),
        }
    }
}

/// Whether the bytes are those of the choice: a vector mixed up would prove nothing.
fn check_choice(
    choices: &Choices,
    indexes: Indexes,
    envelope: &alloy_consensus::TxEnvelope,
) -> Result<(), String> {
    let data = choices.data.get(indexes.data);
    let gas = choices.gas_limit.get(indexes.gas);
    let value = choices
        .value
        .get(indexes.value)
        .ok_or("there is no such value")?;
    let value = value.parse::<U256>().ok();
    let same = data == Some(envelope.input())
        && gas == Some(&U256::from(envelope.gas_limit()))
        && value == Some(envelope.value());
    if same {
        Ok(())
    } else {
        Err("the txbytes are not of the choice".to_owned())
    }
}

fn environment(env: &Env, fork: Fork, before: &World) -> Environment {
    let blobs = fork.blobs();
    let excess_gas = env.current_excess_blob_gas.unwrap_or_default();
    let spec = fork.spec();
    let first = env.current_number.saturating_sub(BLOCKHASH_BLOCKS);
    Environment {
        chain_id: CHAIN_ID,
        spec,
        number: env.current_number,
        timestamp: env.current_timestamp,
        gas_limit: env.current_gas_limit,
        base_fee: if spec.is_enabled_in(SpecId::LONDON) {
            env.current_base_fee.unwrap_or_default()
        } else {
            0
        },
        beneficiary: env.current_coinbase,
        difficulty: env.current_difficulty,
        prev_randao: env.current_random.unwrap_or_default(),
        blobs: Blobs {
            excess_gas,
            gas_price: blobs.calc_blob_fee(excess_gas),
            per_transaction_max: blobs.max_blobs_per_tx,
            update_fraction: u64::try_from(blobs.update_fraction).unwrap_or(u64::MAX),
        },
        // There is no chain: the hash of a block is that of its number in decimal digits.
        ancestors: (first..env.current_number)
            .map(|number| (number, keccak256(number.to_string())))
            .collect(),
        occupied: before.occupied(),
    }
}
