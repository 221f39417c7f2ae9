//! Accounts whose keys everybody knows: on development networks, and only there, the node signs for them.

use crate::{
    dispatch::{Reply, reply},
    error::Error,
    fill::{Filled, filled},
    method::Api,
    network::CLIENT_VERSION,
    parameter::Params,
    transaction,
};
use alloy_consensus::{SignableTransaction as _, TxEnvelope};
use alloy_dyn_abi::TypedData;
use alloy_eips::eip2718::Encodable2718 as _;
use alloy_primitives::{Address, B256, Bytes};
use alloy_rpc_types_eth::TransactionRequest;
use alloy_signer::{Signature, SignerSync as _};
use alloy_signer_local::PrivateKeySigner;
use serde::{Deserialize as _, Serialize};
use serde_json::value::RawValue;
use tokio::sync::Mutex;
use types::ChainSpec;

/// Methods that only a node with keys has.
pub(crate) const METHODS: [&str; 6] = [
    "eth_sendTransaction",
    "eth_sign",
    "eth_signTransaction",
    "eth_signTypedData_v4",
    "hardhat_metadata",
    "personal_sign",
];

/// The keys of a development network's accounts; none on any other.
#[derive(Debug, Default)]
pub(crate) struct Wallet {
    keys: Vec<PrivateKeySigner>,
    /// One transaction at a time: the nonce of the next is known when one was taken in.
    sending: Mutex<()>,
}

impl Wallet {
    /// Takes keys if the network's constitution says that it is one for development.
    pub(crate) fn new(spec: &ChainSpec, keys: Vec<PrivateKeySigner>) -> Self {
        Self {
            keys: if spec.dev { keys } else { Vec::new() },
            sending: Mutex::default(),
        }
    }

    /// Whether there are no keys here.
    pub(crate) const fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// The accounts, in order.
    pub(crate) fn accounts(&self) -> Vec<Address> {
        self.keys.iter().map(PrivateKeySigner::address).collect()
    }

    fn key(&self, address: Address) -> Result<&PrivateKeySigner, Error> {
        let mut keys = self.keys.iter();
        let key = keys.find(|key| key.address() == address);
        key.ok_or_else(|| Error::Failed("unknown account".to_owned()))
    }
}

/// `eth_sendTransaction`: filled, signed and taken in.
pub(crate) async fn send(api: &Api, mut params: Params<'_>) -> Reply {
    let request: TransactionRequest = params.required()?;
    params.end()?;
    let _one = api.wallet.sending.lock().await;
    let raw = signed(api, request).await?.encoded_2718();
    reply(&transaction::submit(&api.node, raw.into()).await?)
}

/// `eth_signTransaction`: a transaction, filled and signed.
pub(crate) async fn sign_transaction(api: &Api, mut params: Params<'_>) -> Reply {
    let request: TransactionRequest = params.required()?;
    params.end()?;
    reply(&Filled::from(signed(api, request).await?))
}

async fn signed(api: &Api, request: TransactionRequest) -> Result<TxEnvelope, Error> {
    let key = api.wallet.key(request.from.unwrap_or_default())?;
    let transaction = filled(api, request).await?.into_typed_transaction();
    let signature = sign(key, transaction.signature_hash())?;
    Ok(transaction.into_envelope(signature))
}

/// `eth_sign(address, data)`: as EIP-191 has it for messages.
pub(crate) fn sign_message(api: &Api, mut params: Params<'_>) -> Reply {
    let address: Address = params.required()?;
    let data: Bytes = params.required()?;
    params.end()?;
    message(api, address, &data)
}

/// `personal_sign(data, address, password)`: the same; there are no passwords.
pub(crate) fn sign_personal(api: &Api, mut params: Params<'_>) -> Reply {
    let data: Bytes = params.required()?;
    let address: Address = params.required()?;
    let _: Option<String> = params.optional()?;
    params.end()?;
    message(api, address, &data)
}

fn message(api: &Api, address: Address, data: &[u8]) -> Reply {
    let hash = alloy_primitives::eip191_hash_message(data);
    let signature = sign(api.wallet.key(address)?, hash)?;
    reply(&Bytes::from(signature.as_bytes()))
}

/// `eth_signTypedData_v4` (EIP-712).
pub(crate) fn sign_typed(api: &Api, mut params: Params<'_>) -> Reply {
    let address: Address = params.required()?;
    let data: &RawValue = params.required()?;
    params.end()?;
    let key = api.wallet.key(address)?;
    let invalid = |error: String| Error::InvalidParams(format!("invalid argument 1: {error}"));
    // Some clients send it as a text.
    let mut json = serde_json::Deserializer::from_str(data.get());
    let data: TypedData =
        TypedData::deserialize(&mut json).map_err(|error| invalid(error.to_string()))?;
    let hash = data
        .eip712_signing_hash()
        .map_err(|error| invalid(error.to_string()))?;
    reply(&Bytes::from(sign(key, hash)?.as_bytes()))
}

fn sign(key: &PrivateKeySigner, hash: B256) -> Result<Signature, Error> {
    key.sign_hash_sync(&hash)
        .map_err(|error| Error::Internal(error.to_string()))
}

/// The answer of `hardhat_metadata`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    client_version: &'static str,
    chain_id: u64,
    /// The same as long as the chain is the same.
    instance_id: B256,
    latest_block_number: u64,
    latest_block_hash: B256,
}

/// `hardhat_metadata`: Hardhat Ignition asks it of what it takes for a development network.
pub(crate) fn metadata(api: &Api, params: &Params<'_>) -> Reply {
    params.end()?;
    let latest = api.node.latest();
    reply(&Metadata {
        client_version: CLIENT_VERSION,
        chain_id: api.network.chain_id,
        instance_id: api.network.genesis_hash,
        latest_block_number: latest.number(),
        latest_block_hash: latest.hash,
    })
}
