//! One run: a seed in, a report out.

use crate::{
    cluster::{Cluster, failing_storage, quiet_storage},
    committee::Setup,
    oracle::Oracle,
    panics::Panics,
    plan::{Fault, Plan, Stumble},
    service::Fleet,
    traffic::Transfers,
    witness::Witness,
};
use alloy_primitives::{B256, hex, keccak256};
use chain::{Calendar, Node};
use commonware_runtime::{
    Clock as _,
    deterministic::{self, Context},
};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use serde::Serialize;
use std::{
    collections::BTreeMap,
    panic::{AssertUnwindSafe, catch_unwind},
    time::{Duration, SystemTime},
};
use tracing::debug;

/// What a run showed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The seed.
    pub seed: u64,
    /// Faults injected, by kind.
    pub faults: BTreeMap<&'static str, u64>,
    /// Rare situations reached, by kind: what the faults were good for.
    pub marks: BTreeMap<&'static str, u64>,
    /// Height reached.
    pub height: u64,
    /// Records acknowledged; each is final exactly once, with a receipt that verifies.
    pub records: u64,
    /// Transfers made; all of them became final.
    pub transfers: u64,
    /// Certificates verified.
    pub certificates: u64,
    /// Virtual milliseconds from healing until everything promised was final and proved.
    pub healed_ms: u64,
    /// Broken promises. Empty, or the network is wrong.
    pub violations: Vec<String>,
    /// Hash over every event of the run: equal for equal seeds, whatever the build.
    pub digest: String,
}

/// Virtual time after healing within which everything must be final.
const HEAL_PHASE: Duration = Duration::from_secs(60);
/// Blocks the healed network must add.
const PROGRESS_BLOCKS: u64 = 3;
/// Virtual time a whole run may take.
const TIMEOUT: Duration = Duration::from_secs(600);
/// Virtual time in which everything of a stopped process has ended.
const DYING: Duration = Duration::from_millis(1);
/// How often clients act.
const STEP: Duration = Duration::from_millis(50);

/// What outlives a loss of power: nothing of the network, all of the judge and the clients.
struct World {
    plan: Plan,
    setup: Setup,
    oracle: Option<Oracle>,
    transfers: Transfers,
    fleet: Option<Fleet>,
    witness: Witness,
    records: u64,
    healed_ms: u64,
    rng: StdRng,
    digest: B256,
}

/// Runs the network under the faults of a seed.
pub fn run(seed: u64) -> Report {
    let panics = Panics::watch();
    let plan = Plan::new(seed);
    let setup = Setup::of(&plan);
    let mut world = World {
        plan,
        transfers: Transfers::new(&setup),
        setup,
        oracle: None,
        fleet: None,
        witness: Witness::default(),
        records: 0,
        healed_ms: 0,
        rng: StdRng::seed_from_u64(seed ^ 0x7261_6666_6963),
        digest: B256::ZERO,
    };
    let config = deterministic::Config::new()
        .with_seed(seed)
        .with_timeout(Some(TIMEOUT))
        .with_catch_panics(true)
        .with_storage_fault_config(quiet_storage());
    let mut runner = deterministic::Runner::new(config);
    let cycles = world.plan.cycles.len();
    for cycle in 0..cycles {
        let last = cycle + 1 == cycles;
        let witness = world.witness.clone();
        let work = |context: Context| async move {
            let world = power_cycle(&context, world, cycle, last).await;
            (context.auditor().state(), world)
        };
        let ran = catch_unwind(AssertUnwindSafe(|| runner.start_and_recover(work)));
        let ((state, after), checkpoint) = match ran {
            Ok(ran) => ran,
            Err(panic) => {
                let text = panic_text(&*panic);
                witness.violation(format!("panic in power cycle {cycle}: {text}"));
                return Report::broken(seed, &witness);
            }
        };
        world = after;
        world.digest = keccak256([world.digest.as_slice(), state.as_bytes()].concat());
        if !last {
            world.witness.fault("power_loss");
        }
        runner = deterministic::Runner::from(checkpoint);
    }
    for panic in panics.unexpected() {
        world.witness.violation(panic);
    }
    report(seed, &world)
}

impl Report {
    /// Of a run that came to no end.
    fn broken(seed: u64, witness: &Witness) -> Self {
        let notes = witness.notes();
        Self {
            seed,
            faults: notes.faults.clone(),
            marks: notes.marks.clone(),
            height: 0,
            records: 0,
            transfers: 0,
            certificates: 0,
            healed_ms: 0,
            violations: notes.violations.clone(),
            digest: String::new(),
        }
    }
}

fn report(seed: u64, world: &World) -> Report {
    let Some(oracle) = &world.oracle else {
        world
            .witness
            .violation("no validator ever started".to_owned());
        return Report::broken(seed, &world.witness);
    };
    let notes = world.witness.notes();
    let mut violations = notes.violations.clone();
    violations.extend_from_slice(oracle.violations());
    let chain: Vec<u8> = oracle.hashes().flat_map(|hash| hash.0).collect();
    let outcome = format!("{violations:?}{}{}", world.transfers.sent(), world.records);
    let parts = [
        world.digest.as_slice(),
        notes.digest().as_slice(),
        &chain,
        outcome.as_bytes(),
    ]
    .concat();
    Report {
        seed,
        faults: notes.faults.clone(),
        marks: notes.marks.clone(),
        height: oracle.height(),
        records: world.records,
        transfers: world.transfers.sent(),
        certificates: oracle.certificates(),
        healed_ms: world.healed_ms,
        violations,
        digest: hex::encode(keccak256(parts)),
    }
}

async fn power_cycle(context: &Context, mut world: World, cycle: usize, last: bool) -> World {
    // Power may have been lost while disks failed.
    *context.storage_fault_config().write() = quiet_storage();
    Panics::expect(false);
    let mut cluster = Cluster::new(context, &world.setup, &world.plan, &world.witness).await;
    start_all(&mut cluster, &mut world).await;
    if let Some(fleet) = &mut world.fleet {
        fleet.power_on(context, &cluster);
    }
    let undone = fault_phase(context, &mut cluster, &mut world, cycle).await;
    // A node whose disk fails may have stopped in part, and then it answers nothing.
    if !undone.iter().any(|undo| matches!(undo, Undo::Storage)) {
        observe(&cluster, &mut world).await;
    }
    if last {
        for action in undone {
            mend(context, &mut cluster, &mut world, action).await;
        }
        heal_phase(context, &mut cluster, &mut world).await;
    }
    if let Some(fleet) = &mut world.fleet {
        fleet.power_off();
    }
    for (who, whom) in cluster.blocked().await {
        let text = format!("{who} blocked {whom}, which has not lied: it signed twice");
        world.witness.violation(text);
    }
    for (index, error) in cluster.fenced() {
        let text = format!("validator {index}, the only one with its key, was fenced: {error}");
        world.witness.violation(text);
    }
    world
}

async fn start_all(cluster: &mut Cluster, world: &mut World) {
    for index in 0..world.setup.nodes.len() {
        let started = cluster.start_patiently(index).await;
        if let Some(node) = cluster.node(index)
            && world.oracle.is_none()
        {
            let (genesis, services) = (node.genesis().hash(), world.plan.services);
            world.oracle = Some(Oracle::new(node.spec(), genesis));
            world.fleet = Some(Fleet::new(&world.setup, genesis, services, &world.witness));
        }
        if let (Err(error), Some(oracle)) = (started, &mut world.oracle) {
            oracle.violation(error);
        }
    }
}

async fn observe(cluster: &Cluster, world: &mut World) {
    let Some(oracle) = &mut world.oracle else {
        return;
    };
    let (mut whole, mut late) = (Vec::new(), Vec::new());
    for (index, node) in cluster.nodes() {
        let all = node.first_block().await == Some(1);
        if all { &mut whole } else { &mut late }.push((index, node));
    }
    for (index, node) in whole.iter().chain(&late) {
        oracle.observe(*index, node).await;
    }
}

/// Things to undo, by when.
#[derive(Debug)]
enum Undo {
    Start(usize),
    Heal,
    Storage,
}

/// Gives what is still to be undone.
async fn fault_phase(
    context: &Context,
    cluster: &mut Cluster,
    world: &mut World,
    cycle: usize,
) -> Vec<Undo> {
    let begin = context.current();
    let mut faults = world.plan.cycles.get(cycle).cloned().unwrap_or_default();
    faults.reverse();
    let mut moves = world.plan.moves.get(cycle).cloned().unwrap_or_default();
    moves.reverse();
    let mut undo: Vec<(SystemTime, Undo)> = Vec::new();
    while context.current() < begin + world.plan.phase {
        let now = context.current();
        while faults.last().is_some_and(|(at, _)| begin + *at <= now) {
            let Some((_, fault)) = faults.pop() else {
                break;
            };
            strike(context, cluster, world, &mut undo, fault).await;
        }
        while moves.last().is_some_and(|(at, _)| begin + *at <= now) {
            if let Some((_, change)) = moves.pop() {
                let World {
                    transfers,
                    rng,
                    plan,
                    witness,
                    ..
                } = world;
                if plan.seats.is_some() {
                    transfers.bond(cluster, rng, change).await;
                    witness.mark("bonded");
                } else {
                    transfers.instruct(cluster, rng, change).await;
                }
            }
        }
        while let Some(stumble) = world.plan.stumbles.last().copied()
            && cluster.height() >= stumble.height
        {
            world.plan.stumbles.pop();
            if let Some(mark) = stumbled(cluster, world, stumble) {
                world.witness.mark(mark);
                undo.push((now + stumble.down, Undo::Start(stumble.node)));
            }
        }
        let (due, later): (Vec<_>, Vec<_>) = undo.into_iter().partition(|(at, _)| *at <= now);
        undo = later;
        for (_, action) in due {
            mend(context, cluster, world, action).await;
        }
        if world.rng.random_range(0..4_u32) == 0 {
            world.transfers.send(cluster, &mut world.rng).await;
        }
        if world.rng.random_range(0..20_u32) == 0 {
            world.transfers.retry(cluster, &mut world.rng).await;
        }
        if let Some(fleet) = &mut world.fleet {
            fleet.act(&mut world.rng);
        }
        context.sleep(STEP).await;
    }
    undo.into_iter().map(|(_, action)| action).collect()
}

/// Lets a node crash, and gives the phase of the epoch in which it did.
fn stumbled(cluster: &mut Cluster, world: &World, stumble: Stumble) -> Option<&'static str> {
    let height = cluster.node(stumble.node)?.latest().number();
    if !cluster.crash(stumble.node) {
        return None;
    }
    world.witness.fault("crash_in_epoch");
    let calendar = Calendar::new(world.setup.spec.epoch_blocks);
    let (first, last) = (
        calendar.first(calendar.epoch_of(height)),
        calendar.last(calendar.epoch_of(height)),
    );
    let half = (last - first) / 2;
    Some(match height - first {
        0 | 1 => "crash_as_it_begins",
        offset if offset + 2 < half => "crash_while_dealing",
        offset if offset <= half + 2 => "crash_at_middle",
        offset if offset + 2 < last - first => "crash_while_logging",
        _ => "crash_as_it_ends",
    })
}

async fn strike(
    context: &Context,
    cluster: &mut Cluster,
    world: &mut World,
    undo: &mut Vec<(SystemTime, Undo)>,
    fault: Fault,
) {
    let now = context.current();
    debug!(?now, ?fault, "strikes");
    let kind = match fault {
        Fault::Crash { validator, down } => {
            if !cluster.crash(validator) {
                return;
            }
            undo.push((now + down, Undo::Start(validator)));
            "crash"
        }
        Fault::Amnesia { validator, down } => {
            if !cluster.crash(validator) {
                return;
            }
            cluster.forget(validator).await;
            undo.push((now + down, Undo::Start(validator)));
            "lost_share"
        }
        Fault::Replacement {
            validator,
            down,
            liar,
        } => {
            if !cluster.crash(validator) {
                return;
            }
            cluster.replace(validator, liar);
            undo.push((now + down, Undo::Start(validator)));
            "replacement"
        }
        Fault::Restore { validator, down } => {
            if !cluster.restore(validator) {
                return;
            }
            undo.push((now + down, Undo::Start(validator)));
            "restored_backup"
        }
        Fault::Partition { side, lasts } => {
            cluster.partition(&side).await;
            undo.push((now + lasts, Undo::Heal));
            "partition"
        }
        Fault::Loss { delivered, lasts } => {
            cluster.lose(delivered).await;
            undo.push((now + lasts, Undo::Heal));
            "message_loss"
        }
        Fault::Storage { lasts } => {
            *context.storage_fault_config().write() = failing_storage();
            Panics::expect(true);
            undo.push((now + lasts, Undo::Storage));
            "storage"
        }
        Fault::Gateway { gateway, down } => {
            if !world
                .fleet
                .as_mut()
                .is_some_and(|fleet| fleet.crash(gateway, down))
            {
                return;
            }
            "gateway_crash"
        }
    };
    world.witness.fault(kind);
}

async fn mend(context: &Context, cluster: &mut Cluster, world: &mut World, undo: Undo) {
    debug!(now = ?context.current(), ?undo, "mended");
    match undo {
        Undo::Start(index) => restart(cluster, world, index).await,
        Undo::Heal => cluster.heal().await,
        Undo::Storage => {
            *context.storage_fault_config().write() = quiet_storage();
            // A node that met a failing disk has stopped, in part or whole: a supervisor starts it.
            let stopped: Vec<usize> = (0..world.setup.nodes.len())
                .filter(|index| cluster.crash(*index))
                .collect();
            // Its tasks hear of each other's end, and of ours, one after the other.
            context.sleep(DYING).await;
            Panics::expect(false);
            for index in stopped {
                restart(cluster, world, index).await;
            }
        }
    }
}

async fn restart(cluster: &mut Cluster, world: &mut World, index: usize) {
    if let (Err(error), Some(oracle)) = (cluster.start_patiently(index).await, &mut world.oracle) {
        oracle.violation(error);
    }
}

async fn heal_phase(context: &Context, cluster: &mut Cluster, world: &mut World) {
    cluster.heal().await;
    for index in 0..world.setup.nodes.len() {
        restart(cluster, world, index).await;
    }
    if let Some(fleet) = &mut world.fleet {
        fleet.heal();
    }
    debug!(now = ?context.current(), "everything is healed");
    let floor = world.oracle.as_ref().map_or(0, Oracle::height);
    let outcast = world.plan.outcast();
    let begin = context.current();
    let deadline = begin + HEAL_PHASE;
    loop {
        world.transfers.retry(cluster, &mut world.rng).await;
        let records = world
            .fleet
            .as_mut()
            .map_or(0, |fleet| fleet.insist(&mut world.rng));
        let nodes = cluster.nodes();
        let level = |(index, node): &&(usize, Node)| {
            outcast == Some(*index) || node.latest().number() >= floor + PROGRESS_BLOCKS
        };
        let behind = nodes.iter().filter(level).count() < world.setup.nodes.len();
        let transfers = world.transfers.open().count();
        if !behind && transfers == 0 && records == 0 {
            break;
        }
        if context.current() >= deadline {
            let heights: Vec<_> = nodes
                .iter()
                .map(|(index, node)| (*index, node.latest().number()))
                .collect();
            world.witness.violation(format!(
                "not healed after {HEAL_PHASE:?}: heights {heights:?} from {floor}, {transfers} \
                 transfers and {records} records open"
            ));
            break;
        }
        context.sleep(STEP * 4).await;
    }
    let healed = context.current().duration_since(begin).unwrap_or_default();
    world.healed_ms = u64::try_from(healed.as_millis()).unwrap_or(u64::MAX);
    let Some(fleet) = &mut world.fleet else {
        return;
    };
    fleet.ask_again(&mut world.rng).await;
    let accounts = fleet.accounts();
    observe(cluster, world).await;
    let mut nodes = cluster.nodes();
    // It is behind, if the others have cut it off.
    nodes.retain(|(index, _)| outcast != Some(*index));
    if let Some(oracle) = &mut world.oracle {
        oracle.settle(&nodes, &world.witness).await;
        world.records = oracle
            .settle_records(&world.witness, &accounts, &nodes)
            .await;
    }
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    panic
        .downcast_ref::<String>()
        .cloned()
        .or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()))
        .unwrap_or_else(|| "unknown".to_owned())
}
