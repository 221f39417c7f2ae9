//! Where the contract keeps what was decided, against the contract itself, executed by revm.

use crate::chain::{Chain, HEIGHT};
use alloy_primitives::{Address, B256, U256, keccak256};
use alloy_sol_types::{SolCall, sol};
use contracts::{
    SystemContract,
    abi::IUpgrades,
    upgrade::{ADDRESS, FORKS, Schedule, VERSIONS, Versions, fork_id, fork_slot, height_slot},
};
use revm::Database as _;
use std::collections::BTreeMap;

sol! {
    interface Asked {
        function isActive(bytes32 fork) external view returns (bool active);
        function minimumVersion() external view returns (uint256 version);
    }
}

/// The least notice that `Parameters` gives when none was voted for.
const NOTICE: u64 = 1_200;

fn slot(chain: &mut Chain, slot: U256) -> U256 {
    chain.db.storage(ADDRESS, slot).unwrap()
}

/// As a node reads it.
fn read(chain: &mut Chain) -> Schedule {
    let versions = Versions::from_slot(slot(chain, VERSIONS));
    let count: u64 = slot(chain, FORKS).to();
    let forks = (0..count).map(|index| {
        let fork = B256::from(slot(chain, fork_slot(index)));
        (fork, slot(chain, height_slot(fork)).to())
    });
    let forks = forks.collect();
    Schedule { versions, forks }
}

#[test]
fn what_was_decided_is_found() {
    let mut chain = Chain::new();
    let (first, second) = (fork_id("osaka"), fork_id("a fork to come"));
    let height = HEIGHT + NOTICE;
    for (fork, height) in [(first, height), (second, height + 7)] {
        let height = U256::from(height);
        chain.decide(
            SystemContract::Upgrades,
            &IUpgrades::scheduleForkCall { fork, height },
        );
    }
    chain.decide(
        SystemContract::Upgrades,
        &IUpgrades::setMinimumVersionCall {
            version: 0x0102_0304,
            height: U256::from(height + 9),
        },
    );
    let wanted = Schedule {
        versions: Versions {
            current: 0,
            next: 0x0102_0304,
            height: height + 9,
        },
        forks: BTreeMap::from([(first, height), (second, height + 7)]),
    };
    assert_eq!(read(&mut chain), wanted);
    chain.decide(
        SystemContract::Upgrades,
        &IUpgrades::cancelForkCall { fork: first },
    );
    let left = BTreeMap::from([(second, height + 7)]);
    assert_eq!(read(&mut chain).forks, left);
}

#[test]
fn what_genesis_says_the_contract_knows() {
    let schedule = Schedule {
        versions: Versions {
            current: 2,
            next: 3,
            height: HEIGHT + 1,
        },
        forks: BTreeMap::from([(fork_id("prague"), 1), (fork_id("osaka"), HEIGHT + 5)]),
    };
    let mut chain = Chain::new();
    for (at, value) in schedule.storage() {
        chain.db.insert_account_storage(ADDRESS, at, value).unwrap();
    }
    assert_eq!(read(&mut chain), schedule);
    let ask = |chain: &mut Chain, call: Vec<u8>| {
        let result = chain.send(
            Address::repeat_byte(0xee),
            SystemContract::Upgrades,
            call.into(),
        );
        result.output().unwrap().clone()
    };
    let active = |chain: &mut Chain, fork| {
        let said = ask(chain, Asked::isActiveCall { fork }.abi_encode());
        Asked::isActiveCall::abi_decode_returns(&said).unwrap()
    };
    assert!(active(&mut chain, fork_id("prague")));
    assert!(!active(&mut chain, fork_id("osaka")));
    let said = ask(&mut chain, Asked::minimumVersionCall {}.abi_encode());
    let minimum = Asked::minimumVersionCall::abi_decode_returns(&said).unwrap();
    assert_eq!(minimum, U256::from(schedule.versions.at(HEIGHT)));
    assert_eq!(schedule.versions.at(HEIGHT + 1), 3);
}

#[test]
fn an_id_is_the_hash_of_a_name() {
    assert_eq!(fork_id("osaka"), keccak256("osaka"));
    assert!(Schedule::default().storage().is_empty());
}
