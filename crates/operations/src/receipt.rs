//! Putting a record's receipt together from what the journal holds, and checking that it still proves what it says.

use std::{
    collections::BTreeSet,
    sync::{Mutex, PoisonError},
};

use alloy_primitives::{B256, FixedBytes, keccak256};
use db::Proven;
use proof::{Content, Failure, FormatError, Path, Receipt, Record, verify_claims};

/// Proofs of transactions that are remembered as sound; 2 MiB. Beyond it they are forgotten and checked anew.
const SOUND_MAX: usize = 1 << 15;

/// The receipt of a record. The same rows always give the same receipt; it has no content when `content` is erased.
pub fn compose(
    proven: Proven,
    id: B256,
    commitment: B256,
    content: Option<Content>,
) -> Result<Receipt, FormatError> {
    let mut receipt = Receipt::from_cbor(&proven.receipt)?;
    let path = Path {
        id,
        commitment,
        leaf_index: proven.leaf_index,
        siblings: proven.siblings,
    };
    receipt.record = Some(Record {
        log_index: proven.log_index,
        path,
        content,
    });
    receipt.check()?;
    Ok(receipt)
}

/// What stands between a damaged journal and whoever asks for a receipt: only receipts that verify go out.
///
/// Checking a certificate costs a pairing, which is milliseconds. The records of a batch share their certificate, byte
/// by byte, so it is checked once for all of them, and the rest, which is hashing, for each.
#[derive(Debug)]
pub struct Receipts {
    identity: FixedBytes<96>,
    /// Digests of proofs, as stored, whose certificates were checked.
    sound: Mutex<BTreeSet<B256>>,
}

impl Receipts {
    /// For receipts of the network with this identity.
    pub fn new(identity: FixedBytes<96>) -> Self {
        Self {
            identity,
            sound: Mutex::default(),
        }
    }

    /// [`compose`], and a check of everything that the receipt claims: steps and errors of [`proof::verify`].
    pub fn compose(
        &self,
        proven: Proven,
        id: B256,
        commitment: B256,
        content: Option<Content>,
    ) -> Result<Receipt, Failure> {
        let stored = keccak256(&proven.receipt);
        let receipt = compose(proven, id, commitment, content)?;
        if self.is_sound(&stored) {
            verify_claims(&receipt)?;
        } else {
            proof::verify(&receipt, Some(&self.identity))?;
            self.remember(stored);
        }
        Ok(receipt)
    }

    fn is_sound(&self, stored: &B256) -> bool {
        let sound = self.sound.lock().unwrap_or_else(PoisonError::into_inner);
        sound.contains(stored)
    }

    fn remember(&self, stored: B256) {
        let mut sound = self.sound.lock().unwrap_or_else(PoisonError::into_inner);
        if sound.len() >= SOUND_MAX {
            sound.clear();
        }
        sound.insert(stored);
    }
}
