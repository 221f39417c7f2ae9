use super::*;
use alloy_primitives::{Address, B256, U256};
use commonware_runtime::{
    Clock as _, Runner as _, Spawner as _, Supervisor as _, buffer::paged::CacheRef, deterministic,
};
use commonware_utils::{NZU16, NZUsize, Probability};
use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use types::{Account, StateKey, StateValue};

/// Small numbers from a seed, the same everywhere.
struct Dice(u64);

impl Dice {
    fn below(&mut self, sides: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (self.0 >> 33) % sides
    }
}

type State = BTreeMap<StateKey, StateValue>;

fn key(number: u64) -> StateKey {
    let address = Address::left_padding_from(&(number / 2).to_be_bytes());
    match number % 2 {
        0 => StateKey::Account(address),
        _ => StateKey::Slot(address, U256::from(number)),
    }
}

/// The state after each block, and what each block replaced.
fn chain(blocks: u64, keys: u64) -> (Vec<State>, Vec<Before>) {
    let mut dice = Dice(blocks);
    let mut state = State::new();
    // Before the first block something is there already.
    for number in 0..keys / 2 {
        state.insert(key(number), value(&mut dice, key(number)));
    }
    let mut states = vec![state.clone()];
    let mut replaced = vec![Before::new()];
    for _ in 0..blocks {
        let mut before = BTreeMap::new();
        for _ in 0..dice.below(6) {
            // Some keys change all the time, some hardly ever.
            let number = dice.below(keys).min(dice.below(keys));
            let old = state.get(&key(number)).cloned();
            before
                .entry(key(number))
                .or_insert(old.unwrap_or(StateValue::Absent));
            match dice.below(4) {
                0 => state.remove(&key(number)),
                _ => state.insert(key(number), value(&mut dice, key(number))),
            };
        }
        states.push(state.clone());
        replaced.push(before.into_iter().collect());
    }
    (states, replaced)
}

fn value(dice: &mut Dice, key: StateKey) -> StateValue {
    let number = dice.below(1 << 30) + 1;
    match key {
        StateKey::Account(_) => StateValue::Account(Account {
            nonce: number,
            balance: U256::from(number),
            code_hash: B256::repeat_byte(number as u8),
        }),
        _ => StateValue::Slot(U256::from(number)),
    }
}

async fn open(
    context: &deterministic::Context,
    name: &'static str,
) -> Store<deterministic::Context> {
    let layout = Layout {
        prefix: "t".to_owned(),
        page_cache: CacheRef::new(NZU16!(4096), NZUsize!(256)),
    };
    Store::open(context.child(name), layout).await.unwrap()
}

/// Compares all keys at all heights that are kept with what they were.
async fn compare(store: &Store<deterministic::Context>, states: &[State], keys: u64) {
    let now = &states[store.next() as usize - 1];
    let keys: Vec<StateKey> = (0..keys + 2).map(key).collect();
    for height in store.first().unwrap()..store.next() {
        let past = store.past(height, &keys).await.unwrap();
        for (key, past) in keys.iter().zip(past) {
            let known = |state: &State| state.get(key).cloned().unwrap_or(StateValue::Absent);
            let found = match past {
                Past::Was(value) => value,
                Past::Unchanged => known(now),
            };
            assert_eq!(
                found,
                known(&states[height as usize]),
                "{key:?} at {height}"
            );
        }
    }
}

#[test]
fn every_key_is_what_it_was_at_every_height() {
    deterministic::Runner::default().start(|context| async move {
        let (states, replaced) = chain(200, 12);
        let mut store = open(&context, "first").await;
        for (height, before) in (1..).zip(&replaced[1..]) {
            store = store.append(height, before).await.unwrap();
            // Told again after a restart.
            store = store.append(height, &Before::new()).await.unwrap();
            if height % 67 == 0 {
                drop(store);
                store = open(&context, "again").await;
            }
        }
        assert_eq!(store.first(), Some(0));
        compare(&store, &states, 12).await;
        let code = [StateKey::Code(B256::ZERO)];
        assert_eq!(store.past(0, &code).await.unwrap(), [Past::Unchanged]);
    });
}

#[test]
fn a_gap_starts_anew_and_says_so() {
    deterministic::Runner::default().start(|context| async move {
        let (states, replaced) = chain(60, 8);
        let mut store = open(&context, "first").await;
        assert_eq!(store.first(), None);
        for height in (1..=20).chain(31..=60) {
            store = store
                .append(height, &replaced[height as usize])
                .await
                .unwrap();
            if height == 31 {
                drop(store);
                store = open(&context, "again").await;
            }
        }
        assert_eq!(store.first(), Some(30));
        compare(&store, &states, 8).await;
        let before = store.past(29, &[key(0)]).await;
        assert!(
            matches!(before, Err(ArchiveError::Pruned { first: 30 })),
            "{before:?}"
        );
    });
}

/// Power is lost in the middle of each of many writes, and any part of what was not durable stays.
#[test]
fn a_crash_loses_nothing_that_was_acknowledged() {
    let faults = deterministic::FaultConfig::default().write(deterministic::WriteConfig {
        failure_rate: Probability::new(0, 100).unwrap(),
        retention_rate: Probability::new(50, 100).unwrap(),
        mode: deterministic::PartialWriteMode::Subset,
    });
    let (states, replaced) = chain(120, 10);
    let replaced = Arc::new(replaced);
    let acknowledged = Arc::new(AtomicU64::new(0));
    let config = deterministic::Config::default()
        .with_seed(3)
        .with_storage_fault_config(faults);
    let mut runner = deterministic::Runner::new(config);
    for crash in 0..30_u64 {
        let (replaced, acknowledged) = (Arc::clone(&replaced), Arc::clone(&acknowledged));
        let ((), checkpoint) = runner.start_and_recover(|context| async move {
            let writer = context.child("writer").spawn(move |context| async move {
                let mut store = open(&context, "store").await;
                let kept = acknowledged.load(Ordering::SeqCst);
                let next = store.next().max(1);
                assert!(next > kept, "crash {crash}: block {kept} is gone");
                for (height, before) in (next..).zip(&replaced[next as usize..]) {
                    store = store.append(height, before).await.unwrap();
                    acknowledged.fetch_max(height, Ordering::SeqCst);
                }
            });
            // Each time the writer gets a few steps further.
            for _ in 0..=crash * 3 {
                context.sleep(Duration::from_micros(1)).await;
            }
            writer.abort();
        });
        runner = deterministic::Runner::from(checkpoint);
    }
    assert!(
        acknowledged.load(Ordering::SeqCst) > 0,
        "no block was ever kept"
    );
    runner.start(|context| async move {
        let mut store = open(&context, "store").await;
        let next = store.next().max(1);
        for (height, before) in (next..).zip(&replaced[next as usize..]) {
            store = store.append(height, before).await.unwrap();
        }
        compare(&store, &states, 10).await;
    });
}
