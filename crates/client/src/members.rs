//! The REST nouns around `members`: the organizations of a network, their nodes, and who signs.

#[cfg(feature = "net")]
pub(crate) mod read;

use crate::governance::EpochStart;
use alloy_primitives::{Address, B256};
use serde::{Deserialize, Serialize};

/// Who is in a network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Members {
    /// In the order in which they came.
    pub organizations: Vec<Organization>,
    /// Who signs blocks.
    pub signing: Signing,
}

/// An organization.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Organization {
    /// Its id on chain.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub id: B256,
    /// What people call it.
    pub name: String,
    /// `active`, `suspended` or `removed`.
    pub status: String,
    /// How many validators it may have.
    pub validator_limit: u16,
    /// Its nodes.
    pub nodes: Vec<Node>,
}

/// A node of an organization.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Node {
    /// Its ed25519 network key.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub key: B256,
    /// `validator` or `observer`: what its organization wants. In a bonded network bonds decide who validates, and this does not.
    pub role: String,
    /// Whether it signs, or from when on or until when: what the network is at.
    pub signs: String,
}

/// Who signs blocks now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Signing {
    /// The epoch of the next block.
    pub epoch: u64,
    /// The height of its first block.
    pub first_block: u64,
    /// The height of its last block.
    pub last_block: u64,
    /// How many sign.
    pub validators: u64,
    /// How many must.
    pub quorum: u64,
    /// From when on a validator signs that is registered now.
    pub changes_from: EpochStart,
}

/// The body of `POST /v1/members/nodes`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct NodeRequest {
    /// The administrator that will sign.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub from: Address,
    /// The node's ed25519 network key, 32 bytes in hex.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub key: B256,
    /// What it does.
    pub role: NodeRole,
}

/// What a node does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum NodeRole {
    /// Nothing: it is no node of the organization any more.
    None,
    /// It follows the chain.
    Observer,
    /// It signs.
    Validator,
}

/// The body of `POST /v1/members/accounts`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct AccountRequest {
    /// The administrator that will sign.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub from: Address,
    /// The account of its organization: a free one, or one that it has.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub account: Address,
    /// All that it may do from then on. Nothing: it is no account of the organization any more.
    pub permissions: Vec<Permission>,
}

/// What an account may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Permission {
    /// Call contracts.
    Transact,
    /// Create contracts.
    Deploy,
    /// Vote, and say what the organization's accounts and nodes do.
    Administer,
}
