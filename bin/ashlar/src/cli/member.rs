//! `ashlar member`: organizations, their nodes and accounts.

use super::{RpcArgs, SignerArgs};
use alloy_primitives::{Address, B256};
use clap::{Args, Subcommand, ValueEnum};

/// `ashlar member`.
#[derive(Debug, Args)]
#[command(
    after_help = "Try it on a network of `ashlar up`:\n  ashlar member list\n  ashlar member set-node 0x… observer --dev-account 0"
)]
pub struct MemberArgs {
    /// Whom it asks.
    #[command(flatten)]
    pub node: RpcArgs,
    /// What to do.
    #[command(subcommand)]
    pub command: MemberCommand,
}

/// What `ashlar member` does.
#[derive(Debug, Subcommand)]
pub enum MemberCommand {
    /// Organizations, their nodes, and who signs
    List {
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Say what a node of your organization does. Validators need room under its limit, and sign three or four epochs later
    SetNode {
        /// The node's network key, 32 bytes in hex
        key: B256,
        /// What it does
        role: NodeRole,
        /// Who.
        #[command(flatten)]
        signer: SignerArgs,
    },
    /// Say what an account of your organization may do; nothing takes it out
    SetAccount {
        /// The account
        account: Address,
        /// What it may do
        permissions: Vec<Permission>,
        /// Who.
        #[command(flatten)]
        signer: SignerArgs,
    },
}

/// What an account of an organization may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Permission {
    /// Send transactions
    Transact,
    /// Create contracts
    Deploy,
    /// Manage the organization's accounts and nodes, propose and vote
    Administer,
}

/// What a node does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum NodeRole {
    /// Nothing: it is no node of the organization any more
    None,
    /// It follows the chain
    Observer,
    /// It signs
    Validator,
}
