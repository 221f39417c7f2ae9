use super::{
    fate::Fate,
    state::{Budget, Limits, Pool, Refused, Standing},
};
use alloy_consensus::{
    SignableTransaction as _, Transaction as _, TxEip1559, TxEip7702, TxEnvelope,
};
use alloy_eips::{eip2718::Encodable2718 as _, eip7702::Authorization};
use alloy_primitives::{Address, B256, Bytes, TxKind, U256};
use alloy_signer::SignerSync as _;
use alloy_signer_local::PrivateKeySigner;
use proptest::prelude::*;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};
use types::{Account, MAX_BODY_BYTES, Transaction};

const CHAIN_ID: u64 = 4242;

fn transaction(user: u8, nonce: u64, fee: u128, size: usize) -> Arc<Transaction> {
    let signer = PrivateKeySigner::from_bytes(&B256::repeat_byte(user)).unwrap();
    let unsigned = TxEip1559 {
        chain_id: CHAIN_ID,
        nonce,
        gas_limit: 21_000,
        max_fee_per_gas: fee,
        max_priority_fee_per_gas: fee,
        to: TxKind::Call(Address::ZERO),
        input: Bytes::from(vec![0; size]),
        ..TxEip1559::default()
    };
    let signature = signer.sign_hash_sync(&unsigned.signature_hash()).unwrap();
    let raw = TxEnvelope::from(unsigned.into_signed(signature)).encoded_2718();
    Arc::new(Transaction::recover(raw.into(), CHAIN_ID).unwrap())
}

/// An account with this next nonce, rich enough for anything.
fn account(nonce: u64) -> Account {
    Account {
        nonce,
        balance: U256::MAX,
        ..Account::default()
    }
}

fn delegated(nonce: u64) -> Account {
    Account {
        code_hash: B256::repeat_byte(1),
        ..account(nonce)
    }
}

fn address(user: u8) -> Address {
    PrivateKeySigner::from_bytes(&B256::repeat_byte(user))
        .unwrap()
        .address()
}

/// A transaction of `user` that delegates the account of `authority`.
fn delegation(user: u8, nonce: u64, authority: u8) -> Arc<Transaction> {
    let sign = |user, hash: &B256| {
        PrivateKeySigner::from_bytes(&B256::repeat_byte(user))
            .unwrap()
            .sign_hash_sync(hash)
            .unwrap()
    };
    let authorization = Authorization {
        chain_id: U256::from(CHAIN_ID),
        address: Address::repeat_byte(9),
        nonce: 0,
    };
    let signature = sign(authority, &authorization.signature_hash());
    let unsigned = TxEip7702 {
        chain_id: CHAIN_ID,
        nonce,
        gas_limit: 100_000,
        authorization_list: vec![authorization.into_signed(signature)],
        ..TxEip7702::default()
    };
    let signature = sign(user, &unsigned.signature_hash());
    let raw = TxEnvelope::from(unsigned.into_signed(signature)).encoded_2718();
    Arc::new(Transaction::recover(raw.into(), CHAIN_ID).unwrap())
}

fn limits() -> Limits {
    Limits {
        transactions_max: 12,
        queued_max: 6,
        bytes_max: 4_000,
        sender_max: 5,
        lifetime_ms: 1_000,
    }
}

fn budget(gas: u64) -> Budget {
    Budget {
        gas,
        ..Budget::default()
    }
}

fn nonces(chosen: &[Arc<Transaction>]) -> Vec<(Address, u64)> {
    chosen
        .iter()
        .map(|tx| (tx.signer(), tx.envelope().nonce()))
        .collect()
}

#[test]
fn who_reached_a_quota_is_not_in_the_way_of_others() {
    let mut pool = Pool::new(Limits {
        bytes_max: 1 << 20,
        ..limits()
    });
    for nonce in 0..4 {
        pool.insert(0, transaction(1, nonce, 0, 200), &account(0), false)
            .unwrap();
    }
    pool.insert(0, transaction(2, 0, 0, 0), &account(0), false)
        .unwrap();
    let narrow = budget(4 * 21_000);
    let offered = pool.candidates(&narrow);
    assert!(offered.iter().all(|tx| tx.signer() == address(1)));
    let more = narrow.clone().beside(&offered, &[0]);
    assert_eq!(nonces(&pool.candidates(&more)), [(address(2), 0)]);
    // What was not taken of those offered takes no place.
    let room =
        |taken: &[usize]| MAX_BODY_BYTES - narrow.clone().beside(&offered, taken).bytes_taken;
    assert_eq!(room(&[]), MAX_BODY_BYTES);
    assert!((200..400).contains(&(room(&[0]) - room(&[0, 1]))));
    let full = Budget {
        bytes_taken: MAX_BODY_BYTES,
        ..more
    };
    assert!(pool.candidates(&full).is_empty());
}

#[test]
fn takes_in_order_and_holds_what_is_too_early() {
    let mut pool = Pool::new(limits());
    let (first, third) = (transaction(1, 0, 0, 0), transaction(1, 2, 0, 0));
    pool.insert(0, Arc::clone(&third), &account(0), false)
        .unwrap();
    assert!(pool.candidates(&budget(u64::MAX)).is_empty());
    pool.insert(0, Arc::clone(&first), &account(0), false)
        .unwrap();
    let sender = first.signer();
    assert_eq!(nonces(&pool.candidates(&budget(u64::MAX))), [(sender, 0)]);
    assert_eq!(pool.next_nonce(&sender, 0), 1);
    pool.insert(0, transaction(1, 1, 0, 0), &account(0), false)
        .unwrap();
    assert_eq!(pool.candidates(&budget(u64::MAX)).len(), 3);
    assert_eq!(pool.next_nonce(&sender, 0), 3);
    // What is in a block that is not final yet is not offered again.
    let in_flight = BTreeMap::from([(sender, 2)]);
    let later = Budget {
        in_flight,
        ..budget(u64::MAX)
    };
    assert_eq!(nonces(&pool.candidates(&later)), [(sender, 2)]);
    pool.finalized(&[first]);
    assert_eq!(pool.census().pending, 2);
    pool.finalized(&[third]);
    assert_eq!(pool.census(), Default::default());
}

#[test]
fn replaces_only_for_a_tenth_more() {
    let mut pool = Pool::new(limits());
    let old = transaction(1, 0, 100, 0);
    pool.insert(0, Arc::clone(&old), &account(0), false)
        .unwrap();
    assert_eq!(
        pool.insert(0, Arc::clone(&old), &account(0), false),
        Err(Refused::AlreadyKnown)
    );
    for fee in [0, 100, 109] {
        let new = transaction(1, 0, fee, 1);
        assert_eq!(
            pool.insert(0, new, &account(0), false),
            Err(Refused::Underpriced),
            "{fee}"
        );
    }
    let new = transaction(1, 0, 110, 0);
    let taken = pool
        .insert(0, Arc::clone(&new), &account(0), false)
        .unwrap();
    assert_eq!((taken.replaced, taken.evicted.len()), (Some(old.hash()), 0));
    assert_eq!(
        pool.standing(&old.hash()),
        Some(Standing::Dropped(Fate::Replaced(new.hash())))
    );
    assert_eq!(pool.candidates(&budget(u64::MAX)), [new]);
}

#[test]
fn the_better_tip_goes_first_and_gas_is_bounded() {
    let mut pool = Pool::new(limits());
    for (user, fee) in [(1, 5), (2, 7), (3, 6)] {
        pool.insert(0, transaction(user, 0, fee, 0), &account(0), false)
            .unwrap();
    }
    let fees: Vec<_> = pool
        .candidates(&budget(2 * 21_000))
        .iter()
        .map(|tx| tx.envelope().max_fee_per_gas())
        .collect();
    assert_eq!(fees, [7, 6]);
    let dear = Budget {
        base_fee: 6,
        ..budget(u64::MAX)
    };
    assert_eq!(
        pool.candidates(&dear).len(),
        2,
        "a cap below the base fee waits"
    );
}

#[test]
fn refuses_what_is_over_a_limit_with_its_reason() {
    let mut pool = Pool::new(limits());
    let far = transaction(1, 5, 0, 0);
    assert!(matches!(
        pool.insert(0, far, &account(0), false),
        Err(Refused::NonceTooHigh { .. })
    ));
    for nonce in 1..5 {
        pool.insert(0, transaction(1, nonce, 0, 0), &account(0), false)
            .unwrap();
    }
    pool.insert(0, transaction(1, 5, 0, 0), &account(1), false)
        .unwrap();
    let another = transaction(1, 0, 0, 0);
    assert_eq!(
        pool.insert(0, another, &account(0), false),
        Err(Refused::SenderLimit(5))
    );
    let large = transaction(2, 0, 0, 4_000);
    assert!(matches!(
        pool.insert(0, large, &account(0), false),
        Err(Refused::Full(_))
    ));
    assert_eq!(pool.census().pending, 5, "what went for it is back");
}

#[test]
fn a_full_pool_keeps_those_with_the_better_claim() {
    let mut pool = Pool::new(limits());
    let insert =
        |pool: &mut Pool, tx: &Arc<Transaction>| pool.insert(0, Arc::clone(tx), &account(0), false);
    // Five of one, three of another, two that wait for an earlier nonce, two single ones.
    let mut all: Vec<_> = (0..5).map(|nonce| transaction(1, nonce, 10, 0)).collect();
    all.extend((0..3).map(|nonce| transaction(2, nonce, 10, 0)));
    all.extend([3, 4].map(|nonce| transaction(3, nonce, 99, 0)));
    all.extend([4, 5].map(|user| transaction(user, 0, 10, 0)));
    for tx in &all {
        insert(&mut pool, tx).unwrap();
    }
    // What cannot be executed goes first, whatever it pays; then the last of whom most is waiting.
    let gone: Vec<B256> = (6..11)
        .flat_map(|user| {
            insert(&mut pool, &transaction(user, 0, 10, 0))
                .unwrap()
                .evicted
        })
        .collect();
    let expected = [9, 8, 4, 3, 7].map(|index: usize| all[index].hash());
    assert_eq!(gone, expected);
    assert_eq!(
        pool.standing(&gone[0]),
        Some(Standing::Dropped(Fate::Evicted))
    );
    // A better tip beats all others; an equal claim does not.
    for (user, fee, taken) in [
        (11, 9, false),
        (11, 11, true),
        (12, 10, true),
        (13, 10, true),
    ] {
        let before = pool.census();
        let result = insert(&mut pool, &transaction(user, 0, fee, 0));
        assert_eq!(result.is_ok(), taken, "{user} {result:?}");
        assert_eq!(pool.census(), before, "one for one");
    }
    let (own, others) = (transaction(1, 1, 0, 0), transaction(14, 0, 10, 0));
    assert!(matches!(
        insert(&mut pool, &own),
        Err(Refused::Full(_) | Refused::Underpriced)
    ));
    assert!(matches!(insert(&mut pool, &others), Err(Refused::Full(_))));
}

#[test]
fn what_waits_for_an_earlier_nonce_has_a_limit_of_its_own() {
    let mut pool = Pool::new(limits());
    for user in 1..7 {
        pool.insert(0, transaction(user, 1, 0, 0), &account(0), false)
            .unwrap();
    }
    let one_more = transaction(7, 1, 0, 0);
    assert!(matches!(
        pool.insert(0, Arc::clone(&one_more), &account(0), false),
        Err(Refused::Full(_))
    ));
    // The same nonce is the next one of another account.
    pool.insert(0, one_more, &account(1), false).unwrap();
    assert_eq!((pool.census().pending, pool.census().queued), (1, 6));
    // Room is made where a gap is closed.
    let first = transaction(1, 0, 0, 0);
    pool.insert(0, first, &account(0), false).unwrap();
    assert_eq!((pool.census().pending, pool.census().queued), (3, 5));
}

#[test]
fn delegated_accounts_have_one_transaction_waiting() {
    let mut pool = Pool::new(limits());
    let insert = |pool: &mut Pool, tx: Arc<Transaction>, account: Account| {
        pool.insert(0, tx, &account, false)
    };
    assert_eq!(
        insert(&mut pool, transaction(1, 1, 0, 0), delegated(0)),
        Err(Refused::DelegatedGap)
    );
    insert(&mut pool, transaction(1, 0, 10, 0), delegated(0)).unwrap();
    insert(&mut pool, transaction(1, 0, 20, 0), delegated(0)).unwrap();
    assert_eq!(
        insert(&mut pool, transaction(1, 1, 0, 0), delegated(0)),
        Err(Refused::DelegatedGap)
    );
    // One that is about to be delegated by somebody else's transaction counts as delegated.
    insert(&mut pool, delegation(2, 0, 3), account(0)).unwrap();
    insert(&mut pool, transaction(3, 0, 0, 0), account(0)).unwrap();
    assert_eq!(
        insert(&mut pool, transaction(3, 1, 0, 0), account(0)),
        Err(Refused::DelegatedGap)
    );
    // And one that has several waiting cannot be.
    for nonce in 0..2 {
        insert(&mut pool, transaction(4, nonce, 0, 0), account(0)).unwrap();
    }
    assert_eq!(
        insert(&mut pool, delegation(5, 0, 4), account(0)),
        Err(Refused::AuthorityReserved)
    );
    // Until the delegation has left the pool.
    pool.finalized(&[delegation(2, 0, 3)]);
    insert(&mut pool, transaction(3, 1, 0, 0), account(0)).unwrap();
}

#[test]
fn senders_are_held_against_their_accounts() {
    let mut pool = Pool::new(limits());
    let cost = 21_000_u64;
    let all: Vec<_> = (0..4)
        .map(|nonce| transaction(1, nonce, 1 + u128::from(nonce == 2), 0))
        .collect();
    for tx in &all {
        pool.insert(0, Arc::clone(tx), &account(0), false).unwrap();
    }
    let poor = Account {
        nonce: 1,
        balance: U256::from(cost),
        ..Account::default()
    };
    let gone: Vec<B256> = pool
        .revalidate(address(1), &poor)
        .into_iter()
        .map(|(hash, _)| hash)
        .collect();
    assert_eq!(gone, [all[2].hash()], "it costs twice as much");
    assert_eq!(
        pool.standing(&all[0].hash()),
        Some(Standing::Dropped(Fate::NonceUsed))
    );
    assert_eq!(pool.standing(&all[1].hash()), Some(Standing::Pending));
    assert_eq!(pool.standing(&all[3].hash()), Some(Standing::Queued));
    assert!(pool.revalidate(address(2), &poor).is_empty());
    let everyone = |after: u8| pool.senders_after(&address(after), 9);
    assert_eq!(
        (everyone(1), everyone(2)),
        (vec![address(1)], vec![address(1)])
    );
}

#[test]
fn what_became_of_a_transaction_is_known() {
    let mut pool = Pool::new(limits());
    let (ours, other) = (transaction(1, 0, 0, 0), transaction(1, 0, 0, 1));
    pool.insert(0, Arc::clone(&ours), &account(0), false)
        .unwrap();
    assert_eq!(pool.standing(&ours.hash()), Some(Standing::Pending));
    assert_eq!(pool.standing(&other.hash()), None);
    pool.finalized(&[other]);
    assert_eq!(
        pool.standing(&ours.hash()),
        Some(Standing::Dropped(Fate::NonceUsed))
    );
    let old = transaction(2, 0, 0, 0);
    pool.insert(0, Arc::clone(&old), &account(0), false)
        .unwrap();
    pool.expire(1_000);
    assert_eq!(
        pool.standing(&old.hash()),
        Some(Standing::Dropped(Fate::Expired))
    );
    // One that is final is for the chain to tell of.
    let last = transaction(2, 0, 5, 0);
    pool.insert(0, Arc::clone(&last), &account(0), false)
        .unwrap();
    pool.finalized(&[Arc::clone(&last)]);
    assert_eq!(pool.standing(&last.hash()), None);
}

#[test]
fn resends_its_own_and_forgets_the_old() {
    let mut pool = Pool::new(limits());
    let (ours, theirs) = (transaction(1, 0, 0, 0), transaction(2, 0, 0, 0));
    pool.insert(0, Arc::clone(&ours), &account(0), true)
        .unwrap();
    pool.insert(0, Arc::clone(&theirs), &account(0), false)
        .unwrap();
    assert!(pool.due(99, 100, 10).is_empty());
    assert_eq!(pool.due(100, 100, 10), [Arc::clone(&ours)]);
    assert!(pool.due(150, 100, 10).is_empty(), "sent a moment ago");
    assert!(pool.expire(999).is_empty());
    let expired: BTreeSet<_> = pool.expire(1_000).iter().map(|tx| tx.hash()).collect();
    assert_eq!(expired, BTreeSet::from([ours.hash(), theirs.hash()]));
    assert_eq!(pool.census(), Default::default());
}

#[derive(Clone, Debug)]
enum Step {
    Insert {
        user: u8,
        nonce: u64,
        fee: u128,
        size: usize,
    },
    Finalize {
        count: usize,
    },
    Remove {
        pick: usize,
    },
    Revalidate {
        user: u8,
        balance: u64,
    },
    Expire,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        8 => (1..6_u8, 0..8_u64, 0..4_u128, 0..700_usize)
            .prop_map(|(user, nonce, fee, size)| Step::Insert { user, nonce, fee: fee * 10, size }),
        2 => (1..4_usize).prop_map(|count| Step::Finalize { count }),
        1 => any::<usize>().prop_map(|pick| Step::Remove { pick }),
        1 => (1..6_u8, 0..40_u64)
            .prop_map(|(user, balance)| Step::Revalidate { user, balance: balance * 21_000 }),
        1 => Just(Step::Expire),
    ];
    prop::collection::vec(step, 1..60)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// Against a model that keeps a plain list: the same transactions are held, limits hold after
    /// every step, and candidates never have a gap.
    #[test]
    fn agrees_with_a_plain_list(steps in steps()) {
        let limits = limits();
        let mut pool = Pool::new(limits);
        let mut model: Vec<(Arc<Transaction>, u64)> = Vec::new();
        let mut next: BTreeMap<Address, u64> = BTreeMap::new();
        let mut now = 0;
        for step in steps {
            now += 100;
            match step {
                Step::Insert { user, nonce, fee, size } => {
                    let tx = transaction(user, nonce, fee, size);
                    let expected = next.get(&tx.signer()).copied().unwrap_or(0);
                    if nonce < expected {
                        continue; // Admission refuses it before the pool is asked.
                    }
                    let before = pool.census();
                    match pool.insert(now, Arc::clone(&tx), &account(expected), false) {
                        Ok(taken) => {
                            model.retain(|(old, _)| {
                                (old.signer(), old.envelope().nonce()) != (tx.signer(), nonce)
                            });
                            for hash in taken.evicted {
                                let index = model.iter().position(|(old, _)| old.hash() == hash);
                                let (gone, _) = model.remove(index.unwrap());
                                prop_assert!(
                                    model.iter().all(|(left, _)| left.signer() != gone.signer()
                                        || left.envelope().nonce() < gone.envelope().nonce()),
                                    "an eviction left a gap"
                                );
                            }
                            model.push((tx, now));
                        }
                        Err(_) => prop_assert_eq!(pool.census(), before),
                    }
                }
                Step::Finalize { count } => {
                    let chosen = pool.candidates(&budget(count as u64 * 21_000));
                    for tx in &chosen {
                        next.insert(tx.signer(), tx.envelope().nonce() + 1);
                    }
                    pool.finalized(&chosen);
                    model.retain(|(tx, _)| {
                        tx.envelope().nonce() >= next.get(&tx.signer()).copied().unwrap_or(0)
                    });
                }
                Step::Remove { pick } => {
                    if !model.is_empty() {
                        let (tx, _) = model.remove(pick % model.len());
                        prop_assert_eq!(pool.remove(&tx.hash(), Fate::Expired), Some(tx));
                    }
                }
                Step::Revalidate { user, balance } => {
                    let signer = address(user);
                    let nonce = next.get(&signer).copied().unwrap_or(0);
                    let balance = U256::from(balance);
                    pool.revalidate(signer, &Account { nonce, balance, ..Account::default() });
                    model.retain(|(tx, _)| {
                        tx.signer() != signer || evm::cost_max(tx) <= balance
                    });
                }
                Step::Expire => {
                    pool.expire(now);
                    model.retain(|(_, arrived)| arrived + limits.lifetime_ms > now);
                }
            }
            let census = pool.census();
            prop_assert_eq!(census.pending + census.queued, model.len());
            let pending = model
                .iter()
                .filter(|(tx, _)| pool.standing(&tx.hash()) == Some(Standing::Pending));
            prop_assert_eq!(census.pending, pending.count());
            prop_assert_eq!(census.pending, pool.candidates(&budget(u64::MAX)).len());
            prop_assert_eq!(census.bytes, model.iter().map(|(tx, _)| tx.raw().len()).sum::<usize>());
            prop_assert!(model.len() <= limits.transactions_max && census.bytes <= limits.bytes_max);
            prop_assert!(model.iter().all(|(tx, _)| pool.contains(&tx.hash())));
            let mut expected: BTreeMap<Address, u64> = next.clone();
            for (sender, nonce) in nonces(&pool.candidates(&budget(u64::MAX))) {
                let account = expected.entry(sender).or_default();
                prop_assert_eq!(nonce, *account, "a gap");
                *account += 1;
            }
        }
    }
}
