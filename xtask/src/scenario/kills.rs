//! `cargo xtask scenario kills`: nothing acknowledged is lost or doubled, whatever is killed.
//!
//! ```text
//! plan (seed) ──► faults ── kill -9 ──► four validators and a gateway ◄── records ── load (clients)
//!                   └── a probe for each kill ────────►│                                │
//!                                                      ▼                                ▼
//!                              judge: receipts verified offline, the chain itself, what was promised
//! ```
//!
//! Clients retry a key until it is acknowledged, and then until it is final; some keys are posted by two clients at
//! once. A 2xx reply is a promise. At the end each promised record must have one receipt, always the same bytes, that
//! verifies against the network's identity and holds what was posted, and the chain must hold its claim exactly once.

mod faults;
mod plan;
mod report;

use super::{
    judge::judge,
    load::Load,
    network::{Network, VALIDATORS},
    {print, runtime},
};
use crate::cargo;
use anyhow::Result;
use plan::Plan;
use report::Report;
use std::time::{Duration, Instant};

/// Options.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    /// How often something is killed
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    kills: u32,
    /// Seconds in which the kills must be done; what was acknowledged then has two minutes more to become final
    #[arg(long, value_name = "S", default_value_t = 1_800)]
    seconds_max: u64,
    /// Seed of what is killed when, and of what is recorded [default: random, printed]
    #[arg(long, value_name = "S")]
    seed: Option<u64>,
}

/// Time for everything acknowledged to become final after the last kill.
const SETTLE_TIMEOUT: Duration = Duration::from_secs(120);

/// Runs it. Whether nothing was lost or doubled.
pub(crate) fn run(args: &Args) -> Result<bool> {
    let seed = args.seed.unwrap_or_else(rand::random);
    eprintln!("kills: seed {seed}, {} kills", args.kills);
    let plan = Plan::new(seed, args.kills);
    let program = cargo::product()?;
    let (mut network, status) = Network::start(&program, VALIDATORS)?;
    let report = runtime()?.block_on(async {
        let begin = Instant::now();
        let deadline = begin + Duration::from_secs(args.seconds_max);
        let load = Load::start(&status, seed)?;
        let struck = faults::strike(&mut network, &plan, &load, deadline).await;
        let book = load.finish(SETTLE_TIMEOUT).await?;
        let seconds = begin.elapsed().as_secs_f64();
        let judged = judge(&network.status()?, &status.identity, book).await?;
        anyhow::Ok(Report::new(seed, seconds, struck, judged))
    });
    let passed = report.as_ref().is_ok_and(|report| report.ok);
    if !passed {
        eprintln!(
            "kills: the network's directory stays in {}",
            network.keep().display()
        );
    }
    let report = report?;
    print(&report, args.json)?;
    if passed {
        network.stop()?;
    }
    Ok(passed)
}
