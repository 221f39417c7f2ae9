use crate::{
    Block, BlockError, Ceremony, Context, Digest, EpochInfo, Extension, MAX_BODY_BYTES,
    MAX_DKG_BYTES, MAX_VALIDATORS, Namespace, Transaction, TransactionError,
};
use alloy_consensus::{Header, SignableTransaction as _, TxEip1559, TxEnvelope, TxLegacy};
use alloy_eips::eip2718::Encodable2718 as _;
use alloy_primitives::{Address, Bytes, Signature, TxKind, U256, keccak256};
use commonware_codec::{DecodeExt as _, Encode as _, EncodeSize as _};
use commonware_consensus::{
    BoundedBlock as _,
    types::{Epoch, Round, View},
};
use commonware_cryptography::{
    Digest as _, Digestible as _, Signer as _,
    bls12381::{
        dkg::feldman_desmedt,
        primitives::{sharing::Mode, variant::MinSig},
    },
    ed25519,
};
use commonware_glue::dkg::{ReshareBlock as _, types::EpochOutcome};
use commonware_storage::merkle::Location;
use commonware_utils::{
    N3f1, TryCollect as _, non_empty_range, ordered::Set, sequence::Unit, test_rng,
};

fn extension(dkg: Bytes) -> Extension {
    Extension {
        context: Context {
            round: Round::new(Epoch::new(3), View::new(300)),
            leader: ed25519::PrivateKey::from_seed(1).public_key(),
            parent: (View::new(299), Digest::EMPTY),
        },
        ops_root: Digest::from([7; 32]),
        ops_range: non_empty_range!(Location::new(5), Location::new(900)),
        millis: 123,
        dkg,
    }
}

fn header(extension: &Extension, transactions: &[Bytes]) -> Header {
    Header {
        number: 9,
        timestamp: 1_700_000_000,
        gas_limit: 100_000_000,
        transactions_root: crate::transactions_root(transactions),
        extra_data: extension.hash().into(),
        ..Block::header_template()
    }
}

fn block(transactions: Vec<Bytes>) -> Block {
    let extension = extension(Bytes::new());
    Block::new(header(&extension, &transactions), extension, transactions).unwrap()
}

#[test]
fn a_block_survives_the_wire_and_is_named_by_its_header() {
    let block = block(vec![Bytes::from_static(b"one"), Bytes::from_static(b"two")]);
    let encoded = block.encode();
    assert_eq!(encoded.len(), block.encode_size());
    assert!(encoded.len() <= Block::max_encode_size(&()));
    assert_eq!(Block::decode(encoded).unwrap(), block);
    assert_eq!(
        block.digest().as_ref(),
        keccak256(alloy_rlp::encode(block.header())).as_slice()
    );
    assert_eq!(block.time_ms(), 1_700_000_000_123);
    assert_eq!(
        block.header().extra_data.len(),
        32,
        "web3.py refuses longer"
    );
}

#[test]
fn a_decoded_block_is_bound_to_its_header() {
    // Same header, other body or extension: the digest would not notice, so the decoder must.
    let honest = block(vec![Bytes::from_static(b"one")]);
    let mut other_body = honest.header_rlp().0.encode().to_vec();
    other_body.extend_from_slice(&honest.extension().encode());
    other_body.extend_from_slice(&1_usize.encode());
    other_body.extend_from_slice(&bytes::Bytes::from_static(b"two").encode());
    assert!(Block::decode(bytes::Bytes::from(other_body)).is_err());
    let swapped = extension(Bytes::from_static(b"payload"));
    let error = Block::new(
        honest.header().clone(),
        swapped,
        honest.transactions().to_vec(),
    );
    assert_eq!(error, Err(BlockError::Extension));
}

#[test]
fn every_byte_of_an_encoded_block_matters() {
    let honest = block(vec![Bytes::from_static(b"one")]);
    let encoded = honest.encode();
    for index in 0..encoded.len() {
        let mut changed = encoded.to_vec();
        changed[index] ^= 1;
        if let Ok(block) = Block::decode(bytes::Bytes::from(changed)) {
            assert_ne!(block.digest(), honest.digest(), "byte {index} is not bound");
        }
    }
}

#[test]
fn fixed_fields_and_bounds_are_enforced() {
    let extension = extension(Bytes::new());
    let blob = Header {
        blob_gas_used: Some(1),
        ..header(&extension, &[])
    };
    assert_eq!(
        Block::new(blob, extension.clone(), vec![]),
        Err(BlockError::Fixed("blobGasUsed"))
    );
    let large = vec![Bytes::from(vec![0; 100_000]); MAX_BODY_BYTES / 100_000 + 1];
    assert_eq!(
        Block::new(header(&extension, &[]), extension, large),
        Err(BlockError::Body)
    );
}

#[test]
fn a_block_carries_of_the_key_ceremony_what_decodes_or_nothing() {
    let sealed = |dkg: &'static [u8]| {
        let extension = extension(Bytes::from_static(dkg));
        Block::new(header(&extension, &[]), extension, vec![])
    };
    assert!(sealed(b"").unwrap().payload().is_none());
    assert_eq!(sealed(b"payload"), Err(BlockError::Ceremony));

    let players: Set<_> = (0..4)
        .map(|seed| ed25519::PrivateKey::from_seed(seed).public_key())
        .try_collect()
        .unwrap();
    let (output, _) =
        feldman_desmedt::deal::<MinSig, _, N3f1>(test_rng(), Mode::NonZeroCounter, players.clone())
            .unwrap();
    let ceremony = Ceremony::EpochInfo(EpochInfo {
        outcome: EpochOutcome::Success,
        epoch: Epoch::new(4),
        output,
        players: players.clone(),
        next_players: players,
        directory: Unit,
    });
    let carrying = extension(Extension::encode_ceremony(Some(&ceremony)));
    let block = Block::new(header(&carrying, &[]), carrying, vec![]).unwrap();
    let decoded = Block::decode(block.encode()).unwrap();
    assert!(decoded.payload() == Some(ceremony));
}

#[test]
fn the_largest_ceremony_fits_a_block() {
    let largest = crate::block::SPEC_HASH_BYTES + Ceremony::max_encode_size(MAX_VALIDATORS);
    assert!(largest <= MAX_DKG_BYTES, "{largest}");
}

#[test]
fn namespaces_differ_by_chain_and_genesis() {
    let one = Namespace::new(4242, &Digest::from([1; 32]));
    assert_eq!(&one.as_bytes()[..16], b"ashlar/1\0\0\0\0\0\0\x10\x92");
    assert_ne!(one, Namespace::new(4243, &Digest::from([1; 32])));
    assert_ne!(one, Namespace::new(4242, &Digest::from([2; 32])));
}

#[test]
fn unusable_transactions_are_refused_in_geths_words() {
    // Any (r, s) that recovers to some account will do.
    let signature = Signature::new(U256::from(1), U256::from(1), false);
    let dynamic = TxEip1559 {
        chain_id: 4242,
        gas_limit: 21_000,
        to: TxKind::Call(Address::ZERO),
        ..TxEip1559::default()
    };
    let raw = |tx: TxEnvelope| Bytes::from(tx.encoded_2718());
    let good = raw(dynamic.clone().into_signed(signature).into());
    let recovered = Transaction::recover(good.clone(), 4242).unwrap();
    assert_eq!(recovered.hash(), keccak256(&good));
    let check = |raw: Bytes, chain_id, expected: &str| {
        let error = Transaction::recover(raw, chain_id).unwrap_err();
        assert!(error.to_string().starts_with(expected), "{error}");
    };
    check(good.clone(), 1, "invalid chain id for signer");
    let legacy = TxLegacy {
        chain_id: None,
        gas_limit: 21_000,
        ..TxLegacy::default()
    };
    check(
        raw(legacy.into_signed(signature).into()),
        4242,
        "only replay-protected (EIP-155)",
    );
    let high_s = Signature::new(U256::from(1), U256::MAX >> 1, false);
    check(
        raw(dynamic.into_signed(high_s).into()),
        4242,
        "invalid sender",
    );
    check(Bytes::from(vec![2; 200_000]), 4242, "oversized data");
    let mut trailing = good.to_vec();
    trailing.push(0);
    assert!(matches!(
        Transaction::recover(trailing.into(), 4242),
        Err(TransactionError::Malformed(_))
    ));
    assert!(Transaction::recover(Bytes::from_static(&[0x03, 0xc0]), 4242).is_err());
}
