//! Signature recovery: once per transaction and node, in parallel, remembered by hash.

use alloy_primitives::{B256, Bytes, keccak256};
use commonware_parallel::Strategy;
use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, PoisonError},
};
use types::{Transaction, TransactionError};

/// Recovered transactions remembered. A transaction is recovered when it enters the mempool and
/// needed again when its block is checked, seconds later; at 0.5 kB each this is about 64 MiB.
const REMEMBERED: usize = 1 << 17;

/// Turns raw bytes into recovered transactions, paying for each signature once.
#[derive(Clone, Debug)]
pub struct Recovery {
    chain_id: u64,
    memory: Arc<Mutex<Memory>>,
}

#[derive(Debug, Default)]
struct Memory {
    by_hash: HashMap<B256, Arc<Transaction>>,
    /// Insertion order, for forgetting the oldest.
    order: VecDeque<B256>,
}

impl Recovery {
    /// Recovers transactions of this chain.
    pub fn new(chain_id: u64) -> Self {
        Self {
            chain_id,
            memory: Arc::default(),
        }
    }

    /// Recovers one transaction.
    ///
    /// # Errors
    /// Why the bytes are no transaction of this chain.
    pub fn recover(&self, raw: Bytes) -> Result<Arc<Transaction>, TransactionError> {
        let hash = keccak256(&raw);
        if let Some(known) = self.lookup(&[hash]).pop().flatten() {
            return Ok(known);
        }
        let transaction = Arc::new(Transaction::recover(raw, self.chain_id)?);
        self.remember(std::slice::from_ref(&transaction));
        Ok(transaction)
    }

    /// Recovers all transactions of a block, spreading the work as `strategy` says, or names the
    /// first that is none.
    ///
    /// # Errors
    /// The index of the first bad transaction, and why it is bad.
    pub fn recover_all(
        &self,
        strategy: &impl Strategy,
        raws: &[Bytes],
    ) -> Result<Vec<Arc<Transaction>>, (usize, TransactionError)> {
        let hashes = strategy.map_collect_vec(raws, keccak256);
        let known = self.lookup(&hashes);
        let unknown: Vec<Bytes> = known
            .iter()
            .zip(raws)
            .filter(|(known, _)| known.is_none())
            .map(|(_, raw)| raw.clone())
            .collect();
        let chain_id = self.chain_id;
        let mut recovered = strategy
            .map_collect_vec(&unknown, |raw| Transaction::recover(raw.clone(), chain_id))
            .into_iter();
        let mut fresh = Vec::with_capacity(unknown.len());
        let mut transactions = Vec::with_capacity(raws.len());
        for (index, known) in known.into_iter().enumerate() {
            let transaction = match known {
                Some(known) => known,
                None => match recovered.next() {
                    Some(Ok(transaction)) => {
                        let transaction = Arc::new(transaction);
                        fresh.push(Arc::clone(&transaction));
                        transaction
                    }
                    Some(Err(error)) => return Err((index, error)),
                    None => break,
                },
            };
            transactions.push(transaction);
        }
        self.remember(&fresh);
        Ok(transactions)
    }

    fn lookup(&self, hashes: &[B256]) -> Vec<Option<Arc<Transaction>>> {
        let memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        hashes
            .iter()
            .map(|hash| memory.by_hash.get(hash).cloned())
            .collect()
    }

    fn remember(&self, transactions: &[Arc<Transaction>]) {
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        for transaction in transactions {
            let hash = transaction.hash();
            if memory
                .by_hash
                .insert(hash, Arc::clone(transaction))
                .is_none()
            {
                memory.order.push_back(hash);
            }
        }
        while memory.order.len() > REMEMBERED {
            if let Some(oldest) = memory.order.pop_front() {
                memory.by_hash.remove(&oldest);
            }
        }
    }
}
