//! What genesis writes, and the rule that nodes apply, against the contracts themselves, executed by revm.

use crate::chain::{Chain, NOW};
use alloy_primitives::{Address, B256, U256, keccak256};
use alloy_sol_types::{SolCall, sol};
use contracts::{
    SystemContract,
    member::{Charter, CharterError, Founder, Permissions, Policy, Role},
    permission::{Asked, Denied, admit},
    stake::Bonding,
    succession,
};
use proptest::{collection::btree_map, prelude::*};
use revm::Database as _;
use std::{collections::BTreeMap, convert::Infallible};

sol! {
    interface Members {
        struct Organization {
            uint8 status;
            uint16 validatorLimit;
            uint16 validators;
            uint16 nodes;
            uint32 administrators;
            uint32 accounts;
            string name;
        }
        struct Node { bytes32 organization; uint8 role; }
        function may(address account, uint8 permission) external view returns (bool);
        function permissionsOf(address account) external view returns (uint8);
        function organizationOf(address account) external view returns (bytes32);
        function organizationAt(bytes32 organization) external view returns (Organization memory);
        function organizations() external view returns (bytes32[] memory);
        function nodeAt(bytes32 key) external view returns (Node memory);
        function nodesOf(bytes32 organization) external view returns (bytes32[] memory);
        function validators() external view returns (bytes32[] memory);
        function validatorChanges() external view returns (uint256);
        function wasActive(bytes32 organization, uint256 height) external view returns (bool);
        function activeAt(uint256 height) external view returns (uint256);
        function isDev() external view returns (bool);
        function isOpen() external view returns (bool);
        function policy() external view returns (uint8);
        function setAccount(address account, uint8 permissions) external;
        function setNode(bytes32 key, uint8 role) external;
    }
    interface Pause {
        function isStopped(address sender, address to, bool creates) external view returns (bool);
    }
}

/// The contracts with the first organizations.
pub fn founded(charter: &Charter) -> Chain {
    let mut chain = Chain::new();
    for (slot, value) in charter.storage().unwrap() {
        assert!(!value.is_zero());
        chain.store(SystemContract::Members, slot, value);
    }
    chain
}

impl Chain {
    fn store(&mut self, contract: SystemContract, slot: U256, value: U256) {
        self.db
            .insert_account_storage(contract.address(), slot, value)
            .unwrap();
    }

    fn ask<C: SolCall>(&mut self, contract: SystemContract, call: C) -> C::Return {
        let data = call.abi_encode().into();
        let result = self.send(Address::repeat_byte(0xee), contract, data);
        assert!(result.is_success(), "{result:?}");
        C::abi_decode_returns(result.output().unwrap()).unwrap()
    }

    fn members<C: SolCall>(&mut self, call: C) -> C::Return {
        self.ask(SystemContract::Members, call)
    }

    pub fn admits(&mut self, sender: Address, to: Option<Address>) -> Result<(), Denied> {
        let asked = Asked {
            sender,
            to,
            timestamp: NOW,
        };
        let read = |account, slot| Ok::<_, Infallible>(self.db.storage(account, slot).unwrap());
        admit(&asked, read).unwrap().map(drop)
    }
}

fn entry(key: B256, slot: u8) -> U256 {
    keccak256([key.0, B256::with_last_byte(slot).0].concat()).into()
}

fn account(number: u8) -> Address {
    Address::repeat_byte(number)
}

fn founder(number: u8, validators: u8) -> Founder {
    let key = |index: u8| B256::repeat_byte(0x80 ^ (number * 16 + index));
    let mut nodes: BTreeMap<B256, Role> = (0..validators)
        .map(|index| (key(index), Role::Validator))
        .collect();
    nodes.insert(key(15), Role::Observer);
    Founder {
        organization: B256::repeat_byte(number),
        name: format!("Organisation {number} \u{e9}"),
        accounts: BTreeMap::from([
            (account(number), Permissions::ALL),
            (account(number + 0x10), Permissions::TRANSACT),
        ]),
        nodes,
        validator_limit: 4,
    }
}

pub fn charter() -> Charter {
    Charter {
        dev: false,
        open: false,
        policy: Policy::Permissioned,
        founders: vec![founder(2, 3), founder(1, 1)],
    }
}

#[test]
fn what_genesis_writes_is_what_the_contract_reads() {
    let charter = charter();
    let mut chain = founded(&charter);
    let ids: Vec<B256> = charter
        .founders
        .iter()
        .map(|founder| founder.organization)
        .collect();
    assert_eq!(chain.members(Members::organizationsCall {}), ids);
    let mut validators = Vec::new();
    for founder in &charter.founders {
        let organization = founder.organization;
        let found = chain.members(Members::organizationAtCall { organization });
        let own: Vec<B256> = founder
            .nodes
            .iter()
            .filter(|(_, role)| **role == Role::Validator)
            .map(|(key, _)| *key)
            .collect();
        assert_eq!(
            (
                found.status,
                found.validatorLimit,
                found.validators,
                found.nodes
            ),
            (1, 4, own.len() as u16, founder.nodes.len() as u16)
        );
        assert_eq!((found.administrators, found.accounts), (1, 2));
        assert_eq!(found.name, founder.name);
        let keys: Vec<B256> = founder.nodes.keys().copied().collect();
        assert_eq!(chain.members(Members::nodesOfCall { organization }), keys);
        for (key, role) in &founder.nodes {
            let node = chain.members(Members::nodeAtCall { key: *key });
            assert_eq!((node.organization, node.role), (organization, *role as u8));
        }
        for account in founder.accounts.keys() {
            let account = *account;
            assert_eq!(
                chain.members(Members::organizationOfCall { account }),
                organization
            );
        }
        let call = Members::wasActiveCall {
            organization,
            height: U256::ZERO,
        };
        assert!(chain.members(call));
        validators.extend(own);
    }
    validators.sort();
    assert_eq!(chain.members(Members::validatorsCall {}), validators);
    assert_eq!(chain.members(Members::validatorChangesCall {}), U256::ZERO);
    let height = U256::from(9);
    assert_eq!(
        chain.members(Members::activeAtCall { height }),
        U256::from(2)
    );
    assert!(!chain.members(Members::isDevCall {}) && !chain.members(Members::isOpenCall {}));
    assert_eq!(chain.members(Members::policyCall {}), 0);

    let mut open = charter;
    let bonded = Policy::Bonded(Bonding::default());
    (open.dev, open.open, open.policy) = (true, true, bonded);
    let mut chain = founded(&open);
    assert!(chain.members(Members::isDevCall {}) && chain.members(Members::isOpenCall {}));
    assert_eq!(chain.members(Members::policyCall {}), 1);
}

#[test]
fn members_go_on_from_what_genesis_wrote() {
    let mut chain = founded(&charter());
    let (administrator, newcomer) = (account(1), account(0x77));
    assert_eq!(
        chain.admits(newcomer, Some(account(9))),
        Err(Denied::Stranger(newcomer))
    );
    let call = Members::setAccountCall {
        account: newcomer,
        permissions: 1,
    };
    let refused = chain.send(
        account(0x11),
        SystemContract::Members,
        call.abi_encode().into(),
    );
    assert!(!refused.is_success(), "it does not administer");
    assert!(
        chain
            .send(
                administrator,
                SystemContract::Members,
                call.abi_encode().into()
            )
            .is_success()
    );
    assert_eq!(chain.admits(newcomer, Some(account(9))), Ok(()));
    assert_eq!(
        chain.admits(newcomer, None),
        Err(Denied::Permission {
            sender: newcomer,
            deploy: true
        })
    );
    let key = B256::repeat_byte(0x55);
    let call = Members::setNodeCall { key, role: 2 };
    assert!(
        chain
            .send(
                administrator,
                SystemContract::Members,
                call.abi_encode().into()
            )
            .is_success()
    );
    let validators = chain.members(Members::validatorsCall {});
    assert_eq!(validators.len(), 5);
    assert!(validators.is_sorted() && validators.contains(&key));
}

#[test]
fn a_beginning_that_no_decision_could_lead_to_is_refused() {
    let check = |change: &dyn Fn(&mut Charter), expected: CharterError| {
        let mut charter = charter();
        change(&mut charter);
        assert_eq!(charter.storage(), Err(expected));
    };
    let name = || founder(1, 0).name;
    check(
        &|charter| charter.founders.clear(),
        CharterError::Organizations(0),
    );
    check(
        &|charter| charter.founders[1].organization = charter.founders[0].organization,
        CharterError::Id(B256::repeat_byte(2)),
    );
    check(
        &|charter| charter.founders[0].organization = B256::ZERO,
        CharterError::Id(B256::ZERO),
    );
    check(
        &|charter| charter.founders[0].name = "x".repeat(32),
        CharterError::Name("x".repeat(32)),
    );
    check(
        &|charter| {
            charter.founders[1].accounts.remove(&account(1));
        },
        CharterError::NoAdministrator(name()),
    );
    check(
        &|charter| {
            charter.founders[1]
                .accounts
                .insert(account(2), Permissions::TRANSACT);
        },
        CharterError::Account(account(2)),
    );
    check(
        &|charter| {
            charter.founders[1]
                .accounts
                .insert(account(9), Permissions::default());
        },
        CharterError::Account(account(9)),
    );
    let taken = *founder(2, 1).nodes.keys().next().unwrap();
    check(
        &|charter| {
            charter.founders[1].nodes.insert(taken, Role::Observer);
        },
        CharterError::Node(taken),
    );
    check(
        &|charter| {
            let many = (1..=17).map(|key| (B256::with_last_byte(key), Role::Observer));
            charter.founders[1].nodes = many.collect();
        },
        CharterError::Nodes {
            name: name(),
            nodes: 17,
        },
    );
    check(
        &|charter| charter.founders[1].validator_limit = 0,
        CharterError::Limit {
            name: name(),
            validators: 1,
            limit: 0,
        },
    );
    let three = |charter: &mut Charter| {
        charter.founders.truncate(1);
    };
    check(
        &three,
        CharterError::Validators {
            validators: 3,
            least: 4,
        },
    );
    let mut dev = charter();
    three(&mut dev);
    dev.dev = true;
    assert!(dev.storage().is_ok());
}

/// What an account and its organization may be like.
#[derive(Debug, Clone)]
struct World {
    open: bool,
    status: u8,
    permissions: u8,
    pauses: BTreeMap<u8, u64>,
    closed: bool,
}

fn world() -> impl Strategy<Value = World> {
    let second = prop_oneof![Just(0), Just(NOW - 1), Just(NOW), Just(NOW + 1)];
    (
        any::<bool>(),
        1..=3_u8,
        0..8_u8,
        btree_map(0..4_u8, second, 0..4),
        any::<bool>(),
    )
        .prop_map(|(open, status, permissions, pauses, closed)| World {
            open,
            status,
            permissions,
            pauses,
            closed,
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// The rule is what the contracts say, but that members reach the contracts that govern.
    #[test]
    fn the_rule_is_the_contracts(world in world()) {
        let (sender, stranger, contract) = (account(0x11), account(0x99), account(0x42));
        let mut charter = charter();
        charter.open = world.open;
        let mut chain = founded(&charter);
        let organization = B256::repeat_byte(1);
        let slot = entry(organization, 2);
        let was = chain.db.storage(SystemContract::Members.address(), slot).unwrap();
        chain.store(
            SystemContract::Members,
            slot,
            (was & !U256::from(0xff)) | U256::from(world.status),
        );
        chain.store(
            SystemContract::Members,
            entry(sender.into_word(), 3) + U256::from(1),
            U256::from(world.permissions),
        );
        for (what, until) in &world.pauses {
            let slot = match what {
                0 => U256::ZERO,
                1 => entry(contract.into_word(), 1),
                2 => entry(SystemContract::Records.address().into_word(), 1),
                _ => entry(organization, 2),
            };
            chain.store(SystemContract::Pause, slot, U256::from(*until));
        }
        if world.closed {
            chain.store(SystemContract::Succession, succession::CLOSED_AT, U256::from(1));
        }
        let governance = SystemContract::Governance.address();
        for sender in [sender, stranger] {
            for to in [
                None,
                Some(contract),
                Some(SystemContract::Records.address()),
                Some(governance),
            ] {
                let may = chain.members(Members::mayCall {
                    account: sender,
                    permission: u8::from(to.is_none()),
                });
                let stopped = chain.ask(
                    SystemContract::Pause,
                    Pause::isStoppedCall {
                        sender,
                        to: to.unwrap_or_default(),
                        creates: to.is_none(),
                    },
                );
                let belongs = !chain
                    .members(Members::organizationOfCall { account: sender })
                    .is_zero();
                let closed = world.closed && to != Some(governance);
                let expected = (may && !stopped && !closed) || (to == Some(governance) && belongs);
                let admitted = chain.admits(sender, to);
                prop_assert_eq!(admitted.is_ok(), expected, "{:?} to {:?}: {:?}", sender, to, admitted);
            }
        }
    }
}
