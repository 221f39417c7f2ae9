use super::{
    BLOCKS_PER_FOUNDER, CHANNELS, CeremonyError, Config, FAILURE_SERVED, Founded, blocks, forget,
    hold, message_bytes_max, quotas,
};
use crate::{
    alias::{Finalization, Scheme},
    epoch::{Connected, Peers, SecretsKey},
};
use alloy_primitives::B256;
use commonware_consensus::{
    simplex::types::{Finalize, Proposal},
    types::{Epoch, Round, View},
};
use commonware_cryptography::{Signer as _, ed25519};
use commonware_macros::select;
use commonware_p2p::{
    Manager as _,
    simulated::{self, Link, Network, Oracle},
};
use commonware_parallel::Sequential;
use commonware_runtime::{
    Clock as _, Handle, Runner as _, Spawner as _, Supervisor as _,
    deterministic::{self, Context},
};
use commonware_utils::{NZUsize, Probability, channel::oneshot, non_empty, ordered::Set, test_rng};
use std::time::Duration;
use types::{Digest, MAX_VALIDATORS, PublicKey};

const AGREEMENT: B256 = B256::repeat_byte(0xa9);
const SECRETS: [u8; 32] = [7; 32];
/// Channel of the founders' dealings, in the order of [`CHANNELS`].
const DEALINGS: u64 = 5;

type Outcome = Result<Founded, CeremonyError>;

/// One start of a founder.
struct Running {
    process: Handle<()>,
    outcome: oneshot::Receiver<Outcome>,
}

impl Running {
    /// Ends the process at once, and what it had open is closed.
    async fn crash(self, world: &World) {
        self.process.abort();
        let _ = self.process.await;
        world.sleep(1).await;
    }

    async fn founded(&mut self) -> Founded {
        match (&mut self.outcome).await {
            Ok(Ok(founded)) => founded,
            Ok(Err(error)) => panic!("{error}"),
            Err(_) => panic!("the founder ended without an outcome"),
        }
    }

    async fn error(&mut self) -> CeremonyError {
        match (&mut self.outcome).await.unwrap() {
            Ok(_) => panic!("a key was made"),
            Err(error) => error,
        }
    }

    fn is_pending(&mut self) -> bool {
        matches!(
            self.outcome.try_recv(),
            Err(oneshot::error::TryRecvError::Empty)
        )
    }
}

/// The founders' network and disks.
struct World {
    context: Context,
    oracle: Oracle<PublicKey, Context>,
    /// In the order of their keys.
    signers: Vec<ed25519::PrivateKey>,
    founders: Set<PublicKey>,
}

/// What is unusual in a start of a founder.
#[derive(Clone, Copy, Default)]
struct Quirks {
    agreement: Option<B256>,
    /// It sends and hears dealings where only those hear it that do the same.
    deals_elsewhere: bool,
}

impl World {
    async fn new(context: &Context, count: u64) -> Self {
        let (network, oracle) = Network::<_, PublicKey>::new(
            context.child("network"),
            simulated::Config {
                max_size: message_bytes_max(),
                max_peers_per_set: NZUsize!(64),
                disconnect_on_block: true,
                tracked_peer_sets: NZUsize!(1),
            },
        );
        network.start();
        let mut signers: Vec<_> = (0..count).map(ed25519::PrivateKey::from_seed).collect();
        signers.sort_by_key(ed25519::PrivateKey::public_key);
        let founders = Set::from_iter_dedup(signers.iter().map(ed25519::PrivateKey::public_key));
        oracle.manager().track(0, founders.clone());
        let link = Link {
            latency: Duration::from_millis(20),
            jitter: Duration::from_millis(5),
            success_rate: Probability::new(98, 100).unwrap(),
        };
        for from in &founders {
            for to in founders.iter().filter(|to| *to != from) {
                let added = oracle.add_link(from.clone(), to.clone(), link.clone());
                added.await.unwrap();
            }
        }
        Self {
            context: context.child("world"),
            oracle,
            signers,
            founders,
        }
    }

    fn config(&self, index: usize) -> Config<Sequential> {
        Config {
            signer: self.signers[index].clone(),
            founders: self.founders.clone(),
            agreement: AGREEMENT,
            partition_prefix: format!("f{index}"),
            secrets_key: SecretsKey::new(SECRETS),
            strategy: Sequential,
        }
    }

    async fn start(&self, index: usize) -> Running {
        self.start_with(index, Quirks::default()).await
    }

    async fn start_with(&self, index: usize, quirks: Quirks) -> Running {
        let mut config = self.config(index);
        config.agreement = quirks.agreement.unwrap_or(config.agreement);
        let control = self.oracle.control(config.signer.public_key());
        let mut channels = Vec::new();
        for (channel, quota) in (0..).zip(quotas()) {
            let channel = match channel {
                DEALINGS if quirks.deals_elsewhere => 100,
                _ => channel,
            };
            channels.push(control.register(channel, quota).await.unwrap());
        }
        let channels: [_; CHANNELS] = channels.try_into().map_err(drop).unwrap();
        let me = config.signer.public_key();
        let peers = Peers::new(Connected, me, Set::default(), NZUsize!(64));
        let (sender, outcome) = oneshot::channel();
        let context = self.context.child("founder").with_attribute("index", index);
        // All it does is a child of this task, so aborting it is a crash.
        let process = context.spawn(move |context| async move {
            match Box::pin(hold(context, config, control, peers, channels)).await {
                Ok((founded, serving)) => {
                    let _ = sender.send(Ok(founded));
                    let _ = serving.await;
                }
                Err(error) => {
                    let _ = sender.send(Err(error));
                }
            }
        });
        Running { process, outcome }
    }

    async fn start_all(&self) -> Vec<Running> {
        self.start_first(self.signers.len()).await
    }

    async fn start_first(&self, count: usize) -> Vec<Running> {
        let mut running = Vec::new();
        for index in 0..count {
            running.push(self.start(index).await);
        }
        running
    }

    async fn sleep(&self, milliseconds: u64) {
        self.context
            .sleep(Duration::from_millis(milliseconds))
            .await;
    }

    fn elapsed(&self, since: std::time::SystemTime) -> Duration {
        self.context.current().duration_since(since).unwrap()
    }
}

/// Runs on simulated time, of which there are two minutes.
fn run<F: Future<Output = ()>>(seed: u64, test: impl FnOnce(Context) -> F) {
    let config = deterministic::Config::default()
        .with_seed(seed)
        .with_timeout(Some(Duration::from_secs(120)));
    deterministic::Runner::new(config).start(test);
}

/// Four founders this many milliseconds after their start, none of whom is done.
async fn midway(context: &Context, at: u64) -> (World, Vec<Running>) {
    let world = World::new(context, 4).await;
    let mut running = world.start_all().await;
    world.sleep(at).await;
    assert_pending(&mut running, &format!("over before {at} ms"));
    (world, running)
}

#[track_caller]
fn assert_pending(running: &mut [Running], otherwise: &str) {
    assert!(running.iter_mut().all(Running::is_pending), "{otherwise}");
}

async fn crash_all(running: Vec<Running>, world: &World) {
    for founder in running {
        founder.crash(world).await;
    }
}

async fn all_founded(running: &mut [Running]) -> Vec<Founded> {
    let mut founded = Vec::new();
    for founder in running {
        founded.push(founder.founded().await);
    }
    founded
}

/// Whether these shares make a certificate that verifies under the committee's identity.
fn certify(committee: &types::Committee, signers: &[&Founded]) -> bool {
    let namespace = b"test";
    let schemes: Vec<_> = signers
        .iter()
        .map(|founded| {
            Scheme::signer(
                namespace,
                committee.validators().clone(),
                committee.output().public().clone(),
                founded.share.clone(),
            )
            .unwrap()
        })
        .collect();
    let round = Round::new(Epoch::zero(), View::new(2));
    let proposal = Proposal::new(round, View::new(1), Digest::from([7; 32]));
    let votes: Vec<_> = schemes
        .iter()
        .map(|scheme| Finalize::sign(scheme, proposal.clone()).unwrap())
        .collect();
    let certificate =
        Finalization::from_finalizes(&schemes[0], non_empty![@votes.iter()], &Sequential);
    let verifier = Scheme::certificate_verifier(namespace, *committee.output().public().public());
    certificate.is_ok_and(|certificate| certificate.verify(&mut test_rng(), &verifier, &Sequential))
}

/// Checks that all have the same committee of the founders, and that any quorum of them signs for it.
fn check(world: &World, founded: &[Founded]) {
    let committee = &founded[0].committee;
    assert_eq!(founded.len(), world.signers.len());
    assert!(founded.iter().all(|other| other.committee == *committee));
    assert_eq!(committee.validators(), &world.founders);
    for left_out in 0..founded.len() {
        let quorum: Vec<_> = (1..=committee.quorum() as usize)
            .map(|step| &founded[(left_out + step) % founded.len()])
            .collect();
        assert!(certify(committee, &quorum), "without {left_out}");
        assert!(!certify(committee, &quorum[1..]), "fewer than a quorum");
    }
}

#[test]
fn founders_make_one_key_and_each_has_a_share() {
    let mut identities = Vec::new();
    for seed in 0..3 {
        let mut identity = String::new();
        run(seed, async |context| {
            let world = World::new(&context, 4).await;
            let mut running = world.start_all().await;
            let founded = all_founded(&mut running).await;
            check(&world, &founded);
            assert!(founded[0].exposed().is_empty());
            identity = founded[0].committee.identity_hex();
            // All know that all have finished, so nobody serves any longer.
            for founder in running {
                founder.process.await.unwrap();
            }
        });
        assert!(!identities.contains(&identity), "a key made by chance");
        identities.push(identity);
    }
}

#[test]
fn seven_founders_make_a_key() {
    run(0, async |context| {
        let world = World::new(&context, 7).await;
        let mut running = world.start_all().await;
        let founded = all_founded(&mut running).await;
        check(&world, &founded);
        assert!(founded[0].exposed().is_empty());
    });
}

#[test]
fn a_founder_that_crashes_midway_finishes() {
    // In the dealings, and when they are put in blocks.
    for (seed, at, down) in [(0, 700, 300), (1, 1_200, 300), (2, 4_000, 1_000)] {
        run(seed, async |context| {
            let (world, mut running) = midway(&context, at).await;
            running.remove(2).crash(&world).await;
            world.sleep(down).await;
            assert_pending(&mut running, "over before the restart");
            running.insert(2, world.start(2).await);
            let founded = all_founded(&mut running).await;
            check(&world, &founded);
            assert!(founded[0].exposed().is_empty());
        });
    }
}

#[test]
fn all_founders_may_crash_at_once() {
    for (seed, at) in [(0, 100), (1, 600), (2, 3_500)] {
        run(seed, async |context| {
            let (world, running) = midway(&context, at).await;
            crash_all(running, &world).await;
            world.sleep(1_000).await;
            let mut running = world.start_all().await;
            check(&world, &all_founded(&mut running).await);
        });
    }
}

#[test]
fn nobody_begins_before_the_last_has_come() {
    for (seed, late) in [(0, 2_000), (1, 30_000)] {
        run(seed, async |context| {
            let world = World::new(&context, 4).await;
            let mut running = world.start_first(3).await;
            world.sleep(late).await;
            assert_pending(&mut running, "begun without the last");
            running.push(world.start(3).await);
            let founded = all_founded(&mut running).await;
            check(&world, &founded);
            // It was there for all dealings.
            assert!(founded[0].exposed().is_empty());
        });
    }
}

#[test]
fn who_was_away_until_the_others_had_finished_finishes() {
    run(0, async |context| {
        let (world, mut running) = midway(&context, 1_000).await;
        running.pop().unwrap().crash(&world).await;
        let first = all_founded(&mut running).await;
        world.sleep(10_000).await;
        running.push(world.start(3).await);
        let last = running[3].founded().await;
        let founded: Vec<_> = first.into_iter().chain([last]).collect();
        check(&world, &founded);
        for founder in running {
            founder.process.await.unwrap();
        }
    });
}

#[test]
fn who_had_finished_gets_the_same_again_alone_until_it_forgets() {
    run(0, async |context| {
        let world = World::new(&context, 4).await;
        let mut running = world.start_all().await;
        let founded = all_founded(&mut running).await;
        crash_all(running, &world).await;
        let mut again = world.start(1).await;
        let same = again.founded().await;
        assert_eq!(same.committee, founded[1].committee);
        assert!(same.share == founded[1].share);
        again.crash(&world).await;

        let key = SecretsKey::new(SECRETS);
        let context = context.child("forget");
        forget(context, "f1", &AGREEMENT, &key).await.unwrap();
        let mut again = world.start(1).await;
        // It waits for others that it could tell, but not for ever.
        let begun = world.context.current();
        assert!(matches!(again.error().await, CeremonyError::NoShare));
        assert!(world.elapsed(begun) <= FAILURE_SERVED + Duration::from_secs(1));
    });
}

#[test]
fn founders_who_agreed_on_different_things_do_not_begin() {
    run(0, async |context| {
        let world = World::new(&context, 4).await;
        let mut running = world.start_first(3).await;
        let quirks = Quirks {
            agreement: Some(B256::repeat_byte(1)),
            ..Quirks::default()
        };
        let mut apart = world.start_with(3, quirks).await;
        world.sleep(30_000).await;
        assert!(apart.is_pending());
        assert!(running.iter_mut().all(Running::is_pending));
        // With the right one they do.
        apart.crash(&world).await;
        running.push(world.start(3).await);
        check(&world, &all_founded(&mut running).await);
    });
}

#[test]
fn who_gets_no_dealings_is_named() {
    run(0, async |context| {
        let world = World::new(&context, 4).await;
        let quirks = Quirks {
            deals_elsewhere: true,
            ..Quirks::default()
        };
        let mut running = world.start_first(3).await;
        running.push(world.start_with(3, quirks).await);
        let founded = all_founded(&mut running).await;
        check(&world, &founded);
        let exposed = Set::from_iter_dedup([world.signers[3].public_key()]);
        assert_eq!(founded[0].exposed(), &exposed);
    });
}

#[test]
fn a_ceremony_with_too_few_dealings_fails_for_all() {
    run(0, async |context| {
        let world = World::new(&context, 4).await;
        let mut running = Vec::new();
        for index in 0..4 {
            let quirks = Quirks {
                deals_elsewhere: index >= 2,
                ..Quirks::default()
            };
            running.push(world.start_with(index, quirks).await);
        }
        for founder in &mut running {
            assert!(matches!(founder.error().await, CeremonyError::Failed));
        }
        // It is over: another needs another agreement.
        let mut again = world.start(0).await;
        assert!(matches!(again.error().await, CeremonyError::Failed));
        let quirks = Quirks {
            agreement: Some(B256::repeat_byte(2)),
            ..Quirks::default()
        };
        let mut running = Vec::new();
        for index in 0..4 {
            running.push(world.start_with(index, quirks).await);
        }
        check(&world, &all_founded(&mut running).await);
    });
}

#[test]
fn a_ceremony_of_others_or_of_too_few_is_refused() {
    run(0, async |context| {
        let world = World::new(&context, 5).await;
        let refused = async |index: usize, founders: &[PublicKey]| {
            let mut config = world.config(index);
            config.founders = Set::from_iter_dedup(founders.iter().cloned());
            let control = world.oracle.control(config.signer.public_key());
            let mut channels = Vec::new();
            for (channel, quota) in (0..).zip(quotas()) {
                channels.push(control.register(channel, quota).await.unwrap());
            }
            let channels: [_; CHANNELS] = channels.try_into().map_err(drop).unwrap();
            let me = config.signer.public_key();
            let peers = Peers::new(Connected, me, Set::default(), NZUsize!(64));
            let context = world.context.child("refused");
            let held = Box::pin(hold(context, config, control, peers, channels));
            select! {
                held = held => held.err(),
                () = world.sleep(1_000) => None,
            }
        };
        let keys: Vec<_> = world.founders.iter().cloned().collect();
        let many: Vec<_> = (0..33)
            .map(|seed| ed25519::PrivateKey::from_seed(seed).public_key())
            .collect();
        let error = refused(4, &keys[..4]).await;
        assert!(matches!(error, Some(CeremonyError::NotAFounder)));
        let error = refused(0, &keys[..3]).await;
        assert!(matches!(error, Some(CeremonyError::TooFew { founders: 3 })));
        let error = refused(0, &many).await;
        assert!(matches!(
            error,
            Some(CeremonyError::TooMany { founders: 33 })
        ));
        // These may: they wait for the others.
        assert!(refused(0, &keys).await.is_none());
    });
}

#[test]
fn each_founder_has_its_turns_in_the_second_half() {
    for founders in 4..=MAX_VALIDATORS.get() as usize {
        let blocks = blocks(founders).get();
        assert!(blocks >= 24 && blocks >= 8 * founders as u64);
        assert!(blocks / 2 >= BLOCKS_PER_FOUNDER / 2 * founders as u64);
    }
}
