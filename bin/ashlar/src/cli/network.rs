//! `ashlar network`: how networks begin, and how nodes come in.

use super::{RpcArgs, SignerArgs, stake::amount};
use alloy_primitives::{Address, FixedBytes, U256};
use clap::{Args, Subcommand};
use std::{net::SocketAddr, num::NonZeroU64, path::PathBuf};

/// `ashlar network`.
#[derive(Debug, Args)]
#[command(
    after_help = "To found a network, at each of at least four organizations:\n  ashlar network card --dir D --organization acme --administrator 0x… --listen 203.0.113.7:9545\n  … send D/card.json to the others, and put theirs beside it …\n  ashlar network new --dir D --name \"our network\" --chain-id 7001 acme.json beta.json gamma.json delta.json\n  ashlar node --config D/node.toml\n\nTo take another organization in:\n  ashlar network invite --config D/node.toml > passport.json      (a member)\n  ashlar network join passport.json --dir D --listen 198.51.100.9:9545   (the newcomer)\n  ashlar gov propose add-organization …, a vote, and ashlar member set-node …   (docs/networks.md)"
)]
pub struct NetworkArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: NetworkCommand,
}

/// What `ashlar network` does.
#[derive(Debug, Subcommand)]
pub enum NetworkCommand {
    /// Make this organization's keys, and a signed card for those it founds a network with
    Card(CardArgs),
    /// Found a network with the holders of these cards: make its key together, without a dealer
    New(NewArgs),
    /// Print a signed passport, with which others can join
    Invite(InviteArgs),
    /// Make this node's keys and configuration for the network of a passport
    Join(JoinArgs),
    /// Take a node out of its network, and wait until it can be stopped
    Leave(LeaveArgs),
    /// Make the configuration and the keys of a gateway beside a node
    Gateway(GatewayArgs),
    /// Get the proof of which network goes on with the state of one that ended
    Succession(SuccessionArgs),
}

/// Where a new node is.
#[derive(Debug, Args)]
pub struct PlaceArgs {
    /// The node's directory, which nothing may be in yet
    #[arg(long, value_name = "D")]
    pub dir: PathBuf,
    /// Where it listens for other nodes
    #[arg(long, value_name = "IP:PORT")]
    pub listen: SocketAddr,
    /// Where other nodes reach it, if that is another address
    #[arg(long, value_name = "IP:PORT")]
    pub advertise: Option<SocketAddr>,
    /// Where it answers JSON-RPC
    #[arg(long, value_name = "IP:PORT", default_value = "127.0.0.1:8545")]
    pub rpc: SocketAddr,
}

/// `ashlar network card`.
#[derive(Debug, Args)]
pub struct CardArgs {
    /// Where the node is.
    #[command(flatten)]
    pub place: PlaceArgs,
    /// What people call this organization, at most 31 bytes
    #[arg(long, value_name = "NAME")]
    pub organization: String,
    /// Its first account, which may do everything in its name
    #[arg(long, value_name = "ADDRESS")]
    pub administrator: Address,
}

/// `ashlar network new`.
#[derive(Debug, Args)]
pub struct NewArgs {
    /// This organization's directory, where its card was made
    #[arg(long, value_name = "D")]
    pub dir: PathBuf,
    /// What people call the network. Like the following, the same at all founders
    #[arg(long, value_name = "NAME")]
    pub name: String,
    /// The EVM chain id
    #[arg(long, value_name = "ID")]
    pub chain_id: u64,
    /// Blocks after which the key is shared anew (docs/epochs.md)
    #[arg(long, value_name = "N", default_value = "600")]
    pub epoch_blocks: NonZeroU64,
    /// How many validators each organization may have
    #[arg(long, value_name = "N", default_value = "2")]
    pub validator_limit: u16,
    /// Let accounts of no organization transact and deploy, too
    #[arg(long)]
    pub open: bool,
    /// Seconds between a decision and its execution, at least an hour; with --dev, at least one
    #[arg(long, value_name = "S", default_value = "86400")]
    pub timelock: u64,
    /// A network to try things out: periods of governance may be seconds, and well-known accounts are funded
    #[arg(long)]
    pub dev: bool,
    /// How validators are chosen by bond, if they are.
    #[command(flatten)]
    pub bonding: BondingArgs,
    /// Begin with the state in this export instead of an empty one. Organizations, parameters and who may transact are in it; the
    /// cards say which nodes validate, and name an administrator of each founder's organization (docs/export.md)
    #[arg(long, value_name = "FILE", conflicts_with_all = ["open", "dev", "timelock", "validator_limit", "bonded"])]
    pub from_export: Option<PathBuf>,
    /// The cards of all founders
    #[arg(required = true, value_name = "CARD")]
    pub cards: Vec<PathBuf>,
}

/// How a network begins whose validators are chosen by bond.
#[derive(Debug, Args)]
pub struct BondingArgs {
    /// Choose validators by their bonds, instead of by the members. This is decided for ever (docs/stake.md)
    #[arg(long)]
    pub bonded: bool,
    /// With --bonded: how many validate at most
    #[arg(long, value_name = "N", default_value = "32", requires = "bonded")]
    pub seats: u16,
    /// With --bonded: what a validator must bond, and what each founder has bonded
    #[arg(long, value_name = "AMOUNT", default_value = "1ether", value_parser = amount, requires = "bonded")]
    pub bond: U256,
    /// With --bonded: what each founder's account has besides. There is no other money in the network, so without it nobody
    /// else could ever bond
    #[arg(long, value_name = "AMOUNT", default_value = "1000000ether", value_parser = amount, requires = "bonded")]
    pub allotment: U256,
    /// With --bonded: seconds from unbonding to withdrawal, at least a day; with --dev, at least one
    #[arg(long, value_name = "S", default_value = "1209600", requires = "bonded")]
    pub unbonding: u64,
}

/// `ashlar network invite`.
#[derive(Debug, Args)]
pub struct InviteArgs {
    /// The configuration of a node of the network
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,
}

/// `ashlar network join`.
#[derive(Debug, Args)]
pub struct JoinArgs {
    /// The passport
    #[arg(value_name = "PASSPORT")]
    pub passport: PathBuf,
    /// Where the node is.
    #[command(flatten)]
    pub place: PlaceArgs,
    /// The network's identity as you know it from elsewhere: another is refused
    #[arg(long, value_name = "HEX")]
    pub identity: Option<String>,
    /// Execute the chain from block 0 and have all of its history, instead of beginning at a late block whose state other
    /// nodes give
    #[arg(long)]
    pub replay: bool,
}

/// `ashlar network leave`.
#[derive(Debug, Args)]
#[command(
    after_help = "A validator signs for up to three epochs after it was taken out; it counts among those that must until then. Stopped with Ctrl-C, or\nrun again later, this goes on waiting. An organization with all its nodes goes by vote: ashlar gov propose remove-organization"
)]
pub struct LeaveArgs {
    /// The configuration of the node, which runs
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,
    /// Say until when it signs instead of waiting
    #[arg(long)]
    pub no_wait: bool,
    /// Who.
    #[command(flatten)]
    pub signer: SignerArgs,
}

/// `ashlar network gateway`.
#[derive(Debug, Args)]
pub struct GatewayArgs {
    /// The configuration of the organization's node
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,
    /// The gateway's directory, which nothing may be in yet
    #[arg(long, value_name = "D")]
    pub dir: PathBuf,
    /// Where it answers REST
    #[arg(long, value_name = "IP:PORT", default_value = "127.0.0.1:8080")]
    pub listen: SocketAddr,
    /// Whose records the first API key is for
    #[arg(long, value_name = "NAME", default_value = "main")]
    pub tenant: String,
}

/// `ashlar network succession`.
#[derive(Debug, Args)]
pub struct SuccessionArgs {
    /// A node of the network that ended.
    #[command(flatten)]
    pub node: RpcArgs,
    /// The identity of the network that ended, as you know it from elsewhere: another is refused
    #[arg(long, value_name = "HEX")]
    pub identity: Option<FixedBytes<96>>,
    /// Where to write the proof, a receipt
    #[arg(long, value_name = "FILE", default_value = "succession.json")]
    pub out: PathBuf,
}
