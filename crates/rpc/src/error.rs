//! What can be wrong with a call, and the one place where that becomes a JSON-RPC error.

use crate::simulate::Refusal;
use alloy_primitives::{B256, Bytes};
use alloy_sol_types::{Panic, Revert, SolError as _};
use chain::{NodeError, SubmitError};
use evm::TraceError;
use serde::Serialize;
use serde_json::Value;
use std::time::Duration;
use types::TransactionError;

/// Why a call has no result. Texts are geth's wherever it has the case: clients recognise errors by
/// them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Error {
    #[error("parse error: {0}")]
    Parse(String),
    #[error("{0}")]
    InvalidRequest(String),
    #[error("the method {name} does not exist/is not available{}", hint(.reason))]
    NoMethod {
        name: String,
        reason: Option<&'static str>,
    },
    #[error("no \"{kind}\" subscription in {namespace} namespace{}", hint(.reason))]
    NoSubscription {
        kind: String,
        namespace: &'static str,
        reason: Option<&'static str>,
    },
    #[error("notifications not supported: subscriptions need a WebSocket, on this same port")]
    NoNotifications,
    #[error("{0}")]
    InvalidParams(String),
    /// The EVM reverted, with this data.
    #[error("execution reverted{}", revert_reason(.0))]
    Revert(Bytes),
    /// What was asked was understood and cannot be answered.
    #[error("{0}")]
    Failed(String),
    #[error(transparent)]
    Submit(#[from] SubmitError),
    #[error(transparent)]
    Node(#[from] NodeError),
    #[error(transparent)]
    Simulate(Box<Refusal>),
    /// A transaction that was taken in is not final yet.
    #[error("the transaction is in the mempool but was not final within {0:?}", .waited)]
    NotFinalYet { hash: B256, waited: Duration },
    #[error("filter not found")]
    NoFilter,
    #[error("subscription not found")]
    NoSubscriptionId,
    /// More than this node does for one caller.
    #[error("{0}")]
    Limit(String),
    #[error("response too large: more than {0} bytes")]
    ResponseTooLarge(usize),
    #[error("request timed out")]
    Timeout,
    #[error("internal error: {0}")]
    Internal(String),
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        Self::Simulate(Box::new(refusal))
    }
}

impl From<TraceError> for Error {
    fn from(error: TraceError) -> Self {
        match error {
            TraceError::TooLarge(_) | TraceError::Gas(_) => Self::Limit(error.to_string()),
            TraceError::Interrupted => Self::Timeout,
            TraceError::Invalid { .. } | TraceError::Tracer(_) => Self::Failed(error.to_string()),
        }
    }
}

/// A JSON-RPC error as it is sent.
#[derive(Debug, Serialize)]
pub(crate) struct ErrorObject {
    code: i64,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<Value>,
}

impl From<&Error> for ErrorObject {
    fn from(error: &Error) -> Self {
        let code = match error {
            Error::Parse(_) => -32700,
            Error::InvalidRequest(_) => -32600,
            Error::NoMethod { .. } | Error::NoSubscription { .. } | Error::NoNotifications => {
                -32601
            }
            // Bytes that are no transaction are a bad parameter; a transaction that is refused is not.
            Error::InvalidParams(_)
            | Error::Submit(SubmitError::Transaction(TransactionError::Malformed(_))) => -32602,
            Error::Internal(_) | Error::Node(NodeError::State(_)) => -32603,
            Error::Revert(_) => 3,
            Error::Simulate(refusal) => refusal.code(),
            // EIP-7966.
            Error::NotFinalYet { .. } => 4,
            Error::Failed(_)
            | Error::Submit(_)
            | Error::Node(NodeError::Unavailable | NodeError::StatePruned { .. })
            | Error::NoFilter
            | Error::NoSubscriptionId => -32000,
            // EIP-4444, as in geth.
            Error::Node(NodeError::BlockPruned { .. } | NodeError::LogsPruned { .. }) => 4444,
            // It is put again where there is no such bound.
            Error::Timeout | Error::Node(NodeError::Exhausted) => -32002,
            Error::ResponseTooLarge(_) => -32003,
            Error::Limit(_) => -32005,
        };
        let data = match error {
            Error::Revert(data) => Some(Value::String(data.to_string())),
            Error::NotFinalYet { hash, .. } => Some(Value::String(hash.to_string())),
            _ => None,
        };
        Self {
            code,
            message: error.to_string(),
            data,
        }
    }
}

fn hint(reason: &Option<&'static str>) -> String {
    reason
        .map(|reason| format!(": {reason}"))
        .unwrap_or_default()
}

/// Solidity's `Error(string)` and `Panic(uint256)` in words.
fn revert_reason(data: &[u8]) -> String {
    if let Ok(Revert { reason }) = Revert::abi_decode(data) {
        return format!(": {reason}");
    }
    match Panic::abi_decode(data) {
        Ok(panic) => match panic.kind() {
            Some(kind) => format!(": {}", kind.as_str()),
            None => format!(": unknown panic code: {:#x}", panic.code),
        },
        Err(_) => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_primitives::U256;
    use chain::mempool::Refused;
    use expect_test::{Expect, expect};

    #[track_caller]
    fn check(error: impl Into<Error>, expected: Expect) {
        let object = ErrorObject::from(&error.into());
        expected.assert_eq(&serde_json::to_string(&object).unwrap());
    }

    fn panic(code: u64) -> Bytes {
        Panic {
            code: U256::from(code),
        }
        .abi_encode()
        .into()
    }

    #[test]
    fn reverts_carry_their_data_and_reason() {
        check(
            Error::Revert(Bytes::new()),
            expect![[r#"{"code":3,"message":"execution reverted","data":"0x"}"#]],
        );
        let reason = Revert {
            reason: "not the owner".to_owned(),
        }
        .abi_encode()
        .into();
        check(
            Error::Revert(reason),
            expect![[
                r#"{"code":3,"message":"execution reverted: not the owner","data":"0x08c379a00000000000000000000000000000000000000000000000000000000000000020000000000000000000000000000000000000000000000000000000000000000d6e6f7420746865206f776e657200000000000000000000000000000000000000"}"#
            ]],
        );
        check(
            Error::Revert(panic(0x11)),
            expect![[
                r#"{"code":3,"message":"execution reverted: arithmetic underflow or overflow","data":"0x4e487b710000000000000000000000000000000000000000000000000000000000000011"}"#
            ]],
        );
        check(
            Error::Revert(panic(0x99)),
            expect![[
                r#"{"code":3,"message":"execution reverted: unknown panic code: 0x99","data":"0x4e487b710000000000000000000000000000000000000000000000000000000000000099"}"#
            ]],
        );
        // A custom error is the caller's to decode.
        check(
            Error::Revert(Bytes::from_static(&[1, 2, 3, 4])),
            expect![[r#"{"code":3,"message":"execution reverted","data":"0x01020304"}"#]],
        );
    }

    #[test]
    fn refused_transactions_speak_as_geth_does() {
        let refused = |refused| Error::Submit(SubmitError::Refused(refused));
        check(
            refused(Refused::AlreadyKnown),
            expect![[r#"{"code":-32000,"message":"already known"}"#]],
        );
        check(
            refused(evm::Invalid::NonceTooLow { tx: 1, state: 2 }.into()),
            expect![[r#"{"code":-32000,"message":"nonce too low: next nonce 2, tx nonce 1"}"#]],
        );
        let submit = |error| Error::Submit(SubmitError::Transaction(error));
        check(
            submit(TransactionError::ChainId {
                have: 1,
                want: 4242,
            }),
            expect![[
                r#"{"code":-32000,"message":"invalid chain id for signer: have 1 want 4242"}"#
            ]],
        );
        check(
            submit(TransactionError::Malformed("unexpected end".to_owned())),
            expect![[r#"{"code":-32602,"message":"unexpected end"}"#]],
        );
    }

    #[test]
    fn pruned_history_is_told_as_geth_tells_it() {
        check(
            NodeError::BlockPruned {
                asked: 7,
                first: 16_384,
            },
            expect![[
                r#"{"code":4444,"message":"pruned history unavailable: block 7 is not on this node, which has the blocks from 16384 on"}"#
            ]],
        );
        check(
            NodeError::LogsPruned { first: 16_384 },
            expect![[
                r#"{"code":4444,"message":"pruned history unavailable: this node has the logs of blocks from 16384 on, and earlier ones were asked for"}"#
            ]],
        );
    }

    #[test]
    fn what_is_missing_is_named() {
        check(
            Error::NoMethod {
                name: "eth_mine".to_owned(),
                reason: None,
            },
            expect![[
                r#"{"code":-32601,"message":"the method eth_mine does not exist/is not available"}"#
            ]],
        );
        check(
            Error::NoSubscription {
                kind: "logz".to_owned(),
                namespace: "eth",
                reason: None,
            },
            expect![[r#"{"code":-32601,"message":"no \"logz\" subscription in eth namespace"}"#]],
        );
        check(
            Error::NoFilter,
            expect![[r#"{"code":-32000,"message":"filter not found"}"#]],
        );
        check(
            Error::NotFinalYet {
                hash: B256::ZERO,
                waited: Duration::from_secs(2),
            },
            expect![[
                r#"{"code":4,"message":"the transaction is in the mempool but was not final within 2s","data":"0x0000000000000000000000000000000000000000000000000000000000000000"}"#
            ]],
        );
    }
}
