//! Followers: level with the chain whatever some of their upstreams do, nowhere with liars alone, and they say who lies.

use crate::{
    cluster::{Cluster, Directory},
    committee::Setup,
    plan::Plan,
    traffic::sign,
    trial::{SEED, simulate},
    witness::Witness,
};
use alloy_consensus::Header;
use alloy_primitives::{Address, B256, Bytes, U256, keccak256};
use alloy_rlp::Decodable as _;
use chain::{
    CertifiedHeader, Finalization, Health, Node, Page, Program, Progress, Upstream, UpstreamError,
    follow,
};
use commonware_codec::{DecodeExt as _, Encode as _};
use commonware_parallel::Sequential;
use commonware_runtime::{
    Clock as _, Handle, Spawner as _, Supervisor as _, deterministic::Context,
};
use commonware_utils::NZU64;
use contracts::upgrade::{ADDRESS, Schedule, Versions};
use std::{
    num::NonZeroU64,
    sync::{Arc, Mutex},
    time::{Duration, SystemTime},
};
use types::{Block, ChainSpec, Digest};

const STEP: Duration = Duration::from_millis(50);
const PATIENCE: Duration = Duration::from_secs(120);

/// What an upstream does to its follower.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Conduct {
    Honest,
    /// It never answers.
    Silent,
    /// It answers as if there were no more than so many blocks.
    Behind(u64),
    /// Its last block is one that nobody signed, with the signature of another.
    Invents,
    /// Its certificates, but for the last, are another block's.
    Misplaces,
    /// It sends other blocks than those asked for.
    Shifts,
    /// It says the chain is further than it is.
    Boasts,
}

/// A validator, as a follower meets it.
struct Source {
    directory: Directory,
    index: usize,
    conduct: Conduct,
    /// How many blocks it was asked for, and gave.
    given: Arc<Mutex<u64>>,
}

impl Upstream for Source {
    fn name(&self) -> String {
        format!("{:?} {}", self.conduct, self.index)
    }

    async fn page(&self, from: u64, count: u64) -> Result<Page, UpstreamError> {
        let node = self.node()?;
        let refused = |error: chain::NodeError| UpstreamError::Pruned(error.to_string());
        let (asked, count) = match self.conduct {
            Conduct::Silent => return std::future::pending().await,
            Conduct::Shifts => (from + 1, count),
            Conduct::Misplaces => (from, 256),
            _ => (from, count),
        };
        let mut page = node.page(asked, count).await.map_err(refused)?;
        self.lie(&node, from, &mut page).await;
        *self.given.lock().unwrap() += page.blocks.len() as u64;
        Ok(page)
    }

    async fn submit(&self, raw: Bytes) -> Result<(), UpstreamError> {
        if self.conduct != Conduct::Honest {
            return Ok(());
        }
        match self.node()?.submit(raw).await {
            Ok(_) => Ok(()),
            Err(error) => Err(UpstreamError::Refused(error.to_string())),
        }
    }
}

impl Source {
    fn node(&self) -> Result<Node, UpstreamError> {
        let node = self.directory.node(self.index);
        node.ok_or_else(|| UpstreamError::Unreachable("it is down".to_owned()))
    }

    async fn lie(&self, node: &Node, from: u64, page: &mut Page) {
        match self.conduct {
            Conduct::Behind(height) => {
                let left = usize::try_from((height + 1).saturating_sub(from)).unwrap();
                page.blocks.truncate(left);
                while page
                    .blocks
                    .last()
                    .is_some_and(|last| last.certificate.is_none())
                {
                    page.blocks.pop();
                }
                let shown = node.page(height, 1).await.unwrap();
                page.head = shown.blocks.first().and_then(|first| {
                    let block = Block::decode(first.block.0.clone()).unwrap();
                    Some(CertifiedHeader {
                        certificate: first.certificate.clone()?,
                        header: block.header_rlp(),
                    })
                });
            }
            Conduct::Invents => {
                if let Some(last) = page.blocks.last_mut() {
                    let block = Block::decode(last.block.0.clone()).unwrap();
                    let mut header = block.header().clone();
                    header.state_root = B256::repeat_byte(0xbb);
                    let (extension, raws) = (block.extension(), block.transactions());
                    let block = Block::new(header, extension.clone(), raws.to_vec()).unwrap();
                    last.certificate = last
                        .certificate
                        .as_ref()
                        .map(|certificate| over(certificate, block.hash()));
                    last.block = block.encode().into();
                }
            }
            Conduct::Misplaces => {
                if let Some((last, before)) = page.blocks.split_last_mut() {
                    for each in before {
                        each.certificate.clone_from(&last.certificate);
                    }
                }
            }
            Conduct::Boasts => {
                if let Some(head) = &mut page.head {
                    let mut header = Header::decode(&mut head.header.as_ref()).unwrap();
                    header.number += 1_000_000;
                    head.header = alloy_rlp::encode(&header).into();
                    head.certificate = over(&head.certificate, keccak256(&head.header));
                }
            }
            Conduct::Honest | Conduct::Silent | Conduct::Shifts => {}
        }
    }
}

/// A certificate with its signature, but over another hash.
fn over(certificate: &Bytes, hash: B256) -> Bytes {
    let mut finalization = Finalization::decode(certificate.0.clone()).unwrap();
    finalization.proposal.payload = Digest::from(hash.0);
    finalization.encode().into()
}

/// Four validators, and a follower that may be stopped.
struct World {
    context: Context,
    cluster: Cluster,
    setup: Setup,
    starts: u32,
}

/// A follower that runs. Everything of it is a child of one task: to abort that is a crash.
struct Running {
    handle: Handle<()>,
    node: Node,
    /// By upstream.
    given: Vec<Arc<Mutex<u64>>>,
}

impl World {
    async fn start(context: Context) -> Self {
        Self::start_with(context, Setup::new(4, 0)).await
    }

    async fn start_with(context: Context, setup: Setup) -> Self {
        let mut cluster =
            Cluster::new(&context, &setup, &Plan::new(SEED), &Witness::default()).await;
        for index in 0..4 {
            cluster.start(index).await.unwrap();
        }
        Self {
            context,
            cluster,
            setup,
            starts: 0,
        }
    }

    fn validator(&self, index: usize) -> Node {
        self.cluster.node(index).unwrap()
    }

    /// Starts a follower on its disk.
    async fn follow(&mut self, upstreams: &[(usize, Conduct)]) -> Running {
        self.follow_with(upstreams, "follower", None, Program::default())
            .await
    }

    async fn follow_with(
        &mut self,
        upstreams: &[(usize, Conduct)],
        disk: &str,
        keep_blocks: Option<NonZeroU64>,
        program: Program,
    ) -> Running {
        let mut given = Vec::new();
        let sources = upstreams.iter().map(|(index, conduct)| {
            let count = Arc::<Mutex<u64>>::default();
            given.push(Arc::clone(&count));
            Source {
                directory: self.cluster.directory(),
                index: *index,
                conduct: *conduct,
                given: count,
            }
        });
        let config = follow::Config {
            spec: self.setup.spec.clone(),
            partition_prefix: disk.to_owned(),
            upstreams: sources.collect(),
            strategy: Sequential,
            page_cache_bytes: 4 << 20,
            mempool: chain::mempool::Limits::default(),
            archive: keep_blocks.is_none(),
            program,
            keep_blocks,
            section_items: if keep_blocks.is_some() {
                NZU64!(8)
            } else {
                chain::SECTION_ITEMS
            },
            give_way: || {},
        };
        let context = self
            .context
            .child("follower")
            .with_attribute("start", self.starts);
        self.starts += 1;
        let (started, node) = commonware_utils::channel::oneshot::channel();
        let handle = context.spawn(move |context| async move {
            let (engine, node) = Box::pin(follow::start(context, config)).await.unwrap();
            let _ = started.send(node);
            let _ = engine.await;
        });
        let node = node.await.unwrap();
        Running {
            handle,
            node,
            given,
        }
    }

    async fn until(&self, what: &str, mut done: impl AsyncFnMut() -> bool) -> Duration {
        let begin = self.context.current();
        loop {
            let passed = passed(begin, self.context.current());
            if done().await {
                return passed;
            }
            assert!(passed < PATIENCE, "{what}");
            self.context.sleep(STEP).await;
        }
    }

    async fn until_height(&self, node: &Node, height: u64) -> Duration {
        let what = format!("block {height}");
        self.until(&what, async || node.latest().number() >= height)
            .await
    }
}

fn passed(since: SystemTime, now: SystemTime) -> Duration {
    now.duration_since(since).unwrap()
}

fn health(node: &Node) -> Arc<Health> {
    node.health().unwrap()
}

/// What an upstream is blamed for, by its name.
fn complaint(node: &Node, name: &str) -> Option<String> {
    let upstreams = node.upstreams().unwrap().status();
    let found = upstreams.into_iter().find(|each| each.name == name);
    found.unwrap().complaint
}

/// Whether a follower has what a validator has, of blocks up to a height.
async fn assert_same(follower: &Node, validator: &Node, height: u64) {
    let (mut certified, mut both) = (0, 0);
    for number in 1..=height {
        let ours = follower.block(number).await.unwrap();
        let theirs = validator.block(number).await.unwrap();
        assert_eq!(ours.hash, theirs.hash);
        assert_eq!(ours.receipts, theirs.receipts);
        let kept = validator.certificate(number).await;
        certified += u64::from(kept.is_some());
        both += u64::from(kept.is_some() && follower.certificate(number).await.is_some());
        assert!(follower.finality(number).await.is_some(), "block {number}");
    }
    // So it can serve as an upstream itself.
    assert_eq!(both, certified);
    assert!(certified > height / 2, "{certified} certificates");
}

/// Some epochs, then a follower that meets all kinds of upstreams but honest ones, is stopped, and goes on with some of both; in
/// the end one of the honest ones is down.
async fn through_epochs(context: Context) -> B256 {
    let mut world = World::start(context).await;
    world.until_height(&world.validator(0), 140).await;
    let liars = [
        (1, Conduct::Invents),
        (1, Conduct::Misplaces),
        (1, Conduct::Shifts),
        (1, Conduct::Boasts),
        (1, Conduct::Silent),
        (1, Conduct::Behind(20)),
    ];
    let running = world.follow(&liars).await;
    assert!(running.node.catching_up().is_some());
    for liar in [
        "Invents 1",
        "Misplaces 1",
        "Shifts 1",
        "Boasts 1",
        "Silent 1",
    ] {
        let blamed = async || complaint(&running.node, liar).is_some();
        let passed = world.until(liar, blamed).await;
        assert!(passed < Duration::from_secs(15), "{liar}: {passed:?}");
    }
    world.until_height(&running.node, 10).await;
    assert_eq!(complaint(&running.node, "Behind(20) 1"), None);
    running.handle.abort();
    let _ = running.handle.await;

    let upstreams = [
        (1, Conduct::Invents),
        (1, Conduct::Silent),
        (1, Conduct::Behind(20)),
        (0, Conduct::Honest),
        (2, Conduct::Honest),
    ];
    let running = world.follow(&upstreams).await;
    let follower = running.node.clone();
    assert!(follower.latest().number() >= 10, "it goes on");
    let level = world
        .until("level", async || follower.catching_up().is_none())
        .await;
    assert!(level < Duration::from_secs(5), "{level:?}");
    let tip = world.validator(0).latest().number();
    assert!(tip >= 140);
    world.until_height(&follower, tip).await;
    assert_same(&follower, &world.validator(0), tip).await;
    world
        .until("three that answer", async || follower.peers() == 3)
        .await;
    for honest in ["Honest 0", "Honest 2", "Behind(20) 1"] {
        assert_eq!(complaint(&follower, honest), None);
    }
    assert_eq!(health(&follower).progress, Progress::Finalizing);
    let epoch = follower.epoch().await.unwrap();
    assert!(epoch.epoch.get() > 2);
    // One of them brings blocks by the hundred, the others the next one only.
    let given = running.given.iter().map(|each| *each.lock().unwrap());
    let given: Vec<_> = given.collect();
    assert!(given.iter().sum::<u64>() < 4 * tip, "{given:?}");

    pass_on(&mut world, &follower).await;
    world.cluster.crash(0);
    let next = follower.latest().number() + 10;
    world.until_height(&follower, next).await;
    world
        .until("away", async || complaint(&follower, "Honest 0").is_some())
        .await;
    let last = follower.latest();
    assert_eq!(
        world.validator(2).block(last.number()).await.unwrap().hash,
        last.hash
    );
    last.hash
}

/// A transaction that is sent to a follower becomes final, and the follower sees what it did.
async fn pass_on(world: &mut World, follower: &Node) {
    let user = &world.setup.users[0];
    let to = Address::repeat_byte(0xaf);
    let raw = sign(
        user,
        world.setup.spec.chain_id,
        0,
        to,
        U256::from(5),
        Bytes::new(),
        21_000,
    );
    let hash = follower.submit(raw).await.unwrap();
    let sent = world
        .until("the transaction", async || {
            follower.transaction(hash).await.is_some()
        })
        .await;
    assert!(sent < Duration::from_secs(3), "{sent:?}");
    assert_eq!(follower.census().await, chain::mempool::Census::default());
}

#[test]
fn a_follower_is_level_whatever_some_of_its_upstreams_do() {
    let (_, digest) = simulate(through_epochs);
    let (_, again) = simulate(through_epochs);
    assert_eq!(digest, again);
}

#[test]
fn liars_alone_get_a_follower_nowhere() {
    simulate(async |context: Context| {
        let mut world = World::start(context).await;
        world.until_height(&world.validator(0), 40).await;
        let upstreams = [
            (0, Conduct::Invents),
            (1, Conduct::Shifts),
            (2, Conduct::Silent),
        ];
        let running = world.follow(&upstreams).await;
        world.context.sleep(Duration::from_secs(100)).await;
        let follower = &running.node;
        assert_eq!(follower.latest().number(), 0);
        assert_eq!(follower.peers(), 0);
        let health = health(follower);
        assert_eq!(health.progress, Progress::Stalled);
        let said = health.explanation().unwrap();
        for part in [
            "0 of 3 upstreams answer",
            "Invents 0: it lied and is left alone for a while: its certificate over block",
            "Shifts 1: it lied and is left alone for a while: it sent block 2 for block 1",
            "Silent 2: it did not answer within 10 s",
            "--upstream names others",
        ] {
            assert!(said.contains(part), "{part:?} is not in: {said}");
        }
        // What it has is not wrong: with an honest one it goes on.
        running.handle.abort();
        let _ = running.handle.await;
        let upstreams = [(0, Conduct::Invents), (1, Conduct::Honest)];
        let running = world.follow(&upstreams).await;
        world.until_height(&running.node, 100).await;
    });
}

/// With the seed of these tests, validator 3 keeps 64 blocks.
#[test]
fn an_upstream_without_the_first_blocks_is_of_no_use_to_a_newcomer_alone() {
    simulate(async |context: Context| {
        let mut world = World::start(context).await;
        world.until_height(&world.validator(3), 120).await;
        let first = world.validator(3).first_block().await.unwrap();
        assert!(first > 1, "{first}");
        let running = world.follow(&[(3, Conduct::Honest)]).await;
        let name = "Honest 3";
        world
            .until("the reason", async || {
                complaint(&running.node, name).is_some()
            })
            .await;
        let said = complaint(&running.node, name).unwrap();
        for part in [
            "block 1 is not on this node",
            "one without keep_blocks and state_sync",
        ] {
            assert!(said.contains(part), "{said}");
        }
        assert_eq!(running.node.latest().number(), 0);
        running.handle.abort();
        let _ = running.handle.await;

        // A follower may keep little itself, and goes on from such an upstream once it is level.
        let keep = Some(NZU64!(64));
        let upstreams = [(0, Conduct::Honest), (3, Conduct::Honest)];
        let running = world
            .follow_with(&upstreams, "pruned", keep, Program::default())
            .await;
        let tip = world.validator(0).latest().number() + 80;
        world.until_height(&running.node, tip).await;
        assert_eq!(complaint(&running.node, name), None);
        world
            .until("pruning", async || {
                running.node.first_block().await.unwrap() > 1
            })
            .await;
    });
}

#[test]
fn a_follower_whose_program_is_too_old_stops_before_the_height() {
    simulate(async |context: Context| {
        let mut setup = Setup::new(4, 0);
        let mut spec = ChainSpec::clone(&setup.spec);
        let schedule = Schedule {
            versions: Versions {
                current: 0,
                next: 1,
                height: 20,
            },
            ..Schedule::default()
        };
        spec.accounts.get_mut(&ADDRESS).unwrap().storage = schedule.storage();
        setup.spec = Arc::new(spec);
        let mut world = World::start_with(context, setup).await;
        world.until_height(&world.validator(0), 30).await;
        let old = Program {
            protocol: 0,
            ..Program::default()
        };
        for _ in 0..2 {
            let running = world
                .follow_with(&[(0, Conduct::Honest)], "follower", None, old.clone())
                .await;
            let outdated = running.node.outdated().await;
            assert_eq!(outdated.height(), 20);
            // It may say so a moment before readers see block 19.
            let last = running.node.latest().number();
            assert!((18..=19).contains(&last), "{last}");
            running.handle.abort();
            let _ = running.handle.await;
        }
        // A newer program goes on where the old one stopped.
        let running = world.follow(&[(0, Conduct::Honest)]).await;
        assert!(running.node.latest().number() <= 20);
        world.until_height(&running.node, 30).await;
    });
}
