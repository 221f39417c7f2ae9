//! A network of real processes, started with `ashlar up` in a directory of its own.

use anyhow::{Context as _, Result, bail, ensure};
use rand::RngExt as _;
use rustix::process::{Pid, Signal, kill_process};
use serde::Deserialize;
use std::{
    fs::{self, File},
    io::{BufRead as _, BufReader},
    net::{Ipv4Addr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

/// Validators where something is to fail: the least that tolerate a fault.
pub(crate) const VALIDATORS: u16 = 4;
/// How long `up` may take to become ready, after a kill of everything and on a loaded machine.
const READY_TIMEOUT: Duration = Duration::from_secs(90);
/// How long a killed process may take to be gone: it ends only when the disk has taken what it was just writing.
const GONE_TIMEOUT: Duration = Duration::from_secs(180);
/// How long a graceful stop may take.
const STOP_TIMEOUT: Duration = Duration::from_secs(60);
/// Ports to choose from: above the well-known ones, below those that systems hand out for outgoing connections.
const PORTS: std::ops::Range<u16> = 18_000..32_000;

/// What runs: `up.json`, as far as a scenario needs it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct Status {
    /// The network's public key, hex.
    pub identity: String,
    /// The validators.
    pub validators: Vec<Validator>,
    /// The gateway.
    pub gateway: Gateway,
    /// Funded accounts.
    pub accounts: Vec<Account>,
    /// Opens the gateway.
    pub api_key: String,
}

/// A running validator.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct Validator {
    /// Its process.
    pub pid: u32,
    /// JSON-RPC URL.
    pub rpc: String,
}

/// A running gateway.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct Gateway {
    /// Its process.
    pub pid: u32,
    /// REST URL.
    pub url: String,
}

/// A funded account.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct Account {
    /// Its private key, hex.
    pub private_key: String,
}

/// A network started by us. Dropping it ends it and removes its directory, unless it was asked to keep that.
#[derive(Debug)]
pub(crate) struct Network {
    program: PathBuf,
    dir: PathBuf,
    validators: u16,
    port_base: u16,
    /// Whether processes that died are started again.
    restarts: bool,
    up: Option<Child>,
    /// Removes everything at the end.
    home: Option<tempfile::TempDir>,
}

impl Network {
    /// Starts so many validators and a gateway, each in a process of its own, and waits until they are ready.
    pub(crate) fn start(program: &Path, validators: u16) -> Result<(Self, Status)> {
        let mut network = Self::new(program, validators)?;
        let status = network.resume()?;
        Ok((network, status))
    }

    /// A place for a network; nothing is there and nothing runs yet.
    pub(crate) fn new(program: &Path, validators: u16) -> Result<Self> {
        let home = tempfile::Builder::new()
            .prefix("ashlar-scenario-")
            .tempdir()?;
        Ok(Self {
            program: program.to_owned(),
            dir: home.path().join("network"),
            validators,
            port_base: free_ports(row(validators))?,
            restarts: true,
            up: None,
            home: Some(home),
        })
    }

    /// From the next start on, processes that died stay dead.
    pub(crate) const fn leave_dead(&mut self) {
        self.restarts = false;
    }

    /// Its directory.
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// A validator's folder.
    pub(crate) fn validator(&self, index: u16) -> PathBuf {
        self.dir.join("validators").join(index.to_string())
    }

    /// The gateway's folder.
    pub(crate) fn gateway(&self) -> PathBuf {
        self.dir.join("gateway")
    }

    /// Starts it in its directory, for the first time or after [`Self::kill_all`].
    pub(crate) fn resume(&mut self) -> Result<Status> {
        ensure!(self.up.is_none(), "the network runs");
        let log_path = self.log();
        let log = File::options().create(true).append(true).open(&log_path)?;
        let mut child = Command::new(&self.program)
            .args(["up", "--separate", "--json", "--validators"])
            .arg(self.validators.to_string())
            .arg("--port-base")
            .arg(self.port_base.to_string())
            .arg("--dir")
            .arg(&self.dir)
            .args((!self.restarts).then_some("--no-restart"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .with_context(|| format!("cannot run {}", self.program.display()))?;
        let Some(line) = child.stdout.take().and_then(first_line) else {
            child.kill()?;
            child.wait()?;
            self.await_gone()?;
            let log = fs::read_to_string(&log_path).unwrap_or_default();
            bail!(
                "`ashlar up` was not ready within {READY_TIMEOUT:?}; it said: {}",
                log.trim()
            );
        };
        self.up = Some(child);
        serde_json::from_str(&line).with_context(|| format!("`ashlar up --json` printed {line:?}"))
    }

    /// What runs now: the supervisor keeps it current as it starts processes again.
    pub(crate) fn status(&self) -> Result<Status> {
        let path = self.dir.join("up.json");
        let text = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        serde_json::from_slice(&text).with_context(|| format!("in {}", path.display()))
    }

    /// `kill -9` of the supervisor and all its processes at once, as a loss of power does it. Returns how many.
    pub(crate) fn kill_all(&mut self) -> Result<u64> {
        let status = self.status();
        let mut up = self.up.take().context("the network does not run")?;
        // First, or it starts the others again.
        up.kill()?;
        let mut killed = 1;
        let status = status?;
        let pids = status.validators.iter().map(|validator| validator.pid);
        for pid in pids.chain([status.gateway.pid]) {
            // One that was just dead, or heard of the supervisor's end, is gone already.
            killed += u64::from(kill(pid).is_ok());
        }
        up.wait()?;
        self.await_gone()?;
        Ok(killed)
    }

    /// Waits until the processes are gone, which is when nobody holds their ports. (A killed process whose parent is
    /// gone too may stay in the process table for ever, so that one is no witness.)
    fn await_gone(&self) -> Result<()> {
        let deadline = Instant::now() + GONE_TIMEOUT;
        while let Err((port, error)) = bind(self.port_base, row(self.validators)) {
            ensure!(
                Instant::now() < deadline,
                "a killed process still holds port {port}: {error}"
            );
            thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }

    /// Stops it as an operator does, and expects it to obey.
    pub(crate) fn stop(&mut self) -> Result<()> {
        let Some(mut up) = self.up.take() else {
            return Ok(());
        };
        kill_process(pid(up.id())?, Signal::TERM)?;
        let deadline = Instant::now() + STOP_TIMEOUT;
        loop {
            if let Some(ended) = up.try_wait()? {
                ensure!(ended.success(), "`ashlar up` ended with {ended}");
                return Ok(());
            }
            if Instant::now() > deadline {
                self.up = Some(up);
                bail!("`ashlar up` did not stop within {STOP_TIMEOUT:?}");
            }
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Leaves the directory for whoever looks into a failure; returns where it is.
    pub(crate) fn keep(&mut self) -> PathBuf {
        if let Some(home) = self.home.take() {
            return home.keep();
        }
        self.dir.clone()
    }

    fn log(&self) -> PathBuf {
        self.dir.with_extension("log")
    }

    /// Removes what was said until now.
    pub(crate) fn forget_logs(&self) -> Result<()> {
        for log in self.logs().filter(|log| log.exists()) {
            fs::remove_file(log)?;
        }
        Ok(())
    }

    /// The last lines of everyone's log, for whoever looks into a failure.
    pub(crate) fn logs_tail(&self) -> String {
        let mut tail = String::new();
        for log in self.logs() {
            let text = fs::read_to_string(&log).unwrap_or_default();
            let lines: Vec<&str> = text.lines().rev().take(10).collect();
            let lines: Vec<&str> = lines.into_iter().rev().collect();
            tail += &format!("--- {}\n{}\n", log.display(), lines.join("\n"));
        }
        tail
    }

    fn logs(&self) -> impl Iterator<Item = PathBuf> {
        (0..self.validators)
            .map(|index| self.validator(index))
            .chain([self.gateway()])
            .map(|folder| folder.join("log"))
            .chain([self.log()])
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        if self.up.is_some() {
            let _ = self.kill_all();
        }
    }
}

/// `kill -9`.
pub(crate) fn kill(process: u32) -> Result<()> {
    kill_process(pid(process)?, Signal::KILL).with_context(|| format!("cannot kill {process}"))
}

/// A process id as the system takes it.
pub(crate) fn pid(process: u32) -> Result<Pid> {
    i32::try_from(process)
        .ok()
        .and_then(Pid::from_raw)
        .with_context(|| format!("{process} is no process id"))
}

/// The first line, if it comes in time. Reads on until the end, so that the writer never waits.
fn first_line(stdout: impl std::io::Read + Send + 'static) -> Option<String> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            // Only the first is waited for.
            let _ = sender.send(line);
        }
    });
    receiver.recv_timeout(READY_TIMEOUT).ok()
}

/// Ports a network takes: the gateway's, and two for each validator.
fn row(validators: u16) -> u16 {
    validators.saturating_mul(2).saturating_add(1)
}

/// The first of so many free ports.
pub(super) fn free_ports(row: u16) -> Result<u16> {
    for _ in 0..100 {
        let base = rand::rng().random_range(PORTS.start..PORTS.end - row);
        if bind(base, row).is_ok() {
            return Ok(base);
        }
    }
    bail!(
        "no {row} free ports in a row between {} and {}",
        PORTS.start,
        PORTS.end
    )
}

/// Takes all ports of a network, for a moment; else says which one is taken.
fn bind(base: u16, row: u16) -> Result<(), (u16, std::io::Error)> {
    let mut held = Vec::with_capacity(usize::from(row));
    for port in base..base + row {
        let listener =
            TcpListener::bind((Ipv4Addr::LOCALHOST, port)).map_err(|error| (port, error))?;
        held.push(listener);
    }
    Ok(())
}
