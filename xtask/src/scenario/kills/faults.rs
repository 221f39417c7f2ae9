//! Killing, within what the network promises to bear: at most one validator down at a time (of four), the gateway at
//! any time, and now and then everything at once.

use super::plan::{Kill, Kind, Plan};
use crate::scenario::{
    load::Load,
    network::{Network, Status, kill},
};
use alloy_primitives::U64;
use anyhow::{Context as _, Result, bail, ensure};
use client::{
    node::{HEALTH, Health},
    rpc::Nodes,
};
use std::time::{Duration, Instant};
use tokio::{
    task::{JoinHandle, block_in_place},
    time::{sleep, timeout},
};

/// How often a condition is looked at.
const POLL: Duration = Duration::from_millis(20);
/// How long something that was killed may take to come back, and a record posted then to become final, before the
/// network counts as broken.
const RETURN_TIMEOUT: Duration = Duration::from_secs(60);

/// What the kills did.
#[derive(Debug, Default)]
pub(crate) struct Struck {
    /// Each kill, in order.
    pub recoveries: Vec<Recovery>,
    /// Processes that got a `kill -9`.
    pub processes: u64,
    /// What should not have happened.
    pub violations: Vec<String>,
}

/// The time from a kill until a record posted after it was final.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Recovery {
    /// What was killed.
    pub kill: Kill,
    /// How long it took; none if the record did not become final.
    pub took: Option<Duration>,
    /// Whether another kill came in between.
    pub disturbed: bool,
}

/// A record posted right after a kill; the task ends when it is final.
struct Probe {
    kill: Kill,
    at: Instant,
    done: JoinHandle<Instant>,
}

/// Does the kills of `plan`, until `deadline`. The network may be given back broken; the findings then say so.
pub(crate) async fn strike(
    network: &mut Network,
    plan: &Plan,
    load: &Load,
    deadline: Instant,
) -> Struck {
    let mut struck = Struck::default();
    let mut probes = Vec::with_capacity(plan.0.len());
    if let Err(error) = strike_all(network, plan, load, deadline, &mut struck, &mut probes).await {
        eprintln!("kills: {error:#}");
        struck.violations.push(format!("{error:#}"));
    }
    struck.recoveries = recoveries(probes).await;
    let lost = struck
        .recoveries
        .iter()
        .filter(|recovery| recovery.took.is_none())
        .count();
    if lost > 0 {
        struck.violations.push(format!(
            "after {lost} kills no new record was final within {RETURN_TIMEOUT:?}"
        ));
    }
    struck
}

async fn strike_all(
    network: &mut Network,
    plan: &Plan,
    load: &Load,
    deadline: Instant,
    struck: &mut Struck,
    probes: &mut Vec<Probe>,
) -> Result<()> {
    let mut faults = Faults::new(network)?;
    for (number, next) in plan.0.iter().enumerate() {
        faults.await_allowed(next.kind).await?;
        sleep(next.pause).await;
        ensure!(
            Instant::now() < deadline,
            "only {number} of {} kills were done in time",
            plan.0.len()
        );
        let at = Instant::now();
        struck.processes += faults.kill(next).await?;
        let done = load.probe(number);
        let finished = next.alone.then(|| done.abort_handle());
        probes.push(Probe {
            kill: *next,
            at,
            done,
        });
        while finished.as_ref().is_some_and(|probe| !probe.is_finished()) {
            ensure!(
                at.elapsed() < RETURN_TIMEOUT,
                "no record was final within {RETURN_TIMEOUT:?} after kill {number} ({})",
                next.kind.name()
            );
            sleep(POLL).await;
        }
        if (number + 1) % 10 == 0 {
            eprintln!("kills: {} of {}", number + 1, plan.0.len());
        }
    }
    faults.await_allowed(Kind::ValidatorAndGateway).await
}

/// Waits for every probe, each no longer than it may take.
async fn recoveries(probes: Vec<Probe>) -> Vec<Recovery> {
    let times: Vec<Instant> = probes.iter().map(|probe| probe.at).collect();
    let mut recoveries = Vec::with_capacity(probes.len());
    for (number, mut probe) in probes.into_iter().enumerate() {
        let left = RETURN_TIMEOUT.saturating_sub(probe.at.elapsed());
        let done = timeout(left, &mut probe.done).await;
        // Or it would go on for ever.
        probe.done.abort();
        let done = done.ok().and_then(Result::ok);
        let next = times.get(number + 1);
        recoveries.push(Recovery {
            kill: probe.kill,
            took: done.map(|done| done.duration_since(probe.at)),
            disturbed: done.zip(next).is_none_or(|(done, next)| *next < done),
        });
    }
    recoveries
}

/// What is down, and what runs.
struct Faults<'a> {
    network: &'a mut Network,
    nodes: Nodes,
    /// What ran when it was last looked at.
    known: Status,
    /// The validator that was killed and is not back: its index, its old process, and how far the chain was.
    down: Option<(u16, u32, u64)>,
    /// The old process of a gateway that was killed and is not back.
    gateway_down: Option<u32>,
}

impl<'a> Faults<'a> {
    fn new(network: &'a mut Network) -> Result<Self> {
        let known = network.status()?;
        let urls: Vec<String> = known
            .validators
            .iter()
            .map(|validator| validator.rpc.clone())
            .collect();
        let nodes = Nodes::new(&urls, Duration::from_secs(2))?;
        Ok(Self {
            network,
            nodes,
            known,
            down: None,
            gateway_down: None,
        })
    }

    /// Waits until a kill of this kind is within what the network promises to bear.
    async fn await_allowed(&mut self, kind: Kind) -> Result<()> {
        let (validator, gateway) = match kind {
            Kind::Validator => (true, false),
            Kind::Gateway => (false, true),
            Kind::ValidatorAndGateway => (true, true),
            Kind::Everything => return Ok(()),
        };
        let deadline = Instant::now() + RETURN_TIMEOUT;
        loop {
            self.look()?;
            self.welcome().await;
            if (!validator || self.down.is_none()) && (!gateway || self.gateway_down.is_none()) {
                return Ok(());
            }
            if Instant::now() > deadline {
                bail!(
                    "not back within {RETURN_TIMEOUT:?}: validator {:?}, gateway {:?}",
                    self.down,
                    self.gateway_down
                );
            }
            sleep(POLL).await;
        }
    }

    /// Reads which processes run. One that changed and was not killed ended by itself.
    fn look(&mut self) -> Result<()> {
        let now = self.network.status()?;
        let pairs = self.known.validators.iter().zip(&now.validators);
        for (index, (was, is)) in (0_u16..).zip(pairs) {
            let killed = self.down.is_some_and(|(down, _, _)| down == index);
            ensure!(
                was.pid == is.pid || killed,
                "validator {index} ended by itself"
            );
        }
        let killed = self.gateway_down.is_some();
        ensure!(
            self.known.gateway.pid == now.gateway.pid || killed,
            "the gateway ended by itself"
        );
        self.known = now;
        Ok(())
    }

    /// Takes note of what is back: a new process, and a validator must answer, have caught up, and sign: as long as the others
    /// do not grant it its key it is one of those that may be down.
    async fn welcome(&mut self) {
        if self
            .gateway_down
            .is_some_and(|old| old != self.known.gateway.pid)
        {
            self.gateway_down = None;
        }
        let Some((index, old, floor)) = self.down else {
            return;
        };
        let validator = self.known.validators.get(usize::from(index));
        if validator.is_none_or(|validator| validator.pid == old) {
            return;
        }
        let level = self
            .height(index)
            .await
            .is_some_and(|height| height >= floor);
        if level && self.signs(index).await {
            self.down = None;
        }
    }

    async fn signs(&self, index: u16) -> bool {
        let health: Result<Health, _> = self
            .nodes
            .call_at(usize::from(index), HEALTH, [(); 0])
            .await;
        health.is_ok_and(|health| health.may_sign)
    }

    /// Kills. Returns how many processes.
    async fn kill(&mut self, next: &Kill) -> Result<u64> {
        if next.kind == Kind::Everything {
            let killed = block_in_place(|| self.network.kill_all())?;
            self.known = block_in_place(|| self.network.resume())?;
            self.down = None;
            self.gateway_down = None;
            return Ok(killed);
        }
        self.look()?;
        let mut killed = 0;
        if matches!(next.kind, Kind::Validator | Kind::ValidatorAndGateway) {
            let index = next.validator;
            let other = (index + 1) % u16::try_from(self.nodes.len())?;
            let floor = self
                .height(other)
                .await
                .context("a validator does not answer")?;
            let validator = self
                .known
                .validators
                .get(usize::from(index))
                .context("no such validator")?;
            kill(validator.pid)?;
            self.down = Some((index, validator.pid, floor));
            killed += 1;
        }
        if matches!(next.kind, Kind::Gateway | Kind::ValidatorAndGateway) {
            kill(self.known.gateway.pid)?;
            self.gateway_down = Some(self.known.gateway.pid);
            killed += 1;
        }
        Ok(killed)
    }

    async fn height(&self, index: u16) -> Option<u64> {
        let height: Result<U64, _> = self
            .nodes
            .call_at(usize::from(index), "eth_blockNumber", [(); 0])
            .await;
        height.ok().map(|height| height.to())
    }
}
