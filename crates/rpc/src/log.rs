//! Logs by range and filter.

use crate::{
    block,
    dispatch::{Reply, reply},
    error::Error,
    method::Api,
    parameter::Params,
    server::Limits,
};
use alloy_eips::BlockNumberOrTag;
use alloy_primitives::{B256, keccak256};
use alloy_rpc_types_eth::{Filter, FilterBlockOption, Log};
use chain::{IndexedLog, LogCursor, LogPage, LogQuery, Node};
use std::{ops::RangeInclusive, sync::Arc, time::Duration};
use tokio::time::sleep;
use types::{Block, TransactionReceipt};

/// `eth_getLogs`.
pub(crate) async fn get(api: &Api, mut params: Params<'_>) -> Reply {
    let filter: Filter = params.required()?;
    params.end()?;
    let answer = query(&api.node, &filter, &api.limits).await;
    if matches!(answer, Err(Error::Limit(_))) {
        sleep(REFUSAL_PAUSE).await;
    }
    answer
}

/// How long one waits who asked for more than an answer may hold: to refuse is work too, and asking again at once gets no more.
const REFUSAL_PAUSE: Duration = Duration::from_millis(4);

/// Addresses, or topics in one place, that one question may name: geth's bound, and its words.
const ALTERNATIVES_MAX: usize = 1_000;

/// Answers with all logs a filter names.
pub(crate) async fn query(node: &Node, filter: &Filter, limits: &Limits) -> Reply {
    let range = match filter.block_option {
        FilterBlockOption::AtBlockHash(hash) => {
            let block = node.block_by_hash(hash).await;
            let block = block.ok_or_else(|| Error::Failed("unknown block".to_owned()))?;
            let mut found = Found::default();
            found.add(filter, &block.block, &block.receipts);
            found.within(limits)?;
            return found.reply().await;
        }
        FilterBlockOption::Range {
            from_block,
            to_block,
        } => match range(node, from_block, to_block)? {
            Some(range) => range,
            None => return Found::default().reply().await,
        },
    };
    let blocks = (range.end() - range.start()).saturating_add(1);
    if blocks > limits.log_blocks_max {
        return Err(Error::InvalidParams(format!(
            "block range too large: {blocks} blocks, at most {} at a time",
            limits.log_blocks_max
        )));
    }
    let mut search = Search::new(filter, range)?;
    let mut found = Found::default();
    while let Some(page) = search.next(node).await? {
        found.announce(page.least, limits)?;
        found.extend(page.logs);
        found.within(limits)?;
    }
    found.reply().await
}

/// A search of the node's index, page by page. Dropping it ends it.
pub(crate) struct Search {
    query: Arc<LogQuery>,
    after: Option<LogCursor>,
    done: bool,
}

impl Search {
    /// Prepares the search for what a filter names in the blocks of a range.
    pub(crate) fn new(filter: &Filter, blocks: RangeInclusive<u64>) -> Result<Self, Error> {
        let query = LogQuery {
            blocks,
            addresses: filter.address.iter().copied().collect(),
            topics: filter
                .topics
                .each_ref()
                .map(|topics| topics.iter().copied().collect()),
        };
        let most = query.topics.iter().map(Vec::len).max().unwrap_or_default();
        if most.max(query.addresses.len()) > ALTERNATIVES_MAX {
            return Err(Error::InvalidParams(
                "exceed max addresses or topics per search position".to_owned(),
            ));
        }
        Ok(Self {
            query: Arc::new(query),
            after: None,
            done: false,
        })
    }

    /// More logs, perhaps none; or that there are no more.
    pub(crate) async fn next(&mut self, node: &Node) -> Result<Option<LogPage>, Error> {
        if self.done {
            return Ok(None);
        }
        let page = node.logs(&self.query, self.after).await?;
        self.after = page.next;
        self.done = page.next.is_none();
        Ok(Some(page))
    }
}

/// The blocks meant, cut off at the last final one. None if there are none of them yet.
fn range(
    node: &Node,
    from: Option<BlockNumberOrTag>,
    to: Option<BlockNumberOrTag>,
) -> Result<Option<RangeInclusive<u64>>, Error> {
    if let (Some(BlockNumberOrTag::Number(from)), Some(BlockNumberOrTag::Number(to))) = (from, to)
        && from > to
    {
        return Err(Error::InvalidParams(
            "invalid block range params".to_owned(),
        ));
    }
    let head = node.latest().number();
    let from = block::resolve(node, from.unwrap_or_default());
    let to = block::resolve(node, to.unwrap_or_default()).min(head);
    Ok((from <= to).then_some(from..=to))
}

/// Logs found so far, in order.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub logs: Vec<Log>,
    bytes: usize,
}

impl Found {
    /// Adds the matching logs of one block, for those who follow the head: it is at hand in memory. The bloom of its header
    /// mostly spares looking at what it did.
    pub(crate) async fn scan(
        &mut self,
        node: &Node,
        filter: &Filter,
        number: u64,
    ) -> Result<(), Error> {
        let absent = || Error::Failed(format!("block {number} is not available on this node"));
        let block = block::body(node, number).await?.ok_or_else(absent)?;
        if filter.matches_bloom(block.header().logs_bloom) {
            let receipts = node.receipts(number).await.ok_or_else(absent)?;
            self.add(filter, &block, &receipts);
        }
        Ok(())
    }

    /// Adds logs that were searched for.
    pub(crate) fn extend(&mut self, logs: Vec<IndexedLog>) {
        for log in logs {
            self.bytes += LOG_BYTES + log.log.data.data.len();
            self.logs.push(Log {
                inner: log.log,
                block_hash: Some(log.block_hash),
                block_number: Some(log.block_number),
                block_timestamp: Some(log.block_timestamp),
                transaction_hash: Some(log.transaction_hash),
                transaction_index: Some(log.transaction_index.into()),
                log_index: Some(log.log_index.into()),
                removed: false,
            });
        }
    }

    /// Adds the matching logs of a block.
    pub(crate) fn add(&mut self, filter: &Filter, block: &Block, receipts: &[TransactionReceipt]) {
        let hash = block.hash();
        let mut number_in_block = 0;
        for (index, (receipt, raw)) in receipts.iter().zip(block.transactions()).enumerate() {
            let mut place = None;
            for log in receipt.logs() {
                if filter.matches(log) {
                    let place =
                        place.get_or_insert_with(|| Place::new(block, hash, keccak256(raw), index));
                    self.bytes += LOG_BYTES + log.data.data.len();
                    self.logs.push(place.log(log.clone(), number_in_block));
                }
                number_in_block += 1;
            }
        }
    }

    /// The logs as an answer.
    pub(crate) async fn reply(self) -> Reply {
        block::offload(self.logs.len(), move || reply(&self.logs)).await
    }

    /// Whether one answer may hold so many more logs: what cannot be answered is not read first.
    pub(crate) fn announce(&self, more: u64, limits: &Limits) -> Result<(), Error> {
        let most = limits.logs_max;
        if (self.logs.len() as u64).saturating_add(more) > most as u64 {
            return Err(Error::Limit(format!(
                "query returned more than {most} results: ask for fewer blocks at a time"
            )));
        }
        Ok(())
    }

    /// Whether this is still no more than one answer may hold.
    pub(crate) fn within(&self, limits: &Limits) -> Result<(), Error> {
        self.announce(0, limits)?;
        // In hexadecimal each byte takes two.
        if self.bytes.saturating_mul(2) > limits.response_bytes_max {
            return Err(Error::ResponseTooLarge(limits.response_bytes_max));
        }
        Ok(())
    }
}

/// Bytes of a log beyond its data: address, topics and where it is, half of their length in JSON.
const LOG_BYTES: usize = 350;

/// Where the logs of a transaction are.
pub(crate) struct Place {
    block_hash: B256,
    block_number: u64,
    block_timestamp: u64,
    transaction_hash: B256,
    transaction_index: u64,
}

impl Place {
    /// The transaction at `index` of `block`.
    pub(crate) fn new(
        block: &Block,
        block_hash: B256,
        transaction_hash: B256,
        index: usize,
    ) -> Self {
        Self {
            block_hash,
            block_number: block.number(),
            block_timestamp: block.header().timestamp,
            transaction_hash,
            transaction_index: index as u64,
        }
    }

    /// The log as clients get it; `log_index` counts all logs of the block.
    pub(crate) fn log(&self, log: alloy_primitives::Log, log_index: u64) -> Log {
        Log {
            inner: log,
            block_hash: Some(self.block_hash),
            block_number: Some(self.block_number),
            block_timestamp: Some(self.block_timestamp),
            transaction_hash: Some(self.transaction_hash),
            transaction_index: Some(self.transaction_index),
            log_index: Some(log_index),
            removed: false,
        }
    }
}
