//! The Merkle tree over the records one call newly stored.
//!
//! Leaves stand in the order of the call. Each level pairs its nodes from the left; an odd last node moves up unchanged.
//! The root of one leaf is that leaf. A path lists the sibling of the leaf, then of its parent, and so on; on a level
//! where the node has no sibling the path has no entry, so a verifier needs the number of leaves to follow it.

use alloc::vec::Vec;
use alloy_primitives::{B256, b256, keccak256};

/// `keccak256("ashlar/record-leaf/1")`
pub const LEAF_DOMAIN: B256 =
    b256!("0x611ab8b2e081e0fe0d5966315f5c600ee617a945612ab0d55600e443590669db");

/// `keccak256("ashlar/record-node/1")`
pub const NODE_DOMAIN: B256 =
    b256!("0x173c3d696aca18af217e16179ad455c2f74796a3cfc0d55081f091640cfbe497");

/// The leaf of a record: `keccak256(LEAF_DOMAIN ‖ id ‖ commitment)`.
#[must_use]
pub fn leaf(id: B256, commitment: B256) -> B256 {
    hash(LEAF_DOMAIN, id, commitment)
}

/// An inner node: `keccak256(NODE_DOMAIN ‖ left ‖ right)`.
#[must_use]
pub fn node(left: B256, right: B256) -> B256 {
    hash(NODE_DOMAIN, left, right)
}

/// The root over `leaves`; none when there is no leaf, as the contract then emits no event.
#[must_use]
pub fn batch_root(leaves: &[B256]) -> Option<B256> {
    let mut level = leaves.to_vec();
    while level.len() > 1 {
        level = level_above(&level);
    }
    level.first().copied()
}

/// The siblings of leaf `index`, from the bottom up; none when there is no such leaf.
#[must_use]
pub fn merkle_path(leaves: &[B256], index: usize) -> Option<Vec<B256>> {
    if index >= leaves.len() {
        return None;
    }
    let mut siblings = Vec::new();
    let mut level = leaves.to_vec();
    let mut at = index;
    while level.len() > 1 {
        siblings.extend(level.get(at ^ 1));
        level = level_above(&level);
        at /= 2;
    }
    Some(siblings)
}

fn level_above(level: &[B256]) -> Vec<B256> {
    level
        .chunks(2)
        .map(|chunk| match chunk {
            [left, right] => node(*left, *right),
            // `chunks` yields no empty chunk: this is the odd last node.
            odd => odd.first().copied().unwrap_or_default(),
        })
        .collect()
}

fn hash(domain: B256, left: B256, right: B256) -> B256 {
    let mut bytes = [0; 96];
    bytes[..32].copy_from_slice(domain.as_slice());
    bytes[32..64].copy_from_slice(left.as_slice());
    bytes[64..].copy_from_slice(right.as_slice());
    keccak256(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leaves(count: u8) -> Vec<B256> {
        (1..=count).map(B256::repeat_byte).collect()
    }

    #[test]
    fn domains_are_the_hashes_of_their_names() {
        assert_eq!(LEAF_DOMAIN, keccak256("ashlar/record-leaf/1"));
        assert_eq!(NODE_DOMAIN, keccak256("ashlar/record-node/1"));
    }

    #[test]
    fn no_leaf_has_no_root_and_no_path() {
        assert_eq!(batch_root(&[]), None);
        assert_eq!(merkle_path(&[], 0), None);
        assert_eq!(merkle_path(&leaves(3), 3), None);
    }

    #[test]
    fn one_leaf_is_its_own_root() {
        assert_eq!(batch_root(&leaves(1)), Some(B256::repeat_byte(1)));
        assert_eq!(merkle_path(&leaves(1), 0), Some(Vec::new()));
    }

    #[test]
    fn an_odd_last_node_moves_up_and_has_no_sibling_there() {
        let all = leaves(5);
        let [a, b, c, d, e] = all[..] else {
            unreachable!()
        };
        let (ab, cd) = (node(a, b), node(c, d));
        assert_eq!(batch_root(&all), Some(node(node(ab, cd), e)));
        assert_eq!(merkle_path(&all, 4), Some([node(ab, cd)].to_vec()));
        assert_eq!(merkle_path(&all, 2), Some([d, ab, e].to_vec()));
    }

    #[test]
    fn an_odd_last_node_of_an_inner_level_moves_up() {
        let all = leaves(6);
        let [a, b, c, d, e, f] = all[..] else {
            unreachable!()
        };
        let abcd = node(node(a, b), node(c, d));
        assert_eq!(batch_root(&all), Some(node(abcd, node(e, f))));
        assert_eq!(merkle_path(&all, 5), Some([e, abcd].to_vec()));
    }
}
