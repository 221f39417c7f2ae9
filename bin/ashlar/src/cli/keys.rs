//! `ashlar keys`: keys of accounts, in encrypted files.

use clap::{Args, Subcommand};
use keys::keystore::Name;
use std::path::PathBuf;

/// `ashlar keys`.
#[derive(Debug, Args)]
#[command(
    after_help = "A key is a file D/NAME.json, encrypted with a password (Web3 Secret Storage, version 3), which geth, Foundry and other programs\nread too. A password is read from a file that only you can read, never from an argument or the environment, where others see it.\n\nMake a password, and a key under it:\n  (umask 077; head -c 24 /dev/urandom | base64 > relayer.password)\n  ashlar keys create relayer --password-file relayer.password\nSee what there is, and whether a password opens it:\n  ashlar keys list\n  ashlar keys show relayer --password-file relayer.password\nTake over a key from another program, by its keystore file or by the key itself in a file:\n  ashlar keys import admin --keystore UTC--2026-… --old-password-file geth.password --password-file admin.password\n  ashlar keys import admin --key-file admin.hex --password-file admin.password\n\nA key that is lost, or whose password is, is lost for good: back up both, in different places (docs/keys.md)."
)]
pub struct KeysArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: KeysCommand,
}

/// Where keys are.
#[derive(Debug, Args)]
pub struct KeysDirArgs {
    /// The folder of the keys; made if it is not there, for you alone
    #[arg(long, value_name = "D", default_value = "keys")]
    pub dir: PathBuf,
}

/// What `ashlar keys` does.
#[derive(Debug, Subcommand)]
pub enum KeysCommand {
    /// Make a new key, and print its address
    Create {
        /// What it is called: 1 to 64 of a-z, 0-9 and . _ -
        name: Name,
        /// Where.
        #[command(flatten)]
        dir: KeysDirArgs,
        /// A file that only you can read, with a password of 12 bytes or more
        #[arg(long, value_name = "FILE")]
        password_file: PathBuf,
    },
    /// Take over a key of another program, and print its address. What it is taken from stays as it is
    Import {
        /// What it is called here: 1 to 64 of a-z, 0-9 and . _ -
        name: Name,
        /// Where.
        #[command(flatten)]
        dir: KeysDirArgs,
        /// A file that only you can read, with the private key in hex. Erase it when you have tried the import
        #[arg(
            long,
            value_name = "FILE",
            required_unless_present = "keystore",
            conflicts_with = "keystore"
        )]
        key_file: Option<PathBuf>,
        /// A keystore file of another program, version 3
        #[arg(long, value_name = "FILE", requires = "old_password_file")]
        keystore: Option<PathBuf>,
        /// A file that only you can read, with the password of that keystore
        #[arg(long, value_name = "FILE", requires = "keystore")]
        old_password_file: Option<PathBuf>,
        /// A file that only you can read, with the password it gets here, of 12 bytes or more
        #[arg(long, value_name = "FILE")]
        password_file: PathBuf,
    },
    /// All keys by name, with the addresses that their files name; no password is needed
    List {
        /// Where.
        #[command(flatten)]
        dir: KeysDirArgs,
        /// Print one JSON array
        #[arg(long)]
        json: bool,
    },
    /// One key; with its password, whether that opens it and the address is true. The private key is never printed
    Show {
        /// What it is called
        name: Name,
        /// Where.
        #[command(flatten)]
        dir: KeysDirArgs,
        /// A file that only you can read, with its password
        #[arg(long, value_name = "FILE")]
        password_file: Option<PathBuf>,
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
}
