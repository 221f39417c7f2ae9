//! `ashlar demo`: the main job, told as a story. Everything in it is real: five processes on this
//! machine, a killed validator, a receipt checked by a process that knows only a public key.

use crate::{
    cli::DemoArgs,
    network::Ports,
    shutdown::{self, Shutdown, Stopper},
    supervisor::Mode,
    up::{Network, Plan},
};
use alloy_primitives::{B256, Bytes, hex};
use anyhow::{Context as _, Result, bail, ensure};
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use client::{
    gateway::{Gateway, GatewayError},
    record::{AttachmentRequest, Record, RecordRequest},
};
use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use serde::Serialize;
use serde_json::value::RawValue;
use sha2::{Digest as _, Sha256};
use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
    time::{Duration, Instant},
};

/// A shipment as a logistics system reports it: a GS1 EPCIS 2.0 ObjectEvent.
const SHIPMENT: &str = include_str!("../assets/shipment.json");
/// A document that belongs to it and is nobody else's business.
const DELIVERY_NOTE: &[u8] = include_bytes!("../assets/delivery-note.txt");
/// The client's name for the request; the same name is the same request.
const IDEMPOTENCY_KEY: &str = "shipment-4471";
/// The generator of the key group: a valid identity, but not this network's.
const STRANGER: &str = "0x93e02b6052719f607dacd3a088274f65596bd0d09920b61ab5da61bbdc7f5049\
                        334cf11213945d57e5ac7d055d042b7e024aa2b2f08f0a91260805272dc51051\
                        c6e47ad4fa403b02b4510b647ae3d1770bac0326a805bbefd48056c8c121bdb8";
/// How long one step may take before the demo fails.
const PATIENCE: Duration = Duration::from_secs(20);

/// What the demo showed: the output of `--json`.
#[derive(Debug, Default, Serialize)]
struct Summary {
    /// Whether everything held.
    ok: bool,
    /// What did not.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    dir: String,
    identity: String,
    validators: usize,
    /// Milliseconds until the network answered.
    ready_ms: u64,
    /// Milliseconds from the start of the demo to the first receipt.
    first_receipt_ms: u64,
    /// Milliseconds from posting the record to its receipt.
    record_ms: u64,
    record: Option<RecordSummary>,
    killed: Option<Killed>,
    receipt: Option<ReceiptSummary>,
    verification: Option<Verification>,
    erasure: Option<Erasure>,
    /// Milliseconds of the whole demo.
    total_ms: u64,
    #[serde(skip)]
    printed: bool,
}

impl Summary {
    /// Prints the summary as one line, once.
    fn print(&mut self, error: Option<&anyhow::Error>) {
        if std::mem::replace(&mut self.printed, true) {
            return;
        }
        self.ok = error.is_none();
        self.error = error.map(|error| format!("{error:#}"));
        match serde_json::to_string(self) {
            Ok(line) => println!("{line}"),
            Err(error) => eprintln!("error: {error}"),
        }
    }
}

#[derive(Debug, Serialize)]
struct RecordSummary {
    id: B256,
    commitment: B256,
    height: u64,
    time: String,
    transaction: B256,
}

#[derive(Debug, Serialize)]
struct Killed {
    validator: u16,
    pid: u32,
    signal: &'static str,
    /// Milliseconds the same request took without it.
    repeat_ms: u64,
    /// Milliseconds a new record took to become final without it.
    next_record_ms: u64,
}

#[derive(Debug, Serialize)]
struct ReceiptSummary {
    file: PathBuf,
    json_bytes: usize,
    cbor_bytes: usize,
    sha256_before: String,
    sha256_after: String,
    identical: bool,
}

#[derive(Debug, Serialize)]
struct Verification {
    /// The process that checked, other than the one that made it.
    pid: u32,
    exit_code: i32,
    valid: bool,
    /// Whether a wrong identity was refused.
    other_identity_refused: bool,
}

#[derive(Debug, Serialize)]
struct Erasure {
    content_gone: bool,
    attachment_gone: bool,
    /// Whether no byte of the attachment is left in the gateway's files, sealed or open.
    no_trace_on_disk: bool,
    receipt_still_verifies: bool,
}

/// Runs the demo. The exit code is its verdict.
pub fn demo(args: &DemoArgs) -> ExitCode {
    let mut summary = Summary::default();
    let told = run(args, &mut summary);
    if args.json {
        summary.print(told.as_ref().err());
    } else if let Err(error) = &told {
        eprintln!("\nerror: {error:#}");
    }
    ExitCode::from(u8::from(told.is_err()))
}

fn run(args: &DemoArgs, summary: &mut Summary) -> Result<()> {
    let temporary = match &args.dir {
        Some(_) => None,
        None => Some(tempfile::Builder::new().prefix("ashlar-demo-").tempdir()?),
    };
    let dir = match (&args.dir, &temporary) {
        (Some(dir), _) => dir.clone(),
        (None, Some(temporary)) => temporary.path().to_path_buf(),
        (None, None) => bail!("no directory"),
    };
    let (stopper, shutdown) = shutdown::channel();
    stopper.on_signals(false)?;
    let result = story(args, &dir, (stopper, shutdown), summary);
    if let Some(temporary) = temporary {
        // What the receipt needs to be checked stays; the network does not.
        let kept = result.is_ok() && keep_receipt(summary)?;
        if !kept && result.is_err() {
            let left = temporary.keep();
            eprintln!(
                "the network's files and logs are left in {}",
                left.display()
            );
        }
    }
    result
}

/// Copies the receipt out of the temporary directory into the working directory.
fn keep_receipt(summary: &mut Summary) -> Result<bool> {
    let Some(receipt) = &mut summary.receipt else {
        return Ok(false);
    };
    let target = std::env::current_dir()?.join("receipt.json");
    fs::copy(&receipt.file, &target)
        .with_context(|| format!("cannot write {}", target.display()))?;
    receipt.file = target;
    Ok(true)
}

/// Says a line of the story, unless a machine listens.
struct Teller {
    quiet: bool,
    begin: Instant,
}

impl Teller {
    fn chapter(&self, title: &str) {
        if !self.quiet {
            println!("\n{:>6.2}s  {title}", self.begin.elapsed().as_secs_f64());
        }
    }

    fn line(&self, text: &str) {
        if !self.quiet {
            println!("         {text}");
        }
    }

    fn elapsed_ms(&self) -> u64 {
        millis(self.begin.elapsed())
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn story(
    args: &DemoArgs,
    dir: &Path,
    (stopper, shutdown): (Stopper, Shutdown),
    summary: &mut Summary,
) -> Result<()> {
    let teller = Teller {
        quiet: args.json,
        begin: Instant::now(),
    };
    if !args.json {
        println!("Ashlar: four organizations, one fact, one small file that proves it.");
    }

    teller.chapter("Starting four validators and a gateway, each its own process");
    let resume = dir.join("genesis.json").exists();
    let plan = Plan {
        dir,
        validators: None,
        bonded: false,
        port_base: if resume {
            None
        } else {
            Some(Ports::find_free(4)?)
        },
        // A killed validator must stay dead: the point is that nobody needs it.
        mode: Mode::Processes { restart: false },
    };
    let mut network = Network::start(&plan, (stopper, shutdown.clone()))?;
    summary.ready_ms = teller.elapsed_ms();
    summary.dir = network.status.dir.clone();
    summary.identity = network.status.identity.clone();
    summary.validators = network.status.validators.len();
    teller.line(&format!(
        "up in {} ms, no configuration, no Docker",
        summary.ready_ms
    ));
    teller.line(&format!(
        "network identity {}… (one key, however many validators)",
        head(&summary.identity)
    ));

    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let told = runtime.block_on(scenes(&teller, &mut network, summary));
    summary.total_ms = teller.elapsed_ms();
    if told.is_ok() {
        finale(&teller, summary);
    }
    if told.is_ok() && args.keep {
        teller.line("");
        teller.line(&format!(
            "The network goes on, three validators of four: {}",
            network.status.explorer
        ));
        teller.line("Ctrl-C ends it.");
        if args.json {
            summary.print(None);
        }
        while !shutdown.is_requested() {
            network.tend(Duration::from_millis(100))?;
        }
    }
    network.stop()?;
    told
}

async fn scenes(teller: &Teller, network: &mut Network, summary: &mut Summary) -> Result<()> {
    let gateway = Gateway::new(&network.status.gateway.url, &network.status.api_key)?;
    let request = shipment()?;

    teller.chapter("Recording a shipment (a GS1 EPCIS event) with a confidential delivery note");
    let posted = Instant::now();
    let before = record_final(&gateway, IDEMPOTENCY_KEY, &request).await?;
    summary.record_ms = millis(posted.elapsed());
    summary.first_receipt_ms = teller.elapsed_ms();
    let receipt = proof::Receipt::from_json(&before)?;
    let id = receipt
        .record
        .as_ref()
        .context("the receipt proves no record")?
        .path
        .id;
    let record = gateway.read(&id).await?;
    let finality = record.finality.clone().context("the record is not final")?;
    teller.line(&format!(
        "final at height {} after {} ms; it can never be undone",
        finality.height, summary.record_ms
    ));
    teller.line(&format!("record {id}"));
    summary.record = Some(RecordSummary {
        id,
        commitment: record.commitment,
        height: finality.height,
        time: finality.time,
        transaction: finality.transaction,
    });

    teller.chapter("Killing a validator (kill -9) and repeating the same request");
    let (killed, after) = kill_and_repeat(&gateway, network, &request).await?;
    ensure!(
        before == after,
        "the receipt changed after validator {} was killed",
        killed.validator
    );
    teller.line(&format!(
        "validator {} is dead; the same request gave the same receipt, byte for byte, in {} ms",
        killed.validator, killed.repeat_ms
    ));
    teller.line(&format!(
        "a new record became final {} ms after the kill: three of four suffice",
        killed.next_record_ms
    ));
    summary.killed = Some(killed);
    let file = network.layout.dir().join("receipt.json");
    fs::write(&file, &before).with_context(|| format!("cannot write {}", file.display()))?;
    summary.receipt = Some(ReceiptSummary {
        file: file.clone(),
        json_bytes: before.len(),
        cbor_bytes: receipt.to_cbor().len(),
        sha256_before: hex::encode(Sha256::digest(&before)),
        sha256_after: hex::encode(Sha256::digest(&after)),
        identical: before == after,
    });

    teller.chapter("Checking receipt.json in a fresh process, offline, against the identity alone");
    let checked = check_offline(&file, &network.status.identity)?;
    ensure!(checked.valid, "the receipt does not verify");
    ensure!(
        checked.other_identity_refused,
        "a wrong identity was accepted"
    );
    teller.line(&format!(
        "valid: {} bytes as CBOR prove record, time and content",
        receipt.to_cbor().len()
    ));
    teller.line("with any other identity it is refused");
    summary.verification = Some(checked);

    teller.chapter("Erasing the content: the shipment's data and the delivery note");
    let erasure = erase(&gateway, network, &record, &before).await?;
    ensure!(
        erasure.content_gone && erasure.attachment_gone,
        "the content is still there"
    );
    ensure!(
        erasure.no_trace_on_disk,
        "bytes of the delivery note are left on disk"
    );
    ensure!(
        erasure.receipt_still_verifies,
        "the receipt no longer verifies"
    );
    teller.line("its key and its bytes are destroyed; what is on chain means nothing without them");
    teller.line("the receipt without content still proves that the record was made, and when");
    summary.erasure = Some(erasure);
    Ok(())
}

fn shipment() -> Result<RecordRequest> {
    Ok(RecordRequest {
        kind: "epcis/ObjectEvent".to_owned(),
        data: RawValue::from_string(SHIPMENT.trim().to_owned())?,
        attachments: vec![AttachmentRequest {
            name: "delivery-note.txt".to_owned(),
            media_type: "text/plain".to_owned(),
            content: BASE64.encode(DELIVERY_NOTE),
        }],
    })
}

/// Posts until the receipt is there. Repeating is harmless: that is what the key is for.
async fn record_final(gateway: &Gateway, key: &str, request: &RecordRequest) -> Result<Bytes> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match gateway.record_final(key, request).await {
            Ok(receipt) => return Ok(receipt),
            Err(error) if Instant::now() > deadline => {
                return Err(error).context("the record did not become final");
            }
            Err(GatewayError::NotYet | GatewayError::Unreachable(_)) => {}
            Err(error) => return Err(error).context("the gateway refused the record"),
        }
    }
}

async fn kill_and_repeat(
    gateway: &Gateway,
    network: &Network,
    request: &RecordRequest,
) -> Result<(Killed, Bytes)> {
    // The first one: the gateway asks it before the others, so its death is felt the most.
    let victim = network.status.validators.first().context("no validator")?;
    let pid = i32::try_from(victim.pid)
        .ok()
        .and_then(Pid::from_raw)
        .context("no pid")?;
    kill_process(pid, Signal::KILL)?;
    let died = Instant::now();
    while test_kill_process(pid).is_ok() {
        ensure!(died.elapsed() < PATIENCE, "the validator does not die");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let repeated = Instant::now();
    let after = record_final(gateway, IDEMPOTENCY_KEY, request).await?;
    let repeat_ms = millis(repeated.elapsed());
    let note = RecordRequest {
        kind: "note".to_owned(),
        data: RawValue::from_string(r#"{"text":"still here"}"#.to_owned())?,
        attachments: Vec::new(),
    };
    record_final(gateway, "after-the-kill", &note).await?;
    let killed = Killed {
        validator: victim.index,
        pid: victim.pid,
        signal: "SIGKILL",
        repeat_ms,
        next_record_ms: millis(died.elapsed()),
    };
    Ok((killed, after))
}

/// Runs `ashlar verify` as a new process: it has the file, the identity and nothing else.
fn verify(file: &Path, identity: &str) -> Result<(u32, i32)> {
    let child = Command::new(std::env::current_exe()?)
        .args(["verify", "--json", "--identity", identity])
        .arg(file)
        .env_clear()
        .stdout(std::process::Stdio::null())
        .spawn()
        .context("cannot start the verifier")?;
    let pid = child.id();
    let status = child.wait_with_output()?.status;
    Ok((pid, status.code().unwrap_or(-1)))
}

fn check_offline(file: &Path, identity: &str) -> Result<Verification> {
    let (pid, exit_code) = verify(file, identity)?;
    let (_, refused) = verify(file, STRANGER)?;
    Ok(Verification {
        pid,
        exit_code,
        valid: exit_code == 0,
        other_identity_refused: refused == 1,
    })
}

async fn erase(
    gateway: &Gateway,
    network: &Network,
    record: &Record,
    receipt_before: &Bytes,
) -> Result<Erasure> {
    gateway.erase(&record.id).await?;
    let read = gateway.read(&record.id).await?;
    let attachment = gateway.attachment(&record.id, 0).await;
    let receipt = gateway.receipt_json(&record.id).await?;
    let file = network.layout.dir().join("receipt-without-content.json");
    fs::write(&file, &receipt).with_context(|| format!("cannot write {}", file.display()))?;
    let (_, exit_code) = verify(&file, &network.status.identity)?;
    let salt = proof::Receipt::from_json(receipt_before)?
        .record
        .and_then(|record| record.content)
        .map(|content| content.salt);
    let mut traces = vec![DELIVERY_NOTE.to_vec(), b"DELIVERY NOTE DA-4471".to_vec()];
    traces.extend(salt.map(|salt| salt.to_vec()));
    Ok(Erasure {
        content_gone: read.data.is_none() && read.erased.is_some(),
        attachment_gone: attachment.is_err(),
        no_trace_on_disk: !any_file_contains(&network.layout.gateway(), &traces)?,
        receipt_still_verifies: exit_code == 0,
    })
}

fn any_file_contains(dir: &Path, needles: &[Vec<u8>]) -> Result<bool> {
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.is_dir() {
            if any_file_contains(&path, needles)? {
                return Ok(true);
            }
            continue;
        }
        let bytes = fs::read(&path)?;
        let found = needles.iter().any(|needle| {
            bytes
                .windows(needle.len())
                .any(|window| window == needle.as_slice())
        });
        if found {
            return Ok(true);
        }
    }
    Ok(false)
}

fn finale(teller: &Teller, summary: &Summary) {
    let seconds = Duration::from_millis(summary.total_ms);
    teller.chapter(&format!("Done in {seconds:.1?}. What to try next"));
    teller.line("ashlar verify receipt.json              what the receipt proves, in words");
    teller.line(
        "ashlar up                               a network that stays up, with a page to look at",
    );
    teller.line("ashlar sim --seed 7                     the same network under seeded faults, in one thread");
    teller.line("docs/receipt.md                         write your own verifier");
}

fn head(text: &str) -> &str {
    text.get(..18).unwrap_or(text)
}
