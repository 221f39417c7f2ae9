//! A network whose validators are chosen by bond: a newcomer outbids a founder, validates, and leaves again.

use crate::{
    cluster::Cluster,
    committee::{BOND, Setup, bonding},
    oracle::Oracle,
    plan::{Plan, VALIDATORS},
    traffic::sign,
    trial::{SEED, simulate},
    witness::Witness,
};
use alloy_primitives::{B256, U256, keccak256};
use alloy_signer_local::PrivateKeySigner;
use alloy_sol_types::SolCall;
use chain::{Calendar, Node};
use commonware_codec::{Copying, DecodeExt as _};
use commonware_glue::dkg::ReshareBlock as _;
use commonware_runtime::{Clock as _, deterministic::Context};
use contracts::{SystemContract, abi::IStake, member::Policy};
use std::{collections::BTreeMap, time::Duration};
use types::{Ceremony, PublicKey};

const STEP: Duration = Duration::from_millis(50);
const PATIENCE: Duration = Duration::from_secs(300);
/// The node that comes, and the founder that it outbids: of equal bonds the highest key goes first.
const NEWCOMER: usize = VALIDATORS;
const OUTBID: usize = VALIDATORS - 1;

struct Network {
    context: Context,
    cluster: Cluster,
    setup: Setup,
    oracle: Oracle,
    witness: Witness,
    nonces: BTreeMap<usize, u64>,
}

impl Network {
    async fn start(context: Context) -> Self {
        let policy = Policy::Bonded(bonding(VALIDATORS));
        let setup = Setup::with_policy(VALIDATORS, 1, policy);
        let witness = Witness::default();
        // With more than one kind of node: one of them keeps no archive.
        let mut cluster = Cluster::new(&context, &setup, &Plan::new(SEED), &witness).await;
        for index in 0..setup.nodes.len() {
            cluster.start(index).await.unwrap();
        }
        let genesis = cluster.node(0).unwrap().genesis().hash();
        let oracle = Oracle::new(&setup.spec, genesis);
        Self {
            context,
            cluster,
            setup,
            oracle,
            witness,
            nonces: BTreeMap::new(),
        }
    }

    fn node(&self, index: usize) -> Node {
        self.cluster.node(index).unwrap()
    }

    fn height(&self, index: usize) -> u64 {
        self.node(index).latest().number()
    }

    fn key(&self, index: usize) -> B256 {
        B256::from_slice(self.setup.nodes[index].public_key.as_ref())
    }

    fn user(&self, index: usize) -> PrivateKeySigner {
        self.setup.users[index].clone()
    }

    /// Has a user do something with bonds. Whether it was done, and in which block.
    async fn act<C: SolCall>(&mut self, user: usize, value: u64, call: C) -> (u64, bool) {
        let signer = self.user(user);
        let nonce = self.nonces.entry(user).or_default();
        let raw = sign(
            &signer,
            self.setup.spec.chain_id,
            *nonce,
            SystemContract::Stake.address(),
            U256::from(value),
            call.abi_encode().into(),
            2_000_000,
        );
        *nonce += 1;
        let hash = keccak256(&raw);
        self.node(0).submit(raw).await.unwrap();
        let deadline = self.context.current() + PATIENCE;
        loop {
            if let Some((block, index)) = self.node(0).transaction(hash).await {
                return (block.number(), block.receipts[index].status());
            }
            assert!(self.context.current() < deadline, "{hash} is not final");
            self.context.sleep(STEP).await;
        }
    }

    /// Waits until every node has a block, and judges all up to there.
    async fn reach(&mut self, height: u64) {
        let deadline = self.context.current() + PATIENCE;
        while (0..self.setup.nodes.len()).any(|index| self.height(index) < height) {
            let heights = (0..self.setup.nodes.len()).map(|index| self.height(index));
            assert!(
                self.context.current() < deadline,
                "{height} does not come: {:?}",
                heights.collect::<Vec<_>>()
            );
            self.context.sleep(STEP).await;
        }
        for (index, node) in self.cluster.nodes() {
            self.oracle.observe(index, &node).await;
        }
    }

    /// Who signs in an epoch, by the last block before it.
    async fn signers(&self, calendar: &Calendar, epoch: u64) -> Vec<B256> {
        let height = calendar.last(epoch - 1);
        let block = self.node(0).body(height).await.unwrap();
        let Some(Ceremony::EpochInfo(info)) = block.payload() else {
            panic!("block {height} names nobody");
        };
        let players = info.output.players().iter();
        players.map(|key| B256::from_slice(key.as_ref())).collect()
    }

    /// Who proposed the blocks of an epoch.
    async fn leaders(&self, calendar: &Calendar, epoch: u64) -> Vec<B256> {
        let mut leaders = Vec::new();
        for height in calendar.first(epoch)..=calendar.last(epoch) {
            let block = self.node(0).body(height).await.unwrap();
            leaders.push(B256::from_slice(block.extension().context.leader.as_ref()));
        }
        leaders
    }

    async fn balance(&self, user: usize) -> U256 {
        let address = self.user(user).address();
        self.node(0).account(address).await.unwrap().balance
    }
}

/// What is no ed25519 public key.
fn junk() -> B256 {
    let mut all = (1..=255).map(B256::repeat_byte);
    all.find(|key| PublicKey::decode(Copying(key.as_slice())).is_err())
        .unwrap()
}

async fn a_newcomer(context: Context) -> B256 {
    let mut network = Network::start(context).await;
    let calendar = Calendar::new(network.setup.spec.epoch_blocks);
    let (newcomer, outbid) = (network.key(NEWCOMER), network.key(OUTBID));
    let before = network.balance(0).await;
    let bond = |key| IStake::bondCall { key };
    let (_, refused) = network.act(0, 9, bond(newcomer)).await;
    assert!(!refused, "less than the least bond");
    // With the highest bond of all it would take a seat, if it were a key.
    let (_, done) = network.act(1, 5 * BOND, bond(junk())).await;
    assert!(done);
    let (at, done) = network.act(0, BOND + 1, bond(newcomer)).await;
    assert!(done && network.balance(0).await == before - U256::from(BOND + 1));
    let elected = network.node(0).elected().await.unwrap();
    let elected: Vec<_> = elected
        .iter()
        .map(|key| B256::from_slice(key.as_ref()))
        .collect();
    assert!(elected.contains(&newcomer) && !elected.contains(&outbid));
    assert_eq!(elected.len(), VALIDATORS);

    let epoch = calendar.signs_from(at);
    network.reach(calendar.last(epoch)).await;
    let signers = network.signers(&calendar, epoch - 1).await;
    assert!(
        !signers.contains(&newcomer) && signers.contains(&outbid),
        "not yet"
    );
    let signers = network.signers(&calendar, epoch).await;
    assert_eq!(signers.len(), VALIDATORS);
    assert!(signers.contains(&newcomer) && !signers.contains(&outbid));
    let leaders = network.leaders(&calendar, epoch).await;
    assert!(leaders.contains(&newcomer) && !leaders.contains(&outbid));
    // With another one gone there is no quorum without it.
    assert!(network.cluster.crash(0));
    let later = network.height(1) + 5;
    let deadline = network.context.current() + PATIENCE;
    while network.height(OUTBID) < later {
        assert!(network.context.current() < deadline, "it does not vote");
        network.context.sleep(STEP).await;
    }
    network.cluster.start_patiently(0).await.unwrap();

    // It leaves: all of its bond, which it is paid after the period.
    let all = IStake::unbondCall {
        key: newcomer,
        amount: U256::from(BOND + 1),
    };
    let (_, refused) = network.act(1, 0, all.clone()).await;
    assert!(!refused, "another's bond");
    let (at, done) = network.act(0, 0, all).await;
    assert!(done);
    let (_, early) = network.act(0, 0, IStake::withdrawCall {}).await;
    assert!(!early);
    let epoch = calendar.signs_from(at);
    network.reach(calendar.last(epoch)).await;
    let signers = network.signers(&calendar, epoch).await;
    assert!(!signers.contains(&newcomer) && signers.contains(&outbid));
    let leaders = network.leaders(&calendar, epoch).await;
    assert!(leaders.contains(&outbid) && !leaders.contains(&newcomer));
    let (last, done) = network.act(0, 0, IStake::withdrawCall {}).await;
    assert!(done && network.balance(0).await == before);

    network.reach(last).await;
    let nodes = network.cluster.nodes();
    network.oracle.settle(&nodes, &network.witness).await;
    assert_eq!(network.oracle.violations(), Vec::<String>::new());
    network.node(0).body(last).await.unwrap().hash()
}

#[test]
fn who_bonds_more_than_a_founder_validates_in_its_place() {
    let (first, second) = (simulate(a_newcomer), simulate(a_newcomer));
    assert_eq!(first, second, "the same seed");
}
