//! Step `state`, the tree: does an entry stand in the tree with this root, and is it active?
//!
//! The state is commonware's QMDB (`current::ordered::fixed`, keccak256, MMB, chunks of 32 bytes). Operations are the
//! leaves of a *Merkle mountain belt*: perfect binary trees ("peaks") side by side, of falling size. A bitmap says which
//! operations are active, that is, hold the last value of their key; 256 of its bits, a chunk, are hashed into the node
//! over the 256 operations they are about. So one path proves both that an operation is in the log and that it is active.
//!
//! ```text
//! leaf  = keccak(position ‖ operation)             position: 8 bytes big endian, as all numbers here
//! node  = keccak(position ‖ left ‖ right)          of height 8: keccak(chunk ‖ that), unless the chunk is zero
//! bag   = peaks: the inactive ones folded from the left, then the rest from the right; fold(a, b) = keccak(a ‖ b)
//! tree  = keccak(1 ‖ 1 ‖ leaves ‖ [inactive peaks] ‖ bag)
//! root  = keccak(root of operations ‖ tree ‖ [pending chunk] ‖ [bits of the last chunk ‖ last chunk])
//! ```
//!
//! The first peaks that are wholly inactive are counted in the tree's hash when there are any. A chunk is *pending* while
//! its 256 operations are there and the node over them is not yet (the belt merges late), *last* while it has fewer.

use super::entry::OPERATION_BYTES;
use crate::format::INTEGER_MAX;
use alloc::vec::Vec;
use alloy_primitives::{B256, keccak256};

/// Height of the node over a chunk's operations.
const CHUNK_HEIGHT: u32 = 8;
/// Operations of a chunk.
const CHUNK_BITS: u64 = 1 << CHUNK_HEIGHT;
/// Operations after which the node over the first chunk is there: its own, and half as many less one.
const FIRST_CHUNK_BORN: u64 = CHUNK_BITS + CHUNK_BITS / 2 - 1;
/// What every tree's hash begins with: the family (mountain belts) and the way of bagging (from the right).
const DOMAIN: [u8; 2] = [1, 1];

/// What all entries of a proof share: the state of the tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// Operations in the log.
    pub leaves: u64,
    /// Peaks at the left that are bagged first.
    pub inactive_peaks: u64,
    /// Root over the operations alone.
    pub ops_root: B256,
    /// Digest of the chunk that is full but without its node.
    pub pending: Option<B256>,
    /// Digest of the last chunk, if it is not full.
    pub partial: Option<B256>,
}

/// An active operation of the log: a key, its value, and the next key there is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its number in the log.
    pub location: u64,
    /// The bits of its chunk.
    pub chunk: B256,
    /// The key.
    pub key: B256,
    /// The value.
    pub value: alloy_primitives::FixedBytes<{ super::VALUE_BYTES }>,
    /// The next key in ascending order; after the greatest comes the least.
    pub next_key: B256,
    /// What the root is computed with: the folded inactive peaks before the entry's, the other peaks before it, inactive
    /// ones after it, the folded rest after it, then the siblings on the entry's path, in order from the left but for those
    /// on its right, which come from the bottom.
    pub digests: Vec<B256>,
}

/// Why an entry is not in the tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TreeError {
    /// The operation is not in the log.
    #[error("operation {location} is beyond the log's {leaves}")]
    Location {
        /// Which.
        location: u64,
        /// How many there are.
        leaves: u64,
    },
    /// A later operation took its place.
    #[error("operation {location} is not active")]
    Inactive {
        /// Which.
        location: u64,
    },
    /// More peaks are said to be inactive than there are.
    #[error("{inactive} of {peaks} peaks are said to be inactive")]
    Peaks {
        /// Said to be inactive.
        inactive: u64,
        /// All.
        peaks: u64,
    },
    /// Another number of digests than the path has.
    #[error("there are {found} digests, not {expected}")]
    Digests {
        /// How many there must be.
        expected: usize,
        /// How many there are.
        found: usize,
    },
    /// A chunk's digest that must be there is not, or the reverse.
    #[error("the digest of the {chunk} chunk is {}", if *.wanted { "missing" } else { "not wanted" })]
    Chunk {
        /// `pending` or `last`.
        chunk: &'static str,
        /// Whether it must be there.
        wanted: bool,
    },
    /// The entry's chunk is not the one that is hashed.
    #[error("the bits are not those of the {chunk} chunk")]
    Bits {
        /// `pending` or `last`.
        chunk: &'static str,
    },
    /// It is all consistent, but of another state.
    #[error("the proof leads to state root {found}, not to {expected}")]
    Root {
        /// The header's.
        expected: B256,
        /// The proof's.
        found: B256,
    },
}

/// Checks that the entry is an active operation of the state with this root.
pub(super) fn verify(snapshot: &Snapshot, entry: &Entry, root: &B256) -> Result<(), TreeError> {
    let found = self::root(snapshot, entry)?;
    if found == *root {
        Ok(())
    } else {
        Err(TreeError::Root {
            expected: *root,
            found,
        })
    }
}

/// The root that the entry and its digests give.
pub(super) fn root(snapshot: &Snapshot, entry: &Entry) -> Result<B256, TreeError> {
    let (leaves, location) = (snapshot.leaves, entry.location);
    if location >= leaves || leaves > INTEGER_MAX {
        return Err(TreeError::Location { location, leaves });
    }
    let bit = (location % CHUNK_BITS) as usize;
    if entry.chunk.0[bit / 8] & (1 << (bit % 8)) == 0 {
        return Err(TreeError::Inactive { location });
    }
    let chunks = Chunks::of(leaves);
    chunks.check(snapshot, entry)?;
    let tree = tree(snapshot, entry, &chunks)?;
    let last = leaves % CHUNK_BITS;
    let mut preimage = Vec::with_capacity(136);
    preimage.extend(snapshot.ops_root);
    preimage.extend(tree);
    preimage.extend(snapshot.pending.iter().flatten());
    if let Some(partial) = &snapshot.partial {
        preimage.extend(last.to_be_bytes());
        preimage.extend(partial);
    }
    Ok(keccak256(preimage))
}

/// Which chunks a log of some length has.
struct Chunks {
    /// With all their operations.
    full: u64,
    /// With the node over them: all full ones, or all but the last.
    born: u64,
    /// Whether there is one with fewer operations.
    partial: bool,
}

impl Chunks {
    fn of(leaves: u64) -> Self {
        let full = leaves / CHUNK_BITS;
        let born = match leaves.checked_sub(FIRST_CHUNK_BORN) {
            Some(beyond) => (beyond / CHUNK_BITS + 1).min(full),
            None => 0,
        };
        Self {
            full,
            born,
            partial: !leaves.is_multiple_of(CHUNK_BITS),
        }
    }

    /// Digests of chunks outside the tree are there exactly when there are such chunks, and the entry's bits are what is
    /// hashed.
    fn check(&self, snapshot: &Snapshot, entry: &Entry) -> Result<(), TreeError> {
        let own = entry.location / CHUNK_BITS;
        let outside = [
            (
                "pending",
                self.born < self.full,
                self.born,
                snapshot.pending,
            ),
            ("last", self.partial, self.full, snapshot.partial),
        ];
        for (chunk, wanted, index, digest) in outside {
            if digest.is_some() != wanted {
                return Err(TreeError::Chunk { chunk, wanted });
            }
            if own == index && digest.is_some_and(|digest| digest != keccak256(entry.chunk)) {
                return Err(TreeError::Bits { chunk });
            }
        }
        Ok(())
    }
}

/// Hash of the tree.
fn tree(snapshot: &Snapshot, entry: &Entry, chunks: &Chunks) -> Result<B256, TreeError> {
    let peaks = peaks(snapshot.leaves);
    let count = peaks.len();
    let inactive = usize::try_from(snapshot.inactive_peaks)
        .ok()
        .filter(|inactive| *inactive <= count)
        .ok_or(TreeError::Peaks {
            inactive: snapshot.inactive_peaks,
            peaks: count as u64,
        })?;
    // The peak the entry is under; the last one, were it beyond all, which `root` has ruled out.
    let own = peaks
        .iter()
        .position(|peak| entry.location < peak.end())
        .unwrap_or(count.saturating_sub(1));
    let Some(peak) = peaks.get(own) else {
        return Err(TreeError::Location {
            location: entry.location,
            leaves: snapshot.leaves,
        });
    };
    // Inactive peaks before the entry's come as one digest, active ones after it too.
    let folded_before = inactive.min(own);
    let after = count - own - 1;
    let listed_after = inactive.saturating_sub(own + 1).min(after);
    let has_suffix = listed_after < after;
    let before = usize::from(folded_before > 0) + (own - folded_before);
    let expected = before + listed_after + usize::from(has_suffix) + peak.height as usize;
    if entry.digests.len() != expected {
        return Err(TreeError::Digests {
            expected,
            found: entry.digests.len(),
        });
    }
    let (before, rest) = entry.digests.split_at(before);
    let (behind, siblings) = rest.split_at(listed_after + usize::from(has_suffix));
    let own_digest = climb(peak, entry, siblings, chunks);
    let bagged: Vec<B256> = before
        .iter()
        .chain([&own_digest])
        .chain(behind)
        .copied()
        .collect();
    // The digest of the folded ones counts as one of those that are folded from the left.
    let from_left = match folded_before {
        0 => inactive,
        folded => inactive - folded + 1,
    };
    let mut preimage = Vec::with_capacity(50);
    preimage.extend(DOMAIN);
    preimage.extend(snapshot.leaves.to_be_bytes());
    if snapshot.inactive_peaks > 0 {
        preimage.extend(snapshot.inactive_peaks.to_be_bytes());
    }
    preimage.extend(bag(&bagged, from_left));
    Ok(keccak256(preimage))
}

/// Peaks as one digest: the first `from_left` of them (at least one) folded from the left, the others from the right.
fn bag(peaks: &[B256], from_left: usize) -> B256 {
    let (left, right) = peaks.split_at(from_left.max(1).min(peaks.len()));
    let left = left.iter().copied().reduce(|all, peak| fold(&all, &peak));
    let right = right
        .iter()
        .rev()
        .copied()
        .reduce(|all, peak| fold(&peak, &all));
    match (left, right) {
        (Some(left), Some(right)) => fold(&left, &right),
        (Some(only), None) | (None, Some(only)) => only,
        (None, None) => B256::ZERO,
    }
}

fn fold(left: &B256, right: &B256) -> B256 {
    keccak256([left.0, right.0].concat())
}

/// Digest of the entry's peak, from the leaf up. `siblings` has one for each level.
fn climb(peak: &Peak, entry: &Entry, siblings: &[B256], chunks: &Chunks) -> B256 {
    // Those on the left stand first and from the top, those on the right after them and from the bottom.
    let offset = entry.location - peak.start;
    let lefts = offset.count_ones() as usize;
    let (left, right) = siblings.split_at(lefts.min(siblings.len()));
    let (mut left, mut right) = (left.iter().rev(), right.iter());
    let operation = entry.operation();
    let mut digest = keccak256(
        [
            &leaf_position(entry.location).to_be_bytes(),
            operation.as_slice(),
        ]
        .concat(),
    );
    for height in 1..=peak.height {
        let start = entry.location >> height << height;
        // Starts of subtrees are multiples of their size, counted from the peak's start, which is one of its own size.
        let is_right = entry.location & (1 << (height - 1)) != 0;
        let sibling = if is_right { left.next() } else { right.next() };
        let sibling = sibling.copied().unwrap_or_default();
        let (a, b) = if is_right {
            (sibling, digest)
        } else {
            (digest, sibling)
        };
        let position = node_position(start, height).to_be_bytes();
        digest = keccak256([position.as_slice(), a.as_slice(), b.as_slice()].concat());
        let grafted =
            height == CHUNK_HEIGHT && start / CHUNK_BITS < chunks.born && entry.chunk != B256::ZERO;
        if grafted {
            digest = fold(&entry.chunk, &digest);
        }
    }
    digest
}

/// A perfect tree of the belt.
struct Peak {
    /// Its first operation.
    start: u64,
    height: u32,
}

impl Peak {
    const fn end(&self) -> u64 {
        self.start + (1 << self.height)
    }
}

/// The peaks of a log, oldest first: one for each bit of `leaves + 1` but the highest; the one of bit `i` has height `i`,
/// and one more if the bit is set.
fn peaks(leaves: u64) -> Vec<Peak> {
    let shape = leaves + 1;
    let mut start = 0;
    (0..shape.ilog2())
        .rev()
        .map(|bit| {
            let height = bit + (shape >> bit & 1) as u32;
            let peak = Peak { start, height };
            start = peak.end();
            peak
        })
        .collect()
}

/// Position of an operation among all nodes, leaves and others, in the order in which they come to be.
const fn leaf_position(location: u64) -> u64 {
    2 * location - (location + 1).ilog2() as u64
}

/// Position of the node of this height, 1 or more, over the operations from `start` on: it comes right after the operation
/// that completes it, which is half its size less one after its last.
const fn node_position(start: u64, height: u32) -> u64 {
    let size = 1_u64 << height;
    leaf_position(start + size + size / 2 - 2) + 1
}

impl Entry {
    /// The operation as the log has it.
    fn operation(&self) -> [u8; OPERATION_BYTES] {
        super::entry::operation(&self.key, &self.value, &self.next_key)
    }
}
