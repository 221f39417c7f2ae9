//! `cargo xtask scenario state-sync`: a newcomer joins a chain of any length and state by taking the state from the others.
//!
//! One validator makes a chain of so many blocks, in which a contract fills so many slots. Then a node joins with a passport,
//! is registered by an administrator, and is timed from its start until it has a block that is as late as the last one when
//! it started. What it says must then be what the validator says, and what it does not have it must say that it has not.

use super::{
    network::{Network, Status},
    print,
    process::{self, Service},
    runtime,
    sender::Sender,
    usage::resident,
    wire::Wire,
};
use crate::cargo;
use alloy_primitives::{Address, B256, Bytes, TxKind, U64, U256, hex};
use anyhow::{Context as _, Result, bail, ensure};
use rand::RngExt as _;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::{
    fmt, fs,
    net::{Ipv4Addr, TcpListener},
    path::{Path, PathBuf},
    time::Duration,
};
use tokio::{task::JoinSet, time::Instant};

/// Options.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    /// Blocks of the chain before the newcomer starts
    #[arg(long, value_name = "N", default_value_t = 2_000)]
    blocks: u64,
    /// Slots that a contract fills
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    entries: u64,
    /// Validators
    #[arg(long, value_name = "N", default_value_t = 1)]
    validators: u16,
    /// Seconds from the newcomer's start until it is level, at most
    #[arg(long, value_name = "S", default_value_t = 60)]
    seconds_max: u64,
}

/// Accounts that make blocks at the same time, so that one is always due.
const SENDERS: usize = 3;
/// Slots that one transaction fills: what fits into the gas that one may have (EIP-7825).
const SLOTS: u64 = 700;
/// Its gas.
const GAS: u64 = 16_500_000;
/// Slots that are compared.
const COMPARED: usize = 500;
/// How often it is looked whether the newcomer is level.
const LOOK: Duration = Duration::from_millis(20);

/// Fills slots: `for count = calldataload(32); count > 0; count -= 1 { sstore(calldataload(0) + count, count) }`.
const FILLER: [u8; 29] =
    hex!("60148060095f395ff3 5f35602035 5b 80 80 83 01 55 6001 90 03 80 6005 57 00");

/// What it showed.
#[derive(Debug, Serialize)]
struct Report {
    ok: bool,
    /// Height when the newcomer started.
    blocks: u64,
    /// Slots filled.
    entries: u64,
    /// Bytes of the validator's and the newcomer's data.
    validator_bytes: u64,
    newcomer_bytes: u64,
    /// Seconds from its start until it was level.
    level_s: f64,
    /// Its memory then.
    resident_bytes: u64,
    /// The first block it has.
    first_block: u64,
    /// Seconds from a restart until it was level again.
    restart_s: f64,
    violations: Vec<String>,
}

/// Runs it. Whether it passed.
pub(crate) fn run(args: &Args) -> Result<bool> {
    let program = cargo::product()?;
    let (mut network, status) = Network::start(&program, args.validators)?;
    let shown = runtime()?.block_on(show(args, &program, &network, &status));
    let report = match shown {
        Ok(report) => report,
        Err(error) => {
            let tail = network.logs_tail();
            bail!(
                "{error:#}\n{tail}\nwhat it left is in {}",
                network.keep().display()
            );
        }
    };
    print(&report, args.json)?;
    network.stop()?;
    Ok(report.ok)
}

async fn show(args: &Args, program: &Path, network: &Network, status: &Status) -> Result<Report> {
    let rpc = &status.validators.first().context("no validator")?.rpc;
    let filler = make_chain(args, status, rpc).await?;
    let mut node = Newcomer::join(program, network, rpc)?;
    let mut theirs = Wire::open(rpc).await?;
    let blocks = height(&mut theirs).await?;

    let level_s = node.start_until(blocks, args).await?;
    let mut ours = Wire::open(&node.rpc()).await?;
    let mut violations = Vec::new();
    compare(
        &mut ours,
        &mut theirs,
        filler,
        args.entries,
        &mut violations,
    )
    .await?;
    let first_block = first_block(&mut ours, &mut violations).await?;
    let resident_bytes = resident(node.process.as_ref().context("it runs")?.id())?;
    node.stop()?;
    let now = height(&mut theirs).await?;
    let restart_s = node.start_until(now, args).await?;
    let mut ours = Wire::open(&node.rpc()).await?;
    compare(
        &mut ours,
        &mut theirs,
        filler,
        args.entries,
        &mut violations,
    )
    .await?;
    node.stop()?;

    if level_s > args.seconds_max as f64 {
        violations.push(format!(
            "it took {level_s:.1} s, and {} are allowed",
            args.seconds_max
        ));
    }
    Ok(Report {
        ok: violations.is_empty(),
        blocks,
        entries: args.entries,
        validator_bytes: size(&network.validator(0).join("data"))?,
        newcomer_bytes: size(&node.dir.join("data"))?,
        level_s,
        resident_bytes,
        first_block,
        restart_s,
        violations,
    })
}

/// Makes the chain. Gives the contract with the slots.
async fn make_chain(args: &Args, status: &Status, rpc: &str) -> Result<Address> {
    let mut senders = Vec::new();
    for account in status.accounts.iter().take(SENDERS) {
        senders.push(Sender::open(rpc, &account.private_key).await?);
    }
    let maker = senders.first_mut().context("nobody has money")?;
    let made = maker.send(TxKind::Create, Bytes::from_static(&FILLER), 200_000);
    let filler = made.await?.contract_address.context("no contract")?;
    let count = senders.len() as u64;
    let (entries, blocks) = (args.entries, args.blocks);
    let mut tasks = JoinSet::new();
    for (index, mut sender) in (0..count).zip(senders) {
        let rpc = rpc.to_owned();
        tasks.spawn(async move {
            let mut next = index * SLOTS;
            while next < entries {
                let slots = SLOTS.min(entries - next);
                let input = [U256::from(next), U256::from(slots)];
                let input: Vec<u8> = input.iter().flat_map(U256::to_be_bytes::<32>).collect();
                sender.send(TxKind::Call(filler), input.into(), GAS).await?;
                next += count * SLOTS;
            }
            let mut wire = Wire::open(&rpc).await?;
            let mut head = height(&mut wire).await?;
            let mut told = Instant::now();
            while head < blocks {
                let to = TxKind::Call(Address::repeat_byte(1));
                let sent = sender.send(to, Bytes::new(), 30_000).await?;
                head = sent.block_number.to();
                if index == 0 && told.elapsed() > Duration::from_secs(10) {
                    eprintln!("block {head} of {blocks}");
                    told = Instant::now();
                }
            }
            anyhow::Ok(())
        });
    }
    while let Some(done) = tasks.join_next().await {
        done??;
    }
    Ok(filler)
}

async fn height(wire: &mut Wire) -> Result<u64> {
    let height: U64 = wire.call("eth_blockNumber", json!([])).await?;
    Ok(height.to())
}

#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Block {
    hash: B256,
    state_root: B256,
}

/// Whether both say the same of a block that both have, and of the slots.
async fn compare(
    ours: &mut Wire,
    theirs: &mut Wire,
    filler: Address,
    entries: u64,
    violations: &mut Vec<String>,
) -> Result<()> {
    // The newcomer has nothing from before it entered, and may have its last block a moment before the validator.
    let at = height(ours).await?;
    while height(theirs).await? < at {
        tokio::time::sleep(LOOK).await;
    }
    let at = U64::from(at);
    let block = json!([at, false]);
    let ours_at: Block = ours.call("eth_getBlockByNumber", block.clone()).await?;
    let theirs_at: Block = theirs.call("eth_getBlockByNumber", block).await?;
    if ours_at != theirs_at {
        violations.push(format!("block {at}: {ours_at:?}, and there {theirs_at:?}"));
    }
    for _ in 0..COMPARED.min(usize::try_from(entries)?) {
        let slot = U256::from(rand::rng().random_range(1..=entries));
        let asked = json!([filler, slot, "latest"]);
        let value: B256 = ours.call("eth_getStorageAt", asked.clone()).await?;
        let there: B256 = theirs.call("eth_getStorageAt", asked).await?;
        if value != there || value == B256::ZERO {
            violations.push(format!("slot {slot}: {value}, and there {there}"));
        }
    }
    Ok(())
}

/// The first block it has. It must say of those before that they are not here.
async fn first_block(ours: &mut Wire, violations: &mut Vec<String>) -> Result<u64> {
    let (status, text) = ours
        .ask(super::wire::question("eth_getBlockByNumber", json!(["0x1", false])).as_bytes())
        .await?;
    let answer: Value = serde_json::from_str(&text)?;
    let code = answer.pointer("/error/code").and_then(Value::as_i64);
    let message = answer.pointer("/error/message").and_then(Value::as_str);
    let first = message.and_then(|message| {
        let words = message.split(|letter: char| !letter.is_ascii_digit());
        words.filter_map(|word| word.parse::<u64>().ok()).max()
    });
    match (code, first) {
        (Some(4444), Some(first)) => Ok(first),
        _ => {
            violations.push(format!("block 1 is not here, and it says: {status} {text}"));
            Ok(0)
        }
    }
}

/// Bytes of the files in a directory.
fn size(dir: &Path) -> Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        bytes += if kind.is_dir() {
            size(&entry.path())?
        } else {
            entry.metadata()?.len()
        };
    }
    Ok(bytes)
}

/// A node that joins.
struct Newcomer {
    program: PathBuf,
    dir: PathBuf,
    port: u16,
    process: Option<Service>,
}

impl Newcomer {
    /// Takes a passport, makes its keys, and is registered.
    fn join(program: &Path, network: &Network, rpc: &str) -> Result<Self> {
        let home = network.dir().parent().context("a directory above")?;
        let (dir, passport) = (home.join("newcomer"), home.join("passport.json"));
        let ashlar = |arguments: &[&str]| process::run(program, arguments);
        let config = network.validator(0).join("node.toml");
        let text = |path: &Path| path.to_str().map(str::to_owned).context("a text");
        fs::write(
            &passport,
            ashlar(&["network", "invite", "--config", &text(&config)?])?,
        )?;
        let port = free_port()?;
        let (listen, serve) = (
            format!("127.0.0.1:{}", free_port()?),
            format!("127.0.0.1:{port}"),
        );
        let (place, passport) = (text(&dir)?, text(&passport)?);
        let join = ["network", "join", &passport, "--dir", &place];
        let addresses = ["--listen", &listen, "--rpc", &serve];
        let key = ashlar(&[join.as_slice(), &addresses].concat())?;
        let set = ["member", "set-node", key.trim(), "observer"];
        ashlar(&[set.as_slice(), &["--dev-account", "0", "--rpc", rpc]].concat())?;
        Ok(Self {
            program: program.to_owned(),
            dir,
            port,
            process: None,
        })
    }

    fn rpc(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Starts it. The seconds until it has a block of this height.
    async fn start_until(&mut self, blocks: u64, args: &Args) -> Result<f64> {
        let begin = Instant::now();
        self.process = Some(Service::node(&self.program, &self.dir)?);
        let patience = Duration::from_secs(args.seconds_max) * 5;
        loop {
            if let Ok(mut wire) = Wire::open(&self.rpc()).await
                && height(&mut wire).await? >= blocks
            {
                return Ok(begin.elapsed().as_secs_f64());
            }
            ensure!(
                begin.elapsed() < patience,
                "it is not level after {patience:?}: {}",
                fs::read_to_string(process::log(&self.dir))?
            );
            tokio::time::sleep(LOOK).await;
        }
    }

    fn stop(&mut self) -> Result<()> {
        let process = self.process.take().context("it does not run")?;
        process.stop().context("the newcomer")
    }
}

fn free_port() -> Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?
        .local_addr()?
        .port())
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mib = |bytes: u64| bytes >> 20;
        writeln!(
            f,
            "chain            {} blocks, {} slots",
            self.blocks, self.entries
        )?;
        writeln!(
            f,
            "newcomer         level after {:.1} s, from block {} on; after a restart {:.1} s; {} MiB of memory",
            self.level_s,
            self.first_block,
            self.restart_s,
            mib(self.resident_bytes)
        )?;
        writeln!(
            f,
            "disk             validator {} MiB, newcomer {} MiB",
            mib(self.validator_bytes),
            mib(self.newcomer_bytes)
        )?;
        for violation in &self.violations {
            writeln!(f, "VIOLATION        {violation}")?;
        }
        write!(f, "verdict          violations {}", self.violations.len())
    }
}
