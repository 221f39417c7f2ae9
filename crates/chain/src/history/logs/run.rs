//! Runs: the sorted postings of a stretch of logs.

use super::LogQuery;
use alloy_primitives::{Address, B256, Log, keccak256};
use commonware_codec::{
    Buf, EncodeSize, Error as CodecError, FixedSize, RangeCfg, Read, ReadExt as _, Write,
};
use commonware_runtime::BufMut;
use std::ops::Range;

/// Postings of a page: 6 kB, so that a page is read at once and a key's list takes few.
pub const PAGE_POSTINGS: usize = 512;
/// Pages of a run at most: a run of as many logs as there are offsets would have them.
const PAGES_MAX: usize = 1 << 26;

/// The first eight bytes of the keccak256 of what is searched for and its place. Two keys may share them, whoever seeks
/// that finds some in days; so what is found by key is compared with what was asked.
pub type Key = u64;

/// The key of an address.
pub fn address_key(address: &Address) -> Key {
    key(u8::MAX, address.as_slice())
}

/// The key of a topic in a place.
pub fn topic_key(place: u8, topic: &B256) -> Key {
    key(place, topic.as_slice())
}

fn key(kind: u8, bytes: &[u8]) -> Key {
    let hash = keccak256([&[kind], bytes].concat());
    let mut head = [0; 8];
    head.copy_from_slice(hash.split_at(8).0);
    Key::from_be_bytes(head)
}

/// The keys of a log.
pub fn keys(log: &Log) -> impl Iterator<Item = Key> {
    let topics = (0_u8..).zip(log.topics());
    std::iter::once(address_key(&log.address))
        .chain(topics.map(|(place, topic)| topic_key(place, topic)))
}

/// What a log must have, for each thing that is asked: one of some keys, ascending. None: any log will do.
pub fn criteria(query: &LogQuery) -> Vec<Vec<Key>> {
    let addresses = query.addresses.iter().map(address_key).collect();
    let topics = (0_u8..).zip(&query.topics).map(|(place, topics)| {
        let keys = topics.iter().map(|topic| topic_key(place, topic));
        keys.collect()
    });
    let mut criteria: Vec<Vec<Key>> = std::iter::once(addresses).chain(topics).collect();
    criteria.retain(|keys| !keys.is_empty());
    for keys in &mut criteria {
        keys.sort_unstable();
        keys.dedup();
    }
    criteria
}

/// A log has a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Posting {
    /// The key.
    pub key: Key,
    /// The log, counted from the run's first.
    pub log: u32,
}

impl Write for Posting {
    fn write(&self, buf: &mut impl BufMut) {
        self.key.write(buf);
        self.log.write(buf);
    }
}

impl FixedSize for Posting {
    const SIZE: usize = 12;
}

impl Read for Posting {
    type Cfg = ();

    fn read_cfg(buf: &mut impl Buf, _: &()) -> Result<Self, CodecError> {
        Ok(Self {
            key: Key::read(buf)?,
            log: u32::read(buf)?,
        })
    }
}

/// Some postings of a run, ascending.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page(pub Vec<Posting>);

impl Page {
    /// The logs in `logs` that have the key.
    pub fn find(&self, key: Key, logs: &Range<u32>) -> impl Iterator<Item = u32> {
        let from = Posting {
            key,
            log: logs.start,
        };
        let start = self.0.partition_point(|posting| *posting < from);
        let end = logs.end;
        self.0
            .iter()
            .skip(start)
            .take_while(move |posting| posting.key == key && posting.log < end)
            .map(|posting| posting.log)
    }
}

impl Write for Page {
    fn write(&self, buf: &mut impl BufMut) {
        self.0.write(buf);
    }
}

impl EncodeSize for Page {
    fn encode_size(&self) -> usize {
        self.0.encode_size()
    }
}

impl Read for Page {
    type Cfg = ();

    fn read_cfg(buf: &mut impl Buf, _: &()) -> Result<Self, CodecError> {
        let limits = (RangeCfg::new(1..=PAGE_POSTINGS), ());
        Ok(Self(Vec::read_cfg(buf, &limits)?))
    }
}

/// Where a run's pages are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// Position of its first page.
    pub first_page: u64,
    /// The least posting of each page.
    pub fences: Vec<Posting>,
}

impl Run {
    /// The position after its last page.
    pub fn end(&self) -> u64 {
        self.first_page.saturating_add(self.fences.len() as u64)
    }

    /// The pages, counted from the run's first, in which `key` can be posted for a log in `logs`.
    pub fn pages(&self, key: Key, logs: &Range<u32>) -> Range<usize> {
        let at = |log| Posting { key, log };
        let start = self
            .fences
            .partition_point(|fence| *fence <= at(logs.start));
        let end = self.fences.partition_point(|fence| *fence < at(logs.end));
        // The page before the first whose least posting is above may hold it.
        start.saturating_sub(1)..end
    }
}

impl Write for Run {
    fn write(&self, buf: &mut impl BufMut) {
        self.first_page.write(buf);
        self.fences.write(buf);
    }
}

impl EncodeSize for Run {
    fn encode_size(&self) -> usize {
        self.first_page
            .encode_size()
            .saturating_add(self.fences.encode_size())
    }
}

impl Read for Run {
    type Cfg = ();

    fn read_cfg(buf: &mut impl Buf, _: &()) -> Result<Self, CodecError> {
        Ok(Self {
            first_page: u64::read(buf)?,
            fences: Vec::read_cfg(buf, &(RangeCfg::new(0..=PAGES_MAX), ()))?,
        })
    }
}
