//! `contracts/artifacts/records-vectors.json`: ids, leaves, roots and paths for every implementation of the record tree
//! (Solidity, the receipt verifier, other languages). Written by this test (`UPDATE_EXPECT=1`), checked against it, and
//! spelled out by hand where a tree is small enough to read.

use alloy_primitives::{Address, B256, keccak256};
use contracts::{
    LEAF_DOMAIN, NODE_DOMAIN, batch_root, leaf, merkle_path, node, organization_of, record_id,
};
use expect_test::expect_file;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Vectors {
    format: String,
    description: String,
    leaf_domain: B256,
    node_domain: B256,
    batches: Vec<Batch>,
}

#[derive(Serialize, Deserialize)]
struct Batch {
    count: usize,
    organization: B256,
    keys: Vec<B256>,
    commitments: Vec<B256>,
    ids: Vec<B256>,
    leaves: Vec<B256>,
    root: B256,
    paths: Vec<Path>,
}

#[derive(Serialize, Deserialize)]
struct Path {
    leaf_index: usize,
    siblings: Vec<B256>,
}

fn batch(count: usize) -> Batch {
    let organization = organization_of(Address::repeat_byte(count as u8));
    let word = |kind: &str, index: usize| keccak256(format!("{kind} {index} of {count}"));
    let keys: Vec<B256> = (0..count).map(|index| word("key", index)).collect();
    let commitments: Vec<B256> = (0..count).map(|index| word("commitment", index)).collect();
    let ids: Vec<B256> = keys
        .iter()
        .map(|key| record_id(organization, *key))
        .collect();
    let leaves: Vec<B256> = ids
        .iter()
        .zip(&commitments)
        .map(|(id, commitment)| leaf(*id, *commitment))
        .collect();
    // All paths of the small trees; of the large one the ends and the middle.
    let indices = if count < 16 {
        (0..count).collect()
    } else {
        vec![0, 1, count / 2 - 1, count / 2, count - 1]
    };
    let path = |leaf_index| Path {
        leaf_index,
        siblings: merkle_path(&leaves, leaf_index).unwrap(),
    };
    let paths = indices.into_iter().map(path).collect();
    Batch {
        count,
        organization,
        root: batch_root(&leaves).unwrap(),
        keys,
        commitments,
        ids,
        leaves,
        paths,
    }
}

fn committed() -> Vectors {
    serde_json::from_str(include_str!(
        "../../../../contracts/artifacts/records-vectors.json"
    ))
    .unwrap()
}

/// Climbs as a verifier does, with nothing but the path, the index and the number of leaves.
fn climb(start: B256, mut index: usize, mut count: usize, siblings: &[B256]) -> Option<B256> {
    let mut siblings = siblings.iter();
    let mut hash = start;
    while count > 1 {
        if index % 2 == 1 {
            hash = node(*siblings.next()?, hash);
        } else if index + 1 < count {
            hash = node(hash, *siblings.next()?);
        }
        index /= 2;
        count = count.div_ceil(2);
    }
    siblings.next().is_none().then_some(hash)
}

#[test]
fn the_committed_vectors_are_what_the_helpers_compute() {
    let vectors = Vectors {
        format: "ashlar-records-vectors/1".to_owned(),
        description: "id = keccak256(organization ‖ key); leaf = keccak256(leaf_domain ‖ id ‖ commitment); inner node = \
                      keccak256(node_domain ‖ left ‖ right); each level pairs from the left, an odd last node moves up \
                      unchanged. siblings: from the bottom up, without an entry where the node has no sibling."
            .to_owned(),
        leaf_domain: LEAF_DOMAIN,
        node_domain: NODE_DOMAIN,
        batches: [1, 2, 3, 5, 8, 13, 512].map(batch).into(),
    };
    let json = serde_json::to_string_pretty(&vectors).unwrap() + "\n";
    expect_file!["../../../../contracts/artifacts/records-vectors.json"].assert_eq(&json);
}

#[test]
fn ids_and_leaves_are_hashes_of_the_concatenated_words() {
    for Batch {
        organization,
        keys,
        commitments,
        ids,
        leaves,
        ..
    } in committed().batches
    {
        let id = keccak256([organization, keys[0]].concat());
        assert_eq!(ids[0], id);
        let domain = keccak256("ashlar/record-leaf/1");
        assert_eq!(leaves[0], keccak256([domain, id, commitments[0]].concat()));
    }
}

#[test]
fn roots_of_small_trees_have_the_shape_drawn_by_hand() {
    let domain = keccak256("ashlar/record-node/1");
    let n = |left: B256, right: B256| keccak256([domain, left, right].concat());
    for Batch {
        count,
        leaves: l,
        root,
        ..
    } in committed().batches
    {
        let expected = match count {
            1 => l[0],
            2 => n(l[0], l[1]),
            3 => n(n(l[0], l[1]), l[2]),
            5 => n(n(n(l[0], l[1]), n(l[2], l[3])), l[4]),
            8 => n(
                n(n(l[0], l[1]), n(l[2], l[3])),
                n(n(l[4], l[5]), n(l[6], l[7])),
            ),
            13 => n(
                n(
                    n(n(l[0], l[1]), n(l[2], l[3])),
                    n(n(l[4], l[5]), n(l[6], l[7])),
                ),
                n(n(n(l[8], l[9]), n(l[10], l[11])), l[12]),
            ),
            _ => continue,
        };
        assert_eq!(root, expected, "{count} leaves");
    }
}

#[test]
fn paths_lead_to_the_root_and_nowhere_else() {
    for Batch {
        count,
        leaves,
        root,
        paths,
        ..
    } in committed().batches
    {
        for Path {
            leaf_index,
            siblings,
        } in paths
        {
            assert_eq!(
                climb(leaves[leaf_index], leaf_index, count, &siblings),
                Some(root),
                "{leaf_index} of {count}"
            );
            let other = (leaf_index + 1) % count;
            if other != leaf_index {
                assert_ne!(
                    climb(leaves[leaf_index], other, count, &siblings),
                    Some(root),
                    "{other} of {count}"
                );
            }
        }
    }
}
