//! The REST nouns around `governance`: what the organizations of a network decide together. Times are Unix seconds.

#[cfg(feature = "net")]
mod decide;
#[cfg(feature = "net")]
pub(crate) mod read;

#[cfg(feature = "net")]
pub use decide::Decided;
#[cfg(feature = "net")]
pub use read::{Governance, GovernanceError};

use alloy_primitives::{Address, B256, Bytes, FixedBytes, U64, U128, U256};
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

/// How the vote on a proposal stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Vote {
    /// Who said what.
    #[serde(flatten)]
    pub ballot: Ballot,
    /// From when on the proposal can be executed, once it is accepted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub executable_from: Option<u64>,
    /// Seconds from acceptance to execution.
    pub timelock: u32,
    /// Seconds during which it can be executed.
    pub window: u32,
}

/// What organizations said to something: a proposal, a motion, a claim.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Ballot {
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

/// Something that a proposal does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum ProposedAction {
    /// Let an organization in.
    AddOrganization {
        /// Its id, 32 bytes in hex: its first account's address padded with zeros as a rule.
        #[cfg_attr(feature = "openapi", schema(value_type = String))]
        organization: B256,
        /// Its name, 1 to 31 bytes.
        name: String,
        /// Its first account, which may do everything.
        #[cfg_attr(feature = "openapi", schema(value_type = String))]
        administrator: Address,
        /// How many validators it may have.
        validator_limit: u16,
    },
    /// Take an organization's vote and rights until it is reinstated.
    SuspendOrganization {
        /// Its id.
        #[cfg_attr(feature = "openapi", schema(value_type = String))]
        organization: B256,
    },
    /// End a suspension.
    ReinstateOrganization {
        /// Its id.
        #[cfg_attr(feature = "openapi", schema(value_type = String))]
        organization: B256,
    },
    /// Remove an organization with its nodes, for ever.
    RemoveOrganization {
        /// Its id.
        #[cfg_attr(feature = "openapi", schema(value_type = String))]
        organization: B256,
    },
    /// Say how many validators an organization may have.
    SetValidatorLimit {
        /// Its id.
        #[cfg_attr(feature = "openapi", schema(value_type = String))]
        organization: B256,
        /// How many.
        limit: u16,
    },
    /// Give an account every permission of an organization that lost its keys.
    AppointAdministrator {
        /// Its id.
        #[cfg_attr(feature = "openapi", schema(value_type = String))]
        organization: B256,
        /// The account.
        #[cfg_attr(feature = "openapi", schema(value_type = String))]
        account: Address,
    },
    /// Set a parameter.
    SetParameter {
        /// Its name, `BlockGas` to `Threshold`.
        parameter: String,
        /// What it shall be: a decimal number, or hex with `0x`.
        #[cfg_attr(feature = "openapi", schema(value_type = String))]
        value: U256,
    },
    /// Let a fork activate.
    ScheduleFork {
        /// Its id: the hash of its name.
        #[cfg_attr(feature = "openapi", schema(value_type = String))]
        fork: B256,
        /// The first block under its rules.
        height: u64,
    },
    /// Call that off.
    CancelFork {
        /// Its id.
        #[cfg_attr(feature = "openapi", schema(value_type = String))]
        fork: B256,
    },
    /// Demand a protocol version of nodes.
    SetMinimumVersion {
        /// The version.
        version: u32,
        /// The first block that needs it.
        height: u64,
    },
    /// Execute nothing but governing any more, before the network is founded anew.
    CloseNetwork,
    /// Call that off.
    ReopenNetwork,
    /// Say, once and for all, which network goes on with the state of this one.
    NameSuccessor {
        /// Its identity, 96 bytes in hex.
        #[cfg_attr(feature = "openapi", schema(value_type = String))]
        identity: FixedBytes<96>,
        /// Its chain id.
        chain_id: u64,
        /// The hash of its block 0.
        #[cfg_attr(feature = "openapi", schema(value_type = String))]
        genesis: B256,
    },
}

/// The body of `POST /v1/governance/proposals`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct ProposalRequest {
    /// The administrator that will sign.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub from: Address,
    /// Why, for people.
    pub description: String,
    /// What it does, 1 to 16 things that are done together or not at all.
    pub actions: Vec<ProposedAction>,
}

/// The body of a vote: `POST /v1/governance/proposals/{number}/votes` and `POST /v1/disputes/{number}/votes`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct VoteRequest {
    /// The administrator that will sign.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub from: Address,
    /// Whether it approves of the proposal, or upholds the claim; otherwise it rejects.
    pub approve: bool,
}

/// The body of a step that needs no more words: to cancel or execute a proposal, approve of a motion, withdraw a claim.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct StepRequest {
    /// The account that will sign.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub from: Address,
}

/// A transaction for a wallet to sign, as `eth_signTransaction` takes it. It was tried out, and would succeed now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Unsigned {
    /// Who signs.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub from: Address,
    /// The system contract.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub to: Address,
    /// What the call pays, in wei.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub value: U256,
    /// The call.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub data: Bytes,
    /// The chain it is for.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub chain_id: U64,
    /// The account's next nonce.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub nonce: U64,
    /// Twice what it takes now.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub gas: U64,
    /// Twice the base fee.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub max_fee_per_gas: U128,
    /// Zero.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub max_priority_fee_per_gas: U128,
}

/// The body of `POST /v1/governance/transactions`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct SignedRequest {
    /// The signed transaction, hex.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub raw: Bytes,
}

/// The answer to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Final {
    /// The transaction.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub transaction_hash: B256,
    /// The block it is final in.
    pub block: u64,
    /// The proposal that it made, if it made one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proposal: Option<u64>,
    /// The motion that it made, if it made one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub motion: Option<u64>,
    /// The dispute that it began, if it began one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dispute: Option<u64>,
}
