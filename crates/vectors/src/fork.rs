//! Ethereum's forks, and the networks that have one after the other.

use crate::json::quantity;
use alloy_eips::eip7840::BlobParams;
use alloy_primitives::U256;
use evm::ethereum::SpecId;
use serde::Deserialize;
use std::collections::BTreeMap;

/// An Ethereum hard fork.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fork {
    Frontier,
    Homestead,
    Dao,
    TangerineWhistle,
    SpuriousDragon,
    Byzantium,
    Constantinople,
    Petersburg,
    Istanbul,
    MuirGlacier,
    Berlin,
    London,
    ArrowGlacier,
    GrayGlacier,
    Paris,
    Shanghai,
    Cancun,
    Prague,
    Osaka,
    Bpo1,
    Bpo2,
    Bpo3,
    Bpo4,
    Bpo5,
}

/// Names in vectors, old and new.
const NAMES: [(&str, Fork); 28] = [
    ("Frontier", Fork::Frontier),
    ("Homestead", Fork::Homestead),
    ("Dao", Fork::Dao),
    ("DAOFork", Fork::Dao),
    ("EIP150", Fork::TangerineWhistle),
    ("TangerineWhistle", Fork::TangerineWhistle),
    ("EIP158", Fork::SpuriousDragon),
    ("SpuriousDragon", Fork::SpuriousDragon),
    ("Byzantium", Fork::Byzantium),
    ("Constantinople", Fork::Constantinople),
    ("ConstantinopleFix", Fork::Petersburg),
    ("Istanbul", Fork::Istanbul),
    ("MuirGlacier", Fork::MuirGlacier),
    ("Berlin", Fork::Berlin),
    ("London", Fork::London),
    ("ArrowGlacier", Fork::ArrowGlacier),
    ("GrayGlacier", Fork::GrayGlacier),
    ("Paris", Fork::Paris),
    ("Merge", Fork::Paris),
    ("Shanghai", Fork::Shanghai),
    ("Cancun", Fork::Cancun),
    ("Prague", Fork::Prague),
    ("Osaka", Fork::Osaka),
    ("BPO1", Fork::Bpo1),
    ("BPO2", Fork::Bpo2),
    ("BPO3", Fork::Bpo3),
    ("BPO4", Fork::Bpo4),
    ("BPO5", Fork::Bpo5),
];

impl Fork {
    /// The fork of this name.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        NAMES
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, fork)| *fork)
    }

    /// The EVM rules.
    pub(crate) const fn spec(self) -> SpecId {
        match self {
            Self::Frontier => SpecId::FRONTIER,
            Self::Homestead | Self::Dao => SpecId::HOMESTEAD,
            Self::TangerineWhistle => SpecId::TANGERINE,
            Self::SpuriousDragon => SpecId::SPURIOUS_DRAGON,
            Self::Byzantium => SpecId::BYZANTIUM,
            // Constantinople alone never came into force on Ethereum; see `exclusion`.
            Self::Constantinople | Self::Petersburg => SpecId::PETERSBURG,
            Self::Istanbul | Self::MuirGlacier => SpecId::ISTANBUL,
            Self::Berlin => SpecId::BERLIN,
            Self::London | Self::ArrowGlacier | Self::GrayGlacier => SpecId::LONDON,
            Self::Paris => SpecId::MERGE,
            Self::Shanghai => SpecId::SHANGHAI,
            Self::Cancun => SpecId::CANCUN,
            Self::Prague => SpecId::PRAGUE,
            Self::Osaka | Self::Bpo1 | Self::Bpo2 | Self::Bpo3 | Self::Bpo4 | Self::Bpo5 => {
                SpecId::OSAKA
            }
        }
    }

    /// How many blobs, and at what price.
    pub(crate) const fn blobs(self) -> BlobParams {
        match self {
            Self::Prague => BlobParams::prague(),
            Self::Osaka => BlobParams::osaka(),
            Self::Bpo1 => BlobParams::bpo1(),
            Self::Bpo2 | Self::Bpo3 | Self::Bpo4 | Self::Bpo5 => BlobParams::bpo2(),
            _ => BlobParams::cancun(),
        }
    }

    /// What a miner gets for a block, in wei.
    pub(crate) fn reward(self) -> Option<U256> {
        let ether = match self {
            fork if fork >= Self::Paris => return None,
            fork if fork >= Self::Constantinople => 2_u64,
            fork if fork >= Self::Byzantium => 3,
            _ => 5,
        };
        Some(U256::from(ether) * U256::from(1_000_000_000_000_000_000_u64))
    }
}

/// A network: one fork from the start, and others later.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Network {
    first: Fork,
    /// In their order.
    then: Vec<(Activation, Fork)>,
    /// Blob schedules it brings along (EIP-7840), by fork.
    blobs: BTreeMap<Fork, BlobParams>,
}

/// A blob schedule as networks state it (EIP-7840).
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Schedule {
    #[serde(deserialize_with = "quantity")]
    target: u64,
    #[serde(deserialize_with = "quantity")]
    max: u64,
    #[serde(deserialize_with = "quantity")]
    base_fee_update_fraction: u64,
}

/// When a fork begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Activation {
    /// At this block number.
    Number(u64),
    /// At this time.
    Time(u64),
    /// After a block with this total difficulty.
    Difficulty(U256),
}

impl Network {
    /// One fork from the start, and others later, in their order.
    pub(crate) const fn new(first: Fork, then: Vec<(Activation, Fork)>) -> Self {
        Self {
            first,
            then,
            blobs: BTreeMap::new(),
        }
    }

    /// `London`, `BerlinToLondonAt5`, `ParisToShanghaiAtTime15k`, `ArrowGlacierToParisAtDiffC0000`.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        if let Some(first) = Fork::parse(name) {
            return Some(Self::new(first, Vec::new()));
        }
        let (forks, at) = name.rsplit_once("At")?;
        let (first, then) = forks.split_once("To")?;
        let activation = if let Some(time) = at.strip_prefix("Time") {
            Activation::Time(match time.strip_suffix('k') {
                Some(thousands) => thousands.parse::<u64>().ok()?.checked_mul(1000)?,
                None => time.parse().ok()?,
            })
        } else if let Some(difficulty) = at.strip_prefix("Diff") {
            Activation::Difficulty(U256::from_str_radix(difficulty, 16).ok()?)
        } else {
            Activation::Number(at.parse().ok()?)
        };
        let then = vec![(activation, Fork::parse(then)?)];
        Some(Self::new(Fork::parse(first)?, then))
    }

    /// The fork of a block. `total_difficulty` is its parent's.
    pub(crate) fn fork(&self, number: u64, timestamp: u64, total_difficulty: U256) -> Fork {
        let mut latest_first = self.then.iter().rev();
        latest_first
            .find(|(activation, _)| activation.holds(number, timestamp, total_difficulty))
            .map_or(self.first, |(_, fork)| *fork)
    }

    /// Takes a blob schedule that the network brings along.
    pub(crate) fn schedule(&mut self, fork: Fork, schedule: Schedule) {
        let blobs = BlobParams {
            target_blob_count: schedule.target,
            max_blob_count: schedule.max,
            update_fraction: u128::from(schedule.base_fee_update_fraction),
            // Until Osaka only the block had a limit (EIP-7594).
            max_blobs_per_tx: if fork < Fork::Osaka {
                schedule.max
            } else {
                fork.blobs().max_blobs_per_tx
            },
            ..fork.blobs()
        };
        self.blobs.insert(fork, blobs);
    }

    /// The blob schedule of a fork.
    pub(crate) fn blobs(&self, fork: Fork) -> BlobParams {
        self.blobs
            .get(&fork)
            .copied()
            .unwrap_or_else(|| fork.blobs())
    }

    /// Blocks since the DAO fork, if this block comes after it.
    pub(crate) fn since_dao(&self, number: u64) -> Option<u64> {
        self.then.iter().find_map(|each| match each {
            (Activation::Number(at), Fork::Dao) => number.checked_sub(*at),
            _ => None,
        })
    }
}

impl Activation {
    fn holds(self, number: u64, timestamp: u64, total_difficulty: U256) -> bool {
        match self {
            Self::Number(at) => number >= at,
            Self::Time(at) => timestamp >= at,
            Self::Difficulty(at) => total_difficulty >= at,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_are_read_by_name() {
        let at = |name: &str, number, timestamp, total: u64| {
            let network = Network::parse(name).unwrap();
            network.fork(number, timestamp, U256::from(total))
        };
        assert_eq!(at("London", 9, 9, 9), Fork::London);
        assert_eq!(at("BerlinToLondonAt5", 4, 0, 0), Fork::Berlin);
        assert_eq!(at("BerlinToLondonAt5", 5, 0, 0), Fork::London);
        assert_eq!(at("ParisToShanghaiAtTime15k", 9, 14_999, 0), Fork::Paris);
        assert_eq!(at("BPO1ToBPO2AtTime15k", 9, 15_000, 0), Fork::Bpo2);
        let merge = "ArrowGlacierToParisAtDiffC0000";
        assert_eq!(at(merge, 9, 0, 0xbffff), Fork::ArrowGlacier);
        assert_eq!(at(merge, 9, 0, 0xc0000), Fork::Paris);
        let forks = vec![
            (Activation::Number(3), Fork::London),
            (Activation::Difficulty(U256::from(100)), Fork::Paris),
            (Activation::Time(50), Fork::Shanghai),
        ];
        let network = Network::new(Fork::Frontier, forks);
        for (block, fork) in [
            ((2, 20, 0), Fork::Frontier),
            ((3, 30, 99), Fork::London),
            ((4, 40, 100), Fork::Paris),
            ((5, 50, 100), Fork::Shanghai),
        ] {
            let (number, timestamp, total) = block;
            assert_eq!(network.fork(number, timestamp, U256::from(total)), fork);
        }
        let dao = Network::parse("HomesteadToDaoAt5").unwrap();
        assert_eq!((dao.since_dao(4), dao.since_dao(7)), (None, Some(2)));
        for wrong in [
            "",
            "london",
            "ToAt",
            "BerlinToLondonAt",
            "BerlinToLondonAtTimek",
        ] {
            assert_eq!(Network::parse(wrong), None, "{wrong}");
        }
    }
}
