//! The database: its type pinned once, its configuration, and how changes become a batch.

use crate::{
    key::{Key, code_key, head_key},
    read::StateError,
    value::{CODE_CHUNK_BYTES, CODE_HEAD_BYTES, Value},
};
use bytes::Bytes;
use commonware_cryptography::Keccak256;
use commonware_glue::stateful::db::{
    DatabaseSet, ManagedDb, Merkleized as _, Shared, Unmerkleized as _,
};
use commonware_parallel::Sequential;
use commonware_runtime::{Spawner, buffer::paged::CacheRef};
use commonware_storage::{
    Context,
    journal::contiguous::fixed::Config as JournalConfig,
    merkle::{Location, full::Config as MerkleConfig},
    qmdb::current::{FixedConfig, ordered::fixed},
    translator::Cap,
};
use commonware_utils::{NZU64, NZUsize, non_empty_range, range::NonEmptyRange};
use types::{Digest, Family, Origin, SpecError, StateKey, StateValue};

/// Bytes of the activity bitmap per grafted leaf. Part of the root: fixed for ever.
const BITMAP_CHUNK: usize = 32;

/// The state database of one node.
pub type Database<E> =
    fixed::Db<Family, E, Key, Value, Keccak256, Cap<8>, BITMAP_CHUNK, Sequential>;
/// The database as the engine shares it between consensus and readers.
pub type SharedDatabase<E> = Shared<Database<E>>;
/// The databases the engine manages: one.
pub type BatchSet<E> = SharedDatabase<E>;
/// Speculative changes over a parent state.
pub type Batch<E> = <SharedDatabase<E> as DatabaseSet<E>>::Unmerkleized;
/// Speculative changes with their roots.
pub type MerkleizedBatch<E> = <SharedDatabase<E> as DatabaseSet<E>>::Merkleized;
/// How the database is laid out on disk.
pub type DatabaseConfig = FixedConfig<Cap<8>, Sequential>;

/// What a block header says about the state after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commitment {
    /// The root that values and absences are proved against: the header's `stateRoot`.
    pub root: Digest,
    /// Root of the log of operations, which state sync downloads.
    pub ops_root: Digest,
    /// The operations it covers.
    pub ops_range: NonEmptyRange<Location<Family>>,
}

impl TryFrom<&Origin> for Commitment {
    type Error = SpecError;

    /// That of the state that a network began with.
    fn try_from(origin: &Origin) -> Result<Self, SpecError> {
        Ok(Self {
            root: Digest::from(origin.state_root.0),
            ops_root: Digest::from(origin.ops_root.0),
            ops_range: origin.operations()?,
        })
    }
}

impl Commitment {
    /// The commitment to the applied state.
    pub(crate) fn of_applied<E: Context + Spawner>(database: &Database<E>) -> Self {
        let target = <Database<E> as ManagedDb<E>>::sync_target(database);
        Self {
            root: database.root(),
            ops_root: target.root,
            ops_range: target.range,
        }
    }

    /// The commitment to a merkleized batch.
    pub fn of<E: Context + Spawner>(batch: &MerkleizedBatch<E>) -> Self {
        Self {
            root: batch.root(),
            ops_root: batch.ops_root(),
            ops_range: non_empty_range!(batch.sync_boundary(), batch.bounds().tip.size),
        }
    }
}

/// Layout of a node's state under the partition `prefix`. Fixed for the life of the data.
pub fn config(prefix: &str, page_cache: CacheRef) -> DatabaseConfig {
    FixedConfig {
        merkle_config: MerkleConfig {
            journal_partition: format!("{prefix}-merkle-journal"),
            metadata_partition: format!("{prefix}-merkle-metadata"),
            items_per_blob: NZU64!(65_536),
            write_buffer: NZUsize!(1 << 20),
            replay_buffer: NZUsize!(1 << 20),
            strategy: Sequential,
            page_cache: page_cache.clone(),
        },
        journal_config: JournalConfig {
            partition: format!("{prefix}-log"),
            items_per_blob: NZU64!(65_536),
            page_cache,
            write_buffer: NZUsize!(1 << 20),
            replay_buffer: NZUsize!(1 << 20),
        },
        grafted_metadata_partition: format!("{prefix}-grafted"),
        translator: Cap::<8>,
        init_cache: Some(NZUsize!(1 << 16)),
        init_buffer: NZUsize!(1 << 21),
        init_concurrency: (),
    }
}

/// Writes changes into a batch and computes its roots.
///
/// `changes` must be the same list in the same order on every node: the log of operations, and so
/// the roots, depend on it.
///
/// # Errors
/// [`StateError::Abandoned`] if another branch became final meanwhile; otherwise the database
/// failed and the node must stop.
pub async fn write<E: Context + Spawner>(
    mut batch: Batch<E>,
    changes: Vec<(StateKey, StateValue)>,
) -> Result<MerkleizedBatch<E>, StateError> {
    for (key, value) in operations(changes) {
        batch = batch.write(key, value);
    }
    Ok(batch.merkleize().await?)
}

/// Changes as database writes, code cut into chunks.
pub(crate) fn operations(changes: Vec<(StateKey, StateValue)>) -> Vec<(Key, Option<Value>)> {
    let mut operations = Vec::with_capacity(changes.len());
    for (key, value) in changes {
        match value {
            StateValue::Absent => operations.push((head_key(&key), None)),
            StateValue::Account(account) => {
                operations.push((head_key(&key), Some(Value::Account(account))));
            }
            StateValue::Slot(slot) => operations.push((head_key(&key), Some(Value::Slot(slot)))),
            StateValue::Code(code) => {
                let StateKey::Code(hash) = key else { continue };
                let code = Bytes::from(code);
                let length = u32::try_from(code.len()).unwrap_or(u32::MAX);
                let (head, tail) = code.split_at(code.len().min(CODE_HEAD_BYTES));
                let data = Bytes::copy_from_slice(head);
                operations.push((code_key(&hash, 0), Some(Value::CodeHead { length, data })));
                for (chunk, data) in (1..).zip(tail.chunks(CODE_CHUNK_BYTES)) {
                    let data = Bytes::copy_from_slice(data);
                    operations.push((code_key(&hash, chunk), Some(Value::CodeChunk(data))));
                }
            }
        }
    }
    operations
}
