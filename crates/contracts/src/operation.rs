//! Contract calls that accounts sign and relayers bring: what is signed, what is brought, and what was said of it.
//!
//! The contract is `contracts/src/interfaces/IOperations.sol`. An account runs operations once its code is [`delegation`]
//! (EIP-7702).

use crate::{abi::IOperations, system::SystemContract};
use alloc::{string::String, vec::Vec};
use alloy_primitives::{Address, B256, Bytes, Log, keccak256};
use alloy_sol_types::{
    Eip712Domain, SolCall, SolEvent, SolInterface, SolStruct, SolValue, eip712_domain,
};

pub use crate::abi::{IOperations::Signed, Operation};

/// The contract on networks of ours. On others it is deployed, at any address.
pub const ADDRESS: Address = SystemContract::Operations.address();
/// Most bytes of an answer or a reason in a log.
pub const RESULT_MAX: usize = 1024;
/// The namespace of what accounts keep: ERC-7201 of `ashlar.operations`.
const NAMESPACE: B256 =
    alloy_primitives::b256!("0xc6dbb6fcb2c44e991e2b47715c5aa57b6fe8f0a7bc9a3427c410ad5c7eabe400");

impl Operation {
    /// What the key of `account` signs.
    pub fn digest(&self, chain_id: u64, account: Address) -> B256 {
        self.eip712_signing_hash(&domain(chain_id, account))
    }

    /// What makes it another operation under the same key: target, value and data.
    pub fn call(&self) -> B256 {
        keccak256((self.target, self.value, keccak256(&self.data)).abi_encode())
    }
}

fn domain(chain_id: u64, account: Address) -> Eip712Domain {
    eip712_domain! {
        name: "Ashlar Operations",
        version: "1",
        chain_id: chain_id,
        verifying_contract: account,
    }
}

/// The code of an account that runs operations: the designation of the contract at `code` (EIP-7702).
pub fn delegation(code: Address) -> Bytes {
    [&[0xef, 0x01, 0x00], code.as_slice()].concat().into()
}

/// The calldata with which a relayer brings operations.
#[must_use]
pub fn encode_relay(operations: Vec<Signed>) -> Bytes {
    IOperations::relayCall { operations }.abi_encode().into()
}

/// What became of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Its operation has not run.
    None,
    /// Its operation runs: seen only from within.
    Running,
    /// It ran and returned.
    Succeeded,
    /// It ran and reverted.
    Failed,
}

impl Status {
    /// Reads an `IOperations.Status`.
    pub const fn decode(status: u8) -> Option<Self> {
        match status {
            0 => Some(Self::None),
            1 => Some(Self::Running),
            2 => Some(Self::Succeeded),
            3 => Some(Self::Failed),
            _ => None,
        }
    }
}

/// Where an account keeps what became of a key.
pub fn slot(key: B256) -> B256 {
    keccak256([key.0, NAMESPACE.0].concat())
}

/// What was said of an operation that was brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// It ran.
    Executed {
        /// Whose it is.
        account: Address,
        /// Its key.
        key: B256,
        /// Its [`Operation::call`].
        call: B256,
        /// Whether the call returned.
        succeeded: bool,
        /// What it returned or reverted with, at most [`RESULT_MAX`] bytes of it.
        result: Bytes,
    },
    /// It had run before.
    Repeated {
        /// Whose it is.
        account: Address,
        /// Its key.
        key: B256,
        /// What became of it.
        status: Status,
    },
    /// It could not run, and nothing happened.
    Refused {
        /// Whose it is.
        account: Address,
        /// Its key.
        key: B256,
        /// Why.
        reason: Refusal,
    },
}

impl Event {
    /// Reads a log of a transaction that called `relay` at `code`. None for what others said: an account's logs are
    /// believed about its own operations, and what was refused only if `code` says it.
    pub fn decode(log: &Log, code: Address) -> Option<Self> {
        let account = log.address;
        if account == code {
            let refused = IOperations::Refused::decode_log_data(&log.data).ok()?;
            return Some(Self::Refused {
                account: refused.account,
                key: refused.key,
                reason: Refusal::decode(&refused.reason),
            });
        }
        if let Ok(executed) = IOperations::Executed::decode_log_data(&log.data) {
            return Some(Self::Executed {
                account,
                key: executed.key,
                call: executed.call,
                succeeded: executed.succeeded,
                result: executed.result,
            });
        }
        let repeated = IOperations::Repeated::decode_log_data(&log.data).ok()?;
        Some(Self::Repeated {
            account,
            key: repeated.key,
            status: Status::decode(repeated.status)?,
        })
    }
}

/// Why an operation could not run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The account has not the code, or another.
    NotDelegated,
    /// The signature is not of the account's key, or of another operation.
    InvalidSignature,
    /// The key belongs to another call.
    KeyTaken(Status),
    /// Its deadline is over.
    Expired,
    /// What it follows has not ended.
    TooEarly(B256),
    /// The transaction had too little gas left.
    NotEnoughGas,
    /// Something else, which this version does not know.
    Other(Bytes),
}

impl Refusal {
    fn decode(reason: &Bytes) -> Self {
        use IOperations::IOperationsErrors as Errors;
        match Errors::abi_decode(reason) {
            Ok(Errors::NotDelegated(_)) => Self::NotDelegated,
            Ok(Errors::InvalidSignature(_)) => Self::InvalidSignature,
            Ok(Errors::KeyTaken(taken)) => Status::decode(taken.status)
                .map_or_else(|| Self::Other(reason.clone()), Self::KeyTaken),
            Ok(Errors::Expired(_)) => Self::Expired,
            Ok(Errors::TooEarly(early)) => Self::TooEarly(early.key),
            Ok(Errors::NotEnoughGas(_)) => Self::NotEnoughGas,
            // What runs out of gas while it is looked at says nothing.
            Err(_) if reason.is_empty() => Self::NotEnoughGas,
            _ => Self::Other(reason.clone()),
        }
    }
}

/// A reason of a call that reverted, if it is one of those that every contract gives: `Error(string)` or `Panic(uint256)`.
pub fn revert_reason(result: &[u8]) -> Option<String> {
    alloy_sol_types::decode_revert_reason(result)
}
