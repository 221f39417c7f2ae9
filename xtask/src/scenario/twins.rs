//! `cargo xtask scenario twins`: one validator's key in two places, by processes.
//!
//! Validator 0's folder is copied. While the original runs, the copy is started elsewhere: it must end and say why, and the
//! others go on. Then the original is killed for good and its folder restored from the copy, which is older than what it did:
//! the restored node must give up its share, say so, and follow the chain without signing.

use super::{
    network::{Network, Status, VALIDATORS, free_ports, kill},
    print,
    process::{Service, log},
    runtime,
    wire::Wire,
};
use crate::cargo;
use alloy_primitives::U64;
use anyhow::{Context as _, Result, ensure};
use serde::Serialize;
use serde_json::{Value, json};
use std::{
    collections::BTreeSet,
    fmt, fs,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

/// Options.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Whose folder is copied.
const VALIDATOR: u16 = 0;
/// How long the copy may take to end, and the restored node to be level.
const PATIENCE: Duration = Duration::from_secs(150);
/// How long the network runs before and after.
const WHILE: Duration = Duration::from_secs(8);

/// The figures.
#[derive(Debug, Default, Serialize)]
struct Report {
    ok: bool,
    /// Seconds until the copy ended.
    copy_ended_s: f64,
    /// What it said.
    copy_said: String,
    /// Blocks the network made meanwhile.
    blocks_beside_copy: u64,
    /// Seconds until the restored node gave its share up.
    share_erased_s: f64,
    /// Seconds until it was level with the others.
    level_s: f64,
    /// Blocks the others made beside it.
    blocks_beside_restored: u64,
    violations: Vec<String>,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "the copy ended after {:.1} s: {}",
            self.copy_ended_s, self.copy_said
        )?;
        writeln!(f, "blocks meanwhile: {}", self.blocks_beside_copy)?;
        write!(
            f,
            "the restored node gave its share up after {:.1} s and was level after {:.1} s; blocks beside it: {}",
            self.share_erased_s, self.level_s, self.blocks_beside_restored
        )?;
        for violation in &self.violations {
            write!(f, "\nVIOLATION: {violation}")?;
        }
        Ok(())
    }
}

/// Runs it. Whether the key was used once at a time.
pub(crate) fn run(args: &Args) -> Result<bool> {
    let program = cargo::product()?;
    let (mut network, _) = Network::start(&program, VALIDATORS)?;
    thread::sleep(WHILE);
    network.stop()?;
    let copies = network.dir().join("copies");
    fs::create_dir_all(&copies)?;
    let copy = Folder::copy(&network.validator(VALIDATOR), &copies.join("copy"))?;
    let backup = Folder::copy(&network.validator(VALIDATOR), &copies.join("backup"))?;
    network.leave_dead();
    let status = network.resume()?;
    let mut report = Report::default();
    let lived = runtime()?.block_on(live(&program, &status, &copy, &backup, &mut report));
    report.ok = lived.is_ok() && report.violations.is_empty();
    if !report.ok {
        eprintln!(
            "twins: {}\n{}\n{}",
            network.logs_tail(),
            copy.said(),
            backup.said()
        );
        eprintln!(
            "twins: the network's directory stays in {}",
            network.keep().display()
        );
    }
    lived?;
    print(&report, args.json)?;
    if report.ok {
        network.stop()?;
    }
    Ok(report.ok)
}

async fn live(
    program: &Path,
    status: &Status,
    copy: &Folder,
    backup: &Folder,
    report: &mut Report,
) -> Result<()> {
    let urls: Vec<&str> = status
        .validators
        .iter()
        .map(|each| each.rpc.as_str())
        .collect();
    let others = urls.get(1..).context("there are others")?;
    thread::sleep(WHILE);
    let before = height(urls[0]).await?;
    let begin = Instant::now();
    let mut running = Service::node(program, &copy.dir)?;
    let ended = loop {
        if let Some(ended) = running.ended()? {
            break ended;
        }
        ensure!(begin.elapsed() < PATIENCE, "the copy runs and runs");
        thread::sleep(Duration::from_millis(100));
    };
    report.copy_ended_s = begin.elapsed().as_secs_f64();
    let said = copy.said();
    let last = said.lines().rfind(|line| line.starts_with("error: "));
    report.copy_said = last.unwrap_or_default().to_owned();
    if ended.success() || !report.copy_said.contains("another process") {
        let text = format!("the copy ended with {ended} and does not say that there is another");
        report.violations.push(text);
    }
    let level = height(urls[0]).await?;
    report.blocks_beside_copy = level.saturating_sub(before);
    if report.blocks_beside_copy < 5 {
        report
            .violations
            .push("the network hardly went on beside the copy".to_owned());
    }
    agree(&urls, level, report).await?;

    let original = status.validators.first().context("a validator")?;
    kill(original.pid)?;
    let begin = Instant::now();
    let before = height(others[0]).await?;
    let _running = Service::node(program, &backup.dir)?;
    while !backup.said().contains("Its share is erased") {
        ensure!(
            begin.elapsed() < PATIENCE,
            "the restored node keeps its share"
        );
        thread::sleep(Duration::from_millis(100));
    }
    report.share_erased_s = begin.elapsed().as_secs_f64();
    let url = format!("http://127.0.0.1:{}", backup.rpc_port);
    loop {
        let ours = height(&url).await.unwrap_or_default();
        if ours > before && ours + 2 >= height(others[0]).await? {
            break;
        }
        ensure!(
            begin.elapsed() < PATIENCE,
            "the restored node does not follow"
        );
        thread::sleep(Duration::from_millis(200));
    }
    report.level_s = begin.elapsed().as_secs_f64();
    if !backup.said().contains("it cannot vote in this epoch") {
        report
            .violations
            .push("the restored node may vote".to_owned());
    }
    thread::sleep(WHILE);
    let level = height(&url).await?;
    report.blocks_beside_restored = level.saturating_sub(before);
    let mut all = others.to_vec();
    all.push(&url);
    agree(&all, level.saturating_sub(2), report).await
}

/// Compares the nodes' blocks at a height.
async fn agree(urls: &[&str], level: u64, report: &mut Report) -> Result<()> {
    let mut hashes = BTreeSet::new();
    for url in urls {
        let begin = Instant::now();
        while height(url).await? < level {
            ensure!(begin.elapsed() < PATIENCE, "{url} does not reach {level}");
            thread::sleep(Duration::from_millis(50));
        }
        let at = json!([U64::from(level), false]);
        let block: Value = Wire::open(url)
            .await?
            .call("eth_getBlockByNumber", at)
            .await?;
        hashes.insert(block["hash"].to_string());
    }
    if hashes.len() != 1 {
        report
            .violations
            .push(format!("a fork at block {level}: {hashes:?}"));
    }
    Ok(())
}

async fn height(url: &str) -> Result<u64> {
    let height: U64 = Wire::open(url)
        .await?
        .call("eth_blockNumber", json!([]))
        .await?;
    Ok(height.to())
}

/// A validator's folder, copied, with other ports.
struct Folder {
    dir: PathBuf,
    rpc_port: u16,
}

impl Folder {
    fn copy(from: &Path, to: &Path) -> Result<Self> {
        copy_tree(from, to)?;
        let file = to.join("node.toml");
        let ports = free_ports(2)?;
        let text = fs::read_to_string(&file)?;
        let mut listens = ports..;
        let lines = text
            .lines()
            .map(|line| match line.starts_with("listen = ") {
                true => format!(
                    "listen = \"127.0.0.1:{}\"\n",
                    listens.next().unwrap_or(ports)
                ),
                false => format!("{line}\n"),
            });
        fs::write(&file, lines.collect::<String>())?;
        let text = fs::read_to_string(&file)?;
        // Whichever section comes first.
        let rpc_first = text.find("[rpc]") < text.find("[p2p]");
        Ok(Self {
            dir: to.to_owned(),
            rpc_port: if rpc_first { ports } else { ports + 1 },
        })
    }

    /// Its log.
    fn said(&self) -> String {
        fs::read_to_string(log(&self.dir)).unwrap_or_default()
    }
}

fn copy_tree(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_tree(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), &target)?;
        }
    }
    Ok(())
}
