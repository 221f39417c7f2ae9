//! The life of a network between organizations, with one process for each node and nothing shared between them but cards and
//! passports: founded by its ceremony, one organization let in and one gone by vote, grown to seven validators and back to
//! four, under load. A receipt from its first minute must verify at the end, with the same identity.

use super::{
    print,
    process::{self, Service},
    runtime,
    sender::Sender,
    wire::Wire,
};
use crate::cargo;
use alloy_primitives::{Address, B256, Bytes, TxKind, U64};
use anyhow::{Context as _, Result, bail, ensure};
use client::{
    gateway::{Gateway, GatewayError},
    node::{Committee, VALIDATORS},
    record::RecordRequest,
};
use serde::Serialize;
use serde_json::{Value, json, value::RawValue};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt, fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

/// The founders. Each is administered by the development account of its place.
const FOUNDERS: [&str; 4] = ["acme", "beta", "gamma", "delta"];
/// Blocks of an epoch: nine for each of seven validators.
const EPOCH_BLOCKS: u64 = 64;
/// Seconds between a decision and its execution.
const TIMELOCK: u64 = 2;
/// How long a step may take.
const PATIENCE: Duration = Duration::from_secs(180);
/// What the issue allows between two final blocks: the timeout of a view, which is the idle interval and two seconds.
const GAP_MS_MAX: u64 = 3_000;
/// How often the watcher looks for a new block.
const LOOK: Duration = Duration::from_millis(10);

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
    let mut world = World {
        program,
        home: home.path().to_owned(),
        nodes: BTreeMap::new(),
        gateways: Vec::new(),
    };
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

/// A running node.
struct Node {
    process: Service,
    /// Its last address byte: it is at 127.0.0.N.
    host: u8,
}

/// All nodes.
struct World {
    program: PathBuf,
    home: PathBuf,
    nodes: BTreeMap<String, Node>,
    gateways: Vec<Service>,
}

fn rpc(host: u8) -> String {
    format!("http://127.0.0.{host}:8545")
}

impl World {
    fn dir(&self, name: &str) -> PathBuf {
        self.home.join(name)
    }

    /// Runs the program to its end. Gives what it printed.
    fn ashlar(&self, arguments: &[&str]) -> Result<String> {
        process::run(&self.program, arguments)
    }

    /// The arguments that say where a node is.
    fn place(&self, name: &str, host: u8) -> [String; 6] {
        [
            "--dir".to_owned(),
            self.dir(name).display().to_string(),
            "--listen".to_owned(),
            format!("127.0.0.{host}:9545"),
            "--rpc".to_owned(),
            format!("127.0.0.{host}:8545"),
        ]
    }

    fn start(&mut self, name: &str, host: u8) -> Result<()> {
        let process = Service::node(&self.program, &self.dir(name))?;
        self.nodes.insert(name.to_owned(), Node { process, host });
        Ok(())
    }

    /// A node's public key, as whoever reads its directory finds it.
    fn key(&self, name: &str) -> Result<B256> {
        let text = fs::read_to_string(self.dir(name).join("node.key"))?;
        Ok(text.trim().parse()?)
    }

    /// Stops a node as its operator does.
    fn stop(&mut self, name: &str) -> Result<()> {
        let node = self.nodes.remove(name).context("no such node")?;
        node.process.stop().with_context(|| format!("node {name}"))
    }

    fn host(&self, name: &str) -> Result<u8> {
        Ok(self.nodes.get(name).context("no such node")?.host)
    }

    /// The last lines of every node's log.
    fn logs_tail(&self) -> String {
        let names = self.nodes.keys();
        let tails = names.map(|name| {
            let text = fs::read_to_string(process::log(&self.dir(name))).unwrap_or_default();
            let lines: Vec<_> = text.lines().rev().take(6).collect();
            let lines: Vec<_> = lines.into_iter().rev().collect();
            format!("--- {name}\n{}", lines.join("\n"))
        });
        tails.collect::<Vec<_>>().join("\n")
    }

    /// Cards, the ceremony at all founders at once, and their nodes.
    fn found(&mut self) -> Result<(String, f64)> {
        let mut cards = Vec::new();
        for (index, name) in FOUNDERS.into_iter().enumerate() {
            let place = self.place(name, u8::try_from(index)? + 2);
            let administrator = dev_account(index)?.address().to_string();
            let mut arguments = vec!["network", "card", "--organization", name];
            arguments.extend(["--administrator", &administrator]);
            arguments.extend(place.iter().map(String::as_str));
            let card = self.ashlar(&arguments)?.trim().to_owned();
            let said: Value = serde_json::from_str(&fs::read_to_string(&card)?)?;
            let key = said["content"]["node"].as_str().context("a card's node")?;
            fs::write(self.dir(name).join("node.key"), key)?;
            cards.push(card);
        }
        let begin = Instant::now();
        let mut ceremonies = Vec::new();
        for name in FOUNDERS {
            let child = Command::new(&self.program)
                .args(["network", "new", "--name", "life", "--chain-id", "7001"])
                .args([
                    "--dev",
                    "--open",
                    "--epoch-blocks",
                    &EPOCH_BLOCKS.to_string(),
                ])
                .args(["--timelock", &TIMELOCK.to_string(), "--dir"])
                .arg(self.dir(name))
                .args(&cards)
                .stdin(Stdio::null())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()?;
            ceremonies.push((name, child));
        }
        let mut identities = BTreeSet::new();
        for (name, child) in ceremonies {
            let output = child.wait_with_output()?;
            ensure!(
                output.status.success(),
                "the ceremony failed at {name}: {}",
                String::from_utf8_lossy(&output.stderr)
            );
            identities.insert(String::from_utf8(output.stdout)?.trim().to_owned());
        }
        let seconds = begin.elapsed().as_secs_f64();
        ensure!(identities.len() == 1, "founders differ: {identities:?}");
        for (index, name) in FOUNDERS.into_iter().enumerate() {
            self.start(name, u8::try_from(index)? + 2)?;
        }
        let identity = identities.pop_first().context("an identity")?;
        Ok((identity, seconds))
    }

    /// A newcomer: a passport from a member, keys of its own, a running node.
    fn join(&mut self, name: &str, host: u8, identity: &str) -> Result<()> {
        let config = self.dir("beta").join("node.toml");
        let passport = self.ashlar(&["network", "invite", "--config", text(&config)?])?;
        let file = self.dir(name).with_extension("passport.json");
        fs::write(&file, passport)?;
        let place = self.place(name, host);
        let mut arguments = vec!["network", "join", text(&file)?, "--identity", identity];
        arguments.extend(place.iter().map(String::as_str));
        let key = self.ashlar(&arguments)?;
        fs::write(self.dir(name).join("node.key"), key)?;
        self.start(name, host)
    }

    /// A gateway beside a node, as its organization makes one.
    fn gateway(&mut self, name: &str) -> Result<Gateway> {
        let (dir, host) = (self.dir(name), self.host(name)?);
        let (node, place) = (dir.join("node.toml"), dir.join("gateway"));
        let listen = format!("127.0.0.{host}:8080");
        let make = ["network", "gateway", "--config", text(&node)?];
        let at = ["--dir", text(&place)?, "--listen", &listen];
        self.ashlar(&[make.as_slice(), &at].concat())?;
        self.gateways.push(Service::gateway(&self.program, &place)?);
        let key = fs::read_to_string(place.join("api.key"))?;
        Ok(Gateway::new(&format!("http://{listen}"), key.trim())?)
    }

    /// An administrator says what a node does.
    fn set_node(&self, administrator: usize, node: &str, role: &str) -> Result<()> {
        let key = self.key(node)?.to_string();
        let (account, url) = (administrator.to_string(), rpc(self.host("beta")?));
        let arguments = ["member", "set-node", &key, role, "--dev-account", &account];
        self.ashlar(&[arguments.as_slice(), &["--rpc", &url]].concat())?;
        Ok(())
    }

    /// Proposes, has these organizations approve, waits out the timelock, and executes.
    async fn decide(&self, number: u64, voters: &[usize], action: &[&str]) -> Result<()> {
        let url = rpc(self.host("beta")?);
        let number = number.to_string();
        let by = |account: usize| account.to_string();
        let first = by(*voters.first().context("somebody proposes")?);
        let propose = ["gov", "propose", "--rpc", &url, "--dev-account", &first];
        self.ashlar(&[propose.as_slice(), action].concat())?;
        let state = || -> Result<String> {
            let shown = self.ashlar(&["gov", "show", &number, "--json", "--rpc", &url])?;
            let shown: Value = serde_json::from_str(&shown)?;
            Ok(shown["state"].as_str().unwrap_or_default().to_owned())
        };
        for voter in voters {
            // The last votes may not be needed.
            if state()? == "voting" {
                let account = by(*voter);
                let approve = ["gov", "approve", &number, "--rpc", &url];
                self.ashlar(&[approve.as_slice(), &["--dev-account", &account]].concat())?;
            }
        }
        let deadline = Instant::now() + PATIENCE;
        loop {
            let now = state()?;
            if now == "executable" {
                break;
            }
            ensure!(
                now == "waiting" && Instant::now() < deadline,
                "proposal {number} is {now}"
            );
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        self.ashlar(&[
            "gov",
            "execute",
            &number,
            "--rpc",
            &url,
            "--dev-account",
            &first,
        ])?;
        Ok(())
    }

    /// Waits until just these nodes sign.
    async fn until_sign(&self, names: &[&str]) -> Result<()> {
        let wanted: BTreeSet<B256> = names
            .iter()
            .map(|name| self.key(name))
            .collect::<Result<_>>()?;
        let mut wire = Wire::open(&rpc(self.host("gamma")?)).await?;
        let deadline = Instant::now() + PATIENCE;
        loop {
            let committee: Committee = wire.call(VALIDATORS, json!([])).await?;
            let signing = committee.validators.iter().map(|each| each.public_key);
            if signing.collect::<BTreeSet<_>>() == wanted {
                return Ok(());
            }
            ensure!(
                Instant::now() < deadline,
                "{names:?} were to sign; in epoch {} there sign {} others",
                committee.epoch,
                committee.validators.len()
            );
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
}

fn text(path: &Path) -> Result<&str> {
    path.to_str().context("a path that is no text")
}

fn dev_account(index: usize) -> Result<alloy_signer_local::PrivateKeySigner> {
    use alloy_signer_local::{MnemonicBuilder, coins_bip39::English};
    let phrase = "test test test test test test test test test test test junk";
    let builder = MnemonicBuilder::<English>::default().phrase(phrase);
    Ok(builder.index(u32::try_from(index)?)?.build()?)
}

/// Records a fact through a gateway and gets its receipt.
async fn record(gateway: &Gateway, fact: &str) -> Result<String> {
    let request = RecordRequest {
        kind: "fact".to_owned(),
        data: RawValue::from_string(json!(fact).to_string())?,
        attachments: Vec::new(),
    };
    let (key, deadline) = (fact.replace(' ', "-"), Instant::now() + PATIENCE);
    loop {
        match gateway.record_final(&key, &request).await {
            Ok(receipt) => return Ok(String::from_utf8(receipt.to_vec())?),
            // It is starting, or the fact is not final yet: with the same key it is the same record.
            Err(GatewayError::Unreachable(_) | GatewayError::NotYet)
                if Instant::now() < deadline =>
            {
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// Clients and a watcher, until told to stop.
struct Load {
    stop: Arc<AtomicBool>,
    sent: Arc<AtomicU64>,
    wait_ms_max: Arc<AtomicU64>,
    gap_ms_max: Arc<AtomicU64>,
    tasks: Vec<tokio::task::JoinHandle<Result<()>>>,
}

impl Load {
    async fn start(hosts: &[u8]) -> Result<Self> {
        let mut load = Self {
            stop: Arc::default(),
            sent: Arc::default(),
            wait_ms_max: Arc::default(),
            gap_ms_max: Arc::default(),
            tasks: Vec::new(),
        };
        for (index, host) in hosts.iter().enumerate() {
            let key = dev_account(8 - index)?.to_bytes().to_string();
            let mut sender = Sender::open(&rpc(*host), &key).await?;
            let (stop, sent) = (Arc::clone(&load.stop), Arc::clone(&load.sent));
            let wait_ms_max = Arc::clone(&load.wait_ms_max);
            load.tasks.push(tokio::spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    let begin = Instant::now();
                    let to = TxKind::Call(Address::repeat_byte(0xaa));
                    let sent_one = sender.send(to, Bytes::new(), 21_000).await;
                    sent_one.inspect_err(|error| {
                        // Said at once: without load the rest takes much longer.
                        eprintln!("a client's transaction failed: {error:#}");
                    })?;
                    sent.fetch_add(1, Ordering::Relaxed);
                    wait_ms_max.fetch_max(milliseconds(begin.elapsed()), Ordering::Relaxed);
                }
                Ok(())
            }));
        }
        let host = *hosts.first().context("a host")?;
        let mut wire = Wire::open(&rpc(host)).await?;
        let (stop, gap_ms_max) = (Arc::clone(&load.stop), Arc::clone(&load.gap_ms_max));
        load.tasks.push(tokio::spawn(async move {
            let mut last = (height(&mut wire).await?, Instant::now());
            while !stop.load(Ordering::Relaxed) {
                tokio::time::sleep(LOOK).await;
                let now = height(&mut wire).await?;
                if now > last.0 {
                    if last.1.elapsed() > Duration::from_secs(1) {
                        eprintln!(
                            "{} ms between blocks {} and {now}, in epoch {}",
                            last.1.elapsed().as_millis(),
                            last.0,
                            now / EPOCH_BLOCKS
                        );
                    }
                    gap_ms_max.fetch_max(milliseconds(last.1.elapsed()), Ordering::Relaxed);
                    last = (now, Instant::now());
                }
            }
            Ok(())
        }));
        Ok(load)
    }

    async fn stop(self, report: &mut Report) -> Result<()> {
        self.stop.store(true, Ordering::Relaxed);
        for task in self.tasks {
            task.await??;
        }
        report.transactions = self.sent.load(Ordering::Relaxed);
        report.wait_ms_max = self.wait_ms_max.load(Ordering::Relaxed);
        report.gap_ms_max = self.gap_ms_max.load(Ordering::Relaxed);
        Ok(())
    }
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

async fn height(wire: &mut Wire) -> Result<u64> {
    let height: U64 = wire.call("eth_blockNumber", json!([])).await?;
    Ok(height.to())
}

/// Waits until a node answers and has this height.
async fn until_height(host: u8, wanted: u64) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let reached = async { height(&mut Wire::open(&rpc(host)).await?).await }.await;
        if reached.is_ok_and(|reached| reached >= wanted) {
            return Ok(());
        }
        ensure!(
            Instant::now() < deadline,
            "127.0.0.{host} does not reach block {wanted}"
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn live(world: &mut World, gap_ms_max: u64) -> Result<Report> {
    let mut report = Report::default();
    (report.identity, report.ceremony_s) = world.found()?;
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
        world.set_node(administrator, name, "none")?;
    }
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
    load.stop(&mut report).await?;
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
    let mut hashes = BTreeSet::new();
    for node in world.nodes.values() {
        until_height(node.host, report.blocks).await?;
        let mut wire = Wire::open(&rpc(node.host)).await?;
        let at = json!([U64::from(report.blocks), false]);
        let block: Value = wire.call("eth_getBlockByNumber", at).await?;
        hashes.insert(block["hash"].to_string());
    }
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
