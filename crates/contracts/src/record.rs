//! Calling `Records`.

use crate::{abi::IRecords, system::SystemContract};
use alloc::vec::Vec;
use alloy_primitives::{Address, B256, Bytes, keccak256};
use alloy_sol_types::SolCall;

/// Where `Records` stands from genesis on.
pub const RECORDS_ADDRESS: Address = SystemContract::Records.address();

/// How many records one call may carry. That many new ones take about 12.4 million gas, which fits the transaction gas
/// cap of EIP-7825.
pub const MAX_BATCH: usize = 512;

/// One record of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Entry {
    /// What the organization calls the record.
    pub key: B256,
    /// What it commits to; never zero.
    pub commitment: B256,
}

/// Why the contract would refuse a batch as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BatchError {
    /// There is nothing to record.
    #[error("the batch has no entry")]
    Empty,
    /// There is more than one call may carry.
    #[error("the batch has {size} entries, more than the {MAX_BATCH} one call may carry")]
    TooLarge {
        /// How many entries there are.
        size: usize,
    },
    /// A commitment is zero, which the contract reads as "not claimed".
    #[error("the commitment of entry {index} is zero")]
    ZeroCommitment {
        /// The first entry at fault.
        index: usize,
    },
}

/// The organization an account acts for. As long as the network keeps no register of members, every account is an
/// organization of its own: the address, left-padded with zeros.
#[must_use]
pub fn organization_of(account: Address) -> B256 {
    account.into_word()
}

/// The id of an organization's record: `keccak256(organization ‖ key)`.
#[must_use]
pub fn record_id(organization: B256, key: B256) -> B256 {
    keccak256(concat(organization, key))
}

/// The storage slot in which `Records` keeps the commitment of `id`: element `id` of the mapping at slot 0.
#[must_use]
pub fn commitment_slot(id: B256) -> B256 {
    keccak256(concat(id, B256::ZERO))
}

/// The calldata of `record(keys, commitments)`, refused here for the same reasons as there.
///
/// # Errors
/// When the contract would revert: no entry, more than [`MAX_BATCH`], or a commitment of zero.
pub fn encode_record(entries: &[Entry]) -> Result<Bytes, BatchError> {
    if entries.is_empty() {
        return Err(BatchError::Empty);
    }
    if entries.len() > MAX_BATCH {
        return Err(BatchError::TooLarge {
            size: entries.len(),
        });
    }
    if let Some(index) = entries.iter().position(|entry| entry.commitment.is_zero()) {
        return Err(BatchError::ZeroCommitment { index });
    }
    let call = IRecords::recordCall {
        keys: entries.iter().map(|entry| entry.key).collect(),
        commitments: entries
            .iter()
            .map(|entry| entry.commitment)
            .collect::<Vec<_>>(),
    };
    Ok(call.abi_encode().into())
}

fn concat(left: B256, right: B256) -> [u8; 64] {
    let mut bytes = [0; 64];
    bytes[..32].copy_from_slice(left.as_slice());
    bytes[32..].copy_from_slice(right.as_slice());
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    fn entry(key: u8, commitment: u8) -> Entry {
        Entry {
            key: B256::repeat_byte(key),
            commitment: B256::repeat_byte(commitment),
        }
    }

    #[test]
    fn a_batch_has_one_to_512_entries() {
        assert_eq!(encode_record(&[]), Err(BatchError::Empty));
        assert_eq!(
            encode_record(&vec![entry(1, 2); 513]),
            Err(BatchError::TooLarge { size: 513 })
        );
        assert!(encode_record(&vec![entry(1, 2); 512]).is_ok());
    }

    #[test]
    fn a_zero_commitment_is_named() {
        let batch = [entry(1, 1), entry(0, 1), entry(3, 0), entry(4, 0)];
        assert_eq!(
            encode_record(&batch),
            Err(BatchError::ZeroCommitment { index: 2 })
        );
    }

    #[test]
    fn the_calldata_is_two_arrays_of_words() {
        let data = encode_record(&[entry(0x11, 0x22)]).unwrap();
        let word = |value: u64| B256::from(alloy_primitives::U256::from(value)).to_vec();
        let expected = [
            IRecords::recordCall::SELECTOR.to_vec(),
            word(0x40),
            word(0x80),
            word(1),
            vec![0x11; 32],
            word(1),
            vec![0x22; 32],
        ]
        .concat();
        assert_eq!(data, expected);
    }

    #[test]
    fn an_organization_is_the_padded_address() {
        let padded = organization_of(RECORDS_ADDRESS);
        assert_eq!(padded[..12], [0; 12]);
        assert_eq!(&padded[12..18], b"ASHLAR");
    }
}
