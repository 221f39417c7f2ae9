//! The index of final logs: by address and by topic in each of its four places.
//!
//! Logs are numbered through the whole chain and kept whole, beside what a reader wants to know of their block, so that
//! one is served by one read. Which numbers a key (an address, or a topic in its place) has is in *runs*: one per 32,768
//! logs, a sorted list of postings cut into pages, written once and never changed. The logs after the last run are indexed
//! in memory.
//!
//! ```text
//! blocks   height ► first log, end, hash, time            fixed, one per block
//! logs     number ► transaction, place, address, topics, data
//! pages    512 postings (key, log), sorted              ┐ a run: some pages
//! runs     where its pages are, the least posting of each ┘ and one of these
//! ```
//!
//! A question costs two reads for its range, one or two pages for each run and key in the range, and one read for each
//! log found. Nothing of this grows with the chain. What the range spans costs least: a run that lacks a key costs one
//! page, some 5 µs, for 32,768 logs.
//!
//! Memory: 12 bytes for each page of postings, which is at most 0.12 bytes for each log of the chain; and for the logs
//! after the last run at most 5 postings of some 26 bytes each, 4 MiB in all.
//!
//! Old logs are removed in whole sections (65,536 logs, 262,144 blocks, 16,384 pages), the directory of runs never. The first
//! block all of whose logs are left is where the index begins.
//!
//! The index is derived: transaction receipts are what is true. It is written together with them and before whoever waits
//! is told. When the node starts, what is missing is made again from the receipts (`Index::next`); what a crash left
//! half written is cut off when it is opened.

mod actor;
mod entry;
mod index;
mod run;
mod search;
#[cfg(test)]
pub(super) mod tests;

pub use actor::{Actor, Mailbox};
pub use index::{Index, Layout};

use alloy_primitives::{Address, B256, Log};
use commonware_storage::{archive, journal};
use std::ops::RangeInclusive;

/// Which logs are wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogQuery {
    /// Heights, inclusive.
    pub blocks: RangeInclusive<u64>,
    /// The contract is one of these; empty: any.
    pub addresses: Vec<Address>,
    /// For each place, the topic there is one of these; empty: any, or none at all.
    pub topics: [Vec<B256>; 4],
}

impl LogQuery {
    /// Whether a log of a block in the range is wanted.
    pub fn matches(&self, log: &Log) -> bool {
        let address = self.addresses.is_empty() || self.addresses.contains(&log.address);
        let mut topics = log.topics().iter();
        address
            && self.topics.iter().all(|wanted| {
                let topic = topics.next();
                wanted.is_empty() || topic.is_some_and(|topic| wanted.contains(topic))
            })
    }
}

/// A final log, and where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexedLog {
    /// Height of its block.
    pub block_number: u64,
    /// Hash of its block.
    pub block_hash: B256,
    /// Seconds of its block's time.
    pub block_timestamp: u64,
    /// Hash of its transaction.
    pub transaction_hash: B256,
    /// Place of its transaction in the block.
    pub transaction_index: u32,
    /// Its place among all logs of the block.
    pub log_index: u32,
    /// Itself.
    pub log: Log,
}

/// Where a search goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogCursor(u64);

/// Some of the logs wanted, in order. It is cut where it became long: by work done, logs found or their bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogPage {
    /// The logs. None does not mean that there are no more.
    pub logs: Vec<IndexedLog>,
    /// Where to go on; none when all of the range was looked at.
    pub next: Option<LogCursor>,
    /// Pages of postings and logs that were read for it.
    pub reads: u64,
    /// How many logs are wanted from the beginning of this page on, as far as that is known without reading them: at least so
    /// many. Who wants fewer need not go on.
    pub least: u64,
}

/// Why the index has no answer.
#[derive(Debug, thiserror::Error)]
pub enum LogsError {
    /// The range begins before what is indexed here.
    #[error("logs before block {first} are not here")]
    Pruned {
        /// The first height that is indexed.
        first: u64,
    },
    /// Storage failed: the node must stop.
    #[error("log index: {0}")]
    Storage(#[from] journal::Error),
}

impl From<LogsError> for archive::Error {
    fn from(error: LogsError) -> Self {
        match error {
            LogsError::Storage(error) => Self::Journal(error),
            LogsError::Pruned { .. } => Self::RecordCorrupted,
        }
    }
}
