//! What `build` makes, `verify` takes; and both agree with others on the hashes.

use alloy_primitives::{B256, Bytes, b256, hex, keccak256};
use proof::{
    Header,
    build::{batch_root, inclusion_proof, receipts_root, record_path, transactions_root},
    canonical::Value,
    inclusion::prove_index,
    leaf,
    path::{LEAF_DOMAIN, NODE_DOMAIN, PathError, sibling_count, verify_path},
};
use proptest::prelude::*;

#[test]
fn paths_of_all_small_batches() {
    for count in 1..=33u64 {
        let entries: Vec<_> = (0..count)
            .map(|i| (keccak256([i as u8]), keccak256([i as u8, 1])))
            .collect();
        let leaves: Vec<_> = entries
            .iter()
            .map(|(id, commitment)| leaf(id, commitment))
            .collect();
        let root = batch_root(&leaves).unwrap();
        for (index, (id, commitment)) in (0u64..).zip(&entries) {
            let siblings = record_path(&leaves, index as usize).unwrap();
            assert_eq!(siblings.len(), sibling_count(index, count));
            assert_eq!(
                verify_path(&root, count, id, commitment, index, &siblings),
                Ok(())
            );
            for (other, _) in (0u64..).zip(&entries).filter(|(other, _)| *other != index) {
                assert!(verify_path(&root, count, id, commitment, other, &siblings).is_err());
            }
            let beyond = verify_path(&root, count, id, commitment, count + index, &siblings);
            assert!(
                matches!(beyond, Err(PathError::NoLeaf { .. })),
                "{beyond:?}"
            );
        }
        assert_eq!(record_path(&leaves, count as usize), None);
    }
}

/// The vectors of the Solidity side, which computes the roots on chain.
#[test]
fn trees_are_those_of_the_records_contract() {
    let file = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../contracts/artifacts/records-vectors.json"
    );
    let vectors = Value::parse(&std::fs::read(file).unwrap()).unwrap();
    let word = |value: &Value| value.as_str().unwrap().parse::<B256>().unwrap();
    let words = |value: &Value, name| -> Vec<B256> {
        value
            .get(name)
            .unwrap()
            .as_array()
            .unwrap()
            .iter()
            .map(word)
            .collect()
    };
    assert_eq!(word(vectors.get("leaf_domain").unwrap()), LEAF_DOMAIN);
    assert_eq!(word(vectors.get("node_domain").unwrap()), NODE_DOMAIN);
    let batches = vectors.get("batches").unwrap().as_array().unwrap();
    assert!(batches.len() > 5);
    for batch in batches {
        let (ids, commitments) = (words(batch, "ids"), words(batch, "commitments"));
        let leaves: Vec<_> = ids
            .iter()
            .zip(&commitments)
            .map(|(id, commitment)| leaf(id, commitment))
            .collect();
        assert_eq!(leaves, words(batch, "leaves"));
        let root = word(batch.get("root").unwrap());
        assert_eq!(batch_root(&leaves), Some(root));
        for path in batch.get("paths").unwrap().as_array().unwrap() {
            let index = path.get("leaf_index").unwrap().as_u64().unwrap();
            let (at, siblings) = (index as usize, words(path, "siblings"));
            assert_eq!(record_path(&leaves, at).as_ref(), Some(&siblings));
            let verified = verify_path(
                &root,
                ids.len() as u64,
                &ids[at],
                &commitments[at],
                index,
                &siblings,
            );
            assert_eq!(verified, Ok(()));
        }
    }
}

#[test]
fn the_root_of_nothing_is_ethereums() {
    let empty = b256!("0x56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421");
    assert_eq!(receipts_root::<Bytes>(&[]), empty);
    assert_eq!(transactions_root::<Bytes>(&[]), empty);
    assert_eq!(inclusion_proof::<Bytes>(&[], 0), None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_transaction_receipt_can_be_proved(count in 1..700usize, index in any::<prop::sample::Index>()) {
        let receipts: Vec<_> = (0..count).map(|i| keccak256((i as u64).to_be_bytes()).repeat(9)).collect();
        let index = index.index(count);
        let proof = inclusion_proof(&receipts, index).unwrap();
        prop_assert_eq!(prove_index(&receipts_root(&receipts), index as u64, &proof), Ok(receipts[index].as_slice()));
        prop_assert_eq!(inclusion_proof(&receipts, count), None);
    }
}

/// Block 0 of Ethereum: fifteen fields, and a hash that everyone knows.
#[test]
fn a_header_hashes_as_in_ethereum() {
    let rlp = hex!(
        "f90214a00000000000000000000000000000000000000000000000000000000000000000"
        "a01dcc4de8dec75d7aab85b567b6ccd41ad312451b948a7413f0a142fd40d49347"
        "940000000000000000000000000000000000000000"
        "a0d7f8974fb5ac78d9ac099b9ad5018bedc2ce0a72dad1827a1709da30580f0544"
        "a056e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421"
        "a056e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421"
        "b90100"
        "0000000000000000000000000000000000000000000000000000000000000000"
        "0000000000000000000000000000000000000000000000000000000000000000"
        "0000000000000000000000000000000000000000000000000000000000000000"
        "0000000000000000000000000000000000000000000000000000000000000000"
        "0000000000000000000000000000000000000000000000000000000000000000"
        "0000000000000000000000000000000000000000000000000000000000000000"
        "0000000000000000000000000000000000000000000000000000000000000000"
        "0000000000000000000000000000000000000000000000000000000000000000"
        "850400000000" "80" "821388" "80" "80"
        "a011bbe8db4e347b4e8c937c1c8370e4b5ed33adb3db69cbdb7a38e1e50b1b82fa"
        "a00000000000000000000000000000000000000000000000000000000000000000"
        "880000000000000042"
    );
    let header = Header::decode(&rlp).unwrap();
    assert_eq!(
        header.hash,
        b256!("0xd4e56740f876aef8c010b86a40d5f56745a118d0906a34e69aec8c0db1cb8fa3")
    );
    assert_eq!(
        (header.number, header.timestamp, header.extra_data.len()),
        (0, 0, 32)
    );
    assert_eq!(
        header.state_root,
        b256!("0xd7f8974fb5ac78d9ac099b9ad5018bedc2ce0a72dad1827a1709da30580f0544")
    );
}
