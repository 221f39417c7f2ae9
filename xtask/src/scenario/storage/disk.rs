//! Disks that are full: file systems of a few megabytes under a validator and under the gateway, and a file that takes
//! all that is left.

use super::Args;
use crate::scenario::{
    load::Load,
    network::{Network, Status},
};
use alloy_primitives::U64;
use anyhow::{Context as _, Result, ensure};
use client::{gateway::Gateway, rpc::Nodes};
use serde::Serialize;
use std::{
    env, fmt,
    fs::{self, File},
    io::{ErrorKind, Write as _},
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};
use tokio::time::{sleep, timeout};

/// The validator whose disk is small.
const VICTIM: u16 = 2;
/// Size of the disks: what a run writes in a minute is far less.
const SIZE: &str = "size=96m,mode=0700";
/// How long anything may take before it counts as broken.
const TIMEOUT: Duration = Duration::from_secs(60);
/// The longest time to the next final record while a validator is down, as in scenario `kills`.
const NEXT_FINAL_MAX: Duration = Duration::from_secs(5);
const POLL: Duration = Duration::from_millis(50);

/// What full disks led to.
#[derive(Debug, Serialize)]
pub(super) struct FullDisks {
    /// What the validator said as it ended.
    validator_said: String,
    /// Time until a record posted while it was down was final.
    next_final_ms: u128,
    /// Time from space to the validator's being back at the head.
    validator_back_ms: u128,
    /// What the gateway answered.
    gateway_said: String,
    /// Time from space to the next final record.
    gateway_back_ms: u128,
}

impl fmt::Display for FullDisks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "validator: {}", self.validator_said)?;
        writeln!(
            f,
            "                next final {} ms, back {} ms after there was space",
            self.next_final_ms, self.validator_back_ms
        )?;
        write!(
            f,
            "                gateway: {}; next final {} ms after there was space",
            self.gateway_said, self.gateway_back_ms
        )
    }
}

/// Whether we can have a mount namespace of our own, in which nobody needs to be root to mount a tmpfs.
pub(super) fn can_isolate() -> bool {
    unshare()
        .args(["mount", "-t", "tmpfs", "tmpfs", "/tmp"])
        .output()
        .is_ok_and(|output| output.status.success())
}

fn unshare() -> Command {
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "--mount", "--"]);
    command
}

/// Runs the scenario in such a namespace.
pub(super) fn run_isolated(args: &Args, seed: u64) -> Result<bool> {
    let mut command = unshare();
    command
        .arg(env::current_exe()?)
        .args(["scenario", "storage", "--may-mount"])
        .args(["--seed", &seed.to_string()])
        .args(["--damages", &args.damages.to_string()]);
    if args.json {
        command.arg("--json");
    }
    Ok(command.status()?.success())
}

/// Puts small disks where the victims' data will be.
pub(super) fn mount(network: &Network) -> Result<()> {
    for folder in [validator_data(network), gateway_data(network)] {
        fs::create_dir_all(&folder)?;
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", SIZE, "tmpfs"])
            .arg(&folder)
            .status()?;
        ensure!(mounted.success(), "cannot mount {}", folder.display());
    }
    Ok(())
}

fn validator_data(network: &Network) -> PathBuf {
    network.validator(VICTIM).join("data")
}

fn gateway_data(network: &Network) -> PathBuf {
    network.gateway().join("data")
}

/// Fills one disk and then the other, while clients record.
pub(super) async fn fill_up(network: &Network, load: &Load) -> Result<FullDisks> {
    let status = network.status()?;
    let nodes = nodes(&status)?;
    sleep(Duration::from_secs(1)).await;

    let ballast = Ballast::fill(&validator_data(network))?;
    let log = network.validator(VICTIM).join("log");
    let validator_said = await_line(&log, "No space left on device").await?;
    let begin = Instant::now();
    timeout(NEXT_FINAL_MAX, load.probe(0))
        .await
        .context("no record was final while a validator's disk was full")??;
    let next_final_ms = begin.elapsed().as_millis();
    ballast.remove()?;
    let begin = Instant::now();
    let floor = height(&nodes, VICTIM + 1).await?;
    while !matches!(height(&nodes, VICTIM).await, Ok(height) if height >= floor) {
        ensure!(
            begin.elapsed() < TIMEOUT,
            "validator {VICTIM} did not come back when it had space"
        );
        sleep(POLL).await;
    }
    let validator_back_ms = begin.elapsed().as_millis();

    let ballast = Ballast::fill(&gateway_data(network))?;
    // All other clients may be waiting for what was accepted before: that writes nothing, so it is not refused.
    let probe = load.probe(1);
    let refused = await_refusal(&status, load).await;
    // Whatever came of it: the clients cannot end otherwise.
    ballast.remove()?;
    let gateway_said = refused?;
    let begin = Instant::now();
    timeout(TIMEOUT, probe)
        .await
        .context("no record was final when the gateway had space again")??;
    ensure!(
        network.status()?.gateway.pid == status.gateway.pid,
        "the gateway ended because its disk was full"
    );
    Ok(FullDisks {
        validator_said,
        next_final_ms,
        validator_back_ms,
        gateway_said,
        gateway_back_ms: begin.elapsed().as_millis(),
    })
}

/// Waits for the gateway to refuse a record because its disk is full; it must go on answering questions.
async fn await_refusal(status: &Status, load: &Load) -> Result<String> {
    let mut refusals = load.refusals();
    let problem = timeout(
        TIMEOUT,
        refusals.wait_for(|problem| {
            problem
                .as_ref()
                .is_some_and(|problem| problem.status == 507)
        }),
    )
    .await
    .context("no record was refused while the gateway's disk was full")??;
    let said = problem
        .as_ref()
        .map(|problem| format!("{} {}", problem.title, problem.detail));
    drop(problem);
    let gateway = Gateway::new(&status.gateway.url, &status.api_key)?;
    gateway
        .list(None)
        .await
        .context("a gateway with a full disk answers no question")?;
    said.context("no problem document")
}

/// Waits for an error line in a log.
async fn await_line(log: &Path, text: &str) -> Result<String> {
    let begin = Instant::now();
    loop {
        let lines = fs::read_to_string(log)?;
        let found = lines
            .lines()
            .find(|line| line.starts_with("error:") && line.contains(text));
        if let Some(line) = found {
            return Ok(line.to_owned());
        }
        ensure!(
            begin.elapsed() < TIMEOUT,
            "no error line in {} has {text:?}",
            log.display()
        );
        sleep(POLL).await;
    }
}

/// The validators.
pub(super) fn nodes(status: &Status) -> Result<Nodes> {
    let urls: Vec<String> = status
        .validators
        .iter()
        .map(|validator| validator.rpc.clone())
        .collect();
    Ok(Nodes::new(&urls, Duration::from_secs(2))?)
}

/// How far a validator is.
pub(super) async fn height(nodes: &Nodes, index: u16) -> Result<u64> {
    let height: U64 = nodes
        .call_at(usize::from(index), "eth_blockNumber", [(); 0])
        .await?;
    Ok(height.to())
}

/// What takes all the space of a disk.
struct Ballast(PathBuf);

impl Ballast {
    fn fill(folder: &Path) -> Result<Self> {
        let path = folder.join("ballast");
        let mut file = File::create(&path)?;
        for chunk in [&[0; 1 << 16][..], &[0; 1 << 12]] {
            let full = loop {
                if let Err(error) = file.write_all(chunk) {
                    break error;
                }
            };
            ensure!(full.kind() == ErrorKind::StorageFull, full);
        }
        Ok(Self(path))
    }

    fn remove(self) -> Result<()> {
        Ok(fs::remove_file(self.0)?)
    }
}
