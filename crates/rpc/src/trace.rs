//! Parity's traces, which explorers index.

use crate::{
    account, block,
    call::{gas, to_call},
    dispatch::{Reply, reply},
    error::Error,
    method::Api,
    overrides::Setting,
    parameter::Params,
    replay::{self, Watched},
};
use alloy_eips::BlockId;
use alloy_primitives::{B256, Bytes, map::HashSet};
use alloy_rpc_types_eth::{BlockOverrides, Index, TransactionRequest, state::StateOverride};
use alloy_rpc_types_trace::{
    filter::TraceFilter,
    parity::{LocalizedTransactionTrace, TraceResults, TraceResultsWithTransactionHash, TraceType},
};
use chain::Finalized;
use evm::{Trace, Traced, Tracer};
use types::Transaction;

/// `trace_block`: the calls of all transactions of a block.
pub(crate) async fn of_block(api: &Api, mut params: Params<'_>) -> Reply {
    let id: BlockId = params.required()?;
    params.end()?;
    match block::find(&api.node, id).await? {
        Some(block) => {
            let traces = localized(api, &block, Watched::All).await?;
            block::offload_always(move || reply(&traces)).await
        }
        None => reply(&()),
    }
}

/// `trace_transaction`: the calls of one; null if there is no such transaction.
pub(crate) async fn of_transaction(api: &Api, mut params: Params<'_>) -> Reply {
    let hash: B256 = params.required()?;
    params.end()?;
    let traces = by_hash(api, hash).await?;
    block::offload_always(move || reply(&traces)).await
}

/// `trace_get`: the call with this trace address.
pub(crate) async fn get(api: &Api, mut params: Params<'_>) -> Reply {
    let hash: B256 = params.required()?;
    let indices: Vec<Index> = params.required()?;
    params.end()?;
    let address: Vec<usize> = indices.into_iter().map(|Index(index)| index).collect();
    let traces = by_hash(api, hash).await?.unwrap_or_default();
    let found = traces
        .into_iter()
        .find(|each| each.trace.trace_address == address);
    reply(&found)
}

async fn by_hash(api: &Api, hash: B256) -> Result<Option<Vec<LocalizedTransactionTrace>>, Error> {
    match api.node.transaction(hash).await {
        Some((block, index)) => localized(api, &block, Watched::One(index)).await.map(Some),
        None => Ok(None),
    }
}

/// Calls with where they are.
pub(crate) async fn localized(
    api: &Api,
    block: &Finalized,
    watched: Watched,
) -> Result<Vec<LocalizedTransactionTrace>, Error> {
    let tracer = Tracer::Parity(HashSet::from_iter([TraceType::Trace]));
    let traced = replay::block(api, block, watched, tracer).await?;
    let first = match watched {
        Watched::All => 0,
        Watched::One(index) => index,
    };
    let mut traces = Vec::new();
    for (index, traced) in (first..).zip(traced) {
        let hash = block.transactions.get(index).map(|each| each.hash());
        let of_one = results(traced)?.trace.into_iter();
        traces.extend(of_one.map(|trace| LocalizedTransactionTrace {
            trace,
            block_hash: Some(block.hash),
            block_number: Some(block.number()),
            transaction_hash: hash,
            transaction_position: Some(index as u64),
        }));
    }
    Ok(traces)
}

/// `trace_replayTransaction`.
pub(crate) async fn replay_transaction(api: &Api, mut params: Params<'_>) -> Reply {
    let hash: B256 = params.required()?;
    let tracer = tracer(params.required()?);
    params.end()?;
    let traced = replay::by_hash(api, hash, tracer).await?;
    block::offload_always(move || reply(&results(traced)?)).await
}

/// `trace_replayBlockTransactions`.
pub(crate) async fn replay_block(api: &Api, mut params: Params<'_>) -> Reply {
    let id: BlockId = params.required()?;
    let tracer = tracer(params.required()?);
    params.end()?;
    let Some(block) = block::find(&api.node, id).await? else {
        return reply(&());
    };
    let traced = replay::block(api, &block, Watched::All, tracer).await?;
    block::offload_always(move || {
        let of_one = |(traced, transaction): (Traced, &std::sync::Arc<Transaction>)| {
            Ok(TraceResultsWithTransactionHash {
                full_trace: results(traced)?,
                transaction_hash: transaction.hash(),
            })
        };
        let all = traced.into_iter().zip(&block.transactions).map(of_one);
        reply(&all.collect::<Result<Vec<_>, Error>>()?)
    })
    .await
}

/// `trace_call`.
pub(crate) async fn call(api: &Api, mut params: Params<'_>) -> Reply {
    let request: TransactionRequest = params.required()?;
    let tracer = tracer(params.required()?);
    let id: Option<BlockId> = params.optional()?;
    let state: Option<StateOverride> = params.optional()?;
    let changed: Option<BlockOverrides> = params.optional()?;
    params.end()?;
    let at = account::state_at(&api.node, id).await?;
    let setting = Setting::new(&api.node, at, state, changed)?;
    let mut traced = calls(api, at, setting, vec![(request, tracer)]).await?;
    let traced = traced.pop().ok_or_else(missing)?;
    block::offload_always(move || reply(&traced)).await
}

/// `trace_callMany`: calls one after the other, each on what the ones before left.
pub(crate) async fn call_many(api: &Api, mut params: Params<'_>) -> Reply {
    let requests: Vec<(TransactionRequest, HashSet<TraceType>)> = params.required()?;
    let id: Option<BlockId> = params.optional()?;
    params.end()?;
    let requests = requests.into_iter();
    let requests = requests.map(|(request, types)| (request, tracer(types)));
    let at = account::state_at(&api.node, id).await?;
    let traced = calls(api, at, Setting::default(), requests.collect()).await?;
    block::offload_always(move || reply(&traced)).await
}

async fn calls(
    api: &Api,
    at: Option<u64>,
    setting: Setting,
    requests: Vec<(TransactionRequest, Tracer)>,
) -> Result<Vec<TraceResults>, Error> {
    let node = &api.node;
    let mut calls = Vec::with_capacity(requests.len());
    for (request, tracer) in requests {
        let gas = gas(&request, api.limits.call_gas_max);
        calls.push((to_call(node, request, gas)?, tracer));
    }
    let traced = replay::calls(api, at, setting, calls).await?;
    traced.into_iter().map(results).collect()
}

/// `trace_rawTransaction`: what a transaction would do in the next block.
pub(crate) async fn raw(api: &Api, mut params: Params<'_>) -> Reply {
    let raw: Bytes = params.required()?;
    let tracer = tracer(params.required()?);
    params.end()?;
    let transaction = Transaction::recover(raw, api.node.spec().chain_id)
        .map_err(|error| Error::Submit(error.into()))?;
    let traced = replay::raw(api, transaction, tracer).await?;
    block::offload_always(move || reply(&results(traced)?)).await
}

/// `trace_filter`: calls in a range of blocks, by who calls and who is called.
pub(crate) async fn filter(api: &Api, mut params: Params<'_>) -> Reply {
    let filter: TraceFilter = params.required()?;
    params.end()?;
    let head = api.node.latest().number();
    let from = filter.from_block.unwrap_or_default();
    let to = filter.to_block.unwrap_or(head).min(head);
    if from > to {
        return Err(Error::InvalidParams(
            "invalid parameters: fromBlock cannot be greater than toBlock".to_owned(),
        ));
    }
    let (blocks, most) = ((to - from).saturating_add(1), api.limits.trace_blocks_max);
    if blocks > most {
        return Err(Error::InvalidParams(format!(
            "block range too large: {blocks} blocks, at most {most} at a time"
        )));
    }
    let matcher = filter.matcher();
    let mut skip = filter.after.unwrap_or_default();
    let count = filter.count.unwrap_or(u64::MAX);
    let mut found: Vec<LocalizedTransactionTrace> = Vec::new();
    let mut bytes = 0;
    'blocks: for number in from..=to {
        let Some(block) = block::numbered(&api.node, number).await? else {
            continue;
        };
        for trace in localized(api, &block, Watched::All).await? {
            if found.len() as u64 >= count {
                break 'blocks;
            }
            if !matcher.matches(&trace.trace) {
                continue;
            }
            if skip > 0 {
                skip -= 1;
                continue;
            }
            bytes += TRACE_BYTES + trace_bytes(&trace);
            if bytes > api.limits.trace_bytes_max {
                return Err(Error::Limit(format!(
                    "trace too large: more than {} bytes: ask for fewer blocks at a time",
                    api.limits.trace_bytes_max
                )));
            }
            found.push(trace);
        }
    }
    block::offload_always(move || reply(&found)).await
}

/// Bytes of JSON of a call without its input and output.
const TRACE_BYTES: usize = 700;

fn trace_bytes(trace: &LocalizedTransactionTrace) -> usize {
    use alloy_rpc_types_trace::parity::Action;
    let input = match &trace.trace.action {
        Action::Call(call) => call.input.len(),
        Action::Create(create) => create.init.len(),
        _ => 0,
    };
    let output = trace
        .trace
        .result
        .as_ref()
        .map_or(0, |result| result.output().len());
    2 * (input + output)
}

fn tracer(types: HashSet<TraceType>) -> Tracer {
    Tracer::Parity(types)
}

fn results(traced: Traced) -> Result<TraceResults, Error> {
    match traced.trace {
        Trace::Parity(results) => Ok(*results),
        other => Err(Error::Internal(format!("another trace: {other:?}"))),
    }
}

fn missing() -> Error {
    Error::Internal("a trace is missing".to_owned())
}
