//! The nodes of a network, on a simulated network and simulated disks.

use crate::{
    committee::Setup,
    liar::{self, Liar, Malice},
    plan::{Plan, VALIDATORS},
    witness::Witness,
};
use chain::{CHANNELS, Connected, Node, Outdated, Peers, Program, SecretsKey};
use commonware_macros::select;
use commonware_p2p::{
    Manager as _,
    simulated::{self, Link, Network, Oracle},
};
use commonware_parallel::Sequential;
use commonware_runtime::{
    Clock as _, Handle, Spawner as _, Storage as _, Supervisor as _,
    deterministic::{self, Context},
};
use commonware_utils::{NZU64, NZUsize, Probability, channel::oneshot, ordered::Set};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::Ordering},
    time::Duration,
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
}

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
    pub async fn partition(&self, side: &[usize]) {
        let apart = |from, to| side.contains(&from) != side.contains(&to);
        self.link(
            &|from, to| (!apart(from, to)).then(|| self.good.clone()),
            true,
        )
        .await;
    }

    /// Lets only `delivered` percent of messages through.
    pub async fn lose(&self, delivered: u64) {
        let link = Link {
            success_rate: percent(delivered),
            ..self.good.clone()
        };
        self.link(&|_, _| Some(link.clone()), true).await;
    }

    /// Makes all links good again.
    pub async fn heal(&self) {
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
        let control = self.oracle.control(validator.public_key.clone());
        let mut channels = Vec::with_capacity(CHANNELS);
        for (channel, quota) in (0..).zip(chain::quotas()) {
            let pair = control
                .register(channel, quota)
                .await
                .map_err(|error| error.to_string())?;
            let (sender, receiver) = pair;
            let malice = liar::ASKED.contains(&channel).then(|| {
                let seed = u64::from(slot.starts) << 8 | channel;
                Malice::new(validator.victim.clone(), seed, self.witness.clone())
            });
            channels.push((Liar { sender, malice }, receiver));
        }
        let channels: [_; CHANNELS] = channels
            .try_into()
            .map_err(|_| "wrong number of channels".to_owned())?;
        let disk = validator.disk.load(Ordering::Relaxed);
        let pruned = self.pruned == Some(index);
        let config = chain::Config {
            spec: self.setup.spec.clone(),
            partition_prefix: partition_prefix(index, disk),
            signer: validator.signer.clone(),
            share: validator.share.clone().filter(|_| disk == 0),
            secrets_key: SecretsKey::new([7; 32]),
            strategy: Sequential,
            page_cache_bytes: 4 << 20,
            mempool: chain::mempool::Limits::default(),
            archive: !pruned,
            state_sync: disk > 0,
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
        let (directory, ended) = (self.directory.clone(), self.ended.clone());
        ended.lock().remove(&index);
        // Everything of the validator is a child of this task, so aborting it is a crash.
        let handle = context.spawn(move |context| async move {
            let now = context.child("now");
            match Box::pin(chain::start(context, config, control, peers, channels)).await {
                Ok((consensus, node)) => {
                    debug!(now = ?now.current(), index, height = node.latest().number(), "started");
                    directory.lock().insert(index, node.clone());
                    let _ = started.send(Ok(()));
                    // As the binary does.
                    select! {
                        _ = consensus => {},
                        outdated = node.outdated() => {
                            debug!(index, %outdated, "ended");
                            ended.lock().insert(index, outdated);
                        },
                    }
                }
                Err(error) => {
                    let _ = started.send(Err(error.to_string()));
                }
            }
        });
        if disk > 0 {
            // It waits for the others, which may be long.
            slot.running = Some(handle);
            return Ok(());
        }
        match node.await {
            Ok(Ok(())) => {
                slot.running = Some(handle);
                Ok(())
            }
            Ok(Err(error)) => Err(error),
            Err(_) => Err("it panicked while starting".to_owned()),
        }
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
