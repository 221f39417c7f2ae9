//! Whether a transaction may be executed: the rule that every node applies to the state before a block.
//!
//! It reads slots of `Members`, `Pause` and `Succession` instead of calling them: it is asked for every transaction, and must
//! cost no gas and no machine. The tests hold it against `Members.may` and `Pause.isStopped` themselves.

use crate::{
    layout::entry,
    member::Permissions,
    succession,
    system::{SystemContract, is_governing},
};
use alloy_primitives::{Address, B256, U256};
use core::fmt;

/// A transaction, as far as the rule goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked {
    /// Who signed it.
    pub sender: Address,
    /// Whom it calls. None: it creates a contract.
    pub to: Option<Address>,
    /// Time of its block, in seconds.
    pub timestamp: u64,
}

/// Why a transaction may not be executed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denied {
    /// The sender belongs to no organization, and the network is not open.
    Stranger(Address),
    /// The sender's organization is suspended.
    Suspended {
        /// The sender.
        sender: Address,
        /// Its organization.
        organization: B256,
    },
    /// The sender may not do this.
    Permission {
        /// The sender.
        sender: Address,
        /// Whether it wants to create a contract; else to transact.
        deploy: bool,
    },
    /// Nobody may create contracts until this second.
    DeploymentsPaused(u64),
    /// Nobody may call the contract until this second.
    ContractPaused {
        /// The contract.
        contract: Address,
        /// Unix time.
        until: u64,
    },
    /// Nobody of the organization may transact until this second.
    OrganizationPaused {
        /// The organization.
        organization: B256,
        /// Unix time.
        until: u64,
    },
    /// The network has come to its end: nothing but the governing contracts can be called.
    Closed,
}

impl fmt::Display for Denied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stranger(sender) => write!(
                f,
                "Members: {sender} belongs to no organization; an administrator of one can add it"
            ),
            Self::Suspended {
                sender,
                organization,
            } => write!(
                f,
                "Members: the organization {organization} of {sender} is suspended"
            ),
            Self::Permission { sender, deploy } => {
                let what = if *deploy {
                    "create contracts"
                } else {
                    "transact"
                };
                write!(
                    f,
                    "Members: {sender} may not {what}; an administrator of its organization can allow it"
                )
            }
            Self::DeploymentsPaused(until) => {
                write!(f, "Pause: no contract can be created until {until}")
            }
            Self::ContractPaused { contract, until } => {
                write!(f, "Pause: {contract} cannot be called until {until}")
            }
            Self::OrganizationPaused {
                organization,
                until,
            } => write!(
                f,
                "Pause: the organization {organization} cannot transact until {until}"
            ),
            Self::Closed => f.write_str(
                "Succession: the network is closed; only its governing contracts can be called. Ask its members which network goes on: ashlar network succession",
            ),
        }
    }
}

/// Applies the rule to the state that `read` gives: an account's slot. Gives the sender's organization, zero for none. The outer
/// error is that of `read`.
pub fn admit<E>(
    asked: &Asked,
    mut read: impl FnMut(Address, U256) -> Result<U256, E>,
) -> Result<Result<B256, Denied>, E> {
    let Asked {
        sender,
        to,
        timestamp,
    } = *asked;
    let mut member = |slot| read(SystemContract::Members.address(), slot);
    let account = entry(sender.into_word(), 3);
    let mut organization = B256::from(member(account)?);
    let mut status = 0;
    if !organization.is_zero() {
        status = member(entry(organization, 2))?.byte(0);
        if status == REMOVED {
            organization = B256::ZERO;
        }
    }
    let governs = to.is_some_and(|to| is_governing(&to));
    if governs && !organization.is_zero() {
        return Ok(Ok(organization));
    }
    if organization.is_zero() {
        let open = member(U256::ZERO)?.byte(1) != 0;
        if !open {
            return Ok(Err(Denied::Stranger(sender)));
        }
    } else if status != ACTIVE {
        return Ok(Err(Denied::Suspended {
            sender,
            organization,
        }));
    } else {
        let permissions = Permissions::from_slot(member(account.wrapping_add(U256::from(1)))?);
        let deploy = to.is_none();
        let wanted = if deploy {
            Permissions::DEPLOY
        } else {
            Permissions::TRANSACT
        };
        if !permissions.has(wanted) {
            return Ok(Err(Denied::Permission { sender, deploy }));
        }
    }
    if governs {
        return Ok(Ok(organization));
    }
    let (succession, closed_at) = CLOSED;
    if !read(succession, closed_at)?.is_zero() {
        return Ok(Err(Denied::Closed));
    }
    if let Err(denied) = pass(to, timestamp, &mut read)? {
        return Ok(Err(denied));
    }
    // Who belongs to none is under id 0, which cannot be paused.
    if !organization.is_zero()
        && let Some(until) = paused(entry(organization, 2), timestamp, &mut read)?
    {
        return Ok(Err(Denied::OrganizationPaused {
            organization,
            until,
        }));
    }
    Ok(Ok(organization))
}

/// Applies what of the rule holds inside a transaction too: whether a contract may be called, or one be created if none is
/// named. The outer error is that of `read`.
pub fn pass<E>(
    to: Option<Address>,
    timestamp: u64,
    mut read: impl FnMut(Address, U256) -> Result<U256, E>,
) -> Result<Result<(), Denied>, E> {
    let Some(contract) = to else {
        let until = paused(U256::ZERO, timestamp, &mut read)?;
        return Ok(until.map_or(Ok(()), |until| Err(Denied::DeploymentsPaused(until))));
    };
    if is_governing(&contract) {
        return Ok(Ok(()));
    }
    let until = paused(entry(contract.into_word(), 1), timestamp, &mut read)?;
    let denied = |until| Err(Denied::ContractPaused { contract, until });
    Ok(until.map_or(Ok(()), denied))
}

/// Until when the pause in a slot lasts, if it does.
fn paused<E>(
    slot: U256,
    timestamp: u64,
    read: &mut impl FnMut(Address, U256) -> Result<U256, E>,
) -> Result<Option<u64>, E> {
    let until = read(SystemContract::Pause.address(), slot)?;
    let until = u64::try_from(until).unwrap_or(u64::MAX);
    Ok((until > timestamp).then_some(until))
}

/// Slots that the rule reads of whoever sends this to whomever: to have them at hand. What it reads besides depends on them.
pub fn slots(sender: &Address, to: Option<&Address>) -> [(Address, U256); 4] {
    let pause = to.map_or(U256::ZERO, |to| entry(to.into_word(), 1));
    let members = SystemContract::Members.address();
    [
        (members, entry(sender.into_word(), 3)),
        (members, U256::ZERO),
        (SystemContract::Pause.address(), pause),
        CLOSED,
    ]
}

/// Where it says whether the network is closed: not if it is zero.
const CLOSED: (Address, U256) = (succession::ADDRESS, succession::CLOSED_AT);

/// Values of `IMembers.Status`.
const ACTIVE: u8 = 1;
const REMOVED: u8 = 3;
