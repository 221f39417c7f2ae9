//! The REST nouns around `pause`: motions to stop something for a time, or to end that. Times are Unix seconds.

#[cfg(feature = "net")]
mod read;

use crate::governance::Ballot;
use alloy_primitives::{Address, B256};
use serde::{Deserialize, Serialize};

/// A motion of an organization.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Motion {
    /// Its number, from 1.
    pub number: u64,
    /// `open`, `carried` or `lapsed`.
    pub state: String,
    /// The organization that made it, and approves of it.
    pub proposer: String,
    /// What it is for.
    pub motion: ProposedMotion,
    /// The same in words, with the names of organizations.
    pub description: String,
    /// How its vote stands. Nobody votes against a motion: it is carried or lapses.
    pub vote: Ballot,
    /// Until when its subject is stopped now, by this motion or another; absent if it is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paused_until: Option<u64>,
}

/// The answer to `GET /v1/pauses/motions`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct MotionPage {
    /// The newest first.
    pub motions: Vec<Motion>,
    /// `before` of the next page; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_before: Option<u64>,
}

/// What can be moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum ProposedMotion {
    /// Stop something at once when the motion is carried.
    Pause {
        /// What.
        subject: PauseSubject,
        /// For how long: 1 to 604,800 seconds, counted from the last approval.
        seconds: u32,
    },
    /// End a pause before its time.
    Lift {
        /// Of what.
        subject: PauseSubject,
    },
}

/// What can be stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum PauseSubject {
    /// The creation of contracts.
    Deployments {},
    /// Calls of a contract, which is none of the system contracts.
    Contract {
        /// Its address.
        #[cfg_attr(feature = "openapi", schema(value_type = String))]
        address: Address,
    },
    /// Transactions of an organization's accounts, but to govern.
    Organization {
        /// Its id.
        #[cfg_attr(feature = "openapi", schema(value_type = String))]
        id: B256,
    },
}

/// The body of `POST /v1/pauses/motions`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct MotionRequest {
    /// The administrator that will sign. Its organization approves by that.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub from: Address,
    /// What for.
    pub motion: ProposedMotion,
}
