//! `cargo xtask scenario bombs`: what a greedy client asks of a node is refused in words, and the others do not feel it.
//!
//! Honest clients ask at a steady rate, all the time. A greedy one drops each bomb as fast as it is answered, for some
//! seconds in all, with as many seconds of quiet between. Each bomb must get a typed error; the node's memory may not grow;
//! and the 99th percentile of what honest clients wait, bombed, is compared with that in the quiet.
//!
//! A machine that others use stalls for some tens of milliseconds now and then, in the quiet as under a bomb; a percentile of a
//! few seconds then says nothing of the node. So a bomb that is over the bound is dropped once more, and is a violation only if
//! it is over it again: a node that does suffer does so each time. Both measurements are shown.

mod bomb;
mod honest;

use super::{
    network::{Network, Status},
    print, runtime,
    usage::resident,
};
use crate::cargo;
use anyhow::{Context as _, Result, ensure};
use bomb::{Answers, Bomb};
use honest::Waits;
use rustix::{process::nice, thread::gettid};
use serde::Serialize;
use std::{fmt, process::Command, sync::Arc, thread, time::Duration};
use tokio::{
    runtime::Runtime,
    sync::oneshot,
    time::{Instant, sleep},
};

/// Options.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    /// Seconds for which each bomb is dropped, and of quiet between
    #[arg(long, value_name = "S", default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=600))]
    seconds: u64,
    /// Validators of the network; all honest clients and bombs are at the first
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=16))]
    validators: u16,
    /// Fail if the honest clients' p99 grows by more than this factor, twice
    #[arg(long, value_name = "X", default_value_t = 1.5)]
    slower_max: f64,
}

/// How much the node's memory may grow under any bomb.
const GROWTH_MAX: u64 = 128 << 20;
/// Parts of a bomb's time, with as much quiet before each.
const ROUNDS: u32 = 5;
/// How often its memory is looked at.
const LOOK: Duration = Duration::from_millis(5);

/// The figures.
#[derive(Debug, Serialize)]
struct Report {
    ok: bool,
    bombs: Vec<Dropped>,
    violations: Vec<String>,
}

/// What one bomb did.
#[derive(Debug, Serialize)]
struct Dropped {
    bomb: &'static str,
    /// Whether this is the second measurement, because the first was over the bound.
    again: bool,
    /// How often it was answered.
    count: usize,
    /// The first answer: HTTP status, JSON-RPC code, message.
    answer: String,
    quiet_p50_ms: f64,
    quiet_p99_ms: f64,
    p50_ms: f64,
    p99_ms: f64,
    /// `p99_ms / quiet_p99_ms`.
    slower: f64,
    /// Most the node's resident memory was above that before the bomb, in bytes.
    growth: u64,
}

/// Runs it. Whether nobody was hurt.
pub(crate) fn run(args: &Args) -> Result<bool> {
    let program = cargo::product()?;
    let (mut network, status) = Network::start(&program, args.validators)?;
    let report = runtime()?.block_on(drop_all(args, &status))?;
    print(&report, args.json)?;
    network.stop()?;
    Ok(report.ok)
}

async fn drop_all(args: &Args, status: &Status) -> Result<Report> {
    let target = status.validators.first().context("there is no validator")?;
    let key = &status.accounts.first().context("nobody has money")?;
    let bombs = bomb::all(target.rpc.as_str(), &key.private_key).await?;
    let mut report = Report {
        ok: false,
        bombs: Vec::new(),
        violations: Vec::new(),
    };
    for bomb in bombs.into_iter().map(Arc::new) {
        let measure = async |again| {
            let dropped = drop_one(args, target.rpc.as_str(), target.pid, &bomb, again).await;
            dropped.with_context(|| format!("bomb {}", bomb.name))
        };
        let mut measured = vec![measure(false).await?];
        if measured
            .iter()
            .all(|dropped| dropped.slower > args.slower_max)
        {
            measured.push(measure(true).await?);
        }
        let slower = measured.iter().map(|dropped| dropped.slower);
        let slower = slower.fold(f64::INFINITY, f64::min);
        if slower > args.slower_max {
            report.violations.push(format!(
                "{}: twice others waited at least {slower:.2} times as long",
                bomb.name
            ));
        }
        let growth = measured.iter().map(|dropped| dropped.growth).max();
        let growth = growth.unwrap_or_default();
        if growth >= GROWTH_MAX {
            report.violations.push(format!(
                "{}: memory grew by {} MiB",
                bomb.name,
                growth >> 20
            ));
        }
        report.bombs.extend(measured);
    }
    report.ok = report.violations.is_empty();
    Ok(report)
}

async fn drop_one(
    args: &Args,
    rpc: &str,
    pid: u32,
    bomb: &Arc<Bomb>,
    again: bool,
) -> Result<Dropped> {
    let round = Duration::from_secs(args.seconds) / ROUNDS;
    let (mut quiet, mut bombed) = (Waits::default(), Waits::default());
    let mut answers = Answers::default();
    let mut growth = 0;
    // In turns: the machine is not as fast in one minute as in the next.
    for _ in 0..ROUNDS {
        quiet.add(ask_elsewhere(rpc.to_owned(), round).await?);
        let before = resident(pid)?;
        let (waits, answered, grown) = tokio::try_join!(
            ask_elsewhere(rpc.to_owned(), round),
            drop_elsewhere(Arc::clone(bomb), rpc.to_owned(), round),
            grown(pid, before, round),
        )?;
        bombed.add(waits);
        answers.add(answered);
        growth = growth.max(grown);
    }
    let [quiet_p50, quiet_p99] = [quiet.percentile(50), quiet.percentile(99)];
    let [p50, p99] = [bombed.percentile(50), bombed.percentile(99)];
    Ok(Dropped {
        bomb: bomb.name,
        again,
        count: answers.count,
        answer: answers.first,
        quiet_p50_ms: ms(quiet_p50),
        quiet_p99_ms: ms(quiet_p99),
        p50_ms: ms(p50),
        p99_ms: ms(p99),
        slower: p99.as_secs_f64() / quiet_p99.as_secs_f64(),
        growth,
    })
}

/// Drops a bomb from a thread that gives way to all others: a greedy client is another machine, and what it works itself is
/// not to be felt.
async fn drop_elsewhere(bomb: Arc<Bomb>, rpc: String, phase: Duration) -> Result<Answers> {
    elsewhere(move |runtime| {
        step_back()?;
        runtime.block_on(bomb.drop_for(&rpc, phase))
    })
    .await
}

/// Asks from a thread that goes before all others, if the system allows it: an honest client is another machine too, and its
/// own wait for a processor is not the node's.
async fn ask_elsewhere(rpc: String, phase: Duration) -> Result<Waits> {
    elsewhere(move |runtime| {
        if nice(-15).is_err() {
            eprintln!("no right to a higher priority: waits for a processor count too");
        }
        runtime.block_on(honest::ask_for(&rpc, phase))
    })
    .await
}

/// Works on a thread and a runtime of its own.
async fn elsewhere<T: Send + 'static>(
    work: impl FnOnce(&Runtime) -> Result<T> + Send + 'static,
) -> Result<T> {
    let (done, worked) = oneshot::channel();
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        // Whoever waited may have failed.
        let _ = done.send(
            runtime
                .map_err(Into::into)
                .and_then(|runtime| work(&runtime)),
        );
    });
    worked.await?
}

/// Lets this thread run only when a processor has nothing else to do.
fn step_back() -> Result<()> {
    let thread = gettid().as_raw_nonzero().to_string();
    let stepped = Command::new("chrt")
        .args(["--idle", "--pid", "0", &thread])
        .status();
    ensure!(
        stepped.context("chrt (util-linux)")?.success(),
        "chrt failed"
    );
    Ok(())
}

/// The most by which a process is above `before` bytes during a time.
async fn grown(pid: u32, before: u64, lasts: Duration) -> Result<u64> {
    let end = Instant::now() + lasts;
    let mut most = 0;
    while Instant::now() < end {
        most = most.max(resident(pid)?.saturating_sub(before));
        sleep(LOOK).await;
    }
    Ok(most)
}

fn ms(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e6).round() / 1e3
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:<16} {:>7} {:>9} {:>9} {:>7} {:>9}  first answer",
            "bomb", "dropped", "quiet p99", "p99", "ratio", "memory"
        )?;
        for dropped in &self.bombs {
            writeln!(
                f,
                "{:<16} {:>7} {:>6.2} ms {:>6.2} ms {:>7.2} {:>5} MiB  {}",
                if dropped.again {
                    "  once more"
                } else {
                    dropped.bomb
                },
                dropped.count,
                dropped.quiet_p99_ms,
                dropped.p99_ms,
                dropped.slower,
                dropped.growth >> 20,
                dropped.answer
            )?;
        }
        for violation in &self.violations {
            writeln!(f, "VIOLATION        {violation}")?;
        }
        write!(f, "verdict          violations {}", self.violations.len())
    }
}
