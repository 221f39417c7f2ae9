//! What `Stake` says in a state: who stands to validate in a bonded network, and who of them does.

use alloy_primitives::U256;
use commonware_codec::{Copying, DecodeExt as _};
use contracts::{
    SystemContract, member,
    stake::{self, Candidate},
};
use state::{StateError, StateRead};
use types::{PublicKey, StateKey, StateValue};

/// Slots of a candidate.
const SLOTS: usize = 3;

/// Whether validators are chosen by bond: genesis decided it for ever.
///
/// # Errors
/// As [`StateRead::read`].
pub async fn is_bonded(state: &impl StateRead) -> Result<bool, StateError> {
    let settings = slot(state, SystemContract::Members, member::SETTINGS).await?;
    Ok(member::is_bonded(settings))
}

/// The keys of the candidates that validate, as things stand: as many with the highest bonds as there are seats.
///
/// # Errors
/// As [`StateRead::read_many`].
pub async fn elected(state: &impl StateRead) -> Result<Vec<PublicKey>, StateError> {
    let seats = slot(state, SystemContract::Parameters, stake::SEATS).await?;
    let mut elected = candidates(state).await?;
    elected.truncate(stake::seats(seats));
    Ok(elected)
}

/// The keys of all candidates, the highest bond first, the lower key first among equals. Those that are no ed25519 public key
/// are left out before anything is counted, so that nobody takes a seat with what can never sign (ADR 0033).
///
/// # Errors
/// As [`StateRead::read_many`].
pub async fn candidates(state: &impl StateRead) -> Result<Vec<PublicKey>, StateError> {
    let contract = SystemContract::Stake;
    let count = slot(state, contract, stake::CANDIDATES).await?;
    let count = count.saturating_to::<u64>().min(stake::CANDIDATES_MAX);
    let keys: Vec<_> = (0..count)
        .flat_map(Candidate::slots)
        .map(|slot| StateKey::Slot(contract.address(), slot))
        .collect();
    let values = state.read_many(&keys).await?;
    let words: Vec<_> = values.iter().map(word).collect();
    let (found, _) = words.as_chunks::<SLOTS>();
    let found = found.iter().map(|slots| Candidate::from_slots(*slots));
    let ranked = stake::ranked(found.collect()).into_iter();
    Ok(ranked
        .filter_map(|candidate| public_key(&candidate))
        .collect())
}

fn public_key(candidate: &Candidate) -> Option<PublicKey> {
    PublicKey::decode(Copying(candidate.key.as_slice())).ok()
}

async fn slot(
    state: &impl StateRead,
    contract: SystemContract,
    slot: U256,
) -> Result<U256, StateError> {
    let value = state.read(StateKey::Slot(contract.address(), slot)).await?;
    Ok(word(&value))
}

const fn word(value: &StateValue) -> U256 {
    match value {
        StateValue::Slot(word) => *word,
        _ => U256::ZERO,
    }
}
