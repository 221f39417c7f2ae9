//! `ashlar pause`: motions to stop something for a time.

use super::{RpcArgs, SignerArgs};
use alloy_primitives::{Address, B256};
use clap::{Args, Subcommand};
use client::pause::PauseSubject;
use contracts::pause::SECONDS_MAX;
use humantime::parse_duration;

/// `ashlar pause`.
#[derive(Debug, Args)]
#[command(
    after_help = "The emergency brake: a motion has no timelock, and is carried with the last approval that an ordinary decision needs. A pause ends\nby itself after seven days at most. Records, reading and governing are never stopped (docs/governance.md).\n\nTry it on a network of `ashlar up`, where three of four organizations must approve:\n  ashlar pause stop --for 2h --dev-account 0 contract 0x…\n  ashlar pause approve 1 --dev-account 1\n  ashlar pause approve 1 --dev-account 2\n  ashlar pause lift --dev-account 0 contract 0x…"
)]
pub struct PauseArgs {
    /// Whom it asks.
    #[command(flatten)]
    pub node: RpcArgs,
    /// What to do.
    #[command(subcommand)]
    pub command: PauseCommand,
}

/// What `ashlar pause` does.
#[derive(Debug, Subcommand)]
pub enum PauseCommand {
    /// All motions, the newest first
    List {
        /// Print a line of JSON for each
        #[arg(long)]
        json: bool,
    },
    /// A motion: its vote, and until when its subject is stopped
    Show {
        /// Its number
        motion: u64,
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Move to stop something for a time; your organization approves by that, and the others have a day to
    Stop {
        /// For how long from the last approval on, at most 7days: 30m, 2h, 1day
        #[arg(long = "for", value_name = "TIME", value_parser = seconds)]
        seconds: u32,
        /// Who.
        #[command(flatten)]
        signer: SignerArgs,
        /// What.
        #[command(subcommand)]
        subject: Stopped,
    },
    /// Move to end a pause before its time
    Lift {
        /// Who.
        #[command(flatten)]
        signer: SignerArgs,
        /// Of what.
        #[command(subcommand)]
        subject: Stopped,
    },
    /// Approve of a motion
    Approve {
        /// Its number
        motion: u64,
        /// Who.
        #[command(flatten)]
        signer: SignerArgs,
    },
}

/// What can be stopped.
#[derive(Clone, Copy, Debug, Subcommand)]
pub enum Stopped {
    /// The creation of contracts, by anybody
    Deployments,
    /// Calls of a contract, by anybody and from other contracts
    Contract {
        /// Its address
        address: Address,
    },
    /// All transactions of an organization's accounts, but to govern
    Organization {
        /// Its id: see ashlar member list
        id: B256,
    },
}

impl From<Stopped> for PauseSubject {
    fn from(subject: Stopped) -> Self {
        match subject {
            Stopped::Deployments => Self::Deployments {},
            Stopped::Contract { address } => Self::Contract { address },
            Stopped::Organization { id } => Self::Organization { id },
        }
    }
}

/// How long a pause takes.
fn seconds(text: &str) -> Result<u32, String> {
    let time = parse_duration(text)
        .map_err(|error| format!("{error}; times look like 30m, 2h or 1day"))?;
    match u32::try_from(time.as_secs()) {
        Ok(seconds @ 1..=SECONDS_MAX) if time.subsec_nanos() == 0 => Ok(seconds),
        _ => Err("a pause takes whole seconds, from 1s to 7days".to_owned()),
    }
}
