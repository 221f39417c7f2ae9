//! What a simulated call sees instead of the real block and the real state.

use crate::precompiles::{Routes, precompile_addresses};
use alloy_primitives::{Address, B256, Bytes, U256, keccak256};
use revm::bytecode::Bytecode;
use std::collections::{BTreeMap, BTreeSet};
use types::Fork;

/// Fields of the block that a call sees changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BlockChange {
    /// Block number.
    pub number: Option<u64>,
    /// Seconds since the Unix epoch.
    pub timestamp: Option<u64>,
    /// Gas limit of the block.
    pub gas_limit: Option<u64>,
    /// Receiver of priority fees.
    pub beneficiary: Option<Address>,
    /// What `PREVRANDAO` gives.
    pub prev_randao: Option<B256>,
    /// Base fee per gas in wei.
    pub base_fee: Option<u64>,
    /// Blob base fee in wei.
    pub blob_base_fee: Option<u128>,
    /// What `BLOCKHASH` gives for these numbers.
    pub hashes: BTreeMap<u64, B256>,
}

/// An account that a call sees changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccountChange {
    /// The account.
    pub address: Address,
    /// Its balance in wei.
    pub balance: Option<U256>,
    /// Its nonce.
    pub nonce: Option<u64>,
    /// Its code.
    pub code: Option<Bytes>,
    /// Its storage.
    pub storage: StorageChange,
    /// Where the precompile with this address is to be found.
    pub precompile_to: Option<Address>,
}

/// Storage that a call sees changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum StorageChange {
    /// It stays.
    #[default]
    Unchanged,
    /// These slots change, the others stay.
    Some(BTreeMap<U256, U256>),
    /// These slots are all there is.
    All(BTreeMap<U256, U256>),
}

/// Why a state cannot be overridden so. The display texts are geth's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OverrideError {
    /// What is to be moved is no precompile.
    #[error("account {0} is not a precompile")]
    NotPrecompile(Address),
    /// A precompile is to be moved to where something else is changed.
    #[error("account {0} is already overridden")]
    Taken(Address),
    /// Bytes that cannot be code.
    #[error("account {address}: invalid code: {reason}")]
    Code {
        /// The account.
        address: Address,
        /// What is wrong.
        reason: String,
    },
}

/// Changes of the state that were found possible.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overrides {
    pub(crate) accounts: Vec<AccountChange>,
    pub(crate) routes: Routes,
}

impl Overrides {
    /// Checks changes, at most one for each account.
    ///
    /// # Errors
    /// What makes them impossible.
    pub fn new(fork: Fork, accounts: Vec<AccountChange>) -> Result<Self, OverrideError> {
        if accounts.is_empty() {
            return Ok(Self::default());
        }
        let precompiles = precompile_addresses(fork);
        let changed: BTreeSet<Address> = accounts.iter().map(|change| change.address).collect();
        let mut routes = Routes::default();
        for change in &accounts {
            let address = change.address;
            let is_precompile = precompiles.contains(&address);
            if let Some(to) = change.precompile_to {
                if !is_precompile {
                    return Err(OverrideError::NotPrecompile(address));
                }
                if changed.contains(&to) {
                    return Err(OverrideError::Taken(to));
                }
                routes.lead(to, address);
            }
            if is_precompile {
                // As in geth: whatever is changed about it, it is an account now.
                routes.remove(address);
            }
            if let Some(code) = &change.code
                && let Err(error) = Bytecode::new_raw_checked(code.clone())
            {
                let reason = error.to_string();
                return Err(OverrideError::Code { address, reason });
            }
        }
        Ok(Self { accounts, routes })
    }

    /// Whether nothing changes.
    pub fn is_empty(&self) -> bool {
        self.accounts.is_empty()
    }
}

/// The hash that names a code.
pub(crate) fn code_hash(code: &Bytes) -> B256 {
    // keccak256 of nothing is that of an account without code.
    keccak256(code)
}
