//! The two encodings convert into each other without loss, whatever the receipt says.

use crate::canonical::json;
use alloy_primitives::{B256, Bytes};
use proof::{
    Attachment, Content, Finalization, Identity, Inclusion, Network, Path, Receipt, Record,
    Signature, body, canonical::Value, format::INTEGER_MAX,
};
use proptest::prelude::*;

fn hash() -> impl Strategy<Value = B256> {
    any::<[u8; 32]>().prop_map(B256::from)
}

fn byte_strings(most: usize) -> impl Strategy<Value = Vec<Bytes>> {
    let bytes = prop::collection::vec(any::<u8>(), 0..300).prop_map(Bytes::from);
    prop::collection::vec(bytes, 1..most)
}

prop_compose! {
    fn content()(
        salt in hash(),
        data in json(),
        record_type in any::<String>(),
        files in prop::collection::vec((any::<String>(), any::<String>(), 0..=INTEGER_MAX, hash()), 0..4),
    ) -> Content {
        let data = Value::parse(data.to_string().as_bytes()).unwrap();
        let described = |(media_type, name, size, _): &(String, String, u64, B256)| Attachment {
            media_type: media_type.clone(),
            name: name.clone(),
            size: *size,
        };
        let attachments: Vec<_> = files.iter().map(described).collect();
        Content {
            salt,
            body: body(&record_type, &data, &attachments).into_bytes().into(),
            attachments: files.iter().map(|(.., digest)| *digest).collect(),
        }
    }
}

prop_compose! {
    fn record()(
        log_index in 0..=INTEGER_MAX,
        id in hash(),
        commitment in hash(),
        leaf_index in 0..=INTEGER_MAX,
        siblings in prop::collection::vec(hash(), 0..10),
        content in prop::option::of(content()),
    ) -> Record {
        Record { log_index, path: Path { id, commitment, leaf_index, siblings }, content }
    }
}

prop_compose! {
    fn receipt()(
        (chain_id, genesis, identity) in (0..=INTEGER_MAX, hash(), any::<[u8; 96]>()),
        (epoch, view, parent_view) in (0..=INTEGER_MAX, 0..=INTEGER_MAX, 0..=INTEGER_MAX),
        signature in any::<[u8; 48]>(),
        headers in byte_strings(6),
        (transaction_index, proof) in (0..=INTEGER_MAX, byte_strings(6)),
        record in prop::option::of(record()),
    ) -> Receipt {
        Receipt {
            network: Network { chain_id, genesis, identity: Identity::from(identity) },
            finalization: Finalization { epoch, view, parent_view, signature: Signature::from(signature) },
            headers,
            inclusion: Inclusion { transaction_index, proof },
            record,
        }
    }
}

proptest! {
    #[test]
    fn encodings_say_the_same(receipt in receipt()) {
        prop_assert_eq!(receipt.check(), Ok(()));
        let cbor = receipt.to_cbor();
        let from_cbor = Receipt::decode(&cbor).unwrap();
        prop_assert_eq!(&from_cbor, &receipt);
        let from_json = Receipt::decode(from_cbor.to_json().as_bytes()).unwrap();
        prop_assert_eq!(from_json.to_cbor(), cbor);
        prop_assert_eq!(Receipt::decode(receipt.to_json_pretty().as_bytes()).unwrap(), receipt);
    }

    /// Another JSON library may reorder, indent and escape: it is the same receipt.
    #[test]
    fn a_twin_survives_other_libraries(receipt in receipt()) {
        let value: serde_json::Value = serde_json::from_str(&receipt.to_json()).unwrap();
        let pretty = serde_json::to_string_pretty(&value).unwrap();
        prop_assert_eq!(Receipt::decode(pretty.as_bytes()).unwrap(), receipt);
    }
}
