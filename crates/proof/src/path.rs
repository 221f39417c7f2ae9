//! Step `path`: from the batch root to the record.
//!
//! ```text
//! leaf = keccak256(LEAF_DOMAIN ‖ id ‖ commitment)
//! node = keccak256(NODE_DOMAIN ‖ left ‖ right)      an odd last node of a level moves up unchanged
//! ```
//!
//! The two domains differ, so a node can never be passed off as a leaf or the other way round; and the number of leaves
//! comes from the log, so a path has exactly one shape and one length for each index.

use alloy_primitives::{B256, b256, keccak256};

/// keccak256 of `ashlar/record-leaf/1`.
pub const LEAF_DOMAIN: B256 =
    b256!("0x611ab8b2e081e0fe0d5966315f5c600ee617a945612ab0d55600e443590669db");

/// keccak256 of `ashlar/record-node/1`.
pub const NODE_DOMAIN: B256 =
    b256!("0x173c3d696aca18af217e16179ad455c2f74796a3cfc0d55081f091640cfbe497");

/// The leaf of a record.
pub fn leaf(id: &B256, commitment: &B256) -> B256 {
    keccak256([LEAF_DOMAIN, *id, *commitment].concat())
}

/// The parent of two nodes.
pub fn node(left: &B256, right: &B256) -> B256 {
    keccak256([NODE_DOMAIN, *left, *right].concat())
}

/// Checks that the record `id` with `commitment` is leaf `leaf_index` of the `count` leaves under `root`.
pub fn verify_path(
    root: &B256,
    count: u64,
    id: &B256,
    commitment: &B256,
    leaf_index: u64,
    siblings: &[B256],
) -> Result<(), PathError> {
    if leaf_index >= count {
        return Err(PathError::NoLeaf { leaf_index, count });
    }
    let wrong_length = || PathError::Length {
        leaf_index,
        count,
        expected: sibling_count(leaf_index, count),
        found: siblings.len(),
    };
    let mut rest = siblings.iter();
    let mut hash = leaf(id, commitment);
    for level in levels(leaf_index, count) {
        match level {
            Side::Alone => {}
            Side::Left => hash = node(&hash, rest.next().ok_or_else(wrong_length)?),
            Side::Right => hash = node(rest.next().ok_or_else(wrong_length)?, &hash),
        }
    }
    if rest.next().is_some() {
        return Err(wrong_length());
    }
    if hash != *root {
        return Err(PathError::Root {
            computed: hash,
            expected: *root,
        });
    }
    Ok(())
}

/// How many siblings the path of leaf `leaf_index` among `count` has.
pub fn sibling_count(leaf_index: u64, count: u64) -> usize {
    levels(leaf_index, count)
        .filter(|side| *side != Side::Alone)
        .count()
}

/// Where a node stands on one level of the tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    /// Its sibling is on its right.
    Left,
    /// Its sibling is on its left.
    Right,
    /// The odd last one: it moves up unchanged.
    Alone,
}

/// The sides of a leaf and of its ancestors, up to just below the root.
pub(crate) fn levels(leaf_index: u64, count: u64) -> impl Iterator<Item = Side> {
    let (mut index, mut width) = (leaf_index, count);
    core::iter::from_fn(move || {
        if width <= 1 {
            return None;
        }
        let side = match index % 2 {
            1 => Side::Right,
            _ if index == width - 1 => Side::Alone,
            _ => Side::Left,
        };
        (index, width) = (index / 2, width.div_ceil(2));
        Some(side)
    })
}

/// Why a record is not in the batch.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// The batch is smaller.
    #[error("there is no leaf {leaf_index}: the log says the batch has {count}")]
    NoLeaf {
        /// The leaf asked for.
        leaf_index: u64,
        /// The number of leaves in the log.
        count: u64,
    },
    /// A path of another tree.
    #[error("the path of leaf {leaf_index} among {count} has {expected} siblings, not {found}")]
    Length {
        /// The leaf.
        leaf_index: u64,
        /// The number of leaves in the log.
        count: u64,
        /// What the shape of the tree demands.
        expected: usize,
        /// What the file has.
        found: usize,
    },
    /// Another record, or another batch.
    #[error("id, commitment and siblings lead to the root {computed}, but the log says {expected}")]
    Root {
        /// Where the path leads.
        computed: B256,
        /// The batch root in the log.
        expected: B256,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    #[test]
    fn domains_are_hashes_of_their_names() {
        assert_eq!(LEAF_DOMAIN, keccak256("ashlar/record-leaf/1"));
        assert_eq!(NODE_DOMAIN, keccak256("ashlar/record-node/1"));
    }

    #[test]
    fn sibling_count_follows_the_shape() {
        let check = |count, expected: &[usize]| {
            let counts: Vec<_> = (0..count)
                .map(|index| sibling_count(index, count))
                .collect();
            assert_eq!(counts, expected, "of {count} leaves");
        };
        check(1, &[0]);
        check(2, &[1, 1]);
        check(3, &[2, 2, 1]);
        check(5, &[3, 3, 3, 3, 1]);
        check(6, &[3, 3, 3, 3, 2, 2]);
        check(7, &[3, 3, 3, 3, 3, 3, 2]);
        assert_eq!(sibling_count(0, u64::MAX), 64);
        assert_eq!(sibling_count(u64::MAX - 1, u64::MAX), 63);
    }
}
