//! `ashlar stake`: bonds.

use super::{RpcArgs, SignerArgs};
use alloy_primitives::{
    B256, U256,
    utils::{ParseUnits, parse_units},
};
use clap::{Args, Subcommand};

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
pub(super) fn amount(text: &str) -> Result<U256, String> {
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
