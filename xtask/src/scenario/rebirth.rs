//! `cargo xtask scenario rebirth`: a network is founded anew with the state of another, as its operators would.
//!
//! Four organizations found a network, decide something, record a fact, fill a contract's slots, and close it. All stop. Two of them
//! export the same heights and must get the same file; a changed file must be refused. Then they found a network from the
//! export, with new nodes. There everything must be as it was, the chain go on (with votes, new shares, newcomers by state sync
//! and by replay), and what was proved before stay proved by the old identity. At last the old network names the new one, and
//! whoever trusts the old identity must be able to follow.

use super::{
    consortium::{
        EPOCH_BLOCKS, FOUNDERS, Load, TIMELOCK, World, dev_account, height, record, rpc, text,
        until_height,
    },
    print, process, runtime,
    sender::Sender,
    wire::{Wire, question},
};
use crate::cargo;
use alloy_primitives::{Address, B256, Bytes, TxKind, U64, U256, hex};
use alloy_sol_types::SolCall as _;
use anyhow::{Context as _, Result, bail, ensure};
use client::node::{GET_IDENTITY, Identity as Known};
use contracts::{abi::IRecords, record::RECORDS_ADDRESS};
use rand::RngExt as _;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::{
    collections::BTreeSet,
    fmt, fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

/// Options.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    /// Slots that a contract fills before the export
    #[arg(long, value_name = "N", default_value_t = 30_000)]
    entries: u64,
}

/// Chain id of both networks: the harder case, for transactions of the old one are signed for the new one, too.
const CHAIN_ID: u64 = 7001;
/// Slots that one transaction fills: what fits into the gas that one may have (EIP-7825).
const SLOTS: u64 = 700;
/// Its gas.
const GAS: u64 = 16_500_000;
/// Slots that are compared.
const COMPARED: usize = 300;
/// Imports that are killed before one comes to its end.
const KILLS: usize = 6;
/// When: the first in the check of the file, the last about when the state is whole.
const KILLED_AFTER_MS: std::ops::Range<u64> = 20..800;
/// Accounts that are compared: the well-known ones.
const ACCOUNTS: usize = 10;
/// Fills slots: `for count = calldataload(32); count > 0; count -= 1 { sstore(calldataload(0) + count, count) }`.
const FILLER: [u8; 29] =
    hex!("60148060095f395ff3 5f35602035 5b 80 80 83 01 55 6001 90 03 80 6005 57 00");
/// Returns `block.number`.
const NUMBER: &str = "0x435f5260205ff3";

/// What it showed.
#[derive(Debug, Default, Serialize)]
struct Report {
    ok: bool,
    /// The old network's key, and the new one's.
    identities: [String; 2],
    /// Height of the exported state.
    height: u64,
    /// What it holds.
    accounts: u64,
    slots: u64,
    codes: u64,
    /// Bytes of the file.
    bytes: u64,
    /// Seconds.
    export_s: f64,
    export_earlier_s: f64,
    check_s: f64,
    /// Checks, imports and ceremony of all four, on this machine.
    founding_s: f64,
    /// From the start of the four nodes until a block was final.
    first_block_s: f64,
    /// Until a newcomer had the state from others.
    state_sync_s: f64,
    /// Imports that were killed midway.
    killed: u64,
    /// Blocks that the new network made.
    blocks: u64,
    /// Transactions in them.
    transactions: u64,
    /// From the second start of the old network's nodes until it had named the new one.
    succession_s: f64,
    violations: Vec<String>,
}

/// Runs it. Whether it passed.
pub(crate) fn run(args: &Args) -> Result<bool> {
    let program = cargo::product()?;
    let home = tempfile::Builder::new()
        .prefix("ashlar-rebirth-")
        .tempdir()?;
    let place = |name: &str| -> Result<PathBuf> {
        let place = home.path().join(name);
        fs::create_dir(&place)?;
        Ok(place)
    };
    let mut old = World::new(&program, place("old")?);
    let mut new = World::new(&program, place("new")?);
    let shown = runtime()?.block_on(show(args, &mut old, &mut new));
    let mut report = match shown {
        Ok(report) => report,
        Err(error) => {
            let logs = format!("{}\n{}", old.logs_tail(), new.logs_tail());
            drop((old, new));
            let kept = home.keep();
            bail!("{error:#}\n{logs}\nwhat it left is in {}", kept.display());
        }
    };
    report.ok = report.violations.is_empty();
    print(&report, args.json)?;
    Ok(report.ok)
}

async fn show(args: &Args, old: &mut World, new: &mut World) -> Result<Report> {
    let mut report = Report::default();
    let timelock = TIMELOCK.to_string();
    let (identity, _) = old.found(&[
        "--name",
        "old",
        "--chain-id",
        &CHAIN_ID.to_string(),
        "--dev",
        "--open",
        "--timelock",
        &timelock,
    ])?;
    report.identities[0] = identity;
    let before = Before::make(args, old).await?;
    old.stop_all()?;
    let file = export(old, &mut report)?;
    refused(old, &file, &mut report)?;

    let begin = Instant::now();
    let chain_id = CHAIN_ID.to_string();
    let options = ["--name", "new", "--chain-id", &chain_id, "--from-export"];
    let (identity, _) = new.found(&[options.as_slice(), &[text(&file)?]].concat())?;
    report.founding_s = begin.elapsed().as_secs_f64();
    report.identities[1] = identity;
    if report.identities[0] == report.identities[1] {
        report
            .violations
            .push("the identity is the old one".to_owned());
    }
    let begin = Instant::now();
    until_height(2, 1).await?;
    report.first_block_s = begin.elapsed().as_secs_f64();
    before.compare(&rpc(2), true, &mut report).await?;
    before.replay(&rpc(2), &mut report).await?;
    go_on(new, &before, &file, &mut report).await?;
    receipts(new, &before, &mut report).await?;
    let mut wire = Wire::open(&rpc(2)).await?;
    let known: Known = wire.call(GET_IDENTITY, json!([])).await?;
    new.stop_all()?;
    succeed(old, new, &known, &mut report).await?;
    Ok(report)
}

/// What there was.
struct Before {
    filler: Address,
    entries: u64,
    /// A fact's receipt, its id, and what is on chain for it.
    receipt: String,
    id: B256,
    commitment: B256,
    /// Nonce, balance and code of accounts and contracts.
    accounts: Vec<(Address, [String; 3])>,
    /// A transaction that was executed.
    transaction: String,
}

impl Before {
    /// Makes it, and waits until all nodes have it.
    async fn make(args: &Args, world: &mut World) -> Result<Self> {
        for host in 2..6 {
            until_height(host, 2).await?;
        }
        let url = rpc(world.host("gamma")?);
        // A vote now and one later: what contracts keep of heights must stay in order.
        let newcomer = dev_account(4)?.address();
        let (id, account) = (newcomer.into_word().to_string(), newcomer.to_string());
        let action = ["add-organization", &id, "epsilon", &account, "2"];
        world.decide(1, &[0, 1, 2, 3], &action).await?;
        let gateway = world.gateway("gamma")?;
        let receipt = record(&gateway, "a fact of the old network").await?;
        let path: Value = serde_json::from_str(&receipt)?;
        let id = path["path"]["id"].as_str().context("an id")?.parse()?;

        let mut sender = Sender::open(&url, &dev_account(6)?.to_bytes().to_string()).await?;
        let made = sender.send(TxKind::Create, Bytes::from_static(&FILLER), 200_000);
        let filler = made.await?.contract_address.context("no contract")?;
        let mut next = 0;
        while next < args.entries {
            let slots = SLOTS.min(args.entries - next);
            let input = [U256::from(next), U256::from(slots)];
            let input: Vec<u8> = input.iter().flat_map(U256::to_be_bytes::<32>).collect();
            sender.send(TxKind::Call(filler), input.into(), GAS).await?;
            next += slots;
        }
        let to = TxKind::Call(Address::repeat_byte(0xbb));
        let sent = sender.send(to, Bytes::new(), 30_000).await?;
        let mut wire = Wire::open(&url).await?;
        let block: Value = wire
            .call("eth_getBlockByNumber", json!([sent.block_number, true]))
            .await?;
        let hash = block["transactions"][0]["hash"].clone();
        let transaction = wire
            .call("eth_getRawTransactionByHash", json!([hash]))
            .await?;
        close(world, &mut sender).await?;
        let mut accounts = Vec::new();
        for index in 0..ACCOUNTS {
            accounts.push(dev_account(index)?.address());
        }
        accounts.extend([filler, RECORDS_ADDRESS]);
        let mut known = Vec::new();
        for account in accounts {
            known.push((account, look(&mut wire, account).await?));
        }
        let commitment = commitment(&mut wire, id).await?;
        ensure!(!commitment.is_zero(), "the fact is not on chain");
        let last = height(&mut wire).await?;
        for host in 2..6 {
            until_height(host, last).await?;
        }
        Ok(Self {
            filler,
            entries: args.entries,
            receipt,
            id,
            commitment,
            accounts: known,
            transaction,
        })
    }

    /// Whether a node says the same: of all accounts while nobody has sent anything yet (`untouched`), else of contracts.
    async fn compare(&self, url: &str, untouched: bool, report: &mut Report) -> Result<()> {
        let mut wire = Wire::open(url).await?;
        let is_contract = |[_, _, code]: &[String; 3]| code != "0x";
        let compared = self.accounts.iter();
        for (account, before) in compared.filter(|(_, before)| untouched || is_contract(before)) {
            let now = look(&mut wire, *account).await?;
            if now != *before {
                let told = format!("{url}, {account}: {now:?} instead of {before:?}");
                report.violations.push(told);
            }
        }
        for _ in 0..COMPARED {
            let slot = rand::rng().random_range(1..=self.entries);
            let asked = json!([self.filler, U256::from(slot), "latest"]);
            let value: B256 = wire.call("eth_getStorageAt", asked).await?;
            // A later call writes over the end of the one before.
            let expected = B256::from(U256::from((slot - 1) % SLOTS + 1));
            if value != expected {
                let told = format!("{url}, slot {slot}: {value} instead of {expected}");
                report.violations.push(told);
            }
        }
        let commitment = commitment(&mut wire, self.id).await?;
        if commitment != self.commitment {
            let told = format!("{url}, the old fact: {commitment}");
            report.violations.push(told);
        }
        Ok(())
    }

    /// Sends a transaction again that the old network executed.
    async fn replay(&self, url: &str, report: &mut Report) -> Result<()> {
        let mut wire = Wire::open(url).await?;
        let asked = question("eth_sendRawTransaction", json!([self.transaction]));
        let (_, answer) = wire.ask(asked.as_bytes()).await?;
        if !answer.contains("nonce too low") {
            let told = format!("an old transaction was sent again: {answer}");
            report.violations.push(told);
        }
        Ok(())
    }
}

/// Closes the network: from then on it only governs.
async fn close(world: &World, sender: &mut Sender) -> Result<()> {
    world
        .decide(2, &[0, 1, 2, 3, 4], &["close-network"])
        .await?;
    let to = TxKind::Call(Address::repeat_byte(0xbb));
    let refused = sender.send(to, Bytes::new(), 30_000).await;
    let refused = refused
        .err()
        .context("a closed network executed a transaction")?;
    let said = format!("{refused:#}");
    ensure!(said.contains("the network is closed"), "{said}");
    denied(world, &["close-network"], "AlreadyClosed")
}

/// What the network would not decide any more is not proposed.
fn denied(world: &World, action: &[&str], reason: &str) -> Result<()> {
    let url = rpc(world.host("beta")?);
    let propose = ["gov", "propose", "--rpc", &url, "--dev-account", "0"];
    let output = process::output(&world.program, &[propose.as_slice(), action].concat())?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(
        !output.status.success() && said.contains(reason),
        "{action:?}: {said}"
    );
    Ok(())
}

/// Nonce, balance and code.
async fn look(wire: &mut Wire, account: Address) -> Result<[String; 3]> {
    let mut found = [const { String::new() }; 3];
    let methods = ["eth_getTransactionCount", "eth_getBalance", "eth_getCode"];
    for (found, method) in found.iter_mut().zip(methods) {
        *found = wire.call(method, json!([account, "latest"])).await?;
    }
    Ok(found)
}

/// What is on chain for a record.
async fn commitment(wire: &mut Wire, id: B256) -> Result<B256> {
    let input = hex::encode_prefixed(IRecords::commitmentOfCall { id }.abi_encode());
    let call = json!([{ "to": RECORDS_ADDRESS, "input": input }, "latest"]);
    wire.call("eth_call", call).await
}

/// What `ashlar export --json` says.
#[derive(Debug, PartialEq, Eq, Deserialize)]
struct Exported {
    digest: B256,
    identity: String,
    height: u64,
    accounts: u64,
    slots: u64,
    codes: u64,
    bytes: u64,
}

fn exported(world: &World, name: &str, out: &Path, height: Option<u64>) -> Result<Exported> {
    let config = world.dir(name).join("node.toml");
    let mut arguments = vec!["export", "--json", "--config", text(&config)?];
    arguments.extend(["--out", text(out)?]);
    let height = height.map(|height| height.to_string());
    if let Some(height) = &height {
        arguments.extend(["--height", height]);
    }
    Ok(serde_json::from_str(&world.ashlar(&arguments)?)?)
}

/// Exports at two heights on two nodes. Gives the later file.
fn export(world: &World, report: &mut Report) -> Result<PathBuf> {
    let file = |name: &str| world.home.join(name).with_extension("export");
    let begin = Instant::now();
    let last = FOUNDERS.map(|name| exported(world, name, &file(name), None));
    report.export_s = begin.elapsed().as_secs_f64() / FOUNDERS.len() as f64;
    let last = last.into_iter().collect::<Result<Vec<_>>>()?;
    let height = last
        .iter()
        .map(|one| one.height)
        .min()
        .context("a height")?;
    for wanted in [height, height.saturating_sub(3)] {
        let begin = Instant::now();
        let mut digests = BTreeSet::new();
        for name in &FOUNDERS[..2] {
            let out = file(&format!("{name}-{wanted}"));
            digests.insert(exported(world, name, &out, Some(wanted))?.digest);
        }
        report.export_earlier_s = begin.elapsed().as_secs_f64() / 2.0;
        if digests.len() != 1 {
            let told = format!("two nodes export block {wanted} differently: {digests:?}");
            report.violations.push(told);
        }
    }
    let file = file(&format!("{}-{height}", FOUNDERS[0]));
    let begin = Instant::now();
    let identity = report.identities[0].clone();
    let check = [
        "export",
        "--json",
        "--check",
        text(&file)?,
        "--identity",
        &identity,
    ];
    let checked: Exported = serde_json::from_str(&world.ashlar(&check)?)?;
    report.check_s = begin.elapsed().as_secs_f64();
    ensure!(
        checked.identity == identity,
        "it is of {}",
        checked.identity
    );
    report.height = checked.height;
    report.accounts = checked.accounts;
    report.slots = checked.slots;
    report.codes = checked.codes;
    report.bytes = checked.bytes;
    Ok(file)
}

/// A changed file is no export.
fn refused(world: &World, file: &Path, report: &mut Report) -> Result<()> {
    let mut bytes = fs::read(file)?;
    let at = rand::rng().random_range(0..bytes.len());
    bytes[at] ^= 1;
    let changed = file.with_extension("changed");
    fs::write(&changed, bytes)?;
    let check = ["export", "--check", text(&changed)?];
    let output = process::output(&world.program, &check)?;
    if output.status.success() {
        let told = format!("a bit of byte {at} was changed, and the export still counts");
        report.violations.push(told);
    }
    Ok(())
}

/// The new network goes on: votes, new shares, newcomers.
async fn go_on(world: &mut World, before: &Before, file: &Path, report: &mut Report) -> Result<()> {
    let mut wire = Wire::open(&rpc(2)).await?;
    let at = U64::from(height(&mut wire).await?);
    let seen: U256 = wire
        .call("eth_call", json!([{ "input": NUMBER }, at]))
        .await?;
    if seen != U256::from(at.to::<u64>() + report.height) {
        report
            .violations
            .push(format!("in block {at} contracts see {seen}"));
    }
    let load = Load::start(&[world.host("gamma")?, world.host("delta")?]).await?;
    let newcomer = dev_account(5)?.address();
    let (id, account) = (newcomer.into_word().to_string(), newcomer.to_string());
    let action = ["add-organization", &id, "zeta", &account, "2"];
    // The fifth organization came in before: its vote counts.
    world.decide(3, &[0, 1, 2, 4], &action).await?;

    let identity = report.identities[1].clone();
    let begin = Instant::now();
    world.join("epsilon", 6, &identity)?;
    world.set_node(4, "epsilon", "observer")?;
    let late = height(&mut wire).await?;
    until_height(6, late).await?;
    report.state_sync_s = begin.elapsed().as_secs_f64();
    before.compare(&rpc(6), false, report).await?;

    world.settle("zeta", 7, &identity, &["--replay"])?;
    world.set_node(5, "zeta", "observer")?;
    let config = world.dir("zeta").join("node.toml");
    let started = process::output(&world.program, &["node", "--config", text(&config)?])?;
    let said = String::from_utf8_lossy(&started.stderr).into_owned();
    if started.status.success() || !said.contains("ashlar import") {
        report
            .violations
            .push(format!("a node without the state began: {said}"));
    }
    let import = ["import", "--config", text(&config)?, text(file)?];
    for _ in 0..KILLS {
        let mut importing = Command::new(&world.program)
            .args(import)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let lasts = rand::rng().random_range(KILLED_AFTER_MS);
        tokio::time::sleep(Duration::from_millis(lasts)).await;
        // It may have come to its end by itself, then this does nothing.
        importing.kill()?;
        report.killed += u64::from(!importing.wait()?.success());
    }
    // Whatever they left, and again over one that is whole.
    world.ashlar(&import)?;
    world.ashlar(&import)?;
    world.start("zeta", 7)?;
    until_height(7, late).await?;
    before.compare(&rpc(7), false, report).await?;

    // Shares were dealt anew by then to those whom the state names.
    until_height(2, 3 * EPOCH_BLOCKS + 2).await?;
    world.until_sign(&FOUNDERS).await?;
    let felt = load.stop().await?;
    report.transactions = felt.transactions;
    report.blocks = height(&mut wire).await?;
    let hashes = world.hashes_at(report.blocks).await?;
    if hashes.len() != 1 {
        report.violations.push(format!("nodes differ: {hashes:?}"));
    }
    Ok(())
}

/// What was proved stays proved by the old identity, and what is new is proved by the new one.
async fn receipts(world: &mut World, before: &Before, report: &mut Report) -> Result<()> {
    let gateway = world.gateway("gamma")?;
    let new = record(&gateway, "a fact of the new network").await?;
    let [first, second] = report.identities.clone();
    for (name, receipt, by, not_by) in [
        ("old", &before.receipt, &first, &second),
        ("new", &new, &second, &first),
    ] {
        let file = world.home.join(name).with_extension("receipt.json");
        fs::write(&file, receipt)?;
        for (identity, holds) in [(by, true), (not_by, false)] {
            let verify = ["verify", text(&file)?, "--identity", identity];
            let verified = process::output(&world.program, &verify)?;
            if verified.status.success() != holds {
                let told = format!(
                    "the {name} receipt with identity {identity}: {}",
                    String::from_utf8_lossy(&verified.stdout)
                );
                report.violations.push(told);
            }
        }
    }
    Ok(())
}

/// The old network names the new one, and trust in the old identity leads to the new one.
async fn succeed(old: &mut World, new: &World, known: &Known, report: &mut Report) -> Result<()> {
    let begin = Instant::now();
    for (name, host) in FOUNDERS.into_iter().zip(2..) {
        old.start(name, host)?;
    }
    let [first, second] = report.identities.clone();
    let (chain_id, genesis) = (CHAIN_ID.to_string(), known.genesis_hash.to_string());
    let action = ["name-successor", &second, &chain_id, &genesis];
    until_height(3, report.height + 1).await?;
    old.decide(3, &[0, 1, 2, 3, 4], &action).await?;
    report.succession_s = begin.elapsed().as_secs_f64();
    denied(old, &action, "AlreadySucceeded")?;
    denied(old, &["reopen-network"], "AlreadySucceeded")?;
    let url = rpc(old.host("beta")?);
    let doctor = process::output(&old.program, &["doctor", "--rpc", &url])?;
    let doctor = String::from_utf8_lossy(&doctor.stdout);
    ensure!(doctor.contains(&second), "doctor: {doctor}");

    let proof = old.home.join("succession.json");
    let ask = [
        "network",
        "succession",
        "--rpc",
        &url,
        "--out",
        text(&proof)?,
    ];
    let by = old.ashlar(&[ask.as_slice(), &["--identity", &first]].concat())?;
    ensure!(by.trim() == second, "the successor is {by}");
    let receipt = new.home.join("new.receipt.json");
    for (identity, succession, holds) in [
        (&first, Some(&proof), true),
        (&first, None, false),
        // What the new network says of itself is not what the old one says of it.
        (&first, Some(&receipt), false),
    ] {
        let mut verify = vec!["verify", text(&receipt)?, "--identity", identity];
        if let Some(succession) = succession {
            verify.extend(["--succession", text(succession)?]);
        }
        let verified = process::output(&old.program, &verify)?;
        if verified.status.success() != holds {
            let said = String::from_utf8_lossy(&verified.stdout);
            let told = format!("the new receipt with the old identity and {succession:?}: {said}");
            report.violations.push(told);
        }
    }
    old.stop_all()
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "exported         block {}: {} accounts, {} slots, {} codes in {} KiB",
            self.height,
            self.accounts,
            self.slots,
            self.codes,
            self.bytes >> 10
        )?;
        writeln!(
            f,
            "seconds          export {:.1}, of an earlier block {:.1}, check {:.1}; founding {:.1}, first block {:.1}, state sync {:.1}",
            self.export_s,
            self.export_earlier_s,
            self.check_s,
            self.founding_s,
            self.first_block_s,
            self.state_sync_s
        )?;
        writeln!(
            f,
            "new network      {} blocks, {} transactions; {} imports killed; named by the old one in {:.1} s",
            self.blocks, self.transactions, self.killed, self.succession_s
        )?;
        for violation in &self.violations {
            writeln!(f, "VIOLATION        {violation}")?;
        }
        write!(f, "verdict          violations {}", self.violations.len())
    }
}
