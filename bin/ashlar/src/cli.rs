//! The command line.

use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;

/// A trust layer for services run by more than one organization.
///
/// Record a business fact once; every organization agrees on it in well under a second; keep a
/// small file that anyone can check years later, without trusting you, us or the network.
#[derive(Debug, Parser)]
#[command(name = "ashlar", version, propagate_version = true)]
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
    /// Run one gateway from a TOML file
    Gateway(ServiceArgs),
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
