//! Keeps a network's services running: as threads of this process, or as processes of their own
//! that are started again when they die.

use crate::{
    gateway,
    network::Layout,
    node::{self, NodeConfig},
    shutdown::{Shutdown, Stopper},
    version::TOO_OLD,
};
use anyhow::{Context as _, Result, anyhow};
use std::{
    fmt, fs,
    io::{Read as _, Seek as _, SeekFrom},
    process::{Child, ExitStatus, Stdio},
    sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    thread,
    time::{Duration, Instant},
};

/// A part of a network that runs on its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Service {
    /// The validator with this index.
    Validator(u16),
    /// The gateway.
    Gateway,
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Validator(index) => write!(f, "validator {index}"),
            Self::Gateway => write!(f, "gateway"),
        }
    }
}

/// Something happened to a service.
#[derive(Debug)]
pub enum Event {
    /// It runs in the process with this id.
    Started(Service, u32),
    /// It ended by itself; it is being started again if that was asked for and is of use.
    Ended(Service, String),
}

/// How services run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// As threads of this process; if one fails, all stop.
    Threads,
    /// Each in a process of its own.
    Processes {
        /// Whether one that dies is started again, unless its program is too old.
        restart: bool,
    },
}

/// A process that lived shorter than this before it died is started again only after a pause, so
/// that one that cannot start does not burn the machine.
const SHORT_LIFE: Duration = Duration::from_secs(2);
const PAUSE: Duration = Duration::from_secs(1);
/// How often a child is looked at.
const POLL: Duration = Duration::from_millis(20);
/// Stack of a service's thread, as large as that of a process's first thread usually is: without optimization the
/// engine's futures fill more than the 2 MiB that other threads get.
const STACK_BYTES: usize = 8 << 20;
/// How much of a log is searched for the reason of an end, in bytes.
const LOG_TAIL: u64 = 64 << 10;
/// How long a child may take to stop before it is killed.
const STOP_TIMEOUT: Duration = Duration::from_secs(10);

/// Running services.
pub struct Supervisor {
    threads: Vec<thread::JoinHandle<()>>,
    events: Receiver<Event>,
    stopper: Stopper,
}

impl Supervisor {
    /// Starts all services of a network.
    pub fn start(
        layout: &Layout,
        services: &[Service],
        mode: Mode,
        (stopper, shutdown): (Stopper, Shutdown),
    ) -> Result<Self> {
        let (sender, events) = channel();
        let mut threads = Vec::with_capacity(services.len());
        for service in services.iter().copied() {
            let (layout, sender, shutdown) = (layout.clone(), sender.clone(), shutdown.clone());
            let stopper = stopper.clone();
            let body = move || match mode {
                Mode::Threads => {
                    let _ = sender.send(Event::Started(service, std::process::id()));
                    if let Err(error) = run(&layout, service, shutdown) {
                        let _ = sender.send(Event::Ended(service, format!("{error:#}")));
                        stopper.stop();
                    }
                }
                Mode::Processes { restart } => {
                    if let Err(error) = keep(&layout, service, restart, &shutdown, &sender) {
                        let _ = sender.send(Event::Ended(service, format!("{error:#}")));
                    }
                }
            };
            let thread = thread::Builder::new()
                .name(service.to_string())
                .stack_size(STACK_BYTES)
                .spawn(body)?;
            threads.push(thread);
        }
        Ok(Self {
            threads,
            events,
            stopper,
        })
    }

    /// The next event, or none within `patience`.
    pub fn event(&self, patience: Duration) -> Option<Event> {
        match self.events.recv_timeout(patience) {
            Ok(event) => Some(event),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => {
                thread::sleep(patience);
                None
            }
        }
    }

    /// Stops all services and waits for them.
    pub fn stop(self) -> Result<()> {
        self.stopper.stop();
        for thread in self.threads {
            let name = thread.thread().name().unwrap_or("service").to_owned();
            thread.join().map_err(|_| anyhow!("{name} panicked"))?;
        }
        Ok(())
    }
}

fn run(layout: &Layout, service: Service, shutdown: Shutdown) -> Result<()> {
    match service {
        Service::Validator(index) => {
            node::run(NodeConfig::read(&layout.validator_config(index))?, shutdown)
        }
        Service::Gateway => gateway::run(&layout.gateway_config(), shutdown),
    }
}

/// Runs a service as a child process until told to stop.
fn keep(
    layout: &Layout,
    service: Service,
    restart: bool,
    shutdown: &Shutdown,
    events: &Sender<Event>,
) -> Result<()> {
    loop {
        let born = Instant::now();
        let mut child = spawn(layout, service)?;
        let _ = events.send(Event::Started(service, child.id()));
        let ended = wait(&mut child, shutdown)?;
        let Some(status) = ended else { return Ok(()) };
        let reason = reason(layout, service, status);
        if status.code() == Some(TOO_OLD.into()) {
            // The same program would end in the same way.
            let reason = format!("{reason}. It is not started again");
            let _ = events.send(Event::Ended(service, reason));
            return Ok(());
        }
        let _ = events.send(Event::Ended(service, reason));
        if !restart {
            return Ok(());
        }
        let pause = if born.elapsed() < SHORT_LIFE {
            PAUSE
        } else {
            Duration::ZERO
        };
        let resume = Instant::now() + pause;
        while Instant::now() < resume {
            if shutdown.is_requested() {
                return Ok(());
            }
            thread::sleep(POLL);
        }
    }
}

/// Why a child ended: the error it logged last, if it ended by itself.
fn reason(layout: &Layout, service: Service, status: ExitStatus) -> String {
    let said = || {
        let mut log = fs::File::open(layout.log(service)).ok()?;
        let length = log.metadata().ok()?.len();
        log.seek(SeekFrom::Start(length.saturating_sub(LOG_TAIL)))
            .ok()?;
        let mut tail = Vec::new();
        log.read_to_end(&mut tail).ok()?;
        let tail = String::from_utf8_lossy(&tail);
        let last = tail.lines().rfind(|line| line.starts_with("error: "))?;
        Some(last.to_owned())
    };
    // One that was killed says nothing, and what it said before is not the reason.
    let said = status.code().and_then(|_| said());
    said.unwrap_or_else(|| status.to_string())
}

fn spawn(layout: &Layout, service: Service) -> Result<Child> {
    let (command, config) = match service {
        Service::Validator(index) => ("node", layout.validator_config(index)),
        Service::Gateway => ("gateway", layout.gateway_config()),
    };
    let log_path = layout.log(service);
    let log = fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(&log_path)
        .with_context(|| format!("cannot write {}", log_path.display()))?;
    let program = std::env::current_exe().context("cannot find our own program file")?;
    std::process::Command::new(program)
        .arg(command)
        .arg("--config")
        .arg(config)
        // The child stops when this pipe closes, so nobody outlives us, whatever ends us.
        .arg("--stop-with-parent")
        .stdin(Stdio::piped())
        .stdout(log.try_clone()?)
        .stderr(log)
        .spawn()
        .with_context(|| format!("cannot start the {service}"))
}

/// Waits until the child ends by itself (its status), or stops it when asked to (none).
fn wait(child: &mut Child, shutdown: &Shutdown) -> Result<Option<ExitStatus>> {
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if shutdown.is_requested() {
            break;
        }
        thread::sleep(POLL);
    }
    drop(child.stdin.take());
    let deadline = Instant::now() + STOP_TIMEOUT;
    while Instant::now() < deadline {
        if child.try_wait()?.is_some() {
            return Ok(None);
        }
        thread::sleep(POLL);
    }
    child.kill()?;
    child.wait()?;
    Ok(None)
}
