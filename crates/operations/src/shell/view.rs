//! What the shell shows of itself.

use std::{
    collections::VecDeque,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use client::{VerifiedBlock, follow::Head};
use tokio::time::Instant;

use crate::{
    operation,
    record::{Alarm, Status},
};

/// Blocks remembered for people to look at.
const BLOCKS_MAX: usize = 12;

/// The chain as the shell sees it.
#[derive(Debug, Clone, Default)]
pub struct ChainView {
    /// The last block whose effects are in the journal.
    pub head: Option<Head>,
    /// The last blocks, the newest first.
    pub blocks: VecDeque<BlockSummary>,
    /// The machine; none while it is not running.
    pub status: Option<Status>,
    /// The machine of operations; none while it is not running, or where there is none.
    pub operations: Option<operation::Status>,
    /// The node whose stream is followed.
    pub node: Option<String>,
    /// Why there is none, or no machine.
    pub trouble: Option<String>,
    /// When the last block came.
    pub block_at: Option<Instant>,
}

/// A finalized block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlockSummary {
    /// Which one.
    pub head: Head,
    /// Its time, Unix, in seconds.
    pub timestamp: u64,
    /// How many transactions it has.
    pub transactions: usize,
}

impl ChainView {
    /// How long no final block came; none if none came since the start.
    pub fn since_block(&self) -> Option<Duration> {
        self.block_at.map(|at| at.elapsed())
    }

    pub(super) fn push(&mut self, block: &VerifiedBlock) {
        self.head = Some(block.head());
        self.block_at = Some(Instant::now());
        self.trouble = None;
        self.blocks.push_front(BlockSummary {
            head: block.head(),
            timestamp: block.header.timestamp,
            transactions: block.transactions.len(),
        });
        self.blocks.truncate(BLOCKS_MAX);
    }
}

/// What happened since the start.
#[derive(Debug, Default)]
pub struct Counters {
    /// Final blocks taken in.
    pub blocks: AtomicU64,
    /// Records settled.
    pub settled: AtomicU64,
    /// Transactions signed.
    pub signed: AtomicU64,
    /// Transactions sent, repetitions included.
    pub sends: AtomicU64,
    /// Times a node was left because it was of no use.
    pub nodes_left: AtomicU64,
    /// Times a node lied.
    pub lies: AtomicU64,
    /// Times the machine was recovered after a failed write.
    pub recoveries: AtomicU64,
    /// Transactions of our account that someone else sent.
    pub foreign: AtomicU64,
    /// Batches that reverted.
    pub reverted: AtomicU64,
    /// Sends that a node refused.
    pub refused: AtomicU64,
    /// Times a nonce was found missing.
    pub gaps: AtomicU64,
}

impl Counters {
    pub(super) fn count(counter: &AtomicU64, by: usize) {
        counter.fetch_add(by as u64, Ordering::Relaxed);
    }

    pub(super) fn alarm(&self, alarm: &Alarm) {
        let counter = match alarm {
            Alarm::ForeignTransaction { .. } => &self.foreign,
            Alarm::Reverted { .. } => &self.reverted,
            Alarm::Refused { .. } => &self.refused,
            Alarm::NonceGap { .. } => &self.gaps,
            Alarm::SignFailed | Alarm::BlockGap { .. } => return,
        };
        Self::count(counter, 1);
    }
}
