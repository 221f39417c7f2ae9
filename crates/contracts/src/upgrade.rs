//! From which height on which rules hold, as `Upgrades` keeps it.
//!
//! The layout is documented at the head of `contracts/src/Upgrades.sol` and only ever appended to. A height is decided only for
//! blocks to come, and what has activated stays. So what stands in the state after a block is right for this block, for all
//! before it, and for the next.

use crate::{
    layout::{entry, items},
    system::SystemContract,
};
use alloc::collections::BTreeMap;
use alloy_primitives::{Address, B256, U256, keccak256};

/// Most forks that can stand there at once.
pub const FORKS_MAX: u64 = 256;

/// The contract.
pub const ADDRESS: Address = SystemContract::Upgrades.address();
/// Where the versions are.
pub const VERSIONS: U256 = U256::ZERO;
/// Where the number of forks is.
pub const FORKS: U256 = U256::from_limbs([1, 0, 0, 0]);

/// The slot of a fork's id, by its place in the list, from 0 on.
pub fn fork_slot(index: u64) -> U256 {
    items(FORKS).wrapping_add(U256::from(index))
}

/// The slot of a fork's height.
pub fn height_slot(fork: B256) -> U256 {
    entry(fork, 2)
}

/// The id of a fork: the hash of its name, in lower case.
pub fn fork_id(name: &str) -> B256 {
    keccak256(name.as_bytes())
}

/// Which protocol version nodes need.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Versions {
    /// The one in force before [`Self::height`]; 0 when none was ever asked for.
    pub current: u32,
    /// The one in force from there on; 0 when none was ever asked for.
    pub next: u32,
    /// The first block that needs [`Self::next`].
    pub height: u64,
}

impl Versions {
    /// Reads what is at [`VERSIONS`].
    pub fn from_slot(slot: U256) -> Self {
        let [low, ..] = slot.into_limbs();
        let [current, next] = [low, low >> 32].map(|half| u32::try_from(half & 0xffff_ffff));
        Self {
            current: current.unwrap_or_default(),
            next: next.unwrap_or_default(),
            height: (slot >> 64_usize).into_limbs()[0],
        }
    }

    /// As [`Self::from_slot`] reads it.
    pub fn slot(self) -> U256 {
        let low = u64::from(self.current) | u64::from(self.next) << 32;
        U256::from_limbs([low, self.height, 0, 0])
    }

    /// The version that a block needs.
    pub const fn at(self, height: u64) -> u32 {
        if self.next != 0 && self.height <= height {
            self.next
        } else {
            self.current
        }
    }
}

/// All that is decided.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Schedule {
    /// Which protocol version nodes need.
    pub versions: Versions,
    /// The first block under the rules of each fork, by its id.
    pub forks: BTreeMap<B256, u64>,
}

impl Schedule {
    /// The storage of `Upgrades` that says this, for a network that has it from genesis on. A fork that shall hold from the
    /// beginning has height 1: 0 stands for "not scheduled".
    pub fn storage(&self) -> BTreeMap<U256, U256> {
        let mut slots = BTreeMap::from([
            (VERSIONS, self.versions.slot()),
            (FORKS, U256::from(self.forks.len())),
        ]);
        for ((fork, height), index) in self.forks.iter().zip(0..) {
            slots.insert(fork_slot(index), (*fork).into());
            slots.insert(height_slot(*fork), U256::from(*height));
        }
        slots.retain(|_, value| !value.is_zero());
        slots
    }
}
