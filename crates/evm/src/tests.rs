use crate::{
    Act, Action, Call, CallOutcome, CodeCache, CreateAccessList, Environment, Estimate, Executor,
    Interrupt, Invalid, Outcome, Perform, Policy, Progress, Quantum, Question, Script,
    ScriptLimits, Simulation, Trace, TraceError, Tracer, View, ViewError,
};
use alloy_consensus::{SignableTransaction as _, TxEip1559, TxEip4844, TxEnvelope};
use alloy_eips::eip2718::Encodable2718 as _;
use alloy_primitives::{Address, B256, Bytes, TxKind, U256, address, hex};
use alloy_rpc_types_trace::{
    geth::{CallConfig, GethDebugTracingOptions, PreStateConfig},
    parity::TraceType,
};
use alloy_signer::SignerSync as _;
use alloy_signer_local::PrivateKeySigner;
use proptest::prelude::*;
use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    task::Poll,
};
use types::{Account, Fork, StateKey, StateValue, Transaction};

const CHAIN_ID: u64 = 4242;
/// Adds one to slot 0.
pub const COUNTER: Address = address!("0x00000000000000000000000000000000000c0001");
const COUNTER_CODE: &[u8] = &hex!("60005460010160005500");
/// Stores the parent's hash in slot 1.
const HASHER: Address = address!("0x00000000000000000000000000000000000c0002");
const HASHER_CODE: &[u8] = &hex!("600143034060015500");
/// Reverts.
const REVERTER: Address = address!("0x00000000000000000000000000000000000c0003");
const REVERTER_CODE: &[u8] = &hex!("60006000fd");
/// Logs 32 zero bytes under topic 7 and toggles slot 2 between 0 and 1.
const TOGGLER: Address = address!("0x00000000000000000000000000000000000c0004");
const TOGGLER_CODE: &[u8] = &hex!("600760206000a16002541560025500");

pub type State = BTreeMap<StateKey, StateValue>;

pub fn users() -> Vec<PrivateKeySigner> {
    (1..=4_u8)
        .map(|n| PrivateKeySigner::from_bytes(&B256::repeat_byte(n)).unwrap())
        .collect()
}

pub fn world() -> State {
    let mut state = State::new();
    for user in users() {
        let account = Account {
            balance: U256::from(1_000_000),
            ..Account::default()
        };
        state.insert(
            StateKey::Account(user.address()),
            StateValue::Account(account),
        );
    }
    for (address, code) in [
        (COUNTER, COUNTER_CODE),
        (HASHER, HASHER_CODE),
        (REVERTER, REVERTER_CODE),
        (TOGGLER, TOGGLER_CODE),
    ] {
        put_contract(&mut state, address, code);
    }
    state
}

pub fn put_contract(state: &mut State, address: Address, code: &'static [u8]) {
    let code_hash = alloy_primitives::keccak256(code);
    let account = Account {
        nonce: 1,
        code_hash,
        ..Account::default()
    };
    state.insert(StateKey::Account(address), StateValue::Account(account));
    state.insert(
        StateKey::Code(code_hash),
        StateValue::Code(Bytes::from_static(code)),
    );
}

pub fn environment(number: u64) -> Environment {
    Environment {
        chain_id: CHAIN_ID,
        fork: Fork::Osaka,
        number,
        blocks_before: 0,
        timestamp: 1_700_000_000,
        parent_hash: B256::repeat_byte(0xab),
        gas_limit: 100_000_000,
        base_fee: 0,
        beneficiary: Address::ZERO,
        prev_randao: B256::ZERO,
        governed: None,
    }
}

pub fn transaction(
    user: &PrivateKeySigner,
    nonce: u64,
    kind: TxKind,
    value: u64,
    input: Bytes,
) -> Arc<Transaction> {
    let unsigned = TxEip1559 {
        chain_id: CHAIN_ID,
        nonce,
        gas_limit: 200_000,
        to: kind,
        value: U256::from(value),
        input,
        ..TxEip1559::default()
    };
    let signature = user.sign_hash_sync(&unsigned.signature_hash()).unwrap();
    let raw = TxEnvelope::from(unsigned.into_signed(signature)).encoded_2718();
    Arc::new(Transaction::recover(raw.into(), CHAIN_ID).unwrap())
}

/// A parent state that answers as `ready` says, and counts.
pub struct Parent<'a> {
    state: &'a State,
    ready: &'a dyn Fn(u32) -> bool,
    asked: Cell<u32>,
    suspended: Cell<u32>,
    supplied: RefCell<BTreeSet<StateKey>>,
}

impl<'a> Parent<'a> {
    pub fn new(state: &'a State, ready: &'a dyn Fn(u32) -> bool) -> Self {
        let (asked, suspended) = (Cell::new(0), Cell::new(0));
        Self {
            state,
            ready,
            asked,
            suspended,
            supplied: RefCell::default(),
        }
    }

    fn value(&self, key: &StateKey) -> StateValue {
        self.state.get(key).cloned().unwrap_or(StateValue::Absent)
    }
}

impl View for Parent<'_> {
    fn poll(&self, key: &StateKey) -> Poll<Result<StateValue, ViewError>> {
        assert!(
            !self.supplied.borrow().contains(key),
            "{key:?} was asked for after it was supplied"
        );
        self.asked.set(self.asked.get() + 1);
        if (self.ready)(self.asked.get()) {
            return Poll::Ready(Ok(self.value(key)));
        }
        self.suspended.set(self.suspended.get() + 1);
        Poll::Pending
    }
}

fn execute(
    parent: &Parent<'_>,
    transactions: &[Arc<Transaction>],
    policy: Policy,
    prefetch: bool,
    codes: CodeCache,
) -> Result<Outcome, (usize, Invalid)> {
    let executor = Executor::new(environment(1), policy, codes);
    finish(executor, parent, transactions, prefetch)
}

pub fn finish(
    mut executor: Executor,
    parent: &Parent<'_>,
    transactions: &[Arc<Transaction>],
    prefetch: bool,
) -> Result<Outcome, (usize, Invalid)> {
    if prefetch {
        for key in executor.likely_reads(transactions) {
            executor.supply(key, parent.value(&key));
        }
    }
    loop {
        match executor.run(transactions, parent).unwrap() {
            Progress::Done => return Ok(executor.finish()),
            Progress::Invalid { index, reason } => return Err((index, reason)),
            Progress::Suspended(key) => {
                parent.supplied.borrow_mut().insert(key);
                executor.supply(key, parent.value(&key));
            }
        }
    }
}

/// A random block: transfers, calls, deployments, self-destructions, transactions that cannot be
/// executed, in any mix.
fn block() -> impl Strategy<Value = Vec<Arc<Transaction>>> {
    let step = (0..4_usize, 0..10_u8, 0..50_u64, any::<bool>());
    prop::collection::vec(step, 1..24).prop_map(|steps| {
        let users = users();
        let mut nonces = [0_u64; 4];
        steps
            .into_iter()
            .map(|(user, what, value, skip)| {
                // Now and then a gap: the transaction and its successors cannot be executed.
                let nonce = nonces[user] + u64::from(skip && what == 9);
                nonces[user] += 1;
                let (kind, value, input) = match what {
                    0 => (TxKind::Call(COUNTER), 0, Bytes::new()),
                    1 => (TxKind::Call(HASHER), 0, Bytes::new()),
                    2 => (TxKind::Call(REVERTER), value, Bytes::new()),
                    3 => (TxKind::Call(TOGGLER), 0, Bytes::new()),
                    // Deploys the counter.
                    4 => (
                        TxKind::Create,
                        0,
                        Bytes::from_static(&hex!("600a80600b6000396000f360005460010160005500")),
                    ),
                    // Writes a slot and destroys itself while being created.
                    5 => (
                        TxKind::Create,
                        value,
                        Bytes::from_static(&hex!("600160005533ff")),
                    ),
                    // Spends more than there is.
                    6 => (TxKind::Call(COUNTER), 2_000_000, Bytes::new()),
                    _ => (
                        TxKind::Call(users[(user + 1) % 4].address()),
                        value,
                        Bytes::new(),
                    ),
                };
                transaction(&users[user], nonce, kind, value, input)
            })
            .collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// What reaches consensus must not depend on what was cached, prefetched or slow.
    #[test]
    fn suspension_changes_nothing(transactions in block(), pattern in any::<u64>()) {
        let state = world();
        let always = |_| true;
        let never = |_| false;
        let sometimes = |asked: u32| pattern >> (asked % 64) & 1 == 1;
        let ready = Parent::new(&state, &always);
        let expected = execute(&ready, &transactions, Policy::Skip, false, CodeCache::default()).unwrap();
        prop_assert_eq!(ready.suspended.get(), 0);
        let warm = CodeCache::default();
        for ready in [&never as &dyn Fn(u32) -> bool, &sometimes, &always] {
            for (prefetch, codes) in [(false, CodeCache::default()), (true, CodeCache::default()), (true, warm.clone())] {
                let parent = Parent::new(&state, ready);
                let outcome = execute(&parent, &transactions, Policy::Skip, prefetch, codes).unwrap();
                prop_assert_eq!(&outcome, &expected);
            }
        }
        let slow = Parent::new(&state, &never);
        execute(&slow, &transactions, Policy::Skip, false, CodeCache::default()).unwrap();
        prop_assert!(slow.suspended.get() > 0, "the suspending state never suspended");
    }

    /// What a leader includes, everyone else accepts, with the same effect.
    #[test]
    fn the_checker_agrees_with_the_builder(transactions in block()) {
        let state = world();
        let parent = Parent::new(&state, &|_| true);
        let built = execute(&parent, &transactions, Policy::Skip, true, CodeCache::default()).unwrap();
        let included: Vec<_> = built.included.iter().map(|index| transactions[*index].clone()).collect();
        let checked = execute(&parent, &included, Policy::Reject, false, CodeCache::default()).unwrap();
        prop_assert_eq!(checked.receipts, built.receipts);
        prop_assert_eq!(checked.changes, built.changes);
        prop_assert_eq!(checked.gas_used, built.gas_used);
        prop_assert_eq!(checked.logs_bloom, built.logs_bloom);
    }

    /// Changes are in key order, never repeat what the parent holds, and conserve money.
    #[test]
    fn changes_are_canonical(transactions in block()) {
        let state = world();
        let parent = Parent::new(&state, &|_| true);
        let outcome = execute(&parent, &transactions, Policy::Skip, true, CodeCache::default()).unwrap();
        prop_assert!(outcome.changes.windows(2).all(|pair| pair[0].0 < pair[1].0));
        let mut after = state.clone();
        for (key, value) in outcome.changes {
            prop_assert_ne!(parent.value(&key), value.clone());
            after.insert(key, value);
        }
        let money = |state: &State| state.values().fold(U256::ZERO, |sum, value| match value {
            StateValue::Account(account) => sum + account.balance,
            _ => sum,
        });
        // Self-destruction during creation pays the creator, so nothing is burned here.
        prop_assert_eq!(money(&state), money(&after));
    }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "threads are what is tested")]
fn executions_suspended_side_by_side_do_not_meet() {
    let transactions: Arc<Vec<_>> = Arc::new(
        (0..20)
            .map(|nonce| transaction(&users()[0], nonce, TxKind::Call(COUNTER), 0, Bytes::new()))
            .collect(),
    );
    let codes = CodeCache::default();
    let threads: Vec<_> = (0..8)
        .map(|_| {
            let (transactions, codes) = (Arc::clone(&transactions), codes.clone());
            std::thread::spawn(move || {
                let state = world();
                let never = |_| false;
                // Two executions in one thread, resumed in turn.
                let parents = [Parent::new(&state, &never), Parent::new(&state, &never)];
                let mut executors =
                    [(); 2].map(|()| Executor::new(environment(1), Policy::Reject, codes.clone()));
                let mut running = 2;
                while running > 0 {
                    running = 0;
                    for (executor, parent) in executors.iter_mut().zip(&parents) {
                        if let Progress::Suspended(key) =
                            executor.run(&transactions, parent).unwrap()
                        {
                            executor.supply(key, parent.value(&key));
                            running += 1;
                        }
                    }
                }
                executors.map(Executor::finish)
            })
        })
        .collect();
    let outcomes: Vec<_> = threads
        .into_iter()
        .flat_map(|thread| thread.join().unwrap())
        .collect();
    assert!(outcomes.windows(2).all(|pair| pair[0] == pair[1]));
    let slot = (
        StateKey::Slot(COUNTER, U256::ZERO),
        StateValue::Slot(U256::from(20)),
    );
    assert!(outcomes[0].changes.contains(&slot));
}

fn run(transactions: &[Arc<Transaction>]) -> Outcome {
    let state = world();
    let parent = Parent::new(&state, &|_| true);
    execute(
        &parent,
        transactions,
        Policy::Skip,
        true,
        CodeCache::default(),
    )
    .unwrap()
}

#[test]
fn blockhash_reads_the_history_in_the_state() {
    let call = transaction(&users()[0], 0, TxKind::Call(HASHER), 0, Bytes::new());
    let outcome = run(&[call]);
    let hash = U256::from_be_bytes(B256::repeat_byte(0xab).0);
    assert!(outcome.changes.contains(&(
        StateKey::Slot(HASHER, U256::from(1)),
        StateValue::Slot(hash)
    )));
}

/// A network that began with another's state goes on counting: contracts see the blocks before, too.
#[test]
fn contracts_count_the_blocks_before() {
    /// Stores `block.number` in slot 3.
    const NUMBERER: Address = address!("0x00000000000000000000000000000000000c0005");
    let mut state = world();
    put_contract(&mut state, NUMBERER, &hex!("436003550000"));
    let parent = Parent::new(&state, &|_| true);
    let user = &users()[0];
    let calls = [NUMBERER, HASHER].map(TxKind::Call);
    let calls =
        [0, 1].map(|nonce| transaction(user, nonce, calls[nonce as usize], 0, Bytes::new()));
    let environment = Environment {
        blocks_before: 5_000,
        ..environment(7)
    };
    let executor = Executor::new(environment, Policy::Skip, CodeCache::default());
    let outcome = finish(executor, &parent, &calls, false).unwrap();
    let hash = U256::from_be_bytes(B256::repeat_byte(0xab).0);
    for (key, value) in [
        (StateKey::Slot(NUMBERER, U256::from(3)), U256::from(5_007)),
        (StateKey::Slot(HASHER, U256::from(1)), hash),
        (crate::overlay::history_slot(5_006), hash),
    ] {
        assert!(
            outcome.changes.contains(&(key, StateValue::Slot(value))),
            "{key:?}"
        );
    }
}

#[test]
fn a_failed_transaction_pays_and_logs_nothing() {
    let call = transaction(&users()[0], 0, TxKind::Call(REVERTER), 5, Bytes::new());
    let outcome = run(&[call]);
    assert!(!outcome.receipts[0].status());
    assert!(outcome.receipts[0].logs().is_empty());
    assert!(outcome.gas_used > 21_000);
    assert!(
        !outcome
            .changes
            .iter()
            .any(|(key, _)| *key == StateKey::Account(REVERTER))
    );
}

#[test]
fn refusals_speak_geths_words() {
    let user = &users()[0];
    let to = TxKind::Call(COUNTER);
    let check = |transaction: Arc<Transaction>, expected: &str| {
        let state = world();
        let parent = Parent::new(&state, &|_| true);
        let refused = execute(
            &parent,
            &[transaction],
            Policy::Reject,
            true,
            CodeCache::default(),
        );
        let (index, reason) = refused.unwrap_err();
        assert_eq!((index, reason.to_string().as_str()), (0, expected));
    };
    check(
        transaction(user, 1, to, 0, Bytes::new()),
        "nonce too high: address next nonce 0, tx nonce 1",
    );
    check(
        transaction(user, 0, to, 1_000_001, Bytes::new()),
        "insufficient funds for gas * price + value: have 1000000 want 1000001",
    );
    let used = Account {
        nonce: 3,
        balance: U256::from(1),
        ..Account::default()
    };
    let refusal = environment(1).admit(&transaction(user, 2, to, 0, Bytes::new()), &used);
    assert_eq!(
        refusal.unwrap_err().to_string(),
        "nonce too low: next nonce 3, tx nonce 2"
    );
    assert!(
        environment(1)
            .admit(&transaction(user, 4, to, 1, Bytes::new()), &used)
            .is_ok()
    );
}

/// Puts a question to a state that answers as `ready` says; also how often it had to be supplied with something.
fn ask<Q: Question>(mut question: Q, ready: &dyn Fn(u32) -> bool) -> (Q::Answer, usize) {
    let state = world();
    let parent = Parent::new(&state, ready);
    loop {
        match question.run(&parent) {
            Ok(Some(answer)) => {
                let supplied = parent.supplied.borrow().len();
                return (answer, supplied);
            }
            Ok(None) => {}
            Err(ViewError::Missing(key)) => {
                // Nothing is asked for twice: what was found out before is kept.
                parent.supplied.borrow_mut().insert(key);
                question.supply(key, parent.value(&key));
            }
            Err(fault) => panic!("{fault}"),
        }
    }
}

fn simulation() -> Simulation {
    Simulation::new(environment(1), CodeCache::default())
}

fn simulate(call: &Call, ready: &dyn Fn(u32) -> bool) -> (CallOutcome, Result<u64, CallOutcome>) {
    let (outcome, _) = ask(Perform::new(simulation(), call.clone()), ready);
    let estimate = Estimate::new(simulation(), simulation(), call.clone());
    let (estimate, _) = ask(estimate, ready);
    (outcome, estimate.map_err(|(_, outcome)| outcome))
}

#[test]
fn an_access_list_holds_what_a_call_touches() {
    let call = Call {
        from: users()[0].address(),
        to: Some(COUNTER),
        gas: 1_000_000,
        ..Call::default()
    };
    for ready in [&(|_| true) as &dyn Fn(u32) -> bool, &|_| false] {
        let ((list, outcome), _) = ask(CreateAccessList::new(simulation(), call.clone()), ready);
        let [item] = &list.0[..] else {
            panic!("{list:?}")
        };
        assert_eq!(
            (item.address, &item.storage_keys[..]),
            (COUNTER, &[B256::ZERO][..])
        );
        // 2400 for the address and 1900 for the slot make the read 2000 cheaper.
        let (plain, _) = ask(Perform::new(simulation(), call.clone()), ready);
        assert_eq!(outcome.gas_used(), plain.gas_used() + 2400 + 1900 - 2000);
    }
}

#[test]
fn a_simulated_call_has_no_effect_and_an_exact_estimate() {
    let user = users()[0].address();
    for ready in [&(|_| true) as &dyn Fn(u32) -> bool, &|_| false] {
        let transfer = Call {
            from: user,
            to: Some(user),
            gas: 1_000_000,
            ..Call::default()
        };
        let (outcome, estimate) = simulate(&transfer, ready);
        assert!(matches!(
            outcome,
            CallOutcome::Success {
                gas_used: 21_000,
                ..
            }
        ));
        assert_eq!(estimate, Ok(21_000));
        let count = Call {
            to: Some(COUNTER),
            ..transfer.clone()
        };
        let (outcome, estimate) = simulate(&count, ready);
        let CallOutcome::Success { gas_used, .. } = outcome else {
            panic!("{outcome:?}")
        };
        assert_eq!(estimate, Ok(gas_used));
        let revert = Call {
            to: Some(REVERTER),
            ..transfer
        };
        let (outcome, estimate) = simulate(&revert, ready);
        assert!(matches!(outcome, CallOutcome::Revert { .. }));
        assert_eq!(estimate, Err(outcome));
    }
}

/// A script that deploys a counter, calls it and sees it fail, each act under another tracer.
fn script() -> Script {
    let user = &users()[0];
    let deploy = Bytes::from_static(&hex!("600a80600b6000396000f360005460010160005500"));
    let created = user.address().create(0);
    let geth = |options| Some(Tracer::geth(options).unwrap());
    let call_tracer = GethDebugTracingOptions::call_tracer(CallConfig::default());
    let prestate = GethDebugTracingOptions::prestate_tracer(PreStateConfig::default());
    let types = [TraceType::Trace, TraceType::VmTrace, TraceType::StateDiff];
    let parity = Some(Tracer::Parity(types.into_iter().collect()));
    let steps = geth(GethDebugTracingOptions::default());
    let acts = [
        (TxKind::Create, deploy, geth(call_tracer)),
        (TxKind::Call(created), Bytes::new(), None),
        (TxKind::Call(created), Bytes::new(), steps),
        (TxKind::Call(TOGGLER), Bytes::new(), parity),
        (TxKind::Call(REVERTER), Bytes::new(), geth(prestate)),
        (TxKind::Call(HASHER), Bytes::new(), Some(Tracer::Operations)),
    ];
    let acts = (0..).zip(acts).map(|(nonce, (kind, input, tracer))| Act {
        action: Action::Transaction(transaction(user, nonce, kind, 0, input)),
        tracer,
        place: None,
    });
    let limits = ScriptLimits {
        gas_max: 0,
        bytes_max: 1 << 20,
    };
    let mut simulation = simulation();
    simulation.begin(environment(1));
    Script::new(simulation, acts.collect(), limits, Interrupt::default())
}

#[test]
fn traces_do_not_depend_on_what_was_at_hand() {
    let (ready, supplied) = ask(script(), &|_| true);
    assert_eq!(supplied, 0);
    let ready = ready.unwrap();
    assert_eq!(ready.len(), 5);
    let Trace::Geth(steps) = &ready[1].trace else {
        panic!("{:?}", ready[1])
    };
    let steps = steps.clone().try_into_default_frame().unwrap();
    // PUSH1 SLOAD PUSH1 ADD PUSH1 SSTORE STOP; the slot holds what the transaction before left.
    assert_eq!(steps.struct_logs.len(), 7);
    let stack = steps.struct_logs[2].stack.as_ref().unwrap();
    assert_eq!(stack[..], [U256::from(1)]);
    let (slow, supplied) = ask(script(), &|_| false);
    assert!(supplied > 4, "{supplied}");
    for (slow, ready) in slow.unwrap().iter().zip(&ready) {
        assert_eq!(slow.outcome, ready.outcome);
        assert_eq!(format!("{:?}", slow.trace), format!("{:?}", ready.trace));
    }
}

#[test]
fn a_script_ends_when_nobody_waits_or_it_grows_too_long() {
    let interrupt = Interrupt::default();
    let call = Call {
        to: Some(COUNTER),
        gas: 1_000_000,
        ..Call::default()
    };
    let new = |bytes_max, gas_max| {
        let act = Act {
            action: Action::Call(Box::new(call.clone())),
            tracer: Some(Tracer::geth(GethDebugTracingOptions::default()).unwrap()),
            place: None,
        };
        let limits = ScriptLimits { gas_max, bytes_max };
        let acts = vec![act.clone(), act];
        Script::new(simulation(), acts, limits, interrupt.clone())
    };
    let always = |_| true;
    assert_eq!(ask(new(1 << 20, 1 << 20), &always).0.unwrap().len(), 2);
    let ended = |script: Script| ask(script, &always).0.unwrap_err();
    assert_eq!(ended(new(500, 1 << 20)), TraceError::TooLarge(500));
    // The first one takes all there is.
    assert_eq!(ended(new(1 << 20, 22_000)), TraceError::Gas(22_000));
    interrupt.set();
    assert_eq!(ended(new(1 << 20, 1 << 20)), TraceError::Interrupted);
}

#[test]
fn a_blob_transaction_is_refused_however_it_was_decoded() {
    let unsigned = TxEip4844 {
        chain_id: CHAIN_ID,
        gas_limit: 200_000,
        to: COUNTER,
        blob_versioned_hashes: vec![B256::repeat_byte(1)],
        max_fee_per_blob_gas: 1,
        ..TxEip4844::default()
    };
    let signature = users()[0]
        .sign_hash_sync(&unsigned.signature_hash())
        .unwrap();
    let raw: Bytes = TxEnvelope::from(unsigned.into_signed(signature))
        .encoded_2718()
        .into();
    assert!(Transaction::recover(raw.clone(), CHAIN_ID).is_err());
    let foreign = Transaction::recover_foreign(raw, false).unwrap();
    let sender = Account {
        balance: U256::MAX,
        ..Account::default()
    };
    assert!(environment(1).admit(&foreign, &sender).is_err());
    let state = world();
    let parent = Parent::new(&state, &|_| true);
    let mut executor = Executor::new(environment(1), Policy::Reject, CodeCache::default());
    let progress = executor.run(&[foreign], &parent).unwrap();
    assert!(
        matches!(progress, Progress::Invalid { index: 0, .. }),
        "{progress:?}"
    );
}

/// From ethereum/execution-apis, `eth_simulateV1/ethSimulate-simple`, as geth answers it.
#[test]
fn a_call_that_nobody_signed_has_geths_hash() {
    let address = |first: u8| {
        let mut address = Address::ZERO;
        address.0[..1].fill(first);
        address
    };
    for (from, to, gas, hash) in [
        (
            0xc0,
            0xc1,
            50_000_000,
            "f1c5abb08809ef760f87aeabe7a87284c60797192dab6d2f0d26c27c9c038e9d",
        ),
        (
            0xc1,
            0xc2,
            50_000_000 - 21_000,
            "bc123d32ae457d4a444af60d1aef663c2f4a77c44a52bec0eef8ac81b53549cb",
        ),
    ] {
        let call = Call {
            from: address(from),
            to: Some(address(to)),
            value: U256::from(1_000),
            gas,
            tip: Some(0),
            ..Call::default()
        };
        let transaction = call.unsigned(3_503_995_874_084_926);
        assert_eq!(hex::encode(transaction.tx_hash()), hash);
    }
}

/// Puts a call as often as values are missing.
fn perform(call: Call, quantum: Quantum) -> Result<CallOutcome, ViewError> {
    let state = world();
    let parent = Parent::new(&state, &|_| true);
    Perform::new(simulation().within(quantum), call)
        .run(&parent)
        .map(|answer| answer.unwrap())
}

#[test]
fn a_short_turn_ends_what_computes_for_long() {
    let new = |input: &'static [u8]| Call {
        input: Bytes::from_static(input),
        gas: 50_000_000,
        ..Call::default()
    };
    let short = || Quantum::short(Interrupt::default());
    // JUMPDEST PUSH0 JUMP
    let endless = new(&hex!("5b5f56"));
    assert_eq!(perform(endless.clone(), short()), Err(ViewError::Exhausted));
    let unbounded = perform(endless.clone(), Quantum::unbounded(Interrupt::default()));
    assert!(
        matches!(unbounded, Ok(CallOutcome::OutOfGas { .. })),
        "{unbounded:?}"
    );
    // One call of SHA-256 over a megabyte: few steps, much work.
    let precompile = Call {
        to: Some(Address::with_last_byte(2)),
        input: vec![1; 1 << 20].into(),
        ..new(&[])
    };
    assert_eq!(
        perform(precompile.clone(), short()),
        Err(ViewError::Exhausted)
    );
    // The same from a contract's code: CALL to address 2 with 1 MiB of memory.
    let nested = new(&hex!("5f5f621000005f5f60025af1"));
    assert_eq!(perform(nested, short()), Err(ViewError::Exhausted));
    // What ends in time does not differ.
    let small = Call {
        to: Some(COUNTER),
        ..new(&[])
    };
    let unbounded = Quantum::unbounded(Interrupt::default());
    assert_eq!(perform(small.clone(), short()), perform(small, unbounded));
    // Nobody waits.
    let gone = Interrupt::default();
    gone.set();
    assert_eq!(
        perform(endless, Quantum::unbounded(gone)),
        Err(ViewError::Abandoned)
    );
}
