//! Content that is not what was recorded.

use super::{Collector, record};
use crate::chain::Scenario;
use crate::valid::{shipment, with_attachments};
use alloy_primitives::{B256, keccak256};
use proof::{Content, Receipt};

pub fn fill(out: &mut Collector) {
    out.edit("salt-changed", "one bit of the salt changed", |receipt| {
        content(receipt).salt.0[0] ^= 1;
    });
    out.edit("salt-zero", "no salt", |receipt| {
        content(receipt).salt = B256::ZERO;
    });
    out.edit(
        "data-changed",
        "one character of the data changed",
        |receipt| {
            replace(receipt, "in_transit", "in_transut");
        },
    );
    out.edit("type-changed", "another type", |receipt| {
        replace(receipt, r#""type":"shipment""#, r#""type":"receipt""#);
    });
    out.edit("member-added", "a member more in the data", |receipt| {
        replace(
            receipt,
            r#""action":"OBSERVE""#,
            r#""action":"OBSERVE","actor":"me""#,
        );
    });
    out.of(
        "attachments-swapped",
        "the digests in another order",
        &with_attachments(),
        |receipt| {
            content(receipt).attachments.swap(0, 1);
        },
    );
    out.of(
        "attachment-changed",
        "one bit of an attachment's digest changed",
        &with_attachments(),
        |receipt| {
            content(receipt).attachments[1].0[5] ^= 1;
        },
    );
    out.of(
        "attachments-removed",
        "the attachments removed from body and digests",
        &with_attachments(),
        |receipt| {
            content(receipt).attachments.clear();
            content(receipt).body = br#"{"data":{"order":"4711"},"type":"shipment"}"#.into();
        },
    );
    out.of(
        "attachment-renamed",
        "an attachment's name changed",
        &with_attachments(),
        |receipt| {
            replace(receipt, "note.txt", "nose.txt");
        },
    );
    out.of(
        "other-record",
        "the content of another record",
        &with_attachments(),
        |receipt| {
            *content(receipt) = shipment().receipt().record.unwrap().content.unwrap();
        },
    );
    let unsalted = Scenario {
        commitment_of: |_, body, _| keccak256(body),
        ..shipment()
    };
    out.said(
        "commitment-without-salt",
        "a commitment made without the salt",
        &unsalted,
    );
    let undigested = Scenario {
        commitment_of: |salt, _, _| {
            keccak256([salt.as_slice(), shipment().body.as_bytes()].concat())
        },
        ..shipment()
    };
    out.said(
        "commitment-over-body",
        "a commitment over the body instead of its digest",
        &undigested,
    );
}

fn content(receipt: &mut Receipt) -> &mut Content {
    record(receipt).content.as_mut().unwrap()
}

fn replace(receipt: &mut Receipt, from: &str, to: &str) {
    let body = String::from_utf8(content(receipt).body.to_vec()).unwrap();
    assert_eq!(body.matches(from).count(), 1, "{from}");
    content(receipt).body = body.replace(from, to).into_bytes().into();
}
