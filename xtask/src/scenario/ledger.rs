//! What the chain itself holds: every record that was claimed, read from the first block to the last over Ethereum's
//! own JSON-RPC, and worked out from transactions and their receipts without the gateway's help.

use alloy_primitives::{Address, B256, Bytes, Log, LogData, U64};
use alloy_sol_types::{SolCall as _, SolEvent as _};
use anyhow::{Context as _, Result, ensure};
use client::rpc::Nodes;
use contracts::{Event, IRecords, RECORDS_ADDRESS, batch_root, leaf, record_id};
use futures::{StreamExt as _, TryStreamExt as _};
use serde::Deserialize;
use serde_json::json;
use std::collections::BTreeMap;

/// Blocks asked for at a time.
const IN_FLIGHT: usize = 16;
/// Blocks in one question for logs.
const LOG_BLOCKS: u64 = 1_000;

/// Every record that was ever claimed.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    /// Commitments claimed under each id, one for each time. More than one is a broken promise.
    pub claims: BTreeMap<B256, Vec<B256>>,
    /// Times a claimed id was sent with another commitment.
    pub conflicts: u64,
    /// The last block read.
    pub height: u64,
    /// Transactions in all of them.
    pub transactions: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct BlockRead {
    hash: B256,
    parent_hash: B256,
    transactions: Vec<TransactionRead>,
}

#[derive(Deserialize)]
struct TransactionRead {
    hash: B256,
    to: Option<Address>,
    input: Bytes,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ReceiptRead {
    transaction_hash: B256,
    status: U64,
    logs: Vec<LogRead>,
}

#[derive(Deserialize)]
struct LogRead {
    address: Address,
    topics: Vec<B256>,
    data: Bytes,
}

impl From<LogRead> for Log {
    fn from(log: LogRead) -> Self {
        Self {
            address: log.address,
            data: LogData::new_unchecked(log.topics, log.data),
        }
    }
}

impl Ledger {
    /// Reads the whole chain from one node, and asks the others whether it is theirs too.
    pub(crate) async fn read(nodes: &Nodes) -> Result<Self> {
        let mut height = u64::MAX;
        for index in 0..nodes.len() {
            let head: U64 = nodes.call_at(index, "eth_blockNumber", [(); 0]).await?;
            height = height.min(head.to());
        }
        let mut ledger = Self {
            height,
            ..Self::default()
        };
        let mut parent: Option<B256> = None;
        let blocks = futures::stream::iter(0..=height)
            .map(|number| block(nodes, number))
            .buffered(IN_FLIGHT);
        let mut blocks = std::pin::pin!(blocks);
        while let Some((block, receipts)) = blocks.try_next().await? {
            if let Some(parent) = parent {
                ensure!(
                    block.parent_hash == parent,
                    "block {} does not continue the chain",
                    block.hash
                );
            }
            parent = Some(block.hash);
            ledger.add(block, receipts)?;
        }
        for index in 1..nodes.len() {
            let params = json!([U64::from(height), true]);
            let theirs: BlockRead = nodes.call_at(index, "eth_getBlockByNumber", params).await?;
            ensure!(
                Some(theirs.hash) == parent,
                "validators 0 and {index} have different blocks at {height}"
            );
        }
        ledger.count_logs(nodes).await?;
        Ok(ledger)
    }

    fn add(&mut self, block: BlockRead, receipts: Vec<ReceiptRead>) -> Result<()> {
        ensure!(
            block.transactions.len() == receipts.len(),
            "block {} has {} transactions and {} receipts",
            block.hash,
            block.transactions.len(),
            receipts.len()
        );
        for (transaction, receipt) in block.transactions.iter().zip(receipts) {
            ensure!(
                transaction.hash == receipt.transaction_hash,
                "the receipts of block {} are not its transactions'",
                block.hash
            );
            self.transactions += 1;
            if transaction.to == Some(RECORDS_ADDRESS) && receipt.status == U64::from(1) {
                self.add_call(&transaction.input, receipt.logs)
                    .with_context(|| format!("transaction {}", transaction.hash))?;
            }
        }
        Ok(())
    }

    /// What a call of `Records` claimed: the entries of its calldata that its event marks.
    fn add_call(&mut self, input: &Bytes, logs: Vec<LogRead>) -> Result<()> {
        let call = IRecords::recordCall::abi_decode(input)?;
        let entries: Vec<(B256, B256)> = call.keys.into_iter().zip(call.commitments).collect();
        for log in logs {
            match Event::decode(&log.into())? {
                Some(Event::Recorded(event)) => {
                    let mut leaves = Vec::with_capacity(event.count);
                    for index in event.claimed_entries(entries.len())? {
                        let (key, commitment) =
                            *entries.get(index).context("an entry beyond the call")?;
                        let id = record_id(event.organization, key);
                        leaves.push(leaf(id, commitment));
                        self.claims.entry(id).or_default().push(commitment);
                    }
                    ensure!(
                        batch_root(&leaves) == Some(event.root),
                        "the batch root is not that of the claimed entries"
                    );
                }
                Some(Event::Conflicted(_)) => self.conflicts += 1,
                None => {}
            }
        }
        Ok(())
    }

    /// Counts the claims a second way, by the logs alone.
    async fn count_logs(&self, nodes: &Nodes) -> Result<()> {
        let mut counted = 0;
        for from in (0..=self.height).step_by(usize::try_from(LOG_BLOCKS)?) {
            let to = self.height.min(from + LOG_BLOCKS - 1);
            let filter = json!([{
                "address": RECORDS_ADDRESS,
                "topics": [IRecords::Recorded::SIGNATURE_HASH],
                "fromBlock": U64::from(from),
                "toBlock": U64::from(to),
            }]);
            let logs: Vec<LogRead> = nodes.call_at(0, "eth_getLogs", filter).await?;
            for log in logs {
                if let Some(Event::Recorded(event)) = Event::decode(&log.into())? {
                    counted += event.count;
                }
            }
        }
        let claimed: usize = self.claims.values().map(Vec::len).sum();
        ensure!(
            counted == claimed,
            "the logs count {counted} claims, the transactions {claimed}"
        );
        Ok(())
    }
}

async fn block(nodes: &Nodes, number: u64) -> Result<(BlockRead, Vec<ReceiptRead>)> {
    let number = U64::from(number);
    let block: BlockRead = nodes
        .call_at(0, "eth_getBlockByNumber", json!([number, true]))
        .await?;
    if block.transactions.is_empty() {
        return Ok((block, Vec::new()));
    }
    let receipts = nodes
        .call_at(0, "eth_getBlockReceipts", json!([number]))
        .await?;
    Ok((block, receipts))
}
