//! Another network's state as that of a new block 0: written whole, or not at all.
//!
//! The root of a state depends on the order in which it was written. An import writes entries by key, [`BATCH_ENTRIES`] at a
//! time, and then the changes, so the same export gives the same block 0 on every node.

use crate::{
    Commitment, Database, config,
    database::operations,
    genesis::{GenesisError, has_begun, remove, storage},
    key::Key,
    value::Value,
};
use alloy_primitives::B256;
use commonware_codec::{Buf, EncodeSize, Error as CodecError, Read, ReadExt as _, Write};
use commonware_runtime::{BufMut, Spawner, buffer::paged::CacheRef};
use commonware_storage::{
    Context,
    metadata::{self, Metadata},
    qmdb::floor::Proportional,
};
use commonware_utils::{range::NonEmptyRange, sequence::U64};
use types::{Digest, StateKey, StateValue};

/// Entries that are written together. The root depends on it: fixed for ever.
pub const BATCH_ENTRIES: usize = 16_384;

/// Where the finished import is kept.
const IMPORTED: U64 = U64::new(0);

/// A finished import.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Imported {
    /// Digest of the export.
    pub export: B256,
    /// Hash of the changes that were written over it.
    pub changes: B256,
    /// The state.
    pub commitment: Commitment,
}

impl Write for Imported {
    fn write(&self, buf: &mut impl BufMut) {
        self.export.0.write(buf);
        self.changes.0.write(buf);
        self.commitment.root.write(buf);
        self.commitment.ops_root.write(buf);
        self.commitment.ops_range.write(buf);
    }
}

impl EncodeSize for Imported {
    fn encode_size(&self) -> usize {
        self.export.0.encode_size()
            + self.changes.0.encode_size()
            + self.commitment.root.encode_size()
            + self.commitment.ops_root.encode_size()
            + self.commitment.ops_range.encode_size()
    }
}

impl Read for Imported {
    type Cfg = ();

    fn read_cfg(buf: &mut impl Buf, _: &()) -> Result<Self, CodecError> {
        Ok(Self {
            export: B256::from(<[u8; 32]>::read(buf)?),
            changes: B256::from(<[u8; 32]>::read(buf)?),
            commitment: Commitment {
                root: Digest::read(buf)?,
                ops_root: Digest::read(buf)?,
                ops_range: NonEmptyRange::read(buf)?,
            },
        })
    }
}

/// What was imported into a data directory, if an import was finished there.
///
/// # Errors
/// [`GenesisError::Storage`].
pub async fn imported<E: Context + Spawner>(
    context: &E,
    prefix: &str,
) -> Result<Option<Imported>, GenesisError> {
    Ok(note(context, prefix).await?.get(&IMPORTED).cloned())
}

async fn note<E: Context + Spawner>(
    context: &E,
    prefix: &str,
) -> Result<Metadata<E, U64, Imported>, GenesisError> {
    let config = metadata::Config {
        partition: format!("{prefix}-imported"),
        codec_config: (),
    };
    let opened = Metadata::init(context.child("imported"), config).await;
    opened.map_err(|error| storage(&error))
}

/// A state that is being imported. Nothing of it counts before [`Self::finish`].
pub struct Import<E: Context + Spawner> {
    note: Metadata<E, U64, Imported>,
    database: Database<E>,
}

impl<E: Context + Spawner> Import<E> {
    /// Begins, and forgets what an earlier import left.
    ///
    /// # Errors
    /// [`GenesisError::Begun`] if there is a chain; or that storage failed.
    pub async fn begin(
        context: E,
        prefix: &str,
        page_cache: CacheRef,
    ) -> Result<Self, GenesisError> {
        if has_begun(&context, prefix).await? {
            return Err(GenesisError::Begun);
        }
        let mut note = note(&context, prefix).await?;
        if note.get(&IMPORTED).is_some() {
            note.remove(&IMPORTED);
            note = note.sync().await.map_err(|error| storage(&error))?;
        }
        remove(&context, prefix).await?;
        let layout = config(&format!("{prefix}-state"), page_cache);
        let database = Database::init(context.child("import"), layout, None).await;
        Ok(Self {
            note,
            database: database.map_err(|error| storage(&error))?,
        })
    }

    /// Writes the next [`BATCH_ENTRIES`] entries in the order of keys; the last time, those that are left.
    ///
    /// # Errors
    /// That storage failed.
    pub async fn write(
        self,
        entries: impl IntoIterator<Item = (Key, Value)>,
    ) -> Result<Self, GenesisError> {
        let entries = entries
            .into_iter()
            .map(|(key, value)| (key, Some(value)))
            .collect();
        self.apply(entries).await
    }

    /// The state as it was written until now.
    pub const fn state(&self) -> &Database<E> {
        &self.database
    }

    /// Writes the changes, and then that the import is whole.
    ///
    /// # Errors
    /// That storage failed.
    pub async fn finish(
        mut self,
        export: B256,
        changes: Vec<(StateKey, StateValue)>,
    ) -> Result<Imported, GenesisError> {
        let hash = changes_hash(&changes);
        self = self.apply(operations(changes)).await?;
        let imported = Imported {
            export,
            changes: hash,
            commitment: Commitment::of_applied(&self.database),
        };
        self.note.put(IMPORTED, imported.clone());
        self.note.sync().await.map_err(|error| storage(&error))?;
        Ok(imported)
    }

    /// Durably, so that memory does not grow with the state.
    async fn apply(self, changes: Vec<(Key, Option<Value>)>) -> Result<Self, GenesisError> {
        let Self { note, database } = self;
        let applied = async {
            let mut batch = database.new_batch();
            for (key, value) in changes {
                batch = batch.write(key, value);
            }
            let batch = batch.merkleize(&database, None, &mut Proportional).await?;
            database.apply_batch(batch).await?.sync().await
        };
        let database = applied
            .await
            .map_err(|error: commonware_storage::qmdb::Error<types::Family>| storage(&error))?;
        Ok(Self { note, database })
    }
}

/// What tells changes from others.
fn changes_hash(changes: &[(StateKey, StateValue)]) -> B256 {
    let mut hasher = alloy_primitives::Keccak256::new();
    for (key, value) in operations(changes.to_vec()) {
        hasher.update(&key);
        let Some(value) = value else {
            hasher.update([0]);
            continue;
        };
        hasher.update([1]);
        hasher.update(commonware_codec::Encode::encode(&value));
    }
    hasher.finalize()
}
