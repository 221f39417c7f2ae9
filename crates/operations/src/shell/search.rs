//! Finding the transaction that claimed a record before this journal's stream began. Rare: only a restored backup or a
//! second gateway with the same key needs it. The node guides the search; what it brings is verified.

use std::collections::BTreeMap;

use alloy_primitives::{Address, B256, Bytes, U64};
use alloy_sol_types::SolEvent as _;
use client::{
    node::GET_RECEIPT,
    rpc::{Nodes, RpcError},
};
use contracts::{IRecords::Recorded, RECORDS_ADDRESS};
use db::Entry;
use proof::Receipt;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{
    observe::{self, Fate, Recording, Relayer},
    record::Found,
};

/// Blocks asked for at once.
const WINDOW: u64 = 1_000;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LogFilter {
    address: Address,
    topics: [B256; 2],
    from_block: U64,
    to_block: U64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LogPlace {
    transaction_hash: B256,
}

#[derive(Deserialize)]
struct TransactionInput {
    input: Bytes,
}

/// Looks for the claims of `entries`, from block `up_to` back to the first.
pub(super) async fn find(
    nodes: &Nodes,
    index: usize,
    relayer: &Relayer,
    entries: &[Entry],
    up_to: u64,
) -> Result<Vec<Found>, RpcError> {
    let mut missing: BTreeMap<B256, Entry> =
        entries.iter().map(|entry| (entry.id, *entry)).collect();
    let mut found = Vec::new();
    let mut to = up_to;
    loop {
        let from = to.saturating_sub(WINDOW - 1);
        let filter = LogFilter {
            address: RECORDS_ADDRESS,
            topics: [Recorded::SIGNATURE_HASH, relayer.organization()],
            from_block: U64::from(from),
            to_block: U64::from(to),
        };
        let logs: Vec<LogPlace> = nodes.call_at(index, "eth_getLogs", [filter]).await?;
        for log in logs.iter().rev() {
            take_claims(
                nodes,
                index,
                relayer,
                log.transaction_hash,
                &mut missing,
                &mut found,
            )
            .await?;
        }
        if missing.is_empty() || from == 0 {
            return Ok(found);
        }
        to = from - 1;
    }
}

/// Takes what one transaction claimed of `missing`.
async fn take_claims(
    nodes: &Nodes,
    index: usize,
    relayer: &Relayer,
    hash: B256,
    missing: &mut BTreeMap<B256, Entry>,
    found: &mut Vec<Found>,
) -> Result<(), RpcError> {
    let transaction: Option<TransactionInput> = nodes
        .call_at(index, "eth_getTransactionByHash", [hash])
        .await?;
    let Some(transaction) = transaction else {
        return Ok(());
    };
    // Cheap before expensive: most transactions carry none of the records.
    let carries = |entry: &Entry| {
        transaction
            .input
            .windows(32)
            .skip(4)
            .step_by(32)
            .any(|word| word == entry.key)
    };
    if !missing.values().any(carries) {
        return Ok(());
    }
    let receipt: Option<Box<RawValue>> = nodes.call_at(index, GET_RECEIPT, [hash]).await?;
    let Some(receipt) = receipt else {
        return Ok(());
    };
    let malformed = |reason: String| RpcError::Malformed {
        node: nodes.name(index),
        reason,
    };
    let receipt = Receipt::from_json(receipt.get().as_bytes())
        .map_err(|error| malformed(error.to_string()))?;
    let Recording { anchor, entries } = observe::found(&receipt, hash, &transaction.input, relayer)
        .map_err(|error| malformed(error.to_string()))?;
    let Some(anchor) = anchor else { return Ok(()) };
    for facts in entries {
        let Fate::Claimed(leaf_index, siblings) = facts.fate else {
            continue;
        };
        if missing
            .get(&facts.id)
            .is_some_and(|entry| entry.commitment == facts.commitment)
        {
            missing.remove(&facts.id);
            found.push(Found {
                id: facts.id,
                commitment: facts.commitment,
                leaf_index,
                siblings,
                anchor: anchor.clone(),
            });
        }
    }
    Ok(())
}
