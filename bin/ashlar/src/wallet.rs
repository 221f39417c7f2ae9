//! Who signs for an organization: an account that administers it.

use crate::{cli::SignerArgs, files::read_secret, network::dev_accounts};
use alloy_consensus::{SignableTransaction as _, TxEip1559, TxEnvelope};
use alloy_eips::eip2718::Encodable2718 as _;
use alloy_primitives::{Address, B256, Bytes, Log, LogData, TxKind, U64, U128};
use alloy_signer::SignerSync as _;
use alloy_signer_local::PrivateKeySigner;
use alloy_sol_types::SolCall;
use anyhow::{Context as _, Result, ensure};
use client::{governance::GovernanceError, rpc::Nodes};
use contracts::SystemContract;
use serde::Deserialize;
use serde_json::json;

/// Milliseconds a transaction is waited for.
const PATIENCE_MS: u64 = 20_000;

/// An account.
pub struct Wallet(PrivateKeySigner);

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Block {
    base_fee_per_gas: U128,
}

#[derive(Deserialize)]
struct Receipt {
    status: U64,
    logs: Vec<Logged>,
}

#[derive(Deserialize)]
struct Logged {
    address: Address,
    topics: Vec<B256>,
    data: Bytes,
}

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

    /// Calls a contract, and waits until that is final.
    ///
    /// # Errors
    /// Why it refused.
    pub async fn send<C: SolCall>(
        &self,
        nodes: &Nodes,
        contract: SystemContract,
        call: &C,
    ) -> Result<Vec<Log>> {
        let (from, to) = (self.0.address(), contract.address());
        let input = Bytes::from(call.abi_encode());
        let request = json!({ "from": from, "to": to, "data": input });
        // A call that would fail says why here.
        let gas: U64 = nodes
            .call("eth_estimateGas", [request])
            .await
            .map_err(GovernanceError::from)?;
        let chain_id: U64 = nodes.call("eth_chainId", [(); 0]).await?;
        let nonce: U64 = nodes
            .call("eth_getTransactionCount", (from, "pending"))
            .await?;
        let block: Block = nodes
            .call("eth_getBlockByNumber", ("latest", false))
            .await?;
        let transaction = TxEip1559 {
            chain_id: chain_id.to(),
            nonce: nonce.to(),
            // The state may be another by then.
            gas_limit: gas.to::<u64>().saturating_mul(2),
            max_fee_per_gas: block.base_fee_per_gas.to::<u128>().saturating_mul(2),
            to: TxKind::Call(to),
            input,
            ..TxEip1559::default()
        };
        let signature = self.0.sign_hash_sync(&transaction.signature_hash())?;
        let raw = TxEnvelope::from(transaction.into_signed(signature)).encoded_2718();
        let receipt: Receipt = nodes
            .call(
                "eth_sendRawTransactionSync",
                (Bytes::from(raw), PATIENCE_MS),
            )
            .await?;
        ensure!(
            receipt.status == U64::ONE,
            "it failed in its block, though it would have passed just before: somebody was faster. Look again, and repeat it if it is still wanted"
        );
        let logs = receipt.logs.into_iter().map(|log| Log {
            address: log.address,
            data: LogData::new_unchecked(log.topics, log.data),
        });
        Ok(logs.collect())
    }
}
