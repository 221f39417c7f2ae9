//! Who hears of final blocks: a window of the latest ones, and a bell.

use alloy_primitives::B256;
use commonware_utils::channel::watch;
use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
};
use types::{Block, Transaction, TransactionReceipt};

/// Final blocks kept in memory for readers near the head; older ones come from disk.
const WINDOW: usize = 128;

/// A final block with what it did.
#[derive(Clone, Debug)]
pub struct Finalized {
    /// The block.
    pub block: Arc<Block>,
    /// Its Ethereum hash.
    pub hash: B256,
    /// Its transactions, recovered.
    pub transactions: Vec<Arc<Transaction>>,
    /// Its transaction receipts.
    pub receipts: Vec<TransactionReceipt>,
}

impl Finalized {
    /// Puts together what belongs together.
    pub fn new(
        block: Arc<Block>,
        transactions: Vec<Arc<Transaction>>,
        receipts: Vec<TransactionReceipt>,
    ) -> Self {
        Self {
            hash: block.hash(),
            block,
            transactions,
            receipts,
        }
    }

    /// Block number.
    pub fn number(&self) -> u64 {
        self.block.number()
    }
}

/// The latest final blocks. Cheap to clone; clones share everything.
#[derive(Clone, Debug)]
pub struct Feed {
    /// Read by every question, also by threads that give way to others: those must not keep the others waiting.
    latest: Arc<RwLock<Arc<Finalized>>>,
    recent: Arc<Mutex<Recent>>,
    floor: Arc<AtomicU64>,
}

#[derive(Debug)]
struct Recent {
    window: VecDeque<Arc<Finalized>>,
    /// One for each that watches: who waits for the same one is woken in an order that chance decides, and a simulation is to
    /// run twice alike.
    bells: Vec<watch::Sender<Arc<Finalized>>>,
}

impl Feed {
    /// Starts at the block the node's state is at.
    pub fn new(start: Finalized) -> Self {
        let latest = Arc::new(start);
        let recent = Recent {
            window: VecDeque::from([Arc::clone(&latest)]),
            bells: Vec::new(),
        };
        Self {
            latest: Arc::new(RwLock::new(latest)),
            recent: Arc::new(Mutex::new(recent)),
            floor: Arc::default(),
        }
    }

    /// After a restart: moves to the block the state is at, unless a later one was published already.
    pub fn resume_at(&self, start: Finalized) {
        self.push(Arc::new(start));
    }

    /// What blocks up to this one did is not known here: the node took the state after it, or after a later one, from others.
    pub fn begin_after(&self, height: u64) {
        self.floor.fetch_max(height, Ordering::Relaxed);
    }

    /// The height up to which nothing comes, or has come, by way of this feed.
    pub fn floor(&self) -> u64 {
        self.floor.load(Ordering::Relaxed).max(self.height())
    }

    /// Waits until the last block here is one whose state is here: at once, but for a node that took the state from others
    /// and has not seen a block since.
    pub async fn begin(&self) {
        let mut bell = self.watch();
        let _ = bell
            .wait_for(|last| last.number() > 0 || self.floor.load(Ordering::Relaxed) == 0)
            .await;
    }

    /// Publishes a block whose state is applied and whose effects are durable.
    pub fn publish(
        &self,
        block: Arc<Block>,
        transactions: Vec<Arc<Transaction>>,
        receipts: Vec<TransactionReceipt>,
    ) {
        self.push(Arc::new(Finalized::new(block, transactions, receipts)));
    }

    fn push(&self, finalized: Arc<Finalized>) {
        let mut recent = self.recent_blocks();
        // Readers must never see the chain go back, whoever comes late.
        if recent
            .window
            .back()
            .is_some_and(|last| last.number() >= finalized.number())
        {
            return;
        }
        if recent.window.len() >= WINDOW {
            recent.window.pop_front();
        }
        recent.window.push_back(Arc::clone(&finalized));
        *self.latest.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&finalized);
        recent
            .bells
            .retain(|bell| bell.send(Arc::clone(&finalized)).is_ok());
    }

    fn recent_blocks(&self) -> MutexGuard<'_, Recent> {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The last final block.
    pub fn latest(&self) -> Arc<Finalized> {
        Arc::clone(&self.latest.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Its number.
    pub fn height(&self) -> u64 {
        let latest = self.latest.read().unwrap_or_else(PoisonError::into_inner);
        latest.number()
    }

    /// A recent final block by number.
    pub fn recent(&self, number: u64) -> Option<Arc<Finalized>> {
        let recent = self.recent_blocks();
        let mut blocks = recent.window.iter().rev();
        blocks.find(|block| block.number() == number).cloned()
    }

    /// A recent final block by hash.
    pub fn recent_by_hash(&self, hash: &B256) -> Option<Arc<Finalized>> {
        let recent = self.recent_blocks();
        let mut blocks = recent.window.iter().rev();
        blocks.find(|block| block.hash == *hash).cloned()
    }

    /// A receiver that wakes at each new final block. It may skip some: read those by number.
    pub fn watch(&self) -> watch::Receiver<Arc<Finalized>> {
        let mut recent = self.recent_blocks();
        // Nobody may ever publish again.
        recent.bells.retain(|bell| !bell.is_closed());
        let (bell, receiver) = watch::channel(self.latest());
        recent.bells.push(bell);
        receiver
    }
}
