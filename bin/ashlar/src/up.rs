//! `ashlar up` and `ashlar down`: a network on this machine that stays up.

use crate::{
    cli::{DownArgs, UpArgs},
    files::DirectoryLock,
    gateway,
    network::{self, Layout, Ports, dev_accounts},
    node::{NodeConfig, free},
    shutdown::{self, Shutdown, Stopper},
    status::{AccountStatus, GatewayStatus, Status, ValidatorStatus},
    supervisor::{Event, Mode, Service, Supervisor},
};
use alloy_primitives::hex;
use anyhow::{Context as _, Result, bail};
use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use std::{
    path::Path,
    time::{Duration, Instant},
};

/// How long a network may take to come up before we say what hangs.
const READY_TIMEOUT: Duration = Duration::from_secs(60);
/// How often readiness is asked for.
const READY_POLL: Duration = Duration::from_millis(25);

/// A network that was started and answers.
pub struct Network {
    /// Its files.
    pub layout: Layout,
    /// What runs.
    pub status: Status,
    supervisor: Supervisor,
    _lock: DirectoryLock,
}

/// How to start a network.
pub struct Plan<'a> {
    /// Its directory.
    pub dir: &'a Path,
    /// Validators of a new one; none takes the documented number, or what is there.
    pub validators: Option<u16>,
    /// Whether those of a new one are chosen by bond.
    pub bonded: bool,
    /// First of its ports.
    pub port_base: Option<u16>,
    /// Threads or processes.
    pub mode: Mode,
}

/// Validators of a network unless told otherwise: the least that tolerate a fault.
const VALIDATORS: u16 = 4;

impl Network {
    /// Makes the network if it is not there, starts it and waits until it answers.
    pub fn start(plan: &Plan<'_>, (stopper, shutdown): (Stopper, Shutdown)) -> Result<Self> {
        let layout = Layout::new(plan.dir)?;
        let lock = DirectoryLock::take(layout.dir())?;
        if layout.exists() {
            check_same(&layout, plan)?;
        } else {
            let validators = plan.validators.unwrap_or(VALIDATORS);
            if !(1..=16).contains(&validators) {
                bail!("--validators {validators}: choose 1 to 16 on one machine");
            }
            let ports = Ports::new(plan.port_base, validators)?;
            network::create(&layout, validators, plan.bonded, &ports)?;
        }
        let configs = validator_configs(&layout)?;
        let gateway_listen = gateway::listen(&layout.gateway_config())?;
        for config in &configs {
            free(config.rpc.listen, "a validator's JSON-RPC")?;
            free(config.p2p.listen, "a validator's network")?;
        }
        free(gateway_listen, "the gateway")?;
        let count = u16::try_from(configs.len())?;
        let services: Vec<Service> = (0..count)
            .map(Service::Validator)
            .chain([Service::Gateway])
            .collect();
        let supervisor =
            Supervisor::start(&layout, &services, plan.mode, (stopper, shutdown.clone()))?;
        let status = describe(&layout, &configs, &gateway::url(gateway_listen))?;
        let mut network = Self {
            layout,
            status,
            supervisor,
            _lock: lock,
        };
        let ready = network.await_ready(&shutdown);
        if let Err(error) = ready.and_then(|()| network.status.write(&network.layout)) {
            // Whoever tries again at once must find the ports free.
            network.supervisor.stop()?;
            return Err(error);
        }
        Ok(network)
    }

    /// Waits until every service answers.
    fn await_ready(&mut self, shutdown: &Shutdown) -> Result<()> {
        let probes = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let deadline = Instant::now() + READY_TIMEOUT;
        let mut waiting: Vec<Service> = (0..u16::try_from(self.status.validators.len())?)
            .map(Service::Validator)
            .chain([Service::Gateway])
            .collect();
        while !waiting.is_empty() {
            while let Some(event) = self.supervisor.event(READY_POLL) {
                if let Some((service, reason)) = self.note(event) {
                    bail!("the {service} does not start: {reason}");
                }
            }
            waiting.retain(|service| !probes.block_on(self.answers(*service)));
            if shutdown.is_requested() {
                bail!("stopped before the network was up");
            }
            if Instant::now() > deadline {
                let names: Vec<String> = waiting.iter().map(ToString::to_string).collect();
                bail!(
                    "no answer from {} after {READY_TIMEOUT:?}; see the log files under {}",
                    names.join(", "),
                    self.layout.dir().display()
                );
            }
        }
        Ok(())
    }

    async fn answers(&self, service: Service) -> bool {
        match service {
            Service::Validator(index) => match self.status.validators.get(usize::from(index)) {
                Some(validator) => gateway::node_answers(&validator.rpc).await,
                None => false,
            },
            Service::Gateway => gateway::is_ready(&self.status.gateway.url).await,
        }
    }

    /// Keeps `status` current. Gives a service that ended, and why.
    fn note(&mut self, event: Event) -> Option<(Service, String)> {
        match event {
            Event::Started(Service::Validator(index), pid) => {
                if let Some(validator) = self.status.validators.get_mut(usize::from(index)) {
                    validator.pid = pid;
                }
                None
            }
            Event::Started(Service::Gateway, pid) => {
                self.status.gateway.pid = pid;
                None
            }
            Event::Ended(service, reason) => Some((service, reason)),
        }
    }

    /// Handles what happens to services for a while: says it, and keeps `up.json` current.
    pub fn tend(&mut self, patience: Duration) -> Result<()> {
        let before = self.status.clone();
        if let Some(event) = self.supervisor.event(patience)
            && let Some((service, reason)) = self.note(event)
        {
            eprintln!("{service} ended: {reason}");
        }
        if self.status != before {
            self.status.write(&self.layout)?;
        }
        Ok(())
    }

    /// Stops everything.
    pub fn stop(self) -> Result<()> {
        self.supervisor.stop()?;
        // Last: `ashlar down` waits for it.
        std::fs::remove_file(self.layout.status())?;
        Ok(())
    }
}

fn check_same(layout: &Layout, plan: &Plan<'_>) -> Result<()> {
    let configs = validator_configs(layout)?;
    let dir = layout.dir().display();
    if let Some(wanted) = plan.validators
        && usize::from(wanted) != configs.len()
    {
        bail!(
            "{dir} holds a network of {} validators, not {wanted}: leave --validators out to resume it, or use another --dir",
            configs.len()
        );
    }
    if plan.bonded && !network::is_bonded(&crate::node::read_spec(&layout.spec())?) {
        bail!(
            "{dir} holds a network whose members choose the validators, for ever: leave --bonded out to resume it, or use another --dir"
        );
    }
    if let Some(base) = plan.port_base {
        let ports = Ports::new(Some(base), u16::try_from(configs.len())?)?;
        if configs
            .first()
            .is_some_and(|config| config.rpc.listen != ports.rpc(0))
        {
            bail!(
                "{dir} holds a network with other ports: leave --port-base out to resume it, or use another --dir"
            );
        }
    }
    Ok(())
}

fn validator_configs(layout: &Layout) -> Result<Vec<NodeConfig>> {
    let mut configs = Vec::new();
    for index in 0_u16.. {
        let path = layout.validator_config(index);
        if !path.exists() {
            break;
        }
        configs.push(NodeConfig::read(&path)?);
    }
    if configs.is_empty() {
        bail!(
            "{} has a chain spec but no validators: it was only half made; use another --dir",
            layout.dir().display()
        );
    }
    Ok(configs)
}

fn describe(layout: &Layout, configs: &[NodeConfig], gateway_url: &str) -> Result<Status> {
    let spec = crate::node::read_spec(&layout.spec())?;
    let accounts = if spec.dev {
        dev_accounts()?
    } else {
        Vec::new()
    };
    Ok(Status {
        dir: layout.dir().display().to_string(),
        chain_id: spec.chain_id,
        identity: spec.identity_hex()?,
        genesis: network::genesis_hash(&spec)?.to_string(),
        pid: std::process::id(),
        validators: (0_u16..)
            .zip(configs)
            .map(|(index, config)| ValidatorStatus {
                index,
                pid: 0,
                rpc: format!("http://{}", config.rpc.listen),
                p2p: config.p2p.listen.to_string(),
            })
            .collect(),
        gateway: GatewayStatus {
            pid: 0,
            url: gateway_url.to_owned(),
        },
        explorer: format!("{gateway_url}/"),
        accounts: accounts
            .iter()
            .map(|account| AccountStatus {
                address: account.address().to_string(),
                private_key: hex::encode_prefixed(account.to_bytes()),
            })
            .collect(),
        api_key: crate::files::read_secret(&layout.api_key())?
            .trim()
            .to_owned(),
    })
}

/// `ashlar up`.
pub fn up(args: &UpArgs) -> Result<()> {
    let mode = if args.separate {
        Mode::Processes {
            restart: !args.no_restart,
        }
    } else {
        Mode::Threads
    };
    let (stopper, shutdown) = shutdown::channel();
    stopper.on_signals(false)?;
    let begin = Instant::now();
    let plan = Plan {
        dir: &args.dir,
        validators: args.validators,
        bonded: args.bonded,
        port_base: args.port_base,
        mode,
    };
    let mut network = Network::start(&plan, (stopper, shutdown.clone()))?;
    if args.json {
        println!("{}", serde_json::to_string(&network.status)?);
    } else {
        banner(&network.status, begin.elapsed());
    }
    while !shutdown.is_requested() {
        network.tend(Duration::from_millis(100))?;
    }
    network.stop()
}

fn banner(status: &Status, took: Duration) {
    let validators = status.validators.len();
    println!(
        "Ashlar is up: {validators} validator{} and a gateway, in {took:.1?}.",
        if validators == 1 { "" } else { "s" }
    );
    println!();
    println!("  explorer   {}", status.explorer);
    println!(
        "  REST       {}/v1   (docs at {}/docs)",
        status.gateway.url, status.gateway.url
    );
    println!("  API key    {}", status.api_key);
    for validator in &status.validators {
        println!(
            "  JSON-RPC   {}   validator {}, chain id {}",
            validator.rpc, validator.index, status.chain_id
        );
    }
    if let Some(account) = status.accounts.first() {
        println!(
            "  account    {} (and {} more, funded; keys in up.json)",
            account.address,
            status.accounts.len().saturating_sub(1)
        );
    }
    println!("  identity   {}", status.identity);
    println!();
    println!("Record a fact:");
    println!(
        "  curl -s '{}/v1/records?wait=final' -H 'authorization: Bearer {}' \\",
        status.gateway.url, status.api_key
    );
    println!("    -H 'idempotency-key: first' -H 'content-type: application/json' \\");
    println!("    -d '{{\"type\":\"note\",\"data\":{{\"text\":\"hello\"}}}}' > receipt.json");
    println!(
        "  ashlar verify receipt.json --identity {}",
        status.identity
    );
    println!();
    println!(
        "Everything is in {}. Ctrl-C stops it; `ashlar up --dir {}` goes on.",
        status.dir, status.dir
    );
}

/// `ashlar down`.
pub fn down(args: &DownArgs) -> Result<()> {
    let layout = Layout::new(&args.dir)?;
    let status = Status::read(&layout)?;
    let pid = i32::try_from(status.pid).ok().and_then(Pid::from_raw);
    let pid = pid.with_context(|| format!("{} names no process", layout.status().display()))?;
    if test_kill_process(pid).is_err() {
        std::fs::remove_file(layout.status())?;
        println!("The network in {} was not running.", status.dir);
        return Ok(());
    }
    kill_process(pid, Signal::TERM)
        .with_context(|| format!("cannot stop process {}", status.pid))?;
    let deadline = Instant::now() + Duration::from_secs(20);
    while layout.status().exists() {
        if Instant::now() > deadline {
            bail!(
                "process {} does not stop; its log is under {}",
                status.pid,
                status.dir
            );
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    println!("Stopped the network in {}.", status.dir);
    Ok(())
}
