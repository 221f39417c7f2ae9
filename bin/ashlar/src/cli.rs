//! The command line.

mod dispute;
mod governance;
mod keys;
mod member;
mod network;
mod pause;
mod stake;

pub use self::{dispute::*, governance::*, keys::*, member::*, network::*, pause::*, stake::*};

use crate::version;
use alloy_primitives::FixedBytes;
use clap::{Args, Parser, Subcommand};
use std::{net::SocketAddr, num::NonZeroU64, path::PathBuf};

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
    /// Keys of accounts in encrypted files: make, take over, list, show
    Keys(KeysArgs),
    /// Stop deployments, a contract or an organization for a time, together and at once
    Pause(PauseArgs),
    /// Claims of one organization against another: evidence, answer, ruling by the others, compensation
    Dispute(DisputeArgs),
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

/// `ashlar verify`.
#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// A receipt, JSON or CBOR
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// The network identity you trust: 96 bytes in hex. Without it, the one in the file is believed and named
    #[arg(long, value_name = "HEX")]
    pub identity: Option<String>,
    /// The receipt in which that network named its successor, to check a receipt of the successor. Repeat it from each network to
    /// the next, the oldest first (docs/succession.md)
    #[arg(long, value_name = "FILE", requires = "identity")]
    pub succession: Vec<PathBuf>,
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
