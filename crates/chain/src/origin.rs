//! A new network that begins with the state of another: its founders' nodes take the place of that network's validators.
//!
//! All else in the system contracts stays as it was: organizations and their accounts, parameters, proposals and their votes,
//! records; but that the other network was closed, and what it named its successor, is not said of the new one. What these contracts say of blocks stays true, because contracts go on counting where the other network stopped
//! ([`types::Origin`]).

use crate::epoch::members::list;
use alloy_primitives::{Address, B256, U256};
use contracts::{
    SystemContract,
    member::{
        self, NODES_MAX, Permissions, Role, Standing, account_of, item, organization_at, role_of,
    },
    succession,
};
use state::{StateError, StateRead};
use std::collections::{BTreeMap, BTreeSet};
use types::{StateKey, StateValue};

/// A node that validates from block 0 on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Founder {
    /// An account that administers an organization in the state.
    pub administrator: Address,
    /// The key of its node.
    pub node: B256,
}

/// What the new network has of the state's own settings, and what is written over it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settled {
    /// Whether it is a development network.
    pub dev: bool,
    /// The names of the founders' organizations, in the founders' order.
    pub organizations: Vec<String>,
    /// Nodes that validated, and do not any more: they are observers.
    pub retired: Vec<B256>,
    /// Whether the network of the state was closed, so that nothing but governing happened there after it.
    pub closed: bool,
    /// Storage of `Members` to be written, zero to be emptied.
    pub members: BTreeMap<U256, U256>,
    /// Storage of `Succession` to be emptied.
    pub succession: BTreeMap<U256, U256>,
}

/// Why these cannot go on with the state.
#[derive(Debug, thiserror::Error)]
pub enum OriginError {
    /// Nothing says who the members are.
    #[error(
        "there is no Members in this state: only networks that Ashlar founded can be founded anew"
    )]
    Ungoverned,
    /// Nodes are not what decides.
    #[error(
        "the validators of this state come from Stake (policy Bonded), where no founder can be written: this is not supported"
    )]
    Bonded,
    /// An account of nobody.
    #[error(
        "the account {0} administers no organization in this state: the card must name one that does"
    )]
    NoAdministrator(Address),
    /// The organization has no say.
    #[error("the organization {0:?} is suspended in this state, and can found nothing")]
    Suspended(String),
    /// The node is another's.
    #[error(
        "the node {node} belongs to another organization in this state than {name:?}: make the card with another key"
    )]
    NodeTaken {
        /// Its key.
        node: B256,
        /// Whose card it is on.
        name: String,
    },
    /// There is no room.
    #[error(
        "the organization {0:?} has {NODES_MAX} nodes in this state: it must remove one before the export"
    )]
    TooManyNodes(String),
    /// The state cannot be read.
    #[error(transparent)]
    State(#[from] StateError),
}

/// What to write so that the founders' nodes, and no others, validate.
///
/// # Errors
/// [`OriginError`], naming whoever cannot found.
pub async fn settle(state: &impl StateRead, founders: &[Founder]) -> Result<Settled, OriginError> {
    let members = Members { state };
    let settings = members.word(member::SETTINGS).await?;
    let account = StateKey::Account(MEMBERS);
    if members.state.read(account).await? == StateValue::Absent {
        return Err(OriginError::Ungoverned);
    }
    if member::is_bonded(settings) {
        return Err(OriginError::Bonded);
    }
    let mut settled = Settled {
        dev: settings.byte(0) != 0,
        organizations: Vec::new(),
        retired: Vec::new(),
        closed: !word(state, SUCCESSION, succession::CLOSED_AT)
            .await?
            .is_zero(),
        members: BTreeMap::new(),
        succession: BTreeMap::new(),
    };
    for slot in succession::slots() {
        if !word(state, SUCCESSION, slot).await?.is_zero() {
            settled.succession.insert(slot, U256::ZERO);
        }
    }
    // Added nodes and validators, by organization.
    let mut own: BTreeMap<B256, (Vec<B256>, u64)> = BTreeMap::new();
    for founder in founders {
        let (organization, name) = members.organization(founder).await?;
        let (added, validators) = own.entry(organization).or_default();
        *validators = validators.saturating_add(1);
        let whose = members
            .word(member::organization_of_node(founder.node))
            .await?;
        if whose.is_zero() {
            added.push(founder.node);
        } else if B256::from(whose) != organization {
            let node = founder.node;
            return Err(OriginError::NodeTaken { node, name });
        }
        settled.organizations.push(name);
        let role = U256::from(Role::Validator as u8);
        let slot = member::organization_of_node(founder.node);
        settled.members.insert(slot, organization.into());
        settled.members.insert(role_of(founder.node), role);
    }
    let nodes: BTreeSet<B256> = founders.iter().map(|founder| founder.node).collect();
    let before = list(members.state, member::VALIDATORS).await?;
    for node in before.iter().filter(|node| !nodes.contains(*node)) {
        let role = U256::from(Role::Observer as u8);
        settled.members.insert(role_of(*node), role);
        settled.retired.push(*node);
    }
    settled.list(member::VALIDATORS, before.len(), 0, nodes.into_iter());
    for organization in list(members.state, member::ORGANIZATIONS).await? {
        let (added, validators) = own.remove(&organization).unwrap_or_default();
        let slot = organization_at(organization);
        let standing = Standing::from_slot(members.word(slot).await?);
        let count = u64::from(standing.nodes).saturating_add(added.len() as u64);
        let nodes = u16::try_from(count).unwrap_or(u16::MAX);
        if usize::from(nodes) > NODES_MAX {
            let name = members.name(organization).await?;
            return Err(OriginError::TooManyNodes(name));
        }
        let keys = member::nodes_of(organization);
        let begin = usize::from(standing.nodes);
        settled.list(keys, begin, begin, added.into_iter());
        let validators = u16::try_from(validators).unwrap_or(u16::MAX);
        let standing = Standing {
            validators,
            nodes,
            limit: standing.limit.max(validators),
            ..standing
        };
        settled.members.insert(slot, standing.slot());
    }
    Ok(settled)
}

impl Settled {
    /// All that is to be written, by account and slot.
    pub fn changes(&self) -> BTreeMap<Address, BTreeMap<U256, U256>> {
        let changes = [
            (MEMBERS, self.members.clone()),
            (SUCCESSION, self.succession.clone()),
        ];
        let changes = changes.into_iter();
        changes.filter(|(_, slots)| !slots.is_empty()).collect()
    }

    /// Writes words into a list that had `length` of them, from `begin` on, and ends it there.
    fn list(&mut self, list: U256, length: usize, begin: usize, words: impl Iterator<Item = B256>) {
        let mut end = begin;
        for word in words {
            self.members.insert(item(list, end as u64), word.into());
            end = end.saturating_add(1);
        }
        for index in end..length {
            self.members.insert(item(list, index as u64), U256::ZERO);
        }
        self.members.insert(list, U256::from(end));
    }
}

const MEMBERS: Address = SystemContract::Members.address();
const SUCCESSION: Address = SystemContract::Succession.address();

async fn word(state: &impl StateRead, account: Address, slot: U256) -> Result<U256, StateError> {
    Ok(match state.read(StateKey::Slot(account, slot)).await? {
        StateValue::Slot(word) => word,
        _ => U256::ZERO,
    })
}

/// `Members` in a state.
struct Members<'a, S> {
    state: &'a S,
}

impl<S: StateRead> Members<'_, S> {
    async fn word(&self, slot: U256) -> Result<U256, StateError> {
        word(self.state, MEMBERS, slot).await
    }

    async fn name(&self, organization: B256) -> Result<String, StateError> {
        let name = member::name(self.word(member::name_of(organization)).await?);
        Ok(name.unwrap_or_else(|| organization.to_string()))
    }

    /// The organization that a founder acts for.
    async fn organization(&self, founder: &Founder) -> Result<(B256, String), OriginError> {
        const ACTIVE: u8 = 1;
        const SUSPENDED: u8 = 2;
        let (organization, permissions) = account_of(founder.administrator);
        let organization = B256::from(self.word(organization).await?);
        let permissions = Permissions::from_slot(self.word(permissions).await?);
        let standing = self.word(organization_at(organization)).await?;
        let standing = Standing::from_slot(standing);
        let administers = permissions.has(Permissions::ADMINISTER);
        if !administers || !matches!(standing.status, ACTIVE | SUSPENDED) {
            return Err(OriginError::NoAdministrator(founder.administrator));
        }
        let name = self.name(organization).await?;
        if standing.status == SUSPENDED {
            return Err(OriginError::Suspended(name));
        }
        Ok((organization, name))
    }
}

#[cfg(test)]
mod tests;
