//! Every limit, from both sides.

use crate::chain::Scenario;
use alloy_primitives::{B256, Bytes};
use proof::{
    FormatError, Receipt, Step, body,
    canonical::Value,
    format::{
        ATTACHMENTS_MAX, BODY_BYTES_MAX, FILE_BYTES_MAX, HEADERS_MAX, INTEGER_MAX, NODES_MAX,
        PROOF_BYTES_MAX, SIBLINGS_MAX,
    },
    verify,
};

/// Both encodings of `receipt`, read again.
fn round_trips(receipt: &Receipt) -> [Result<bool, FormatError>; 2] {
    let cbor = Receipt::decode(&receipt.to_cbor()).map(|read| read == *receipt);
    let json = Receipt::decode(receipt.to_json_pretty().as_bytes()).map(|read| read == *receipt);
    [cbor, json]
}

fn accept(edit: impl FnOnce(&mut Receipt)) {
    let mut receipt = Scenario::default().receipt();
    edit(&mut receipt);
    assert_eq!(receipt.check(), Ok(()));
    assert_eq!(round_trips(&receipt), [Ok(true), Ok(true)]);
}

/// Refused by whoever reads it, and by `verify` when nobody did.
fn refuse(field: &str, edit: impl FnOnce(&mut Receipt)) {
    let mut receipt = Scenario::default().receipt();
    edit(&mut receipt);
    for error in round_trips(&receipt).map(Result::unwrap_err) {
        assert!(
            error.to_string().starts_with(field) || error.to_string().contains("kept exactly"),
            "{error}"
        );
    }
    assert_eq!(verify(&receipt, None).unwrap_err().step(), Step::Format);
}

fn with_body(receipt: &mut Receipt, data: &str) {
    let content = receipt.record.as_mut().unwrap().content.as_mut().unwrap();
    content.body = body("t", &Value::parse(data.as_bytes()).unwrap(), &[])
        .into_bytes()
        .into();
}

#[test]
fn list_lengths() {
    let bytes = |count| vec![Bytes::from_static(&[1]); count];
    accept(|receipt| receipt.headers = bytes(HEADERS_MAX));
    refuse("headers", |receipt| {
        receipt.headers = bytes(HEADERS_MAX + 1);
    });
    accept(|receipt| receipt.inclusion.proof = bytes(NODES_MAX));
    refuse("inclusion.proof", |receipt| {
        receipt.inclusion.proof = bytes(NODES_MAX + 1);
    });
    let siblings = |receipt: &mut Receipt, count| {
        receipt.record.as_mut().unwrap().path.siblings = vec![B256::ZERO; count];
    };
    accept(|receipt| siblings(receipt, SIBLINGS_MAX));
    refuse("path.siblings", |receipt| {
        siblings(receipt, SIBLINGS_MAX + 1);
    });
    refuse("content.attachments", |receipt| {
        let content = receipt.record.as_mut().unwrap().content.as_mut().unwrap();
        content.attachments = vec![B256::ZERO; ATTACHMENTS_MAX + 1];
    });
}

#[test]
fn integers() {
    type Field = fn(&mut Receipt) -> &mut u64;
    let fields: [(&str, Field); 7] = [
        ("network.chain_id", |receipt| &mut receipt.network.chain_id),
        ("finalization.epoch", |receipt| {
            &mut receipt.finalization.epoch
        }),
        ("finalization.view", |receipt| {
            &mut receipt.finalization.view
        }),
        ("finalization.parent_view", |receipt| {
            &mut receipt.finalization.parent_view
        }),
        ("inclusion.transaction_index", |receipt| {
            &mut receipt.inclusion.transaction_index
        }),
        ("inclusion.log_index", |receipt| {
            &mut receipt.record.as_mut().unwrap().log_index
        }),
        ("path.leaf_index", |receipt| {
            &mut receipt.record.as_mut().unwrap().path.leaf_index
        }),
    ];
    for (name, field) in fields {
        accept(|receipt| *field(receipt) = INTEGER_MAX);
        refuse(name, |receipt| *field(receipt) = INTEGER_MAX + 1);
        refuse(name, |receipt| *field(receipt) = u64::MAX);
    }
}

#[test]
fn sizes() {
    let frame = body("t", &Value::from(""), &[]).len();
    let string = |bytes| format!("{:?}", "x".repeat(bytes));
    accept(|receipt| with_body(receipt, &string(BODY_BYTES_MAX - frame)));
    refuse("content.body", |receipt| {
        with_body(receipt, &string(BODY_BYTES_MAX - frame + 1));
    });
    let header = |receipt: &mut Receipt, bytes: usize| {
        receipt.headers = vec![vec![0; bytes - receipt.inclusion.proof[0].len()].into()];
    };
    accept(|receipt| header(receipt, PROOF_BYTES_MAX));
    refuse("headers and inclusion.proof", |receipt| {
        header(receipt, PROOF_BYTES_MAX + 1);
    });
    for filler in [b' ', b'{', 0xa7] {
        let error = Receipt::decode(&vec![filler; FILE_BYTES_MAX + 1]).unwrap_err();
        assert!(error.to_string().starts_with("the file"), "{error}");
    }
}

#[test]
fn the_largest_receipt_fits_the_file() {
    accept(|receipt| {
        receipt.headers = vec![vec![0xff; PROOF_BYTES_MAX / HEADERS_MAX - 3].into(); HEADERS_MAX];
        receipt.record.as_mut().unwrap().path.siblings =
            vec![B256::repeat_byte(0xff); SIBLINGS_MAX];
        let frame = body("t", &Value::from(""), &[]).len();
        with_body(
            receipt,
            &format!("{:?}", "x".repeat(BODY_BYTES_MAX - frame)),
        );
    });
}

#[test]
fn a_body_as_deep_as_json_may_be() {
    let nested = |levels| "[".repeat(levels) + &"]".repeat(levels);
    // The body's own object is a level.
    accept(|receipt| with_body(receipt, &nested(63)));
}

#[test]
fn files_of_another_kind() {
    for (file, message) in [
        (&b""[..], "the file is empty"),
        (b" \n", "the file is empty"),
        (b"\x89PNG\r\n\x1a\n", "neither a JSON object nor a CBOR map"),
        (b"<html>", "neither a JSON object nor a CBOR map"),
        (b"[{}]", "neither a JSON object nor a CBOR map"),
        (b"\xef\xbb\xbf{}", "neither a JSON object nor a CBOR map"),
        (b"{}", "format is missing"),
        (b"\xa0", "format is missing"),
        (b"{\"format\":1}", "format must be a string"),
        (
            b"{\"format\":\"eidas/9\"}",
            "format is \"eidas/9\", not \"ashlar-receipt/1\"",
        ),
    ] {
        assert_eq!(
            Receipt::decode(file).unwrap_err().to_string(),
            message,
            "{file:?}"
        );
    }
}
