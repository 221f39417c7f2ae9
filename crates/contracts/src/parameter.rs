//! The parameters that nodes obey: `Parameters` keeps each in the slot of its number.

use crate::{governance::Parameter, system::SystemContract};
use alloc::collections::BTreeMap;
use alloy_primitives::{Address, U256};
use core::ops::RangeInclusive;

/// What governance has set of what nodes do. Zero stands for what was never set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Parameters {
    /// Gas of a block.
    pub block_gas: u64,
    /// Gas that the transactions of one account may use per block.
    pub account_gas: u64,
    /// Gas that the transactions of one organization's accounts may use per block.
    pub organization_gas: u64,
    /// Milliseconds an idle chain waits before an empty block.
    pub idle_interval_ms: u64,
    /// Least milliseconds between two blocks.
    pub block_gap_ms: u64,
    /// Milliseconds to wait while an ancestor with transactions is not final.
    pub settle_interval_ms: u64,
}

/// A value that governance could not set either.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the parameter {parameter} is {value}; it must be between {least} and {greatest}")]
pub struct OutOfBounds {
    /// Which one.
    pub parameter: Parameter,
    /// What it was to be.
    pub value: u64,
    /// The least it may be.
    pub least: u64,
    /// The greatest it may be.
    pub greatest: u64,
}

/// Bounds of each, in the order of their numbers.
const BOUNDS: [(Parameter, RangeInclusive<u64>); 6] = [
    (Parameter::BlockGas, 30_000_000..=Parameters::GAS_MAX),
    (Parameter::AccountGas, 16_777_216..=Parameters::GAS_MAX),
    (Parameter::OrganizationGas, 16_777_216..=Parameters::GAS_MAX),
    (Parameter::IdleInterval, 100..=1_000),
    (Parameter::BlockGap, 1..=100),
    (Parameter::SettleInterval, 1..=100),
];

impl Parameters {
    /// The most gas of a block, so a quota that is none.
    pub const GAS_MAX: u64 = 1_000_000_000;
    /// Where they are, in the order of [`Self::from_slots`].
    pub const SLOTS: [(Address, U256); 6] = {
        let mut slots = [(SystemContract::Parameters.address(), U256::ZERO); 6];
        let mut number = 0;
        while number < slots.len() {
            slots[number].1 = U256::from_limbs([number as u64, 0, 0, 0]);
            number += 1;
        }
        slots
    };

    /// Reads what is at [`Self::SLOTS`].
    #[must_use]
    pub fn from_slots(slots: [U256; 6]) -> Self {
        let [
            block_gas,
            account_gas,
            organization_gas,
            idle_interval_ms,
            block_gap_ms,
            settle_interval_ms,
        ] = slots.map(|slot| slot.saturating_to());
        Self {
            block_gas,
            account_gas,
            organization_gas,
            idle_interval_ms,
            block_gap_ms,
            settle_interval_ms,
        }
    }

    const fn values(&self) -> [u64; 6] {
        [
            self.block_gas,
            self.account_gas,
            self.organization_gas,
            self.idle_interval_ms,
            self.block_gap_ms,
            self.settle_interval_ms,
        ]
    }

    /// The storage of `Parameters` at genesis.
    ///
    /// # Errors
    /// The first that no decision of the network could have set.
    pub fn storage(&self) -> Result<BTreeMap<U256, U256>, OutOfBounds> {
        for ((parameter, bounds), value) in BOUNDS.into_iter().zip(self.values()) {
            if !bounds.contains(&value) {
                return Err(OutOfBounds {
                    parameter,
                    value,
                    least: *bounds.start(),
                    greatest: *bounds.end(),
                });
            }
        }
        let slots = Self::SLOTS.into_iter().map(|(_, slot)| slot);
        Ok(slots.zip(self.values().map(U256::from)).collect())
    }
}
