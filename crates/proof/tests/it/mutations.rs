//! Whatever the bytes: no panic, no acceptance of anything but the receipt itself.

use crate::valid;
use proof::{Receipt, build, inclusion::prove_index, verify};
use proptest::prelude::*;
use std::sync::LazyLock;

static VALID: LazyLock<Vec<valid::Valid>> = LazyLock::new(valid::all);

/// One edit of a file.
#[derive(Debug, Clone)]
enum Edit {
    Set(prop::sample::Index, u8),
    Remove(prop::sample::Index, usize),
    Insert(prop::sample::Index, Vec<u8>),
    /// Copies a stretch to somewhere else.
    Copy(prop::sample::Index, usize, prop::sample::Index),
}

fn edit() -> impl Strategy<Value = Edit> {
    let at = any::<prop::sample::Index>;
    prop_oneof![
        (at(), any::<u8>()).prop_map(|(at, byte)| Edit::Set(at, byte)),
        (at(), 1..40usize).prop_map(|(at, count)| Edit::Remove(at, count)),
        (at(), prop::collection::vec(any::<u8>(), 1..8))
            .prop_map(|(at, bytes)| Edit::Insert(at, bytes)),
        (at(), 1..40usize, at()).prop_map(|(from, count, to)| Edit::Copy(from, count, to)),
    ]
}

fn apply(file: &mut Vec<u8>, edit: &Edit) {
    if file.is_empty() {
        return;
    }
    match edit {
        Edit::Set(at, byte) => {
            let at = at.index(file.len());
            file[at] = *byte;
        }
        Edit::Remove(at, count) => {
            let at = at.index(file.len());
            file.drain(at..(at + count).min(file.len()));
        }
        Edit::Insert(at, bytes) => {
            let at = at.index(file.len());
            file.splice(at..at, bytes.iter().copied());
        }
        Edit::Copy(from, count, to) => {
            let (from, to) = (from.index(file.len()), to.index(file.len()));
            let stretch = file[from..(from + count).min(file.len())].to_vec();
            file.splice(to..to, stretch);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn random_bytes_are_no_receipt(bytes in prop::collection::vec(any::<u8>(), 0..512)) {
        prop_assert!(Receipt::decode(&bytes).is_err());
    }

    #[test]
    fn random_bytes_after_the_magic_are_no_receipt(tail in prop::collection::vec(any::<u8>(), 0..512)) {
        let head = VALID[0].receipt.to_cbor()[..19].to_vec();
        prop_assert!(Receipt::decode(&[head, tail].concat()).is_err());
    }

    #[test]
    fn random_text_is_no_receipt(text in r#"[ {}\[\]",:0-9a-fxu\\\-+.eEtrulns]{0,200}"#) {
        prop_assert!(Receipt::decode(text.as_bytes()).is_err());
    }

    #[test]
    fn mutated_receipts_are_refused(
        vector in 0..VALID.len(),
        json in any::<bool>(),
        edits in prop::collection::vec(edit(), 1..4),
    ) {
        let mut file = if json {
            VALID[vector].receipt.to_json().into_bytes()
        } else {
            VALID[vector].receipt.to_cbor()
        };
        for edit in &edits {
            apply(&mut file, edit);
        }
        // What still decodes to the same receipt (white space, an edit undone) is the same receipt.
        if let Ok(receipt) = Receipt::decode(&file) && receipt != VALID[vector].receipt {
            prop_assert!(verify(&receipt, Some(&VALID[vector].identity)).is_err());
        }
    }

    /// Mutations that keep the format, so that the later steps see them.
    #[test]
    fn mutated_parts_are_refused(
        vector in 0..VALID.len(),
        part in 0..4usize,
        which in any::<prop::sample::Index>(),
        edits in prop::collection::vec(edit(), 1..3),
    ) {
        let original = &VALID[vector].receipt;
        let mut receipt = original.clone();
        let list = if part % 2 == 0 { &mut receipt.headers } else { &mut receipt.inclusion.proof };
        let at = which.index(list.len());
        let mut bytes = list[at].to_vec();
        for edit in &edits {
            apply(&mut bytes, edit);
        }
        list[at] = bytes.into();
        prop_assert_eq!(verify(&receipt, Some(&VALID[vector].identity)).is_ok(), receipt == *original);
    }

    /// Our walk and alloy's agree on what a trie proof proves, whatever is done to the proof.
    #[test]
    fn the_trie_walk_agrees_with_another(
        count in 1..300usize,
        index in any::<prop::sample::Index>(),
        asked in 0..300usize,
        node in any::<prop::sample::Index>(),
        edits in prop::collection::vec(edit(), 0..3),
        removed in any::<bool>(),
    ) {
        let values: Vec<_> = (0..count).map(|value| vec![value as u8; 40 + value % 7]).collect();
        let root = build::receipts_root(&values);
        let index = index.index(count);
        let mut proof = build::inclusion_proof(&values, index).unwrap();
        let at = node.index(proof.len());
        if removed && asked % 3 == 0 {
            proof.remove(at);
        } else {
            let mut bytes = proof[at].to_vec();
            edits.iter().for_each(|edit| apply(&mut bytes, edit));
            proof[at] = bytes.into();
        }
        for asked in [index, asked] {
            let ours = prove_index(&root, asked as u64, &proof);
            let key = alloy_trie::Nibbles::unpack(alloy_rlp::encode(asked));
            let value = values.get(asked).cloned();
            let theirs = alloy_trie::proof::verify_proof(root, key, value.clone(), &proof);
            match value {
                Some(value) => {
                    prop_assert_eq!(ours.is_ok(), theirs.is_ok(), "{:?} {:?}", ours, theirs);
                    prop_assert!(ours.is_err() || ours == Ok(value.as_slice()));
                }
                None => prop_assert!(ours.is_err()),
            }
        }
    }
}
