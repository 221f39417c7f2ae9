//! Clients of the network: accounts that transfer, keeping what they sent until it is final.

use crate::{cluster::Cluster, committee::Setup};
use alloy_consensus::{SignableTransaction as _, TxEip1559, TxEnvelope};
use alloy_eips::eip2718::Encodable2718 as _;
use alloy_primitives::{Address, B256, Bytes, TxKind, U256, keccak256};
use alloy_signer::SignerSync as _;
use alloy_signer_local::PrivateKeySigner;
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

/// Accounts that transfer to each other.
pub struct Transfers {
    setup: Setup,
    next: Vec<u64>,
    /// What was sent, by hash, until it is seen final.
    open: BTreeMap<B256, Bytes>,
    sent: u64,
}

impl Transfers {
    /// Nothing sent yet.
    pub fn new(setup: &Setup) -> Self {
        let next = setup.users.iter().map(|_| 0).collect();
        Self {
            setup: setup.clone(),
            next,
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
        let user = rng.random_range(0..self.setup.users.len());
        let Some((signer, next)) = self.setup.users.get(user).zip(self.next.get_mut(user)) else {
            return;
        };
        let to = Address::repeat_byte(rng.random_range(0x80..0xff));
        let value = U256::from(rng.random_range(1..100_u64));
        let raw = sign(
            signer,
            self.setup.spec.chain_id,
            *next,
            to,
            value,
            Bytes::new(),
            21_000,
        );
        *next += 1;
        self.sent += 1;
        self.open.insert(keccak256(&raw), raw.clone());
        if let Some((_, node)) = cluster.nodes().choose(rng) {
            // Refused or lost: it stays open and is sent again.
            let _ = node.submit(raw).await;
        }
    }

    /// Sends everything open again, each to a random running validator, and forgets what is final.
    pub async fn retry(&mut self, cluster: &Cluster, rng: &mut StdRng) {
        let mut done = Vec::new();
        for (hash, raw) in &self.open {
            let Some((_, node)) = cluster.nodes().choose(rng) else {
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
