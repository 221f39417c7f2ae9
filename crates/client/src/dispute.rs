//! The REST nouns around `disputes`: claims of one organization against another, and what became of them. Times are Unix
//! seconds. Evidence and answers are hashes of documents that are exchanged off the chain.

#[cfg(feature = "net")]
mod read;

use crate::governance::Ballot;
use alloy_primitives::{Address, B256};
use serde::{Deserialize, Serialize};

/// A claim, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Dispute {
    /// Its number, from 1.
    pub number: u64,
    /// `answering`, `voting`, `withdrawn`, `dismissed`, `undecided`, `upheld`, `overdue` (upheld, and not compensated in time) or
    /// `compensated`.
    pub state: String,
    /// The organization that claims.
    pub claimant: String,
    /// The organization that it claims against.
    pub respondent: String,
    /// What it is about.
    pub subject: DisputeSubject,
    /// The hash of the evidence for the claim.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub evidence: B256,
    /// What the parties added later, the oldest first. Absent if the node asked has removed those blocks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub further_evidence: Option<Vec<Evidence>>,
    /// The hash of the answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub answer: Option<B256>,
    /// From when on the others vote, unless the answer comes earlier.
    pub voting_from: u64,
    /// How they vote: to approve is to uphold the claim.
    pub vote: Ballot,
    /// Until when an upheld claim is to be compensated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compensation_ends: Option<u64>,
    /// The transaction that makes good.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub compensation: Option<B256>,
}

/// A piece of evidence that a party added.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Evidence {
    /// Which party.
    pub organization: String,
    /// The hash of the evidence.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub evidence: B256,
}

/// The answer to `GET /v1/disputes`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DisputePage {
    /// The newest first.
    pub disputes: Vec<Dispute>,
    /// `before` of the next page; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_before: Option<u64>,
}

/// What a claim is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum DisputeSubject {
    /// A record.
    Record {
        /// Its id.
        #[cfg_attr(feature = "openapi", schema(value_type = String))]
        id: B256,
    },
    /// A transaction.
    Transaction {
        /// Its hash.
        #[cfg_attr(feature = "openapi", schema(value_type = String))]
        hash: B256,
    },
}

/// The body of `POST /v1/disputes`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct ClaimRequest {
    /// The administrator that will sign, of the organization that claims.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub from: Address,
    /// The id of the organization that it claims against.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub respondent: B256,
    /// What about.
    pub subject: DisputeSubject,
    /// The hash of the evidence, 32 bytes in hex.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub evidence: B256,
}

/// The body of `POST /v1/disputes/{number}/evidence`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct EvidenceRequest {
    /// The administrator that will sign, of one of the two parties.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub from: Address,
    /// The hash of the evidence.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub evidence: B256,
}

/// The body of `POST /v1/disputes/{number}/answer`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct AnswerRequest {
    /// The administrator that will sign, of the organization that the claim is against.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub from: Address,
    /// The hash of the answer.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub answer: B256,
}

/// The body of `POST /v1/disputes/{number}/compensation`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct CompensationRequest {
    /// The administrator that will sign, of the organization that the claim is against.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub from: Address,
    /// The hash of the transaction that makes good.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub transaction: B256,
}
