//! Networks whose links are cut: who has a quorum goes on, everybody else makes no block and says why, and healing needs nobody.

use crate::{
    cluster::Cluster,
    committee::Setup,
    plan::Plan,
    trial::{SEED, simulate},
    witness::Witness,
};
use chain::{Health, Node, Progress};
use commonware_runtime::{Clock as _, deterministic::Context};
use commonware_utils::NZU64;
use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{Duration, SystemTime},
};
use types::ChainSpec;

const STEP: Duration = Duration::from_millis(50);
/// After a cut: what was on its way has arrived, and whoever has a quorum is in a view with a leader it hears.
const SETTLING: Duration = Duration::from_secs(5);
/// How long the links stay cut after that.
const CUT: Duration = Duration::from_secs(20);
/// Virtual time from healing until everybody has the same blocks and new ones.
const HEALING_MAX: Duration = Duration::from_secs(10);
const PATIENCE: Duration = Duration::from_secs(60);

/// A network whose links will be cut.
struct Network {
    context: Context,
    cluster: Cluster,
    setup: Setup,
}

impl Network {
    async fn start(context: Context, validators: usize) -> Self {
        let mut setup = Setup::new(validators, 0);
        // Eight for each validator, at least.
        setup.spec = Arc::new(ChainSpec {
            epoch_blocks: NZU64!(64),
            ..ChainSpec::clone(&setup.spec)
        });
        let plan = Plan {
            // As on lines that stand. Where every vote is needed, a view in two fails if one of twenty messages is lost.
            delivered: 100,
            ..Plan::new(SEED)
        };
        let mut cluster = Cluster::new(&context, &setup, &plan, &Witness::default()).await;
        for index in 0..validators {
            cluster.start(index).await.unwrap();
        }
        let network = Self {
            context,
            cluster,
            setup,
        };
        network.level_at(3, PATIENCE).await;
        network
    }

    fn all(&self) -> std::ops::Range<usize> {
        0..self.setup.nodes.len()
    }

    fn node(&self, index: usize) -> Node {
        self.cluster.node(index).unwrap()
    }

    fn heights(&self) -> Vec<u64> {
        let height = |index| self.node(index).latest().number();
        self.all().map(height).collect()
    }

    fn health(&self, index: usize) -> Arc<Health> {
        self.node(index).health().unwrap()
    }

    /// Waits until everybody has this block and says that blocks become final. Gives the virtual time it took.
    async fn level_at(&self, height: u64, at_most: Duration) -> Duration {
        let begin = self.context.current();
        let passed = |now: SystemTime| now.duration_since(begin).unwrap();
        let level = |index| {
            let well = self.health(index).progress == Progress::Finalizing;
            well && self.node(index).latest().number() >= height
        };
        loop {
            let passed = passed(self.context.current());
            // It may just have started.
            if self.all().all(|index| self.node(index).health().is_some()) && self.all().all(level)
            {
                return passed;
            }
            assert!(
                passed < at_most,
                "block {height} does not come everywhere: {:?}",
                self.heights()
            );
            self.context.sleep(STEP).await;
        }
    }

    /// Who of the validators a node says it reaches.
    fn reached(&self, index: usize) -> BTreeSet<usize> {
        let health = self.health(index);
        let keys: Vec<_> = health.validators.iter().map(|each| &each.key).collect();
        let expected = self.setup.nodes.iter().map(|node| &node.public_key);
        assert_eq!(keys, expected.collect::<Vec<_>>());
        let each = health.validators.iter().enumerate();
        each.filter(|(_, each)| each.reachable)
            .map(|(index, _)| index)
            .collect()
    }
}

/// Cuts links of a network, from one validator to another, for a while. `goes_on` says at whom blocks become final meanwhile.
/// Whom each reaches follows from the links: itself, and whom it hears.
async fn cut(
    context: Context,
    validators: usize,
    links: impl Fn(usize, usize) -> bool + Sync,
    goes_on: impl Fn(usize) -> bool,
) {
    let mut network = Network::start(context, validators).await;
    network.cluster.cut(&links).await;
    network.context.sleep(SETTLING).await;
    let before = network.heights();
    network.context.sleep(CUT).await;
    let after = network.heights();
    for index in network.all() {
        let (health, made) = (network.health(index), after[index] - before[index]);
        let heard = network
            .all()
            .filter(|from| *from == index || !links(*from, index));
        let heard: BTreeSet<_> = heard.collect();
        assert_eq!(network.reached(index), heard, "whom {index} reaches");
        if goes_on(index) {
            assert!(made >= 10, "{index} has {made} blocks more");
            assert_eq!(health.progress, Progress::Finalizing, "{index}");
            assert_eq!(health.explanation(), None);
            continue;
        }
        assert_eq!(made, 0, "{index}: {before:?}, {after:?}");
        assert_eq!(health.progress, Progress::Stalled, "{index}");
        assert_eq!(health.height, after[index]);
        assert!(health.lasted() >= CUT, "{:?}", health.lasted());
        let said = health.explanation().unwrap();
        let quorum = validators - (validators - 1) / 3;
        let count = format!(
            "{} of {validators} validators are reachable, {quorum} are needed",
            heard.len()
        );
        assert!(said.contains(&count), "{said}");
        for (place, validator) in health.validators.iter().enumerate() {
            // The organizations of the simulation are called by the order of keys.
            let organization = format!("org-{:x}", 0x81 + place);
            assert_eq!(validator.organization.as_deref(), Some(&*organization));
            let named = said.contains(&validator.to_string());
            assert_eq!(named, !heard.contains(&place), "{place} in: {said}");
        }
    }

    network.cluster.heal().await;
    let highest = after.into_iter().max().unwrap();
    let goal = highest + 3;
    let took = network.level_at(goal, HEALING_MAX).await;
    println!("level {} ms after healing", took.as_millis());
    for height in 1..=goal {
        let mut hashes = BTreeSet::new();
        for index in network.all() {
            hashes.insert(
                network
                    .node(index)
                    .body(height)
                    .await
                    .map(|block| block.hash()),
            );
        }
        // Whose node keeps little has removed the first ones.
        hashes.remove(&None);
        assert_eq!(hashes.len(), 1, "at {height}");
    }
}

/// Whether a link is between the first so many validators and the others.
const fn across(first: usize) -> impl Fn(usize, usize) -> bool + Sync {
    move |from, to| (from < first) != (to < first)
}

#[test]
fn three_of_four_go_on_and_the_fourth_says_why_not() {
    simulate(|context| cut(context, 4, across(3), |index| index < 3));
}

#[test]
fn two_and_two_wait_for_one_another() {
    simulate(|context| cut(context, 4, across(2), |_| false));
}

#[test]
fn five_of_seven_go_on() {
    simulate(|context| cut(context, 7, across(5), |index| index < 5));
}

#[test]
fn four_and_three_wait_for_one_another() {
    simulate(|context| cut(context, 7, across(4), |_| false));
}

#[test]
fn who_hears_nobody_says_so() {
    simulate(|context| cut(context, 4, |_, to| to == 3, |index| index != 3));
}

#[test]
fn whom_nobody_hears_follows() {
    simulate(|context| cut(context, 4, |from, _| from == 3, |_| true));
}

#[test]
fn two_that_hear_all_cannot_go_on_with_two_that_do_not_hear_them() {
    simulate(|context| cut(context, 4, |from, to| from >= 2 && to < 2, |_| false));
}
