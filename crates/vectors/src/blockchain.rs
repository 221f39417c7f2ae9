//! The BlockchainTests format: a genesis, blocks good and bad, and the head they lead to.

use crate::{
    body::Body,
    chain::Chain,
    fork::{Fork, Network, Schedule},
    json::{Allocations, quantity_option},
    suite::{self, Case, Verdict},
    world::World,
};
use alloy_primitives::{B256, Bytes};
use serde::Deserialize;
use std::collections::BTreeMap;

/// Vectors that do not say which chain they are on are on Ethereum's.
const CHAIN_ID: u64 = 1;

/// One vector.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Vector {
    network: String,
    #[serde(rename = "genesisRLP")]
    genesis_rlp: Bytes,
    genesis_block_header: Stated,
    pre: Allocations,
    blocks: Vec<Block>,
    lastblockhash: B256,
    post_state: Option<Allocations>,
    post_state_hash: Option<B256>,
    #[serde(default)]
    config: Config,
}

/// Of the headers written out in JSON only the hash is read: the rest is in the RLP.
#[derive(Debug, Deserialize)]
struct Stated {
    hash: B256,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Block {
    rlp: Bytes,
    block_header: Option<Stated>,
    expect_exception: Option<String>,
    #[serde(rename = "expectExceptionALL")]
    expect_exception_all: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Config {
    #[serde(default, alias = "chainId", deserialize_with = "quantity_option")]
    chainid: Option<u64>,
    #[serde(default)]
    blob_schedule: BTreeMap<String, Schedule>,
}

/// Runs all vectors of a file.
pub(crate) fn run(
    file: &[u8],
    wanted: &dyn Fn(&str) -> bool,
) -> Result<Vec<Case>, serde_json::Error> {
    suite::one_each(file, wanted, |vector: &Vector| {
        (vector.network.clone(), verdict(vector))
    })
}

/// Vectors for forks to come were written while their rules changed.
const DRAFT: &str = "a draft of Prague: its genesis has no requestsHash (EIP-7685)";

fn verdict(vector: &Vector) -> Verdict {
    let draft = vector.network == "Prague"
        && Body::decode(&vector.genesis_rlp)
            .is_ok_and(|genesis| genesis.header.requests_hash.is_none());
    if draft {
        return Verdict::Excluded(DRAFT);
    }
    match replay(vector) {
        Ok(()) => Verdict::Passed,
        Err(reason) => Verdict::Failed(reason),
    }
}

fn replay(vector: &Vector) -> Result<(), String> {
    let mut chain = begin(vector)?;
    for (index, block) in vector.blocks.iter().enumerate() {
        let expected = block
            .expect_exception
            .as_ref()
            .or(block.expect_exception_all.as_ref());
        match (chain.import(&block.rlp), expected) {
            (Ok(taken), None) => match &block.block_header {
                Some(stated) if stated.hash != taken.hash => {
                    let (have, want) = (taken.hash, stated.hash);
                    return Err(format!("block {index} is {have}, want {want}"));
                }
                Some(_) => {}
                None => return Err(format!("block {index} was taken, but is not valid")),
            },
            (Ok(_), Some(expected)) => {
                return Err(format!("block {index} was taken; want {expected}"));
            }
            (Err(refusal), Some(expected)) if refusal.is(expected) => {}
            (Err(refusal), Some(expected)) => {
                return Err(format!(
                    "block {index} was refused: {refusal}; want {expected}"
                ));
            }
            (Err(_), None) if block.block_header.is_none() => {}
            (Err(refusal), None) => return Err(format!("block {index} was refused: {refusal}")),
        }
    }
    if chain.head() != vector.lastblockhash {
        let (have, want) = (chain.head(), vector.lastblockhash);
        return Err(format!("the head is {have}, want {want}"));
    }
    let world = chain.world().ok_or("the head has no state")?;
    if let Some(difference) = vector
        .post_state
        .as_ref()
        .and_then(|stated| world.difference(stated))
    {
        return Err(format!("the state differs: {difference}"));
    }
    match vector.post_state_hash {
        Some(want) if world.root() != want => {
            Err(format!("the state hashes to {}, want {want}", world.root()))
        }
        _ => Ok(()),
    }
}

fn begin(vector: &Vector) -> Result<Chain, String> {
    let mut network = Network::parse(&vector.network)
        .ok_or_else(|| format!("the network {} is not known", vector.network))?;
    for (name, schedule) in &vector.config.blob_schedule {
        if let Some(fork) = Fork::parse(name) {
            network.schedule(fork, *schedule);
        }
    }
    let genesis = Body::decode(&vector.genesis_rlp)
        .map_err(|error| format!("the genesis is no block: {error}"))?
        .header;
    let (have, want) = (genesis.hash_slow(), vector.genesis_block_header.hash);
    if have != want {
        return Err(format!("the genesis is {have}, want {want}"));
    }
    let world = World::new(&vector.pre);
    if world.root() != genesis.state_root {
        let (have, want) = (world.root(), genesis.state_root);
        return Err(format!("the genesis state hashes to {have}, want {want}"));
    }
    let chain_id = vector.config.chainid.unwrap_or(CHAIN_ID);
    Ok(Chain::new(network, chain_id, genesis, world))
}
