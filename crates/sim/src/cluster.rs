//! The nodes of a network, on a simulated network and simulated disks.

use crate::{
    committee::Setup,
    liar::{self, Liar, Malice},
    plan::{Dealing, Plan, VALIDATORS},
    witness::Witness,
};
use chain::{CHANNELS, Connected, FenceError, Node, Outdated, Peers, Program, SecretsKey};
use commonware_cryptography::{Signer as _, ed25519};
use commonware_macros::select;
use commonware_p2p::{
    Manager as _,
    simulated::{self, Link, Network, Oracle, SplitTarget},
};
use commonware_parallel::Sequential;
use commonware_runtime::{
    Clock as _, Handle, Spawner as _, Storage as _, Supervisor as _,
    deterministic::{self, Context},
};
use commonware_storage::metadata::{self, Metadata};
use commonware_utils::{
    NZU64, NZUsize, Probability, channel::oneshot, ordered::Set, sequence::U64,
};
use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, SystemTime},
};
use tracing::debug;
use types::PublicKey;

/// The running validators.
pub struct Cluster {
    context: Context,
    setup: Setup,
    oracle: Oracle<PublicKey, Context>,
    good: Link,
    slots: Vec<Slot>,
    /// What validators run that do not run this program.
    programs: BTreeMap<usize, Program>,
    /// Validators that ended because of their program.
    ended: Ended,
    /// The validator that keeps no more of the past than it must.
    pruned: Option<usize>,
    directory: Directory,
    witness: Witness,
    /// The validator that misbehaves as a dealer.
    dealer: Option<(usize, Dealing)>,
    /// When links were last made good; none while they are not.
    good_since: Option<SystemTime>,
    /// When a validator's machine got an old backup.
    restored_at: Option<SystemTime>,
    /// Processes that ended because another one had their key.
    fenced: Arc<Mutex<Vec<(usize, FenceError)>>>,
    /// Whose key a second process may use.
    twinned: Option<usize>,
}

/// Channels on which nodes answer questions: marshal's and consensus's resolvers, state sync, the probe. A second process with
/// the same key has no part in them, or it would hear answers to what it did not ask.
const ANSWERING: [u64; 4] = [2, 3, 5, 7];

/// More than it takes a node to be granted its key, and to be known for it.
const KNOWN_AFTER: Duration = Duration::from_millis(1_500);

/// What a node speaks with the others by.
type Channels = [(
    Liar<simulated::Sender<PublicKey, Context>>,
    simulated::Receiver<PublicKey>,
); CHANNELS];

/// Who of the validators can be reached now. Clones share it.
#[derive(Clone, Default)]
pub struct Directory(Arc<Mutex<BTreeMap<usize, Node>>>);

impl Directory {
    /// A running validator.
    pub fn node(&self, index: usize) -> Option<Node> {
        self.lock().get(&index).cloned()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<usize, Node>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why validators ended by themselves.
#[derive(Clone, Default)]
struct Ended(Arc<Mutex<BTreeMap<usize, Outdated>>>);

impl Ended {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<usize, Outdated>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Default)]
struct Slot {
    running: Option<Handle<()>>,
    starts: u32,
    /// When it was started or ended last.
    since: Option<SystemTime>,
    /// For a second process with the same key, which hears all that the first does once it runs.
    twin: Option<(Channels, Arc<AtomicBool>)>,
}

impl Cluster {
    /// A network with nobody on it yet.
    pub async fn new(context: &Context, setup: &Setup, plan: &Plan, witness: &Witness) -> Self {
        let (network, oracle) = Network::<_, PublicKey>::new(
            context.child("network"),
            simulated::Config {
                max_size: chain::message_bytes_max(),
                max_peers_per_set: NZUsize!(64),
                disconnect_on_block: true,
                tracked_peer_sets: NZUsize!(1),
            },
        );
        network.start();
        let keys = setup
            .nodes
            .iter()
            .map(|validator| validator.public_key.clone());
        oracle.manager().track(0, Set::from_iter_dedup(keys));
        let good = Link {
            latency: plan.latency,
            jitter: plan.jitter,
            success_rate: percent(plan.delivered),
        };
        let slots = setup.nodes.iter().map(|_| Slot::default()).collect();
        let cluster = Self {
            context: context.child("cluster"),
            setup: setup.clone(),
            oracle,
            good,
            slots,
            programs: BTreeMap::new(),
            ended: Ended::default(),
            pruned: usize::try_from(plan.seed % VALIDATORS as u64).ok(),
            directory: Directory::default(),
            witness: witness.clone(),
            dealer: plan.dealer,
            good_since: Some(context.current()),
            restored_at: None,
            fenced: Arc::default(),
            twinned: None,
        };
        cluster
            .link(&|_, _| Some(cluster.good.clone()), false)
            .await;
        cluster
    }

    /// Lets a validator run another program when it is started the next time.
    #[cfg(test)]
    pub fn install(&mut self, index: usize, program: Program) {
        self.programs.insert(index, program);
    }

    /// Why a validator ended, if it did because its program is too old. Until it is started again it answers what it knows.
    #[cfg(test)]
    pub fn outdated(&self, index: usize) -> Option<Outdated> {
        self.ended.lock().get(&index).cloned()
    }

    /// Sets every directed link anew; none means that nothing gets through.
    #[expect(
        clippy::expect_used,
        reason = "the simulated network outlives the cluster"
    )]
    async fn link(&self, link: &(dyn Fn(usize, usize) -> Option<Link> + Sync), replace: bool) {
        for (from, sender) in self.setup.nodes.iter().enumerate() {
            for (to, receiver) in self.setup.nodes.iter().enumerate() {
                if from == to {
                    continue;
                }
                let (sender, receiver) = (sender.public_key.clone(), receiver.public_key.clone());
                if replace {
                    // It may be cut already.
                    let _ = self
                        .oracle
                        .remove_link(sender.clone(), receiver.clone())
                        .await;
                }
                if let Some(link) = link(from, to) {
                    self.oracle
                        .add_link(sender, receiver, link)
                        .await
                        .expect("a new link");
                }
            }
        }
    }

    /// Cuts the network between `side` and the others.
    pub async fn partition(&mut self, side: &[usize]) {
        self.cut(&|from, to| side.contains(&from) != side.contains(&to))
            .await;
    }

    /// Cuts some of the directed links, and makes all others good.
    pub async fn cut(&mut self, cut: &(dyn Fn(usize, usize) -> bool + Sync)) {
        self.good_since = None;
        self.link(
            &|from, to| (!cut(from, to)).then(|| self.good.clone()),
            true,
        )
        .await;
    }

    /// Lets only `delivered` percent of messages through.
    pub async fn lose(&mut self, delivered: u64) {
        self.good_since = None;
        let link = Link {
            success_rate: percent(delivered),
            ..self.good.clone()
        };
        self.link(&|_, _| Some(link.clone()), true).await;
    }

    /// Makes all links good again.
    pub async fn heal(&mut self) {
        self.good_since = Some(self.context.current());
        self.link(&|_, _| Some(self.good.clone()), true).await;
    }

    /// Starts a validator that is not running.
    ///
    /// # Errors
    /// What keeps it from starting. After a storage fault it may need another try.
    pub async fn start(&mut self, index: usize) -> Result<(), String> {
        let (Some(validator), Some(slot)) =
            (self.setup.nodes.get(index), self.slots.get_mut(index))
        else {
            return Err(format!("there is no validator {index}"));
        };
        if slot.running.is_some() {
            return Ok(());
        }
        let context = self
            .context
            .child("validator")
            .with_attribute("index", index)
            .with_attribute("start", slot.starts);
        slot.starts += 1;
        slot.since = Some(self.context.current());
        let control = self.oracle.control(validator.public_key.clone());
        let mut channels = Vec::with_capacity(CHANNELS);
        let mut twins = Vec::with_capacity(CHANNELS);
        let (twin_runs, splits) = (
            Arc::new(AtomicBool::new(false)),
            self.context.child("split"),
        );
        for (channel, quota) in (0..).zip(chain::quotas()) {
            let (sender, mut receiver) = control
                .register(channel, quota)
                .await
                .map_err(|error| error.to_string())?;
            if self.twinned == Some(index) && ANSWERING.contains(&channel) {
                let nobody = self
                    .oracle
                    .control(ed25519::PrivateKey::from_seed(0).public_key());
                let deaf = nobody.register(channel, quota).await;
                let (sender, receiver) = deaf.map_err(|error| error.to_string())?;
                twins.push((Liar::honest(sender), receiver));
            } else if self.twinned == Some(index) {
                let runs = Arc::clone(&twin_runs);
                let split = splits.child("channel").with_attribute("channel", channel);
                let (first, second) = receiver.split_with(split, move |_| {
                    if runs.load(Ordering::Relaxed) {
                        SplitTarget::Both
                    } else {
                        SplitTarget::Primary
                    }
                });
                twins.push((Liar::honest(sender.clone()), second));
                receiver = first;
            }
            let seed = u64::from(slot.starts) << 8 | channel;
            let witness = || self.witness.clone();
            let malice = if liar::ASKED.contains(&channel) {
                let victim = validator.victim.clone();
                Some(Malice::towards(victim, seed, witness()))
            } else {
                self.dealer
                    .filter(|(dealer, _)| *dealer == index && channel == liar::DEALING)
                    .map(|(_, dealing)| Malice::dealing(dealing, seed, witness()))
            };
            channels.push((Liar { sender, malice }, receiver));
        }
        slot.twin = twins.try_into().ok().map(|twins| (twins, twin_runs));
        let channels: Channels = channels
            .try_into()
            .map_err(|_| "wrong number of channels".to_owned())?;
        let disk = validator.disk.load(Ordering::Relaxed);
        let prefix = partition_prefix(index, disk);
        let (handle, node) = self.run(context, index, prefix, channels, Some(index));
        if disk > 0 {
            // It waits for the others, which may be long.
            self.keep(index, handle);
            return Ok(());
        }
        match node.await {
            Ok(Ok(())) => {
                self.keep(index, handle);
                Ok(())
            }
            Ok(Err(error)) => Err(error),
            Err(_) => Err("it panicked while starting".to_owned()),
        }
    }

    fn keep(&mut self, index: usize, handle: Handle<()>) {
        if let Some(slot) = self.slots.get_mut(index) {
            slot.running = Some(handle);
        }
    }

    /// Runs a process of a validator until it ends. `listed`: where others find it.
    fn run(
        &self,
        context: Context,
        index: usize,
        prefix: String,
        channels: Channels,
        listed: Option<usize>,
    ) -> (Handle<()>, oneshot::Receiver<Result<(), String>>) {
        let validator = &self.setup.nodes[index];
        let control = self.oracle.control(validator.public_key.clone());
        let disk = validator.disk.load(Ordering::Relaxed);
        let pruned = self.pruned == Some(index);
        let restored = validator.restored.swap(false, Ordering::Relaxed) && self.is_known(index);
        let config = chain::Config {
            spec: self.setup.spec.clone(),
            partition_prefix: prefix,
            signer: validator.signer.clone(),
            share: validator.share.clone().filter(|_| disk == 0 || restored),
            secrets_key: SecretsKey::new([7; 32]),
            strategy: Sequential,
            page_cache_bytes: 4 << 20,
            mempool: chain::mempool::Limits::default(),
            archive: !pruned,
            state_sync: disk > 0 && !restored,
            program: self.programs.get(&index).cloned().unwrap_or_default(),
            // The least there may be, and removed a few at a time: a run is short.
            keep_blocks: pruned.then(|| self.setup.spec.epoch_blocks.saturating_mul(NZU64!(2))),
            section_items: if pruned {
                NZU64!(8)
            } else {
                chain::SECTION_ITEMS
            },
            give_way: || {},
        };
        // The simulated network connects everyone.
        let peers = Peers::new(
            Connected,
            validator.public_key.clone(),
            Set::default(),
            NZUsize!(64),
        );
        let (started, node) = oneshot::channel();
        let (directory, fenced) = (self.directory.clone(), Arc::clone(&self.fenced));
        let ended = self.ended.clone();
        ended.lock().remove(&index);
        // Everything of the validator is a child of this task, so aborting it is a crash.
        let handle = context.spawn(move |context| async move {
            let now = context.child("now");
            match Box::pin(chain::start(context, config, control, peers, channels)).await {
                Ok((consensus, node)) => {
                    debug!(now = ?now.current(), index, height = node.latest().number(), "started");
                    if let Some(listed) = listed {
                        directory.lock().insert(listed, node.clone());
                    }
                    let _ = started.send(Ok(()));
                    // As the binary does.
                    select! {
                        _ = consensus => {},
                        outdated = node.outdated() => {
                            debug!(index, %outdated, "ended");
                            ended.lock().insert(index, outdated);
                        },
                        error = node.fenced() => {
                            debug!(now = ?now.current(), index, %error, "fenced");
                            let mut fenced = fenced.lock().unwrap_or_else(PoisonError::into_inner);
                            fenced.push((index, error));
                        },
                    }
                }
                Err(error) => {
                    let _ = started.send(Err(error.to_string()));
                }
            }
        });
        (handle, node)
    }

    /// From now on this validator's key can be used by a second process.
    pub const fn expect_twin(&mut self, index: usize) {
        self.twinned = Some(index);
    }

    /// Starts a second process with the key and the share of a running validator, and a disk of its own.
    ///
    /// # Errors
    /// What keeps it from starting.
    pub async fn start_twin(&mut self, index: usize) -> Result<(), String> {
        let slot = self.slots.get_mut(index);
        let Some((channels, runs)) = slot.and_then(|slot| slot.twin.take()) else {
            return Err("no twin is expected, or it was started".to_owned());
        };
        runs.store(true, Ordering::Relaxed);
        let context = self.context.child("twin").with_attribute("index", index);
        let (_, started) = self.run(context, index, twin_prefix(index), channels, None);
        started
            .await
            .unwrap_or_else(|_| Err("it panicked while starting".to_owned()))
    }

    /// Makes the twin's data directory one that was used more often than the original's.
    #[expect(clippy::expect_used, reason = "disks that do not fail yet")]
    pub async fn age_twin(&self, index: usize, runs: u64) {
        let context = self.context.child("age");
        let config = metadata::Config {
            partition: format!("{}-fence", twin_prefix(index)),
            codec_config: (),
        };
        let disk = Metadata::<_, U64, u64>::init(context, config)
            .await
            .expect("an empty disk");
        disk.put_sync(U64::new(0), runs).await.expect("a good disk");
    }

    /// Who blocked whom, of those that send what is true, for having signed two things where one is allowed.
    pub async fn blocked(&self) -> Vec<(PublicKey, PublicKey)> {
        let mut blocked = self.oracle.blocked().await.unwrap_or_default();
        blocked.retain(|(_, whom)| {
            let mut nodes = self.setup.nodes.iter().enumerate();
            let found = nodes.find(|(_, node)| node.public_key == *whom);
            !found.is_some_and(|(index, node)| {
                node.victim.is_chosen() || self.dealer.is_some_and(|(dealer, _)| dealer == index)
            })
        });
        blocked
    }

    /// The greatest height that a running node has.
    pub fn height(&self) -> u64 {
        let nodes = self.nodes().into_iter();
        let heights = nodes.map(|(_, node)| node.latest().number());
        heights.max().unwrap_or_default()
    }

    /// The processes that ended because another one had their key: of which validator, and what they said.
    pub fn fenced(&self) -> Vec<(usize, FenceError)> {
        let fenced = self.fenced.lock();
        fenced.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Starts a validator, trying again as a supervisor would.
    ///
    /// # Errors
    /// The last failure, after ten tries.
    pub async fn start_patiently(&mut self, index: usize) -> Result<(), String> {
        let mut last = String::new();
        for _ in 0..10 {
            match self.start(index).await {
                Ok(()) => return Ok(()),
                Err(error) => last = error,
            }
            self.context.sleep(Duration::from_millis(100)).await;
        }
        Err(format!("validator {index} does not start: {last}"))
    }

    /// Ends a validator's process. Whether it was running.
    pub fn crash(&mut self, index: usize) -> bool {
        let Some(slot) = self.slots.get_mut(index) else {
            return false;
        };
        self.directory.lock().remove(&index);
        slot.since = Some(self.context.current());
        slot.running.take().is_some_and(|handle| {
            handle.abort();
            true
        })
    }

    /// Removes what a validator that is not running kept secret: its share, and what it promised as a dealer.
    pub async fn forget(&self, index: usize) {
        // There may be none yet.
        let _ = self
            .context
            .remove(&format!("{}-secrets", self.prefix(index)), None)
            .await;
    }

    fn prefix(&self, index: usize) -> String {
        let node = self.setup.nodes.get(index);
        partition_prefix(
            index,
            node.map_or(0, |node| node.disk.load(Ordering::Relaxed)),
        )
    }

    /// Gives a validator that is not running an empty disk. Another lies to it from now on.
    pub fn replace(&self, index: usize, liar: usize) {
        let nodes = &self.setup.nodes;
        let Some(node) = nodes.get(index) else {
            return;
        };
        node.disk.fetch_add(1, Ordering::Relaxed);
        if let Some(liar) = nodes.get(liar) {
            liar.victim.choose(node.public_key.clone());
        }
    }

    /// Gives a running validator's machine a backup from before it first ran, and ends it. Not if a witness of its key may
    /// have missed its last claims: then it could not be told from the original.
    pub fn restore(&mut self, index: usize) -> bool {
        let now = self.context.current();
        let long = |since: Option<SystemTime>| {
            since.is_some_and(|since| now.duration_since(since).unwrap_or_default() > KNOWN_AFTER)
        };
        let up = |slot: &Slot| slot.running.is_some() && long(slot.since);
        if !long(self.good_since) || !self.slots.iter().all(up) || !self.crash(index) {
            return false;
        }
        let Some(node) = self.setup.nodes.get(index) else {
            return false;
        };
        node.disk.fetch_add(1, Ordering::Relaxed);
        node.restored.store(true, Ordering::Relaxed);
        self.restored_at = Some(now);
        true
    }

    /// Whether nothing has happened since a node ended because of which it may be forgotten.
    fn is_known(&self, index: usize) -> bool {
        let Some(ended) = self.restored_at else {
            return false;
        };
        let before = |since: Option<SystemTime>| since.is_some_and(|since| since < ended);
        let mut others = (0..).zip(&self.slots).filter(|(other, _)| *other != index);
        before(self.good_since)
            && others.all(|(_, slot)| slot.running.is_some() && before(slot.since))
    }

    /// Where others find the running validators.
    pub fn directory(&self) -> Directory {
        self.directory.clone()
    }

    /// A running validator.
    pub fn node(&self, index: usize) -> Option<Node> {
        self.directory.node(index)
    }

    /// All running validators.
    pub fn nodes(&self) -> Vec<(usize, Node)> {
        let directory = self.directory.lock();
        directory
            .iter()
            .map(|(index, node)| (*index, node.clone()))
            .collect()
    }
}

/// Where a validator keeps its data.
fn partition_prefix(index: usize, disk: u32) -> String {
    format!("v{index}d{disk}")
}

#[expect(clippy::expect_used, reason = "at most 100 of 100")]
fn percent(value: u64) -> Probability {
    Probability::new(value.min(100), 100).expect("a percentage")
}

/// Where a second process with its key does.
fn twin_prefix(index: usize) -> String {
    format!("twin{index}")
}

/// Storage in which nothing is injected, but what was not synced is torn when power is lost.
pub fn quiet_storage() -> deterministic::FaultConfig {
    deterministic::FaultConfig::default().write(deterministic::WriteConfig {
        failure_rate: percent(0),
        retention_rate: percent(50),
        mode: deterministic::PartialWriteMode::Subset,
    })
}

/// Storage that fails one write and one sync in a hundred, keeping part of a failed write.
pub fn failing_storage() -> deterministic::FaultConfig {
    deterministic::FaultConfig::default()
        .sync(percent(1))
        .write(deterministic::WriteConfig {
            failure_rate: percent(1),
            retention_rate: percent(50),
            mode: deterministic::PartialWriteMode::Subset,
        })
}
