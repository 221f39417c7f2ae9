//! Records that are not in the batch, and trees built in ways that let them seem to be.

use super::{Collector, record};
use crate::chain::{Scenario, recorded};
use crate::valid::{batch, shipment};
use alloy_primitives::{B256, keccak256};
use proof::{build, leaf, node};

pub fn fill(out: &mut Collector) {
    out.edit("other-id", "another record's id", |receipt| {
        record(receipt).path.id = batch(2, 0).entry(1).0;
    });
    out.edit("id-changed", "one bit of the id changed", |receipt| {
        record(receipt).path.id.0[31] ^= 1;
    });
    let erased = shipment().erased();
    let mut changed = erased.clone();
    record(&mut changed).path.commitment.0[0] ^= 1;
    out.edit(
        "commitment-changed",
        "one bit of the commitment changed, content erased",
        |receipt| *receipt = changed,
    );
    out.of(
        "id-and-commitment-swapped",
        "id and commitment swapped",
        &batch(7, 3),
        |receipt| {
            let path = &mut record(receipt).path;
            (path.id, path.commitment) = (path.commitment, path.id);
        },
    );

    out.of(
        "sibling-changed",
        "one bit of a sibling changed",
        &batch(7, 3),
        |receipt| {
            record(receipt).path.siblings[1].0[7] ^= 1;
        },
    );
    out.of(
        "siblings-swapped",
        "two siblings swapped",
        &batch(7, 3),
        |receipt| record(receipt).path.siblings.swap(0, 1),
    );
    out.of(
        "sibling-missing",
        "a sibling missing",
        &batch(7, 3),
        |receipt| {
            record(receipt).path.siblings.pop();
        },
    );
    out.of(
        "sibling-extra",
        "a sibling too many",
        &batch(7, 3),
        |receipt| record(receipt).path.siblings.push(B256::ZERO),
    );
    out.edit("sibling-of-one", "a sibling in a batch of one", |receipt| {
        record(receipt).path.siblings.push(B256::ZERO);
    });
    out.of(
        "other-index",
        "the index of the neighbour",
        &batch(7, 3),
        |receipt| record(receipt).path.leaf_index = 2,
    );
    out.of(
        "index-wraps",
        "an index with the same last bits, beyond the batch",
        &batch(7, 3),
        |receipt| {
            record(receipt).path.leaf_index = 3 + 8;
        },
    );
    out.of(
        "index-is-count",
        "one beyond the last leaf",
        &batch(8, 7),
        |receipt| record(receipt).path.leaf_index = 8,
    );
    out.of(
        "of-another-count",
        "the path the record has in a batch of 6",
        &batch(7, 5),
        |receipt| {
            record(receipt).path = batch(6, 5).receipt().record.unwrap().path;
        },
    );
    out.of(
        "other-batch",
        "the path of a record of another batch",
        &batch(7, 3),
        |receipt| {
            let other = Scenario {
                organization: keccak256("another organization"),
                ..batch(7, 3)
            };
            record(receipt).path = other.receipt().record.unwrap().path;
            record(receipt).content = None;
        },
    );
    let beside = Scenario {
        logs_before: vec![recorded(
            shipment().organization,
            keccak256("another root"),
            1,
            &[],
        )],
        ..shipment()
    };
    out.of(
        "batch-root-beside",
        "the root of another batch of the same transaction",
        &beside,
        |receipt| {
            record(receipt).log_index = 0;
        },
    );

    out.of(
        "node-as-leaf",
        "second preimage: an inner node's children as id and commitment",
        &batch(4, 0),
        |receipt| {
            let leaves = batch(4, 0).leaf_hashes();
            let path = &mut record(receipt).path;
            (path.id, path.commitment) = (leaves[0], leaves[1]);
            path.siblings = vec![node(&leaves[2], &leaves[3])];
        },
    );
    let bare = Scenario {
        root_of: |leaves| leaves[0],
        leaf_of: node,
        ..shipment()
    };
    out.said(
        "leaf-hashed-as-node",
        "second preimage: a root that is a node over id and commitment",
        &bare,
    );
    let without_domain = |id: &B256, commitment: &B256| keccak256([*id, *commitment].concat());
    out.said(
        "leaf-without-domain",
        "a leaf hashed without its domain",
        &Scenario {
            leaf_of: without_domain,
            ..batch(3, 1)
        },
    );
    let doubled = Scenario {
        // As in Bitcoin: an odd last leaf is paired with itself.
        root_of: |leaves| node(&node(&leaves[0], &leaves[1]), &node(&leaves[2], &leaves[2])),
        ..batch(3, 2)
    };
    out.said(
        "odd-leaf-doubled",
        "a tree that pairs the odd last leaf with itself",
        &doubled,
    );
    let sorted = Scenario {
        // As in OpenZeppelin's: the smaller of two hashes is always on the left.
        root_of: |leaves| node(leaves.iter().min().unwrap(), leaves.iter().max().unwrap()),
        ..batch(2, larger_leaf())
    };
    out.said("pairs-sorted", "a tree that sorts each pair", &sorted);
}

/// A leaf of `batch(2, _)` for which the sorted order is the wrong one.
fn larger_leaf() -> usize {
    let misplaced = |leaf: &usize| {
        let hashes = batch(2, *leaf).leaf_hashes();
        hashes[0] > hashes[1]
    };
    (0..2)
        .find(misplaced)
        .expect("one of the two batches is out of order")
}

#[test]
fn a_leaf_is_not_a_node() {
    let (a, b) = (keccak256("a"), keccak256("b"));
    assert_ne!(leaf(&a, &b), node(&a, &b));
    assert_eq!(build::batch_root(&[]), None);
}
