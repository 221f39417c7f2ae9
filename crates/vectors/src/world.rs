//! A world state in memory, with Ethereum's state root.

use crate::json::Allocation;
use alloy_primitives::{Address, B256, KECCAK256_EMPTY, U256, keccak256};
use alloy_trie::{EMPTY_ROOT_HASH, TrieAccount, root};
use evm::{View, ViewError};
use std::{
    cell::Cell,
    collections::{BTreeMap, BTreeSet},
    task::Poll,
};
use types::{Account, StateKey, StateValue};

/// All accounts, slots and code after a block.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct World(BTreeMap<StateKey, StateValue>);

impl World {
    /// The state a vector begins with. Accounts it names are there even if they are empty.
    pub(crate) fn new(accounts: &BTreeMap<Address, Allocation>) -> Self {
        let mut world = BTreeMap::new();
        for (address, account) in accounts {
            let code_hash = keccak256(&account.code);
            let value = Account {
                nonce: account.nonce,
                balance: account.balance,
                code_hash,
            };
            world.insert(StateKey::Account(*address), StateValue::Account(value));
            if code_hash != KECCAK256_EMPTY {
                let code = StateValue::Code(account.code.clone());
                world.insert(StateKey::Code(code_hash), code);
            }
            for (slot, value) in account.storage.iter().filter(|(_, value)| !value.is_zero()) {
                world.insert(StateKey::Slot(*address, *slot), StateValue::Slot(*value));
            }
        }
        Self(world)
    }

    /// Takes over what a block changed.
    pub(crate) fn apply(
        &mut self,
        changes: Vec<(StateKey, StateValue)>,
        wiped: &BTreeSet<Address>,
    ) {
        for address in wiped {
            let slots: Vec<StateKey> = self.slots(*address).map(|(key, _)| *key).collect();
            for key in slots {
                self.0.remove(&key);
            }
        }
        for (key, value) in changes {
            if value == StateValue::Absent {
                self.0.remove(&key);
            } else {
                self.0.insert(key, value);
            }
        }
    }

    /// What differs from an earlier state, in the order of keys. Code stays when nobody names it any more.
    pub(crate) fn changes_since(&self, earlier: &Self) -> Vec<(StateKey, StateValue)> {
        let keys: BTreeSet<_> = self.0.keys().chain(earlier.0.keys()).collect();
        keys.into_iter()
            .map(|key| (*key, self.value(key)))
            .filter(|(key, value)| earlier.value(key) != *value)
            .collect()
    }

    /// The value of a key.
    pub(crate) fn value(&self, key: &StateKey) -> StateValue {
        self.0.get(key).cloned().unwrap_or(StateValue::Absent)
    }

    /// Accounts with storage but neither nonce nor code: see [`evm::ethereum::Environment`].
    pub(crate) fn occupied(&self) -> BTreeSet<Address> {
        self.accounts()
            .filter(|(address, account)| {
                account.nonce == 0
                    && account.code_hash == KECCAK256_EMPTY
                    && self.slots(*address).next().is_some()
            })
            .map(|(address, _)| address)
            .collect()
    }

    /// The root of Ethereum's state trie.
    pub(crate) fn root(&self) -> B256 {
        root::state_root_unhashed(self.accounts().map(|(address, account)| {
            let account = TrieAccount {
                nonce: account.nonce,
                balance: account.balance,
                storage_root: self.storage_root(address),
                code_hash: account.code_hash,
            };
            (address, account)
        }))
    }

    /// Where this state differs from the one a vector states, if it does.
    pub(crate) fn difference(&self, stated: &BTreeMap<Address, Allocation>) -> Option<String> {
        let stated = Self::new(stated);
        let keys: BTreeSet<_> = self.0.keys().chain(stated.0.keys()).collect();
        keys.into_iter()
            // Code nobody names any more stays; it is not in the trie.
            .filter(|key| !matches!(key, StateKey::Code(_)))
            .find(|key| self.value(key) != stated.value(key))
            .map(|key| {
                let (have, want) = (self.value(key), stated.value(key));
                format!("{key:?} is {have:?}, want {want:?}")
            })
    }

    fn accounts(&self) -> impl Iterator<Item = (Address, Account)> {
        let first = StateKey::Account(Address::ZERO);
        let last = StateKey::Account(Address::repeat_byte(0xff));
        self.0.range(first..=last).filter_map(|entry| match entry {
            (StateKey::Account(address), StateValue::Account(account)) => {
                Some((*address, *account))
            }
            _ => None,
        })
    }

    fn slots(&self, address: Address) -> impl Iterator<Item = (&StateKey, &StateValue)> {
        let (first, last) = (
            StateKey::Slot(address, U256::ZERO),
            StateKey::Slot(address, U256::MAX),
        );
        self.0.range(first..=last)
    }

    fn storage_root(&self, address: Address) -> B256 {
        let mut slots = self
            .slots(address)
            .filter_map(|entry| match entry {
                (StateKey::Slot(_, slot), StateValue::Slot(value)) => {
                    Some((B256::from(*slot), *value))
                }
                _ => None,
            })
            .peekable();
        if slots.peek().is_none() {
            return EMPTY_ROOT_HASH;
        }
        root::storage_root_unhashed(slots)
    }
}

/// A parent state whose first reads are not at hand, so that every vector passes through suspension.
pub(crate) struct Parent<'a> {
    world: &'a World,
    pending: Cell<u32>,
}

/// Reads that suspend. More would execute the long vectors anew too often; the executor's own tests
/// suspend at every read.
const SUSPENSIONS: u32 = 3;

impl<'a> Parent<'a> {
    pub(crate) const fn new(world: &'a World) -> Self {
        Self {
            world,
            pending: Cell::new(SUSPENSIONS),
        }
    }

    /// Where a value comes from that the executor was suspended for.
    pub(crate) const fn world(&self) -> &'a World {
        self.world
    }
}

impl View for Parent<'_> {
    fn poll(&self, key: &StateKey) -> Poll<Result<StateValue, ViewError>> {
        if let Some(left) = self.pending.get().checked_sub(1) {
            self.pending.set(left);
            return Poll::Pending;
        }
        Poll::Ready(Ok(self.world.value(key)))
    }
}
