//! What `Members` says in a state: who is to validate, unless that is decided by bond, and which nodes there are.

use super::stake;
use alloy_primitives::{B256, U256};
use commonware_codec::DecodeExt as _;
use commonware_utils::ordered::Set;
use contracts::{SystemContract, member};
use state::{StateError, StateRead};
use types::{PublicKey, StateKey, StateValue};

/// Most entries of a list in `Members`, whatever its length says.
const LIST_MAX: u64 = 128;

/// The keys of those that are to validate: whom `Members` lists, or in a bonded network whom [`stake::elected`] finds. Those that
/// are no ed25519 public key are left out: whoever registered one has no validator.
///
/// # Errors
/// As [`StateRead::read_many`].
pub async fn validators(state: &impl StateRead) -> Result<Set<PublicKey>, StateError> {
    if stake::is_bonded(state).await? {
        return Ok(Set::from_iter_dedup(stake::elected(state).await?));
    }
    let keys = list(state, member::VALIDATORS).await?;
    Ok(public_keys(keys))
}

/// The keys of all nodes of all organizations.
///
/// # Errors
/// As [`StateRead::read_many`].
pub async fn nodes(state: &impl StateRead) -> Result<Set<PublicKey>, StateError> {
    let mut keys = Vec::new();
    for organization in list(state, member::ORGANIZATIONS).await? {
        keys.extend(list(state, member::nodes_of(organization)).await?);
    }
    Ok(public_keys(keys))
}

fn public_keys(keys: Vec<B256>) -> Set<PublicKey> {
    let decode = |key: B256| PublicKey::decode(bytes::Bytes::copy_from_slice(&key.0)).ok();
    Set::from_iter_dedup(keys.into_iter().filter_map(decode))
}

/// A list of words in the storage of `Members`.
pub(crate) async fn list(state: &impl StateRead, slot: U256) -> Result<Vec<B256>, StateError> {
    let members = SystemContract::Members.address();
    let StateValue::Slot(length) = state.read(StateKey::Slot(members, slot)).await? else {
        return Ok(Vec::new());
    };
    let keys: Vec<_> = (0..length.saturating_to::<u64>().min(LIST_MAX))
        .map(|index| StateKey::Slot(members, member::item(slot, index)))
        .collect();
    let values = state.read_many(&keys).await?;
    let words = values.into_iter().map(|value| match value {
        StateValue::Slot(word) => word.into(),
        _ => B256::ZERO,
    });
    Ok(words.collect())
}
