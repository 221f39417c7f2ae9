use crate::{
    BATCH_ENTRIES, Database, Import, Key, PIECE_BYTES_MAX, Piece, PieceError, StateRead as _,
    VALUE_BYTES, Value, begin, config, database::operations, genesis::GenesisError, imported,
    open_genesis,
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
    Account, ChainSpec, Committee, Fees, Fork, GenesisAccount, Limits, Origin, Pacing, StateKey,
    StateValue,
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

/// All pieces of the applied state, checked against its root; and what holds in them.
async fn pieces_of(db: &Database<deterministic::Context>) -> (usize, BTreeMap<Key, Value>) {
    let (mut next, end) = (*db.sync_boundary(), *db.bounds().end);
    let (mut count, mut entries) = (0, BTreeMap::new());
    while next < end {
        let piece = Piece::read(db, next).await.unwrap();
        piece.verify(&db.root()).unwrap();
        let again = Piece::decode(piece.encode()).unwrap();
        assert_eq!(again, piece);
        assert!(piece.encode().len() <= PIECE_BYTES_MAX);
        for (key, value) in piece.entries().unwrap() {
            let before = entries.insert(key, value);
            assert!(before.is_none(), "a key holds twice");
        }
        next = piece.end();
        count += 1;
    }
    (count, entries)
}

fn slot(number: u64, value: u64) -> (StateKey, StateValue) {
    let value = match value {
        0 => StateValue::Absent,
        value => StateValue::Slot(U256::from(value)),
    };
    (
        StateKey::Slot(Address::repeat_byte(1), U256::from(number)),
        value,
    )
}

#[test]
fn pieces_hold_all_that_is_there_and_nothing_else() {
    deterministic::Runner::default().start(|context| async move {
        let mut db = Database::init(context.child("db"), config("t", pages()), None)
            .await
            .unwrap();
        let mut expected = BTreeMap::new();
        // Written, overwritten, and half of it deleted.
        for round in 1..=40_u64 {
            let changes = (0..150).map(|index| {
                let number = (index * 31 + round * 97) % 3_000;
                slot(number, if round % 4 == 0 { 0 } else { round })
            });
            let mut batch = db.new_batch();
            for (key, value) in operations(changes.collect()) {
                match &value {
                    Some(value) => expected.insert(key.clone(), value.clone()),
                    None => expected.remove(&key),
                };
                batch = batch.write(key, value);
            }
            let merkleized = batch.merkleize(&db, None, &mut Proportional).await.unwrap();
            db = db.apply_batch(merkleized).await.unwrap();
        }
        let (count, entries) = pieces_of(&db).await;
        assert!(count > 2, "{count}");
        assert_eq!(entries, expected);

        // What is changed in a piece is no encoding, or not proved: bits of what holds, too.
        let (first, last) = (*db.sync_boundary(), *db.bounds().end);
        for start in [first, first + (last - first - 1) / 1024 * 1024] {
            let piece = Piece::read(&db, start).await.unwrap();
            let encoded = piece.encode();
            let bits = encoded.len() * 8;
            // All of what follows the operations, and some of them.
            let tail = bits - 8 * (encoded.len() % 138 + 1_000).min(encoded.len());
            for bit in (0..tail).step_by(9_973).chain((tail..bits).step_by(41)) {
                let mut changed = encoded.to_vec();
                changed[bit / 8] ^= 1 << (bit % 8);
                let read = Piece::decode(bytes::Bytes::from(changed));
                let counts = read.is_ok_and(|read| read.verify(&db.root()).is_ok());
                assert!(!counts, "bit {bit} of the piece at {start}");
            }
        }

        let piece = Piece::read(&db, *db.sync_boundary()).await.unwrap();
        let other = types::Digest::from([1; 32]);
        assert!(matches!(piece.verify(&other), Err(PieceError::Root { .. })));
    });
}

#[test]
fn an_import_is_whole_or_not_there() {
    deterministic::Runner::default().start(|context| async move {
        let entries: BTreeMap<Key, Value> =
            operations((0..40_000).map(|number| slot(number, number + 1)).collect())
                .into_iter()
                .map(|(key, value)| (key, value.unwrap()))
                .collect();
        let entries: Vec<_> = entries.into_iter().collect();
        let changes = vec![slot(7, 0), slot(40_001, 5)];
        let export = B256::repeat_byte(3);

        // Cut short after a batch.
        let import = Import::begin(context.child("cut"), "n", pages())
            .await
            .unwrap();
        let import = import
            .write(entries[..BATCH_ENTRIES].to_vec())
            .await
            .unwrap();
        drop(import);
        assert_eq!(imported(&context, "n").await.unwrap(), None);

        let mut made = Vec::new();
        for node in ["n", "m"] {
            let import = Import::begin(context.child("import"), node, pages()).await;
            let mut import = import.unwrap();
            for batch in entries.chunks(BATCH_ENTRIES) {
                import = import.write(batch.to_vec()).await.unwrap();
            }
            let finished = import.finish(export, changes.clone()).await.unwrap();
            assert_eq!(
                imported(&context, node).await.unwrap().as_ref(),
                Some(&finished)
            );
            made.push(finished);
        }
        assert_eq!(
            made[0], made[1],
            "block 0 must not depend on the machine, nor on what was left there"
        );

        let commitment = made[0].commitment.clone();
        let hash = |digest: &types::Digest| B256::from_slice(digest.as_ref());
        let mut spec = spec(BTreeMap::new());
        spec.origin = Some(Origin {
            export,
            identity: vec![0; 96].into(),
            chain_id: 7001,
            genesis: B256::ZERO,
            height: 10,
            block: B256::ZERO,
            changes: BTreeMap::new(),
            state_root: hash(&commitment.root),
            ops_root: hash(&commitment.ops_root),
            ops_range: (*commitment.ops_range.start(), *commitment.ops_range.end()),
        });
        let spec = ChainSpec::from_json(&spec.to_json().unwrap()).unwrap();
        let block = open_genesis(context.child("block"), "elsewhere", &spec, pages()).await;
        let block = block.unwrap();
        assert_eq!(block.header().state_root, hash(&commitment.root));
        // It is not here, and does not begin here.
        let begun = begin(&context, "elsewhere", &spec, &block, false).await;
        assert!(
            matches!(begun, Err(GenesisError::NotImported { .. })),
            "{begun:?}"
        );
        begin(&context, "n", &spec, &block, false).await.unwrap();
        begin(&context, "n", &spec, &block, false).await.unwrap();
        // Another state takes its place no more.
        let again = Import::begin(context.child("again"), "n", pages()).await;
        assert!(matches!(again.map(|_| ()), Err(GenesisError::Begun)));

        let db = Database::init(context.child("db"), config("n-state", pages()), None)
            .await
            .unwrap();
        assert_eq!(db.root(), commitment.root);
        let keys = [6, 7, 39_999, 40_001].map(|number| slot(number, 0).0);
        let values = db.read_many(&keys).await.unwrap();
        let expected = [7, 0, 40_000, 5].map(|value| slot(0, value).1);
        assert_eq!(values, expected);
        let (_, held) = pieces_of(&db).await;
        assert_eq!(held.len(), entries.len());
    });
}
