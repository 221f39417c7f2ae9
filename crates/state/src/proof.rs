//! Proofs of values and of absence, against the root that a block header carries.

use crate::{Database, key::Key, read::StateError, value::VALUE_BYTES};
use alloy_primitives::B256;
use commonware_codec::Encode as _;
use commonware_runtime::Spawner;
use commonware_storage::{Context, qmdb::current::ordered::proof::ExclusionProof};
use types::Digest;

/// The tree at the time of a proof; all proofs made together share it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// The root: the `stateRoot` of the block whose state this is.
    pub root: B256,
    /// Operations in the log.
    pub leaves: u64,
    /// Peaks of the tree that hold no value.
    pub inactive_peaks: u64,
    /// Root over the operations alone.
    pub ops_root: B256,
    /// Digest of the bitmap's full chunk whose node in the tree is still to come, if there is one.
    pub pending: Option<B256>,
    /// Digest of the bitmap's last chunk, if it is not full.
    pub partial: Option<B256>,
}

/// An active operation of the log, and the path to the root: that of a key, or of the key before one that is absent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Number in the log.
    pub location: u64,
    /// The bitmap's chunk it is in.
    pub chunk: [u8; 32],
    /// The key.
    pub key: B256,
    /// Its value, encoded.
    pub value: [u8; VALUE_BYTES],
    /// The next key there is.
    pub next_key: B256,
    /// What the root is computed with.
    pub digests: Vec<B256>,
}

/// Proves the values of `keys`, or their absence, in the applied state: one entry for each, in their order.
///
/// # Errors
/// [`StateError`] when the database failed, or holds nothing at all.
pub async fn prove<E: Context + Spawner>(
    database: &Database<E>,
    keys: &[Key],
) -> Result<(Snapshot, Vec<Entry>), StateError> {
    let mut snapshot = None;
    let mut entries = Vec::with_capacity(keys.len());
    for key in keys {
        let (proof, key, value, next_key) = match database.get(key).await? {
            Some(value) => {
                let proof = database.key_value_proof(key.clone()).await?;
                (proof.proof, key.clone(), value, proof.next_key)
            }
            None => match database.exclusion_proof(key).await? {
                ExclusionProof::KeyValue(proof, before) => {
                    (proof, before.key, before.value, before.next_key)
                }
                ExclusionProof::Commit(..) => {
                    let empty = "the state is empty, which this proof cannot say";
                    return Err(StateError::Database(empty.to_owned()));
                }
            },
        };
        let mut encoded = [0; VALUE_BYTES];
        encoded
            .iter_mut()
            .zip(value.encode())
            .for_each(|(to, from)| *to = from);
        let range = proof.range_proof;
        snapshot.get_or_insert_with(|| Snapshot {
            root: hash(&database.root()),
            leaves: *range.proof.leaves,
            inactive_peaks: range.proof.inactive_peaks as u64,
            ops_root: hash(&range.ops_root),
            pending: range.pending_chunk_digest.as_ref().map(hash),
            partial: range.partial_chunk_digest.as_ref().map(hash),
        });
        entries.push(Entry {
            location: *proof.loc,
            chunk: proof.chunk,
            key: B256::from_slice(key.as_ref()),
            value: encoded,
            next_key: B256::from_slice(next_key.as_ref()),
            digests: range.proof.digests.iter().map(hash).collect(),
        });
    }
    let none = || StateError::Database("nothing was asked to be proved".to_owned());
    Ok((snapshot.ok_or_else(none)?, entries))
}

fn hash(digest: &Digest) -> B256 {
    B256::from_slice(digest.as_ref())
}
