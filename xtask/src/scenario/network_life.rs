//! The life of a network between organizations, with one process for each node and nothing shared between them but cards and
//! passports: founded by its ceremony, one organization let in and one gone by vote, grown to seven validators and back to
//! four, under load. A receipt from its first minute must verify at the end, with the same identity.

use super::{
    consortium::{
        EPOCH_BLOCKS, Load, TIMELOCK, World, dev_account, height, record, rpc, text, until_height,
    },
    print, runtime,
    wire::Wire,
};
use crate::cargo;
use anyhow::{Result, bail};
use serde::Serialize;
use std::{fmt, fs, time::Instant};

/// What the issue allows between two final blocks: the timeout of a view, which is the idle interval and two seconds.
const GAP_MS_MAX: u64 = 3_000;
/// `cargo xtask scenario network-life`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Longest time between two final blocks that passes, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = GAP_MS_MAX)]
    gap_ms_max: u64,
    /// Print one line of JSON
    #[arg(long)]
    json: bool,
}

/// What it showed.
#[derive(Debug, Default, Serialize)]
struct Report {
    /// The network's key.
    identity: String,
    /// Seconds until the ceremony was over at all founders.
    ceremony_s: f64,
    /// What was done, and the seconds it took until it held.
    steps: Vec<(String, f64)>,
    /// Epochs passed.
    epochs: u64,
    /// Blocks made.
    blocks: u64,
    /// Transactions that clients sent, all of them final.
    transactions: u64,
    /// Longest time between two final blocks, as a node saw them.
    gap_ms_max: u64,
    /// Longest time a client waited for its transaction.
    wait_ms_max: u64,
    /// What should not have happened.
    violations: Vec<String>,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "ceremony of four: {:.1} s", self.ceremony_s)?;
        for (step, seconds) in &self.steps {
            writeln!(f, "{step}: {seconds:.1} s")?;
        }
        write!(
            f,
            "{} epochs, {} blocks, {} transactions; longest time between two blocks {} ms, for one transaction {} ms",
            self.epochs, self.blocks, self.transactions, self.gap_ms_max, self.wait_ms_max
        )?;
        for violation in &self.violations {
            write!(f, "\nVIOLATION: {violation}")?;
        }
        Ok(())
    }
}

/// Runs it. Whether it passed.
pub(crate) fn run(args: &Args) -> Result<bool> {
    let program = cargo::product()?;
    let home = tempfile::Builder::new().prefix("ashlar-life-").tempdir()?;
    let mut world = World::new(&program, home.path().to_owned());
    let lived = runtime()?.block_on(live(&mut world, args.gap_ms_max));
    let report = match lived {
        Ok(report) => report,
        Err(error) => {
            let logs = world.logs_tail();
            drop(world);
            let kept = home.keep();
            bail!("{error:#}\n{logs}\nwhat it left is in {}", kept.display());
        }
    };
    print(&report, args.json)?;
    Ok(report.violations.is_empty())
}

async fn live(world: &mut World, gap_ms_max: u64) -> Result<Report> {
    let mut report = Report::default();
    (report.identity, report.ceremony_s) = world.found(&[
        "--name",
        "life",
        "--chain-id",
        "7001",
        "--dev",
        "--open",
        "--timelock",
        &TIMELOCK.to_string(),
    ])?;
    for host in 2..6 {
        until_height(host, 2).await?;
    }
    let identity = report.identity.clone();
    let gamma = rpc(world.host("gamma")?);
    let gateway = world.gateway("gamma")?;
    let first = record(&gateway, "the first fact").await?;
    // Those that stay to the end.
    let load = Load::start(&[world.host("gamma")?, world.host("delta")?]).await?;

    let begin = Instant::now();
    let epsilon = dev_account(4)?.address();
    let organization = epsilon.into_word().to_string();
    let action = [
        "add-organization",
        &organization,
        "epsilon",
        &epsilon.to_string(),
        "2",
    ];
    world.decide(1, &[0, 1, 2, 3], &action).await?;
    world.join("epsilon", 6, &identity)?;
    world.set_node(4, "epsilon", "validator")?;
    world
        .until_sign(&["acme", "beta", "gamma", "delta", "epsilon"])
        .await?;
    let took = begin.elapsed().as_secs_f64();
    report.steps.push((
        "a fifth organization in by vote, its node signs".to_owned(),
        took,
    ));

    let begin = Instant::now();
    let acme = dev_account(0)?.address().into_word().to_string();
    world
        .decide(2, &[1, 2, 3, 4], &["remove-organization", &acme])
        .await?;
    world
        .until_sign(&["beta", "gamma", "delta", "epsilon"])
        .await?;
    world.stop("acme")?;
    let took = begin.elapsed().as_secs_f64();
    report.steps.push((
        "the first organization out by vote, its node stopped".to_owned(),
        took,
    ));

    let begin = Instant::now();
    let more = [("beta-2", 7, 1), ("gamma-2", 8, 2), ("delta-2", 9, 3)];
    for (name, host, administrator) in more {
        world.join(name, host, &identity)?;
        world.set_node(administrator, name, "validator")?;
    }
    let seven = [
        "beta", "gamma", "delta", "epsilon", "beta-2", "gamma-2", "delta-2",
    ];
    world.until_sign(&seven).await?;
    let took = begin.elapsed().as_secs_f64();
    report.steps.push(("seven sign".to_owned(), took));

    let begin = Instant::now();
    for (name, _, administrator) in more {
        world.leave(administrator, name, &["--no-wait"])?;
    }
    // Again, to wait.
    let (name, _, administrator) = more[0];
    world.leave(administrator, name, &[])?;
    world
        .until_sign(&["beta", "gamma", "delta", "epsilon"])
        .await?;
    for (name, ..) in more {
        world.stop(name)?;
    }
    let took = begin.elapsed().as_secs_f64();
    report
        .steps
        .push(("four sign again, three nodes stopped".to_owned(), took));

    let last = record(&gateway, "the last fact").await?;
    let mut wire = Wire::open(&gamma).await?;
    let felt = load.stop().await?;
    report.transactions = felt.transactions;
    report.wait_ms_max = felt.wait_ms_max;
    report.gap_ms_max = felt.gap_ms_max;
    report.blocks = height(&mut wire).await?;
    report.epochs = report.blocks / EPOCH_BLOCKS;
    for (name, receipt) in [("first", first), ("last", last)] {
        let file = world.home.join(name).with_extension("receipt.json");
        fs::write(&file, receipt)?;
        if let Err(error) = world.ashlar(&["verify", text(&file)?, "--identity", &identity]) {
            report
                .violations
                .push(format!("the {name} receipt: {error:#}"));
        }
    }
    let hashes = world.hashes_at(report.blocks).await?;
    if hashes.len() != 1 {
        report.violations.push(format!("nodes differ: {hashes:?}"));
    }
    if report.gap_ms_max > gap_ms_max {
        report.violations.push(format!(
            "{} ms between two final blocks, allowed are {gap_ms_max}",
            report.gap_ms_max
        ));
    }
    Ok(report)
}
