//! Files that get damaged while everything is off.

use super::disk::{height, nodes};
use crate::scenario::{
    load::Book,
    network::{Network, Status, VALIDATORS},
};
use alloy_primitives::{B256, Bytes, U64};
use anyhow::{Context as _, Result, ensure};
use client::{
    gateway::{Gateway, GatewayError},
    rpc::Nodes,
};
use proof::Receipt;
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng, seq::IndexedRandom as _};
use serde::Serialize;
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    fmt, fs,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};
use tokio::{runtime::Runtime, time::sleep};

/// How long a started network is watched after a damage.
const WATCH: Duration = Duration::from_secs(2);
/// How long the damaged validator may take to be at the head, if it runs.
const CATCH_UP: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(50);

/// A damaged file, and what came of it.
#[derive(Debug, Serialize)]
pub(super) struct Round {
    /// The file, relative to the network's directory.
    file: PathBuf,
    /// Its size in bytes.
    size: usize,
    damage: Damage,
    pub(super) outcome: Outcome,
}

#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
enum Damage {
    /// One bit at this offset is another.
    Bit(usize),
    /// Up to 4,096 bytes from this offset are zero.
    Page(usize),
    /// It ends here.
    Cut(usize),
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Outcome {
    /// Its owner did not start and said this.
    Refused(String),
    /// Its owner started, met the damage, ended and said this.
    Stopped(String),
    /// Its owner goes on, and says this where the damaged part was asked for; everything else is as before.
    Withheld(String),
    /// Its owner goes on, and everything it answers is as before.
    Unharmed,
    /// What must not be.
    Wrong(String),
}

impl Outcome {
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::Refused(_) => "refused to start",
            Self::Stopped(_) => "stopped",
            Self::Withheld(_) => "said so when asked",
            Self::Unharmed => "went on unharmed",
            Self::Wrong(_) => "went wrong",
        }
    }
}

impl Round {
    pub(super) fn violation(&self) -> Option<String> {
        match &self.outcome {
            Outcome::Wrong(_) => Some(self.to_string()),
            _ => None,
        }
    }
}

impl fmt::Display for Round {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            file, size, damage, ..
        } = self;
        write!(
            f,
            "{} ({size} B), {damage:?}: {}",
            file.display(),
            self.outcome.name()
        )?;
        match &self.outcome {
            Outcome::Refused(said)
            | Outcome::Stopped(said)
            | Outcome::Withheld(said)
            | Outcome::Wrong(said) => write!(f, ": {said}"),
            Outcome::Unharmed => Ok(()),
        }
    }
}

/// The receipts clients got, by record.
pub(super) fn receipts(book: &Book) -> Result<BTreeMap<B256, Bytes>> {
    let receipts = book
        .promises
        .values()
        .filter_map(|promise| promise.receipt.clone());
    receipts
        .map(|bytes| {
            let record = Receipt::decode(&bytes)?.record.context("no record")?;
            Ok((record.path.id, bytes))
        })
        .collect()
}

/// Damages a file, looks what comes of it, puts everything back, and so on.
pub(super) fn rounds(
    runtime: &Runtime,
    network: &mut Network,
    receipts: &BTreeMap<B256, Bytes>,
    seed: u64,
    count: u32,
) -> Result<Vec<Round>> {
    // Orderly: after a crash, damage at the end of a log cannot be told from a write that was cut off.
    network.stop()?;
    let intact = network.dir().with_extension("intact");
    copy(network.dir(), &intact)?;
    let mut rng = StdRng::seed_from_u64(seed);
    let mut rounds = Vec::new();
    for number in 1..=count {
        // All of them at once: a single validator that forgets its votes might vote twice.
        fs::remove_dir_all(network.dir())?;
        copy(&intact, network.dir())?;
        network.forget_logs()?;
        let owner = match rng.random_range(0..4_u32) {
            0 => Owner::Gateway,
            _ => Owner::Validator(rng.random_range(0..VALIDATORS)),
        };
        let file = owner.any_file(network, &mut rng)?;
        let mut bytes = fs::read(&file)?;
        let damage = damage(&mut bytes, &mut rng);
        let size = fs::metadata(&file)?.len();
        fs::write(&file, bytes)?;
        let outcome = match network.resume() {
            Err(error) => refused(&format!("{error:#}")),
            Ok(status) => {
                let outcome = runtime.block_on(watch(network, &status, owner, receipts))?;
                network.kill_all()?;
                outcome
            }
        };
        rounds.push(Round {
            file: file.strip_prefix(network.dir())?.to_owned(),
            size: usize::try_from(size)?,
            damage,
            outcome,
        });
        if number % 10 == 0 {
            eprintln!("storage: {number} of {count} files damaged");
        }
    }
    Ok(rounds)
}

/// Whose file it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Owner {
    Validator(u16),
    Gateway,
}

impl Owner {
    fn folder(self, network: &Network) -> PathBuf {
        match self {
            Self::Validator(index) => network.validator(index),
            Self::Gateway => network.gateway(),
        }
    }

    /// A file with something in it.
    fn any_file(self, network: &Network, rng: &mut StdRng) -> Result<PathBuf> {
        let mut files = Vec::new();
        let mut folders = vec![self.folder(network).join("data")];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(&folder)? {
                let entry = entry?;
                if entry.file_type()?.is_dir() {
                    folders.push(entry.path());
                // SQLite makes the -shm file anew.
                } else if entry.metadata()?.len() > 0
                    && !entry.file_name().to_string_lossy().ends_with("-shm")
                {
                    files.push(entry.path());
                }
            }
        }
        files.sort();
        files.choose(rng).cloned().context("there is no file")
    }
}

fn damage(bytes: &mut Vec<u8>, rng: &mut StdRng) -> Damage {
    let at = rng.random_range(0..bytes.len());
    match rng.random_range(0..3_u32) {
        0 => {
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= 1 << rng.random_range(0..8_u32);
            }
            Damage::Bit(at)
        }
        1 => {
            bytes
                .iter_mut()
                .skip(at)
                .take(4_096)
                .for_each(|byte| *byte = 0);
            Damage::Page(at)
        }
        _ => {
            bytes.truncate(at);
            Damage::Cut(at)
        }
    }
}

/// A refusal counts if it names the service and the cause.
fn refused(said: &str) -> Outcome {
    match said.split_once("does not start: error: ") {
        Some((_, said)) => Outcome::Refused(said.trim().to_owned()),
        None => Outcome::Wrong(said.trim().to_owned()),
    }
}

/// Lets a network with a damaged file run for a while.
async fn watch(
    network: &Network,
    status: &Status,
    owner: Owner,
    receipts: &BTreeMap<B256, Bytes>,
) -> Result<Outcome> {
    sleep(WATCH).await;
    let gateway = Gateway::new(&status.gateway.url, &status.api_key)?;
    let nodes = nodes(status)?;
    let log = owner.folder(network).join("log");
    let said = || {
        let log = fs::read_to_string(&log).unwrap_or_default();
        log.lines()
            .find(|line| line.starts_with("error: "))
            .map(str::to_owned)
    };
    if let Owner::Validator(index) = owner {
        match compare(&nodes, index).await {
            Ok(()) => {}
            Err(error) => {
                return Ok(match said() {
                    Some(said) => Outcome::Stopped(said),
                    None => Outcome::Wrong(format!("{error:#}")),
                });
            }
        }
    } else if let Some(said) = said() {
        return Ok(Outcome::Stopped(said));
    }
    let mut outcome = Outcome::Unharmed;
    for (id, expected) in receipts {
        match gateway.receipt_json(id).await {
            Ok(receipt) if receipt == *expected => {}
            Err(GatewayError::Refused(problem))
                if owner == Owner::Gateway && problem.code == "storage_damaged" =>
            {
                outcome = Outcome::Withheld(problem.detail);
            }
            other => {
                let text = format!("the receipt of {id} is another: {other:?}");
                return Ok(Outcome::Wrong(text));
            }
        }
    }
    Ok(outcome)
}

/// Whether a validator comes to the head and has the blocks and receipts the next one has.
async fn compare(nodes: &Nodes, index: u16) -> Result<()> {
    let other = (index + 1) % VALIDATORS;
    let head = height(nodes, other).await?;
    let begin = Instant::now();
    while !matches!(height(nodes, index).await, Ok(height) if height >= head) {
        ensure!(
            begin.elapsed() < CATCH_UP,
            "validator {index} runs and does not come to the head, {head}"
        );
        sleep(POLL).await;
    }
    for number in 0..=head {
        for (method, params) in [
            ("eth_getBlockByNumber", json!([U64::from(number), true])),
            ("eth_getBlockReceipts", json!([U64::from(number)])),
        ] {
            let theirs: Value = nodes.call_at(usize::from(other), method, &params).await?;
            let ours: Value = nodes.call_at(usize::from(index), method, &params).await?;
            ensure!(
                ours == theirs,
                "validator {index} answers {method} for block {number} with {ours}, another with {theirs}"
            );
        }
    }
    Ok(())
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    let copied = Command::new("cp").arg("-a").arg(from).arg(to).status()?;
    ensure!(copied.success(), "cannot copy {}", from.display());
    Ok(())
}
