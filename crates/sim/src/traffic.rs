//! Clients of the network: accounts that transfer, keeping what they sent until it is final.

use crate::{
    cluster::Cluster,
    committee::{BOND, Setup},
    plan::Move,
};
use alloy_consensus::{SignableTransaction as _, TxEip1559, TxEnvelope};
use alloy_eips::eip2718::Encodable2718 as _;
use alloy_primitives::{Address, B256, Bytes, TxKind, U256, keccak256};
use alloy_signer::SignerSync as _;
use alloy_signer_local::PrivateKeySigner;
use alloy_sol_types::SolCall as _;
use contracts::{
    SystemContract,
    abi::{IMembers, IStake},
    member::Role,
};
use rand::{RngExt as _, rngs::StdRng, seq::IteratorRandom as _};
use std::collections::BTreeMap;

/// Signs a transaction that costs nothing but its value.
#[expect(
    clippy::expect_used,
    reason = "signing with a key in memory cannot fail"
)]
pub fn sign(
    signer: &PrivateKeySigner,
    chain_id: u64,
    nonce: u64,
    to: Address,
    value: U256,
    input: Bytes,
    gas_limit: u64,
) -> Bytes {
    let transaction = TxEip1559 {
        chain_id,
        nonce,
        gas_limit,
        to: TxKind::Call(to),
        value,
        input,
        ..TxEip1559::default()
    };
    let signature = signer
        .sign_hash_sync(&transaction.signature_hash())
        .expect("a local key");
    TxEnvelope::from(transaction.into_signed(signature))
        .encoded_2718()
        .into()
}

/// Accounts that transfer to each other, and administrators who say who validates.
pub struct Transfers {
    setup: Setup,
    /// The next nonce of each account.
    next: BTreeMap<Address, u64>,
    /// What was sent, by hash, until it is seen final.
    open: BTreeMap<B256, Bytes>,
    sent: u64,
}

impl Transfers {
    /// Nothing sent yet.
    pub fn new(setup: &Setup) -> Self {
        Self {
            setup: setup.clone(),
            next: BTreeMap::new(),
            open: BTreeMap::new(),
            sent: 0,
        }
    }

    /// How many transfers were made.
    pub const fn sent(&self) -> u64 {
        self.sent
    }

    /// Hashes of what is not known to be final.
    pub fn open(&self) -> impl Iterator<Item = &B256> {
        self.open.keys()
    }

    /// Makes a new transfer and sends it to a random running validator.
    pub async fn send(&mut self, cluster: &Cluster, rng: &mut StdRng) {
        let Some(signer) = self.setup.users.iter().choose(rng).cloned() else {
            return;
        };
        let to = Address::repeat_byte(rng.random_range(0x80..0xff));
        let value = U256::from(rng.random_range(1..100_u64));
        let raw = self.sign(&signer, to, value, Bytes::new(), 21_000);
        self.sent += 1;
        Self::submit(cluster, rng, raw).await;
    }

    /// Has an administrator say whether a node validates.
    pub async fn instruct(&mut self, cluster: &Cluster, rng: &mut StdRng, change: Move) {
        let Move { node, validates } = change;
        let index = node % self.setup.administrators.len();
        let administrator = self.setup.administrators.get(index).cloned();
        let Some((administrator, node)) = administrator.zip(self.setup.nodes.get(node)) else {
            return;
        };
        let role = if validates {
            Role::Validator
        } else {
            Role::Observer
        };
        let call = IMembers::setNodeCall {
            key: B256::from_slice(node.public_key.as_ref()),
            role: role as u8,
        };
        let members = SystemContract::Members.address();
        let input = call.abi_encode().into();
        let raw = self.sign(&administrator, members, U256::ZERO, input, 1_000_000);
        Self::submit(cluster, rng, raw).await;
    }

    /// Has an administrator bond on a node so that it validates, the more the higher its number, or take all of it back.
    pub async fn bond(&mut self, cluster: &Cluster, rng: &mut StdRng, change: Move) {
        let Move { node, validates } = change;
        let index = node % self.setup.administrators.len();
        let administrator = self.setup.administrators.get(index).cloned();
        let Some((administrator, found)) = administrator.zip(self.setup.nodes.get(node)) else {
            return;
        };
        let key = B256::from_slice(found.public_key.as_ref());
        // A founder's node has this from genesis on.
        let more = node.checked_sub(self.setup.administrators.len());
        let more = more.map_or(0, |place| place.saturating_add(1));
        let amount = U256::from(BOND).saturating_add(U256::from(more));
        let (value, input) = if validates {
            (amount, IStake::bondCall { key }.abi_encode())
        } else {
            (U256::ZERO, IStake::unbondCall { key, amount }.abi_encode())
        };
        let stake = SystemContract::Stake.address();
        let raw = self.sign(&administrator, stake, value, input.into(), 1_000_000);
        Self::submit(cluster, rng, raw).await;
    }

    /// Signs an account's next transaction, which stays open until it is final.
    fn sign(
        &mut self,
        signer: &PrivateKeySigner,
        to: Address,
        value: U256,
        input: Bytes,
        gas_limit: u64,
    ) -> Bytes {
        let next = self.next.entry(signer.address()).or_default();
        let chain_id = self.setup.spec.chain_id;
        let raw = sign(signer, chain_id, *next, to, value, input, gas_limit);
        *next += 1;
        self.open.insert(keccak256(&raw), raw.clone());
        raw
    }

    async fn submit(cluster: &Cluster, rng: &mut StdRng, raw: Bytes) {
        if let Some((_, node)) = cluster.nodes().into_iter().choose(rng) {
            // Refused or lost: it stays open and is sent again.
            let _ = node.submit(raw).await;
        }
    }

    /// Sends everything open again, each to a random running validator, and forgets what is final.
    pub async fn retry(&mut self, cluster: &Cluster, rng: &mut StdRng) {
        let mut done = Vec::new();
        for (hash, raw) in &self.open {
            let Some((_, node)) = cluster.nodes().into_iter().choose(rng) else {
                return;
            };
            if node.transaction(*hash).await.is_some() {
                done.push(*hash);
            } else {
                let _ = node.submit(raw.clone()).await;
            }
        }
        for hash in done {
            self.open.remove(&hash);
        }
    }
}
