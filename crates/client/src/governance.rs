//! The REST nouns around `governance`: what the organizations of a network decide together. Times are Unix seconds.

#[cfg(feature = "net")]
mod read;

#[cfg(feature = "net")]
pub use read::{Governance, GovernanceError};

use serde::{Deserialize, Serialize};

/// A proposal: what there is to know before a vote.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Proposal {
    /// Its number, from 1.
    pub number: u64,
    /// `voting`, `canceled`, `defeated`, `waiting` (accepted, its timelock runs), `executable`, `executed` or `expired`.
    pub state: String,
    /// The organization that made it.
    pub proposer: String,
    /// Why, for people.
    pub description: String,
    /// What it does, in words.
    pub actions: Vec<String>,
    /// How its vote stands.
    pub vote: Vote,
    /// What the network looks like.
    pub now: Outlook,
    /// What it would look like if the proposal were executed now; absent once that is over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<Outlook>,
    /// From when on other validators sign, if it were executed now; absent if it changes none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub validators_change: Option<EpochStart>,
    /// Why its actions could not be done now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub impossible: Option<String>,
}

/// How a vote stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Vote {
    /// Organizations that have a vote.
    pub electorate: u16,
    /// How many must approve.
    pub required: u16,
    /// Who approved.
    pub approved: Vec<String>,
    /// Who rejected.
    pub rejected: Vec<String>,
    /// When it closes.
    pub closes: u64,
    /// From when on the proposal can be executed, once it is accepted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub executable_from: Option<u64>,
    /// Seconds from acceptance to execution.
    pub timelock: u32,
    /// Seconds during which it can be executed.
    pub window: u32,
}

/// The beginning of an epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct EpochStart {
    /// Its number.
    pub epoch: u64,
    /// The height of its first block.
    pub block: u64,
}

/// A network at a glance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Outlook {
    /// Active organizations.
    pub organizations: u64,
    /// Organizations that an ordinary decision takes.
    pub ordinary: u64,
    /// Organizations that a critical decision takes.
    pub critical: u64,
    /// Validators.
    pub validators: u64,
    /// Validators that must sign a block.
    pub quorum: u64,
    /// Validators that may fail.
    pub faults: u64,
    /// Organizations any of which can halt the network alone.
    pub can_halt: Vec<String>,
}

/// The answer to `GET /v1/governance/proposals`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ProposalPage {
    /// The newest first.
    pub proposals: Vec<Proposal>,
    /// `before` of the next page; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_before: Option<u64>,
}
