//! Transactions: those in blocks, those that wait, and new ones.

use crate::{
    block,
    dispatch::{Reply, reply},
    error::Error,
    method::Api,
    parameter::Params,
    receipt,
};
use alloy_consensus::{
    TxEnvelope,
    transaction::{Recovered, TransactionInfo},
};
use alloy_eips::{BlockId, BlockNumberOrTag};
use alloy_primitives::{Address, B256, Bytes, U64};
use alloy_rpc_types_eth::{Index, Transaction};
use chain::{Finalized, Node, mempool::Standing};
use serde::Serialize;
use std::{sync::Arc, time::Duration};
use tokio::time::timeout;

/// How long `eth_sendRawTransactionSync` waits when the caller does not say.
const FINAL_WAIT_DEFAULT: Duration = Duration::from_secs(2);
/// How long it waits at most; within the usual timeout of a request.
const FINAL_WAIT_MAX: Duration = Duration::from_secs(20);

/// `eth_getTransactionByHash`: of a block, or waiting here with null for all that names a block.
pub(crate) async fn by_hash(api: &Api, mut params: Params<'_>) -> Reply {
    let hash: B256 = params.required()?;
    params.end()?;
    if let Some((block, index)) = api.node.transaction(hash).await {
        return reply(&in_block(&block, index));
    }
    if let Some(waiting) = api.node.waiting(hash).await {
        return reply(&Waiting::new(&waiting));
    }
    // It may have left the mempool for a block between the two questions.
    let found = api.node.transaction(hash).await;
    reply(&found.and_then(|(block, index)| in_block(&block, index)))
}

/// `eth_getRawTransactionByHash`.
pub(crate) async fn raw_by_hash(api: &Api, mut params: Params<'_>) -> Reply {
    let hash: B256 = params.required()?;
    params.end()?;
    let found = api.node.transaction(hash).await;
    let found = found.and_then(|(block, index)| block.transactions.get(index).cloned());
    let found = match found {
        Some(found) => Some(found),
        None => api.node.waiting(hash).await,
    };
    reply(&found.map(|transaction| transaction.raw().clone()))
}

/// What became of a transaction, as far as this node knows.
#[derive(Debug, Serialize)]
#[serde(
    tag = "status",
    rename_all = "lowercase",
    rename_all_fields = "camelCase"
)]
enum Status {
    /// It is in a final block.
    Final {
        block_hash: B256,
        block_number: U64,
        transaction_index: U64,
    },
    /// It waits here and can be executed.
    Pending,
    /// It waits here for an earlier nonce.
    Queued,
    /// It was here and left for another reason than a block.
    Dropped { reason: String },
    /// It is in no final block, and this node has not heard of it since then (Unix time in seconds). What it heard before
    /// is lost: send the transaction again.
    Unknown { known_since: U64 },
}

/// `ashlar_getTransactionStatus`: final, pending, queued, dropped and why, or unknown and since when the node would know.
pub(crate) async fn status(api: &Api, mut params: Params<'_>) -> Reply {
    let hash: B256 = params.required()?;
    params.end()?;
    let mut standing = None;
    // Twice, because it may leave the mempool for a block between the two questions.
    for _ in 0..2 {
        if let Some((block, index)) = api.node.transaction(hash).await {
            return reply(&Status::Final {
                block_hash: block.hash,
                block_number: U64::from(block.number()),
                transaction_index: U64::from(index),
            });
        }
        standing = api.node.standing(hash).await;
    }
    reply(&match standing {
        Some(Standing::Pending) => Status::Pending,
        Some(Standing::Queued) => Status::Queued,
        Some(Standing::Dropped(fate)) => Status::Dropped {
            reason: fate.to_string(),
        },
        None => Status::Unknown {
            known_since: U64::from(api.started_s),
        },
    })
}

/// `eth_getTransactionByBlockNumberAndIndex`.
pub(crate) async fn by_number_and_index(api: &Api, mut params: Params<'_>) -> Reply {
    let tag: BlockNumberOrTag = params.required()?;
    by_index(api, params, tag.into()).await
}

/// `eth_getTransactionByBlockHashAndIndex`.
pub(crate) async fn by_block_hash_and_index(api: &Api, mut params: Params<'_>) -> Reply {
    let hash: B256 = params.required()?;
    by_index(api, params, hash.into()).await
}

async fn by_index(api: &Api, mut params: Params<'_>, id: BlockId) -> Reply {
    let Index(index) = params.required()?;
    params.end()?;
    let block = block::find(&api.node, id).await?;
    reply(&block.and_then(|block| in_block(&block, index)))
}

/// `eth_sendRawTransaction`.
pub(crate) async fn send(api: &Api, mut params: Params<'_>) -> Reply {
    let raw: Bytes = params.required()?;
    params.end()?;
    reply(&submit(&api.node, raw).await?)
}

/// `eth_sendRawTransactionSync` (EIP-7966): as above, and waits for the transaction receipt. The
/// second parameter is the longest wait in milliseconds.
pub(crate) async fn send_and_wait(api: &Api, mut params: Params<'_>) -> Reply {
    let raw: Bytes = params.required()?;
    let Index(wait_ms) = params.optional()?.unwrap_or(Index(0));
    params.end()?;
    let wait = match wait_ms {
        0 => FINAL_WAIT_DEFAULT,
        _ => Duration::from_millis(wait_ms as u64).min(FINAL_WAIT_MAX),
    };
    // Before it is submitted, so that no block is missed.
    let final_one = Inclusion::watch(&api.node);
    let hash = submit(&api.node, raw).await?;
    let Ok(found) = timeout(wait, final_one.of(hash)).await else {
        return Err(Error::NotFinalYet { hash, waited: wait });
    };
    let (block, index) = found.ok_or(chain::NodeError::Unavailable)?;
    reply(&receipt::in_block(&block, index))
}

/// Takes a raw transaction in.
pub(crate) async fn submit(node: &Node, raw: Bytes) -> Result<B256, Error> {
    // EIP-2718: a first byte below 0x80 is a type. Said in the words clients look for.
    if raw
        .first()
        .is_some_and(|first| matches!(first, 0 | 5..0x80))
    {
        return Err(Error::Failed("transaction type not supported".to_owned()));
    }
    Ok(node.submit(raw).await?)
}

/// Waits for a transaction to be in a final block.
struct Inclusion<'a> {
    node: &'a Node,
    next: u64,
}

impl<'a> Inclusion<'a> {
    /// Starts looking after the last final block of now.
    fn watch(node: &'a Node) -> Self {
        Self {
            node,
            next: node.latest().number().saturating_add(1),
        }
    }

    /// The block and the place in it. None when the node stops.
    async fn of(mut self, hash: B256) -> Option<(Arc<Finalized>, usize)> {
        let mut bell = self.node.watch();
        loop {
            let head = bell.borrow_and_update().number();
            while self.next <= head {
                let block = self.node.block(self.next).await?;
                if let Some(index) = block
                    .transactions
                    .iter()
                    .position(|each| each.hash() == hash)
                {
                    return Some((block, index));
                }
                self.next += 1;
            }
            bell.changed().await.ok()?;
        }
    }
}

/// A transaction of a block, if there is one at this index.
pub(crate) fn in_block(block: &Finalized, index: usize) -> Option<Transaction> {
    let transaction = block.transactions.get(index)?;
    let header = block.block.header();
    Some(render(
        transaction,
        TransactionInfo {
            hash: Some(transaction.hash()),
            index: Some(index as u64),
            block_hash: Some(block.hash),
            block_number: Some(header.number),
            base_fee: header.base_fee_per_gas,
            block_timestamp: Some(header.timestamp),
        },
    ))
}

/// A transaction that waits: null is all that names a block, its time too.
#[derive(Debug, Serialize)]
pub(crate) struct Waiting {
    #[serde(flatten)]
    transaction: Transaction,
    /// Left out of the transaction when there is none.
    #[serde(rename = "blockTimestamp")]
    block_timestamp: (),
}

impl Waiting {
    pub(crate) fn new(transaction: &types::Transaction) -> Self {
        Self {
            transaction: render(transaction, TransactionInfo::default()),
            block_timestamp: (),
        }
    }
}

/// A transaction as clients get it.
fn render(transaction: &types::Transaction, place: TransactionInfo) -> Transaction {
    rendered(transaction.envelope().clone(), transaction.signer(), place)
}

/// As [`render`], of one that nobody signed.
pub(crate) fn rendered(
    envelope: TxEnvelope,
    sender: Address,
    place: TransactionInfo,
) -> Transaction {
    Transaction::from_transaction(Recovered::new_unchecked(envelope, sender), place)
}
