//! Signatures that do not make the block final.

use super::{Collector, Input};
use crate::chain::{DST, Proposal, Scenario, TestNetwork, varint};
use crate::points;
use crate::valid::{chain_of_four, shipment};
use alloy_primitives::{B256, keccak256};
use proof::{Receipt, Signature};

pub fn fill(out: &mut Collector) {
    fields(out);
    points_of_the_signature(out);
    signed_otherwise(out);
    chains(out);
}

fn fields(out: &mut Collector) {
    out.edit("epoch", "another epoch", |receipt| {
        receipt.finalization.epoch += 1;
    });
    out.edit("view", "another view", |receipt| {
        receipt.finalization.view += 1;
    });
    out.edit("parent-view", "another parent view", |receipt| {
        receipt.finalization.parent_view -= 1;
    });
    out.edit("views-swapped", "view and parent view swapped", |receipt| {
        let finalization = &mut receipt.finalization;
        (finalization.view, finalization.parent_view) =
            (finalization.parent_view, finalization.view);
    });
    out.edit("chain-id", "another chain id", |receipt| {
        receipt.network.chain_id += 1;
    });
    out.edit("genesis", "another genesis", |receipt| {
        receipt.network.genesis.0[0] ^= 1;
    });
}

fn points_of_the_signature(out: &mut Collector) {
    let mut signature = |name, about, edit: fn(Signature) -> Signature| {
        out.edit(name, about, |receipt| {
            receipt.finalization.signature = edit(receipt.finalization.signature);
        });
    };
    signature(
        "bit-flipped",
        "the last bit of the signature changed",
        |mut signature| {
            signature[47] ^= 1;
            signature
        },
    );
    signature(
        "negated",
        "the signature negated: its sign flag flipped",
        |signature| {
            let negated = points::negated(&signature);
            assert_eq!(negated[0], signature[0] ^ 0x20);
            negated
        },
    );
    signature("infinity", "the point at infinity for a signature", |_| {
        points::g1_infinity()
    });
    signature(
        "no-compression-flag",
        "the compression flag cleared",
        |mut signature| {
            signature[0] &= 0x7f;
            signature
        },
    );
    signature(
        "infinity-flag",
        "the infinity flag set on a point",
        |mut signature| {
            signature[0] |= 0x40;
            signature
        },
    );
    signature("zero", "48 zero bytes", |_| Signature::ZERO);
    signature("x-zero", "x = 0, a point of small order", |_| {
        let mut zero = Signature::ZERO;
        zero[0] = 0x80;
        zero
    });
    signature("not-on-curve", "an x that belongs to no point", |_| {
        points::g1_not_on_curve()
    });
    signature("beyond-field", "x = p", |_| points::g1_beyond_field());
    signature(
        "outside-subgroup",
        "a point of the curve, outside the subgroup",
        |_| points::g1_outside_subgroup(),
    );
    signature(
        "torsion",
        "the signature plus a point of small order",
        |signature| points::with_torsion(&signature),
    );
}

/// Properly signed, by the identity, but something else.
fn signed_otherwise(out: &mut Collector) {
    let mut signs = |name, about, sign: fn(&TestNetwork, Proposal, B256) -> Signature| {
        out.edit(name, about, |receipt| {
            let scenario = shipment();
            let block_hash = keccak256(&receipt.headers[0]);
            receipt.finalization.signature = sign(&scenario.network, scenario.proposal, block_hash);
        });
    };
    signs(
        "notarization",
        "a notarization, which is not final",
        |network, proposal, hash| {
            network.sign(
                DST,
                &framed(&network.namespace("_NOTARIZE"), &proposal.message(hash)),
            )
        },
    );
    signs(
        "nullification",
        "a nullification of the view",
        |network, proposal, _| {
            let round = [varint(proposal.epoch), varint(proposal.view)].concat();
            network.sign(DST, &framed(&network.namespace("_NULLIFY"), &round))
        },
    );
    signs(
        "no-suffix",
        "signed without the suffix that says what for",
        |network, proposal, hash| {
            network.sign(
                DST,
                &framed(&network.namespace(""), &proposal.message(hash)),
            )
        },
    );
    signs(
        "no-length",
        "signed without the length of the namespace",
        |network, proposal, hash| {
            let signed = [network.namespace("_FINALIZE"), proposal.message(hash)].concat();
            network.sign(DST, &signed)
        },
    );
    signs(
        "other-namespace",
        "signed for another protocol",
        |network, proposal, hash| {
            let namespace = [b"ashlar/2", &network.namespace("_FINALIZE")[8..]].concat();
            network.sign(DST, &framed(&namespace, &proposal.message(hash)))
        },
    );
    signs(
        "chain-id-little-endian",
        "signed with the chain id in the other byte order",
        |network, proposal, hash| {
            let mut namespace = network.namespace("_FINALIZE");
            namespace[8..16].reverse();
            network.sign(DST, &framed(&namespace, &proposal.message(hash)))
        },
    );
    signs(
        "other-dst",
        "signed with another hash-to-curve domain",
        |network, proposal, hash| {
            let dst = b"BLS_SIG_BLS12381G1_XMD:SHA-256_SSWU_RO_NUL_";
            network.sign(
                dst,
                &framed(&network.namespace("_FINALIZE"), &proposal.message(hash)),
            )
        },
    );
    signs(
        "fixed-integers",
        "signed over 64-bit integers instead of varints",
        |network, proposal, hash| {
            let integers = [proposal.epoch, proposal.view, proposal.parent_view]
                .map(u64::to_be_bytes)
                .concat();
            network.sign(
                DST,
                &framed(
                    &network.namespace("_FINALIZE"),
                    &[&integers[..], hash.as_slice()].concat(),
                ),
            )
        },
    );
    signs(
        "long-varint",
        "signed over a varint that is longer than it must be",
        |network, proposal, hash| {
            let namespace = network.namespace("_FINALIZE");
            let message = proposal.message(hash);
            assert_eq!(message[..2], [0, 12]);
            network.sign(
                DST,
                &framed(&namespace, &[&[0x80, 0x00], &message[1..]].concat()),
            )
        },
    );
    signs(
        "block-hash-only",
        "signed over nothing but the block hash",
        |network, _, hash| network.sign(DST, hash.as_slice()),
    );
    signs(
        "other-block",
        "a finalization of another block",
        |network, proposal, hash| network.finalize(proposal, keccak256(hash)).signature,
    );
    signs(
        "other-signer",
        "signed by somebody else",
        |_, proposal, hash| {
            TestNetwork::new("a stranger")
                .finalize(proposal, hash)
                .signature
        },
    );

    let mut foreign = shipment().receipt();
    foreign.network.identity = TestNetwork::new("another network").identity();
    out.push(
        "foreign-identity",
        "not pinned, with another network's identity in the file",
        None,
        Input::Receipt(Box::new(foreign)),
    );
}

fn framed(namespace: &[u8], message: &[u8]) -> Vec<u8> {
    [&varint(namespace.len() as u64), namespace, message].concat()
}

fn chains(out: &mut Collector) {
    out.edit(
        "header-changed",
        "one bit of the certified header's bloom changed",
        |receipt| flip(receipt, 300),
    );
    out.edit(
        "time-changed",
        "the certified header's time one second later",
        |receipt| {
            let time = (1_795_000_000u32 + 9).to_be_bytes();
            let at = receipt.headers[0]
                .windows(4)
                .position(|window| window == time)
                .unwrap();
            flip(receipt, at + 3);
        },
    );
    out.of(
        "chain-cut",
        "the chain ends before the certified header",
        &chain_of_four(),
        |receipt| {
            receipt.headers.pop();
        },
    );
    out.of(
        "chain-extended",
        "a child of the certified header that nobody certified",
        &chain_of_four(),
        |receipt| {
            let longer = Scenario {
                blocks: 5,
                ..chain_of_four()
            };
            receipt.headers.push(longer.receipt().headers[4].clone());
        },
    );
    out.edit(
        "other-certificate",
        "the finalization of a later block, without the headers to it",
        |receipt| {
            receipt.finalization = chain_of_four().receipt().finalization;
        },
    );
}

/// Changes a bit of the first header, without a second one to notice.
fn flip(receipt: &mut Receipt, at: usize) {
    let mut header = receipt.headers[0].to_vec();
    header[at] ^= 1;
    receipt.headers[0] = header.into();
}
