//! Reading state, speculative or applied, through one trait.

use crate::{
    key::{Key, code_key, head_key},
    value::{CODE_CHUNK_BYTES, CODE_HEAD_BYTES, Value},
};
use alloy_primitives::B256;
use commonware_cryptography::Keccak256;
use commonware_glue::stateful::db::current::CurrentUnmerkleized;
use commonware_parallel::Sequential;
use commonware_runtime::Spawner;
use commonware_storage::{
    Context,
    index::Unordered as UnorderedIndex,
    journal::contiguous::Contiguous,
    merkle::Location,
    qmdb::{
        self,
        any::{operation::Operation, ordered::Update, value::FixedEncoding},
    },
};
use std::future::Future;
use types::{Family, StateKey, StateValue};

/// Why the state could not be read.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The branch these changes are on lost: another block became final. Not a failure; whoever
    /// reads should stop, since nobody waits for the answer.
    #[error("the branch being read was abandoned")]
    Abandoned,
    /// The database failed. The node must stop.
    #[error("state database: {0}")]
    Database(String),
    /// The database holds what no node writes.
    #[error("state database: code {hash} is damaged at chunk {chunk}")]
    Code {
        /// Hash of the code.
        hash: B256,
        /// The chunk that is missing or of the wrong kind.
        chunk: u32,
    },
}

impl From<qmdb::Error<Family>> for StateError {
    fn from(error: qmdb::Error<Family>) -> Self {
        match error {
            qmdb::Error::StaleRead | qmdb::Error::StaleBatch => Self::Abandoned,
            other => Self::Database(other.to_string()),
        }
    }
}

/// Values by database key. [`StateRead`] is made of it.
pub trait ValueRead: Send + Sync {
    /// Value of `key`.
    fn value(&self, key: Key) -> impl Future<Output = Result<Option<Value>, StateError>> + Send;

    /// Values of `keys`, in their order, read together.
    fn values(
        &self,
        keys: &[Key],
    ) -> impl Future<Output = Result<Vec<Option<Value>>, StateError>> + Send;
}

/// Reads of the world state.
pub trait StateRead: Send + Sync {
    /// The value of one key.
    fn read(&self, key: StateKey) -> impl Future<Output = Result<StateValue, StateError>> + Send;

    /// The values of many keys, fetched together. Code is left out: it is read when called.
    fn read_many(
        &self,
        keys: &[StateKey],
    ) -> impl Future<Output = Result<Vec<StateValue>, StateError>> + Send;
}

impl<T: ValueRead> StateRead for T {
    async fn read(&self, key: StateKey) -> Result<StateValue, StateError> {
        let head = self.value(head_key(&key)).await?;
        match (key, head) {
            (StateKey::Code(hash), Some(head)) => code(self, hash, head).await,
            (_, head) => Ok(plain(head)),
        }
    }

    async fn read_many(&self, keys: &[StateKey]) -> Result<Vec<StateValue>, StateError> {
        let heads: Vec<Key> = keys.iter().map(head_key).collect();
        Ok(self.values(&heads).await?.into_iter().map(plain).collect())
    }
}

fn plain(value: Option<Value>) -> StateValue {
    match value {
        Some(Value::Account(account)) => StateValue::Account(account),
        Some(Value::Slot(slot)) => StateValue::Slot(slot),
        None | Some(Value::CodeHead { .. } | Value::CodeChunk(_)) => StateValue::Absent,
    }
}

async fn code(read: &impl ValueRead, hash: B256, head: Value) -> Result<StateValue, StateError> {
    let Value::CodeHead { length, data } = head else {
        return Err(StateError::Code { hash, chunk: 0 });
    };
    let tail = (length as usize).saturating_sub(CODE_HEAD_BYTES);
    let chunks = u32::try_from(tail.div_ceil(CODE_CHUNK_BYTES)).unwrap_or(u32::MAX);
    let keys: Vec<Key> = (1..=chunks).map(|chunk| code_key(&hash, chunk)).collect();
    let mut code = Vec::with_capacity(length as usize);
    code.extend_from_slice(&data);
    for (chunk, value) in (1..).zip(read.values(&keys).await?) {
        let Some(Value::CodeChunk(data)) = value else {
            return Err(StateError::Code { hash, chunk });
        };
        code.extend_from_slice(&data);
    }
    code.truncate(length as usize);
    Ok(StateValue::Code(code.into()))
}

/// A speculative batch: the changes of unfinalized blocks over the applied state.
impl<E, C, I, const N: usize> ValueRead
    for CurrentUnmerkleized<
        Family,
        E,
        C,
        I,
        Keccak256,
        Update<Key, FixedEncoding<Value>>,
        N,
        Sequential,
    >
where
    E: Context + Spawner,
    C: Contiguous<Item = Operation<Family, Update<Key, FixedEncoding<Value>>>>,
    I: UnorderedIndex<Value = Location<Family>> + 'static,
{
    async fn value(&self, key: Key) -> Result<Option<Value>, StateError> {
        Ok(self.get(&key).await?)
    }

    async fn values(&self, keys: &[Key]) -> Result<Vec<Option<Value>>, StateError> {
        Ok(self.get_many(&keys.iter().collect::<Vec<_>>()).await?)
    }
}

/// The applied state: the last finalized block.
impl<E: Context + Spawner> ValueRead for crate::Database<E> {
    async fn value(&self, key: Key) -> Result<Option<Value>, StateError> {
        Ok(self.get(&key).await?)
    }

    async fn values(&self, keys: &[Key]) -> Result<Vec<Option<Value>>, StateError> {
        Ok(self.get_many(&keys.iter().collect::<Vec<_>>()).await?)
    }
}
