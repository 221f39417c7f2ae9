//! Where things lie: 32-byte keys by domain.

use alloy_primitives::{Address, B256, FixedBytes, U256, keccak256};
use commonware_utils::sequence;
use types::StateKey;

/// A database key. Always a hash: the index sorts by the first eight bytes, which must spread.
pub type Key = sequence::FixedBytes<32>;

/// Domains keep accounts, slots and code apart in one key space.
const ACCOUNT: u8 = 0;
const SLOT: u8 = 1;
const CODE: u8 = 2;

/// `keccak256(0 ‖ address)`.
pub fn account_key(address: &Address) -> Key {
    hash(FixedBytes([ACCOUNT]).concat_const::<20, 21>(address.0))
}

/// `keccak256(1 ‖ address ‖ slot)`, the slot as 32 bytes big endian.
pub fn slot_key(address: &Address, slot: &U256) -> Key {
    let account = FixedBytes([SLOT]).concat_const::<20, 21>(address.0);
    hash(account.concat_const::<32, 53>(B256::from(*slot)))
}

/// `keccak256(2 ‖ code hash ‖ chunk)`, the chunk number as 4 bytes big endian.
pub fn code_key(code_hash: &B256, chunk: u32) -> Key {
    let code = FixedBytes([CODE]).concat_const::<32, 33>(*code_hash);
    hash(code.concat_const::<4, 37>(FixedBytes(chunk.to_be_bytes())))
}

/// The first (for code: the only fixed) database key of a state key.
pub(crate) fn head_key(key: &StateKey) -> Key {
    match key {
        StateKey::Account(address) => account_key(address),
        StateKey::Slot(address, slot) => slot_key(address, slot),
        StateKey::Code(code_hash) => code_key(code_hash, 0),
    }
}

fn hash<const N: usize>(bytes: FixedBytes<N>) -> Key {
    Key::new(keccak256(bytes).0)
}
