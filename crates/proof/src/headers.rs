//! Step `headers`: from the record's block to the block that was certified.
//!
//! No certificate is promised for every height, so the general form of a proof is a chain of headers: each one's hash
//! is the next one's parent hash, and the last one is certified. A block's hash is keccak256 of its RLP header, as
//! everywhere in Ethereum, so the bytes of each header but the last are fixed by the next, and the last by the
//! signature; nothing in a header needs to be believed before that, and nothing can be changed.

use alloy_primitives::{Address, B64, B256, Bytes, U256, keccak256};
use alloy_rlp::{Decodable, Error as RlpError};

/// Fields after the fifteen of the Yellow Paper and up to here are allowed: forks append fields.
const FIELDS_MAX: usize = 32;

/// What a verifier needs of an Ethereum block header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// keccak256 of the whole header: the block's hash.
    pub hash: B256,
    /// The hash of the block before.
    pub parent_hash: B256,
    /// Root of the state after the block. Not a Merkle-Patricia root: Ashlar's state tree is its own.
    pub state_root: B256,
    /// Root of the trie of the block's transactions.
    pub transactions_root: B256,
    /// Root of the trie of the block's transaction receipts.
    pub receipts_root: B256,
    /// Height.
    pub number: u64,
    /// Seconds since 1970, UTC. The milliseconds are behind the commitment in `extra_data`.
    pub timestamp: u64,
    /// Commits to what Ethereum's header has no field for.
    pub extra_data: Bytes,
}

/// The hash of the block with this RLP header.
pub fn header_hash(rlp: &[u8]) -> B256 {
    keccak256(rlp)
}

/// Checks that `headers` form a chain of consecutive blocks, and returns them decoded: the first is the one that is
/// proved, the last the one to be certified. At least one.
pub fn verify_headers(headers: &[Bytes]) -> Result<(Header, Header), HeadersError> {
    let decode = |position: usize, rlp: &Bytes| {
        Header::decode(rlp).map_err(|reason| HeadersError::Malformed { position, reason })
    };
    let (first, rest) = headers.split_first().ok_or(HeadersError::Empty)?;
    let first = decode(0, first)?;
    let mut last = first.clone();
    for (position, rlp) in (1..).zip(rest) {
        let header = decode(position, rlp)?;
        if header.parent_hash != last.hash {
            return Err(HeadersError::Broken {
                position,
                named: header.parent_hash,
                actual: last.hash,
            });
        }
        if last.number.checked_add(1) != Some(header.number) {
            return Err(HeadersError::Height {
                position,
                number: header.number,
                parent: last.number,
            });
        }
        last = header;
    }
    Ok((first, last))
}

impl Header {
    /// Decodes an RLP header: the fifteen fields of the Yellow Paper with their exact types and lengths, then at most
    /// 17 byte strings that later forks appended and this format does not interpret.
    pub fn decode(rlp: &[u8]) -> Result<Self, RlpError> {
        let mut rest = rlp;
        let fields = &mut alloy_rlp::Header::decode_bytes(&mut rest, true)?;
        if !rest.is_empty() {
            return Err(RlpError::UnexpectedLength);
        }
        let parent_hash = B256::decode(fields)?;
        let _ommers_hash = B256::decode(fields)?;
        let _beneficiary = Address::decode(fields)?;
        let state_root = B256::decode(fields)?;
        let transactions_root = B256::decode(fields)?;
        let receipts_root = B256::decode(fields)?;
        let _logs_bloom = <[u8; 256]>::decode(fields)?;
        let _difficulty = U256::decode(fields)?;
        let number = u64::decode(fields)?;
        let _gas_limit = u64::decode(fields)?;
        let _gas_used = u64::decode(fields)?;
        let timestamp = u64::decode(fields)?;
        let extra_data = Bytes::decode(fields)?;
        let _prev_randao = B256::decode(fields)?;
        let _nonce = B64::decode(fields)?;
        let mut count = 15;
        while !fields.is_empty() {
            count += 1;
            if count > FIELDS_MAX {
                return Err(RlpError::Custom("more than 32 fields"));
            }
            alloy_rlp::Header::decode_bytes(fields, false)?;
        }
        let hash = header_hash(rlp);
        Ok(Self {
            hash,
            parent_hash,
            state_root,
            transactions_root,
            receipts_root,
            number,
            timestamp,
            extra_data,
        })
    }
}

/// Why a list of headers is not a chain.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HeadersError {
    /// Nothing to prove anything with.
    #[error("there is no header")]
    Empty,
    /// Not an Ethereum header.
    #[error("header {position} is not an RLP block header: {reason}")]
    Malformed {
        /// Position in the list.
        position: usize,
        /// What the decoder met.
        reason: RlpError,
    },
    /// Not the child of the header before.
    #[error("header {position} names {named} as its parent, but header {} hashes to {actual}", position - 1)]
    Broken {
        /// Position in the list.
        position: usize,
        /// The parent hash it carries.
        named: B256,
        /// The hash of the header before it.
        actual: B256,
    },
    /// A child must be one higher.
    #[error("header {position} is at height {number}, but its parent is at {parent}")]
    Height {
        /// Position in the list.
        position: usize,
        /// Its height.
        number: u64,
        /// The height of the header before it.
        parent: u64,
    },
}
