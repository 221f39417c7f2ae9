//! The command line.

use crate::version;
use alloy_primitives::{
    Address, B256, FixedBytes, U256,
    utils::{ParseUnits, parse_units},
};
use clap::{Args, Parser, Subcommand, ValueEnum};
use contracts::governance::{Action, Parameter};
use std::{net::SocketAddr, num::NonZeroU64, path::PathBuf};
use types::Fork;

/// A trust layer for services run by more than one organization.
///
/// Record a business fact once; every organization agrees on it in well under a second; keep a
/// small file that anyone can check years later, without trusting you, us or the network.
#[derive(Debug, Parser)]
#[command(name = "ashlar", version, long_version = version::LONG.as_str(), propagate_version = true)]
#[command(
    after_help = "Start here:  ashlar demo          the whole story in half a minute\n             ashlar up            a network that stays up, for your own experiments"
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show the main job: record a shipment, kill a validator, prove the receipt offline, erase
    Demo(DemoArgs),
    /// Start a network on this machine that stays up
    Up(UpArgs),
    /// Stop a network started by `ashlar up`
    Down(DownArgs),
    /// Run one validator from a TOML file
    Node(ServiceArgs),
    /// Run a full node outside the network, on blocks from nodes that it need not believe
    Follow(FollowArgs),
    /// Run one gateway from a TOML file
    Gateway(ServiceArgs),
    /// Say how a node is, and what to do: exit 0 no problem, 1 a problem, 2 cannot tell
    Doctor(DoctorArgs),
    /// Copy what a node or a gateway must not lose; it may run meanwhile
    Backup(BackupArgs),
    /// Make a directory of a backup again
    Restore(RestoreArgs),
    /// Write the state after a final block of a stopped node to a file that proves it, or check such a file
    Export(ExportArgs),
    /// Give a node the state that its network began with
    Import(ImportArgs),
    /// Decide together: proposals, what they would lead to, votes
    Gov(GovArgs),
    /// Who the members are, and which of their nodes validate
    Member(MemberArgs),
    /// Who validates by bond, in a network that began so: bond, unbond, withdraw
    Stake(StakeArgs),
    /// Found a network with other organizations, or join one
    Network(NetworkArgs),
    /// Check a receipt offline: exit 0 valid, 1 invalid, 2 cannot read
    Verify(VerifyArgs),
    /// Simulate the whole network under the faults of a seed
    Sim(SimArgs),
    /// Run Ethereum's official test vectors through our executor: exit 0 passed, 1 failed, 2 none
    Vectors(VectorsArgs),
    /// Print a completion script for a shell
    Completions(CompletionArgs),
}

/// `ashlar demo`.
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// Print one machine-readable summary instead of the story
    #[arg(long)]
    pub json: bool,
    /// Leave the network running afterwards, until Ctrl-C
    #[arg(long)]
    pub keep: bool,
    /// Where to put the network and receipt.json [default: a new temporary directory]
    #[arg(long, value_name = "D")]
    pub dir: Option<PathBuf>,
}

/// `ashlar up`.
#[derive(Debug, Args)]
pub struct UpArgs {
    /// The network's directory; made if it is not there, resumed if it is
    #[arg(long, value_name = "D", default_value = ".ashlar")]
    pub dir: PathBuf,
    /// Validators of a new network; 4 tolerate one fault, 1 is quick [default: 4]
    #[arg(long, value_name = "N")]
    pub validators: Option<u16>,
    /// Give each validator and the gateway its own process, and restart one that dies
    #[arg(long)]
    pub separate: bool,
    /// With --separate: leave a process that died dead
    #[arg(long, requires = "separate")]
    pub no_restart: bool,
    /// When ready, print one line of JSON (the content of D/up.json)
    #[arg(long)]
    pub json: bool,
    /// Choose the validators of a new network by their bonds instead of by its members (docs/stake.md)
    #[arg(long)]
    pub bonded: bool,
    /// Use ports P (gateway), P+1… (JSON-RPC) and on [default: 8080, 8545…, 9545…]
    #[arg(long, value_name = "P")]
    pub port_base: Option<u16>,
}

/// `ashlar down`.
#[derive(Debug, Args)]
pub struct DownArgs {
    /// The network's directory
    #[arg(long, value_name = "D", default_value = ".ashlar")]
    pub dir: PathBuf,
}

/// `ashlar node` and `ashlar gateway`.
#[derive(Debug, Args)]
pub struct ServiceArgs {
    /// The configuration file; `ashlar up` writes examples
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,
    /// Stop when standard input closes, that is when whoever started us is gone
    #[arg(long)]
    pub stop_with_parent: bool,
}

/// `ashlar follow`.
#[derive(Debug, Args)]
#[command(
    after_help = "A follower executes every block itself and believes no upstream: what it takes must be signed with the network's key, which is in the\nchain spec. So get genesis.json from somebody trusted, and name upstreams that anybody runs. It needs no key, and nobody lets it in.\n\nOn a network of `ashlar up`:\n  ashlar follow --chain-spec .ashlar/genesis.json --data-dir follower \\\n    --upstream http://127.0.0.1:8545 --upstream http://127.0.0.1:8546 --rpc 127.0.0.1:8600\n  cast block-number --rpc-url http://127.0.0.1:8600\n\nAn upstream that lies is named in the log and left alone for a minute; one alone can still hold back what is new, two of different\norganizations hardly. Transactions sent to a follower are passed on to all of them (docs/follower.md)."
)]
pub struct FollowArgs {
    /// The network's constitution, genesis.json: it says whose signatures count. From somebody trusted
    #[arg(long, value_name = "FILE")]
    pub chain_spec: PathBuf,
    /// The network's identity as somebody trusted told you: another chain spec is refused
    #[arg(long, value_name = "0xHEX")]
    pub identity: Option<FixedBytes<96>>,
    /// Where the chain is kept; made if it is not there
    #[arg(long, value_name = "DIR")]
    pub data_dir: PathBuf,
    /// JSON-RPC of a node to take blocks from; give two or more, of different organizations
    #[arg(long = "upstream", value_name = "URL", required = true)]
    pub upstreams: Vec<String>,
    /// Where applications reach this node's JSON-RPC. Anyone who reaches it may use it
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8545")]
    pub rpc: SocketAddr,
    /// Keep the states of past blocks, from the first block on if it is set from the beginning
    #[arg(long, conflicts_with = "keep_blocks")]
    pub archive: bool,
    /// Keep only the last N blocks, at least two epochs [default: all]
    #[arg(long, value_name = "N")]
    pub keep_blocks: Option<NonZeroU64>,
    /// Megabytes of disk pages kept in memory; below the state's working set reads become slow
    #[arg(long, value_name = "MIB", default_value_t = 128)]
    pub page_cache_mib: usize,
    /// Threads for network and disk
    #[arg(long, value_name = "N", default_value_t = 2)]
    pub worker_threads: usize,
    /// Threads for signatures
    #[arg(long, value_name = "N", default_value_t = 2)]
    pub crypto_threads: usize,
    /// Stop when standard input closes, that is when whoever started us is gone
    #[arg(long)]
    pub stop_with_parent: bool,
}

/// `ashlar doctor`.
#[derive(Debug, Args)]
#[command(
    after_help = "Each line is a finding: ok, a warning, a PROBLEM, or unknown; after the arrow stands what to do. Nothing is changed.\n\nOn the machine of a node, running or not:\n  ashlar doctor --dir D                       where D/node.toml is\nA node that runs, anywhere:\n  ashlar doctor --rpc http://127.0.0.1:8545\nOn a network of `ashlar up`:\n  ashlar doctor --dir .ashlar/validators/0\nIn scripts:\n  ashlar doctor --json --rpc URL || alert     {\"verdict\": \"problem\", \"findings\": [{\"check\", \"verdict\", \"finding\", \"next\"}]}"
)]
pub struct DoctorArgs {
    /// The directory of a node on this machine, with its node.toml: its files are looked at, and if it runs it is asked
    #[arg(long, value_name = "D", conflicts_with = "rpc")]
    pub dir: Option<PathBuf>,
    /// JSON-RPC of a node that runs
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8545")]
    pub rpc: String,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

/// `ashlar backup`.
#[derive(Debug, Args)]
#[command(
    after_help = "Of a gateway: its configuration, its journal as it is at one moment, and its keys. Of a node: its configuration, the chain spec\nand its network key; never its share nor its state, which the other nodes give a new machine (docs/backup.md).\n\n  ashlar backup --config acme/gateway/gateway.toml --out /mnt/backup/gateway-2026-11-22\n  ashlar backup --config acme/node.toml --out /mnt/backup/node"
)]
pub struct BackupArgs {
    /// The configuration of the node or the gateway
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,
    /// A new directory, for you alone. It will hold keys
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
}

/// `ashlar restore`.
#[derive(Debug, Args)]
#[command(
    after_help = "Each file is compared with its digest in the backup first. Only if the original is gone for good: of two validators with one\nkey the second does not sign, and of two gateways with one account each is in the other's way (docs/backup.md).\n\n  ashlar restore /mnt/backup/gateway-2026-11-22 --dir acme/gateway"
)]
pub struct RestoreArgs {
    /// The backup
    #[arg(value_name = "BACKUP")]
    pub backup: PathBuf,
    /// A new directory
    #[arg(long, value_name = "D")]
    pub dir: PathBuf,
}

/// `ashlar export`.
#[derive(Debug, Args)]
#[command(
    after_help = "The file holds all accounts, storage and code after a block that the network certified, with proofs. It is for founding a network\nanew, when the form of data directories changes or the key must (docs/export.md); for new nodes there is state sync.\n\nOn a stopped node; the same height on another node gives the same digest:\n  ashlar export --config acme/node.toml --out state.export\n  ashlar export --config beta/node.toml --out state.export --height 7001\nAnywhere:\n  ashlar export --check state.export --identity 0x…"
)]
pub struct ExportArgs {
    /// The configuration of the node, which must be stopped
    #[arg(
        long,
        value_name = "FILE",
        required_unless_present = "check",
        conflicts_with = "check",
        requires = "out"
    )]
    pub config: Option<PathBuf>,
    /// The file to write
    #[arg(long, value_name = "FILE", requires = "config")]
    pub out: Option<PathBuf>,
    /// After which block [default: the last one whose state the node has]. For an earlier one the state is copied first, beside
    /// the file
    #[arg(long, value_name = "HEIGHT", requires = "config")]
    pub height: Option<u64>,
    /// Replace the file if it is there
    #[arg(long, requires = "config")]
    pub force: bool,
    /// Check this export, and write nothing
    #[arg(long, value_name = "FILE")]
    pub check: Option<PathBuf>,
    /// The network's identity as you know it from elsewhere: another is refused
    #[arg(long, value_name = "HEX", requires = "check")]
    pub identity: Option<String>,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

/// `ashlar import`.
#[derive(Debug, Args)]
#[command(
    after_help = "Founders need it not: ashlar network new --from-export imports. It is for nodes that are to execute the chain of such a network\nfrom block 0 on (ashlar network join --replay).\n\n  ashlar import --config epsilon/node.toml state.export"
)]
pub struct ImportArgs {
    /// The configuration of a node that has no chain yet
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,
    /// The export that the network began with
    #[arg(value_name = "EXPORT")]
    pub file: PathBuf,
}

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
    /// Make the configuration and the keys of a gateway beside a node
    Gateway(GatewayArgs),
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

/// Which node is asked.
#[derive(Debug, Args)]
pub struct RpcArgs {
    /// JSON-RPC of your organization's own node: what it says is believed
    #[arg(
        long,
        value_name = "URL",
        default_value = "http://127.0.0.1:8545",
        global = true
    )]
    pub rpc: String,
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

/// `ashlar stake`.
#[derive(Debug, Args)]
#[command(
    after_help = "The nodes with the highest bonds validate, as many as there are seats, the lower key first among equals. A change signs three\nor four epochs later. An AMOUNT has a unit: 2ether, 1.5ether, 10gwei; a bare number is wei (docs/stake.md).\n\nTry it on a network of `ashlar up --bonded`, with the key that `ashlar network join` prints:\n  ashlar stake show\n  ashlar stake bond 0x… 2ether --dev-account 5\n  ashlar stake unbond 0x… --dev-account 5\n  ashlar stake withdraw --dev-account 5"
)]
pub struct StakeArgs {
    /// Whom it asks.
    #[command(flatten)]
    pub node: RpcArgs,
    /// What to do.
    #[command(subcommand)]
    pub command: StakeCommand,
}

/// What `ashlar stake` does.
#[derive(Debug, Subcommand)]
pub enum StakeCommand {
    /// All candidates in their order: whose bond it is, who has a seat, who signs
    Show {
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Bond on a node's key, or add to a bond of yours. Start the node first: it must follow the chain when it gets its share
    Bond {
        /// The node's network key, 32 bytes in hex
        key: B256,
        /// How much to add, from the account that signs
        #[arg(value_parser = amount)]
        amount: U256,
        /// Who.
        #[command(flatten)]
        signer: SignerArgs,
    },
    /// Take from a bond of yours; it can be withdrawn when the unbonding period is over. Keep the node running until it no
    /// longer signs
    Unbond {
        /// The node's network key
        key: B256,
        /// How much; the least bond must be left. Without it, all, and the node is no candidate any more
        #[arg(value_parser = amount)]
        amount: Option<U256>,
        /// Who.
        #[command(flatten)]
        signer: SignerArgs,
    },
    /// Pay your account what it has unbonded, once the period is over
    Withdraw {
        /// Who.
        #[command(flatten)]
        signer: SignerArgs,
    },
}

/// Wei, in a unit or none.
fn amount(text: &str) -> Result<U256, String> {
    let text = text.trim();
    let digits = text.find(|letter: char| letter.is_ascii_alphabetic());
    let (number, unit) = text.split_at(digits.unwrap_or(text.len()));
    let unit = match unit {
        "" => "wei",
        unit => unit,
    };
    match parse_units(number.trim(), unit) {
        Ok(ParseUnits::U256(wei)) => Ok(wei),
        Ok(ParseUnits::I256(_)) => Err("an amount is not negative".to_owned()),
        Err(error) => Err(format!(
            "{error}; amounts look like 2ether, 1.5ether, 10gwei, or 100 for 100 wei"
        )),
    }
}

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

/// Who signs.
#[derive(Debug, Args)]
pub struct SignerArgs {
    /// A file that only you can read, with the private key of the account in hex: an administrator's, or for bonds their owner's
    #[arg(long, value_name = "FILE", conflicts_with = "dev_account")]
    pub key_file: Option<PathBuf>,
    /// In a development network: the well-known account with this number, 0 to 9
    #[arg(long, value_name = "N")]
    pub dev_account: Option<u8>,
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
        }
    }
}

/// `ashlar verify`.
#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// A receipt, JSON or CBOR
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// The network identity you trust: 96 bytes in hex. Without it, the one in the file is believed and named
    #[arg(long, value_name = "HEX")]
    pub identity: Option<String>,
    /// Print the verdict as JSON
    #[arg(long)]
    pub json: bool,
}

/// `ashlar sim`.
#[derive(Debug, Args)]
pub struct SimArgs {
    /// The seed of the (first) run; the same seed always gives the same digest
    #[arg(long, value_name = "S")]
    pub seed: u64,
    /// Runs with consecutive seeds
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub count: u64,
    /// Stop starting new runs after this many seconds
    #[arg(long, value_name = "SECONDS")]
    pub time_limit: Option<u64>,
    /// Print one line of JSON for each run
    #[arg(long)]
    pub json: bool,
}

/// `ashlar vectors`.
#[derive(Debug, Args)]
pub struct VectorsArgs {
    /// The format: state, blockchain, transaction, rlp or trie
    #[arg(value_name = "KIND", value_parser = ["state", "blockchain", "transaction", "rlp", "trie"])]
    pub kind: String,
    /// A directory of vectors, or one file
    #[arg(value_name = "DIR")]
    pub dir: PathBuf,
    /// Run only those whose path or name contains this
    #[arg(long, value_name = "SUBSTRING")]
    pub only: Option<String>,
    /// Print one machine-readable summary instead of lines
    #[arg(long)]
    pub json: bool,
}

/// `ashlar completions`.
#[derive(Debug, Args)]
pub struct CompletionArgs {
    /// The shell
    pub shell: clap_complete::Shell,
}
