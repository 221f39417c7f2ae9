//! Upgrades of a network whose validators do not all run the same program.

use crate::{
    cluster::Cluster,
    committee::Setup,
    plan::{Plan, VALIDATORS},
    traffic::sign,
    trial::{SEED, simulate},
    witness::Witness,
};
use alloy_primitives::{Address, B256, Bytes, U256, keccak256};
use alloy_signer_local::PrivateKeySigner;
use alloy_sol_types::SolCall;
use chain::{Node, Outdated, Program, upgrade};
use commonware_runtime::{Clock as _, deterministic::Context};
use contracts::{
    SystemContract,
    abi::IGovernance,
    governance::{Action, Choice, Parameter},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};
use types::{ChainSpec, Fork, GenesisAccount};

/// Stores how many zeros its input begins with: `CLZ`, which is no instruction before Osaka (EIP-7939).
const COUNTER: Address = Address::repeat_byte(0xc1);
const COUNT_ZEROS: [u8; 5] = [0x5f, 0x35, 0x1e, 0x5f, 0x55];
/// Blocks from the proposal to its height: enough to vote and to execute it, at the pace of an idle chain.
const AHEAD: u64 = 40;
const STEP: Duration = Duration::from_millis(50);
const PATIENCE: Duration = Duration::from_secs(120);

/// A program from before Osaka.
fn old() -> Program {
    Program {
        forks: BTreeSet::from([Fork::Prague]),
        ..Program::default()
    }
}

/// A program of the next protocol version.
fn next() -> Program {
    Program {
        protocol: chain::PROTOCOL_VERSION + 1,
        ..Program::default()
    }
}

/// A network that begins with Prague, where decisions take seconds.
fn setup() -> Setup {
    let setup = Setup::new(VALIDATORS, 0);
    let mut spec = ChainSpec::clone(&setup.spec);
    spec.fork = Fork::Prague;
    let parameters = spec
        .accounts
        .get_mut(&SystemContract::Parameters.address())
        .unwrap();
    for (parameter, value) in [(Parameter::UpgradeNotice, 5), (Parameter::Timelock, 1)] {
        let slot = U256::from(parameter as u8);
        parameters.storage.insert(slot, U256::from(value));
    }
    let code = Bytes::from_static(&COUNT_ZEROS);
    let contract = GenesisAccount {
        nonce: 1,
        code,
        ..GenesisAccount::default()
    };
    spec.accounts.insert(COUNTER, contract);
    Setup {
        spec: Arc::new(spec),
        ..setup
    }
}

/// The network, and accounts that send to it.
struct Network {
    context: Context,
    cluster: Cluster,
    setup: Setup,
    nonces: BTreeMap<Address, u64>,
}

impl Network {
    async fn start(context: Context, programs: &[(usize, Program)]) -> Self {
        let setup = setup();
        let mut cluster =
            Cluster::new(&context, &setup, &Plan::new(SEED), &Witness::default()).await;
        for (index, program) in programs {
            cluster.install(*index, program.clone());
        }
        for index in 0..VALIDATORS {
            cluster.start(index).await.unwrap();
        }
        Self {
            context,
            cluster,
            setup,
            nonces: BTreeMap::new(),
        }
    }

    fn node(&self, index: usize) -> Node {
        self.cluster.node(index).unwrap()
    }

    fn height(&self, index: usize) -> u64 {
        self.node(index).latest().number()
    }

    async fn until(&self, what: &str, done: impl Fn(&Self) -> bool) {
        let deadline = self.context.current() + PATIENCE;
        while !done(self) {
            let heights: Vec<_> = (0..VALIDATORS)
                .map(|index| self.cluster.node(index).map(|node| node.latest().number()))
                .collect();
            assert!(
                self.context.current() < deadline,
                "{what} does not come: {heights:?}"
            );
            self.context.sleep(STEP).await;
        }
    }

    /// Sends a transaction to node 0.
    async fn send(&mut self, from: &PrivateKeySigner, to: Address, input: Vec<u8>) -> B256 {
        let nonce = self.nonces.entry(from.address()).or_default();
        let chain_id = self.setup.spec.chain_id;
        let raw = sign(
            from,
            chain_id,
            *nonce,
            to,
            U256::ZERO,
            input.into(),
            2_000_000,
        );
        *nonce += 1;
        let hash = keccak256(&raw);
        self.node(0).submit(raw).await.unwrap();
        hash
    }

    /// Whether a transaction succeeded, and in which block, once it is final on node 0.
    async fn settled(&self, hash: B256) -> (u64, bool) {
        let deadline = self.context.current() + PATIENCE;
        loop {
            if let Some((block, index)) = self.node(0).transaction(hash).await {
                return (block.number(), block.receipts[index].status());
            }
            assert!(self.context.current() < deadline, "{hash} is not final");
            self.context.sleep(STEP).await;
        }
    }

    async fn governs<C: SolCall>(&mut self, administrator: usize, call: &C) {
        let from = self.setup.administrators[administrator].clone();
        let governance = SystemContract::Governance.address();
        let hash = self.send(&from, governance, call.abi_encode()).await;
        assert!(self.settled(hash).await.1, "{administrator}: refused");
    }

    /// Has the organizations decide something.
    async fn decide(&mut self, number: u64, action: &Action) {
        let propose = IGovernance::proposeCall {
            actions: vec![action.encode()],
            description: String::new(),
        };
        self.governs(0, &propose).await;
        let proposal = U256::from(number);
        for administrator in 0..3 {
            let vote = IGovernance::voteCall {
                proposal,
                choice: Choice::Approve as u8,
            };
            self.governs(administrator, &vote).await;
        }
        self.context.sleep(Duration::from_secs(3)).await;
        self.governs(0, &IGovernance::executeCall { proposal })
            .await;
    }

    /// Installs another program on a validator that has ended, and starts it on its data.
    async fn replace(&mut self, index: usize, program: Program) {
        assert!(self.cluster.crash(index));
        self.cluster.install(index, program);
        self.context.sleep(STEP).await;
        self.cluster.start_patiently(index).await.unwrap();
    }

    /// Everybody has the same block at a height, and so the same state.
    async fn agree(&self, height: u64) -> B256 {
        let mut hashes = BTreeSet::new();
        for index in 0..VALIDATORS {
            let block = self.node(index).body(height).await.unwrap();
            hashes.insert(block.hash());
        }
        assert_eq!(hashes.len(), 1, "at {height}");
        hashes.pop_first().unwrap()
    }
}

async fn one_old_of_four(context: Context) -> B256 {
    let mut network = Network::start(context, &[(3, old())]).await;
    let height = network.height(0) + AHEAD;
    let fork = upgrade::id(Fork::Osaka);
    let user = network.setup.users[0].clone();
    network
        .decide(1, &Action::ScheduleFork { fork, height })
        .await;
    let decided = network.height(0);
    assert!(decided + 5 <= height, "{decided} is too late for {height}");
    let mut seen = BTreeMap::new();
    while network.height(0) < height + 5 {
        let hash = network.send(&user, COUNTER, vec![1]).await;
        let (at, counted) = network.settled(hash).await;
        // The rules change at the height, neither before nor after.
        assert_eq!(counted, at >= height, "block {at}, fork at {height}");
        seen.insert(at, counted);
    }
    assert!(seen.values().any(|counted| *counted) && seen.values().any(|counted| !*counted));

    let expected = Outdated::UnknownFork {
        fork,
        height,
        program: old(),
    };
    assert_eq!(network.cluster.outdated(3), Some(expected.clone()));
    assert_eq!(network.height(3), height - 1);
    // The same program ends in the same way, and does no harm.
    network.replace(3, old()).await;
    network
        .until("the end", |network| network.cluster.outdated(3).is_some())
        .await;
    assert_eq!(network.cluster.outdated(3), Some(expected));
    assert_eq!(network.height(3), height - 1);

    network.replace(3, Program::default()).await;
    let goal = network.height(0);
    network
        .until("the others' height", |network| network.height(3) >= goal)
        .await;
    let hash = network.agree(goal).await;
    network.agree(height).await;
    network.agree(height - 1).await;
    // And it takes part again: with another one gone there is no quorum without it.
    assert!(network.cluster.crash(2));
    let later = network.height(0) + 5;
    network
        .until("a block with its vote", |network| {
            network.height(0) >= later
        })
        .await;
    hash
}

#[test]
fn an_old_program_stops_before_the_height_and_a_new_one_goes_on() {
    let (first, second) = (simulate(one_old_of_four), simulate(one_old_of_four));
    assert_eq!(first, second, "the same seed");
}

async fn two_old_of_four(context: Context) {
    let mut network = Network::start(context, &[(0, next()), (1, next())]).await;
    let height = network.height(0) + AHEAD;
    let version = next().protocol;
    network
        .decide(1, &Action::SetMinimumVersion { version, height })
        .await;
    network
        .until("the end of the old ones", |network| {
            [2, 3].map(|index| network.cluster.outdated(index).is_some()) == [true; 2]
        })
        .await;
    for index in [2, 3] {
        let expected = Outdated::OldProtocol {
            needed: version,
            height,
            program: Program::default(),
        };
        assert_eq!(network.cluster.outdated(index), Some(expected));
        assert!(network.height(index) < height);
    }
    // No quorum has the version: the chain waits, and forks nowhere.
    network.context.sleep(Duration::from_secs(10)).await;
    assert!(network.height(0) < height && network.height(1) < height);
    for index in [2, 3] {
        network.replace(index, next()).await;
    }
    network
        .until("the chain", |network| {
            (0..VALIDATORS).all(|index| network.height(index) > height + 3)
        })
        .await;
    network.agree(height + 3).await;
}

#[test]
fn without_a_quorum_of_new_programs_the_chain_waits() {
    simulate(two_old_of_four);
}
