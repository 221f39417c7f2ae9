//! State proofs of trees that commonware's own database made, checked beside commonware's own verifier.

use alloy_primitives::{Address, B256, FixedBytes, U256, keccak256};
use commonware_cryptography::Keccak256;
use commonware_parallel::Sequential;
use commonware_runtime::{Runner as _, Supervisor as _, buffer::paged::CacheRef, deterministic};
use commonware_storage::{
    journal::contiguous::fixed::Config as JournalConfig,
    merkle::full::Config as MerkleConfig,
    mmb::Family,
    qmdb::{
        any::value::FixedEncoding,
        current::{
            FixedConfig,
            ordered::{
                fixed,
                proof::{ExclusionProof, KeyValueProof},
            },
        },
        floor::Proportional,
    },
    translator::Cap,
};
use commonware_utils::{NZU16, NZU64, NZUsize, sequence};
use proof::state::{Entry, Snapshot, VALUE_BYTES, account_key, slot_key, state_root};

type Key = sequence::FixedBytes<32>;
type Value = sequence::FixedBytes<VALUE_BYTES>;
type Digest = <Keccak256 as commonware_cryptography::Hasher>::Digest;
/// The state's database, but that values are plain bytes.
pub type Database =
    fixed::Db<Family, deterministic::Context, Key, Value, Keccak256, Cap<8>, 32, Sequential>;
type Present = KeyValueProof<Family, Key, Digest, [u8; 32]>;
type Absent = ExclusionProof<Family, Key, FixedEncoding<Value>, Digest, [u8; 32]>;

/// Runs a test on a database of its own.
pub fn with_database<T: Send + 'static, F: Future<Output = T>>(
    work: impl FnOnce(Database) -> F + 'static,
) -> T {
    deterministic::Runner::default().start(|context| async move {
        let page_cache = CacheRef::new(NZU16!(4096), NZUsize!(256));
        let config = FixedConfig {
            merkle_config: MerkleConfig {
                journal_partition: "merkle".to_owned(),
                metadata_partition: "metadata".to_owned(),
                items_per_blob: NZU64!(65_536),
                write_buffer: NZUsize!(1 << 16),
                replay_buffer: NZUsize!(1 << 16),
                strategy: Sequential,
                page_cache: page_cache.clone(),
            },
            journal_config: JournalConfig {
                partition: "log".to_owned(),
                items_per_blob: NZU64!(65_536),
                page_cache,
                write_buffer: NZUsize!(1 << 16),
                replay_buffer: NZUsize!(1 << 16),
            },
            grafted_metadata_partition: "grafted".to_owned(),
            translator: Cap::<8>,
            init_cache: Some(NZUsize!(1 << 10)),
            init_buffer: NZUsize!(1 << 16),
            init_concurrency: (),
        };
        let database = Database::init(context.child("db"), config, None).await;
        work(database.unwrap()).await
    })
}

pub async fn write(
    database: Database,
    changes: Vec<(B256, Option<FixedBytes<VALUE_BYTES>>)>,
) -> Database {
    let mut batch = database.new_batch();
    for (key, value) in changes {
        batch = batch.write(Key::new(key.0), value.map(|value| Value::new(value.0)));
    }
    let merkleized = batch.merkleize(&database, None, &mut Proportional).await;
    database.apply_batch(merkleized.unwrap()).await.unwrap()
}

pub fn root(database: &Database) -> B256 {
    B256::from_slice(database.root().as_ref())
}

/// A proof as commonware has it.
pub enum Theirs {
    Present(Present, Value),
    Absent(Absent),
}

impl Theirs {
    pub async fn of(database: &Database, key: B256) -> Self {
        let key = Key::new(key.0);
        match database.get(&key).await.unwrap() {
            Some(value) => Self::Present(database.key_value_proof(key).await.unwrap(), value),
            None => Self::Absent(database.exclusion_proof(&key).await.unwrap()),
        }
    }

    /// As our format has it.
    pub fn entry(&self, key: B256) -> (Snapshot, Entry) {
        let hash = |digest: &Digest| B256::from_slice(digest.as_ref());
        let (proof, key, value, next_key) = match self {
            Self::Present(proof, value) => (&proof.proof, key, value, &proof.next_key),
            Self::Absent(ExclusionProof::KeyValue(proof, before)) => (
                proof,
                B256::from_slice(before.key.as_ref()),
                &before.value,
                &before.next_key,
            ),
            Self::Absent(ExclusionProof::Commit(..)) => panic!("the database is empty"),
        };
        let range = &proof.range_proof;
        let snapshot = Snapshot {
            leaves: *range.proof.leaves,
            inactive_peaks: range.proof.inactive_peaks as u64,
            ops_root: hash(&range.ops_root),
            pending: range.pending_chunk_digest.as_ref().map(hash),
            partial: range.partial_chunk_digest.as_ref().map(hash),
        };
        let entry = Entry {
            location: *proof.loc,
            chunk: proof.chunk.into(),
            key,
            value: FixedBytes::from_slice(value.as_ref()),
            next_key: B256::from_slice(next_key.as_ref()),
            digests: range.proof.digests.iter().map(hash).collect(),
        };
        (snapshot, entry)
    }

    /// What commonware's own verifier says.
    fn verify(&self, key: B256, root: &Digest) -> bool {
        let key = Key::new(key.0);
        match self {
            Self::Present(proof, value) => {
                proof.verify::<Keccak256, FixedEncoding<Value>>(key, value.clone(), root)
            }
            Self::Absent(proof) => proof.verify::<Keccak256>(&key, root),
        }
    }
}

/// `0 ‖ nonce ‖ balance ‖ code hash`.
pub fn account(nonce: u64, balance: u64, code_hash: B256) -> FixedBytes<VALUE_BYTES> {
    let balance = U256::from(balance).to_be_bytes::<32>();
    let parts = [
        [0].as_slice(),
        &nonce.to_be_bytes(),
        &balance,
        code_hash.as_slice(),
    ];
    FixedBytes::from_slice(&parts.concat())
}

/// `1 ‖ value`, and zeros.
pub fn slot(value: u64) -> FixedBytes<VALUE_BYTES> {
    let mut bytes = [[1].as_slice(), &U256::from(value).to_be_bytes::<32>()].concat();
    bytes.resize(VALUE_BYTES, 0);
    FixedBytes::from_slice(&bytes)
}

fn key(number: u64) -> B256 {
    keccak256(number.to_be_bytes())
}

/// Every length of the log up to some 1,800 in steps of a few operations, with values written over and deleted: so with
/// peaks of all kinds, active and not, and with full, pending and partial chunks.
#[test]
fn roots_are_commonwares_at_every_length() {
    with_database(|mut database| async move {
        let (mut pending, mut inactive, mut absent) = (0, 0, 0);
        for round in 0..280_u64 {
            let changes = (0..=round % 3).map(|at| {
                let number = keccak256([round, at].map(u64::to_be_bytes).concat()).0[0];
                let value = (number % 8 != 0).then(|| slot(round * 3 + at + 1));
                (key(u64::from(number) % 90), value)
            });
            let changes: std::collections::BTreeMap<_, _> = changes.collect();
            database = write(database, changes.into_iter().collect()).await;
            let root = database.root();
            for number in (0..100).skip(round as usize % 11).step_by(11) {
                let theirs = Theirs::of(&database, key(number)).await;
                if matches!(theirs, Theirs::Absent(ExclusionProof::Commit(..))) {
                    continue;
                }
                assert!(theirs.verify(key(number), &root));
                let (snapshot, entry) = theirs.entry(key(number));
                let found = state_root(&snapshot, &entry);
                assert_eq!(found, Some(self::root(&database)), "{snapshot:?} {entry:?}");
                pending += u32::from(snapshot.pending.is_some());
                inactive += u32::from(snapshot.inactive_peaks > 0);
                absent += u32::from(entry.key != key(number));
            }
        }
        let (leaves, seen) = (*database.bounds().end, [pending, inactive, absent]);
        assert!(leaves > 1_500, "{leaves}");
        assert!(seen.iter().all(|count| *count > 50), "{seen:?}");
    });
}

/// Whatever is changed in a proof, it leads to another root, or nowhere; commonware's verifier agrees that it is none.
#[test]
fn nothing_in_a_proof_can_be_changed() {
    with_database(|mut database| async move {
        for round in 0..60 {
            let changes = (0..10).map(|at| (key(round * 7 + at), Some(slot(round + 1))));
            let changes: std::collections::BTreeMap<_, _> = changes.collect();
            database = write(database, changes.into_iter().collect()).await;
        }
        let root = root(&database);
        for number in [0, 5, 200, 400, 1_000] {
            let (snapshot, entry) = Theirs::of(&database, key(number)).await.entry(key(number));
            assert_eq!(state_root(&snapshot, &entry), Some(root));
            for (what, snapshot, entry) in changed(&snapshot, &entry) {
                assert_ne!(state_root(&snapshot, &entry), Some(root), "{what}");
            }
        }
    });
}

/// The proof with one thing changed, for each thing.
fn changed(snapshot: &Snapshot, entry: &Entry) -> Vec<(String, Snapshot, Entry)> {
    let mut all = Vec::new();
    let mut with = |what: String, edit: &dyn Fn(&mut Snapshot, &mut Entry)| {
        let (mut snapshot, mut entry) = (snapshot.clone(), entry.clone());
        edit(&mut snapshot, &mut entry);
        all.push((what, snapshot, entry));
    };
    for other in [
        0,
        1,
        snapshot.leaves - 1,
        snapshot.leaves + 1,
        snapshot.leaves * 2,
        u64::MAX,
    ] {
        with(format!("leaves {other}"), &|snapshot, _| {
            snapshot.leaves = other;
        });
    }
    for other in [0, 1, 2, 3, 60, u64::MAX] {
        if other != snapshot.inactive_peaks {
            with(format!("inactive {other}"), &|snapshot, _| {
                snapshot.inactive_peaks = other;
            });
        }
    }
    for other in [0, entry.location ^ 1, entry.location + 256, u64::MAX] {
        with(format!("location {other}"), &|_, entry| {
            entry.location = other;
        });
    }
    with("operations".into(), &|snapshot, _| {
        snapshot.ops_root.0[0] ^= 1;
    });
    with("pending".into(), &|snapshot, _| {
        snapshot.pending = snapshot.pending.is_none().then_some(B256::ZERO);
    });
    with("partial".into(), &|snapshot, _| {
        snapshot.partial = snapshot.partial.is_none().then_some(B256::ZERO);
    });
    with("value".into(), &|_, entry| entry.value.0[5] ^= 1);
    with("key".into(), &|_, entry| entry.key.0[31] ^= 1);
    with("next".into(), &|_, entry| entry.next_key.0[31] ^= 1);
    for bit in [0, 100, 255] {
        with(format!("bit {bit}"), &|_, entry| {
            entry.chunk.0[bit / 8] ^= 1 << (bit % 8);
        });
    }
    for at in 0..entry.digests.len() {
        with(format!("digest {at}"), &|_, entry| {
            entry.digests[at].0[7] ^= 1;
        });
    }
    with("one less".into(), &|_, entry| {
        entry.digests.pop();
    });
    with("one more".into(), &|_, entry| {
        entry.digests.push(B256::ZERO);
    });
    all
}

#[test]
fn keys_are_where_the_node_puts_them() {
    let address = Address::repeat_byte(0x11);
    let mut preimage = vec![0];
    preimage.extend(address);
    assert_eq!(account_key(&address), keccak256(&preimage));
    preimage[0] = 1;
    preimage.extend(U256::from(7).to_be_bytes::<32>());
    assert_eq!(slot_key(&address, &U256::from(7)), keccak256(&preimage));
}
