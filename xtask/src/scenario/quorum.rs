//! `cargo xtask scenario quorum`: a network that has lost its quorum halts and says so, and goes on soon after it is back.
//!
//! Two, three and all of four validators are killed (SIGKILL) and started again in every order, one after the other. With the
//! others gone no block may become final; who is left must say how many it reaches and name those it does not. Then the time is
//! taken from the start of the process that makes the quorum complete until a block is final that was made after it. Nobody does
//! anything but start processes.

use super::{
    network::{Network, VALIDATORS},
    print,
    process::{Service, output},
    runtime,
    wire::Wire,
};
use crate::cargo;
use alloy_primitives::U64;
use anyhow::{Context as _, Result, bail, ensure};
use client::node::{HEALTH, Health, HealthState};
use rand::{SeedableRng as _, rngs::StdRng, seq::SliceRandom as _};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    fmt,
    path::{Path, PathBuf},
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use tokio::time::{Instant, sleep};

/// Options.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    /// Seconds from the start of the process that makes the quorum complete until a block is final, at most
    #[arg(long, value_name = "S", default_value_t = 10.0)]
    return_max: f64,
    /// Seconds after which no other order is begun. All 32 take some ten minutes; one of each number of dead is always done
    #[arg(long, value_name = "S", default_value_t = 1_200)]
    seconds_max: u64,
    /// Seed of who dies and of which orders come first [default: random, printed]
    #[arg(long, value_name = "S")]
    seed: Option<u64>,
}

/// Votes that make a block final: of four validators, one may be down.
const QUORUM: usize = 3;
/// After a kill: what was on its way has arrived.
const SETTLING: Duration = Duration::from_secs(1);
/// How long no block may be made then.
const HALT: Duration = Duration::from_secs(3);
/// How often something is looked at.
const LOOK: Duration = Duration::from_millis(20);
/// How long a step may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// What it showed.
#[derive(Debug, Serialize)]
struct Report {
    ok: bool,
    seed: u64,
    /// What was done, in this order.
    returns: Vec<Return>,
    /// The longest of the times, in seconds.
    return_s_max: f64,
    /// What should not have happened.
    violations: Vec<String>,
}

/// Some validators that died and came back.
#[derive(Debug, Serialize)]
struct Return {
    /// Who died, in the order in which they came back.
    order: Vec<u16>,
    /// Seconds from the start of the process that made the quorum complete until a block made after it was final.
    return_s: f64,
}

/// Runs it. Whether it passed.
pub(crate) fn run(args: &Args) -> Result<bool> {
    let seed = args.seed.unwrap_or_else(rand::random);
    eprintln!("quorum: seed {seed}");
    let program = cargo::product()?;
    let (mut network, status) = Network::start(&program, VALIDATORS)?;
    // What its supervisor started; from here on each process is ours.
    network.stop()?;
    let mut world = World {
        program,
        dirs: (0..VALIDATORS)
            .map(|index| network.validator(index))
            .collect(),
        urls: status.validators.into_iter().map(|each| each.rpc).collect(),
        running: BTreeMap::new(),
    };
    let shown = runtime()?.block_on(show(args, seed, &mut world));
    drop(world);
    let report = match shown {
        Ok(report) => report,
        Err(error) => bail!(
            "{error:#}\nwhat it left, with a log beside each validator's folder, is in {}",
            network.keep().display()
        ),
    };
    print(&report, args.json)?;
    if !report.ok {
        eprintln!(
            "quorum: the network's directory stays in {}",
            network.keep().display()
        );
    }
    Ok(report.ok)
}

async fn show(args: &Args, seed: u64, world: &mut World) -> Result<Report> {
    let mut rng = StdRng::seed_from_u64(seed);
    let begin = Instant::now();
    let mut report = Report {
        ok: false,
        seed,
        returns: Vec::new(),
        return_s_max: 0.0,
        violations: Vec::new(),
    };
    for index in 0..VALIDATORS {
        world.start(index)?;
    }
    world.level().await?;
    let mut asked = [false; VALIDATORS as usize + 1];
    for order in plan(&mut rng) {
        let dead = order.len();
        let first = !std::mem::replace(&mut asked[dead], true);
        if !first && begin.elapsed() > Duration::from_secs(args.seconds_max) {
            break;
        }
        let done = world
            .die_and_return(&order, first, &mut report.violations)
            .await;
        let return_s = done
            .with_context(|| format!("{order:?} died"))?
            .as_secs_f64();
        eprintln!("quorum: {order:?} died and came back in this order: {return_s:.2} s");
        if return_s > args.return_max {
            report.violations.push(format!(
                "{order:?}: finality was back after {return_s:.2} s, {} are allowed",
                args.return_max
            ));
        }
        report.return_s_max = report.return_s_max.max(return_s);
        report.returns.push(Return { order, return_s });
    }
    report.ok = report.violations.is_empty();
    Ok(report)
}

/// All orders in which two, three and four come back, the first of each first. Who they are is drawn.
fn plan(rng: &mut StdRng) -> Vec<Vec<u16>> {
    let mut by_count = Vec::new();
    for dead in 2..=VALIDATORS {
        let mut orders = permutations(dead);
        orders.shuffle(rng);
        // Of all there is one choice.
        let some = orders.iter_mut().filter(|_| dead < VALIDATORS);
        for order in some {
            let mut who: Vec<u16> = (0..VALIDATORS).collect();
            who.shuffle(rng);
            for place in order {
                *place = who[usize::from(*place)];
            }
        }
        by_count.push(orders);
    }
    let mut plan: Vec<_> = by_count.iter_mut().filter_map(Vec::pop).collect();
    let mut others: Vec<_> = by_count.into_iter().flatten().collect();
    others.shuffle(rng);
    plan.extend(others);
    plan
}

/// All orders of the numbers below `count`.
fn permutations(count: u16) -> Vec<Vec<u16>> {
    let mut all = vec![Vec::new()];
    for _ in 0..count {
        let longer = all.into_iter().flat_map(|begun: Vec<u16>| {
            let next = (0..count).filter(|number| !begun.contains(number));
            let next: Vec<u16> = next.collect();
            next.into_iter()
                .map(move |number| [begun.as_slice(), &[number]].concat())
        });
        all = longer.collect();
    }
    all
}

/// Four validators. Dropping it ends them.
struct World {
    program: PathBuf,
    dirs: Vec<PathBuf>,
    urls: Vec<String>,
    running: BTreeMap<u16, Service>,
}

#[derive(Deserialize)]
struct Block {
    number: U64,
    timestamp: U64,
}

impl World {
    fn start(&mut self, index: u16) -> Result<()> {
        let dir: &Path = self
            .dirs
            .get(usize::from(index))
            .context("no such validator")?;
        let service = Service::node(&self.program, dir)?;
        self.running.insert(index, service);
        Ok(())
    }

    fn url(&self, index: u16) -> Result<&str> {
        let url = self.urls.get(usize::from(index));
        Ok(url.context("no such validator")?)
    }

    async fn last_block(&self, index: u16) -> Result<Block> {
        let mut wire = Wire::open(self.url(index)?).await?;
        wire.call("eth_getBlockByNumber", json!(["latest", false]))
            .await
    }

    /// Waits until all that run have a new block, and know that blocks become final.
    async fn level(&self) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        let mut goal = None;
        for index in self.running.keys() {
            loop {
                let look = async {
                    let height: u64 = self.last_block(*index).await?.number.to();
                    let state = self.health(*index).await?.state;
                    anyhow::Ok((height, state))
                };
                let seen = look.await;
                if let Ok((height, HealthState::Finalizing)) = seen
                    && height > *goal.get_or_insert(height)
                {
                    goal = Some(height - 1);
                    break;
                }
                ensure!(
                    Instant::now() < deadline,
                    "validator {index} is not level after {PATIENCE:?}: {seen:?}"
                );
                sleep(LOOK).await;
            }
        }
        Ok(())
    }

    async fn health(&self, index: u16) -> Result<Health> {
        Wire::open(self.url(index)?)
            .await?
            .call(HEALTH, json!([]))
            .await
    }

    /// Kills these, and starts them again in this order. Gives the time from the start that completed a quorum until a block
    /// made after it was final. If `asked`, who is left must say how it is.
    async fn die_and_return(
        &mut self,
        order: &[u16],
        asked: bool,
        violations: &mut Vec<String>,
    ) -> Result<Duration> {
        for index in order {
            // Dropped, it is killed.
            self.running.remove(index).context("it does not run")?;
        }
        self.must_halt(violations).await?;
        if asked {
            self.must_say_so(order, violations).await?;
        }
        let mut took = None;
        for index in order {
            let (begin, at) = (Instant::now(), SystemTime::now());
            self.start(*index)?;
            if took.is_none() && self.running.len() == QUORUM {
                took = Some(self.until_block_after(*index, begin, at).await?);
            } else {
                self.until_answer(*index).await?;
                if took.is_none() {
                    self.must_halt(violations).await?;
                }
            }
        }
        self.level().await?;
        took.context("no quorum came back")
    }

    async fn until_answer(&self, index: u16) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        while self.last_block(index).await.is_err() {
            ensure!(
                Instant::now() < deadline,
                "validator {index} does not answer"
            );
            sleep(LOOK).await;
        }
        Ok(())
    }

    /// Waits for a block made after a time: one whose timestamp, in whole seconds, is later. Blocks from before that only one
    /// of them had do not count.
    async fn until_block_after(
        &self,
        index: u16,
        begin: Instant,
        at: SystemTime,
    ) -> Result<Duration> {
        let at = unix_s(at)?;
        loop {
            for each in self.running.keys() {
                if let Ok(block) = self.last_block(*each).await
                    && block.timestamp.to::<u64>() > at
                {
                    return Ok(begin.elapsed());
                }
            }
            ensure!(
                begin.elapsed() < PATIENCE,
                "no block {PATIENCE:?} after the start of validator {index}, with which {} run",
                self.running.len()
            );
            sleep(LOOK).await;
        }
    }

    /// No block may be made. One from before may still come to those that did not have it.
    async fn must_halt(&self, violations: &mut Vec<String>) -> Result<()> {
        sleep(SETTLING).await;
        let at = unix_s(SystemTime::now())?;
        sleep(HALT).await;
        for index in self.running.keys() {
            let block = self.last_block(*index).await?;
            if block.timestamp.to::<u64>() > at {
                violations.push(format!(
                    "{} of {VALIDATORS} run, and validator {index} has a new block, {}",
                    self.running.len(),
                    block.number
                ));
            }
        }
        Ok(())
    }

    /// Those that are left must name those that are not, to programs and to people.
    async fn must_say_so(&self, dead: &[u16], violations: &mut Vec<String>) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        for index in self.running.keys() {
            let health = loop {
                let health = self.health(*index).await?;
                if health.state == HealthState::Stalled || Instant::now() > deadline {
                    break health;
                }
                sleep(LOOK).await;
            };
            // Folders are in the order of keys, and so are validators.
            let away = (0..).zip(&health.validators);
            let away = away.filter(|(_, each)| !each.reachable);
            let (away, named): (Vec<u16>, Vec<_>) = away
                .map(|(index, each)| (index, each.public_key.to_string()))
                .unzip();
            let mut dead = dead.to_vec();
            dead.sort_unstable();
            if health.state != HealthState::Stalled || away != dead {
                violations.push(format!(
                    "{dead:?} are dead, and validator {index} says {health:?}"
                ));
            }
            let said = output(
                &self.program,
                &["doctor", "--json", "--rpc", self.url(*index)?],
            )?;
            let verdict: Value = serde_json::from_slice(&said.stdout)?;
            let finding = |check: &str| {
                let mut findings = verdict["findings"].as_array().into_iter().flatten();
                let found = findings.find(|finding| finding["check"] == check);
                found.map_or("", |found| found["finding"].as_str().unwrap_or_default())
            };
            let (finality, validators) = (finding("finality"), finding("validators"));
            let names = named.iter().all(|key| validators.contains(key.as_str()));
            if said.status.code() != Some(1) || !finality.starts_with("stalled at block") || !names
            {
                violations.push(format!(
                    "{dead:?} are dead, and the doctor of {index} says {verdict}"
                ));
            }
        }
        Ok(())
    }
}

fn unix_s(at: SystemTime) -> Result<u64> {
    Ok(at.duration_since(UNIX_EPOCH)?.as_secs())
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "seed             {}", self.seed)?;
        for dead in 2..=usize::from(VALIDATORS) {
            let returns = self.returns.iter().filter(|each| each.order.len() == dead);
            let times: Vec<f64> = returns.map(|each| each.return_s).collect();
            let (sum, most) = (
                times.iter().sum::<f64>(),
                times.iter().copied().fold(0.0, f64::max),
            );
            writeln!(
                f,
                "{dead} of {VALIDATORS} dead      {} orders; finality back after {:.2} s on average, {most:.2} s at most",
                times.len(),
                sum / times.len() as f64
            )?;
        }
        for violation in &self.violations {
            writeln!(f, "VIOLATION        {violation}")?;
        }
        write!(
            f,
            "verdict          at most {:.2} s, violations {}",
            self.return_s_max,
            self.violations.len()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_order_is_planned_and_each_number_of_dead_comes_first() {
        let plan = plan(&mut StdRng::seed_from_u64(1));
        let counts: Vec<_> = plan.iter().map(Vec::len).collect();
        assert_eq!(
            (plan.len(), &counts[..3]),
            (2 + 6 + 24, [2, 3, 4].as_slice())
        );
        let all: BTreeSet<_> = plan.iter().filter(|order| order.len() == 4).collect();
        assert_eq!(all.len(), 24);
        for order in &plan {
            let who: BTreeSet<_> = order.iter().collect();
            assert!(who.len() == order.len() && order.iter().all(|index| *index < VALIDATORS));
        }
    }
}
