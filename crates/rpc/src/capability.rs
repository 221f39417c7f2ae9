//! What this node can answer, and by which rules its blocks are executed.

use crate::{
    dispatch::{Reply, reply},
    method::Api,
    parameter::Params,
};
use alloy_eips::{eip2124::ForkHash, eip2935::HISTORY_STORAGE_ADDRESS};
use alloy_primitives::{Address, B256, FixedBytes, U64};
use chain::{Finalized, NodeError};
use evm::precompile_addresses;
use serde::Serialize;
use std::collections::BTreeMap;
use types::Fork;

/// EIP-7910's names of precompiles, with the last bytes of their addresses.
const PRECOMPILES: [(u64, &str); 18] = [
    (0x01, "ECREC"),
    (0x02, "SHA256"),
    (0x03, "RIPEMD160"),
    (0x04, "ID"),
    (0x05, "MODEXP"),
    (0x06, "BN254_ADD"),
    (0x07, "BN254_MUL"),
    (0x08, "BN254_PAIRING"),
    (0x09, "BLAKE2F"),
    (0x0a, "KZG_POINT_EVALUATION"),
    (0x0b, "BLS12_G1ADD"),
    (0x0c, "BLS12_G1MSM"),
    (0x0d, "BLS12_G2ADD"),
    (0x0e, "BLS12_G2MSM"),
    (0x0f, "BLS12_PAIRING_CHECK"),
    (0x10, "BLS12_MAP_FP_TO_G1"),
    (0x11, "BLS12_MAP_FP2_TO_G2"),
    (0x100, "P256VERIFY"),
];

/// The rules of one fork (EIP-7910).
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Rules {
    activation_time: u64,
    blob_schedule: BlobSchedule,
    chain_id: U64,
    fork_id: FixedBytes<4>,
    precompiles: BTreeMap<&'static str, Address>,
    system_contracts: BTreeMap<&'static str, Address>,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct BlobSchedule {
    target: u64,
    max: u64,
    base_fee_update_fraction: u64,
}

/// The answer of `eth_config`.
#[derive(Debug, Serialize)]
struct Config {
    current: Option<Rules>,
    next: Option<Rules>,
    last: Option<Rules>,
}

/// `eth_config` (EIP-7910): the rules of the last block, of the next fork that is decided, and of the last one. Forks activate
/// at heights; the time of one to come is what it would be if the chain were idle until then.
pub(crate) async fn config(api: &Api, params: Params<'_>) -> Reply {
    params.end()?;
    let latest = api.node.latest();
    let transitions = api.node.upgrades().transitions();
    let begun = transitions.partition_point(|(height, _)| *height <= latest.number());
    let mut rules = Vec::with_capacity(transitions.len());
    let mut id = ForkHash::from(api.network.genesis_hash);
    for (height, fork) in &transitions {
        if *height > 0 {
            id += *height;
        }
        rules.push(rules_of(
            api,
            *fork,
            id,
            activation_time(api, &latest, *height).await,
        ));
    }
    let mut ahead = rules.split_off(begun.min(rules.len()));
    let last = ahead.pop();
    let next = ahead.into_iter().next();
    reply(&Config {
        current: rules.pop(),
        next: next.or_else(|| last.clone()),
        last,
    })
}

/// When a fork activated or, if it is still to come, when it would on an idle chain. Unix seconds.
async fn activation_time(api: &Api, latest: &Finalized, height: u64) -> u64 {
    if height == 0 {
        return 0;
    }
    let idle_ms = api.node.spec().pacing.idle_interval_ms;
    let left_ms = height
        .saturating_sub(latest.number())
        .saturating_mul(idle_ms);
    let by_then = latest.block.header().timestamp + left_ms.div_ceil(1000);
    match api.node.body(height).await {
        Some(block) => block.header().timestamp,
        None => by_then,
    }
}

fn rules_of(api: &Api, fork: Fork, id: ForkHash, activation_time: u64) -> Rules {
    let present = precompile_addresses(fork);
    let named = PRECOMPILES.iter().map(|(last, name)| {
        let mut word = B256::ZERO;
        word[24..].copy_from_slice(&last.to_be_bytes());
        (*name, Address::from_word(word))
    });
    let history = ("HISTORY_STORAGE_ADDRESS", HISTORY_STORAGE_ADDRESS);
    Rules {
        activation_time,
        // There are no blobs on this chain.
        blob_schedule: BlobSchedule {
            target: 0,
            max: 0,
            base_fee_update_fraction: 1,
        },
        chain_id: U64::from(api.network.chain_id),
        fork_id: id.0.into(),
        precompiles: named
            .filter(|(_, address)| present.contains(address))
            .collect(),
        system_contracts: BTreeMap::from([history]),
    }
}

/// The answer of `eth_capabilities`.
#[derive(Debug, Serialize)]
struct Capabilities {
    head: Head,
    state: Kept,
    tx: Kept,
    logs: Kept,
    receipts: Kept,
    blocks: Kept,
    stateproofs: Kept,
}

#[derive(Debug, Serialize)]
struct Head {
    number: U64,
    hash: B256,
}

/// What of one kind is kept.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Kept {
    disabled: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    oldest_block: Option<U64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    delete_strategy: Option<DeleteStrategy>,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct DeleteStrategy {
    #[serde(rename = "type")]
    kind: &'static str,
    retention_blocks: U64,
}

/// `eth_capabilities`: from where on what is kept, and how many blocks at least. Proofs of Ethereum's kind there are none.
pub(crate) async fn capabilities(api: &Api, params: Params<'_>) -> Reply {
    params.end()?;
    let node = &api.node;
    let latest = node.latest();
    let from = |number| Kept {
        oldest_block: Some(U64::from(number)),
        ..Kept::default()
    };
    let state = match node.state_at(0).await {
        Ok(_) => from(0),
        Err(NodeError::StatePruned {
            first: Some(first), ..
        }) => from(first),
        Err(NodeError::StatePruned { first: None, .. }) => Kept {
            delete_strategy: Some(DeleteStrategy {
                kind: "window",
                retention_blocks: U64::from(1),
            }),
            ..from(latest.number())
        },
        Err(error) => return Err(error.into()),
    };
    // Of a node that took the state from others and has seen no block since, block 0 is the last.
    let first = node.first_block().await.unwrap_or(latest.number());
    let window = node.keep_blocks().map(|keep| DeleteStrategy {
        kind: "window",
        retention_blocks: U64::from(keep.get()),
    });
    let history = |first: u64| Kept {
        delete_strategy: window.clone(),
        // Block 0 is everywhere; where nothing is missing after it, it is the oldest.
        ..from(if first > 1 { first } else { 0 })
    };
    let blocks = history(first);
    let logs = history(node.first_logs().await.unwrap_or(first).max(first));
    reply(&Capabilities {
        head: Head {
            number: U64::from(latest.number()),
            hash: latest.hash,
        },
        state,
        tx: blocks.clone(),
        logs,
        receipts: blocks.clone(),
        blocks,
        stateproofs: Kept {
            disabled: true,
            ..Kept::default()
        },
    })
}
