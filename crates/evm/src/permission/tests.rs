use crate::{
    CodeCache, Environment, Executor, Invalid, Outcome, Policy, Quotas,
    tests::{COUNTER, Parent, State, environment, finish, put_contract, transaction, users, world},
};
use alloy_primitives::{Address, B256, Bytes, TxKind, U256, address, hex};
use contracts::{
    SystemContract,
    member::{Charter, Founder, Permissions, Policy as From, Role},
    permission::{Denied, slots},
    succession,
};
use std::{collections::BTreeMap, sync::Arc};
use types::{StateKey, StateValue, Transaction};

/// Calls the address in its input and keeps in slot 0 whether that failed (1) or not (2).
const CALLER: Address = address!("0x00000000000000000000000000000000000c0011");
const CALLER_CODE: &[u8] = &hex!("5f5f5f5f5f5f355af16001015f5500");
/// The same with its code run here.
const DELEGATOR: Address = address!("0x00000000000000000000000000000000000c0012");
const DELEGATOR_CODE: &[u8] = &hex!("5f5f5f5f5f355af46001015f5500");
/// Creates a contract without code and keeps in slot 0 whether that failed (1) or not (2).
const CREATOR: Address = address!("0x00000000000000000000000000000000000c0013");
const CREATOR_CODE: &[u8] = &hex!("5f5f5ff0151560010160005500");
/// In the place of `Pause`: stops for ever whatever is at the slot in its input.
const PAUSER_CODE: &[u8] = &hex!("5f355f19905500");
const PAUSE: Address = SystemContract::Pause.address();
/// The organization of the first two users. The first may do everything, the second transact.
const ORGANIZATION: B256 = B256::repeat_byte(0xaa);

/// A world whose first two users are members, and its other two strangers.
fn governed(open: bool) -> State {
    let mut state = world();
    let [all, some] = [0, 1].map(|user| users()[user].address());
    let charter = Charter {
        dev: true,
        open,
        policy: From::Permissioned,
        founders: vec![Founder {
            organization: ORGANIZATION,
            name: "a".to_owned(),
            accounts: BTreeMap::from([(all, Permissions::ALL), (some, Permissions::TRANSACT)]),
            nodes: BTreeMap::from([(B256::repeat_byte(1), Role::Validator)]),
            validator_limit: 1,
        }],
    };
    for (slot, value) in charter.storage().unwrap() {
        let key = StateKey::Slot(SystemContract::Members.address(), slot);
        state.insert(key, StateValue::Slot(value));
    }
    for (address, code) in [
        (CALLER, CALLER_CODE),
        (DELEGATOR, DELEGATOR_CODE),
        (CREATOR, CREATOR_CODE),
        (PAUSE, PAUSER_CODE),
    ] {
        put_contract(&mut state, address, code);
    }
    state
}

/// The slot of `Pause` that says until when nobody may call this; of none, create.
fn pause_slot(to: Option<Address>) -> U256 {
    slots(&Address::ZERO, to.as_ref())[2].1
}

fn pause(state: &mut State, to: Option<Address>, until: u64) {
    let value = StateValue::Slot(U256::from(until));
    state.insert(StateKey::Slot(PAUSE, pause_slot(to)), value);
}

fn now() -> Environment {
    Environment {
        governed: Some(Quotas::UNLIMITED),
        ..environment(1)
    }
}

fn execute(
    state: &State,
    transactions: &[Arc<Transaction>],
    policy: Policy,
) -> Result<Outcome, (usize, Invalid)> {
    execute_in(&now(), state, transactions, policy)
}

/// Executes however reads come, which must not matter.
fn execute_in(
    environment: &Environment,
    state: &State,
    transactions: &[Arc<Transaction>],
    policy: Policy,
) -> Result<Outcome, (usize, Invalid)> {
    let outcomes = [(true, false), (false, false), (false, true)].map(|(ready, prefetch)| {
        let ready = move |_| ready;
        let parent = Parent::new(state, &ready);
        let executor = Executor::new(environment.clone(), policy, CodeCache::default());
        finish(executor, &parent, transactions, prefetch)
    });
    assert!(outcomes.windows(2).all(|pair| pair[0] == pair[1]));
    let [outcome, ..] = outcomes;
    outcome
}

fn call(user: usize, nonce: u64, to: Address, input: impl Into<Bytes>) -> Arc<Transaction> {
    transaction(&users()[user], nonce, TxKind::Call(to), 0, input.into())
}

fn create(user: usize, nonce: u64) -> Arc<Transaction> {
    transaction(&users()[user], nonce, TxKind::Create, 0, Bytes::new())
}

#[test]
fn who_may_not_is_left_out_and_named() {
    let state = governed(false);
    let [some, stranger] = [1, 2].map(|user| users()[user].address());
    let block = [
        create(0, 0),
        call(1, 0, COUNTER, []),
        create(1, 1),
        call(2, 0, COUNTER, []),
    ];
    let built = execute(&state, &block, Policy::Skip).unwrap();
    assert_eq!(built.included, [0, 1]);
    let denied = Denied::Permission {
        sender: some,
        deploy: true,
    };
    let stranger = Denied::Stranger(stranger);
    let expected = [(2, denied), (3, stranger)].map(|(at, denied)| (at, Invalid::Denied(denied)));
    assert_eq!(built.skipped, expected);
    // Whoever leads cannot let them in all the same.
    let [creates, counts, denied, strange] = block;
    for (bad, reason) in [denied, strange].into_iter().zip(expected) {
        let block = [creates.clone(), counts.clone(), bad];
        assert_eq!(execute(&state, &block, Policy::Reject), Err((2, reason.1)));
    }
    let open = governed(true);
    let block = [create(2, 0), call(3, 0, COUNTER, [])];
    let built = execute(&open, &block, Policy::Reject).unwrap();
    assert_eq!(built.included, [0, 1]);
}

#[test]
fn no_contract_is_a_way_around_a_pause() {
    let until = now().timestamp + 1;
    let counter: Bytes = COUNTER.into_word().into();
    let block = [
        call(0, 0, CALLER, counter.clone()),
        call(0, 1, DELEGATOR, counter),
        call(0, 2, CREATOR, []),
    ];
    let kept = |state: &State| {
        let built = execute(state, &block, Policy::Reject).unwrap();
        assert!(built.receipts.iter().all(|receipt| receipt.status()));
        [CALLER, DELEGATOR, CREATOR].map(|contract| {
            let key = StateKey::Slot(contract, U256::ZERO);
            let mut changes = built.changes.iter();
            changes
                .find(|(changed, _)| *changed == key)
                .map(|(_, value)| value.clone())
        })
    };
    let [failed, done] = [1, 2].map(|kept| Some(StateValue::Slot(U256::from(kept))));
    let mut state = governed(false);
    assert_eq!(kept(&state), [done.clone(), done.clone(), done.clone()]);
    pause(&mut state, Some(COUNTER), until);
    assert_eq!(kept(&state), [failed.clone(), failed.clone(), done.clone()]);
    pause(&mut state, None, until);
    assert_eq!(kept(&state), [failed.clone(), failed.clone(), failed]);
    // It is over at its second.
    pause(&mut state, Some(COUNTER), until - 1);
    pause(&mut state, None, until - 1);
    assert_eq!(kept(&state), [done.clone(), done.clone(), done]);
}

#[test]
fn a_pause_holds_from_the_next_block_on() {
    let mut state = governed(false);
    let block = [
        call(0, 0, PAUSE, pause_slot(Some(COUNTER)).to_be_bytes::<32>()),
        call(0, 1, COUNTER, []),
    ];
    let built = execute(&state, &block, Policy::Reject).unwrap();
    assert!(built.receipts.iter().all(|receipt| receipt.status()));
    state.extend(built.changes);
    let next = [call(0, 2, COUNTER, [])];
    let denied = Denied::ContractPaused {
        contract: COUNTER,
        until: u64::MAX,
    };
    let refused = Err((0, Invalid::Denied(denied)));
    assert_eq!(execute(&state, &next, Policy::Reject), refused);
}

#[test]
fn a_closed_network_executes_nothing_but_governing() {
    let mut state = governed(true);
    let key = StateKey::Slot(succession::ADDRESS, succession::CLOSED_AT);
    state.insert(key, StateValue::Slot(U256::from(7)));
    let members = SystemContract::Members.address();
    let block = [
        call(0, 0, COUNTER, []),
        create(1, 0),
        call(2, 0, COUNTER, []),
        call(0, 0, members, []),
    ];
    let built = execute(&state, &block, Policy::Skip).unwrap();
    assert_eq!(built.included, [3]);
    let closed = [0, 1, 2].map(|at| (at, Invalid::Denied(Denied::Closed)));
    assert_eq!(built.skipped[0], closed[0]);
    assert_eq!(built.skipped[2], closed[2]);
    for (at, reason) in closed.into_iter().step_by(2) {
        let block = [block[at].clone()];
        assert_eq!(execute(&state, &block, Policy::Reject), Err((0, reason)));
    }
}

#[test]
fn nobody_uses_more_of_a_block_than_its_quota() {
    let state = governed(true);
    let within = |account_gas, organization_gas| Environment {
        governed: Some(Quotas {
            account_gas,
            organization_gas,
        }),
        ..now()
    };
    // Each asks for 200,000 and uses less than 50,000. The first two are of one organization, the last two of none.
    let block: Vec<_> = [0, 0, 1, 1, 2, 2, 3]
        .into_iter()
        .zip([0, 1, 0, 1, 0, 1, 0])
        .map(|(user, nonce)| call(user, nonce, COUNTER, []))
        .collect();
    let left_out = |environment| {
        let built = execute_in(&environment, &state, &block, Policy::Skip).unwrap();
        let included: Vec<_> = built.included.iter().map(|at| block[*at].clone()).collect();
        let checked = execute_in(&environment, &state, &included, Policy::Reject).unwrap();
        assert_eq!(checked.changes, built.changes);
        for (at, reason) in &built.skipped {
            let Invalid::Quota {
                want: 200_000,
                left,
            } = reason
            else {
                panic!("{at}: {reason}");
            };
            assert!((150_000..200_000).contains(left), "{at}: {left}");
        }
        built
            .skipped
            .into_iter()
            .map(|(at, _)| at)
            .collect::<Vec<_>>()
    };
    assert_eq!(left_out(within(200_000, u64::MAX)), [1, 3, 5]);
    assert_eq!(left_out(within(u64::MAX, 200_000)), [1, 2, 3]);
    assert!(left_out(within(400_000, 400_000)).is_empty());
    // Who asks for too much is refused though it would use less.
    let refused = execute_in(&within(199_999, u64::MAX), &state, &block, Policy::Reject);
    let reached = Invalid::Quota {
        want: 200_000,
        left: 199_999,
    };
    assert_eq!(refused, Err((0, reached)));
}
