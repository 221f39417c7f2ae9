//! Blocks that came from upstreams and wait for the engine to ask for them: synchronous, and bounded.

use alloy_primitives::Bytes;
use std::collections::BTreeMap;
use types::Digest;

/// Blocks on the shelf.
const BLOCKS_MAX: u64 = 1_024;
/// Bytes on the shelf after which nothing is asked for; a page may still come.
const BYTES_MAX: usize = 64 << 20;

/// A block whose hash leads to a certificate that was verified. A certificate of its own was not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Item {
    pub height: u64,
    pub digest: Digest,
    pub certificate: Option<Bytes>,
    pub block: Bytes,
    /// The upstream it came from.
    pub source: usize,
}

/// The blocks, by height.
#[derive(Debug, Default)]
pub(super) struct Shelf {
    items: BTreeMap<u64, Item>,
    heights: BTreeMap<Digest, u64>,
    bytes: usize,
}

impl Shelf {
    /// Takes a block in, if it has none of this height. Whether it did.
    pub fn put(&mut self, item: Item) -> bool {
        if self.items.contains_key(&item.height) {
            return false;
        }
        self.bytes = self.bytes.saturating_add(item.block.len());
        self.heights.insert(item.digest, item.height);
        self.items.insert(item.height, item);
        true
    }

    /// The first height after `processed` that it does not have; none if there is no room for more.
    pub fn wanted(&self, processed: u64) -> Option<u64> {
        let mut next = processed.saturating_add(1);
        while self.items.contains_key(&next) {
            next = next.saturating_add(1);
        }
        let room = next <= processed.saturating_add(BLOCKS_MAX) && self.bytes < BYTES_MAX;
        room.then_some(next)
    }

    pub fn at(&self, height: u64) -> Option<&Item> {
        self.items.get(&height)
    }

    pub fn with(&self, digest: &Digest) -> Option<&Item> {
        self.items.get(self.heights.get(digest)?)
    }

    /// Forgets what is not needed any more.
    pub fn clear_to(&mut self, processed: u64) {
        self.keep(|item| item.height > processed);
    }

    /// Forgets what came from one upstream.
    pub fn clear_of(&mut self, source: usize) {
        self.keep(|item| item.source != source);
    }

    fn keep(&mut self, kept: impl Fn(&Item) -> bool) {
        self.items.retain(|_, item| kept(item));
        let items = &self.items;
        self.heights.retain(|_, height| items.contains_key(height));
        let bytes = items.values().map(|item| item.block.len());
        self.bytes = bytes.fold(0, usize::saturating_add);
    }
}
