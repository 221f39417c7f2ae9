//! Transaction receipts that are not in the block, and logs that are not the Records contract's.

use super::{Collector, record};
use crate::chain::{Log, Scenario, list, transfer};
use crate::valid::{block_of_200, shipment};
use alloy_primitives::{Address, B256, Bytes, LogData, U256, keccak256};
use proof::{Receipt, build};

pub fn fill(out: &mut Collector) {
    trie(out);
    logs(out);
    event(out);
}

fn trie(out: &mut Collector) {
    let block = block_of_200(133);
    assert_eq!(block.receipt().inclusion.proof.len(), 5);
    out.of(
        "index-off-by-one",
        "the next transaction's index",
        &block,
        |receipt| receipt.inclusion.transaction_index += 1,
    );
    out.of(
        "index-beyond",
        "an index the block does not have",
        &block,
        |receipt| receipt.inclusion.transaction_index = 200,
    );
    out.edit(
        "index-of-one",
        "index 1 in a block of one transaction",
        |receipt| receipt.inclusion.transaction_index = 1,
    );
    out.of(
        "other-transaction",
        "a proof of another transaction of the block",
        &block,
        |receipt| {
            receipt.inclusion.proof =
                build::inclusion_proof(&block_of_200(133).receipts(), 134).unwrap();
        },
    );
    out.of(
        "other-block",
        "a proof under another block's root",
        &block,
        |receipt| {
            receipt.inclusion.proof = block_of_200(132).receipt().inclusion.proof;
        },
    );
    out.of(
        "node-missing",
        "the middle node missing",
        &block,
        |receipt| {
            receipt.inclusion.proof.remove(1);
        },
    );
    out.of(
        "leaf-missing",
        "the proof ends above the leaf",
        &block,
        |receipt| {
            receipt.inclusion.proof.pop();
        },
    );
    out.of(
        "leaf-alone",
        "the leaf without the way to it",
        &block,
        |receipt| {
            receipt.inclusion.proof.drain(..4);
        },
    );
    out.of("node-extra", "a node after the leaf", &block, |receipt| {
        let leaf = receipt.inclusion.proof.last().unwrap().clone();
        receipt.inclusion.proof.push(leaf);
    });
    out.of("nodes-swapped", "two nodes swapped", &block, |receipt| {
        receipt.inclusion.proof.swap(0, 1);
    });
    out.edit(
        "leaf-changed",
        "one bit of the transaction receipt changed",
        |receipt| {
            let mut leaf = receipt.inclusion.proof[0].to_vec();
            *leaf.last_mut().unwrap() ^= 1;
            receipt.inclusion.proof[0] = leaf.into();
        },
    );
    let large = Scenario {
        transactions: 300,
        transaction: 256,
        ..shipment()
    };
    out.of(
        "extension-mismatch",
        "an index whose key leaves the path inside an extension",
        &large,
        |receipt| {
            // The keys are 0x820100 and 0x820200; the extension below 0x82 says 01.
            receipt.inclusion.transaction_index = 512;
        },
    );
    // From here on the root is the hash of whatever the proof begins with, and signed.
    out.edit(
        "leaf-trailing-byte",
        "a byte after the leaf's list, in a trie of its own",
        |receipt| {
            rooted(receipt, |leaf| leaf.push(0x80));
        },
    );
    out.edit(
        "leaf-as-extension",
        "the leaf with the flag of an extension",
        |receipt| {
            let at = |leaf: &[u8]| {
                leaf.windows(3)
                    .position(|w| w == [0x82, 0x20, 0x80])
                    .unwrap()
                    + 1
            };
            rooted(receipt, |leaf| {
                let flag = at(leaf);
                leaf[flag] = 0x00;
            });
        },
    );
    out.edit(
        "leaf-unknown-flag",
        "the leaf with a flag that does not exist",
        |receipt| {
            let at = |leaf: &[u8]| {
                leaf.windows(3)
                    .position(|w| w == [0x82, 0x20, 0x80])
                    .unwrap()
                    + 1
            };
            rooted(receipt, |leaf| {
                let flag = at(leaf);
                leaf[flag] = 0x40;
            });
        },
    );
    out.edit(
        "branch-value",
        "the transaction receipt as the value of a branch",
        |receipt| {
            let value = alloy_rlp::encode(shipment().receipts()[0].as_ref());
            rooted(receipt, |node| {
                *node = list(&[&[0x80; 16], value.as_slice()].concat());
            });
        },
    );
    out.edit(
        "value-not-a-receipt",
        "a trie whose value is not a transaction receipt",
        |receipt| {
            let leaf = [
                alloy_rlp::encode([0x20, 0x80].as_slice()),
                alloy_rlp::encode([0u8; 40].as_slice()),
            ];
            rooted(receipt, |node| *node = list(&leaf.concat()));
        },
    );
}

/// Replaces the only node of the proof, and has the network sign a block with it for a root.
fn rooted(receipt: &mut Receipt, edit: impl FnOnce(&mut Vec<u8>)) {
    let mut node = receipt.inclusion.proof[0].to_vec();
    edit(&mut node);
    let scenario = shipment();
    receipt.headers = scenario.headers(keccak256(&node));
    receipt.finalization = scenario
        .network
        .finalize(scenario.proposal, keccak256(&receipt.headers[0]));
    receipt.inclusion.proof = vec![Bytes::from(node)];
}

fn logs(out: &mut Collector) {
    let between = Scenario {
        logs_before: vec![transfer(1)],
        ..shipment()
    };
    out.of(
        "other-log",
        "the log of a token transfer in the same transaction",
        &between,
        |receipt| record(receipt).log_index = 0,
    );
    out.of(
        "log-beyond",
        "a log that the transaction did not emit",
        &between,
        |receipt| record(receipt).log_index = 2,
    );
    out.edit(
        "log-of-block",
        "a log index far beyond, as if counted over the block",
        |receipt| {
            record(receipt).log_index = (1 << 53) - 1;
        },
    );
    let failed = Scenario {
        succeeded: false,
        ..shipment()
    };
    out.said(
        "failed-transaction",
        "a transaction receipt that says failed and has logs",
        &failed,
    );
    let typed = Scenario {
        kind: Some(0x80),
        ..shipment()
    };
    out.said("type-0x80", "a type byte beyond EIP-2718", &typed);
}

fn event(out: &mut Collector) {
    let mut said = |name, about, edit_log: fn(&mut Log)| {
        out.said(
            name,
            about,
            &Scenario {
                edit_log,
                ..shipment()
            },
        );
    };
    said(
        "other-emitter",
        "the same event from a contract anyone can deploy",
        |log| log.address = Address::repeat_byte(0x66),
    );
    said(
        "emitter-last-byte",
        "an address that differs in its last byte",
        |log| log.address.0[19] ^= 1,
    );
    said("other-topic", "another event of the same contract", |log| {
        edit(log, |topics, _| {
            topics[0] = keccak256("Conflicted(bytes32,bytes32,bytes32,bytes32)");
        });
    });
    said(
        "topics-swapped",
        "organization and event name swapped",
        |log| edit(log, |topics, _| topics.swap(0, 1)),
    );
    said("topic-missing", "no organization", |log| {
        edit(log, |topics, _| {
            topics.pop();
        });
    });
    said("topic-extra", "a topic too many", |log| {
        edit(log, |topics, _| topics.push(B256::ZERO));
    });
    said("topics-none", "an anonymous event", |log| {
        edit(log, |topics, _| topics.clear());
    });
    said("data-none", "an event without data", |log| {
        edit(log, |_, data| data.clear());
    });
    said(
        "data-short",
        "data that ends before the length of the bitmap",
        |log| edit(log, |_, data| data.truncate(96)),
    );
    said("data-long", "a word after the data", |log| {
        edit(log, |_, data| data.extend([0; 32]));
    });
    said("count-zero", "a batch of no leaves", |log| {
        edit(log, |_, data| data[32..64].fill(0));
    });
    said("count-beyond-u64", "a count of 2^64 + 1", |log| {
        edit(log, |_, data| data[32 + 23] = 1);
    });
    said(
        "offset-other",
        "the bitmap's offset pointing elsewhere",
        |log| edit(log, |_, data| data[95] = 0x80),
    );
    said(
        "offset-huge",
        "the bitmap's offset beyond all memory",
        |log| edit(log, |_, data| data[64..96].fill(0xff)),
    );
    said("length-beyond", "a bitmap longer than the data", |log| {
        edit(log, |_, data| data[127] = 1);
    });
    said("length-huge", "a bitmap longer than all memory", |log| {
        edit(log, |_, data| data[96..128].fill(0xff));
    });
    said(
        "padding-not-zero",
        "a bitmap with something in its padding",
        |log| {
            edit(log, |_, data| {
                data[127] = 1;
                data.extend(U256::from(0b1u8).to_be_bytes::<32>());
            });
        },
    );
}

fn edit(log: &mut Log, edit: impl FnOnce(&mut Vec<B256>, &mut Vec<u8>)) {
    let mut topics = log.data.topics().to_vec();
    let mut data = log.data.data.to_vec();
    edit(&mut topics, &mut data);
    log.data = LogData::new_unchecked(topics, data.into());
}
