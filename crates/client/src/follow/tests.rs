use alloy_consensus::{Eip658Value, Header, Receipt};
use alloy_primitives::{B256, Bytes, FixedBytes, Log, U64, U256};
use blst::min_sig::SecretKey;

use super::*;
use crate::node::Finalization;

const GENESIS: B256 = B256::repeat_byte(0x11);
const CHAIN_ID: u64 = 4242;

fn secret() -> SecretKey {
    SecretKey::key_gen(&[9; 32], &[]).unwrap()
}

fn network() -> Network {
    Network::new(
        CHAIN_ID,
        GENESIS,
        FixedBytes(secret().sk_to_pk().to_bytes()),
    )
    .unwrap()
}

fn genesis() -> Head {
    Head {
        height: 0,
        hash: GENESIS,
    }
}

fn certify(hash: &B256, view: u64) -> Finalization {
    let mut certificate = proof::Finalization {
        epoch: 0,
        view,
        parent_view: view - 1,
        signature: FixedBytes::ZERO,
    };
    let signed = proof::finalization::signed_bytes(
        &proof::namespace(CHAIN_ID, &GENESIS),
        &certificate,
        hash,
    );
    certificate.signature = FixedBytes(
        secret()
            .sign(&signed, proof::finalization::DST, &[])
            .to_bytes(),
    );
    certificate.into()
}

fn block(parent: Head, transactions: &[&'static [u8]], certified: bool) -> (FinalizedBlock, Head) {
    let transactions: Vec<Bytes> = transactions
        .iter()
        .map(|raw| Bytes::from_static(raw))
        .collect();
    let receipts: Vec<Bytes> = transactions
        .iter()
        .map(|raw| [b"receipt of ", raw.as_ref()].concat().into())
        .collect();
    let header = Header {
        parent_hash: parent.hash,
        number: parent.height + 1,
        transactions_root: build::transactions_root(&transactions),
        receipts_root: build::receipts_root(&receipts),
        ..Header::default()
    };
    let head = Head {
        height: header.number,
        hash: header.hash_slow(),
    };
    let finalization = certified.then(|| certify(&head.hash, head.height + 5));
    (
        FinalizedBlock {
            header: alloy_rlp::encode(&header).into(),
            finalization,
            transactions,
            receipts,
        },
        head,
    )
}

/// Blocks 1 to `certified.len()`, each certified or not.
fn chain(certified: &[bool]) -> Vec<FinalizedBlock> {
    let mut parent = genesis();
    let mut blocks = Vec::new();
    for certified in certified {
        let (next, head) = block(parent, &[b"one", b"two"], *certified);
        blocks.push(next);
        parent = head;
    }
    blocks
}

fn follow(blocks: &[FinalizedBlock]) -> Result<Vec<u64>, Fault> {
    let mut follower = Follower::new(network(), genesis());
    let mut heights = Vec::new();
    for block in blocks {
        heights.extend(
            follower
                .push(block.clone())?
                .iter()
                .map(|verified| verified.header.number),
        );
    }
    Ok(heights)
}

#[test]
fn certified_blocks_are_given_out_at_once() {
    assert_eq!(follow(&chain(&[true, true, true])), Ok(vec![1, 2, 3]));
}

#[test]
fn a_later_certificate_covers_the_blocks_before() {
    let mut follower = Follower::new(network(), genesis());
    let blocks = chain(&[true, false, false, true]);
    let mut released = Vec::new();
    for block in &blocks {
        released.push(follower.push(block.clone()).unwrap());
    }
    assert_eq!(
        released.iter().map(Vec::len).collect::<Vec<_>>(),
        [1, 0, 0, 3]
    );
    assert_eq!(follower.trusted().height, 4);
    let waited = &released[3][0];
    assert_eq!(waited.headers.len(), 3);
    let proved = network().verify(FinalityProof {
        headers: waited.headers.clone(),
        finalization: waited.finalization.clone().into(),
    });
    assert_eq!(proved, Ok(waited.head()), "what shows it final is complete");
}

#[test]
fn every_lie_is_named_and_nothing_of_it_is_given_out() {
    type Change = fn(&mut Vec<FinalizedBlock>);
    let check = |name: &str, change: Change, expected: fn(&Fault) -> bool| {
        let mut blocks = chain(&[true, false, true]);
        change(&mut blocks);
        let mut follower = Follower::new(network(), genesis());
        let fault = blocks
            .into_iter()
            .find_map(|block| follower.push(block).err())
            .expect(name);
        assert!(expected(&fault), "{name}: {fault}");
        assert!(follower.trusted().height <= 1, "{name}");
        let rest = chain(&[true, false, true]).split_off(follower.trusted().height as usize);
        for block in rest {
            follower
                .push(block)
                .unwrap_or_else(|fault| panic!("{name}: an honest node goes on: {fault}"));
        }
        assert_eq!(follower.trusted().height, 3, "{name}");
    };
    check(
        "gap",
        |blocks| drop(blocks.remove(1)),
        |fault| {
            *fault
                == Fault::Gap {
                    expected: 2,
                    found: 3,
                }
        },
    );
    check(
        "repetition",
        |blocks| blocks[1] = blocks[0].clone(),
        |fault| {
            *fault
                == Fault::Gap {
                    expected: 2,
                    found: 1,
                }
        },
    );
    check(
        "transaction left out",
        |blocks| drop(blocks[1].transactions.pop()),
        |fault| matches!(fault, Fault::TransactionsRoot { height: 2, .. }),
    );
    check(
        "transactions swapped",
        |blocks| blocks[1].transactions.swap(0, 1),
        |fault| matches!(fault, Fault::TransactionsRoot { height: 2, .. }),
    );
    check(
        "receipt changed",
        |blocks| blocks[2].receipts[1] = Bytes::from_static(b"better"),
        |fault| matches!(fault, Fault::ReceiptsRoot { height: 3, .. }),
    );
    check(
        "signature of another block",
        |blocks| blocks[2].finalization = blocks[0].finalization.clone(),
        |fault| matches!(fault, Fault::Certificate(_)),
    );
    check(
        "view changed",
        |blocks| blocks[2].finalization.as_mut().unwrap().view += U64::from(1),
        |fault| matches!(fault, Fault::Certificate(_)),
    );
    check(
        "no signature",
        |blocks| blocks[2].finalization.as_mut().unwrap().signature = FixedBytes::ZERO,
        |fault| matches!(fault, Fault::Certificate(_)),
    );
    check(
        "header is no header",
        |blocks| blocks[1].header = Bytes::from_static(&[0xc0]),
        |fault| matches!(fault, Fault::Header(_)),
    );
    check(
        "an uncertified other history",
        |blocks| {
            blocks[1] = block(
                Head {
                    height: 1,
                    hash: B256::ZERO,
                },
                &[],
                false,
            )
            .0;
        },
        |fault| matches!(fault, Fault::Parent { height: 2, .. }),
    );
    check(
        "a certified other history: the network itself is broken",
        |blocks| {
            blocks[1] = block(
                Head {
                    height: 1,
                    hash: B256::ZERO,
                },
                &[],
                true,
            )
            .0;
        },
        |fault| matches!(fault, Fault::ConflictingFinality { height: 2, .. }),
    );
}

#[test]
fn blocks_do_not_wait_without_bound() {
    let blocks = chain(&[false; WAITING_MAX + 1]);
    let fault = follow(&blocks).unwrap_err();
    assert!(
        matches!(fault, Fault::Uncertified { blocks: 256, .. }),
        "{fault}"
    );
    let mut enough = chain(&[false; WAITING_MAX]);
    let (last, _) = block(head_of(&enough[WAITING_MAX - 1]), &[], true);
    enough.push(last);
    assert_eq!(follow(&enough).unwrap().len(), WAITING_MAX + 1);
}

fn head_of(block: &FinalizedBlock) -> Head {
    let header = proof::Header::decode(&block.header).unwrap();
    Head {
        height: header.number,
        hash: header.hash,
    }
}

#[test]
fn an_identity_that_is_no_key_is_refused() {
    assert!(Network::new(CHAIN_ID, GENESIS, FixedBytes::ZERO).is_err());
    let mut infinity = FixedBytes::<96>::ZERO;
    infinity[0] = 0xc0;
    assert!(Network::new(CHAIN_ID, GENESIS, infinity).is_err());
}

/// The receipt of a transaction in block 1 in which the network named this one.
fn names(successor: &proof::Network) -> proof::Receipt {
    let number = |number: u64| U256::from(number).to_be_bytes_vec();
    let data = [
        number(0x60),
        number(successor.chain_id),
        successor.genesis.to_vec(),
        number(96),
        successor.identity.to_vec(),
    ];
    let topics = vec![proof::succession::SUCCESSOR_NAMED_TOPIC];
    let log = Log::new_unchecked(proof::SUCCESSION, topics, data.concat().into());
    let receipt = Receipt {
        status: Eip658Value::Eip658(true),
        cumulative_gas_used: 21_000,
        logs: vec![log],
    };
    let receipts = [Bytes::from(alloy_rlp::encode(receipt.with_bloom()))];
    let header = Header {
        parent_hash: GENESIS,
        number: 1,
        receipts_root: build::receipts_root(&receipts),
        ..Header::default()
    };
    proof::Receipt {
        network: network().named(),
        finalization: certify(&header.hash_slow(), 6).into(),
        headers: vec![alloy_rlp::encode(&header).into()],
        inclusion: proof::Inclusion {
            transaction_index: 0,
            proof: build::inclusion_proof(&receipts, 0).unwrap(),
        },
        record: None,
    }
}

#[test]
fn a_network_leads_to_its_successor_and_to_no_other() {
    let secret = SecretKey::key_gen(&[10; 32], &[]).unwrap();
    let successor = proof::Network {
        chain_id: 7001,
        genesis: B256::repeat_byte(0x22),
        identity: FixedBytes(secret.sk_to_pk().to_bytes()),
    };
    let receipt = names(&successor);
    let followed = network().successor(&receipt).unwrap();
    assert_eq!(followed.named(), successor);
    // It says nothing for the successor itself, nor for another network with the old key.
    assert!(followed.successor(&receipt).is_err());
    let same_key = Network::new(CHAIN_ID, B256::repeat_byte(0x33), network().identity()).unwrap();
    assert!(matches!(
        same_key.successor(&receipt),
        Err(SuccessionError::Other { .. })
    ));
    let no_key = proof::Network {
        identity: FixedBytes::repeat_byte(0xff),
        ..successor
    };
    assert!(network().successor(&names(&no_key)).is_err());
}
