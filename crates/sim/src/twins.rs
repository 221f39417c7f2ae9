//! Two processes with one validator's key and share: the second must not sign, nobody may fork, and the first goes on.

use crate::{
    cluster::{Cluster, quiet_storage},
    committee::Setup,
    oracle::Oracle,
    panics::Panics,
    plan::{Plan, VALIDATORS},
    witness::Witness,
};
use chain::FenceError;
use commonware_runtime::{
    Clock as _, Runner as _,
    deterministic::{self, Context},
};
use std::time::Duration;

/// What the second process is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Twin {
    /// A copy of the original's data directory as it was before it first ran: its count of runs is the original's.
    Copy,
    /// One whose data directory was used more often: only that the original is up keeps it from signing.
    Later,
    /// Such a one, started when the original has just died.
    Heir,
}

/// What a run showed.
#[derive(Clone, Debug)]
pub struct Twins {
    /// Height when the second process started, and at the end.
    pub heights: (u64, u64),
    /// What fenced processes said.
    pub fenced: Vec<FenceError>,
    /// Broken promises.
    pub violations: Vec<String>,
}

/// Whose key is used twice.
const VALIDATOR: usize = 0;
/// Blocks before it is.
const BEFORE: Duration = Duration::from_secs(5);
/// More than a process is told for that its key is in use before it ends.
const AFTER: Duration = Duration::from_secs(25);
const STEP: Duration = Duration::from_millis(200);

/// Runs four validators, and then a second process with the key of one.
pub fn twins(seed: u64, twin: Twin) -> Twins {
    let panics = Panics::watch();
    let config = deterministic::Config::new()
        .with_seed(seed)
        .with_timeout(Some(Duration::from_secs(300)))
        .with_storage_fault_config(quiet_storage());
    let runner = deterministic::Runner::new(config);
    let mut report =
        runner.start(|context| async move { Box::pin(run(&context, seed, twin)).await });
    report.violations.extend(panics.unexpected());
    report
}

async fn run(context: &Context, seed: u64, twin: Twin) -> Twins {
    let plan = Plan {
        delivered: 100,
        ..Plan::new(seed)
    };
    let setup = Setup::new(VALIDATORS, 0);
    let mut cluster = Cluster::new(context, &setup, &plan, &Witness::default()).await;
    cluster.expect_twin(VALIDATOR);
    let mut violations = Vec::new();
    for index in 0..VALIDATORS {
        violations.extend(cluster.start_patiently(index).await.err());
    }
    context.sleep(BEFORE).await;
    if twin != Twin::Copy {
        cluster.age_twin(VALIDATOR, 10).await;
    }
    if twin == Twin::Heir {
        cluster.crash(VALIDATOR);
    }
    let before = cluster.height();
    violations.extend(cluster.start_twin(VALIDATOR).await.err());
    let end = context.current() + AFTER;
    let mut oracle = None;
    while context.current() < end {
        context.sleep(STEP).await;
        for (index, node) in cluster.nodes() {
            let judge = || Oracle::new(node.spec(), node.genesis().hash());
            oracle.get_or_insert_with(judge).observe(index, &node).await;
        }
    }
    let blocked = cluster.blocked().await;
    if !blocked.is_empty() {
        violations.push(format!("something was signed twice: {blocked:?}"));
    }
    if let Some(oracle) = oracle {
        violations.extend_from_slice(oracle.violations());
    }
    for (index, node) in cluster.nodes() {
        if node.latest().number() + 5 < cluster.height() {
            violations.push(format!("validator {index} is behind"));
        }
    }
    let fenced = cluster.fenced().into_iter().map(|(_, error)| error);
    Twins {
        heights: (before, cluster.height()),
        fenced: fenced.collect(),
        violations,
    }
}
