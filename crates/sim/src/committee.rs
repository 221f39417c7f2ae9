//! Keys and constitution of a simulated network. Deterministic: a simulation has no secrets.

use crate::{
    liar::Victim,
    plan::{GATEWAYS_MAX, Plan, VALIDATORS},
};
use alloy_primitives::{Address, B256, U256};
use alloy_signer_local::PrivateKeySigner;
use chain::genesis::{self, parameters};
use commonware_cryptography::{
    Signer as _,
    bls12381::{
        dkg::feldman_desmedt,
        primitives::{sharing::Mode, variant::MinSig},
    },
    ed25519,
};
use commonware_math::algebra::Random as _;
use commonware_utils::{N3f1, NZU64, TryCollect as _, ordered::Set};
use contracts::{
    member::{Charter, Founder, Permissions, Policy, Role},
    parameter::Parameters,
    stake::Bonding,
};
use rand::{SeedableRng as _, rngs::StdRng};
use std::{
    collections::BTreeMap,
    num::NonZeroU64,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32},
    },
};
use types::{ChainSpec, Committee, Fees, Fork, GenesisAccount, Limits, Pacing, PublicKey};

/// One node's keys.
#[derive(Clone)]
pub struct Validator {
    /// Network key.
    pub signer: ed25519::PrivateKey,
    /// Its public part, which names the node.
    pub public_key: PublicKey,
    /// Share of the network's BLS key at block 0, of those that validate then.
    pub share: Option<chain::Share>,
    /// How often its disk was replaced by another one.
    pub disk: Arc<AtomicU32>,
    /// Whether its disk is a backup from before it first ran, and it has not run from it.
    pub restored: Arc<AtomicBool>,
    /// To whom it lies.
    pub victim: Victim,
}

/// A simulated network before it runs.
#[derive(Clone)]
pub struct Setup {
    /// Its constitution.
    pub spec: Arc<ChainSpec>,
    /// Its validators at block 0 in the engine's order, and after them nodes that are no member's yet.
    pub nodes: Vec<Validator>,
    /// Who administers the organizations: that of the node with an index is the one with its remainder.
    pub administrators: Vec<PrivateKeySigner>,
    /// Accounts with money that transfer.
    pub users: Vec<PrivateKeySigner>,
    /// Accounts of gateways, one for each.
    pub relayers: Vec<PrivateKeySigner>,
}

/// Accounts that transfer.
const USERS: u8 = 4;
/// The least for four validators, so that there are some epochs in a simulated minute.
const EPOCH_BLOCKS: NonZeroU64 = NZU64!(32);
/// Wei that each founder has bonded, if validators are chosen by bond.
pub const BOND: u64 = 1_000;
/// Chain id of simulated networks.
const CHAIN_ID: u64 = 4242;

impl Setup {
    /// A network of `count` validators that its members choose, with nodes to spare. Keys are the same for every seed: key
    /// material is no fault.
    pub fn new(count: usize, spare: usize) -> Self {
        Self::with_policy(count, spare, Policy::Permissioned)
    }

    /// A network for a plan: with bonds if it says so.
    pub fn of(plan: &Plan) -> Self {
        let policy = match plan.seats {
            Some(seats) => Policy::Bonded(bonding(seats)),
            None => Policy::Permissioned,
        };
        Self::with_policy(VALIDATORS, plan.spare, policy)
    }

    /// As [`Self::new`], with validators from where the policy says.
    #[expect(
        clippy::expect_used,
        reason = "constant inputs; cannot fail without failing every run"
    )]
    pub fn with_policy(count: usize, spare: usize, policy: Policy) -> Self {
        let mut rng = StdRng::seed_from_u64(0);
        let mut signers: Vec<_> = (0..count)
            .map(|_| ed25519::PrivateKey::random(&mut rng))
            .collect();
        signers.sort_by_key(ed25519::PrivateKey::public_key);
        let players: Set<PublicKey> = signers
            .iter()
            .map(ed25519::PrivateKey::public_key)
            .try_collect()
            .expect("random keys differ");
        let (output, shares) = feldman_desmedt::deal::<MinSig, _, N3f1>(
            &mut rng,
            Mode::NonZeroCounter,
            players.clone(),
        )
        .expect("a dealing for a non-empty committee");
        signers.extend((0..spare).map(|_| ed25519::PrivateKey::random(&mut rng)));
        let nodes = signers
            .into_iter()
            .map(|signer| Validator {
                public_key: signer.public_key(),
                share: shares.get_value(&signer.public_key()).cloned(),
                signer,
                disk: Arc::default(),
                restored: Arc::default(),
                victim: Victim::default(),
            })
            .collect();
        let signer =
            |byte| PrivateKeySigner::from_bytes(&B256::repeat_byte(byte)).expect("a valid key");
        let users: Vec<_> = (1..=USERS).map(signer).collect();
        let relayers: Vec<_> = (0x51..).take(GATEWAYS_MAX).map(signer).collect();
        let administrators: Vec<_> = (0x71..).take(count).map(signer).collect();
        let limits = Limits {
            block_gas: 100_000_000,
        };
        let pacing = Pacing {
            idle_interval_ms: 400,
            min_gap_ms: 5,
            settle_interval_ms: 50,
        };
        let spec = Arc::new(ChainSpec {
            name: "simulation".to_owned(),
            chain_id: CHAIN_ID,
            fork: Fork::Osaka,
            dev: true,
            time_ms: 0,
            fees: Fees::Free,
            limits,
            pacing,
            epoch_blocks: EPOCH_BLOCKS,
            committee: Committee::new(output).encode(),
            accounts: accounts(
                &players,
                &administrators,
                users.iter().chain(&relayers),
                &parameters(&limits, &pacing),
                policy,
            ),
            origin: None,
        });
        Self {
            spec,
            nodes,
            administrators,
            users,
            relayers,
        }
    }
}

/// How a bonded network with so many seats begins.
pub fn bonding(seats: usize) -> Bonding {
    Bonding {
        bond: BOND.into(),
        minimum: 10,
        seats: u16::try_from(seats).unwrap_or(u16::MAX),
        unbonding: 5,
    }
}

/// The system contracts, and accounts with money. Each validator is an organization of its own; users and relayers are
/// of none.
#[expect(
    clippy::expect_used,
    reason = "constant inputs; cannot fail without failing every run"
)]
fn accounts<'a>(
    validators: &Set<PublicKey>,
    administrators: &'a [PrivateKeySigner],
    users: impl Iterator<Item = &'a PrivateKeySigner>,
    parameters: &Parameters,
    policy: Policy,
) -> BTreeMap<Address, GenesisAccount> {
    let founders = (0x81..).zip(validators).zip(administrators);
    let founders = founders.map(|((byte, key), administrator)| Founder {
        organization: B256::repeat_byte(byte),
        name: format!("org-{byte:x}"),
        accounts: BTreeMap::from([(administrator.address(), Permissions::ALL)]),
        nodes: BTreeMap::from([(B256::from_slice(key.as_ref()), Role::Validator)]),
        validator_limit: 2,
    });
    let charter = Charter {
        dev: true,
        open: true,
        policy,
        founders: founders.collect(),
    };
    let bonded = matches!(policy, Policy::Bonded(_));
    let mut accounts = genesis::contracts(&charter, parameters).expect("a valid charter");
    for user in users.chain(administrators.iter().filter(|_| bonded)) {
        let balance = U256::from(1_000_000_000_u64);
        accounts.insert(
            user.address(),
            GenesisAccount {
                balance,
                ..GenesisAccount::default()
            },
        );
    }
    accounts
}
