use super::{Founder, MEMBERS, OriginError, SUCCESSION, Settled, settle};
use alloy_primitives::{Address, B256, U256};
use contracts::{
    member::{self, Charter, Permissions, Policy, Role, organization_at},
    stake::Bonding,
    succession,
};
use futures::FutureExt as _;
use state::{StateError, StateRead};
use std::collections::BTreeMap;
use types::{Account, StateKey, StateValue};

/// A state that holds the storage of `Members`, as genesis or an export has it, and of `Succession`.
#[derive(Default)]
struct World {
    members: BTreeMap<U256, U256>,
    succession: BTreeMap<U256, U256>,
}

impl StateRead for World {
    async fn read(&self, key: StateKey) -> Result<StateValue, StateError> {
        let held = |slots: &BTreeMap<U256, U256>, slot| {
            let value = slots.get(&slot).copied();
            value.map_or(StateValue::Absent, StateValue::Slot)
        };
        Ok(match key {
            StateKey::Account(MEMBERS) if !self.members.is_empty() => {
                StateValue::Account(Account {
                    nonce: 1,
                    ..Account::default()
                })
            }
            StateKey::Slot(MEMBERS, slot) => held(&self.members, slot),
            StateKey::Slot(SUCCESSION, slot) => held(&self.succession, slot),
            _ => StateValue::Absent,
        })
    }

    async fn read_many(&self, keys: &[StateKey]) -> Result<Vec<StateValue>, StateError> {
        let mut values = Vec::with_capacity(keys.len());
        for key in keys {
            values.push(self.read(*key).await?);
        }
        Ok(values)
    }
}

fn account(number: u8) -> Address {
    Address::repeat_byte(number)
}

/// Old nodes are below 0x80, new ones above: lists that are appended to stay as a charter writes them.
fn member(number: u8, nodes: &[(u8, Role)]) -> member::Founder {
    let nodes = nodes
        .iter()
        .map(|(key, role)| (B256::repeat_byte(*key), *role));
    member::Founder {
        organization: account(number).into_word(),
        name: format!("org-{number}"),
        accounts: BTreeMap::from([
            (account(number), Permissions::ALL),
            (account(number + 0x10), Permissions::TRANSACT),
        ]),
        nodes: nodes.collect(),
        validator_limit: 2,
    }
}

fn charter(founders: Vec<member::Founder>) -> Charter {
    Charter {
        dev: true,
        open: false,
        policy: Policy::Permissioned,
        founders,
    }
}

fn old() -> Charter {
    use Role::{Observer, Validator};
    charter(vec![
        member(1, &[(0x11, Validator), (0x12, Validator)]),
        member(2, &[(0x21, Validator), (0x22, Observer)]),
        member(3, &[(0x31, Validator)]),
        member(4, &[(0x41, Validator)]),
    ])
}

fn world(charter: &Charter) -> World {
    World {
        members: charter.storage().unwrap(),
        ..World::default()
    }
}

fn founder(administrator: u8, node: u8) -> Founder {
    Founder {
        administrator: account(administrator),
        node: B256::repeat_byte(node),
    }
}

fn settled(world: &World, founders: &[Founder]) -> Result<Settled, OriginError> {
    settle(world, founders).now_or_never().unwrap()
}

#[test]
fn the_founders_nodes_validate_and_no_others() {
    use Role::{Observer, Validator};
    let mut world = world(&old());
    // A new machine, one that is an observer, one that validates already, and two of one organization.
    let founders = [
        founder(1, 0x91),
        founder(1, 0x92),
        founder(2, 0x22),
        founder(3, 0x31),
    ];
    let settled = settled(&world, &founders).unwrap();
    assert!(settled.dev);
    assert_eq!(settled.organizations, ["org-1", "org-1", "org-2", "org-3"]);
    let retired = [0x11, 0x12, 0x21, 0x41].map(B256::repeat_byte);
    assert_eq!(settled.retired, retired);
    assert!(!settled.closed && settled.succession.is_empty());
    for (slot, value) in settled.members {
        match value.is_zero() {
            true => world.members.remove(&slot),
            false => world.members.insert(slot, value),
        };
    }
    let new = charter(vec![
        member(
            1,
            &[
                (0x11, Observer),
                (0x12, Observer),
                (0x91, Validator),
                (0x92, Validator),
            ],
        ),
        member(2, &[(0x21, Observer), (0x22, Validator)]),
        member(3, &[(0x31, Validator)]),
        member(4, &[(0x41, Observer)]),
    ]);
    assert_eq!(world.members, new.storage().unwrap());
}

#[test]
fn the_end_of_the_other_network_is_not_the_new_ones() {
    let mut world = world(&old());
    let founders = [founder(1, 0x11)];
    let before = settled(&world, &founders).unwrap();
    // Closed, and then with a successor: a state that was exported late.
    for closed in [1, succession::slots().len()] {
        let slots = succession::slots().into_iter().take(closed);
        world.succession = slots.map(|slot| (slot, U256::from(7))).collect();
        let settled = settled(&world, &founders).unwrap();
        assert!(settled.closed);
        assert_eq!(settled.members, before.members);
        let changes = settled.changes();
        let emptied: Vec<_> = changes[&SUCCESSION].iter().collect();
        assert_eq!(emptied.len(), closed);
        for (slot, value) in emptied {
            assert!(value.is_zero() && world.succession.contains_key(slot));
        }
        assert_eq!(changes[&MEMBERS], before.members);
    }
}

#[test]
fn who_cannot_found_is_named() {
    let refused = |world: &World, founder| settled(world, &[founder]).unwrap_err().to_string();
    let world = world(&old());
    for (founder, expected) in [
        (founder(9, 0x91), "administers no organization"),
        // It may transact, and no more.
        (founder(0x11, 0x91), "administers no organization"),
        (founder(1, 0x21), "belongs to another organization"),
    ] {
        let said = refused(&world, founder);
        assert!(said.contains(expected), "{expected:?} is not in: {said}");
    }
    let said = refused(&World::default(), founder(1, 0x91));
    assert!(said.contains("no Members"), "{said}");
    let bonded = Charter {
        policy: Policy::Bonded(Bonding::default()),
        ..old()
    };
    let said = refused(&super::tests::world(&bonded), founder(1, 0x91));
    assert!(said.contains("Stake"), "{said}");
    // Suspended: what governance writes.
    let mut suspended = super::tests::world(&old());
    let slot = organization_at(account(2).into_word());
    let standing = member::Standing::from_slot(suspended.members[&slot]);
    assert_eq!(
        (standing.status, standing.validators, standing.nodes),
        (1, 1, 2)
    );
    assert_eq!(
        (standing.limit, standing.administrators, standing.accounts),
        (2, 1, 2)
    );
    assert_eq!(standing.slot(), suspended.members[&slot]);
    let standing = member::Standing {
        status: 2,
        ..standing
    };
    suspended.members.insert(slot, standing.slot());
    let said = refused(&suspended, founder(2, 0x91));
    assert!(said.contains("\"org-2\" is suspended"), "{said}");
    let full: Vec<_> = (0x21..0x31).map(|key| (key, Role::Validator)).collect();
    let mut full = member(2, &full);
    full.validator_limit = 16;
    let said = refused(&super::tests::world(&charter(vec![full])), founder(2, 0x91));
    assert!(said.contains("has 16 nodes"), "{said}");
}
