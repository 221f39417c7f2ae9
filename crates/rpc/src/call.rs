//! Calls without effect: `eth_call` and `eth_estimateGas`.

use crate::{
    account,
    dispatch::{Reply, reply},
    error::Error,
    method::Api,
    parameter::Params,
};
use alloy_eips::{BlockId, eip7825::MAX_TX_GAS_LIMIT_OSAKA};
use alloy_primitives::{KECCAK256_EMPTY, TxKind, U64, U256, keccak256};
use alloy_rpc_types_eth::{
    BlockOverrides, TransactionRequest,
    state::{AccountOverride, StateOverride},
};
use chain::{Node, Overrides};
use evm::{Call, CallOutcome};
use std::sync::Arc;
use types::{Account, Block, StateKey, StateValue};

/// `eth_call`.
pub(crate) async fn call(api: &Api, params: Params<'_>) -> Reply {
    let Question {
        request,
        at,
        base,
        overrides,
    } = Question::read(&api.node, params).await?;
    let most = api.limits.call_gas_max;
    let gas = request.gas.filter(|gas| *gas > 0).unwrap_or(most).min(most);
    // A call runs in the block itself, an estimate in the next one.
    let base_fee = base.header().base_fee_per_gas;
    let call = to_call(&api.node, request, gas, base_fee.unwrap_or_default())?;
    let _permit = api.calls.acquire().await.map_err(|_| Error::Timeout)?;
    match api.node.call_at(at, call, overrides).await? {
        CallOutcome::Success { output, .. } => reply(&output),
        failed => Err(failure(failed, gas)),
    }
}

/// `eth_estimateGas`.
pub(crate) async fn estimate(api: &Api, params: Params<'_>) -> Reply {
    let node = &api.node;
    let Question {
        request,
        at,
        base,
        overrides,
    } = Question::read(node, params).await?;
    let most = node.spec().limits.block_gas.min(MAX_TX_GAS_LIMIT_OSAKA);
    let gas = request.gas.filter(|gas| *gas > 0).unwrap_or(most).min(most);
    let base_fee = node.spec().fees.next_base_fee(base.header());
    let mut call = to_call(node, request, gas, base_fee)?;
    if let Some(affordable) = affordable_gas(node, at, &call, &overrides).await? {
        call.gas = gas.min(affordable);
    }
    let gas = call.gas;
    let _permit = api.calls.acquire().await.map_err(|_| Error::Timeout)?;
    match node.estimate_at(at, call, overrides).await? {
        Ok(gas) => reply(&U64::from(gas)),
        Err(failed) => Err(failure(failed, gas)),
    }
}

/// What both are asked.
struct Question {
    request: TransactionRequest,
    /// The block after which it is asked, if it is not the last.
    at: Option<u64>,
    /// That block.
    base: Arc<Block>,
    overrides: Overrides,
}

impl Question {
    async fn read(node: &Node, mut params: Params<'_>) -> Result<Self, Error> {
        let request: TransactionRequest = params.required()?;
        let block: Option<BlockId> = params.optional()?;
        let state: StateOverride = params.optional()?.unwrap_or_default();
        let block_overrides: BlockOverrides = params.optional()?.unwrap_or_default();
        params.end()?;
        if !block_overrides.is_empty() {
            return Err(Error::InvalidParams(
                "block overrides are not supported".to_owned(),
            ));
        }
        let at = account::state_at(node, block).await?;
        let base = match at {
            None => Arc::clone(&node.latest().block),
            Some(number) => {
                let absent = || Error::Failed("header not found".to_owned());
                node.body(number).await.ok_or_else(absent)?
            }
        };
        Ok(Self {
            request,
            at,
            base,
            overrides: overrides(node, at, state).await?,
        })
    }
}

/// The request as the EVM takes it, with this gas limit, in a block with this base fee.
fn to_call(
    node: &Node,
    request: TransactionRequest,
    gas: u64,
    base_fee: u64,
) -> Result<Call, Error> {
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
    if request
        .authorization_list
        .is_some_and(|list| !list.is_empty())
    {
        return invalid("authorizationList cannot be simulated here; give the gas limit yourself");
    }
    let fees = (
        request.gas_price,
        request.max_fee_per_gas,
        request.max_priority_fee_per_gas,
    );
    let Ok(input) = request.input.try_into_unique_input() else {
        return invalid(
            r#"both "data" and "input" are set and not equal. Please use "input" to pass transaction call data"#,
        );
    };
    Ok(Call {
        from: request.from.unwrap_or_default(),
        to: match request.to {
            Some(TxKind::Call(to)) => Some(to),
            Some(TxKind::Create) | None => None,
        },
        value: request.value.unwrap_or_default(),
        input: input.unwrap_or_default(),
        gas,
        gas_price: gas_price(fees, base_fee)?,
        access_list: request.access_list.unwrap_or_default(),
    })
}

/// What a call pays per gas: nothing unless it says so.
fn gas_price(
    fees: (Option<u128>, Option<u128>, Option<u128>),
    base_fee: u64,
) -> Result<u128, Error> {
    let invalid = |text: &str| Err(Error::InvalidParams(text.to_owned()));
    match fees {
        (None, None, None) => Ok(0),
        (Some(price), None, None) => Ok(price),
        (Some(_), _, _) => {
            invalid("both gasPrice and (maxFeePerGas or maxPriorityFeePerGas) specified")
        }
        (None, Some(cap), Some(tip)) if tip > cap => {
            invalid("max priority fee per gas higher than max fee per gas")
        }
        // Without a cap geth takes zero, which is no price at all.
        (None, None, Some(_)) => Ok(0),
        (None, Some(cap), tip) => {
            Ok(cap.min(u128::from(base_fee).saturating_add(tip.unwrap_or_default())))
        }
    }
}

/// The gas the caller can pay for beside the value; none if gas costs nothing.
async fn affordable_gas(
    node: &Node,
    at: Option<u64>,
    call: &Call,
    overrides: &Overrides,
) -> Result<Option<u64>, Error> {
    if call.gas_price == 0 {
        return Ok(None);
    }
    let key = StateKey::Account(call.from);
    let overridden = overrides.iter().find(|(overridden, _)| *overridden == key);
    let balance = match overridden {
        Some((_, StateValue::Account(account))) => account.balance,
        _ => node.account_at(at, call.from).await?.balance,
    };
    // Too little for the value is for the EVM to say.
    let left = balance.saturating_sub(call.value);
    Ok(Some((left / U256::from(call.gas_price)).saturating_to()))
}

/// State overrides as the EVM takes them.
async fn overrides(node: &Node, at: Option<u64>, state: StateOverride) -> Result<Overrides, Error> {
    let unsupported = |what: &str| Err(Error::InvalidParams(format!("state override: {what}")));
    let changed = |change: &AccountOverride| {
        change.balance.is_some() || change.nonce.is_some() || change.code.is_some()
    };
    let addresses: Vec<_> = state
        .iter()
        .filter(|(_, change)| changed(change))
        .map(|(address, _)| *address)
        .collect();
    let keys: Vec<_> = addresses.iter().copied().map(StateKey::Account).collect();
    let accounts = if keys.is_empty() {
        Vec::new()
    } else {
        node.read_at(at, keys).await?
    };
    let mut overrides = Overrides::new();
    for (address, value) in addresses.into_iter().zip(accounts) {
        let Some(change) = state.get(&address) else {
            continue;
        };
        let mut account = match value {
            StateValue::Account(account) => account,
            _ => Account::default(),
        };
        account.balance = change.balance.unwrap_or(account.balance);
        account.nonce = change.nonce.unwrap_or(account.nonce);
        if let Some(code) = &change.code {
            account.code_hash = if code.is_empty() {
                KECCAK256_EMPTY
            } else {
                keccak256(code)
            };
            overrides.push((
                StateKey::Code(account.code_hash),
                StateValue::Code(code.clone()),
            ));
        }
        overrides.push((StateKey::Account(address), StateValue::Account(account)));
    }
    for (address, change) in state {
        if change.move_precompile_to.is_some() {
            return unsupported("movePrecompileToAddress is not supported");
        }
        if change.state.is_some() {
            return unsupported("a whole state cannot be replaced here; use stateDiff");
        }
        for (slot, value) in change.state_diff.unwrap_or_default() {
            let value = U256::from_be_bytes(value.0);
            let value = if value.is_zero() {
                StateValue::Absent
            } else {
                StateValue::Slot(value)
            };
            overrides.push((StateKey::Slot(address, slot.into()), value));
        }
    }
    Ok(overrides)
}

/// Why a call with this much gas has no result.
fn failure(outcome: CallOutcome, gas: u64) -> Error {
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
        let price = |price, cap, tip| gas_price((price, cap, tip), 100);
        assert_eq!(price(None, None, None), Ok(0));
        assert_eq!(price(Some(7), None, None), Ok(7));
        assert_eq!(price(None, Some(500), None), Ok(100));
        assert_eq!(price(None, Some(500), Some(30)), Ok(130));
        assert_eq!(price(None, Some(120), Some(30)), Ok(120));
        assert_eq!(price(None, None, Some(30)), Ok(0));
        assert_eq!(
            price(None, Some(20), Some(30)).unwrap_err().to_string(),
            "max priority fee per gas higher than max fee per gas"
        );
        assert_eq!(
            price(Some(1), Some(20), None).unwrap_err().to_string(),
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
