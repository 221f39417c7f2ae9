//! Development tasks: `cargo xtask --help`.
//!
//! Scenarios run the product as its users do, in processes of its own, and judge it from outside: by what it answers,
//! by what its chain holds, and by receipts verified offline. Nothing here is linked by the product.

mod cargo;
mod layers;
mod scenario;

use clap::{Parser, Subcommand};
use scenario::Scenario;
use std::process::ExitCode;

/// Development tasks.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Compare the dependencies between our crates with the table in ARCHITECTURE.md
    Layers,
    /// Run one of the long tests with real processes: exit 0 passed, 1 failed
    #[command(subcommand)]
    Scenario(Scenario),
}

fn main() -> ExitCode {
    let done = match Cli::parse().task {
        Task::Layers => layers::run(),
        Task::Scenario(scenario) => scenario::run(scenario),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
