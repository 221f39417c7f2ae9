//! Step `inclusion`: from the block header to the transaction receipt, and to the one log in it that matters.
//!
//! The trie is Ethereum's: key = RLP(index of the transaction), value = the EIP-2718 transaction receipt. In a trie of
//! transaction receipts every value is longer than 32 bytes (the bloom alone is 256) and no key is a prefix of another,
//! so every node is referred to by its hash, branches hold no value, and the proof is a chain of nodes of which the
//! last one is the leaf. Anything else is refused.

mod event;
mod trie;

pub use event::{EventError, RECORDED_TOPIC, RECORDS, Recorded};
pub use trie::{TrieError, prove_index};

use alloc::vec::Vec;
use alloy_primitives::{Address, B256, Bytes};
use alloy_rlp::{Decodable, Error as RlpError};

/// What a verifier needs of an EVM transaction receipt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransactionReceipt {
    /// Whether the transaction took effect. One that was reverted is in the block, and emitted nothing.
    pub succeeded: bool,
    /// Its logs, in order.
    pub logs: Vec<Log>,
}

/// An EVM log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    /// The contract that emitted it.
    pub address: Address,
    /// Up to four indexed words; the first one names the event.
    pub topics: Vec<B256>,
    /// The rest, ABI encoded.
    pub data: Bytes,
}

impl TransactionReceipt {
    /// Decodes an EIP-2718 transaction receipt: `type ‖ rlp([status, cumulative gas, bloom, logs])`, where a legacy one
    /// has no type byte. Receipts from before Byzantium, which carry a state root for a status, do not occur.
    pub fn decode(encoded: &[u8]) -> Result<Self, RlpError> {
        // EIP-2718: a first byte up to 0x7f is a type; a legacy receipt starts as an RLP list, at 0xc0 or above.
        let mut rest = match encoded.split_first() {
            Some((1..=0x7f, rlp)) => rlp,
            _ => encoded,
        };
        let fields = &mut alloy_rlp::Header::decode_bytes(&mut rest, true)?;
        let succeeded = bool::decode(fields)?;
        let _cumulative_gas = u64::decode(fields)?;
        let _bloom = <[u8; 256]>::decode(fields)?;
        let items = &mut alloy_rlp::Header::decode_bytes(fields, true)?;
        if !rest.is_empty() || !fields.is_empty() {
            return Err(RlpError::UnexpectedLength);
        }
        let mut logs = Vec::new();
        while !items.is_empty() {
            logs.push(Log::decode(items)?);
        }
        Ok(Self { succeeded, logs })
    }
}

impl Log {
    fn decode(items: &mut &[u8]) -> Result<Self, RlpError> {
        let fields = &mut alloy_rlp::Header::decode_bytes(items, true)?;
        let address = Address::decode(fields)?;
        let words = &mut alloy_rlp::Header::decode_bytes(fields, true)?;
        let mut topics = Vec::new();
        while !words.is_empty() {
            if topics.len() == 4 {
                return Err(RlpError::Custom("more than four topics"));
            }
            topics.push(B256::decode(words)?);
        }
        let data = Bytes::decode(fields)?;
        if !fields.is_empty() {
            return Err(RlpError::UnexpectedLength);
        }
        Ok(Self {
            address,
            topics,
            data,
        })
    }
}

/// Proves the transaction receipt at `transaction_index` under `receipts_root`, and decodes it.
pub fn verify_inclusion(
    receipts_root: &B256,
    transaction_index: u64,
    proof: &[Bytes],
) -> Result<TransactionReceipt, InclusionError> {
    let encoded = prove_index(receipts_root, transaction_index, proof)?;
    TransactionReceipt::decode(encoded).map_err(InclusionError::Receipt)
}

/// The `Recorded` event at `log_index` of a proved transaction receipt.
pub fn recorded_log(
    receipt: &TransactionReceipt,
    log_index: u64,
) -> Result<Recorded, InclusionError> {
    if !receipt.succeeded {
        return Err(InclusionError::Failed);
    }
    let log = usize::try_from(log_index)
        .ok()
        .and_then(|index| receipt.logs.get(index));
    let log = log.ok_or(InclusionError::NoLog {
        log_index,
        logs: receipt.logs.len(),
    })?;
    Recorded::from_log(log).map_err(|reason| InclusionError::Log { log_index, reason })
}

/// Why the file does not prove what its header's block did.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InclusionError {
    /// The trie proof does not lead from the root to a value.
    #[error(transparent)]
    Trie(#[from] TrieError),
    /// The proved value is not a transaction receipt.
    #[error("the proved value is not an EIP-2718 transaction receipt: {0}")]
    Receipt(RlpError),
    /// A record needs a transaction that took effect.
    #[error("the transaction failed, so it recorded nothing")]
    Failed,
    /// The transaction receipt has fewer logs.
    #[error("there is no log {log_index}: the transaction receipt has {logs}")]
    NoLog {
        /// The log asked for.
        log_index: u64,
        /// How many there are.
        logs: usize,
    },
    /// The log is something else.
    #[error("log {log_index} is not a Recorded event of the Records contract: {reason}")]
    Log {
        /// The log.
        log_index: u64,
        /// What it is instead.
        reason: EventError,
    },
}
