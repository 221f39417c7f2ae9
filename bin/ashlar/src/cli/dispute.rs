//! `ashlar dispute`: claims, answers and rulings.

use super::{RpcArgs, SignerArgs};
use crate::files;
use alloy_primitives::B256;
use clap::{Args, Subcommand};
use client::dispute::DisputeSubject;
use std::path::Path;

/// `ashlar dispute`.
#[derive(Debug, Args)]
#[command(
    after_help = "One organization claims something against another, which answers; the rest vote; who is found at fault makes good by a new\ntransaction. Nothing on the chain is ever changed by it. Documents stay off the chain: a DOCUMENT is a hash, 32 bytes in hex, or\n@FILE for the SHA-256 of a file (docs/governance.md).\n\nTry it on a network of `ashlar up`, with the id of an organization from `ashlar member list`:\n  ashlar dispute claim --dev-account 0 --against 0x… --evidence @photo.jpg record 0x…\n  ashlar dispute answer 1 @reply.pdf --dev-account 1\n  ashlar dispute uphold 1 --dev-account 2\n  ashlar dispute uphold 1 --dev-account 3\n  ashlar dispute show 1"
)]
pub struct DisputeArgs {
    /// Whom it asks.
    #[command(flatten)]
    pub node: RpcArgs,
    /// What to do.
    #[command(subcommand)]
    pub command: DisputeCommand,
}

/// What `ashlar dispute` does.
#[derive(Debug, Subcommand)]
pub enum DisputeCommand {
    /// All disputes, the newest first
    List {
        /// Print a line of JSON for each
        #[arg(long)]
        json: bool,
    },
    /// A dispute: claim, evidence, answer, vote, and what became of it
    Show {
        /// Its number
        dispute: u64,
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Claim something against another organization
    Claim {
        /// The id of that organization: see ashlar member list
        #[arg(long, value_name = "ORGANIZATION")]
        against: B256,
        /// The evidence
        #[arg(long, value_name = "DOCUMENT", value_parser = document)]
        evidence: B256,
        /// Who.
        #[command(flatten)]
        signer: SignerArgs,
        /// What about.
        #[command(subcommand)]
        subject: Disputed,
    },
    /// Add evidence, as one of the two parties, until the claim is ruled upon
    AddEvidence {
        /// The dispute's number
        dispute: u64,
        /// The evidence
        #[arg(value_parser = document)]
        document: B256,
        /// Who.
        #[command(flatten)]
        signer: SignerArgs,
    },
    /// Answer a claim against your organization; the others vote from then on
    Answer {
        /// The dispute's number
        dispute: u64,
        /// The answer
        #[arg(value_parser = document)]
        document: B256,
        /// Who.
        #[command(flatten)]
        signer: SignerArgs,
    },
    /// Vote that the claim is right, as an organization that is no party, once and for all
    Uphold {
        /// The dispute's number
        dispute: u64,
        /// Who.
        #[command(flatten)]
        signer: SignerArgs,
    },
    /// Vote that it is not, once and for all
    Dismiss {
        /// The dispute's number
        dispute: u64,
        /// Who.
        #[command(flatten)]
        signer: SignerArgs,
    },
    /// Withdraw a claim of your organization, until it is ruled upon
    Withdraw {
        /// The dispute's number
        dispute: u64,
        /// Who.
        #[command(flatten)]
        signer: SignerArgs,
    },
    /// Name the transaction by which your organization makes good what was found against it, once and for all
    Compensate {
        /// The dispute's number
        dispute: u64,
        /// The hash of that transaction
        transaction: B256,
        /// Who.
        #[command(flatten)]
        signer: SignerArgs,
    },
}

/// What a claim is about.
#[derive(Clone, Copy, Debug, Subcommand)]
pub enum Disputed {
    /// A record
    Record {
        /// Its id
        id: B256,
    },
    /// A transaction
    Transaction {
        /// Its hash
        hash: B256,
    },
}

impl From<Disputed> for DisputeSubject {
    fn from(subject: Disputed) -> Self {
        match subject {
            Disputed::Record { id } => Self::Record { id },
            Disputed::Transaction { hash } => Self::Transaction { hash },
        }
    }
}

/// The hash of a document that is given by it, or by the file.
fn document(text: &str) -> Result<B256, String> {
    if let Some(file) = text.strip_prefix('@') {
        let digest = files::sha256(Path::new(file));
        return digest
            .map(Into::into)
            .map_err(|error| format!("{file} cannot be read: {error}"));
    }
    text.parse().map_err(|_| {
        "a document is given by its hash, 32 bytes in hex, or as @FILE for the SHA-256 of a file"
            .to_owned()
    })
}
