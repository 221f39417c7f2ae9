//! Step `state`, the entries: where things are in the tree, and what an entry says about them.

use super::tree::{self, Entry, Snapshot, TreeError};
use alloy_primitives::{Address, B256, FixedBytes, U256, keccak256};

/// Bytes of a value: a tag and 72 more, those that are not used zero.
pub const VALUE_BYTES: usize = 73;
/// Bytes of an operation of the log: a tag, key, value, next key.
pub(super) const OPERATION_BYTES: usize = 1 + 32 + VALUE_BYTES + 32;

/// The tag of an operation that sets a key's value.
const UPDATE: u8 = 0xd2;
/// The domains of accounts and slots among the keys, which are also the tags of their values.
const ACCOUNT: u8 = 0;
const SLOT: u8 = 1;

/// An Ethereum account without its storage root: slots are proved one by one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Account {
    /// Transactions sent, or contracts created by a contract.
    pub nonce: u64,
    /// Balance in wei.
    pub balance: U256,
    /// keccak256 of the code; of nothing for an account without code.
    pub code_hash: B256,
}

/// The key of an account: `keccak256(0 ‖ address)`.
pub fn account_key(address: &Address) -> B256 {
    keccak256([&[ACCOUNT], address.as_slice()].concat())
}

/// The key of a storage slot: `keccak256(1 ‖ address ‖ slot)`, the slot as 32 bytes big endian.
pub fn slot_key(address: &Address, slot: &U256) -> B256 {
    keccak256([&[SLOT], address.as_slice(), &slot.to_be_bytes::<32>()].concat())
}

/// An operation: `0xd2 ‖ key ‖ value ‖ next key`.
pub(super) fn operation(
    key: &B256,
    value: &FixedBytes<VALUE_BYTES>,
    next_key: &B256,
) -> [u8; OPERATION_BYTES] {
    let mut out = [0; OPERATION_BYTES];
    let parts = [
        [UPDATE].as_slice(),
        key.as_slice(),
        value.as_slice(),
        next_key.as_slice(),
    ];
    for (to, from) in out.iter_mut().zip(parts.into_iter().flatten()) {
        *to = *from;
    }
    out
}

/// Why an entry proves nothing about what it is for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EntryError {
    /// It is not in the state.
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// It is in the state, but neither is it what was asked for nor does it show that this is absent.
    #[error("the entry {found} is neither that of key {key} nor the last one before it")]
    Key {
        /// Where it would be.
        key: B256,
        /// The entry's key.
        found: B256,
    },
    /// A value that no node writes there.
    #[error("the value is not that of {expected}")]
    Value {
        /// What should be there.
        expected: &'static str,
    },
}

/// The account, or none if it is absent.
pub(super) fn account(
    snapshot: &Snapshot,
    entry: &Entry,
    address: &Address,
    root: &B256,
) -> Result<Option<Account>, EntryError> {
    let Some(value) = find(snapshot, entry, &account_key(address), root)? else {
        return Ok(None);
    };
    let wrong = EntryError::Value {
        expected: "an account",
    };
    let [ACCOUNT, fields @ ..] = &value.0 else {
        return Err(wrong);
    };
    let (nonce, rest) = fields.split_at(8);
    let (balance, code_hash) = rest.split_at(32);
    Ok(Some(Account {
        nonce: nonce
            .iter()
            .fold(0, |all, byte| all << 8 | u64::from(*byte)),
        balance: U256::from_be_slice(balance),
        code_hash: B256::from_slice(code_hash),
    }))
}

/// A slot's value; zero if it is absent.
pub(super) fn slot(
    snapshot: &Snapshot,
    entry: &Entry,
    address: &Address,
    slot: &U256,
    root: &B256,
) -> Result<U256, EntryError> {
    let Some(value) = find(snapshot, entry, &slot_key(address, slot), root)? else {
        return Ok(U256::ZERO);
    };
    let wrong = EntryError::Value {
        expected: "a storage slot",
    };
    let [SLOT, fields @ ..] = &value.0 else {
        return Err(wrong);
    };
    let (number, unused) = fields.split_at(32);
    if unused.iter().any(|byte| *byte != 0) {
        return Err(wrong);
    }
    Ok(U256::from_be_slice(number))
}

/// The value of a key, or that there is none, once the entry is known to be in the state.
fn find<'a>(
    snapshot: &Snapshot,
    entry: &'a Entry,
    key: &B256,
    root: &B256,
) -> Result<Option<&'a FixedBytes<VALUE_BYTES>>, EntryError> {
    tree::verify(snapshot, entry, root)?;
    if entry.key == *key {
        return Ok(Some(&entry.value));
    }
    // Keys form a ring: the entry before a key that is absent names one behind it, or, at the end of the ring, the first.
    let absent = if entry.key < entry.next_key {
        entry.key < *key && *key < entry.next_key
    } else {
        entry.key < *key || *key < entry.next_key
    };
    if absent {
        Ok(None)
    } else {
        Err(EntryError::Key {
            key: *key,
            found: entry.key,
        })
    }
}
