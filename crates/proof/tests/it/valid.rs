//! The valid vectors: each a shape of receipt that occurs.

use crate::chain::{Proposal, Scenario, transfer};
use alloy_primitives::{B256, keccak256};
use proof::{Attachment, Identity, Receipt, attachment_digest, body, canonical::Value};

/// A receipt that must be accepted when `identity` is pinned.
pub struct Valid {
    pub name: &'static str,
    pub about: &'static str,
    pub identity: Identity,
    pub receipt: Receipt,
}

/// A shipment, in the manner of GS1 EPCIS: what a typical record holds.
const SHIPMENT: &[u8] = br#"{
    "@context": ["https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld"],
    "type": "ObjectEvent",
    "action": "OBSERVE",
    "bizStep": "shipping",
    "disposition": "in_transit",
    "epcList": ["urn:epc:id:sgtin:0614141.107346.2017", "urn:epc:id:sgtin:0614141.107346.2018"],
    "eventTime": "2026-11-20T15:22:00.000Z",
    "eventTimeZoneOffset": "+00:00",
    "readPoint": {"id": "urn:epc:id:sgln:0614141.07346.1234"},
    "bizTransactionList": [{"type": "po", "bizTransaction": "http://transaction.acme.com/po/12345678"}]
}"#;

/// Every rule of RFC 8785 at once.
const TRICKY: &str = r#"{
    "numbers": [1E30, 4.50, 2e-3, 0.000000000000000000000000001, -0.0, 1e21, 9007199254740992, 333333333.33333329],
    "strings": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/\ud83d\ude00",
    "literals": [null, true, false, {}, []],
    "\ud83d\ude00": "sorted by UTF-16 code units: before U+FB33, after U+20AC",
    "\ufb33": "last",
    "\u20ac": "first of the three",
    "": {"nested": {"\u0000": 1}}
}"#;

fn parse(text: &[u8]) -> Value {
    Value::parse(text).unwrap()
}

pub fn shipment() -> Scenario {
    Scenario {
        body: body("shipment", &parse(SHIPMENT), &[]),
        ..Scenario::default()
    }
}

pub fn with_attachments() -> Scenario {
    let files = [
        ("text/plain", "note.txt", "Fragile."),
        ("text/csv", "pallets.csv", "a,1\nb,2\n"),
    ];
    let described = files.map(|(media_type, name, bytes)| Attachment {
        media_type: media_type.into(),
        name: name.into(),
        size: bytes.len() as u64,
    });
    Scenario {
        body: body("shipment", &parse(br#"{"order":"4711"}"#), &described),
        attachments: files
            .map(|(_, _, bytes)| attachment_digest(bytes.as_bytes()))
            .to_vec(),
        ..Scenario::default()
    }
}

/// A batch of which `leaf` is the record.
pub fn batch(leaves: usize, leaf: usize) -> Scenario {
    Scenario {
        leaves,
        leaf,
        ..Scenario::default()
    }
}

pub fn block_of_200(transaction: usize) -> Scenario {
    Scenario {
        transactions: 200,
        transaction,
        ..batch(3, 1)
    }
}

pub fn chain_of_four() -> Scenario {
    Scenario {
        blocks: 4,
        ..Scenario::default()
    }
}

pub fn all() -> Vec<Valid> {
    let mut all = Vec::new();
    let mut add = |name, about, scenario: &Scenario, receipt| {
        all.push(Valid {
            name,
            about,
            identity: scenario.network.identity(),
            receipt,
        });
    };

    let scenario = shipment();
    add(
        "record",
        "a typical record, with its content",
        &scenario,
        scenario.receipt(),
    );
    add(
        "record-erased",
        "the same after its content was erased",
        &scenario,
        scenario.erased(),
    );
    let scenario = with_attachments();
    add(
        "record-attachments",
        "a record with two attachments",
        &scenario,
        scenario.receipt(),
    );
    let scenario = Scenario {
        body: body("tricky", &parse(TRICKY.as_bytes()), &[]),
        ..shipment()
    };
    add(
        "record-canonical-json",
        "content that needs every rule of RFC 8785",
        &scenario,
        scenario.receipt(),
    );

    let scenario = Scenario {
        logs_before: vec![transfer(5), transfer(6)],
        ..shipment()
    };
    add(
        "transaction",
        "a transaction that is no record, or is not shown as one",
        &scenario,
        scenario.plain(),
    );
    let scenario = Scenario {
        kind: None,
        succeeded: false,
        ..shipment()
    };
    add(
        "transaction-failed",
        "a legacy transaction that failed",
        &scenario,
        scenario.plain(),
    );

    let scenario = chain_of_four();
    add(
        "headers-4",
        "certified three blocks later",
        &scenario,
        scenario.receipt(),
    );

    let scenario = batch(2, 1);
    add(
        "batch-2-leaf-1",
        "the right one of two leaves",
        &scenario,
        scenario.receipt(),
    );
    let scenario = batch(3, 2);
    add(
        "batch-3-leaf-2",
        "the odd last leaf moves up one level",
        &scenario,
        scenario.receipt(),
    );
    let scenario = batch(5, 4);
    add(
        "batch-5-leaf-4",
        "the odd last leaf moves up two levels",
        &scenario,
        scenario.receipt(),
    );
    let scenario = batch(6, 5);
    add(
        "batch-6-leaf-5",
        "the parent of the last two leaves moves up",
        &scenario,
        scenario.receipt(),
    );
    let scenario = batch(7, 3);
    add(
        "batch-7-leaf-3",
        "a full path beside an odd last leaf",
        &scenario,
        scenario.receipt(),
    );
    let scenario = batch(300, 299);
    add(
        "batch-300-leaf-299",
        "the last of 300 leaves",
        &scenario,
        scenario.receipt(),
    );
    let scenario = batch(512, 200);
    add(
        "batch-512-leaf-200",
        "a full batch",
        &scenario,
        scenario.receipt(),
    );
    let scenario = Scenario {
        // Entries 0, 7 and 9 of ten were new.
        claimed: vec![0b1000_0001, 0b0000_0010],
        logs_before: vec![transfer(1)],
        ..batch(3, 2)
    };
    add(
        "batch-partly-claimed",
        "some entries were recorded before; the log is the second",
        &scenario,
        scenario.receipt(),
    );

    for (name, about, transaction) in [
        (
            "block-200-index-0",
            "first of 200 transactions: the key is RLP(0) = 0x80",
            0,
        ),
        (
            "block-200-index-127",
            "the last index that RLP writes as itself",
            127,
        ),
        ("block-200-index-128", "the first index of two bytes", 128),
        ("block-200-index-199", "last of 200 transactions", 199),
    ] {
        let scenario = block_of_200(transaction);
        add(name, about, &scenario, scenario.receipt());
    }
    let scenario = Scenario {
        transactions: 300,
        transaction: 256,
        ..shipment()
    };
    add(
        "block-300-index-256",
        "a key of three bytes, and an extension node on its way",
        &scenario,
        scenario.receipt(),
    );
    let scenario = Scenario {
        kind: None,
        ..shipment()
    };
    add(
        "legacy-receipt",
        "a transaction receipt without a type byte",
        &scenario,
        scenario.receipt(),
    );
    let scenario = Scenario {
        edit_headers: |draft| draft.appended = vec![0x80, 0x82, 1, 2],
        ..shipment()
    };
    add(
        "header-of-a-later-fork",
        "a header with two fields more than today's",
        &scenario,
        scenario.receipt(),
    );

    let (view, parent_view) = ((1 << 53) - 1, 1 << 49);
    let scenario = Scenario {
        proposal: Proposal {
            epoch: 128,
            view,
            parent_view,
        },
        ..shipment()
    };
    add(
        "varint-edges",
        "the largest integers the format has",
        &scenario,
        scenario.receipt(),
    );
    let proposal = Proposal {
        epoch: 127,
        view: 16_384,
        parent_view: 16_383,
    };
    let scenario = Scenario {
        proposal,
        salt: B256::ZERO,
        ..shipment()
    };
    add(
        "varint-lengths",
        "varints of one, two and three bytes",
        &scenario,
        scenario.receipt(),
    );
    let mut scenario = Scenario {
        height: 1,
        ..shipment()
    };
    scenario.network.chain_id = (1 << 53) - 1;
    scenario.network.genesis = keccak256("block 0");
    add(
        "first-block",
        "block 1 of another chain of the same validators",
        &scenario,
        scenario.receipt(),
    );
    all
}
