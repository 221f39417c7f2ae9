//! Organizations that found a network as their operators do, each with a node at an address of its own and nothing shared but
//! cards and passports.

use super::{
    process::{self, Service},
    sender::Sender,
    wire::Wire,
};
use alloy_primitives::{Address, B256, Bytes, TxKind, U64};
use anyhow::{Context as _, Result, ensure};
use client::{
    gateway::{Gateway, GatewayError},
    node::{Committee, VALIDATORS},
    record::RecordRequest,
};
use serde_json::{Value, json, value::RawValue};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

/// The founders. Each is administered by the development account of its place.
pub(crate) const FOUNDERS: [&str; 4] = ["acme", "beta", "gamma", "delta"];
/// Blocks of an epoch: nine for each of seven validators.
pub(crate) const EPOCH_BLOCKS: u64 = 64;
/// Seconds between a decision and its execution.
pub(crate) const TIMELOCK: u64 = 2;
/// How long a step may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(180);
/// How often the watcher looks for a new block.
const LOOK: Duration = Duration::from_millis(10);

/// A running node.
pub(crate) struct Node {
    process: Service,
    /// Its last address byte: it is at 127.0.0.N.
    pub host: u8,
}

/// All nodes, each with a directory in the same folder.
pub(crate) struct World {
    pub program: PathBuf,
    pub home: PathBuf,
    pub nodes: BTreeMap<String, Node>,
    gateways: Vec<Service>,
}

/// Where a node answers.
pub(crate) fn rpc(host: u8) -> String {
    format!("http://127.0.0.{host}:8545")
}

impl World {
    /// Where a node is.
    pub(crate) fn dir(&self, name: &str) -> PathBuf {
        self.home.join(name)
    }

    /// Stops all gateways and nodes.
    pub(crate) fn stop_all(&mut self) -> Result<()> {
        for gateway in std::mem::take(&mut self.gateways) {
            gateway.stop().context("a gateway")?;
        }
        for name in self.nodes.keys().cloned().collect::<Vec<_>>() {
            self.stop(&name)?;
        }
        Ok(())
    }

    /// Runs the program to its end. Gives what it printed.
    pub(crate) fn ashlar(&self, arguments: &[&str]) -> Result<String> {
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

    /// Starts a node.
    pub(crate) fn start(&mut self, name: &str, host: u8) -> Result<()> {
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
    pub(crate) fn stop(&mut self, name: &str) -> Result<()> {
        let node = self.nodes.remove(name).context("no such node")?;
        node.process.stop().with_context(|| format!("node {name}"))
    }

    /// The last byte of a node's address.
    pub(crate) fn host(&self, name: &str) -> Result<u8> {
        Ok(self.nodes.get(name).context("no such node")?.host)
    }

    /// The last lines of every node's log.
    pub(crate) fn logs_tail(&self) -> String {
        let names = self.nodes.keys();
        let tails = names.map(|name| {
            let text = fs::read_to_string(process::log(&self.dir(name))).unwrap_or_default();
            let lines: Vec<_> = text.lines().rev().take(6).collect();
            let lines: Vec<_> = lines.into_iter().rev().collect();
            format!("--- {name}\n{}", lines.join("\n"))
        });
        tails.collect::<Vec<_>>().join("\n")
    }

    /// Nobody is there yet.
    pub(crate) fn new(program: &Path, home: PathBuf) -> Self {
        Self {
            program: program.to_owned(),
            home,
            nodes: BTreeMap::new(),
            gateways: Vec::new(),
        }
    }

    /// Cards, the ceremony at all founders at once with these options of `network new`, and their nodes. The network's identity,
    /// and the seconds that it took.
    pub(crate) fn found(&mut self, options: &[&str]) -> Result<(String, f64)> {
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
                .args(["network", "new"])
                .args(["--epoch-blocks", &EPOCH_BLOCKS.to_string()])
                .args(options)
                .arg("--dir")
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
    pub(crate) fn join(&mut self, name: &str, host: u8, identity: &str) -> Result<()> {
        self.settle(name, host, identity, &[])?;
        self.start(name, host)
    }

    /// A newcomer that is not started yet, with more options of `network join`.
    pub(crate) fn settle(&self, name: &str, host: u8, identity: &str, more: &[&str]) -> Result<()> {
        let config = self.dir("beta").join("node.toml");
        let passport = self.ashlar(&["network", "invite", "--config", text(&config)?])?;
        let file = self.dir(name).with_extension("passport.json");
        fs::write(&file, passport)?;
        let place = self.place(name, host);
        let mut arguments = vec!["network", "join", text(&file)?, "--identity", identity];
        arguments.extend(place.iter().map(String::as_str));
        arguments.extend(more);
        let key = self.ashlar(&arguments)?;
        fs::write(self.dir(name).join("node.key"), key)?;
        Ok(())
    }

    /// A gateway beside a node, as its organization makes one.
    pub(crate) fn gateway(&mut self, name: &str) -> Result<Gateway> {
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
    pub(crate) fn set_node(&self, administrator: usize, node: &str, role: &str) -> Result<()> {
        let key = self.key(node)?.to_string();
        let (account, url) = (administrator.to_string(), rpc(self.host("beta")?));
        let arguments = ["member", "set-node", &key, role, "--dev-account", &account];
        self.ashlar(&[arguments.as_slice(), &["--rpc", &url]].concat())?;
        Ok(())
    }

    /// An administrator takes a node out, as whoever runs it does.
    pub(crate) fn leave(&self, administrator: usize, name: &str, more: &[&str]) -> Result<()> {
        let (config, account) = (self.dir(name).join("node.toml"), administrator.to_string());
        let leave = ["network", "leave", "--config", text(&config)?];
        let signed = ["--dev-account", &account];
        self.ashlar(&[leave.as_slice(), &signed, more].concat())?;
        Ok(())
    }

    /// Proposes, has these organizations approve, waits out the timelock, and executes.
    pub(crate) async fn decide(
        &self,
        number: u64,
        voters: &[usize],
        action: &[&str],
    ) -> Result<()> {
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

    /// The hashes that the nodes which run have of a block, when all have it: one, if they agree.
    pub(crate) async fn hashes_at(&self, number: u64) -> Result<BTreeSet<String>> {
        let mut hashes = BTreeSet::new();
        for node in self.nodes.values() {
            until_height(node.host, number).await?;
            let mut wire = Wire::open(&rpc(node.host)).await?;
            let at = json!([U64::from(number), false]);
            let block: Value = wire.call("eth_getBlockByNumber", at).await?;
            hashes.insert(block["hash"].to_string());
        }
        Ok(hashes)
    }

    /// Waits until just these nodes sign.
    pub(crate) async fn until_sign(&self, names: &[&str]) -> Result<()> {
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

/// A path as an argument.
pub(crate) fn text(path: &Path) -> Result<&str> {
    path.to_str().context("a path that is no text")
}

/// A well-known account.
pub(crate) fn dev_account(index: usize) -> Result<alloy_signer_local::PrivateKeySigner> {
    use alloy_signer_local::{MnemonicBuilder, coins_bip39::English};
    let phrase = "test test test test test test test test test test test junk";
    let builder = MnemonicBuilder::<English>::default().phrase(phrase);
    Ok(builder.index(u32::try_from(index)?)?.build()?)
}

/// Records a fact through a gateway and gets its receipt.
pub(crate) async fn record(gateway: &Gateway, fact: &str) -> Result<String> {
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

/// How it went.
#[derive(Debug)]
pub(crate) struct Felt {
    /// Transactions that clients sent, all of them final.
    pub transactions: u64,
    /// Longest time a client waited for its transaction.
    pub wait_ms_max: u64,
    /// Longest time between two final blocks, as a node saw them.
    pub gap_ms_max: u64,
}

/// Clients and a watcher, until told to stop.
pub(crate) struct Load {
    stop: Arc<AtomicBool>,
    sent: Arc<AtomicU64>,
    wait_ms_max: Arc<AtomicU64>,
    gap_ms_max: Arc<AtomicU64>,
    tasks: Vec<tokio::task::JoinHandle<Result<()>>>,
}

impl Load {
    /// Begins it against these nodes.
    pub(crate) async fn start(hosts: &[u8]) -> Result<Self> {
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

    /// Ends it, and says how it went.
    pub(crate) async fn stop(self) -> Result<Felt> {
        self.stop.store(true, Ordering::Relaxed);
        for task in self.tasks {
            task.await??;
        }
        Ok(Felt {
            transactions: self.sent.load(Ordering::Relaxed),
            wait_ms_max: self.wait_ms_max.load(Ordering::Relaxed),
            gap_ms_max: self.gap_ms_max.load(Ordering::Relaxed),
        })
    }
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// The last final block of a node.
pub(crate) async fn height(wire: &mut Wire) -> Result<u64> {
    let height: U64 = wire.call("eth_blockNumber", json!([])).await?;
    Ok(height.to())
}

/// Waits until a node answers and has this height.
pub(crate) async fn until_height(host: u8, wanted: u64) -> Result<()> {
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
