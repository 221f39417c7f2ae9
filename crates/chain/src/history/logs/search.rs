//! Searching the index: a bit at a time, so that whoever searches never holds up whoever writes.

use super::{
    Index, IndexedLog, LogCursor, LogPage, LogQuery, LogsError,
    entry::BlockEntry,
    run::{Key, Page, Posting, Run, criteria},
};
use crate::alias::Runtime;
use commonware_storage::journal::contiguous::Contiguous as _;
use std::{collections::BTreeMap, ops::Range};

/// Reads (of a page or a log, some microseconds each) after which a page of logs is cut.
const READS_MAX: u64 = 128;
/// Bytes of logs after which it is cut.
const BYTES_MAX: usize = 1 << 20;
/// Keys of a criterion up to which each log is looked up for each of them; of more, all logs are listed.
const LOOKED_UP: usize = 4;
/// Logs read together. A log has at most some 2 MiB: a transaction's gas buys no more.
const TOGETHER: usize = 16;

impl<E: Runtime> Index<E> {
    /// The logs wanted from the beginning or where a search stopped, as many as one page takes.
    ///
    /// # Errors
    /// [`LogsError::Pruned`] when the range begins before the index does.
    pub async fn search(
        &self,
        query: &LogQuery,
        after: Option<LogCursor>,
    ) -> Result<LogPage, LogsError> {
        let mut page = LogPage::default();
        let Some(numbers) = self.numbers(query, after).await? else {
            return Ok(page);
        };
        let criteria = criteria(query);
        let mut at = numbers.start;
        while at < numbers.end {
            if page.is_full() {
                page.next = Some(LogCursor(at));
                break;
            }
            let stretch = self.stretch(at, numbers.end);
            let candidates = if criteria.is_empty() {
                let most = at.saturating_add(READS_MAX).min(stretch.end);
                (at..most).collect()
            } else {
                self.candidates(&criteria, &stretch, &mut page.reads)
                    .await?
            };
            // The postings of a single criterion are the logs that meet it; those of several may rule each other out.
            let sure = match criteria.len() {
                0 => numbers.end.saturating_sub(at),
                1 => candidates.len() as u64,
                _ => 0,
            };
            let before = page.logs.len() as u64;
            page.least = page.least.max(before.saturating_add(sure));
            let all = if criteria.is_empty() {
                candidates
                    .last()
                    .map_or(stretch.end, |last| last.saturating_add(1))
            } else {
                stretch.end
            };
            at = self
                .collect(query, &candidates, &mut page)
                .await?
                .unwrap_or(all);
        }
        Ok(page)
    }

    /// The numbers of the range's logs. None if no block of it is here yet.
    async fn numbers(
        &self,
        query: &LogQuery,
        after: Option<LogCursor>,
    ) -> Result<Option<Range<u64>>, LogsError> {
        let bounds = self.blocks.bounds();
        let (from, to) = (*query.blocks.start(), *query.blocks.end());
        let to = to.min(bounds.end.saturating_sub(1));
        if bounds.is_empty() || from > to {
            return Ok(None);
        }
        if from < self.first() {
            return Err(LogsError::Pruned {
                first: self.first(),
            });
        }
        let first = self.blocks.read(from).await?.first;
        let end = self.blocks.read(to).await?.end;
        let start = after.map_or(first, |LogCursor(number)| number.max(first));
        Ok(Some(start..end))
    }

    /// What is searched next: from `at` on to the end of its run or of the tail, but not beyond `end`.
    fn stretch(&self, at: u64, end: u64) -> Range<u64> {
        let end = if at < self.runs_end() {
            let run = at.checked_div(self.run_logs()).unwrap_or_default();
            let next = run.saturating_add(1).saturating_mul(self.run_logs());
            end.min(next)
        } else {
            end
        };
        at..end
    }

    /// Numbers in the stretch that may meet all criteria, ascending: all that do, and perhaps others.
    async fn candidates(
        &self,
        criteria: &[Vec<Key>],
        stretch: &Range<u64>,
        reads: &mut u64,
    ) -> Result<Vec<u64>, LogsError> {
        let number = stretch
            .start
            .checked_div(self.run_logs())
            .unwrap_or_default();
        let run = usize::try_from(number)
            .ok()
            .and_then(|run| self.runs.get(run));
        let first = match run {
            Some(_) => number.saturating_mul(self.run_logs()),
            None => self.runs_end(),
        };
        let offset = |number: u64| u32::try_from(number.saturating_sub(first)).unwrap_or(u32::MAX);
        let logs = offset(stretch.start)..offset(stretch.end);
        let found = match run {
            Some(run) => self.in_run(run, criteria, &logs, reads).await?,
            None => self.in_tail(criteria, &logs),
        };
        Ok(found
            .into_iter()
            .map(|log| first.saturating_add(u64::from(log)))
            .collect())
    }

    /// In the tail all postings are at hand. All criteria are followed at the same pace until one of them ends: it has the
    /// fewest, and the others may have thousands of times as many.
    fn in_tail(&self, criteria: &[Vec<Key>], logs: &Range<u32>) -> Vec<u32> {
        let mut lists: Vec<_> = criteria
            .iter()
            .map(|keys| (self.tail_of(keys, logs), Vec::new()))
            .collect();
        let mut fewest = None;
        while fewest.is_none() && !lists.is_empty() {
            for (index, (postings, list)) in lists.iter_mut().enumerate() {
                let Some(log) = postings.next() else {
                    fewest = Some(index);
                    break;
                };
                list.push(log);
            }
        }
        let Some(fewest) = fewest else {
            return Vec::new();
        };
        let mut found = sorted(lists.swap_remove(fewest).1);
        for (index, keys) in criteria.iter().enumerate() {
            if index == fewest {
                continue;
            }
            if keys.len() <= LOOKED_UP {
                let has = |log, key: &Key| self.tail.contains(&Posting { key: *key, log });
                found.retain(|log| keys.iter().any(|key| has(*log, key)));
            } else {
                let list = sorted(self.tail_of(keys, logs).collect());
                found.retain(|log| list.binary_search(log).is_ok());
            }
        }
        found
    }

    /// The logs of the tail that have one of the keys, key by key.
    fn tail_of(&self, keys: &[Key], logs: &Range<u32>) -> impl Iterator<Item = u32> {
        let range = move |key: &Key| {
            let at = |log| Posting { key: *key, log };
            self.tail.range(at(logs.start)..at(logs.end))
        };
        keys.iter().flat_map(range).map(|posting| posting.log)
    }

    /// In a run the criterion with the fewest pages goes first; another is read as long as that is less work than reading
    /// the logs it may rule out.
    async fn in_run(
        &self,
        run: &Run,
        criteria: &[Vec<Key>],
        logs: &Range<u32>,
        reads: &mut u64,
    ) -> Result<Vec<u32>, LogsError> {
        let cost = |keys: &Vec<Key>| keys.iter().map(|key| run.pages(*key, logs).len()).sum();
        let mut order: Vec<(usize, &Vec<Key>)> =
            criteria.iter().map(|keys| (cost(keys), keys)).collect();
        order.sort_by_key(|(cost, _)| *cost);
        let mut order = order.into_iter();
        let Some((_, keys)) = order.next() else {
            return Ok(Vec::new());
        };
        let mut found = self.list(run, keys, logs, reads).await?;
        for (cost, keys) in order {
            if cost >= found.len() {
                break;
            }
            let list = self.list(run, keys, logs, reads).await?;
            found.retain(|log| list.binary_search(log).is_ok());
        }
        Ok(found)
    }

    /// The logs that have one of the keys, ascending.
    async fn list(
        &self,
        run: &Run,
        keys: &[Key],
        logs: &Range<u32>,
        reads: &mut u64,
    ) -> Result<Vec<u32>, LogsError> {
        let mut list = Vec::new();
        let mut at_hand: Option<(usize, Page)> = None;
        for key in keys {
            for page in run.pages(*key, logs) {
                // Keys ascend, so one page may serve many of them.
                let held = match at_hand.take() {
                    Some((number, held)) if number == page => held,
                    _ => {
                        *reads = reads.saturating_add(1);
                        let position = run.first_page.saturating_add(page as u64);
                        self.pages.read(position).await?
                    }
                };
                list.extend(held.find(*key, logs));
                at_hand = Some((page, held));
            }
        }
        Ok(sorted(list))
    }

    /// Reads candidates and keeps those that are wanted. Where it stopped, if the page became full before the last.
    async fn collect(
        &self,
        query: &LogQuery,
        candidates: &[u64],
        page: &mut LogPage,
    ) -> Result<Option<u64>, LogsError> {
        let mut blocks: BTreeMap<u64, BlockEntry> = BTreeMap::new();
        let (mut bytes, mut read) = (0_usize, 0_u64);
        for numbers in candidates.chunks(TOGETHER) {
            // Only what was read here counts, so that each page gets further, however many postings it took.
            if (read >= READS_MAX || bytes > BYTES_MAX)
                && let Some(next) = numbers.first()
            {
                page.fill();
                return Ok(Some(*next));
            }
            read = read.saturating_add(numbers.len() as u64);
            page.reads = page.reads.saturating_add(numbers.len() as u64);
            for entry in self.logs.read_many(numbers).await? {
                if !query.matches(&entry.log) {
                    continue;
                }
                let block = match blocks.get(&entry.height) {
                    Some(block) => *block,
                    None => {
                        let block = self.blocks.read(entry.height).await?;
                        blocks.insert(entry.height, block);
                        block
                    }
                };
                bytes = bytes.saturating_add(entry.log.data.data.len());
                let log: IndexedLog = entry.in_block(&block);
                page.logs.push(log);
            }
        }
        if bytes > BYTES_MAX {
            page.fill();
        }
        Ok(None)
    }
}

impl LogPage {
    const fn is_full(&self) -> bool {
        self.reads >= READS_MAX
    }

    fn fill(&mut self) {
        self.reads = self.reads.max(READS_MAX);
    }
}

fn sorted(mut list: Vec<u32>) -> Vec<u32> {
    list.sort_unstable();
    list.dedup();
    list
}
