//! Why transactions are no longer in the pool: kept for a while, for whoever asks.

use alloy_primitives::B256;
use std::collections::{HashMap, VecDeque};

/// Why a transaction left the pool without being final.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fate {
    /// Its sender replaced it.
    #[error("replaced by {0}, which has the same nonce and pays more")]
    Replaced(B256),
    /// Its nonce was used by another transaction, which is final.
    #[error("its nonce was used by another transaction, which is final")]
    NonceUsed,
    /// The pool was full, and others had a better claim.
    #[error("the mempool was full, and others paid more or had fewer waiting")]
    Evicted,
    /// It waited too long.
    #[error("it waited too long")]
    Expired,
    /// It cannot be executed (any more).
    #[error("{0}")]
    Invalid(evm::Invalid),
}

/// Fates remembered; the oldest go first. About 2 MiB.
const FATES_MAX: usize = 16_384;

/// The last transactions that left.
#[derive(Clone, Debug, Default)]
pub(super) struct Fates {
    by_hash: HashMap<B256, Fate>,
    order: VecDeque<B256>,
}

impl Fates {
    pub(super) fn note(&mut self, hash: B256, fate: Fate) {
        if self.by_hash.insert(hash, fate).is_some() {
            return;
        }
        self.order.push_back(hash);
        if self.order.len() > FATES_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.by_hash.remove(&oldest);
        }
    }

    pub(super) fn of(&self, hash: &B256) -> Option<&Fate> {
        self.by_hash.get(hash)
    }
}
