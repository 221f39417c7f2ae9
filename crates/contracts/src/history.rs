//! The history contract of EIP-2935, from which contracts read the hashes of the last 8,191 blocks. It stands at genesis;
//! the chain calls it as [`SYSTEM_ADDRESS`] with the parent's hash at the start of every block.

use alloy_primitives::Bytes;

/// Where the contract stands.
pub use alloy_eips::eip2935::HISTORY_STORAGE_ADDRESS as HISTORY_ADDRESS;

/// How many block hashes it keeps.
pub use alloy_eips::eip2935::HISTORY_SERVE_WINDOW as HISTORY_WINDOW;

/// Who may store a block hash in it.
pub use alloy_eips::eip4788::SYSTEM_ADDRESS;

/// The code of the contract for genesis, as the EIP prints it.
#[must_use]
pub fn history_runtime_code() -> Bytes {
    alloy_eips::eip2935::HISTORY_STORAGE_CODE.clone()
}
