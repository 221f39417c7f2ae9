//! What can be stopped for a time, and how `Pause` names it.

use alloy_primitives::{Address, B256};
use core::fmt;

/// Most seconds that a pause takes.
pub const SECONDS_MAX: u32 = 7 * 86_400;

/// What can be stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// The creation of contracts.
    Deployments,
    /// Calls of a contract.
    Contract(Address),
    /// Transactions of an organization's accounts.
    Organization(B256),
}

impl Subject {
    /// The `IPause.Scope` and the subject in it.
    pub fn encode(&self) -> (u8, B256) {
        match self {
            Self::Deployments => (0, B256::ZERO),
            Self::Contract(contract) => (1, contract.into_word()),
            Self::Organization(organization) => (2, *organization),
        }
    }

    /// Reads what [`Self::encode`] gives. None for a scope that this version does not know.
    pub fn decode(scope: u8, subject: B256) -> Option<Self> {
        match scope {
            0 => Some(Self::Deployments),
            1 => Some(Self::Contract(Address::from_word(subject))),
            2 => Some(Self::Organization(subject)),
            _ => None,
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Deployments => f.write_str("the creation of contracts"),
            Self::Contract(contract) => write!(f, "calls of the contract {contract}"),
            Self::Organization(organization) => {
                write!(f, "transactions of the organization {organization}")
            }
        }
    }
}
