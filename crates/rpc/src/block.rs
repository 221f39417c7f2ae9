//! Blocks by number, tag or hash.

use crate::{
    dispatch::{Reply, reply},
    error::Error,
    method::Api,
    parameter::Params,
    transaction,
};
use alloy_consensus::Sealed;
use alloy_eips::{BlockId, BlockNumberOrTag};
use alloy_primitives::{B256, Bytes, U64, U256};
use alloy_rlp::Encodable as _;
use alloy_rpc_types_eth::{Block, BlockTransactions, Header, Withdrawals};
use chain::{Finalized, Node};
use std::sync::Arc;

/// The block number a tag names now. Final is final: every tag but `earliest` is the last block.
pub(crate) fn resolve(node: &Node, tag: BlockNumberOrTag) -> u64 {
    match tag {
        BlockNumberOrTag::Number(number) => number,
        BlockNumberOrTag::Earliest => 0,
        BlockNumberOrTag::Latest
        | BlockNumberOrTag::Safe
        | BlockNumberOrTag::Finalized
        | BlockNumberOrTag::Pending => node.latest().number(),
    }
}

/// The block, if it is final here.
///
/// # Errors
/// As [`numbered`]. A hash that is not known here says nothing of the height.
pub(crate) async fn find(node: &Node, id: BlockId) -> Result<Option<Arc<Finalized>>, Error> {
    match id {
        BlockId::Number(tag) => numbered(node, resolve(node, tag)).await,
        BlockId::Hash(hash) => Ok(node.block_by_hash(hash.block_hash).await),
    }
}

/// The block with this number; none before it is final.
///
/// # Errors
/// [`NodeError::BlockPruned`](chain::NodeError::BlockPruned) if it is final and not here any more: it must not look as if
/// there had never been one.
pub(crate) async fn numbered(node: &Node, number: u64) -> Result<Option<Arc<Finalized>>, Error> {
    here(node, number, node.block(number).await).await
}

/// As [`numbered`], without what it did.
pub(crate) async fn body(node: &Node, number: u64) -> Result<Option<Arc<types::Block>>, Error> {
    here(node, number, node.body(number).await).await
}

async fn here<T>(node: &Node, number: u64, found: Option<T>) -> Result<Option<T>, Error> {
    // Asked after it was looked for: what is removed in between is told of, too.
    match found {
        None => match node.pruned(number).await {
            Some(pruned) => Err(pruned.into()),
            None => Ok(None),
        },
        found => Ok(found),
    }
}

/// `eth_blockNumber`.
pub(crate) fn number(api: &Api, params: &Params<'_>) -> Reply {
    params.end()?;
    reply(&U64::from(api.node.latest().number()))
}

/// `eth_getBlockByNumber`.
pub(crate) async fn by_number(api: &Api, mut params: Params<'_>) -> Reply {
    let tag: BlockNumberOrTag = params.required()?;
    by_id(api, params, tag.into()).await
}

/// `eth_getBlockByHash`.
pub(crate) async fn by_hash(api: &Api, mut params: Params<'_>) -> Reply {
    let hash: B256 = params.required()?;
    by_id(api, params, hash.into()).await
}

async fn by_id(api: &Api, mut params: Params<'_>, id: BlockId) -> Reply {
    let full = params.optional()?.unwrap_or(false);
    params.end()?;
    match find(&api.node, id).await? {
        Some(block) => {
            offload(block.transactions.len(), move || {
                reply(&render(&block, full))
            })
            .await
        }
        None => reply(&()),
    }
}

/// `eth_getBlockTransactionCountByNumber`.
pub(crate) async fn transaction_count_by_number(api: &Api, mut params: Params<'_>) -> Reply {
    let tag: BlockNumberOrTag = params.required()?;
    params.end()?;
    transaction_count(api, tag.into()).await
}

/// `eth_getBlockTransactionCountByHash`.
pub(crate) async fn transaction_count_by_hash(api: &Api, mut params: Params<'_>) -> Reply {
    let hash: B256 = params.required()?;
    params.end()?;
    transaction_count(api, hash.into()).await
}

async fn transaction_count(api: &Api, id: BlockId) -> Reply {
    let block = find(&api.node, id).await?;
    reply(&block.map(|block| U64::from(block.transactions.len())))
}

/// `eth_getUncleCountByBlockNumber` and `…Hash`: a final chain has no uncles.
pub(crate) async fn uncle_count(api: &Api, mut params: Params<'_>) -> Reply {
    let id: BlockId = params.required()?;
    params.end()?;
    let block = find(&api.node, id).await?;
    reply(&block.map(|_| U64::ZERO))
}

/// `eth_getUncleByBlockNumberAndIndex` and `…Hash…`.
pub(crate) async fn uncle(api: &Api, mut params: Params<'_>) -> Reply {
    let id: BlockId = params.required()?;
    let _: U64 = params.required()?;
    params.end()?;
    find(&api.node, id).await?;
    reply(&())
}

/// Items from which on an answer is made off the threads that serve the network.
const HEAVY: usize = 256;

/// Makes an answer of so many items: at once if they are few, else on a thread that may take its time.
pub(crate) async fn offload(items: usize, make: impl FnOnce() -> Reply + Send + 'static) -> Reply {
    if items < HEAVY {
        return make();
    }
    offload_always(make).await
}

/// Makes an answer that may be large on a thread that may take its time.
pub(crate) async fn offload_always(make: impl FnOnce() -> Reply + Send + 'static) -> Reply {
    let made = tokio::task::spawn_blocking(make).await;
    made.unwrap_or_else(|error| Err(Error::Internal(error.to_string())))
}

/// The header with its hash, from which a client can recompute it.
pub(crate) fn header(block: &types::Block, hash: B256) -> Header {
    Header::from_sealed(Sealed::new_unchecked(block.header().clone(), hash))
}

/// The block as `eth_getBlockBy…` gives it.
pub(crate) fn render(block: &Finalized, full: bool) -> Block {
    let transactions = if full {
        let render = |index| transaction::in_block(block, index);
        BlockTransactions::Full((0..block.transactions.len()).filter_map(render).collect())
    } else {
        BlockTransactions::Hashes(block.transactions.iter().map(|each| each.hash()).collect())
    };
    let withdrawals = block.block.header().withdrawals_root;
    let header = header(&block.block, block.hash).with_size(Some(U256::from(size(
        block.block.header(),
        block.block.transactions(),
    ))));
    Block {
        header,
        uncles: Vec::new(),
        transactions,
        withdrawals: withdrawals.map(|_| Withdrawals::default()),
    }
}

/// Bytes of the block in Ethereum's encoding: header, transactions, no ommers, no withdrawals.
pub(crate) fn size(header: &alloy_consensus::Header, transactions: &[Bytes]) -> usize {
    // On the network a typed transaction is a byte string around its bytes, a legacy one is itself.
    let encoded = |raw: &Bytes| match raw.first() {
        Some(0xc0..) => raw.len(),
        _ => raw.length(),
    };
    let transactions = list(transactions.iter().map(encoded).sum());
    let withdrawals = header.withdrawals_root.map_or(0, |_| list(0));
    list(header.length() + transactions + list(0) + withdrawals)
}

fn list(payload_length: usize) -> usize {
    alloy_rlp::Header {
        list: true,
        payload_length,
    }
    .length_with_payload()
}
