//! What is not an `ashlar-receipt/1`, though much of it would verify if read with good will.

use super::{Collector, record};
use crate::valid::{batch, shipment, with_attachments};
use alloy_primitives::{B256, Bytes};
use proof::{Receipt, format::INTEGER_MAX};

pub fn fill(out: &mut Collector) {
    limits(out);
    members(out);
    json(out);
    cbor(out);
    body(out);
}

fn limits(out: &mut Collector) {
    out.edit("headers-257", "over the limit of 256 headers", |receipt| {
        receipt.headers = vec![Bytes::from_static(&[0xc0]); 257];
    });
    out.edit("nodes-18", "over the limit of 17 trie nodes", |receipt| {
        receipt.inclusion.proof = vec![Bytes::from_static(&[0xc0]); 18];
    });
    out.edit("siblings-65", "over the limit of 64 siblings", |receipt| {
        record(receipt).path.siblings = vec![B256::ZERO; 65];
    });
    out.edit("no-headers", "nothing to prove", |receipt| {
        receipt.headers.clear();
    });
    out.edit("no-nodes", "nothing to prove it with", |receipt| {
        receipt.inclusion.proof.clear();
    });
    out.edit(
        "chain-id-beyond-2-53",
        "an integer JSON readers disagree on",
        |receipt| {
            receipt.network.chain_id = INTEGER_MAX + 1;
        },
    );
    out.edit(
        "view-beyond-2-53",
        "an integer JSON readers disagree on",
        |receipt| {
            receipt.finalization.view = u64::MAX;
        },
    );
}

/// The JSON twin of the typical receipt with `from` replaced, which must occur once.
fn text(from: &str, to: &str) -> String {
    text_of(&shipment().receipt(), from, to)
}

fn text_of(receipt: &Receipt, from: &str, to: &str) -> String {
    let text = receipt.to_json();
    assert_eq!(text.matches(from).count(), 1, "{from}");
    text.replacen(from, to, 1)
}

fn members(out: &mut Collector) {
    out.json(
        "version-2",
        "a version that does not exist yet",
        text("ashlar-receipt/1", "ashlar-receipt/2"),
    );
    out.json(
        "no-format",
        "does not say what it is",
        text(r#""format":"ashlar-receipt/1","#, ""),
    );
    out.json(
        "unknown-field",
        "a field that a receipt does not have",
        text(r#""format":"#, r#""comment":"valid","format":"#),
    );
    out.json(
        "unknown-root",
        "a batch root beside the log it belongs in",
        text(r#""leaf_index":"#, r#""root":"0x00","leaf_index":"#),
    );
    out.json("missing-view", "no view", text(r#","view":12"#, ""));
    out.json(
        "path-without-log",
        "a record in no log",
        text(r#""log_index":0,"#, ""),
    );
    out.json("log-without-path", "a log without a path", {
        let plain = shipment().plain();
        text_of(
            &plain,
            r#""transaction_index""#,
            r#""log_index":0,"transaction_index""#,
        )
    });
    out.json("content-without-path", "content of no record", {
        let content = r#""content":{"attachments":[],"body":{"data":1,"type":"t"},"salt":"0x00"},"finalization""#;
        text_of(&shipment().plain(), r#""finalization""#, content)
    });
    out.json("array", "not an object", "[]");
    out.json("empty", "an empty file", "");
}

fn json(out: &mut Collector) {
    out.json(
        "duplicate-key",
        "a key that occurs twice with one value",
        text(r#""epoch":0"#, r#""epoch":0,"epoch":0"#),
    );
    out.json(
        "duplicate-part",
        "a second finalization",
        text(r#""headers":"#, r#""finalization":{},"headers":"#),
    );
    out.json(
        "duplicate-key-escaped",
        "the same key spelled with an escape",
        text(r#""epoch":0"#, r#""epoch":0,"\u0065poch":0"#),
    );
    out.json(
        "integer-as-double",
        "an integer with a fraction",
        text(r#""view":12"#, r#""view":12.0"#),
    );
    out.json(
        "integer-with-exponent",
        "an integer with an exponent",
        text(r#""view":12"#, r#""view":12e0"#),
    );
    out.json(
        "integer-as-string",
        "an integer in quotes",
        text(r#""view":12"#, r#""view":"12""#),
    );
    out.json(
        "integer-negative",
        "an integer with a sign",
        text(r#""epoch":0"#, r#""epoch":-0"#),
    );
    out.json(
        "integer-leading-zero",
        "an integer with a leading zero",
        text(r#""view":12"#, r#""view":012"#),
    );
    out.json(
        "trailing-text",
        "something after the receipt",
        shipment().receipt().to_json() + " {}",
    );
    out.json(
        "byte-order-mark",
        "a byte order mark before it",
        "\u{feff}".to_owned() + &shipment().receipt().to_json(),
    );
    out.json(
        "trailing-comma",
        "not JSON",
        text(r#""view":12}"#, r#""view":12,}"#),
    );
    out.json(
        "comment",
        "not JSON",
        text(r#""view":12"#, r#""view":/**/12"#),
    );
    out.json("truncated", "cut short", {
        let mut text = shipment().receipt().to_json();
        text.truncate(text.len() - 1);
        text
    });

    let genesis = shipment().network.genesis.to_string();
    out.json(
        "hex-upper-case",
        "upper-case hex",
        text(&genesis, &format!("0x{}", genesis[2..].to_uppercase())),
    );
    out.json(
        "hex-without-prefix",
        "hex without 0x",
        text(&genesis, &genesis[2..]),
    );
    out.json(
        "hex-odd",
        "half a byte too many",
        text(&genesis, &format!("{genesis}0")),
    );
    out.json(
        "hex-short",
        "31 bytes for a hash",
        text(&genesis, &genesis[..64]),
    );
    out.json(
        "hex-space",
        "white space in hex",
        text(&genesis, &format!("{genesis} ")),
    );
    let signature = shipment().receipt().finalization.signature.to_string();
    out.json(
        "signature-47",
        "47 bytes for a signature",
        text(&signature, &signature[..96]),
    );
    out.json(
        "signature-49",
        "49 bytes for a signature",
        text(&signature, &format!("{signature}00")),
    );
    out.json("not-utf8", "bytes that are not UTF-8", {
        let mut text = text("in_transit", "in?transit").into_bytes();
        let at = text
            .windows(10)
            .position(|window| window == b"in?transit")
            .unwrap();
        text[at + 2] = 0xff;
        text
    });
}

fn cbor(out: &mut Collector) {
    let valid = shipment().receipt().to_cbor();
    // The map's head, key 0, and the 17 bytes of the format; then key 1.
    let network = 2 + 17;
    assert_eq!(valid[..3], [0xa7, 0x00, 0x70]);
    assert_eq!(valid[network..network + 5], [0x01, 0x83, 0x19, 0x10, 0x92]);
    let edited = |at: usize, old: &[u8], new: &[u8]| {
        assert_eq!(valid[at..at + old.len()], *old);
        [&valid[..at], new, &valid[at + old.len()..]].concat()
    };
    out.cbor(
        "cbor-trailing",
        "a byte after the receipt",
        [&valid[..], &[0]].concat(),
    );
    out.cbor(
        "cbor-truncated",
        "cut short",
        valid[..valid.len() - 1].to_vec(),
    );
    out.cbor(
        "cbor-long-integer",
        "the chain id in four bytes instead of two",
        edited(network + 2, &[0x19, 0x10, 0x92], &[0x1a, 0, 0, 0x10, 0x92]),
    );
    out.cbor(
        "cbor-long-key",
        "the key 1 in two bytes",
        edited(network, &[0x01], &[0x18, 0x01]),
    );
    out.cbor(
        "cbor-long-length",
        "the length of a hash in two bytes instead of one",
        edited(network + 5, &[0x58, 0x20], &[0x59, 0x00, 0x20]),
    );
    out.cbor(
        "cbor-indefinite-map",
        "a map of indefinite length",
        [&[0xbf], &valid[1..], &[0xff]].concat(),
    );
    out.cbor(
        "cbor-tagged",
        "a tag (self-described CBOR) before the receipt",
        [&[0xd9, 0xd9, 0xf7], &valid[..]].concat(),
    );
    out.cbor(
        "cbor-negative",
        "a negative integer",
        edited(network + 2, &[0x19], &[0x39]),
    );
    out.cbor("cbor-null", "null for a part that is absent", {
        let erased = shipment().erased().to_cbor();
        [&[0xa7], &erased[1..], &[0x06, 0xf6]].concat()
    });
    out.cbor(
        "cbor-unknown-key",
        "a key that a receipt does not have",
        [&[0xa8], &valid[1..], &[0x07, 0x00]].concat(),
    );
    out.cbor("cbor-missing-key", "no content where one is announced", {
        let erased = shipment().erased().to_cbor();
        [&[0xa7], &erased[1..]].concat()
    });
    let epoch = valid
        .windows(6)
        .position(|w| w == [0x02, 0x84, 0x00, 0x0c, 0x0b, 0x58])
        .unwrap();
    let (head, finalization) = (&valid[..network], &valid[epoch..epoch + 7 + 48]);
    let network_part = &valid[network..epoch];
    let rest = &valid[epoch + finalization.len()..];
    out.cbor(
        "cbor-order",
        "the keys 1 and 2 in the other order",
        [head, finalization, network_part, rest].concat(),
    );
    out.cbor(
        "cbor-duplicate-key",
        "the key 2 twice",
        [
            &[0xa8],
            &head[1..],
            network_part,
            finalization,
            finalization,
            rest,
        ]
        .concat(),
    );
    out.cbor(
        "cbor-no-network",
        "no network",
        [&[0xa6], &head[1..], finalization, rest].concat(),
    );
    out.cbor("cbor-extra-item", "a fifth item in the finalization", {
        let mut longer = finalization.to_vec();
        longer[1] = 0x85;
        [head, network_part, &longer, &[0x00], rest].concat()
    });
    out.cbor("cbor-text-for-bytes", "a body as text", {
        let body = shipment().body;
        let at = valid
            .windows(body.len())
            .position(|window| window == body.as_bytes())
            .unwrap();
        edited(at - 3, &[0x59], &[0x79])
    });
    out.cbor(
        "cbor-version-2",
        "a version that does not exist yet",
        edited(2 + 16, b"1", b"2"),
    );
    out.cbor("cbor-array", "not a map", vec![0x80]);
}

fn body(out: &mut Collector) {
    let with_body = |body: &str| {
        let mut receipt = shipment().receipt();
        record(&mut receipt).content.as_mut().unwrap().body = body.as_bytes().to_vec().into();
        receipt.to_cbor()
    };
    out.cbor(
        "body-space",
        "a body that is not in canonical form",
        with_body(r#"{"data": 1,"type":"t"}"#),
    );
    out.cbor(
        "body-order",
        "a body with its members in another order",
        with_body(r#"{"type":"t","data":1}"#),
    );
    out.cbor(
        "body-number",
        "a number that is not in canonical form",
        with_body(r#"{"data":1.0,"type":"t"}"#),
    );
    out.cbor(
        "body-escape",
        "an escape that is not in canonical form",
        with_body(r#"{"data":"\u000A","type":"t"}"#),
    );
    out.cbor(
        "body-not-json",
        "a body that is not JSON",
        with_body("data"),
    );
    out.cbor(
        "body-duplicate-key",
        "a key twice in the body",
        with_body(r#"{"data":{"a":1,"a":1},"type":"t"}"#),
    );
    let json_body =
        |from: &str, to: &str| text(&shipment().body, &shipment().body.replacen(from, to, 1));
    out.json(
        "body-json-duplicate-key",
        "a key twice in the body",
        json_body(r#""action":"#, r#""action":"ADD","action":"#),
    );
    out.json(
        "body-json-inexact",
        "an integer no double holds",
        json_body(r#""OBSERVE""#, "9007199254740993"),
    );
    out.json(
        "body-json-infinite",
        "a number beyond all doubles",
        json_body(r#""OBSERVE""#, "1e400"),
    );
    out.json(
        "body-json-nan",
        "not a number",
        json_body(r#""OBSERVE""#, "NaN"),
    );
    out.json(
        "body-json-surrogate",
        "half a surrogate pair",
        json_body("OBSERVE", r"\ud83d"),
    );
    out.json(
        "body-json-control",
        "a bare line break in a string",
        json_body("OBSERVE", "OB\nSERVE"),
    );
    out.json(
        "body-json-deep",
        "nested 65 levels deep",
        json_body(r#""OBSERVE""#, &("[".repeat(63) + &"]".repeat(63))),
    );
    out.json(
        "body-unknown-field",
        "a body with a field of its own",
        json_body(r#"{"data""#, r#"{"author":"me","data""#),
    );
    out.json(
        "body-no-type",
        "a body without a type",
        json_body(r#","type":"shipment""#, ""),
    );
    out.json(
        "body-no-data",
        "a body without data",
        text(&shipment().body, r#"{"type":"shipment"}"#),
    );
    out.json(
        "body-empty-attachments",
        "no attachments, written out",
        json_body(r#"{"data""#, r#"{"attachments":[],"data""#),
    );

    out.of(
        "digest-missing",
        "two attachments in the body, one digest",
        &with_attachments(),
        |receipt| {
            record(receipt).content.as_mut().unwrap().attachments.pop();
        },
    );
    out.of(
        "digest-extra",
        "a digest that the body does not mention",
        &batch(1, 0),
        |receipt| {
            record(receipt)
                .content
                .as_mut()
                .unwrap()
                .attachments
                .push(B256::ZERO);
        },
    );
}
