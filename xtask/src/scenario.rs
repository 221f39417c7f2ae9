//! Long tests with real processes.

mod bombs;
mod clients;
mod consortium;
mod epcis;
mod judge;
mod kills;
mod ledger;
mod load;
mod network;
mod network_life;
mod process;
mod quorum;
mod reads;
mod rebirth;
mod sender;
mod state_sync;
mod storage;
mod twins;
mod usage;
mod wire;

use anyhow::Result;
use clap::Subcommand;
use serde::Serialize;
use std::fmt::Display;

/// The scenarios.
#[derive(Debug, Subcommand)]
pub(crate) enum Scenario {
    /// Kill validators and the gateway at random while clients record; count what was lost or doubled
    Kills(kills::Args),
    /// Fill disks and damage files under a running network; it must say so, heal, and keep every promise
    Storage(storage::Args),
    /// Ask a node for far too much; it must refuse in words, not grow, and keep answering the others
    Bombs(bombs::Args),
    /// Measure what reads cost a node in CPU, on a chain of any length
    Reads(reads::Args),
    /// Run unmodified Ethereum clients (tests/clients) against one validator and against four
    Clients(clients::Args),
    /// Found a network of four organizations by its ceremony, let one in and one go by vote, grow to seven validators and back
    NetworkLife(network_life::Args),
    /// Kill as many of four validators as makes the network halt, and time its return in every order of restarts
    Quorum(quorum::Args),
    /// Let a node join a long chain by taking the state from the others, and time it
    StateSync(state_sync::Args),
    /// Found a network with the exported state of another, and hold it against what was
    Rebirth(rebirth::Args),
    /// Start a copy of a running validator, then restore it from a backup: neither may sign
    Twins(twins::Args),
    /// Record every GS1 EPCIS example event and verify its receipt
    Epcis(epcis::Args),
}

/// Runs one. Whether it passed.
pub(crate) fn run(scenario: Scenario) -> Result<bool> {
    match scenario {
        Scenario::Kills(args) => kills::run(&args),
        Scenario::Storage(args) => storage::run(&args),
        Scenario::Bombs(args) => bombs::run(&args),
        Scenario::Reads(args) => reads::run(&args),
        Scenario::Clients(args) => clients::run(&args),
        Scenario::NetworkLife(args) => network_life::run(&args),
        Scenario::Quorum(args) => quorum::run(&args),
        Scenario::StateSync(args) => state_sync::run(&args),
        Scenario::Rebirth(args) => rebirth::run(&args),
        Scenario::Twins(args) => twins::run(&args),
        Scenario::Epcis(args) => epcis::run(&args),
    }
}

/// Prints what a scenario showed: for programs one line of JSON, for people the text.
fn print(report: &(impl Serialize + Display), json: bool) -> Result<()> {
    if json {
        println!("{}", serde_json::to_string(report)?);
    } else {
        println!("{report}");
    }
    Ok(())
}

/// The runtime a scenario's own clients run on.
fn runtime() -> Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?)
}
