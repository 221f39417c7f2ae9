//! Who signs for an organization: an account that administers it.

use crate::{cli::SignerArgs, files::read_secret, network::dev_accounts};
use alloy_consensus::{SignableTransaction as _, TxEip1559, TxEnvelope};
use alloy_eips::eip2718::Encodable2718 as _;
use alloy_primitives::{Address, B256, TxKind, U256};
use alloy_signer::SignerSync as _;
use alloy_signer_local::PrivateKeySigner;
use alloy_sol_types::SolCall;
use anyhow::{Context as _, Result, bail};
use client::{
    governance::{Decided, Final, Governance, Unsigned},
    rpc::Nodes,
};
use contracts::SystemContract;

/// An account.
pub struct Wallet(PrivateKeySigner);

impl Wallet {
    /// Takes the key that was named.
    pub fn open(signer: &SignerArgs) -> Result<Self> {
        if let Some(path) = &signer.key_file {
            let text = read_secret(path)?;
            let key: B256 = text
                .trim()
                .parse()
                .with_context(|| format!("{} holds no private key in hex", path.display()))?;
            return Ok(Self(PrivateKeySigner::from_bytes(&key)?));
        }
        let index = signer.dev_account.context(
            "who decides? Name a key with --key-file FILE, or in a development network --dev-account N",
        )?;
        let mut accounts = dev_accounts()?.into_iter();
        let account = accounts.nth(index.into());
        account
            .map(Self)
            .with_context(|| format!("there is no development account {index}: choose 0 to 9"))
    }

    /// Which account it is.
    pub const fn address(&self) -> Address {
        self.0.address()
    }

    /// Calls a contract, and waits until that is final.
    ///
    /// # Errors
    /// Why it refused.
    pub async fn send<C: SolCall>(
        &self,
        nodes: &Nodes,
        contract: SystemContract,
        call: &C,
    ) -> Result<Final> {
        self.pay(nodes, contract, U256::ZERO, call).await
    }

    /// As [`Self::send`], with so many wei of the account.
    ///
    /// # Errors
    /// As [`Self::send`], and when the account has not so much.
    pub async fn pay<C: SolCall>(
        &self,
        nodes: &Nodes,
        contract: SystemContract,
        value: U256,
        call: &C,
    ) -> Result<Final> {
        let from = self.address();
        let governance = Governance(nodes);
        let prepared = governance.prepare_paying(from, contract, value, call);
        self.submit(nodes, prepared.await?).await
    }

    /// Signs a transaction that was prepared for this account, sends it, and waits until it is final.
    ///
    /// # Errors
    /// When it fails in its block.
    pub async fn submit(&self, nodes: &Nodes, prepared: Unsigned) -> Result<Final> {
        let transaction = TxEip1559 {
            chain_id: prepared.chain_id.to(),
            nonce: prepared.nonce.to(),
            gas_limit: prepared.gas.to(),
            max_fee_per_gas: prepared.max_fee_per_gas.to(),
            to: TxKind::Call(prepared.to),
            value: prepared.value,
            input: prepared.data,
            ..TxEip1559::default()
        };
        let signature = self.0.sign_hash_sync(&transaction.signature_hash())?;
        let raw = TxEnvelope::from(transaction.into_signed(signature)).encoded_2718();
        match Governance(nodes).submit(&raw.into()).await? {
            Decided::Done(done) => Ok(done),
            Decided::Overtaken(_) => bail!(
                "it failed in its block, though it would have passed just before: somebody was faster. Look again, and repeat it if it is still wanted"
            ),
        }
    }
}
