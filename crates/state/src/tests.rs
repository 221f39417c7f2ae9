use crate::{
    Database, StateRead as _, VALUE_BYTES, Value, config, database::operations,
    genesis::GenesisError, open_genesis,
};
use alloy_primitives::{Address, B256, Bytes, U256, keccak256};
use commonware_codec::{DecodeExt as _, Encode as _};
use commonware_cryptography::{
    Signer as _,
    bls12381::{
        dkg::feldman_desmedt,
        primitives::{sharing::Mode, variant::MinSig},
    },
    ed25519,
};
use commonware_runtime::{Runner as _, Supervisor as _, buffer::paged::CacheRef, deterministic};
use commonware_storage::qmdb::floor::Proportional;
use commonware_utils::{N3f1, NZU16, NZU64, NZUsize, TryCollect as _, ordered::Set, test_rng};
use std::collections::BTreeMap;
use types::{
    Account, ChainSpec, Committee, Fees, Fork, GenesisAccount, Limits, Pacing, StateKey, StateValue,
};

fn spec(accounts: BTreeMap<Address, GenesisAccount>) -> ChainSpec {
    let players: Set<_> = (0..4)
        .map(|seed| ed25519::PrivateKey::from_seed(seed).public_key())
        .try_collect()
        .unwrap();
    let (output, _) =
        feldman_desmedt::deal::<MinSig, _, N3f1>(test_rng(), Mode::NonZeroCounter, players)
            .unwrap();
    ChainSpec {
        name: "test".to_owned(),
        chain_id: 4242,
        fork: Fork::Osaka,
        dev: true,
        time_ms: 0,
        fees: Fees::Free,
        limits: Limits {
            block_gas: 100_000_000,
        },
        pacing: Pacing {
            idle_interval_ms: 1000,
            min_gap_ms: 5,
            settle_interval_ms: 50,
        },
        epoch_blocks: NZU64!(32),
        committee: Committee::new(output).encode(),
        accounts,
        origin: None,
    }
}

fn pages() -> CacheRef {
    CacheRef::new(NZU16!(4096), NZUsize!(64))
}

fn contract(code: Vec<u8>) -> GenesisAccount {
    GenesisAccount {
        balance: U256::from(5),
        nonce: 1,
        code: code.into(),
        storage: BTreeMap::from([(U256::from(7), U256::from(8)), (U256::from(9), U256::ZERO)]),
    }
}

#[test]
fn values_have_one_size_and_one_encoding() {
    let samples = [
        Value::Account(Account {
            nonce: 3,
            balance: U256::MAX,
            code_hash: B256::repeat_byte(9),
        }),
        Value::Slot(U256::from(1) << 255),
        Value::CodeHead {
            length: 3,
            data: bytes::Bytes::from_static(b"abc"),
        },
        Value::CodeHead {
            length: 500,
            data: bytes::Bytes::from(vec![1; 68]),
        },
        Value::CodeChunk(bytes::Bytes::from(vec![2; 72])),
    ];
    for value in samples {
        let encoded = value.encode();
        assert_eq!(encoded.len(), VALUE_BYTES);
        assert_eq!(Value::decode(encoded.clone()).unwrap(), value);
        if !matches!(
            value,
            Value::CodeChunk(_) | Value::Account(_) | Value::CodeHead { length: 500, .. }
        ) {
            let mut padded = encoded.to_vec();
            *padded.last_mut().unwrap() = 1;
            assert!(
                Value::decode(bytes::Bytes::from(padded)).is_err(),
                "padding is not checked"
            );
        }
    }
    assert!(Value::decode(bytes::Bytes::from(vec![9; VALUE_BYTES])).is_err());
}

#[test]
fn code_of_every_length_comes_back_whole() {
    deterministic::Runner::default().start(|context| async move {
        let lengths = [1_usize, 67, 68, 69, 139, 140, 141, 24_576];
        let db = Database::init(context.child("db"), config("t", pages()), None)
            .await
            .unwrap();
        let mut batch = db.new_batch();
        let code = |length: usize| {
            Bytes::from((0..length).map(|i| (i % 251) as u8 + 1).collect::<Vec<_>>())
        };
        for length in lengths {
            let hash = keccak256(code(length));
            for (key, value) in
                operations(vec![(StateKey::Code(hash), StateValue::Code(code(length)))])
            {
                batch = batch.write(key, value);
            }
        }
        let merkleized = batch.merkleize(&db, None, &mut Proportional).await.unwrap();
        let db = db.apply_batch(merkleized).await.unwrap();
        for length in lengths {
            let hash = keccak256(code(length));
            let read = db.read(StateKey::Code(hash)).await.unwrap();
            assert_eq!(read, StateValue::Code(code(length)), "{length}");
        }
        assert_eq!(
            db.read(StateKey::Code(B256::ZERO)).await.unwrap(),
            StateValue::Absent
        );
    });
}

#[test]
fn genesis_is_written_once_and_bound_to_its_spec() {
    let address = Address::repeat_byte(1);
    let spec_one = spec(BTreeMap::from([(address, contract(vec![0x60; 100]))]));
    let spec_two = spec(BTreeMap::from([(address, contract(vec![0x61; 100]))]));
    deterministic::Runner::default().start(|context| async move {
        let first = open_genesis(context.child("first"), "n", &spec_one, pages())
            .await
            .unwrap();
        let again = open_genesis(context.child("again"), "n", &spec_one, pages())
            .await
            .unwrap();
        assert_eq!(first, again);
        let elsewhere = open_genesis(context.child("else"), "m", &spec_one, pages())
            .await
            .unwrap();
        assert_eq!(
            first.hash(),
            elsewhere.hash(),
            "block 0 must not depend on the machine"
        );
        let other = open_genesis(context.child("other"), "n", &spec_two, pages()).await;
        assert!(
            matches!(other, Err(GenesisError::OtherNetwork { .. })),
            "{other:?}"
        );

        let db = Database::init(context.child("db"), config("n-state", pages()), None)
            .await
            .unwrap();
        let account = db.read(StateKey::Account(address)).await.unwrap();
        let code_hash = keccak256([0x60; 100]);
        let expected = Account {
            nonce: 1,
            balance: U256::from(5),
            code_hash,
        };
        assert_eq!(account, StateValue::Account(expected));
        let slots = [7, 9].map(|slot| StateKey::Slot(address, U256::from(slot)));
        let values = db.read_many(&slots).await.unwrap();
        assert_eq!(
            values,
            [StateValue::Slot(U256::from(8)), StateValue::Absent]
        );
        assert_eq!(first.header().state_root.as_slice(), db.root().as_ref());
    });
}
