//! What the explorer Otterscan asks: `ots_*`, at its API level 8, and the one method of Erigon's that it needs.

use crate::{
    account, block,
    dispatch::{Reply, reply},
    error::Error,
    method::Api,
    parameter::Params,
    receipt, replay, transaction,
};
use alloy_consensus::Transaction as _;
use alloy_eips::{BlockId, BlockNumberOrTag};
use alloy_primitives::{Address, B256, Bytes, KECCAK256_EMPTY, U256};
use alloy_rpc_types_eth::Index;
use alloy_rpc_types_trace::{
    geth::{CallConfig, CallFrame, GethDebugTracingOptions, GethTrace},
    otterscan::{BlockDetails, InternalIssuance, TraceEntry},
    parity::{Action, TraceOutput},
};
use chain::Finalized;
use evm::{CallOutcome, Trace, Tracer};
use serde::Serialize;
use serde_json::{Value, json};
use std::sync::Arc;
use types::Account;

/// The methods here are those of this level.
const API_LEVEL: u64 = 8;
/// Blocks that one search looks through. There is no index of who sent and received.
const SEARCH_BLOCKS_MAX: u64 = 10_000;
/// Transactions of a page.
const PAGE_MAX: usize = 100;

/// `ots_getApiLevel`.
pub(crate) fn api_level(params: &Params<'_>) -> Reply {
    params.end()?;
    reply(&API_LEVEL)
}

/// `erigon_getHeaderByNumber`; null if there is no such block.
pub(crate) async fn header(api: &Api, mut params: Params<'_>) -> Reply {
    let tag: BlockNumberOrTag = params.required()?;
    params.end()?;
    let body = block::body(&api.node, block::resolve(&api.node, tag)).await?;
    reply(&body.map(|body| block::header(&body, body.hash())))
}

/// `ots_hasCode`.
pub(crate) async fn has_code(api: &Api, mut params: Params<'_>) -> Reply {
    let address: Address = params.required()?;
    let id: Option<BlockId> = params.optional()?;
    params.end()?;
    let at = account::state_at(&api.node, id).await?;
    reply(&!api.node.code_at(at, address).await?.is_empty())
}

/// `ots_getTransactionError`: what it reverted with; nothing if it did not.
pub(crate) async fn error(api: &Api, mut params: Params<'_>) -> Reply {
    let hash: B256 = params.required()?;
    params.end()?;
    let Some((block, index)) = api.node.transaction(hash).await else {
        return reply(&());
    };
    if block
        .receipts
        .get(index)
        .is_some_and(|receipt| receipt.status())
    {
        return reply(&Bytes::new());
    }
    let traced = replay::transaction(api, &block, index, Tracer::Outcome).await?;
    reply(&match traced.outcome {
        CallOutcome::Revert { output, .. } => output,
        _ => Bytes::new(),
    })
}

/// `ots_traceTransaction`: its calls in order.
pub(crate) async fn trace(api: &Api, mut params: Params<'_>) -> Reply {
    let hash: B256 = params.required()?;
    params.end()?;
    let Some((block, index)) = api.node.transaction(hash).await else {
        return reply(&());
    };
    let options = GethDebugTracingOptions::call_tracer(CallConfig::default());
    let tracer = Tracer::geth(options).map_err(Error::Internal)?;
    let traced = replay::transaction(api, &block, index, tracer).await?;
    let mut entries = Vec::new();
    if let Trace::Geth(frame) = traced.trace
        && let GethTrace::CallTracer(frame) = *frame
    {
        flatten(frame, &mut entries);
    }
    block::offload_always(move || reply(&entries)).await
}

/// Calls in the order in which they were made, each with its depth.
fn flatten(root: CallFrame, entries: &mut Vec<TraceEntry>) {
    // Not by recursion: calls may be a thousand deep.
    let mut open = vec![(0, root)];
    while let Some((depth, mut frame)) = open.pop() {
        let calls = std::mem::take(&mut frame.calls);
        let calls = calls.into_iter().rev();
        open.extend(calls.map(|call| (depth + 1, call)));
        entries.push(TraceEntry {
            r#type: frame.typ,
            depth,
            from: frame.from,
            to: frame.to.unwrap_or_default(),
            value: frame.value,
            input: frame.input,
            output: frame.output.unwrap_or_default(),
        });
    }
}

/// `ots_getInternalOperations`: transfers, creations and destructions inside of a transaction.
pub(crate) async fn operations(api: &Api, mut params: Params<'_>) -> Reply {
    let hash: B256 = params.required()?;
    params.end()?;
    let Some((block, index)) = api.node.transaction(hash).await else {
        return reply(&());
    };
    let traced = replay::transaction(api, &block, index, Tracer::Operations).await?;
    match traced.trace {
        Trace::Operations(operations) => block::offload_always(move || reply(&operations)).await,
        other => Err(Error::Internal(format!("another trace: {other:?}"))),
    }
}

/// `ots_getBlockDetails`.
pub(crate) async fn block_details(api: &Api, mut params: Params<'_>) -> Reply {
    let tag: BlockNumberOrTag = params.required()?;
    params.end()?;
    details(api, tag.into()).await
}

/// `ots_getBlockDetailsByHash`.
pub(crate) async fn block_details_by_hash(api: &Api, mut params: Params<'_>) -> Reply {
    let hash: B256 = params.required()?;
    params.end()?;
    details(api, hash.into()).await
}

async fn details(api: &Api, id: BlockId) -> Reply {
    let block = block::find(&api.node, id).await?;
    reply(&block.map(|block| {
        // Nobody is rewarded for a block here.
        let issuance = InternalIssuance::default();
        BlockDetails::new(block::render(&block, false), issuance, fees(&block))
    }))
}

/// What the transactions of a block paid for gas together, in wei.
fn fees(block: &Finalized) -> U256 {
    let base_fee = block.block.header().base_fee_per_gas;
    let mut before = 0;
    let mut sum = U256::ZERO;
    for (transaction, receipt) in block.transactions.iter().zip(&block.receipts) {
        let used = receipt.cumulative_gas_used() - before;
        before = receipt.cumulative_gas_used();
        let price = transaction.envelope().effective_gas_price(base_fee);
        sum = sum.saturating_add(U256::from(price).saturating_mul(U256::from(used)));
    }
    sum
}

/// `ots_getBlockTransactions`: a page of a block's transactions and their receipts, the last ones first.
pub(crate) async fn block_transactions(api: &Api, mut params: Params<'_>) -> Reply {
    let tag: BlockNumberOrTag = params.required()?;
    let Index(page) = params.required()?;
    let Index(size) = params.required()?;
    params.end()?;
    let number = block::resolve(&api.node, tag);
    let Some(block) = block::numbered(&api.node, number).await? else {
        return reply(&());
    };
    let size = size.clamp(1, PAGE_MAX);
    let count = block.transactions.len();
    let end = count.saturating_sub(page.saturating_mul(size));
    let places = (end.saturating_sub(size)..end).map(|index| (Arc::clone(&block), index));
    let (transactions, receipts): (Vec<_>, Vec<_>) =
        places.filter_map(|place| entry(place, false)).unzip();
    let mut full = json(&block::render(&block, false))?;
    full["transactionCount"] = json!(count);
    full["transactions"] = Value::Array(transactions);
    reply(&json!({"fullblock": full, "receipts": receipts}))
}

/// A transaction and its receipt, cut to what a list shows.
fn entry((block, index): (Arc<Finalized>, usize), timestamp: bool) -> Option<(Value, Value)> {
    let mut transaction = json(&transaction::in_block(&block, index)?).ok()?;
    if let Some(Value::String(input)) = transaction.get_mut("input") {
        // The selector suffices.
        input.truncate(10);
    }
    let mut receipt = json(&receipt::in_block(&block, index)?).ok()?;
    receipt["logs"] = Value::Null;
    receipt["logsBloom"] = Value::Null;
    if timestamp {
        receipt["timestamp"] = json!(block.block.header().timestamp);
    }
    Some((transaction, receipt))
}

fn json(value: &impl Serialize) -> Result<Value, Error> {
    serde_json::to_value(value).map_err(|error| Error::Internal(error.to_string()))
}

/// `ots_searchTransactionsBefore`: transactions of an address before a block, the last ones first. Block 0 means the end.
pub(crate) async fn search_before(api: &Api, mut params: Params<'_>) -> Reply {
    let address: Address = params.required()?;
    let before: u64 = params.required()?;
    let size: usize = params.required()?;
    params.end()?;
    let head = api.node.latest().number();
    let first = if before == 0 {
        head
    } else {
        (before - 1).min(head)
    };
    let last = first.saturating_sub(SEARCH_BLOCKS_MAX - 1);
    let found = search(api, address, (last..=first).rev(), size).await?;
    let complete = last == 0 && !found.full;
    found.page(before == 0, complete)
}

/// `ots_searchTransactionsAfter`: transactions of an address after a block, the last ones first. Block 0 means the beginning.
pub(crate) async fn search_after(api: &Api, mut params: Params<'_>) -> Reply {
    let address: Address = params.required()?;
    let after: u64 = params.required()?;
    let size: usize = params.required()?;
    params.end()?;
    let head = api.node.latest().number();
    let first = if after == 0 {
        0
    } else {
        after.saturating_add(1)
    };
    let last = first.saturating_add(SEARCH_BLOCKS_MAX - 1).min(head);
    let found = search(api, address, first..=last, size).await?;
    let complete = last == head && !found.full;
    found.page(complete, after == 0)
}

/// Places of transactions in the order in which they were found.
struct Found {
    places: Vec<(Arc<Finalized>, usize)>,
    /// Whether it ended because there were enough.
    full: bool,
}

async fn search(
    api: &Api,
    address: Address,
    blocks: impl Iterator<Item = u64>,
    size: usize,
) -> Result<Found, Error> {
    let node = &api.node;
    // Thousands of reads: no more of them at a time than of what takes long.
    let _permit = api.long_calls.acquire().await.map_err(|_| Error::Timeout)?;
    let size = size.clamp(1, PAGE_MAX);
    let mut places = Vec::new();
    let mut looked = 0_u64;
    for number in blocks {
        looked += 1;
        let body = match block::body(node, number).await {
            // What was found is told; whoever goes on asks for nothing but what is not here, and is told that.
            Err(_) if !places.is_empty() => return Ok(Found { places, full: true }),
            body => body?,
        };
        if body.is_none_or(|body| body.transactions().is_empty()) {
            continue;
        }
        let Some(block) = block::numbered(node, number).await? else {
            continue;
        };
        // All of a block or none, as the interface wants: pages begin at block boundaries.
        for index in (0..block.transactions.len()).rev() {
            if touches(&block, index, address) {
                places.push((Arc::clone(&block), index));
            }
        }
        if places.len() >= size {
            return Ok(Found { places, full: true });
        }
    }
    if places.is_empty() && looked >= SEARCH_BLOCKS_MAX {
        return Err(Error::Limit(format!(
            "no transaction of {address} in {SEARCH_BLOCKS_MAX} blocks; this node does not look further at a time"
        )));
    }
    Ok(Found {
        places,
        full: false,
    })
}

/// Whether an address sent a transaction, received it, was created by it, or logged in it. Calls inside are not looked at.
fn touches(block: &Finalized, index: usize, address: Address) -> bool {
    let (Some(transaction), Some(receipt)) =
        (block.transactions.get(index), block.receipts.get(index))
    else {
        return false;
    };
    let envelope = transaction.envelope();
    let other = match envelope.to() {
        Some(to) => to,
        None => transaction.signer().create(envelope.nonce()),
    };
    transaction.signer() == address
        || other == address
        || receipt.logs().iter().any(|log| {
            let word = address.into_word();
            log.address == address || log.topics().contains(&word)
        })
}

impl Found {
    fn page(self, first: bool, last: bool) -> Reply {
        let mut places = self.places;
        places.sort_by_key(|(block, index)| std::cmp::Reverse((block.number(), *index)));
        let (txs, receipts): (Vec<_>, Vec<_>) = places
            .into_iter()
            .filter_map(|place| entry(place, true))
            .unzip();
        reply(&json!({"txs": txs, "receipts": receipts, "firstPage": first, "lastPage": last}))
    }
}

/// `ots_getTransactionBySenderAndNonce`: its hash; null if there is none.
pub(crate) async fn by_sender_and_nonce(api: &Api, mut params: Params<'_>) -> Reply {
    let sender: Address = params.required()?;
    let nonce: u64 = params.required()?;
    params.end()?;
    let node = &api.node;
    let found = first_height(api, sender, |account| account.nonce > nonce);
    let Some(number) = found.await? else {
        return reply(&());
    };
    let block = block::numbered(node, number).await?;
    let hash = block.and_then(|block| {
        let mut transactions = block.transactions.iter();
        let found = transactions
            .find(|each| each.signer() == sender && each.envelope().nonce() == nonce)?;
        Some(found.hash())
    });
    reply(&hash)
}

/// Who created a contract, and in which transaction.
#[derive(Debug, Serialize)]
struct Creator {
    hash: B256,
    creator: Address,
}

/// `ots_getContractCreator`: null for what is no contract or was there from the beginning.
pub(crate) async fn contract_creator(api: &Api, mut params: Params<'_>) -> Reply {
    let address: Address = params.required()?;
    params.end()?;
    let node = &api.node;
    let found = first_height(api, address, |account| account.code_hash != KECCAK256_EMPTY);
    let Some(number) = found.await? else {
        return reply(&());
    };
    let Some(block) = block::numbered(node, number).await? else {
        return reply(&());
    };
    let traces = crate::trace::localized(api, &block, replay::Watched::All).await?;
    let creator = traces.iter().find_map(|trace| {
        let Action::Create(create) = &trace.trace.action else {
            return None;
        };
        let Some(TraceOutput::Create(output)) = &trace.trace.result else {
            return None;
        };
        let hash = trace.transaction_hash?;
        (output.address == address).then_some(Creator {
            hash,
            creator: create.from,
        })
    });
    reply(&creator)
}

/// The first block after which something holds of an account that goes on to hold, by bisection; none if it does not hold
/// now.
async fn first_height(
    api: &Api,
    address: Address,
    holds: impl Fn(&Account) -> bool,
) -> Result<Option<u64>, Error> {
    let node = &api.node;
    if !holds(&node.account(address).await?) {
        return Ok(None);
    }
    let (mut low, mut high) = (0, node.latest().number());
    while low < high {
        let middle = u64::midpoint(low, high);
        let at = node.state_at(middle).await?;
        if holds(&node.account_at(at, address).await?) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    Ok(Some(high))
}
