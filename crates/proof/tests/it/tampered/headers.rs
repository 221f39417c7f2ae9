//! Headers that do not lead from the record's block to the certified one.

use super::Collector;
use crate::chain::Scenario;
use crate::valid::{chain_of_four, shipment};

pub fn fill(out: &mut Collector) {
    out.of(
        "swapped",
        "two headers swapped",
        &chain_of_four(),
        |receipt| receipt.headers.swap(1, 2),
    );
    out.of(
        "missing",
        "a header missing in the middle",
        &chain_of_four(),
        |receipt| {
            receipt.headers.remove(1);
        },
    );
    out.of("repeated", "a header twice", &chain_of_four(), |receipt| {
        let header = receipt.headers[2].clone();
        receipt.headers.insert(2, header);
    });
    out.of(
        "reversed",
        "the chain backwards",
        &chain_of_four(),
        |receipt| receipt.headers.reverse(),
    );
    out.of(
        "other-block",
        "a header of another chain in the middle",
        &chain_of_four(),
        |receipt| {
            let other = Scenario {
                edit_headers: |draft| draft.bloom.0[0] ^= 1,
                ..chain_of_four()
            };
            receipt.headers[1] = other.receipt().headers[1].clone();
        },
    );
    out.of(
        "first-changed",
        "one bit of the first header's bloom changed",
        &chain_of_four(),
        |receipt| {
            let mut header = receipt.headers[0].to_vec();
            header[300] ^= 1;
            receipt.headers[0] = header.into();
        },
    );
    out.of(
        "appended-stranger",
        "a header after the certified one that is not its child",
        &chain_of_four(),
        |receipt| {
            receipt
                .headers
                .push(shipment().receipt().headers[0].clone());
        },
    );
    let skipping = Scenario {
        edit_headers: |draft| draft.number += draft.number / 11,
        ..chain_of_four()
    };
    out.said(
        "height-skipped",
        "a chain, signed, that skips a height",
        &skipping,
    );

    out.edit(
        "trailing-byte",
        "a byte after the header's list",
        |receipt| {
            receipt.headers[0] = [&receipt.headers[0][..], &[0x80]].concat().into();
        },
    );
    out.edit("truncated", "a header cut short", |receipt| {
        let header = &receipt.headers[0];
        receipt.headers[0] = header.slice(..header.len() - 1);
    });
    out.edit("empty-list", "a header without fields", |receipt| {
        receipt.headers[0] = vec![0xc0].into();
    });
    out.edit(
        "long-rlp-length",
        "the list's length in three bytes instead of two",
        |receipt| {
            let header = &receipt.headers[0];
            assert_eq!(header[0], 0xf9);
            receipt.headers[0] = [&[0xfa, 0], &header[1..]].concat().into();
        },
    );
    let nested = Scenario {
        edit_headers: |draft| draft.appended = vec![0xc0],
        ..shipment()
    };
    out.said(
        "nested-field",
        "a header, signed, with a list for a field",
        &nested,
    );
    let crowded = Scenario {
        edit_headers: |draft| draft.appended = vec![0x80; 12],
        ..shipment()
    };
    out.said(
        "fields-33",
        "a header, signed, with more than 32 fields",
        &crowded,
    );
}
