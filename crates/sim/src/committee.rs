//! Keys and constitution of a simulated network. Deterministic: a simulation has no secrets.

use crate::plan::GATEWAYS_MAX;
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
use commonware_utils::{N3f1, TryCollect as _, ordered::Set};
use contracts::{
    member::{Charter, Founder, Permissions, Policy, Role},
    parameter::Parameters,
};
use rand::{SeedableRng as _, rngs::StdRng};
use std::{collections::BTreeMap, sync::Arc};
use types::{ChainSpec, Committee, Fees, Fork, GenesisAccount, Limits, Pacing, PublicKey};

/// One validator's keys.
#[derive(Clone)]
pub struct Validator {
    /// Network key.
    pub public_key: PublicKey,
    /// Share of the network's BLS key.
    pub share: chain::Share,
}

/// A simulated network before it runs.
#[derive(Clone)]
pub struct Setup {
    /// Its constitution.
    pub spec: Arc<ChainSpec>,
    /// Its validators in the engine's order.
    pub validators: Vec<Validator>,
    /// Accounts with money that transfer.
    pub users: Vec<PrivateKeySigner>,
    /// Accounts of gateways, one for each.
    pub relayers: Vec<PrivateKeySigner>,
}

/// Accounts that transfer.
const USERS: u8 = 4;
/// Chain id of simulated networks.
const CHAIN_ID: u64 = 4242;

impl Setup {
    /// A network of `count` validators. Keys are the same for every seed: key material is no fault.
    #[expect(
        clippy::expect_used,
        reason = "constant inputs; cannot fail without failing every run"
    )]
    pub fn new(count: usize) -> Self {
        let mut rng = StdRng::seed_from_u64(0);
        let mut keys: Vec<_> = (0..count)
            .map(|_| ed25519::PrivateKey::random(&mut rng).public_key())
            .collect();
        keys.sort();
        let players: Set<PublicKey> = keys
            .iter()
            .cloned()
            .try_collect()
            .expect("random keys differ");
        let (output, shares) = feldman_desmedt::deal::<MinSig, _, N3f1>(
            &mut rng,
            Mode::NonZeroCounter,
            players.clone(),
        )
        .expect("a dealing for a non-empty committee");
        let validators = players
            .iter()
            .map(|public_key| Validator {
                public_key: public_key.clone(),
                share: shares
                    .get_value(public_key)
                    .expect("every player has a share")
                    .clone(),
            })
            .collect();
        let signer =
            |byte| PrivateKeySigner::from_bytes(&B256::repeat_byte(byte)).expect("a valid key");
        let users: Vec<_> = (1..=USERS).map(signer).collect();
        let relayers: Vec<_> = (0x51..).take(GATEWAYS_MAX).map(signer).collect();
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
            committee: Committee::new(output).encode(),
            accounts: accounts(
                &players,
                users.iter().chain(&relayers),
                &parameters(&limits, &pacing),
            ),
        });
        Self {
            spec,
            validators,
            users,
            relayers,
        }
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
    users: impl Iterator<Item = &'a PrivateKeySigner>,
    parameters: &Parameters,
) -> BTreeMap<Address, GenesisAccount> {
    let founders = (0x81..).zip(validators).map(|(byte, key)| Founder {
        organization: B256::repeat_byte(byte),
        name: format!("org-{byte:x}"),
        accounts: BTreeMap::from([(Address::repeat_byte(byte), Permissions::ALL)]),
        nodes: BTreeMap::from([(B256::from_slice(key.as_ref()), Role::Validator)]),
        validator_limit: 1,
    });
    let charter = Charter {
        dev: true,
        open: true,
        policy: Policy::Permissioned,
        founders: founders.collect(),
    };
    let mut accounts = genesis::contracts(&charter, parameters).expect("a valid charter");
    for user in users {
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
