//! How a network ends, as `Succession` keeps it.
//!
//! The layout is documented at the head of `contracts/src/Succession.sol` and only ever appended to.

use crate::{layout::items, system::SystemContract};
use alloy_primitives::{Address, U256};

/// The contract.
pub const ADDRESS: Address = SystemContract::Succession.address();
/// Where the height is at which the network was closed; 0: it is not.
pub const CLOSED_AT: U256 = U256::ZERO;

/// Where the successor's identity is: what stands here is not zero if there is one.
const IDENTITY: U256 = U256::from_limbs([1, 0, 0, 0]);
/// Where its chain id is.
const CHAIN_ID: U256 = U256::from_limbs([2, 0, 0, 0]);
/// Where its genesis is.
const GENESIS: U256 = U256::from_limbs([3, 0, 0, 0]);

/// All slots that it ever writes: a network that is founded with the state begins with none of them.
pub fn slots() -> [U256; 7] {
    let identity = items(IDENTITY);
    let word = |index: u64| identity.wrapping_add(U256::from(index));
    [
        CLOSED_AT,
        IDENTITY,
        word(0),
        word(1),
        word(2),
        CHAIN_ID,
        GENESIS,
    ]
}
