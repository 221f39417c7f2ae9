//! Bonds: how `Stake` keeps them, which candidates validate, and what genesis writes in a bonded network.
//!
//! The layout is documented at the head of `contracts/src/Stake.sol` and only ever appended to.

use crate::{
    governance::Parameter,
    layout::{entry, items},
    member::{Charter, Founder, Permissions, Role, VALIDATORS_MAX, VALIDATORS_MIN},
};
use alloc::{collections::BTreeMap, vec::Vec};
use alloy_primitives::{Address, B256, U256};
use core::cmp::Reverse;

/// Most candidates: as many as the contract takes.
pub const CANDIDATES_MAX: u64 = 128;
/// The slot with the number of candidates in the storage of `Stake`.
pub const CANDIDATES: U256 = U256::ZERO;
/// The slot with the number of validators that are wanted, in the storage of `Parameters`, for [`seats`].
pub const SEATS: U256 = U256::from_limbs([Parameter::StakeValidators as u64, 0, 0, 0]);

/// Wei that a validator bonds at least as long as nobody decides otherwise: one ether.
pub const MINIMUM: u128 = 1_000_000_000_000_000_000;
/// Most wei that can be demanded of a validator.
const MINIMUM_MAX: u128 = 1_000_000_000_000_000_000_000_000_000;
const DAY: u64 = 86_400;
/// Most seconds from unbonding to withdrawal.
const UNBONDING_MAX: u64 = 90 * DAY;

/// A node key with a bond.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The node's ed25519 public key, or what its owner took for one.
    pub key: B256,
    /// Whose bond it is.
    pub owner: Address,
    /// Wei.
    pub bond: U256,
}

impl Candidate {
    /// Where the candidate at a place in the list is in the storage of `Stake`.
    pub fn slots(place: u64) -> [U256; 3] {
        let first = items(CANDIDATES).wrapping_add(U256::from(place).wrapping_mul(U256::from(3)));
        [0, 1, 2].map(|slot| first.wrapping_add(U256::from(slot)))
    }

    /// Reads what is at [`Self::slots`].
    #[must_use]
    pub fn from_slots([key, owner, bond]: [U256; 3]) -> Self {
        Self {
            key: key.into(),
            owner: Address::from_word(owner.into()),
            bond,
        }
    }

    fn values(&self) -> [U256; 3] {
        [self.key.into(), self.owner.into_word().into(), self.bond]
    }
}

/// The candidates in the order in which they validate: the highest bond first, the lower key first among equals.
#[must_use]
pub fn ranked(mut candidates: Vec<Candidate>) -> Vec<Candidate> {
    candidates.sort_unstable_by_key(|candidate| (Reverse(candidate.bond), candidate.key));
    candidates
}

/// How many validators are wanted, by what is at [`SEATS`]: as many as a network may have if nobody decided it.
pub fn seats(slot: U256) -> usize {
    if slot.is_zero() {
        VALIDATORS_MAX
    } else {
        slot.saturating_to::<usize>().min(VALIDATORS_MAX)
    }
}

/// How a network whose validators are chosen by bond begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bonding {
    /// Wei that each validator of block 0 has bonded, in the name of its organization's first administrator.
    pub bond: u128,
    /// Wei that a validator must bond.
    pub minimum: u128,
    /// How many validate at most.
    pub seats: u16,
    /// Seconds from unbonding to withdrawal.
    pub unbonding: u64,
}

impl Default for Bonding {
    fn default() -> Self {
        Self {
            bond: MINIMUM,
            minimum: MINIMUM,
            seats: VALIDATORS_MAX as u16,
            unbonding: 14 * DAY,
        }
    }
}

/// Why no network begins with these bonds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BondingError {
    /// Nobody could decide this minimum.
    #[error("the least bond is {0} wei; it must be between 1 and {MINIMUM_MAX}")]
    Minimum(u128),
    /// The first candidates could not have bonded this little.
    #[error("the first validators' bond is {bond} wei, less than the least bond, {minimum}")]
    Bond {
        /// What it was to be.
        bond: u128,
        /// What it must be at least.
        minimum: u128,
    },
    /// Nobody could decide this number of validators.
    #[error("a bonded network has {least} to {VALIDATORS_MAX} seats for validators, not {seats}")]
    Seats {
        /// What it was to be.
        seats: u16,
        /// The least it may be.
        least: usize,
    },
    /// Not all validators of block 0 would stay.
    #[error("{validators} validators begin, more than the {seats} seats: choose more seats")]
    Crowded {
        /// How many begin.
        validators: usize,
        /// How many there is room for.
        seats: u16,
    },
    /// Nobody could decide this period.
    #[error(
        "unbonded wei are held for {seconds} s; it must be between {least} and {UNBONDING_MAX}"
    )]
    Unbonding {
        /// What it was to be.
        seconds: u64,
        /// The least it may be.
        least: u64,
    },
}

impl Bonding {
    /// The storage of `Stake` at genesis: its slots that are not zero. With [`Self::balance`] it is what the contract would
    /// hold if the founders had bonded.
    ///
    /// # Errors
    /// [`BondingError`] when no decision and no bond could have led there.
    pub fn storage(&self, charter: &Charter) -> Result<BTreeMap<U256, U256>, BondingError> {
        let candidates = self.candidates(&charter.founders);
        self.check(charter.dev, candidates.len())?;
        let count = U256::from(candidates.len());
        let mut slots = BTreeMap::from([
            (CANDIDATES, count),
            (U256::from(3), self.total(&candidates)),
        ]);
        for (place, candidate) in (0..).zip(&candidates) {
            slots.extend(Candidate::slots(place).into_iter().zip(candidate.values()));
            slots.insert(entry(candidate.key, 1), U256::from(place + 1));
        }
        Ok(slots)
    }

    /// Wei that `Stake` holds at genesis: the sum of the bonds.
    pub fn balance(&self, charter: &Charter) -> U256 {
        self.total(&self.candidates(&charter.founders))
    }

    /// What `Parameters` has of it.
    pub fn parameters(&self) -> BTreeMap<U256, U256> {
        let slot = |parameter: Parameter| U256::from(parameter as u8);
        BTreeMap::from([
            (SEATS, U256::from(self.seats)),
            (slot(Parameter::StakeMinimum), U256::from(self.minimum)),
            (slot(Parameter::UnbondingPeriod), U256::from(self.unbonding)),
        ])
    }

    /// The validators of block 0, in the order of their keys.
    fn candidates(&self, founders: &[Founder]) -> Vec<Candidate> {
        let mut candidates = Vec::new();
        for founder in founders {
            let administers =
                |(_, may): &(&Address, &Permissions)| may.has(Permissions::ADMINISTER);
            let owner = founder.accounts.iter().find(administers);
            let owner = owner.map(|(account, _)| *account).unwrap_or_default();
            let nodes = founder.nodes.iter();
            let keys = nodes.filter(|(_, role)| **role == Role::Validator);
            candidates.extend(keys.map(|(key, _)| Candidate {
                key: *key,
                owner,
                bond: U256::from(self.bond),
            }));
        }
        candidates.sort_unstable_by_key(|candidate| candidate.key);
        candidates
    }

    /// At most 32 bonds of 128 bits: it cannot overflow.
    fn total(&self, candidates: &[Candidate]) -> U256 {
        U256::from(self.bond).wrapping_mul(U256::from(candidates.len()))
    }

    fn check(&self, dev: bool, validators: usize) -> Result<(), BondingError> {
        let Self {
            bond,
            minimum,
            seats,
            unbonding: seconds,
        } = *self;
        if !(1..=MINIMUM_MAX).contains(&minimum) {
            return Err(BondingError::Minimum(minimum));
        }
        if bond < minimum {
            return Err(BondingError::Bond { bond, minimum });
        }
        let least = if dev { 1 } else { VALIDATORS_MIN };
        if !(least..=VALIDATORS_MAX).contains(&usize::from(seats)) {
            return Err(BondingError::Seats { seats, least });
        }
        if validators > usize::from(seats) {
            return Err(BondingError::Crowded { validators, seats });
        }
        let least = if dev { 1 } else { DAY };
        if !(least..=UNBONDING_MAX).contains(&seconds) {
            return Err(BondingError::Unbonding { seconds, least });
        }
        Ok(())
    }
}
