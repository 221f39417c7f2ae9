//! The state proof, `ashlar-state-proof/1`: what an account and some of its storage slots held after a final block, or
//! that nothing was there. It shares headers and finalization with the receipt; `docs/state-proof.md` is the
//! specification.
//!
//! ```text
//! JSON ── format ──► StateProof ── verify ──► StateVerdict
//!                      identity, headers   as in a receipt
//!                      state               header h ► state root ► account and slots, or their absence
//!                      finalization        header h' ► one BLS signature by the identity
//! ```
//!
//! What is proved is not written down a second time: values, and whether there are any, are read from the proof.

mod entry;
mod format;
mod tree;
mod verdict;

pub use entry::{Account, EntryError, VALUE_BYTES, account_key, slot_key};
pub use format::{DIGESTS_MAX, FORMAT, STORAGE_MAX, is_state_proof};
pub use tree::{Entry, Snapshot, TreeError};
pub use verdict::{AccountProof, SlotProof, StateVerdict};

use crate::finalization::{FinalizationError, namespace};
use crate::format::FormatError;
use crate::headers::{HeadersError, verify_headers};
use crate::receipt::{Finalization, Identity, Network};
use crate::verify::{IdentityError, verify_identity};
use alloc::{
    string::{String, ToString},
    vec::Vec,
};
use alloy_primitives::{Address, B256, Bytes, U256};
use core::fmt;

/// A portable proof of state, checked by [`verify_state`] with nothing but the network's identity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateProof {
    /// Which network says so.
    pub network: Network,
    /// What its validators signed together.
    pub finalization: Finalization,
    /// RLP headers from the block `h` whose state is proved to the one the finalization names, `h' ≥ h`.
    pub headers: Vec<Bytes>,
    /// The state's tree after block `h`.
    pub snapshot: Snapshot,
    /// Whose state.
    pub address: Address,
    /// The account, or its neighbour before.
    pub account: Entry,
    /// Storage slots of it, in the order they were asked for.
    pub storage: Vec<(U256, Entry)>,
}

/// Checks everything a state proof claims. `pinned` as in [`verify`](crate::verify::verify).
pub fn verify_state(
    proof: &StateProof,
    pinned: Option<&Identity>,
) -> Result<StateVerdict, StateFailure> {
    proof.check()?;
    let key = verify_identity(&proof.network.identity, pinned)?;
    let (block, certified) = verify_headers(&proof.headers)?;
    let root = block.state_root;
    let account = entry::account(&proof.snapshot, &proof.account, &proof.address, &root)
        .map_err(StateError::Account)?;
    let mut storage = Vec::with_capacity(proof.storage.len());
    for (slot, entry) in &proof.storage {
        let value =
            entry::slot(&proof.snapshot, entry, &proof.address, slot, &root).map_err(|reason| {
                StateError::Slot {
                    slot: *slot,
                    reason,
                }
            })?;
        storage.push(SlotProof { slot: *slot, value });
    }
    let namespace = namespace(proof.network.chain_id, &proof.network.genesis);
    key.verify(&namespace, &proof.finalization, &certified.hash)?;
    Ok(verdict::verdict(
        proof,
        pinned.is_some(),
        &block,
        &certified,
        account,
        storage,
    ))
}

/// The steps of the verification, in the order in which they are made. The names are public and stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StateStep {
    /// The file is not an `ashlar-state-proof/1`.
    Format,
    /// The identity is not the pinned one, or no public key.
    Identity,
    /// The headers are not a chain.
    Headers,
    /// The state was another.
    State,
    /// The chain of headers does not end in a block this identity made final.
    Finalization,
}

impl StateStep {
    /// All of them, in order.
    pub const ALL: [Self; 5] = [
        Self::Format,
        Self::Identity,
        Self::Headers,
        Self::State,
        Self::Finalization,
    ];

    /// The public name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Format => "format",
            Self::Identity => "identity",
            Self::Headers => "headers",
            Self::State => "state",
            Self::Finalization => "finalization",
        }
    }
}

impl fmt::Display for StateStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Why a state proof is not valid. The message does not repeat the step.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StateFailure {
    /// In the step [`StateStep::Format`].
    #[error(transparent)]
    Format(#[from] FormatError),
    /// In the step [`StateStep::Identity`].
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// In the step [`StateStep::Headers`].
    #[error(transparent)]
    Headers(#[from] HeadersError),
    /// In the step [`StateStep::State`].
    #[error(transparent)]
    State(#[from] StateError),
    /// In the step [`StateStep::Finalization`].
    #[error(transparent)]
    Finalization(#[from] FinalizationError),
}

impl StateFailure {
    /// The step that failed; those before it passed, those after it were not made.
    pub const fn step(&self) -> StateStep {
        match self {
            Self::Format(_) => StateStep::Format,
            Self::Identity(_) => StateStep::Identity,
            Self::Headers(_) => StateStep::Headers,
            Self::State(_) => StateStep::State,
            Self::Finalization(_) => StateStep::Finalization,
        }
    }

    /// `{"message", "step", "valid": false}` in canonical JSON.
    pub fn to_json(&self) -> String {
        crate::verify::object([
            ("valid", false.into()),
            ("step", self.step().name().into()),
            ("message", self.to_string().as_str().into()),
        ])
        .canonical()
    }
}

/// What of the state is not proved.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StateError {
    /// The account.
    #[error("the account: {0}")]
    Account(EntryError),
    /// A slot.
    #[error("storage slot {slot}: {reason}")]
    Slot {
        /// Which.
        slot: U256,
        /// What is wrong.
        reason: EntryError,
    },
}

/// The state root a proof's own tree gives, for makers that want to check what they made. None for an impossible tree.
pub fn state_root(snapshot: &Snapshot, entry: &Entry) -> Option<B256> {
    tree::root(snapshot, entry).ok()
}
