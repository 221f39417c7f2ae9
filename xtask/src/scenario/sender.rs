//! An account that sends transactions, one after the other, and waits for each.

use super::wire::Wire;
use alloy_consensus::{SignableTransaction as _, TxEip1559, TxEnvelope};
use alloy_eips::eip2718::Encodable2718 as _;
use alloy_primitives::{Address, Bytes, TxKind, U64, hex};
use alloy_signer::SignerSync as _;
use alloy_signer_local::PrivateKeySigner;
use anyhow::{Result, ensure};
use serde::Deserialize;
use serde_json::json;

/// Price of gas: more than enough on any network that is made for a scenario.
const GAS_PRICE: u128 = 100_000_000_000;

/// How long a node waits with its answer until the transaction is final, in milliseconds.
const PATIENCE_MS: u64 = 20_000;

/// The account.
#[derive(Debug)]
pub(crate) struct Sender {
    signer: PrivateKeySigner,
    wire: Wire,
    chain_id: u64,
    nonce: u64,
}

/// What became of a transaction.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Receipt {
    /// Where it is final.
    pub block_number: U64,
    /// What it made, if it is a contract.
    pub contract_address: Option<Address>,
    /// Its logs.
    pub logs: Vec<serde::de::IgnoredAny>,
    status: U64,
}

impl Sender {
    /// Opens a connection of its own.
    pub(crate) async fn open(rpc: &str, private_key: &str) -> Result<Self> {
        let signer: PrivateKeySigner = private_key.parse()?;
        let mut wire = Wire::open(rpc).await?;
        let chain_id: U64 = wire.call("eth_chainId", json!([])).await?;
        let of = json!([signer.address(), "pending"]);
        let nonce: U64 = wire.call("eth_getTransactionCount", of).await?;
        Ok(Self {
            signer,
            wire,
            chain_id: chain_id.to(),
            nonce: nonce.to(),
        })
    }

    /// Whose it is.
    pub(crate) const fn address(&self) -> Address {
        self.signer.address()
    }

    /// Sends a transaction with this much gas and returns when it is final and has succeeded.
    pub(crate) async fn send(&mut self, to: TxKind, input: Bytes, gas: u64) -> Result<Receipt> {
        let transaction = TxEip1559 {
            chain_id: self.chain_id,
            nonce: self.nonce,
            gas_limit: gas,
            max_fee_per_gas: GAS_PRICE,
            to,
            input,
            ..TxEip1559::default()
        };
        let signature = self.signer.sign_hash_sync(&transaction.signature_hash())?;
        let raw = TxEnvelope::from(transaction.into_signed(signature)).encoded_2718();
        let raw = json!([hex::encode_prefixed(raw), PATIENCE_MS]);
        let receipt: Receipt = self.wire.call("eth_sendRawTransactionSync", raw).await?;
        ensure!(!receipt.status.is_zero(), "a transaction failed");
        self.nonce += 1;
        Ok(receipt)
    }
}
