//! `ashlar gov`: proposals and votes.

use super::{RpcArgs, SignerArgs};
use alloy_primitives::{Address, B256, FixedBytes, U256};
use clap::{Args, Subcommand};
use contracts::governance::{Action, Parameter};
use types::Fork;

/// `ashlar gov`.
#[derive(Debug, Args)]
#[command(
    after_help = "A proposal passes when enough organizations approve, and can be executed when its timelock is over.\nTry it on a network of `ashlar up`:\n  ashlar gov propose --dev-account 0 --why \"smaller blocks\" set-parameter BlockGas 50000000\n  ashlar gov show 1\n  ashlar gov approve 1 --dev-account 0"
)]
pub struct GovArgs {
    /// Whom it asks.
    #[command(flatten)]
    pub node: RpcArgs,
    /// What to do.
    #[command(subcommand)]
    pub command: GovCommand,
}

/// What `ashlar gov` does.
#[derive(Debug, Subcommand)]
pub enum GovCommand {
    /// All proposals, the newest first
    List {
        /// Print a line of JSON for each
        #[arg(long)]
        json: bool,
    },
    /// A proposal: its vote, and what the network would look like after it
    Show {
        /// Its number
        proposal: u64,
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Propose something, in the name of your organization. It is tried out first; the vote comes after
    Propose {
        /// Why, for those who vote
        #[arg(long, value_name = "TEXT", default_value = "")]
        why: String,
        /// Who.
        #[command(flatten)]
        signer: SignerArgs,
        /// What.
        #[command(subcommand)]
        action: GovAction,
    },
    /// Vote for a proposal, once and for all
    Approve {
        /// Its number
        proposal: u64,
        /// Who.
        #[command(flatten)]
        signer: SignerArgs,
    },
    /// Vote against a proposal, once and for all
    Reject {
        /// Its number
        proposal: u64,
        /// Who.
        #[command(flatten)]
        signer: SignerArgs,
    },
    /// Withdraw a proposal of your organization
    Cancel {
        /// Its number
        proposal: u64,
        /// Who.
        #[command(flatten)]
        signer: SignerArgs,
    },
    /// Do what was decided, once the timelock is over; any account may
    Execute {
        /// Its number
        proposal: u64,
        /// Who.
        #[command(flatten)]
        signer: SignerArgs,
    },
}

/// What can be proposed.
#[derive(Clone, Debug, Subcommand)]
pub enum GovAction {
    /// Let an organization in
    AddOrganization {
        /// Its id: 32 bytes in hex, its first account's address padded with zeros as a rule
        organization: B256,
        /// Its name, at most 31 bytes
        name: String,
        /// Its first account, which may do everything
        administrator: Address,
        /// How many validators it may have
        validator_limit: u16,
    },
    /// Take an organization's vote and rights until it is reinstated
    SuspendOrganization {
        /// Its id
        organization: B256,
    },
    /// End a suspension
    ReinstateOrganization {
        /// Its id
        organization: B256,
    },
    /// Remove an organization with its nodes, for ever
    RemoveOrganization {
        /// Its id
        organization: B256,
    },
    /// Say how many validators an organization may have
    SetValidatorLimit {
        /// Its id
        organization: B256,
        /// How many
        limit: u16,
    },
    /// Give an account every permission of an organization that lost its keys
    AppointAdministrator {
        /// Its id
        organization: B256,
        /// The account
        account: Address,
    },
    /// Set a parameter, from BlockGas to Threshold (contracts/src/interfaces/IParameters.sol)
    SetParameter {
        /// Its name
        parameter: Parameter,
        /// What it shall be
        value: U256,
    },
    /// Let a fork activate
    ScheduleFork {
        /// Its name, if this program knows it, or its id: the hash of its name, 32 bytes in hex
        #[arg(value_parser = fork_id)]
        fork: B256,
        /// The first block under its rules
        height: u64,
    },
    /// Call that off
    CancelFork {
        /// Its name or id
        #[arg(value_parser = fork_id)]
        fork: B256,
    },
    /// Demand a protocol version of nodes
    SetMinimumVersion {
        /// The protocol version
        protocol: u32,
        /// The first block that needs it
        height: u64,
    },
    /// Execute nothing but governing any more: the first step of founding the network anew (docs/succession.md)
    CloseNetwork,
    /// Call that off
    ReopenNetwork,
    /// Say, once and for all, which network goes on with the state of this one
    NameSuccessor {
        /// Its identity, 96 bytes in hex
        identity: FixedBytes<96>,
        /// Its chain id
        chain_id: u64,
        /// The hash of its block 0
        genesis: B256,
    },
}

/// The id of a fork that is named or given by its id.
fn fork_id(text: &str) -> Result<B256, String> {
    let mut forks = Fork::ALL.into_iter();
    if let Some(fork) = forks.find(|fork| fork.name().eq_ignore_ascii_case(text)) {
        return Ok(chain::upgrade::id(fork));
    }
    let names = Fork::ALL.map(Fork::name).join(", ");
    text.parse().map_err(|_| {
        format!("this program knows the forks {names}; another is given by its id, 32 bytes in hex")
    })
}

impl From<GovAction> for Action {
    fn from(action: GovAction) -> Self {
        match action {
            GovAction::AddOrganization {
                organization,
                name,
                administrator,
                validator_limit,
            } => Self::AddOrganization {
                organization,
                name,
                administrator,
                validator_limit,
            },
            GovAction::SuspendOrganization { organization } => {
                Self::SuspendOrganization(organization)
            }
            GovAction::ReinstateOrganization { organization } => {
                Self::ReinstateOrganization(organization)
            }
            GovAction::RemoveOrganization { organization } => {
                Self::RemoveOrganization(organization)
            }
            GovAction::SetValidatorLimit {
                organization,
                limit,
            } => Self::SetValidatorLimit {
                organization,
                limit,
            },
            GovAction::AppointAdministrator {
                organization,
                account,
            } => Self::AppointAdministrator {
                organization,
                account,
            },
            GovAction::SetParameter { parameter, value } => Self::SetParameter { parameter, value },
            GovAction::ScheduleFork { fork, height } => Self::ScheduleFork { fork, height },
            GovAction::CancelFork { fork } => Self::CancelFork(fork),
            GovAction::SetMinimumVersion { protocol, height } => Self::SetMinimumVersion {
                version: protocol,
                height,
            },
            GovAction::CloseNetwork => Self::CloseNetwork,
            GovAction::ReopenNetwork => Self::ReopenNetwork,
            GovAction::NameSuccessor {
                identity,
                chain_id,
                genesis,
            } => Self::NameSuccessor {
                identity,
                chain_id,
                genesis,
            },
        }
    }
}
