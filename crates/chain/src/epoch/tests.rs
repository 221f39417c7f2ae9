use super::{
    Calendar, Connected, Dialer, Electorate, ElectorateActor, Peers, Secrets, SecretsError,
    SecretsKey, members, sweep,
};
use crate::{feed::Finalized, sample};
use alloy_primitives::{B256, U256};
use commonware_codec::{Copying, DecodeExt as _, Encode as _};
use commonware_consensus::types::Epoch;
use commonware_cryptography::{
    Signer as _,
    bls12381::{
        dkg::feldman_desmedt,
        primitives::{group::Share, sharing::Mode, variant::MinSig},
    },
    ed25519,
};
use commonware_glue::dkg::{ParticipantsProvider as _, SecretStore as _, network::Manager as _};
use commonware_p2p::{Provider as _, TrackedPeers};
use commonware_runtime::{
    Blob as _, Clock as _, ReadOptions, Runner as _, Spawner as _, Storage as _, Supervisor as _,
    deterministic,
};
use commonware_utils::{
    N3f1, NZU64, NZUsize, TryCollect as _, channel::watch, ordered::Set, sequence::Unit, test_rng,
};
use contracts::{SystemContract, member, stake};
use state::{StateError, StateRead};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};
use types::{Committee, PublicKey, StateKey, StateValue};

fn keys(seeds: impl IntoIterator<Item = u64>) -> Set<PublicKey> {
    let key = |seed| ed25519::PrivateKey::from_seed(seed).public_key();
    seeds.into_iter().map(key).try_collect().unwrap()
}

fn dealt() -> (Committee, Share) {
    let (output, shares) =
        feldman_desmedt::deal::<MinSig, _, N3f1>(test_rng(), Mode::NonZeroCounter, keys(0..4))
            .unwrap();
    let share = shares.values().first().unwrap().clone();
    (Committee::new(output), share)
}

/// All bytes on disk under a partition.
async fn on_disk(context: &deterministic::Context, partition: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for name in context.scan(partition).await.unwrap() {
        let (blob, size) = context.open(partition, &name).await.unwrap();
        let size = usize::try_from(size).unwrap();
        let read = blob.read_at(0, size, ReadOptions::default()).await.unwrap();
        bytes.extend_from_slice(read.coalesce().as_ref());
    }
    bytes
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|part| part == needle)
}

#[test]
fn secrets_outlive_a_restart_and_are_gone_when_retired() {
    deterministic::Runner::default().start(|context| async move {
        let (_, share) = dealt();
        let key = SecretsKey::new([1; 32]);
        let open = |label| Secrets::open(context.child(label), "node", &key);
        let mut secrets = open("first").await.unwrap();
        secrets.put_share(Epoch::new(4), share.clone()).await;
        secrets.put_share(Epoch::new(5), share.clone()).await;
        secrets.put_share(Epoch::new(5), share.clone()).await;
        drop(secrets);

        let mut secrets = open("again").await.unwrap();
        assert_eq!(secrets.get_share(Epoch::new(4)).await, Some(share.clone()));
        assert_eq!(secrets.get_share(Epoch::new(6)).await, None);
        let sealed = secrets.sealed(Epoch::new(4)).unwrap();
        drop(secrets);
        let disk = on_disk(&context, "node-secrets").await;
        assert!(contains(&disk, &sealed));
        assert!(!contains(&disk, &share.encode()), "not in the clear");

        let mut secrets = open("pruning").await.unwrap();
        secrets.prune(Epoch::new(5)).await;
        assert_eq!(secrets.get_share(Epoch::new(4)).await, None);
        drop(secrets);
        let disk = on_disk(&context, "node-secrets").await;
        assert!(!contains(&disk, &sealed), "not even sealed");
        let mut secrets = open("last").await.unwrap();
        assert_eq!(secrets.get_share(Epoch::new(4)).await, None);
        assert_eq!(secrets.get_share(Epoch::new(5)).await, Some(share));
    });
}

#[test]
fn secrets_open_with_their_key_only() {
    deterministic::Runner::default().start(|context| async move {
        let (_, share) = dealt();
        let open = |label, key| {
            let context = context.child(label);
            async move { Secrets::open(context, "node", &SecretsKey::new([key; 32])).await }
        };
        let mut secrets = open("ours", 1).await.unwrap();
        secrets.put_share(Epoch::new(7), share).await;
        drop(secrets);
        let refused = open("theirs", 2).await.err().unwrap();
        assert!(matches!(refused, SecretsError::Sealed { epoch: 7 }));
    });
}

async fn electorate(context: &deterministic::Context) -> Electorate {
    let (committee, _) = dealt();
    let calendar = Calendar::new(NZU64!(32));
    let context = context.child("electorate");
    let opened = ElectorateActor::open(context, "node", calendar, &committee, 4).await;
    let (actor, electorate) = opened.unwrap();
    actor.start();
    electorate
}

#[test]
fn the_announced_stay_when_members_name_no_committee() {
    let (founders, _) = dealt();
    let named = |context: deterministic::Context| async move {
        let mut electorate = electorate(&context).await;
        electorate.record(2, keys(1..4)).await;
        let named = electorate.participants(Epoch::new(2)).await;
        assert_eq!(&named, founders.validators());
        electorate.record(3, keys(0..5)).await;
        electorate.record(4, keys([])).await;
        electorate.record(5, keys(0..33)).await;
        for epoch in 3..=5 {
            let named = electorate.participants(Epoch::new(epoch)).await;
            assert_eq!(named, keys(0..5), "epoch {epoch}");
        }
    };
    let ((), checkpoint) = deterministic::Runner::default().start_and_recover(named);
    deterministic::Runner::from(checkpoint).start(|context| async move {
        let mut electorate = electorate(&context).await;
        let named = electorate.participants(Epoch::new(5)).await;
        assert_eq!(named, keys(0..5), "after a restart");
    });
}

type Announcements = Vec<(u64, TrackedPeers<PublicKey>)>;

#[derive(Clone, Default)]
struct Told(Arc<Mutex<Announcements>>);

impl Dialer for Told {
    fn track(&mut self, number: u64, peers: TrackedPeers<PublicKey>) {
        self.0.lock().unwrap().push((number, peers));
    }
}

#[test]
fn validators_go_before_others_when_there_is_little_room() {
    let me = keys([0]).iter().next().unwrap().clone();
    let told = Told::default();
    let mut peers = Peers::new(told.clone(), me, keys([20]), NZUsize!(5));
    let sets = |primary, secondary| TrackedPeers::new(primary, secondary);
    let track = |peers: &mut Peers, epoch, primary, secondary| {
        let tracked = peers.track(Epoch::new(epoch), sets(primary, secondary), &Unit);
        assert!(tracked.is_ok());
    };
    track(&mut peers, 3, keys(0..4), keys([4]));
    assert_eq!(peers.count(), 5, "three others, the next, the configured");
    peers.admit(keys([0, 21, 22]));
    track(&mut peers, 4, keys(0..6), keys([6]));
    assert_eq!(peers.count(), 5, "the validators alone");
    // What was told is not told again.
    track(&mut peers, 4, keys(0..2), keys([]));
    let told = told.0.lock().unwrap();
    let numbers: Vec<u64> = told.iter().map(|(number, _)| *number).collect();
    assert!(numbers.is_sorted_by(|a, b| a < b), "{numbers:?}");
    let (_, last) = told.last().unwrap();
    assert_eq!(last, &sets(keys(0..6), keys([])));
}

#[test]
fn whoever_asks_late_hears_of_the_last_peers() {
    deterministic::Runner::default().start(|_| async move {
        let me = keys([0]).iter().next().unwrap().clone();
        let mut peers = Peers::new(Connected, me, keys([]), NZUsize!(9));
        let tracked = TrackedPeers::new(keys(0..4), keys([4]));
        assert!(peers.track(Epoch::new(1), tracked.clone(), &Unit).is_ok());
        let mut heard = peers.subscribe().await;
        assert_eq!(heard.recv().await.unwrap().latest, tracked);
        peers.admit(keys([7]));
        assert_eq!(heard.recv().await.unwrap().latest.secondary, keys([4, 7]));
    });
}

#[test]
fn candidates_are_let_in_after_members_as_long_as_they_stand() {
    let me = keys([0]).iter().next().unwrap().clone();
    let told = Told::default();
    let mut peers = Peers::new(told.clone(), me, keys([20]), NZUsize!(6));
    let now = TrackedPeers::new(keys(0..4), keys([4]));
    assert!(peers.track(Epoch::new(3), now, &Unit).is_ok());
    let others = || told.0.lock().unwrap().last().unwrap().1.secondary.clone();
    let ranked = |seeds: [u64; 3]| seeds.map(|seed| keys([seed]).iter().next().unwrap().clone());
    peers.stand(ranked([32, 30, 31]).to_vec());
    assert_eq!(others(), keys([4, 20, 32]), "room for the first alone");
    peers.stand(ranked([31, 30, 32]).to_vec());
    assert_eq!(others(), keys([4, 20, 31]));
    peers.admit(keys([21]));
    assert_eq!(others(), keys([4, 20, 21]), "members go before them");
    let next = TrackedPeers::new(keys(0..3), keys([31]));
    assert!(peers.track(Epoch::new(4), next, &Unit).is_ok());
    peers.stand(Vec::new());
    let all = others();
    assert!(
        all.position(&ranked([31, 0, 0])[0]).is_some(),
        "it gets a share"
    );
}

/// A state of few slots.
struct Slots(BTreeMap<StateKey, U256>);

impl Slots {
    fn put(&mut self, contract: SystemContract, slot: U256, value: U256) {
        let key = StateKey::Slot(contract.address(), slot);
        self.0.insert(key, value);
    }
}

impl StateRead for Slots {
    async fn read(&self, key: StateKey) -> Result<StateValue, StateError> {
        let value = self.0.get(&key).copied();
        Ok(value.map_or(StateValue::Absent, StateValue::Slot))
    }

    async fn read_many(&self, keys: &[StateKey]) -> Result<Vec<StateValue>, StateError> {
        let mut values = Vec::new();
        for key in keys {
            values.push(self.read(*key).await?);
        }
        Ok(values)
    }
}

#[test]
fn the_highest_bonds_have_the_seats_whatever_else_was_bonded_on() {
    let key = |seed| keys([seed]).iter().next().unwrap().clone();
    let word = |key: &PublicKey| B256::from_slice(key.as_ref());
    let mut junk = (1..=255).map(B256::repeat_byte);
    let junk = junk.find(|key| PublicKey::decode(Copying(key.as_slice())).is_err());
    let bonds = [
        (word(&key(5)), 7),
        (junk.unwrap(), 100),
        (word(&key(6)), 9),
        (word(&key(7)), 7),
        (word(&key(8)), 7),
    ];
    let equal = keys([5, 7, 8]);
    let mut state = Slots(BTreeMap::new());
    let found = |state: &Slots| futures::executor::block_on(members::validators(state)).unwrap();
    assert_eq!(found(&state), keys([]), "of a network that lists none");
    state.put(
        SystemContract::Members,
        member::SETTINGS,
        U256::from(1 << 16),
    );
    assert_eq!(found(&state), keys([]), "of a network without candidates");
    let stored = |state: &mut Slots, count: u64| {
        state.put(SystemContract::Stake, stake::CANDIDATES, U256::from(count));
    };
    stored(&mut state, 5);
    for (place, (key, bond)) in (0..).zip(bonds) {
        let values = [key.into(), U256::from(1), U256::from(bond)];
        for (slot, value) in stake::Candidate::slots(place).into_iter().zip(values) {
            state.put(SystemContract::Stake, slot, value);
        }
    }
    assert_eq!(found(&state), keys(5..9), "room for all that are keys");
    let seats = |state: &mut Slots, seats: u64| {
        state.put(SystemContract::Parameters, stake::SEATS, U256::from(seats));
        found(state)
    };
    assert_eq!(seats(&mut state, 1), keys([6]));
    // Of equal bonds those with the lower keys.
    let two: Vec<_> = equal.iter().take(2).cloned().chain([key(6)]).collect();
    assert_eq!(seats(&mut state, 3), Set::from_iter_dedup(two));
    assert_eq!(seats(&mut state, 40), keys(5..9));
    stored(&mut state, u64::MAX);
    assert_eq!(
        seats(&mut state, 4),
        keys(5..9),
        "however many it says there are"
    );
}

fn final_block(number: u64) -> Arc<Finalized> {
    let block = sample::block(number, Vec::new());
    Arc::new(Finalized::new(Arc::new(block), Vec::new(), Vec::new()))
}

#[test]
fn journals_of_epochs_that_are_over_are_swept() {
    deterministic::Runner::default().start(|context| async move {
        let kept = async || {
            let mut kept = Vec::new();
            for epoch in 0..6_u64 {
                let partition = format!("votes_consensus_{epoch}");
                let names = context.scan(&partition).await;
                if names.is_ok_and(|names| !names.is_empty()) {
                    kept.push(epoch);
                }
            }
            kept
        };
        for epoch in 0..6 {
            let partition = format!("votes_consensus_{epoch}");
            drop(context.open(&partition, b"votes").await.unwrap());
        }
        let (feed, blocks) = watch::channel(final_block(31));
        let calendar = Calendar::new(NZU64!(8));
        context
            .child("sweep")
            .spawn(move |context| sweep(context, "votes".to_owned(), calendar, blocks));
        context.sleep(Duration::from_millis(50)).await;
        assert_eq!(
            kept().await,
            [3, 4, 5],
            "the next block is the first of epoch 4"
        );
        feed.send_replace(final_block(38));
        context.sleep(Duration::from_millis(50)).await;
        assert_eq!(kept().await, [3, 4, 5], "epoch 4 goes on");
        feed.send_replace(final_block(39));
        context.sleep(Duration::from_millis(50)).await;
        assert_eq!(kept().await, [4, 5]);
    });
}
