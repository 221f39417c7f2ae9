//! The first organizations of a network, as genesis writes them into the storage of `Members`.
//!
//! The layout is documented at the head of `contracts/src/Members.sol` and only ever appended to.

use crate::{
    layout::{entry, items},
    stake::Bonding,
};
use alloc::{
    collections::{BTreeMap, BTreeSet},
    string::String,
    vec::Vec,
};
use alloy_primitives::{Address, B256, U256};

/// Most organizations, ever.
const ORGANIZATIONS_MAX: usize = 128;
/// Most nodes of one organization.
pub const NODES_MAX: usize = 16;
/// Most validators of a network.
pub const VALIDATORS_MAX: usize = 32;
/// Fewest validators outside development networks: fewer tolerate no fault.
pub const VALIDATORS_MIN: usize = 4;
/// Most bytes of an organization's name, in UTF-8. It has one at least.
pub const NAME_MAX: usize = 31;

/// The slot with what genesis decided for ever in the storage of `Members`, for [`is_bonded`].
pub const SETTINGS: U256 = U256::ZERO;
/// The list of organizations' ids in the storage of `Members`.
pub const ORGANIZATIONS: U256 = U256::from_limbs([1, 0, 0, 0]);
/// The list of validators' keys in the storage of `Members`, ascending.
pub const VALIDATORS: U256 = U256::from_limbs([6, 0, 0, 0]);

/// `IMembers.Policy.Bonded`.
pub const BONDED: u8 = 1;
/// Whether validators are chosen by their bonds in `Stake`, by what is at [`SETTINGS`].
pub const fn is_bonded(slot: U256) -> bool {
    slot.byte(2) == BONDED
}

/// The list of the keys of an organization's nodes in the storage of `Members`.
pub fn nodes_of(organization: B256) -> U256 {
    entry(organization, 5)
}

/// The slot with the id of a node's organization in the storage of `Members`: zero if the key is no node's.
pub fn organization_of_node(key: B256) -> U256 {
    entry(key, 4)
}

/// The slot with a node's [`Role`] in the storage of `Members`.
pub fn role_of(key: B256) -> U256 {
    next(entry(key, 4))
}

/// The slots with an account's organization and with its permissions, for [`Permissions::from_slot`], in the storage of `Members`.
pub fn account_of(account: Address) -> (U256, U256) {
    let slot = entry(account.into_word(), 3);
    (slot, next(slot))
}

/// The slot with an organization's [`Standing`] in the storage of `Members`.
pub fn organization_at(organization: B256) -> U256 {
    entry(organization, 2)
}

/// What `Members` keeps of an organization in one slot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// 0 if there is none, 1 if it is active, 2 suspended, 3 removed.
    pub status: u8,
    /// How many validators it may have.
    pub limit: u16,
    /// How many it has.
    pub validators: u16,
    /// How many nodes it has, with its validators.
    pub nodes: u16,
    /// How many accounts administer it.
    pub administrators: u32,
    /// How many accounts it has.
    pub accounts: u32,
}

impl Standing {
    /// Reads what is at [`organization_at`].
    pub fn from_slot(slot: U256) -> Self {
        let [low, high, ..] = slot.into_limbs();
        let word = u128::from(low) | u128::from(high) << 64;
        let [status, limit, validators, nodes, administrators, accounts] =
            [(0, 8), (8, 16), (24, 16), (40, 16), (56, 32), (88, 32)]
                .map(|(from, bits)| (word >> from & ((1 << bits) - 1)) as u32);
        Self {
            status: status as u8,
            limit: limit as u16,
            validators: validators as u16,
            nodes: nodes as u16,
            administrators,
            accounts,
        }
    }

    /// As [`Self::from_slot`] reads it.
    pub fn slot(self) -> U256 {
        Packed::default()
            .add(1, self.status.into())
            .add(2, self.limit.into())
            .add(2, self.validators.into())
            .add(2, self.nodes.into())
            .add(4, self.administrators.into())
            .add(4, self.accounts.into())
            .into()
    }
}

/// The slot with an organization's name in the storage of `Members`, for [`name`].
pub fn name_of(organization: B256) -> U256 {
    next(organization_at(organization))
}

/// The name that its slot holds; none if there is none.
pub fn name(slot: U256) -> Option<String> {
    let bytes = slot.to_be_bytes::<32>();
    let (length, text) = bytes.split_last()?;
    // An odd one would be of a string with slots of its own.
    let length = usize::from(length.checked_div(2)?);
    let text = text.get(..length).filter(|text| !text.is_empty())?;
    Some(core::str::from_utf8(text).ok()?.into())
}

/// The slot of an item of a list whose length is in `list`.
pub fn item(list: U256, index: u64) -> U256 {
    items(list).wrapping_add(U256::from(index))
}

/// What is decided at genesis for ever, and who begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Charter {
    /// A development network: one validator is enough, and periods may be seconds.
    pub dev: bool,
    /// Accounts of no organization may transact and deploy.
    pub open: bool,
    /// Where validators come from.
    pub policy: Policy,
    /// The first organizations.
    pub founders: Vec<Founder>,
}

/// Where validators come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// From `Members`: organizations decide.
    Permissioned,
    /// From `Stake`: those with the highest bonds.
    Bonded(Bonding),
}

/// A first organization.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Founder {
    /// Its id, a word of its own choice but zero.
    pub organization: B256,
    /// What people call it: 1 to 31 bytes of UTF-8.
    pub name: String,
    /// Its accounts and what each may do. One of them administers.
    pub accounts: BTreeMap<Address, Permissions>,
    /// The keys of its nodes and whether each validates; at most 16.
    pub nodes: BTreeMap<B256, Role>,
    /// How many validators it may have.
    pub validator_limit: u16,
}

/// What an account may do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Permissions(u8);

impl Permissions {
    /// Send transactions.
    pub const TRANSACT: Self = Self(1);
    /// Create contracts.
    pub const DEPLOY: Self = Self(1 << 1);
    /// Manage the organization's accounts and nodes, propose and vote.
    pub const ADMINISTER: Self = Self(1 << 2);
    /// Everything.
    pub const ALL: Self = Self(0b111);

    /// These and those.
    #[must_use]
    pub const fn and(self, more: Self) -> Self {
        Self(self.0 | more.0)
    }

    /// Whether all of those are among these.
    pub const fn has(self, wanted: Self) -> bool {
        self.0 & wanted.0 == wanted.0
    }

    /// As `Members` takes them: `1 << permission` for each.
    #[must_use]
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// The permissions in an account's second slot.
    #[must_use]
    pub fn from_slot(slot: U256) -> Self {
        Self(slot.byte(0))
    }
}

/// What a node does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Role {
    /// It follows.
    Observer = 1,
    /// It validates.
    Validator,
}

/// Why nobody may begin like this.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CharterError {
    /// No organization, or too many.
    #[error("a network begins with 1 to {ORGANIZATIONS_MAX} organizations, not with {0}")]
    Organizations(usize),
    /// An id is zero or taken.
    #[error("the organization id {0} is zero or taken")]
    Id(B256),
    /// A name has no or too many bytes.
    #[error("the organization name {0:?} has not 1 to {NAME_MAX} bytes")]
    Name(String),
    /// Nobody administers an organization.
    #[error("no account administers the organization {0:?}")]
    NoAdministrator(String),
    /// An account is zero, belongs to two organizations, or may do nothing.
    #[error("the account {0} is zero, another organization's too, or may do nothing")]
    Account(Address),
    /// A node key is zero or belongs to two organizations.
    #[error("the node key {0} is zero or another organization's too")]
    Node(B256),
    /// An organization has too many nodes.
    #[error("the organization {name:?} has {nodes} nodes, more than {NODES_MAX}")]
    Nodes {
        /// Its name.
        name: String,
        /// How many it has.
        nodes: usize,
    },
    /// An organization has more validators than it may.
    #[error("the organization {name:?} has {validators} validators, more than its limit, {limit}")]
    Limit {
        /// Its name.
        name: String,
        /// How many it has.
        validators: usize,
        /// How many it may have.
        limit: u16,
    },
    /// The network has too few validators, or too many.
    #[error("a network has {least} to {VALIDATORS_MAX} validators, not {validators}")]
    Validators {
        /// How many it has.
        validators: usize,
        /// How many it must have.
        least: usize,
    },
}

impl Charter {
    /// The storage of `Members` at genesis: its slots that are not zero.
    ///
    /// # Errors
    /// [`CharterError`] when no decision of the network could have led there.
    pub fn storage(&self) -> Result<BTreeMap<U256, U256>, CharterError> {
        let validators = self.check()?;
        let mut slots = Slots::default();
        let policy = match self.policy {
            Policy::Permissioned => 0,
            Policy::Bonded(_) => BONDED.into(),
        };
        slots.set(
            SETTINGS,
            Packed::default()
                .add(1, u64::from(self.dev))
                .add(1, u64::from(self.open))
                .add(1, policy),
        );
        let ids = self.founders.iter().map(|founder| founder.organization);
        slots.list(ORGANIZATIONS, ids);
        for founder in &self.founders {
            slots.organization(founder);
        }
        slots.list(VALIDATORS, validators.into_iter());
        slots.checkpoint(U256::from(9), self.founders.len() as u64);
        Ok(slots.0)
    }

    /// The validators, ascending, if this is a beginning that the contract's own rules allow.
    fn check(&self) -> Result<BTreeSet<B256>, CharterError> {
        let founders = &self.founders;
        if founders.is_empty() || founders.len() > ORGANIZATIONS_MAX {
            return Err(CharterError::Organizations(founders.len()));
        }
        let (mut ids, mut accounts, mut keys) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        let mut validators = BTreeSet::new();
        for founder in founders {
            let name = || founder.name.clone();
            if founder.organization.is_zero() || !ids.insert(founder.organization) {
                return Err(CharterError::Id(founder.organization));
            }
            if founder.name.is_empty() || founder.name.len() > NAME_MAX {
                return Err(CharterError::Name(name()));
            }
            for (account, permissions) in &founder.accounts {
                let nothing = *permissions == Permissions::default();
                if account.is_zero() || nothing || !accounts.insert(account) {
                    return Err(CharterError::Account(*account));
                }
            }
            if founder.administrators() == 0 {
                return Err(CharterError::NoAdministrator(name()));
            }
            for key in founder.nodes.keys() {
                if key.is_zero() || !keys.insert(key) {
                    return Err(CharterError::Node(*key));
                }
            }
            let nodes = founder.nodes.len();
            if nodes > NODES_MAX {
                return Err(CharterError::Nodes {
                    name: name(),
                    nodes,
                });
            }
            let own = founder.validators().count();
            if own > usize::from(founder.validator_limit) {
                return Err(CharterError::Limit {
                    name: name(),
                    validators: own,
                    limit: founder.validator_limit,
                });
            }
            validators.extend(founder.validators());
        }
        let least = if self.dev { 1 } else { VALIDATORS_MIN };
        if validators.len() < least || validators.len() > VALIDATORS_MAX {
            return Err(CharterError::Validators {
                validators: validators.len(),
                least,
            });
        }
        Ok(validators)
    }
}

impl Founder {
    fn administrators(&self) -> usize {
        let administers = |permissions: &&Permissions| permissions.has(Permissions::ADMINISTER);
        self.accounts.values().filter(administers).count()
    }

    fn validators(&self) -> impl Iterator<Item = B256> {
        let validates = |(_, role): &(&B256, &Role)| **role == Role::Validator;
        self.nodes.iter().filter(validates).map(|(key, _)| *key)
    }
}

/// The slots that are not zero.
#[derive(Debug, Default)]
struct Slots(BTreeMap<U256, U256>);

impl Slots {
    fn set(&mut self, slot: U256, value: impl Into<U256>) {
        let value = value.into();
        if !value.is_zero() {
            self.0.insert(slot, value);
        }
    }

    /// A dynamic array of words.
    fn list(&mut self, slot: U256, words: impl ExactSizeIterator<Item = B256>) {
        self.set(slot, U256::from(words.len()));
        let mut at = items(slot);
        for word in words {
            self.set(at, word);
            at = at.wrapping_add(U256::from(1));
        }
    }

    /// A history of one checkpoint, at height 0: 48 bits of height, and above them the value.
    fn checkpoint(&mut self, slot: U256, value: u64) {
        self.set(slot, U256::from(1));
        self.set(items(slot), Packed::default().add(6, 0).add(26, value));
    }

    fn organization(&mut self, founder: &Founder) {
        const ACTIVE: u8 = 1;
        let id = founder.organization;
        let slot = organization_at(id);
        let standing = Standing {
            status: ACTIVE,
            limit: founder.validator_limit,
            validators: founder.validators().count() as u16,
            nodes: founder.nodes.len() as u16,
            administrators: founder.administrators() as u32,
            accounts: founder.accounts.len() as u32,
        };
        self.set(slot, standing.slot());
        self.set(name_of(id), short_string(&founder.name));
        for (account, permissions) in &founder.accounts {
            let slot = entry(account.into_word(), 3);
            self.set(slot, id);
            self.set(next(slot), U256::from(permissions.0));
        }
        for (key, role) in &founder.nodes {
            let slot = entry(*key, 4);
            self.set(slot, id);
            self.set(next(slot), U256::from(*role as u8));
        }
        self.list(nodes_of(id), founder.nodes.keys().copied());
        self.checkpoint(entry(id, 8), 1);
    }
}

/// Members of a struct that share a slot, from the least significant byte on.
#[derive(Clone, Copy, Debug, Default)]
struct Packed {
    word: U256,
    bytes: usize,
}

impl Packed {
    fn add(self, bytes: usize, value: u64) -> Self {
        Self {
            word: self.word | U256::from(value) << (self.bytes * 8),
            bytes: self.bytes + bytes,
        }
    }
}

impl From<Packed> for U256 {
    fn from(packed: Packed) -> Self {
        packed.word
    }
}

fn next(slot: U256) -> U256 {
    slot.wrapping_add(U256::from(1))
}

/// A string of at most 31 bytes: these from the left, and twice their number in the last byte.
fn short_string(text: &str) -> U256 {
    let length = U256::from(text.len() * 2);
    U256::from_be_bytes(B256::right_padding_from(text.as_bytes()).0) | length
}
