//! Where Solidity keeps what has no place of its own.

use alloy_primitives::{B256, U256, keccak256};

/// The slot of a mapping's entry, the mapping being at `slot`.
pub(crate) fn entry(key: B256, slot: u8) -> U256 {
    let slot = B256::with_last_byte(slot);
    keccak256(key.concat_const::<32, 64>(slot)).into()
}

/// The first slot of a dynamic array's items, the array being at `slot`.
pub(crate) fn items(slot: U256) -> U256 {
    keccak256(slot.to_be_bytes::<32>()).into()
}
