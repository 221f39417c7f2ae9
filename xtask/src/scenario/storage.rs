//! `cargo xtask scenario storage`: disks that fill up and files that get damaged, under a running network.
//!
//! First a validator's disk fills up while clients record, then the gateway's: each must say so and be itself again
//! when there is space. Then files are damaged, one in each round, while everything is off: whoever owns the file must
//! refuse to start and say why, or go on with nothing changed. No answer may ever be a wrong one, and every promise made
//! must be kept.

mod damage;
mod disk;

use super::{
    judge::{Judged, judge},
    load::Load,
    network::{Network, VALIDATORS},
    print, runtime,
};
use crate::cargo;
use anyhow::Result;
use damage::Round;
use disk::FullDisks;
use serde::Serialize;
use std::{collections::BTreeMap, fmt, time::Duration};

/// Options.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    /// How many files are damaged, one after the other
    #[arg(long, value_name = "N", default_value_t = 20)]
    damages: u32,
    /// Seed of what is damaged how, and of what is recorded [default: random, printed]
    #[arg(long, value_name = "S")]
    seed: Option<u64>,
    /// We may mount file systems: said to itself by the scenario, in a mount namespace of its own
    #[arg(long, hide = true)]
    may_mount: bool,
}

/// The figures.
#[derive(Debug, Serialize)]
struct Report {
    ok: bool,
    seed: u64,
    /// None if this system lets us make no small disk.
    full_disks: Option<FullDisks>,
    acknowledged: usize,
    #[serde(rename = "final")]
    finalized: usize,
    lost: usize,
    doubled: usize,
    outcomes: BTreeMap<&'static str, usize>,
    rounds: Vec<Round>,
    violations: Vec<String>,
}

/// Time for everything acknowledged to become final.
const SETTLE_TIMEOUT: Duration = Duration::from_secs(120);

/// Runs it. Whether everything was said, healed and kept.
pub(crate) fn run(args: &Args) -> Result<bool> {
    let seed = args.seed.unwrap_or_else(rand::random);
    if !args.may_mount && disk::can_isolate() {
        return disk::run_isolated(args, seed);
    }
    eprintln!("storage: seed {seed}");
    let program = cargo::product()?;
    let mut report = Report {
        ok: false,
        seed,
        full_disks: None,
        acknowledged: 0,
        finalized: 0,
        lost: 0,
        doubled: 0,
        outcomes: BTreeMap::new(),
        rounds: Vec::new(),
        violations: Vec::new(),
    };
    if args.may_mount {
        let mut network = Network::new(&program, VALIDATORS)?;
        disk::mount(&network)?;
        let status = network.resume()?;
        let (full, judged) = runtime()?.block_on(async {
            let load = Load::start(&status, seed)?;
            let full = disk::fill_up(&network, &load).await;
            let book = load.finish(SETTLE_TIMEOUT).await?;
            let judged = judge(&network.status()?, &status.identity, book).await?;
            anyhow::Ok((full, judged))
        })?;
        match full {
            Ok(full) => report.full_disks = Some(full),
            Err(error) => report.violations.push(format!("full disk: {error:#}")),
        }
        report.add(judged);
        if report.violations.is_empty() {
            network.stop()?;
        } else {
            eprintln!("storage: logs of the full disks:\n{}", network.logs_tail());
        }
    } else {
        eprintln!(
            "storage: WARNING: this system lets us mount nothing (unshare --user --mount): full disks are NOT checked"
        );
    }

    let (mut network, status) = Network::start(&program, VALIDATORS)?;
    let runtime = runtime()?;
    let (judged, receipts) = runtime.block_on(async {
        let load = Load::start(&status, seed)?;
        tokio::time::sleep(Duration::from_secs(3)).await;
        let book = load.finish(SETTLE_TIMEOUT).await?;
        let receipts = damage::receipts(&book)?;
        let judged = judge(&network.status()?, &status.identity, book).await?;
        anyhow::Ok((judged, receipts))
    })?;
    report.add(judged);
    let damaged = damage::rounds(&runtime, &mut network, &receipts, seed, args.damages);
    match damaged {
        Ok(rounds) => report.rounds = rounds,
        Err(error) => report.violations.push(format!("damage: {error:#}")),
    }
    for round in &report.rounds {
        *report.outcomes.entry(round.outcome.name()).or_default() += 1;
        report.violations.extend(round.violation());
    }
    report.ok = report.violations.is_empty();
    print(&report, args.json)?;
    Ok(report.ok)
}

impl Report {
    fn add(&mut self, judged: Judged) {
        self.acknowledged += judged.acknowledged;
        self.finalized += judged.finalized;
        self.lost += judged.lost;
        self.doubled += judged.doubled;
        self.violations.extend(judged.violations);
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "seed            {}", self.seed)?;
        if let Some(full) = &self.full_disks {
            writeln!(f, "full disk       {full}")?;
        }
        for round in &self.rounds {
            writeln!(f, "damage          {round}")?;
        }
        let outcomes: Vec<String> = self
            .outcomes
            .iter()
            .map(|(outcome, count)| format!("{count} {outcome}"))
            .collect();
        writeln!(f, "damages         {}", outcomes.join(", "))?;
        writeln!(
            f,
            "records         {} acknowledged, {} final",
            self.acknowledged, self.finalized
        )?;
        for violation in self.violations.iter().take(20) {
            writeln!(f, "VIOLATION       {violation}")?;
        }
        write!(
            f,
            "verdict         lost {}, doubled {}, violations {}",
            self.lost,
            self.doubled,
            self.violations.len()
        )
    }
}
