//! Transactions that lack something: `eth_fillTransaction`.

use crate::{
    call::{estimated, to_call},
    dispatch::{Reply, reply},
    error::Error,
    fee,
    method::Api,
    overrides::Setting,
    parameter::Params,
};
use alloy_consensus::{Transaction as _, TxEnvelope};
use alloy_eips::eip2718::Encodable2718 as _;
use alloy_primitives::{Bytes, U128};
use alloy_rpc_types_eth::TransactionRequest;
use serde::Serialize;

/// A transaction, in bytes and in fields.
#[derive(Debug, Serialize)]
pub(crate) struct Filled {
    raw: Bytes,
    tx: Fields,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Fields {
    #[serde(flatten)]
    tx: TxEnvelope,
    /// The most it may cost, as Ethereum's specification wants where there is a cap instead of a price.
    #[serde(skip_serializing_if = "Option::is_none")]
    gas_price: Option<U128>,
}

impl From<TxEnvelope> for Filled {
    fn from(tx: TxEnvelope) -> Self {
        let gas_price = tx
            .gas_price()
            .is_none()
            .then(|| U128::from(tx.max_fee_per_gas()));
        Self {
            raw: tx.encoded_2718().into(),
            tx: Fields { tx, gas_price },
        }
    }
}

/// `eth_fillTransaction`.
pub(crate) async fn fill(api: &Api, mut params: Params<'_>) -> Reply {
    let request: TransactionRequest = params.required()?;
    params.end()?;
    reply(&Filled::from(filled(api, request).await?))
}

/// What is requested, with nonce, fees and gas as they should be for the next block, and a signature of zero.
pub(crate) async fn filled(
    api: &Api,
    mut request: TransactionRequest,
) -> Result<TxEnvelope, Error> {
    if request.to.is_none() && request.input.input().is_none_or(|input| input.is_empty()) {
        return Err(Error::Failed(
            "contract creation without any data provided".to_owned(),
        ));
    }
    if request.gas_price.is_none() {
        let tip = match request.max_priority_fee_per_gas {
            Some(tip) => tip,
            None => fee::suggested_tip(&api.node).await,
        };
        let base_fee = u128::from(fee::next_base_fee(&api.node, &api.node.latest()));
        if matches!(request.transaction_type, Some(0 | 1)) {
            // Who asks for a type from before EIP-1559 must not get a later one.
            request.gas_price = Some(base_fee.saturating_add(tip));
        } else {
            // Twice the base fee, as in geth: it may rise while the transaction waits.
            let cap = base_fee.saturating_mul(2).saturating_add(tip);
            request.max_priority_fee_per_gas = Some(tip);
            request.max_fee_per_gas.get_or_insert(cap);
        }
    }
    if request.nonce.is_none() {
        let from = request.from.unwrap_or_default();
        request.nonce = Some(api.node.next_nonce(from).await?);
    }
    let gas = match request.gas {
        Some(gas) => gas,
        None => {
            let request = TransactionRequest {
                // A market's price is for whoever pays it to afford; what gas is needed does not depend on it.
                gas_price: None,
                max_fee_per_gas: None,
                max_priority_fee_per_gas: None,
                ..request.clone()
            };
            estimated(api, request, None, Setting::default()).await?
        }
    };
    let call = to_call(&api.node, request, gas)?;
    Ok(call.unsigned(api.node.spec().chain_id))
}
