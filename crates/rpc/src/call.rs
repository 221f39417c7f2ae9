//! Calls without effect: `eth_call`, `eth_estimateGas` and `eth_createAccessList`.

use crate::{
    account,
    dispatch::{Reply, reply},
    error::Error,
    method::Api,
    overrides::Setting,
    parameter::Params,
};
use alloy_eips::{BlockId, eip2930::AccessList};
use alloy_primitives::{TxKind, U64};
use alloy_rpc_types_eth::{BlockOverrides, TransactionRequest, state::StateOverride};
use chain::Node;
use evm::{Call, CallOutcome, CreateAccessList, Environment, Estimate, Estimated, Perform};
use serde::Serialize;

/// `eth_call`.
pub(crate) async fn call(api: &Api, params: Params<'_>) -> Reply {
    let Asked {
        request,
        at,
        setting,
    } = Asked::read(&api.node, params).await?;
    let gas = gas(&request, api.limits.call_gas_max);
    let call = to_call(&api.node, request, gas)?;
    // A call runs in the block itself, an estimate in the next one.
    let outcome = api.ask(at, move |ground| {
        Perform::new(setting.clone().on(ground.simulation()), call.clone())
    });
    match outcome.await? {
        CallOutcome::Success { output, .. } => reply(&output),
        failed => Err(failure(failed, gas)),
    }
}

/// `eth_estimateGas`.
pub(crate) async fn estimate(api: &Api, params: Params<'_>) -> Reply {
    let Asked {
        request,
        at,
        setting,
    } = Asked::read(&api.node, params).await?;
    let estimated = estimated(api, request, at, setting).await?;
    reply(&U64::from(estimated))
}

/// The gas that suffices for what is requested in the next block.
pub(crate) async fn estimated(
    api: &Api,
    request: TransactionRequest,
    at: Option<u64>,
    setting: Setting,
) -> Result<u64, Error> {
    let node = &api.node;
    let limit = node.latest().block.header().gas_limit;
    let most = limit.min(Environment::transaction_gas_max(
        node.upgrades().next_fork(),
    ));
    let gas = gas(&request, most);
    let call = to_call(node, request, gas)?;
    let estimated = api.ask(at, move |ground| {
        let now = ground.next();
        let later = Environment {
            timestamp: now.timestamp.saturating_add(1),
            ..now.clone()
        };
        let [now, later] =
            [now, later].map(|block| setting.clone().on(ground.simulation_in(block)));
        Estimate::new(now, later, call.clone())
    });
    let estimated: Estimated = estimated.await?;
    estimated.map_err(|(gas, failed)| failure(failed, gas))
}

/// The answer of `eth_createAccessList`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Listed {
    access_list: AccessList,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    gas_used: U64,
}

/// `eth_createAccessList`: the list with which a call is cheapest, and what it uses then, even if it fails.
pub(crate) async fn create_access_list(api: &Api, params: Params<'_>) -> Reply {
    let Asked {
        request,
        at,
        setting,
    } = Asked::read(&api.node, params).await?;
    let gas = gas(&request, api.limits.call_gas_max);
    let call = to_call(&api.node, request, gas)?;
    let listed = api.ask(at, move |ground| {
        CreateAccessList::new(setting.clone().on(ground.simulation()), call.clone())
    });
    let (access_list, outcome) = listed.await?;
    let error = match &outcome {
        CallOutcome::Success { .. } => None,
        CallOutcome::Invalid(invalid) => return Err(Error::Failed(invalid.to_string())),
        failed => Some(short(failed)),
    };
    reply(&Listed {
        access_list,
        error,
        gas_used: U64::from(outcome.gas_used()),
    })
}

/// What each of them is asked.
struct Asked {
    request: TransactionRequest,
    /// The block after which it is asked, if it is not the last.
    at: Option<u64>,
    setting: Setting,
}

impl Asked {
    async fn read(node: &Node, mut params: Params<'_>) -> Result<Self, Error> {
        let request: TransactionRequest = params.required()?;
        let block: Option<BlockId> = params.optional()?;
        let state: Option<StateOverride> = params.optional()?;
        let block_overrides: Option<BlockOverrides> = params.optional()?;
        params.end()?;
        let at = account::state_at(node, block).await?;
        Ok(Self {
            request,
            at,
            setting: Setting::new(node, at, state, block_overrides)?,
        })
    }
}

/// The gas a request asks for, or all that it may have.
pub(crate) fn gas(request: &TransactionRequest, most: u64) -> u64 {
    request.gas.filter(|gas| *gas > 0).unwrap_or(most).min(most)
}

/// The request as the EVM takes it, with this gas limit.
pub(crate) fn to_call(node: &Node, request: TransactionRequest, gas: u64) -> Result<Call, Error> {
    let invalid = |text: &str| Err(Error::InvalidParams(text.to_owned()));
    let spec = node.spec();
    if let Some(have) = request.chain_id
        && have != spec.chain_id
    {
        return Err(Error::InvalidParams(format!(
            "chainId does not match node's (have={have}, want={})",
            spec.chain_id
        )));
    }
    if request.blob_versioned_hashes.is_some() || request.sidecar.is_some() {
        return invalid("transaction type not supported: this chain has no blobs");
    }
    let to = match request.to {
        Some(TxKind::Call(to)) => Some(to),
        Some(TxKind::Create) | None => None,
    };
    let authorizations = request.authorization_list.unwrap_or_default();
    if to.is_none() && !authorizations.is_empty() {
        return invalid("EIP-7702 transaction cannot be used to create contract");
    }
    let (gas_price, tip) = price((
        request.gas_price,
        request.max_fee_per_gas,
        request.max_priority_fee_per_gas,
    ))?;
    let Ok(input) = request.input.try_into_unique_input() else {
        return invalid(
            r#"both "data" and "input" are set and not equal. Please use "input" to pass transaction call data"#,
        );
    };
    Ok(Call {
        from: request.from.unwrap_or_default(),
        to,
        value: request.value.unwrap_or_default(),
        input: input.unwrap_or_default(),
        nonce: request.nonce.unwrap_or_default(),
        gas,
        gas_price,
        tip,
        access_list: request.access_list.unwrap_or_default(),
        authorizations,
    })
}

/// What a call pays per gas at most, and above the base fee: nothing unless it says so.
fn price(fees: (Option<u128>, Option<u128>, Option<u128>)) -> Result<(u128, Option<u128>), Error> {
    let invalid = |text: &str| Err(Error::InvalidParams(text.to_owned()));
    match fees {
        (None, None, None) => Ok((0, None)),
        (Some(price), None, None) => Ok((price, None)),
        (Some(_), _, _) => {
            invalid("both gasPrice and (maxFeePerGas or maxPriorityFeePerGas) specified")
        }
        (None, Some(cap), Some(tip)) if tip > cap => {
            invalid("max priority fee per gas higher than max fee per gas")
        }
        // Without a cap geth takes zero, which is no price at all.
        (None, None, Some(_)) => Ok((0, None)),
        (None, Some(cap), tip) => Ok((cap, Some(tip.unwrap_or_default()))),
    }
}

/// Why a call with this much gas has no result.
pub(crate) fn failure(outcome: CallOutcome, gas: u64) -> Error {
    match outcome {
        CallOutcome::Revert { output, .. } => Error::Revert(output),
        CallOutcome::OutOfGas { .. } => Error::Failed(format!(
            "out of gas: gas required exceeds allowance ({gas})"
        )),
        CallOutcome::Halt { reason, .. } => Error::Failed(halt(&reason).to_owned()),
        CallOutcome::Invalid(invalid) => Error::Failed(invalid.to_string()),
        CallOutcome::Success { .. } => Error::Internal("a call that succeeded failed".to_owned()),
    }
}

/// What went wrong in a call, as geth says it where that is part of an answer.
pub(crate) fn short(outcome: &CallOutcome) -> String {
    match outcome {
        CallOutcome::Success { .. } => String::new(),
        CallOutcome::Revert { .. } => "execution reverted".to_owned(),
        CallOutcome::OutOfGas { .. } => "out of gas".to_owned(),
        CallOutcome::Halt { reason, .. } => halt(reason).to_owned(),
        CallOutcome::Invalid(invalid) => invalid.to_string(),
    }
}

/// geth's words for the EVM's exceptional halts; the EVM's own for those that geth does not tell apart.
fn halt(reason: &str) -> &str {
    match reason {
        "OpcodeNotFound" | "NotActivated" => "invalid opcode",
        "InvalidFEOpcode" => "invalid opcode: INVALID",
        "InvalidJump" => "invalid jump destination",
        "StackUnderflow" => "stack underflow",
        "StackOverflow" => "stack limit reached 1024",
        "OutOfOffset" => "return data out of bounds",
        "CreateCollision" => "contract address collision",
        "CreateContractSizeLimit" => "max code size exceeded",
        "CreateContractStartingWithEF" => "invalid code: must not begin with 0xef",
        "NonceOverflow" => "nonce uint64 overflow",
        "CallTooDeep" => "max call depth exceeded",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_primitives::Bytes;

    #[test]
    fn a_call_pays_only_what_it_says() {
        assert_eq!(price((None, None, None)), Ok((0, None)));
        assert_eq!(price((Some(7), None, None)), Ok((7, None)));
        assert_eq!(price((None, Some(500), None)), Ok((500, Some(0))));
        assert_eq!(price((None, Some(500), Some(30))), Ok((500, Some(30))));
        assert_eq!(price((None, None, Some(30))), Ok((0, None)));
        assert_eq!(
            price((None, Some(20), Some(30))).unwrap_err().to_string(),
            "max priority fee per gas higher than max fee per gas"
        );
        assert_eq!(
            price((Some(1), Some(20), None)).unwrap_err().to_string(),
            "both gasPrice and (maxFeePerGas or maxPriorityFeePerGas) specified"
        );
    }

    #[test]
    fn failures_speak_as_geth_does() {
        let revert = CallOutcome::Revert {
            output: Bytes::from_static(&[1]),
            gas_used: 1,
        };
        assert_eq!(failure(revert, 9), Error::Revert(Bytes::from_static(&[1])));
        for (outcome, text) in [
            (
                CallOutcome::OutOfGas { gas_used: 9 },
                "out of gas: gas required exceeds allowance (9)",
            ),
            (
                CallOutcome::Halt {
                    reason: "InvalidFEOpcode".to_owned(),
                    gas_used: 9,
                },
                "invalid opcode: INVALID",
            ),
            (
                CallOutcome::Halt {
                    reason: "PrecompileError".to_owned(),
                    gas_used: 9,
                },
                "PrecompileError",
            ),
            (
                CallOutcome::Invalid(evm::Invalid::IntrinsicGas {
                    have: 9,
                    want: 21000,
                }),
                "intrinsic gas too low: have 9, want 21000",
            ),
        ] {
            assert_eq!(failure(outcome, 9), Error::Failed(text.to_owned()));
        }
    }
}
