//! geth's tracers, and what is kept, in bytes.

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
use alloy_consensus::{BlockBody, Header, TxEnvelope};
use alloy_eips::{BlockId, BlockNumberOrTag, eip2718::Encodable2718 as _, eip4895::Withdrawals};
use alloy_primitives::{B256, Bytes};
use alloy_rlp::Decodable as _;
use alloy_rpc_types_eth::TransactionRequest;
use alloy_rpc_types_trace::geth::{
    GethDebugTracingCallOptions, GethDebugTracingOptions, GethTrace,
};
use chain::Finalized;
use evm::{Trace, Traced, Tracer};
use serde::Serialize;
use std::sync::Arc;

/// The trace of one transaction of a block.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct OfTransaction {
    tx_hash: B256,
    result: GethTrace,
}

/// `debug_traceTransaction`.
pub(crate) async fn trace_transaction(api: &Api, mut params: Params<'_>) -> Reply {
    let hash: B256 = params.required()?;
    let tracer = tracer(params.optional()?)?;
    params.end()?;
    let traced = replay::by_hash(api, hash, tracer).await?;
    block::offload_always(move || reply(&frame(traced)?)).await
}

/// `debug_traceBlockByNumber`.
pub(crate) async fn trace_block_by_number(api: &Api, mut params: Params<'_>) -> Reply {
    let tag: BlockNumberOrTag = params.required()?;
    let tracer = tracer(params.optional()?)?;
    params.end()?;
    let number = block::resolve(&api.node, tag);
    let block = block::numbered(&api.node, number).await?;
    let absent = || Error::Failed(format!("block #{number} not found"));
    trace_block(api, block.ok_or_else(absent)?, tracer).await
}

/// `debug_traceBlockByHash`.
pub(crate) async fn trace_block_by_hash(api: &Api, mut params: Params<'_>) -> Reply {
    let hash: B256 = params.required()?;
    let tracer = tracer(params.optional()?)?;
    params.end()?;
    trace_block(api, by_hash(api, hash).await?, tracer).await
}

/// `debug_traceBlock`: a block given in RLP, which must be one of this chain.
pub(crate) async fn trace_block_rlp(api: &Api, mut params: Params<'_>) -> Reply {
    let rlp: Bytes = params.required()?;
    let tracer = tracer(params.optional()?)?;
    params.end()?;
    let decoded = EthereumBlock::decode(&mut rlp.as_ref())
        .map_err(|error| Error::InvalidParams(format!("could not decode block: {error}")))?;
    let hash = decoded.header.hash_slow();
    trace_block(api, by_hash(api, hash).await?, tracer).await
}

async fn by_hash(api: &Api, hash: B256) -> Result<Arc<Finalized>, Error> {
    let block = api.node.block_by_hash(hash).await;
    block.ok_or_else(|| Error::Failed(format!("block {hash} not found")))
}

async fn trace_block(api: &Api, block: Arc<Finalized>, tracer: Tracer) -> Reply {
    if block.number() == 0 {
        return Err(Error::Failed("genesis is not traceable".to_owned()));
    }
    let traced = replay::block(api, &block, Watched::All, tracer).await?;
    let hashes: Vec<B256> = block.transactions.iter().map(|each| each.hash()).collect();
    block::offload_always(move || {
        let frames = hashes.into_iter().zip(traced).map(|(tx_hash, traced)| {
            let result = frame(traced)?;
            Ok(OfTransaction { tx_hash, result })
        });
        reply(&frames.collect::<Result<Vec<_>, Error>>()?)
    })
    .await
}

/// `debug_traceCall`.
pub(crate) async fn trace_call(api: &Api, mut params: Params<'_>) -> Reply {
    let request: TransactionRequest = params.required()?;
    let id: Option<BlockId> = params.optional()?;
    let options: GethDebugTracingCallOptions = params.optional()?.unwrap_or_default();
    params.end()?;
    let GethDebugTracingCallOptions {
        tracing_options,
        state_overrides,
        block_overrides,
        tx_index,
    } = options;
    if tx_index.is_some() {
        return Err(Error::InvalidParams(
            "txIndex is not supported: a call is traced on the state after a block".to_owned(),
        ));
    }
    let tracer = tracer(Some(tracing_options))?;
    let node = &api.node;
    let at = account::state_at(node, id).await?;
    let setting = Setting::new(node, at, state_overrides, block_overrides)?;
    let gas = gas(&request, api.limits.call_gas_max);
    let call = to_call(node, request, gas)?;
    let mut traced = replay::calls(api, at, setting, vec![(call, tracer)]).await?;
    let missing = || Error::Internal("a trace is missing".to_owned());
    let traced = traced.pop().ok_or_else(missing)?;
    block::offload_always(move || reply(&frame(traced)?)).await
}

fn tracer(options: Option<GethDebugTracingOptions>) -> Result<Tracer, Error> {
    Tracer::geth(options.unwrap_or_default()).map_err(Error::Failed)
}

fn frame(traced: Traced) -> Result<GethTrace, Error> {
    match traced.trace {
        Trace::Geth(frame) => Ok(*frame),
        other => Err(Error::Internal(format!("another trace: {other:?}"))),
    }
}

type EthereumBlock = alloy_consensus::Block<TxEnvelope, Header>;

/// `debug_getRawBlock`: in Ethereum's encoding.
pub(crate) async fn raw_block(api: &Api, mut params: Params<'_>) -> Reply {
    let id: BlockId = params.required()?;
    params.end()?;
    let block = found(api, id).await?;
    let transactions = block.transactions.iter();
    let header = block.block.header();
    let ethereum = EthereumBlock {
        header: header.clone(),
        body: BlockBody {
            transactions: transactions.map(|each| each.envelope().clone()).collect(),
            ommers: Vec::new(),
            withdrawals: header.withdrawals_root.map(|_| Withdrawals::default()),
        },
    };
    reply(&Bytes::from(alloy_rlp::encode(&ethereum)))
}

/// `debug_getRawHeader`.
pub(crate) async fn raw_header(api: &Api, mut params: Params<'_>) -> Reply {
    let id: BlockId = params.required()?;
    params.end()?;
    reply(&found(api, id).await?.block.header_rlp())
}

/// `debug_getRawReceipts`.
pub(crate) async fn raw_receipts(api: &Api, mut params: Params<'_>) -> Reply {
    let id: BlockId = params.required()?;
    params.end()?;
    let block = found(api, id).await?;
    let receipts = block.receipts.iter();
    let receipts: Vec<Bytes> = receipts.map(|each| each.encoded_2718().into()).collect();
    reply(&receipts)
}

async fn found(api: &Api, id: BlockId) -> Result<Arc<Finalized>, Error> {
    let block = block::find(&api.node, id).await?;
    block.ok_or_else(|| Error::Failed("block not found".to_owned()))
}
