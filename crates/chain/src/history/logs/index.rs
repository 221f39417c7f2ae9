//! The index on disk: opened and repaired, written block by block.

use super::{
    LogsError,
    entry::{BlockEntry, LogEntry},
    run::{self, PAGE_POSTINGS, Page, Posting, Run},
};
use crate::alias::Runtime;
use alloy_primitives::keccak256;
use commonware_codec::CodecShared;
use commonware_runtime::{ReadOptions, buffer::paged::CacheRef};
use commonware_storage::journal::{
    Error,
    contiguous::{Contiguous as _, Many, fixed, variable},
};
use commonware_utils::{NZU64, NZUsize};
use futures::{TryStreamExt as _, future::try_join};
use std::{
    collections::BTreeSet,
    num::{NonZeroU32, NonZeroU64},
    pin::pin,
};
use types::{Block, TransactionReceipt};

/// Blocks without logs that may be indexed again after a crash. Only logs are worth a flush.
const LAZY_BLOCKS: u64 = 256;

/// How an index is laid out. Fixed for the life of the data.
#[derive(Clone)]
pub struct Layout {
    /// Prefix of its partitions.
    pub prefix: String,
    /// Disk pages in memory.
    pub page_cache: CacheRef,
    /// Logs of a run.
    pub run_logs: NonZeroU32,
    /// Pages of postings that are stored, and removed, together; four times as many logs are, and sixteen times as many blocks.
    pub section: NonZeroU64,
}

impl Layout {
    fn blocks(&self) -> fixed::Config {
        fixed::Config {
            partition: format!("{}-log-blocks", self.prefix),
            items_per_blob: self.section.saturating_mul(NZU64!(16)),
            page_cache: self.page_cache.clone(),
            write_buffer: NZUsize!(1 << 16),
            replay_buffer: NZUsize!(1 << 20),
        }
    }

    fn logs(&self) -> variable::Config<()> {
        self.variable("logs", self.section.saturating_mul(NZU64!(4)))
    }

    fn pages(&self) -> variable::Config<()> {
        self.variable("log-pages", self.section)
    }

    fn runs(&self) -> variable::Config<()> {
        // It is kept whole.
        self.variable("log-runs", NZU64!(4_096))
    }

    fn variable(&self, name: &str, items_per_section: NonZeroU64) -> variable::Config<()> {
        variable::Config {
            partition: format!("{}-{name}", self.prefix),
            items_per_section,
            compression: None,
            codec_config: (),
            page_cache: self.page_cache.clone(),
            write_buffer: NZUsize!(1 << 16),
            replay_buffer: NZUsize!(1 << 20),
        }
    }
}

/// The index. A change that fails, or whose future is dropped, loses it until it is opened again.
pub struct Index<E: Runtime> {
    context: E,
    layout: Layout,
    /// The first height whose logs are all here.
    first: u64,
    /// By height.
    pub(super) blocks: fixed::Journal<E, BlockEntry>,
    /// By number.
    pub(super) logs: variable::Journal<E, LogEntry>,
    pub(super) pages: variable::Journal<E, Page>,
    directory: variable::Journal<E, Run>,
    /// What is in `directory`.
    pub(super) runs: Vec<Run>,
    /// Postings of the logs after the last run, counted from the first of them.
    pub(super) tail: BTreeSet<Posting>,
}

impl<E: Runtime> Index<E> {
    /// Opens the index, cuts off what a crash left half written, and makes runs that are due.
    ///
    /// # Errors
    /// When storage fails or holds damaged data.
    pub async fn open(context: E, layout: Layout) -> Result<Self, LogsError> {
        let (blocks, logs) = open_logs(&context, &layout).await?;
        let (pages, directory, runs) = open_runs(&context, &layout, logs.size()).await?;
        let mut index = Self {
            context,
            layout,
            first: blocks.bounds().start,
            blocks,
            logs,
            pages,
            directory,
            runs,
            tail: BTreeSet::new(),
        };
        let first = index.runs_end();
        let mut late = Vec::new();
        {
            let range = first.max(index.logs.bounds().start)..index.logs.size();
            let replay = index
                .logs
                .replay(range, NZUsize!(1 << 20), ReadOptions::default())
                .await?;
            let mut replay = pin!(replay);
            while let Some(batch) = replay.try_next().await? {
                for (number, entry) in batch {
                    late.extend(postings(number.saturating_sub(first), &entry));
                }
            }
        }
        index.tail.extend(late);
        // If a crash cut a removal short, the rest of it.
        index.flush_runs().await?.forget().await
    }

    /// The first height whose logs can be searched.
    pub(super) const fn first(&self) -> u64 {
        self.first
    }

    /// The height of the next block to be indexed.
    pub fn next(&self) -> u64 {
        self.blocks.size()
    }

    /// Number after the last log that is in a run.
    pub(super) fn runs_end(&self) -> u64 {
        (self.runs.len() as u64).saturating_mul(self.run_logs())
    }

    /// Logs of a run.
    pub(super) fn run_logs(&self) -> u64 {
        u64::from(self.layout.run_logs.get())
    }

    /// Indexes the logs of a final block. They are durable when this returns. A block that is indexed already is left as
    /// it is. After a gap, which only state sync leaves, the index starts anew: logs before it are not found any more.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn append(
        mut self,
        block: &Block,
        receipts: &[TransactionReceipt],
    ) -> Result<Self, LogsError> {
        let height = block.number();
        if height < self.next() {
            return Ok(self);
        }
        if height > self.next() && !(self.next() == 0 && height == 1) {
            tracing::warn!(
                height,
                next = self.next(),
                "the log index starts anew after a gap"
            );
            let context = self.context.child("blocks");
            drop(self.blocks);
            let config = self.layout.blocks();
            self.blocks = fixed::Journal::init_at_size(context, config, height).await?;
            self.first = height;
        }
        let first = self.logs.size();
        if self.next() == 0 && height == 1 {
            // Genesis has no logs, and nobody appends it.
            let genesis = BlockEntry {
                first,
                end: first,
                timestamp: 0,
                hash: block.header().parent_hash,
            };
            (self.blocks, _) = self.blocks.append(&genesis).await?;
        }
        let entries = entries(block, receipts);
        let entry = BlockEntry {
            first,
            end: first.saturating_add(entries.len() as u64),
            timestamp: block.header().timestamp,
            hash: block.hash(),
        };
        if !entries.is_empty() {
            (self.logs, _) = self.logs.append_many(Many::Flat(&entries)).await?;
        }
        (self.blocks, _) = self.blocks.append(&entry).await?;
        if !entries.is_empty() {
            (self.logs, self.blocks) = try_join(self.logs.commit(), self.blocks.commit()).await?;
        } else if height.is_multiple_of(LAZY_BLOCKS) {
            // Where recovery starts moves too.
            (self.logs, self.blocks) = try_join(self.logs.sync(), self.blocks.sync()).await?;
        }
        let offset = first.saturating_sub(self.runs_end());
        for (offset, entry) in (offset..).zip(&entries) {
            self.tail.extend(postings(offset, entry));
        }
        self.flush_runs().await
    }

    /// Removes the index of blocks before `height`, as far as whole sections are before it.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn prune(mut self, height: u64) -> Result<Self, LogsError> {
        let bounds = self.blocks.bounds();
        if height <= self.first || !bounds.contains(&height) {
            return Ok(self);
        }
        // Logs are removed first: where they begin tells which blocks have them, and which runs are needed, also after a crash.
        let number = self.blocks.read(height).await?.first;
        (self.logs, _) = self.logs.prune(number).await?;
        (self.blocks, _) = self.blocks.prune(height).await?;
        self.forget().await
    }

    /// Finds the first block whose logs are here, and removes what of the runs is for earlier ones.
    async fn forget(mut self) -> Result<Self, LogsError> {
        let bounds = self.blocks.bounds();
        let first_log = self.logs.bounds().start;
        let (mut first, mut end) = (bounds.start, bounds.end);
        while first < end {
            // Nearly always it is the very first.
            let height = if first == bounds.start {
                first
            } else {
                u64::midpoint(first, end)
            };
            if self.blocks.read(height).await?.first >= first_log {
                end = height;
            } else {
                first = height.saturating_add(1);
            }
        }
        self.first = first;
        if first == bounds.end {
            return Ok(self);
        }
        let number = self.blocks.read(first).await?.first;
        let run = number.checked_div(self.run_logs()).unwrap_or_default();
        // The last one stays: the next one's pages come after its.
        let run = usize::try_from(run).unwrap_or(usize::MAX);
        let run = run.min(self.runs.len().saturating_sub(1));
        if let Some(first) = self.runs.get(run).map(|run| run.first_page) {
            (self.pages, _) = self.pages.prune(first).await?;
        }
        for run in self.runs.iter_mut().take(run) {
            run.fences = Vec::new();
        }
        Ok(self)
    }

    /// Makes a run of the tail as long as it has enough logs.
    async fn flush_runs(mut self) -> Result<Self, LogsError> {
        let length = self.layout.run_logs.get();
        while self.logs.size() >= self.runs_end().saturating_add(self.run_logs()) {
            // A run must not outlive its logs.
            (self.logs, self.blocks) = try_join(self.logs.sync(), self.blocks.sync()).await?;
            let (now, later): (Vec<Posting>, Vec<Posting>) =
                self.tail.iter().partition(|posting| posting.log < length);
            let pages: Vec<Page> = now
                .chunks(PAGE_POSTINGS)
                .map(|postings| Page(postings.to_vec()))
                .collect();
            let run = Run {
                first_page: self.pages.size(),
                fences: pages
                    .iter()
                    .filter_map(|page| page.0.first().copied())
                    .collect(),
            };
            if !pages.is_empty() {
                (self.pages, _) = self.pages.append_many(Many::Flat(&pages)).await?;
                self.pages = self.pages.sync().await?;
            }
            (self.directory, _) = self.directory.append(&run).await?;
            self.directory = self.directory.sync().await?;
            self.runs.push(run);
            self.tail = later
                .into_iter()
                .map(|posting| Posting {
                    log: posting.log.saturating_sub(length),
                    ..posting
                })
                .collect();
        }
        Ok(self)
    }
}

/// The logs of a block.
fn entries(block: &Block, receipts: &[TransactionReceipt]) -> Vec<LogEntry> {
    let mut entries = Vec::new();
    let mut log_index = 0_u32;
    for ((transaction_index, raw), receipt) in (0_u32..).zip(block.transactions()).zip(receipts) {
        if receipt.logs().is_empty() {
            continue;
        }
        let transaction_hash = keccak256(raw);
        for log in receipt.logs() {
            entries.push(LogEntry {
                height: block.number(),
                transaction_hash,
                transaction_index,
                log_index,
                log: log.clone(),
            });
            log_index = log_index.saturating_add(1);
        }
    }
    entries
}

/// The postings of a log, counted from the first after the last run.
fn postings(offset: u64, entry: &LogEntry) -> impl Iterator<Item = Posting> {
    // A block's gas buys at most some 300,000 logs, and a tail is shorter than a run and a block.
    let log = u32::try_from(offset).unwrap_or(u32::MAX);
    run::keys(&entry.log).map(move |key| Posting { key, log })
}

/// Blocks and logs, each cut to what the other has.
async fn open_logs<E: Runtime>(
    context: &E,
    layout: &Layout,
) -> Result<
    (
        fixed::Journal<E, BlockEntry>,
        variable::Journal<E, LogEntry>,
    ),
    Error,
> {
    let mut blocks: fixed::Journal<E, BlockEntry> =
        fixed::Journal::init(context.child("blocks"), layout.blocks()).await?;
    let logs_layout = layout.logs();
    let logs: variable::Journal<E, LogEntry> =
        variable::Journal::init(context.child("logs"), logs_layout.clone()).await?;
    let bounds = blocks.bounds();
    let (mut keep, mut end) = (bounds.end, None);
    while keep > bounds.start {
        let last = blocks.read(keep.saturating_sub(1)).await?;
        if last.end <= logs.size() {
            end = Some(last.end);
            break;
        }
        keep = keep.saturating_sub(1);
    }
    if keep < bounds.end {
        drop(blocks);
        blocks =
            fixed::Journal::init_at_most(context.child("blocks"), layout.blocks(), keep).await?;
    }
    // Without blocks after a gap, logs stay: numbers must not be used twice while runs name them.
    let end = end.unwrap_or(if bounds.start == 0 { 0 } else { logs.size() });
    Ok((blocks, cut(context, "logs", logs_layout, logs, end).await?))
}

type Runs<E> = (
    variable::Journal<E, Page>,
    variable::Journal<E, Run>,
    Vec<Run>,
);

/// Runs whose logs and pages are all there, and no pages beyond them.
async fn open_runs<E: Runtime>(context: &E, layout: &Layout, logs: u64) -> Result<Runs<E>, Error> {
    let pages_layout = layout.pages();
    let pages: variable::Journal<E, Page> =
        variable::Journal::init(context.child("pages"), pages_layout.clone()).await?;
    let runs_layout = layout.runs();
    let directory: variable::Journal<E, Run> =
        variable::Journal::init(context.child("runs"), runs_layout.clone()).await?;
    let mut runs = Vec::new();
    for position in directory.bounds() {
        let run = directory.read(position).await?;
        let made = (runs.len() as u64).saturating_add(1);
        let covered = made.saturating_mul(u64::from(layout.run_logs.get())) <= logs;
        if !covered || run.end() > pages.size() {
            break;
        }
        runs.push(run);
    }
    let kept = runs.len() as u64;
    let directory = cut(context, "runs", runs_layout, directory, kept).await?;
    let end = runs.last().map_or(0, Run::end);
    let pages = cut(context, "pages", pages_layout, pages, end).await?;
    Ok((pages, directory, runs))
}

/// A journal without what is beyond `end`.
async fn cut<E: Runtime, V: CodecShared>(
    context: &E,
    name: &'static str,
    layout: variable::Config<V::Cfg>,
    journal: variable::Journal<E, V>,
    end: u64,
) -> Result<variable::Journal<E, V>, Error> {
    if journal.size() <= end {
        return Ok(journal);
    }
    let removed = end < journal.bounds().start;
    drop(journal);
    if removed {
        // What is left names what is not there any more, because files of another part of the index were removed.
        return variable::Journal::init_at_size(context.child(name), layout, end).await;
    }
    variable::Journal::init_at_most(context.child(name), layout, end).await
}
