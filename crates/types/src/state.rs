//! World state as the executor speaks of it: keys and values without a database.

use alloy_primitives::{Address, B256, Bytes, KECCAK256_EMPTY, U256};

/// What can be read from or written to the world state.
///
/// The order is the order in which changes are applied, so it is part of consensus: equal blocks
/// must give equal logs of operations on every node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StateKey {
    /// An account by address.
    Account(Address),
    /// One 32-byte storage slot of a contract.
    Slot(Address, U256),
    /// Contract code by its keccak256 hash. Code is immutable and shared by hash.
    Code(B256),
}

/// What a [`StateKey`] holds. [`StateValue::Absent`] is a value: proved as such, and written to delete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StateValue {
    /// Nothing is there: an account never touched or emptied (EIP-161), a zero slot, unknown code.
    Absent,
    /// An account.
    Account(Account),
    /// A non-zero storage slot.
    Slot(U256),
    /// Runtime code of a contract.
    Code(Bytes),
}

/// An Ethereum account without its storage root (slots are proved one by one).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Account {
    /// Transactions sent, or contracts created by a contract.
    pub nonce: u64,
    /// Balance in wei.
    pub balance: U256,
    /// keccak256 of the code; of the empty string for an account without code.
    pub code_hash: B256,
}

impl Default for Account {
    fn default() -> Self {
        Self {
            nonce: 0,
            balance: U256::ZERO,
            code_hash: KECCAK256_EMPTY,
        }
    }
}

impl Account {
    /// Whether EIP-161 removes it: no nonce, no balance, no code.
    pub fn is_empty(&self) -> bool {
        self.nonce == 0 && self.balance.is_zero() && self.code_hash == KECCAK256_EMPTY
    }
}
