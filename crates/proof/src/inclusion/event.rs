//! `event Recorded(bytes32 indexed organization, bytes32 root, uint256 count, bytes claimed)` of the `Records` contract.
//!
//! The batch root is believed because of where it stands: in a log of this contract, whose code every validator ran.
//! A log of any other contract proves nothing, whatever it says.

use crate::inclusion::Log;
use alloc::vec::Vec;
use alloy_primitives::{Address, B256, Bytes, U256, address, b256};

/// The system contract `Records`, present from genesis in every Ashlar network.
pub const RECORDS: Address = address!("0x4153484c41520000000000000000000000000001");

/// keccak256 of `Recorded(bytes32,bytes32,uint256,bytes)`.
pub const RECORDED_TOPIC: B256 =
    b256!("0x77cab75f8022d0140d04188078f68144195a4d63acb52b5419cfaa365041454a");

/// A batch of records, as the chain saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// Who recorded.
    pub organization: B256,
    /// Merkle root over the newly claimed records (`path`).
    pub root: B256,
    /// How many leaves the tree has; at least one.
    pub count: u64,
    /// Empty when every entry of the call was newly claimed. Otherwise a bitmap over the entries: bit `i % 8` of byte
    /// `i / 8`, least significant first.
    pub claimed: Bytes,
}

impl Recorded {
    /// Reads the event, with the one ABI encoding the contract produces and no other.
    pub fn from_log(log: &Log) -> Result<Self, EventError> {
        if log.address != RECORDS {
            return Err(EventError::Emitter(log.address));
        }
        let organization = match log.topics.as_slice() {
            [RECORDED_TOPIC, organization] => *organization,
            topics => return Err(EventError::Topics(topics.to_vec())),
        };
        let mut data = log.data.as_ref();
        let root = B256::from(word(&mut data, "root")?);
        let count = integer(&mut data, "count")?;
        if integer(&mut data, "offset of claimed")? != 0x60 {
            return Err(EventError::Data("offset of claimed"));
        }
        let length = usize::try_from(integer(&mut data, "length of claimed")?).ok();
        let claimed = length
            .and_then(|length| data.get(..length))
            .ok_or(EventError::Data("length of claimed"))?;
        let padding = data.get(claimed.len()..).unwrap_or_default();
        let padded = claimed.len().next_multiple_of(32) - claimed.len();
        if padding.len() != padded || padding.iter().any(|byte| *byte != 0) {
            return Err(EventError::Data("padding of claimed"));
        }
        if count == 0 {
            return Err(EventError::Data("count"));
        }
        Ok(Self {
            organization,
            root,
            count,
            claimed: Bytes::copy_from_slice(claimed),
        })
    }

    /// Which of the call's `entries` became leaves, in leaf order. `None` if the event cannot be of such a call.
    ///
    /// A verifier does not need it; whoever makes receipts finds the leaf of an entry with it.
    pub fn leaves(&self, entries: usize) -> Option<Vec<usize>> {
        let claimed: Vec<usize> = if self.claimed.is_empty() {
            (0..entries).collect()
        } else if self.claimed.len() == entries.div_ceil(8) {
            let bits = self
                .claimed
                .iter()
                .flat_map(|byte| (0..8).map(move |bit| byte >> bit & 1 == 1));
            bits.enumerate()
                .filter_map(|(entry, set)| set.then_some(entry))
                .collect()
        } else {
            return None;
        };
        let fits =
            claimed.len() as u64 == self.count && claimed.last().is_none_or(|last| *last < entries);
        fits.then_some(claimed)
    }
}

/// Takes one 32-byte word off `data`.
fn word(data: &mut &[u8], field: &'static str) -> Result<[u8; 32], EventError> {
    let (word, rest) = data
        .split_first_chunk::<32>()
        .ok_or(EventError::Data(field))?;
    *data = rest;
    Ok(*word)
}

fn integer(data: &mut &[u8], field: &'static str) -> Result<u64, EventError> {
    U256::from_be_bytes(word(data, field)?)
        .try_into()
        .map_err(|_| EventError::Data(field))
}

/// Why a log is not the `Recorded` event.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EventError {
    /// Only one contract's word counts.
    #[error("it was emitted by {0}, not by {RECORDS}")]
    Emitter(Address),
    /// Another event, or one with the wrong number of topics.
    #[error("its topics are {0:?}, not {RECORDED_TOPIC} and an organization")]
    Topics(Vec<B256>),
    /// The event's data is not what the contract encodes.
    #[error("its data is not the ABI encoding of (root, count, claimed): {0}")]
    Data(&'static str),
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;
    use alloy_primitives::keccak256;

    #[test]
    fn topic_is_the_hash_of_the_signature() {
        assert_eq!(
            RECORDED_TOPIC,
            keccak256("Recorded(bytes32,bytes32,uint256,bytes)")
        );
    }

    #[test]
    fn leaves_follow_the_bitmap() {
        let recorded = |count, claimed: &'static [u8]| Recorded {
            organization: B256::ZERO,
            root: B256::ZERO,
            count,
            claimed: Bytes::from_static(claimed),
        };
        assert_eq!(recorded(3, &[]).leaves(3), Some(vec![0, 1, 2]));
        assert_eq!(
            recorded(2, &[]).leaves(3),
            None,
            "another number of entries"
        );
        assert_eq!(
            recorded(3, &[0b1000_0001, 0b10]).leaves(10),
            Some(vec![0, 7, 9])
        );
        assert_eq!(
            recorded(3, &[0b1000_0001, 0b10]).leaves(9),
            None,
            "a bit beyond the entries"
        );
        assert_eq!(
            recorded(3, &[0b1000_0001, 0b10]).leaves(17),
            None,
            "a bitmap of another length"
        );
        assert_eq!(
            recorded(2, &[0b1000_0001, 0b10]).leaves(10),
            None,
            "another number of leaves"
        );
    }
}
