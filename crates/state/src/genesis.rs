//! Block 0's state: written once per data directory, whole or not at all.

use crate::{
    database::{Commitment, Database, config, operations},
    import::imported,
};
use alloy_primitives::{B256, KECCAK256_EMPTY, keccak256};
use commonware_runtime::{Error as RuntimeError, Spawner, buffer::paged::CacheRef};
use commonware_storage::{
    Context,
    metadata::{self, Metadata},
    qmdb::floor::Proportional,
};
use commonware_utils::sequence::U64;
use types::{Account, Block, ChainSpec, Digest, SpecError, StateKey, StateValue};

/// Why a data directory has no usable block 0.
#[derive(Debug, thiserror::Error)]
pub enum GenesisError {
    /// The directory belongs to another network.
    #[error(
        "this data directory belongs to the network with genesis {found}, but the chain spec makes \
         {expected}: use another --dir, or the chain spec this directory was made with"
    )]
    OtherNetwork {
        /// Genesis hash on disk.
        found: B256,
        /// Genesis hash of the spec.
        expected: B256,
    },
    /// The network begins with another's state, which is not here.
    #[error(
        "this network begins with the state of an export, and this data directory has none: import it (ashlar import \
         --config node.toml FILE, with the export {export}), or take the state from other nodes (state_sync = true)"
    )]
    NotImported {
        /// Digest of the export.
        export: B256,
    },
    /// The chain has begun here: no other state can be put under it.
    #[error("there is a chain in this data directory already: import into an empty one")]
    Begun,
    /// The spec is unusable.
    #[error(transparent)]
    Spec(#[from] SpecError),
    /// Storage failed.
    #[error("block 0: {0}")]
    Storage(String),
}

/// Where the finished block 0 is kept. It is written after the state is durable, so its presence
/// says that the state is whole.
const GENESIS: U64 = U64::new(0);

/// The partitions of [`config`], for starting over when the first attempt was cut short.
const PARTITIONS: [&str; 6] = [
    "merkle-journal-blobs",
    "merkle-journal-metadata",
    "merkle-metadata",
    "log-blobs",
    "log-metadata",
    "grafted",
];

/// Block 0 of `spec`, with its state in the database under `prefix`.
///
/// On a new directory the accounts are written and made durable; on a used one the block is read
/// back and compared with the spec. With an origin there is nothing to write: [`begin`] says whether
/// the state is here.
pub async fn open_genesis<E: Context + Spawner>(
    context: E,
    prefix: &str,
    spec: &ChainSpec,
    page_cache: CacheRef,
) -> Result<Block, GenesisError> {
    let mut kept = kept_block(&context, prefix).await?;
    if let Some(block) = kept.get(&GENESIS) {
        let extension = block.extension();
        let expected = spec.genesis(
            Digest::from(block.header().state_root.0),
            extension.ops_root,
            extension.ops_range.clone(),
        )?;
        if expected.hash() != block.hash() {
            return Err(GenesisError::OtherNetwork {
                found: block.hash(),
                expected: expected.hash(),
            });
        }
        return Ok(expected);
    }
    if let Some(origin) = &spec.origin {
        let commitment = Commitment::try_from(origin)?;
        let block = spec.genesis(commitment.root, commitment.ops_root, commitment.ops_range)?;
        return Ok(block);
    }
    remove(&context, prefix).await?;
    let commitment = write_accounts(&context, prefix, spec, page_cache)
        .await
        .map_err(|error| storage(&error))?;
    let block = spec.genesis(commitment.root, commitment.ops_root, commitment.ops_range)?;
    kept.put(GENESIS, block.clone());
    kept.sync().await.map_err(|error| storage(&error))?;
    Ok(block)
}

/// Begins the chain of a network with an origin, of which this is block 0: once, if its state was imported here, or is taken from
/// other nodes (`synced`).
///
/// # Errors
/// [`GenesisError::NotImported`]; or that storage failed.
pub async fn begin<E: Context + Spawner>(
    context: &E,
    prefix: &str,
    spec: &ChainSpec,
    block: &Block,
    synced: bool,
) -> Result<(), GenesisError> {
    let Some(origin) = &spec.origin else {
        return Ok(());
    };
    let mut kept = kept_block(context, prefix).await?;
    if kept.get(&GENESIS).is_some() {
        return Ok(());
    }
    if !synced {
        let here = imported(context, prefix).await?;
        let expected = Commitment::try_from(origin)?;
        if here.is_none_or(|here| here.commitment != expected) {
            let export = origin.export;
            return Err(GenesisError::NotImported { export });
        }
    }
    kept.put(GENESIS, block.clone());
    kept.sync().await.map_err(|error| storage(&error))?;
    Ok(())
}

pub(crate) fn storage(error: &dyn std::fmt::Display) -> GenesisError {
    GenesisError::Storage(error.to_string())
}

async fn kept_block<E: Context + Spawner>(
    context: &E,
    prefix: &str,
) -> Result<Metadata<E, U64, Block>, GenesisError> {
    let config = metadata::Config {
        partition: format!("{prefix}-genesis"),
        codec_config: (),
    };
    let opened = Metadata::init(context.child("genesis"), config).await;
    opened.map_err(|error| storage(&error))
}

/// Whether a chain has begun in the data directory: block 0 is kept there.
///
/// # Errors
/// [`GenesisError::Storage`].
pub async fn has_begun<E: Context + Spawner>(
    context: &E,
    prefix: &str,
) -> Result<bool, GenesisError> {
    Ok(kept_block(context, prefix).await?.get(&GENESIS).is_some())
}

/// Removes what there is of the state.
pub(crate) async fn remove<E: Context + Spawner>(
    context: &E,
    prefix: &str,
) -> Result<(), GenesisError> {
    for partition in PARTITIONS {
        match context
            .remove(&format!("{prefix}-state-{partition}"), None)
            .await
        {
            Ok(()) | Err(RuntimeError::PartitionMissing(_)) => {}
            Err(error) => return Err(storage(&error)),
        }
    }
    Ok(())
}

async fn write_accounts<E: Context + Spawner>(
    context: &E,
    prefix: &str,
    spec: &ChainSpec,
    page_cache: CacheRef,
) -> Result<Commitment, commonware_storage::qmdb::Error<types::Family>> {
    let layout = config(&format!("{prefix}-state"), page_cache);
    let db = Database::<E>::init(context.child("genesis_state"), layout, None).await?;
    let mut batch = db.new_batch();
    for (key, value) in operations(changes(spec)) {
        batch = batch.write(key, value);
    }
    let merkleized = batch.merkleize(&db, None, &mut Proportional).await?;
    let db = db.apply_batch(merkleized).await?.sync().await?;
    Ok(Commitment::of_applied(&db))
}

/// The accounts of the spec as state changes, in key order.
fn changes(spec: &ChainSpec) -> Vec<(StateKey, StateValue)> {
    let mut changes = std::collections::BTreeMap::new();
    for (address, account) in &spec.accounts {
        let code_hash = if account.code.0.is_empty() {
            KECCAK256_EMPTY
        } else {
            let hash = keccak256(&account.code);
            changes.insert(StateKey::Code(hash), StateValue::Code(account.code.clone()));
            hash
        };
        let fields = Account {
            nonce: account.nonce,
            balance: account.balance,
            code_hash,
        };
        if !fields.is_empty() {
            changes.insert(StateKey::Account(*address), StateValue::Account(fields));
        }
        for (slot, value) in account.storage.iter().filter(|(_, value)| !value.is_zero()) {
            changes.insert(StateKey::Slot(*address, *slot), StateValue::Slot(*value));
        }
    }
    changes.into_iter().collect()
}
