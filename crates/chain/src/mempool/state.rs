//! The pool itself: a pure machine. Time comes in as milliseconds; nothing is awaited.

use super::{
    fate::{Fate, Fates},
    sender::{Entry, Sender, Tail, outbids},
};
use alloy_consensus::Transaction as _;
use alloy_primitives::{Address, B256, KECCAK256_EMPTY};
use std::{
    collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap},
    ops::Bound,
    sync::Arc,
};
use types::{Account, MAX_BODY_BYTES, Transaction};

/// How much the pool holds. Whatever is over a limit is refused with a reason, or takes the place of what has a lesser
/// claim; that one's fate is remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Transactions in all.
    pub transactions_max: usize,
    /// Of these, transactions that wait for an earlier nonce of their sender.
    pub queued_max: usize,
    /// Bytes of raw transactions in all.
    pub bytes_max: usize,
    /// Transactions of one sender; also how far ahead of its account's nonce one may be.
    pub sender_max: usize,
    /// Milliseconds a transaction may wait before it is forgotten.
    pub lifetime_ms: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            transactions_max: 100_000,
            queued_max: 20_000,
            bytes_max: 128 << 20,
            sender_max: 4_096,
            lifetime_ms: 3 * 60 * 60 * 1000,
        }
    }
}

/// Transactions of an account with delegated code (EIP-7702): whoever calls that code may spend the balance or use the
/// nonce, so that all of them can become invalid at once.
const DELEGATED_MAX: usize = 1;

/// Why the pool did not take a transaction. Display texts are geth's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The same bytes are in the pool.
    #[error("already known")]
    AlreadyKnown,
    /// Another transaction with this nonce is in the pool and pays at least 10/11 as much.
    #[error("replacement transaction underpriced")]
    Underpriced,
    /// The nonce is further ahead than the pool keeps for one sender.
    #[error("nonce too high: address next nonce {next}, tx nonce {nonce}, kept ahead {ahead}")]
    NonceTooHigh {
        /// The transaction's nonce.
        nonce: u64,
        /// The account's next nonce.
        next: u64,
        /// How far ahead one may be.
        ahead: usize,
    },
    /// It can never or not now be executed.
    #[error(transparent)]
    Invalid(#[from] evm::Invalid),
    /// The sender has too many waiting.
    #[error("account limit exceeded: {0} transactions of this sender are waiting")]
    SenderLimit(usize),
    /// The account has delegated code, or is about to, and a transaction is waiting.
    #[error("in-flight transaction limit reached for delegated accounts")]
    DelegatedLimit,
    /// The account has delegated code, or is about to, and an earlier nonce is missing.
    #[error("gapped-nonce tx from delegated accounts")]
    DelegatedGap,
    /// It delegates an account that has several transactions waiting.
    #[error("authority already reserved")]
    AuthorityReserved,
    /// The pool is full, and everything in it has at least as good a claim.
    #[error("txpool is full: {0}")]
    Full(&'static str),
}

/// What taking a transaction in led to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// The transaction whose place it took: same sender, same nonce.
    pub replaced: Option<B256>,
    /// Those that had to go because the pool was full.
    pub evicted: Vec<B256>,
}

/// What the pool knows of a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It can be executed as soon as a block has room.
    Pending,
    /// It waits for an earlier nonce of its sender.
    Queued,
    /// It is gone, for this reason.
    Dropped(Fate),
}

/// Transactions waiting for a block.
#[derive(Clone, Debug, Default)]
pub struct Pool {
    limits: Limits,
    senders: BTreeMap<Address, Sender>,
    /// Each sender's last transaction, the one to go first in front.
    tails: BTreeSet<Tail>,
    by_hash: HashMap<B256, (Address, u64)>,
    /// How many waiting transactions delegate each account.
    authorities: BTreeMap<Address, usize>,
    fates: Fates,
    executable: usize,
    bytes: usize,
    arrivals: u64,
}

/// An entry outside of the pool, with what must be known of its sender to put it back.
struct Held {
    next: u64,
    entry: Entry,
}

/// What a transaction takes of a block's body.
fn body_bytes(transaction: &Transaction) -> usize {
    transaction.raw().len().saturating_add(5)
}

/// What a proposal may take.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Budget {
    /// Sum of gas limits.
    pub gas: u64,
    /// Base fee of the block: transactions that cap below it stay.
    pub base_fee: u64,
    /// Next nonces of senders whose transactions are in blocks not yet final.
    pub in_flight: BTreeMap<Address, u64>,
    /// Senders of which nothing is wanted.
    pub without: BTreeSet<Address>,
    /// Bytes of the block's body that are taken.
    pub bytes_taken: usize,
}

impl Budget {
    /// What more may be taken when these were offered, and those at `included` among them taken: of other senders.
    pub fn beside(mut self, offered: &[Arc<Transaction>], included: &[usize]) -> Self {
        self.without
            .extend(offered.iter().map(|transaction| transaction.signer()));
        let taken = included.iter().filter_map(|index| offered.get(*index));
        let bytes = taken.map(|transaction| body_bytes(transaction)).sum();
        self.bytes_taken = self.bytes_taken.saturating_add(bytes);
        self
    }
}

/// Counts for status pages and `txpool_status`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Census {
    /// Executable now.
    pub pending: usize,
    /// Waiting for an earlier nonce.
    pub queued: usize,
    /// Bytes of all.
    pub bytes: usize,
}

impl Pool {
    /// An empty pool.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            ..Self::default()
        }
    }

    /// Whether a transaction is here.
    pub fn contains(&self, hash: &B256) -> bool {
        self.by_hash.contains_key(hash)
    }

    /// A waiting transaction.
    pub fn transaction(&self, hash: &B256) -> Option<&Arc<Transaction>> {
        let (sender, nonce) = self.by_hash.get(hash)?;
        Some(&self.senders.get(sender)?.waiting().get(nonce)?.transaction)
    }

    /// What waits, of one sender or of all, in order of senders and nonces.
    pub fn content(&self, sender: Option<Address>) -> Vec<(Standing, Arc<Transaction>)> {
        let senders = match sender {
            Some(address) => self.senders.range(address..=address),
            None => self.senders.range::<Address, _>(..),
        };
        let waiting = senders.flat_map(|(_, sender)| {
            sender.waiting().iter().map(|(nonce, entry)| {
                let standing = if *nonce < sender.ready() {
                    Standing::Pending
                } else {
                    Standing::Queued
                };
                (standing, Arc::clone(&entry.transaction))
            })
        });
        waiting.collect()
    }

    /// How a transaction stands, if it is here or left not long ago.
    pub fn standing(&self, hash: &B256) -> Option<Standing> {
        if let Some((address, nonce)) = self.by_hash.get(hash) {
            let sender = self.senders.get(address)?;
            return Some(if *nonce < sender.ready() {
                Standing::Pending
            } else {
                Standing::Queued
            });
        }
        self.fates.of(hash).cloned().map(Standing::Dropped)
    }

    /// Takes in a transaction that [`evm::Environment::admit`] found fit for a sender whose account is `account`.
    ///
    /// # Errors
    /// Why it was not taken; the pool is as before.
    pub fn insert(
        &mut self,
        now_ms: u64,
        transaction: Arc<Transaction>,
        account: &Account,
        ours: bool,
    ) -> Result<Taken, Refused> {
        let hash = transaction.hash();
        if self.contains(&hash) {
            return Err(Refused::AlreadyKnown);
        }
        let (signer, nonce) = (transaction.signer(), transaction.envelope().nonce());
        self.advance(signer, account.nonce);
        let ahead = self.limits.sender_max;
        if nonce.saturating_sub(account.nonce) >= ahead as u64 {
            let next = account.nonce;
            return Err(Refused::NonceTooHigh { nonce, next, ahead });
        }
        self.check_delegation(&transaction, account)?;
        let sender = self.senders.get(&signer);
        let replaced = sender.and_then(|sender| sender.waiting().get(&nonce));
        if replaced.is_some_and(|old| !outbids(&transaction, &old.transaction)) {
            return Err(Refused::Underpriced);
        }
        let of_sender = sender.map_or(0, |sender| sender.waiting().len());
        if replaced.is_none() && of_sender >= self.limits.sender_max {
            return Err(Refused::SenderLimit(of_sender));
        }
        let removed = replaced.map(|old| old.transaction.hash());
        // Out first, so that a replacement needs no more room than it adds.
        let old = removed.and_then(|old| self.remove_entry(&old));
        let evicted = match self.make_room(&transaction, account.nonce) {
            Ok(evicted) => evicted,
            Err(refused) => {
                if let Some(old) = old {
                    self.put(old);
                }
                return Err(refused);
            }
        };
        self.arrivals = self.arrivals.saturating_add(1);
        self.put(Held {
            next: account.nonce,
            entry: Entry {
                transaction,
                arrival: self.arrivals,
                arrived_ms: now_ms,
                sent_ms: ours.then_some(now_ms),
            },
        });
        if let Some(old) = &removed {
            self.fates.note(*old, Fate::Replaced(hash));
        }
        let evicted: Vec<B256> = evicted
            .into_iter()
            .map(|held| held.entry.transaction.hash())
            .collect();
        for hash in &evicted {
            self.fates.note(*hash, Fate::Evicted);
        }
        Ok(Taken {
            replaced: removed,
            evicted,
        })
    }

    /// The rules of geth's pool for accounts with delegated code (EIP-7702).
    fn check_delegation(
        &self,
        transaction: &Transaction,
        account: &Account,
    ) -> Result<(), Refused> {
        let (signer, nonce) = (transaction.signer(), transaction.envelope().nonce());
        let delegated =
            account.code_hash != KECCAK256_EMPTY || self.authorities.contains_key(&signer);
        if delegated {
            if nonce > account.nonce {
                return Err(Refused::DelegatedGap);
            }
            let others = self.senders.get(&signer).map_or(0, |sender| {
                let waiting = sender.waiting();
                waiting
                    .len()
                    .saturating_sub(usize::from(waiting.contains_key(&nonce)))
            });
            if others >= DELEGATED_MAX {
                return Err(Refused::DelegatedLimit);
            }
        }
        let reserved = transaction.authorities().iter().any(|authority| {
            *authority != signer
                && self
                    .senders
                    .get(authority)
                    .is_some_and(|sender| sender.waiting().len() > DELEGATED_MAX)
        });
        if reserved {
            return Err(Refused::AuthorityReserved);
        }
        Ok(())
    }

    /// Removes what must go so that `transaction` of an account with this next nonce fits.
    fn make_room(&mut self, transaction: &Transaction, next: u64) -> Result<Vec<Held>, Refused> {
        let (signer, nonce) = (transaction.signer(), transaction.envelope().nonce());
        let absent = Sender::at(next);
        let mut evicted = Vec::new();
        loop {
            let sender = self.senders.get(&signer).unwrap_or(&absent);
            let claim = sender.claim(transaction);
            let queued = self.by_hash.len().saturating_sub(self.executable);
            let full = if self.by_hash.len() >= self.limits.transactions_max {
                "too many transactions are waiting"
            } else if nonce > sender.ready() && queued >= self.limits.queued_max {
                "too many transactions are waiting for earlier ones"
            } else if self.bytes.saturating_add(transaction.raw().len()) > self.limits.bytes_max {
                "too many bytes are waiting"
            } else {
                return Ok(evicted);
            };
            let victim = self.tails.first().filter(|tail| tail.claim < claim);
            let entry = victim.and_then(|tail| {
                let (last, entry) = self
                    .senders
                    .get(&tail.address)?
                    .waiting()
                    .last_key_value()?;
                // Its own earlier one must not go: it would wait for that.
                (tail.address != signer || nonce < *last).then(|| entry.transaction.hash())
            });
            match entry.and_then(|hash| self.remove_entry(&hash)) {
                Some(held) => evicted.push(held),
                None => {
                    for held in evicted {
                        self.put(held);
                    }
                    return Err(Refused::Full(full));
                }
            }
        }
    }

    /// Changes a sender and keeps everything that is derived from it right.
    fn edit<T>(&mut self, address: Address, change: impl FnOnce(&mut Sender) -> T) -> T {
        let mut sender = self.senders.remove(&address).unwrap_or_default();
        if let Some(tail) = sender.tail(address) {
            self.tails.remove(&tail);
        }
        self.executable = self.executable.saturating_sub(sender.executable());
        let result = change(&mut sender);
        self.executable = self.executable.saturating_add(sender.executable());
        if let Some(tail) = sender.tail(address) {
            self.tails.insert(tail);
            self.senders.insert(address, sender);
        }
        result
    }

    /// Puts an entry in. There must be none with its nonce.
    fn put(&mut self, Held { next, entry }: Held) {
        let transaction = Arc::clone(&entry.transaction);
        let (address, nonce) = (transaction.signer(), transaction.envelope().nonce());
        self.bytes = self.bytes.saturating_add(transaction.raw().len());
        self.by_hash.insert(transaction.hash(), (address, nonce));
        for authority in transaction.authorities() {
            let count = self.authorities.entry(*authority).or_default();
            *count = count.saturating_add(1);
        }
        self.edit(address, |sender| {
            // A sender that had nothing waiting is not known here.
            sender.advance(next).for_each(drop);
            sender.put(nonce, entry);
        });
    }

    fn remove_entry(&mut self, hash: &B256) -> Option<Held> {
        let (address, nonce) = self.by_hash.get(hash).copied()?;
        let held = self.edit(address, |sender| {
            let entry = sender.take(nonce)?;
            Some(Held {
                next: sender.next(),
                entry,
            })
        })?;
        self.forget(&held.entry.transaction);
        Some(held)
    }

    fn forget(&mut self, transaction: &Transaction) {
        self.by_hash.remove(&transaction.hash());
        self.bytes = self.bytes.saturating_sub(transaction.raw().len());
        for authority in transaction.authorities() {
            if let Some(count) = self.authorities.get_mut(authority) {
                *count = count.saturating_sub(1);
                if *count == 0 {
                    self.authorities.remove(authority);
                }
            }
        }
    }

    /// A block became final: its transactions are forgotten, and with them those that cannot be executed any more because
    /// their nonce was used.
    pub fn finalized(&mut self, transactions: &[Arc<Transaction>]) {
        for transaction in transactions {
            self.remove_entry(&transaction.hash());
            let next = transaction.envelope().nonce().saturating_add(1);
            self.advance(transaction.signer(), next);
        }
    }

    /// Learns an account's next nonce and forgets what came before it.
    fn advance(&mut self, address: Address, next: u64) {
        if !self.senders.contains_key(&address) {
            return;
        }
        let gone: Vec<Entry> = self.edit(address, |sender| sender.advance(next).collect());
        for entry in gone {
            self.forget(&entry.transaction);
            self.fates.note(entry.transaction.hash(), Fate::NonceUsed);
        }
    }

    /// Holds a sender's transactions against its account as it is now; gives those that had to go because it cannot pay
    /// for them any more.
    pub fn revalidate(&mut self, address: Address, account: &Account) -> Vec<(B256, evm::Invalid)> {
        self.advance(address, account.nonce);
        let Some(sender) = self.senders.get(&address) else {
            return Vec::new();
        };
        let unpayable: Vec<(B256, evm::Invalid)> = sender
            .waiting()
            .values()
            .filter_map(|entry| {
                let want = evm::cost_max(&entry.transaction);
                (want > account.balance).then(|| {
                    let have = account.balance;
                    let reason = evm::Invalid::InsufficientFunds { have, want };
                    (entry.transaction.hash(), reason)
                })
            })
            .collect();
        for (hash, reason) in &unpayable {
            self.remove(hash, Fate::Invalid(reason.clone()));
        }
        unpayable
    }

    /// Senders after `after`, at most `count`, and then from the first on: who goes through them all looks at everyone.
    pub fn senders_after(&self, after: &Address, count: usize) -> Vec<Address> {
        let later = self
            .senders
            .range((Bound::Excluded(*after), Bound::Unbounded));
        let earlier = self.senders.range(..=*after);
        later
            .chain(earlier)
            .map(|(address, _)| *address)
            .take(count)
            .collect()
    }

    /// Forgets a transaction, for whatever reason it cannot stay.
    pub fn remove(&mut self, hash: &B256, fate: Fate) -> Option<Arc<Transaction>> {
        let held = self.remove_entry(hash)?;
        self.fates.note(*hash, fate);
        Some(held.entry.transaction)
    }

    /// The best transactions for a block: by tip, then by arrival, each sender's in nonce order.
    pub fn candidates(&self, budget: &Budget) -> Vec<Arc<Transaction>> {
        let mut heads = BinaryHeap::new();
        for (address, sender) in &self.senders {
            if budget.without.contains(address) {
                continue;
            }
            let next = budget
                .in_flight
                .get(address)
                .copied()
                .unwrap_or(0)
                .max(sender.next());
            if let Some(head) = Head::of(sender, next, budget.base_fee) {
                heads.push(head);
            }
        }
        let (mut gas, mut bytes) = (0_u64, budget.bytes_taken);
        let mut chosen = Vec::new();
        while let Some(head) = heads.pop() {
            let transaction = &head.entry.transaction;
            gas = gas.saturating_add(transaction.envelope().gas_limit());
            bytes = bytes.saturating_add(body_bytes(transaction));
            if gas > budget.gas || bytes > MAX_BODY_BYTES {
                break;
            }
            chosen.push(Arc::clone(transaction));
            let next = transaction.envelope().nonce().saturating_add(1);
            if let Some(head) = Head::of(head.sender, next, budget.base_fee) {
                heads.push(head);
            }
        }
        chosen
    }

    /// The nonce a sender should use next: after what is final and what waits without a gap.
    pub fn next_nonce(&self, address: &Address, next: u64) -> u64 {
        match self.senders.get(address) {
            Some(sender) if sender.next() >= next => sender.ready(),
            // The account is further than the pool has heard.
            Some(sender) => (next..)
                .find(|nonce| !sender.waiting().contains_key(nonce))
                .unwrap_or(next),
            None => next,
        }
    }

    /// Our own transactions that are still waiting `interval_ms` after they were last gossiped, and
    /// are now due again: messages get lost. At most `count`.
    pub fn due(&mut self, now_ms: u64, interval_ms: u64, count: usize) -> Vec<Arc<Transaction>> {
        let mut due = Vec::new();
        for sender in self.senders.values_mut() {
            for entry in sender.entries_mut() {
                if due.len() >= count {
                    return due;
                }
                if entry
                    .sent_ms
                    .is_some_and(|sent| sent.saturating_add(interval_ms) <= now_ms)
                {
                    entry.sent_ms = Some(now_ms);
                    due.push(Arc::clone(&entry.transaction));
                }
            }
        }
        due
    }

    /// Forgets what waited too long, and says which.
    pub fn expire(&mut self, now_ms: u64) -> Vec<Arc<Transaction>> {
        let lifetime = self.limits.lifetime_ms;
        let old: Vec<B256> = self
            .senders
            .values()
            .flat_map(|sender| sender.waiting().values())
            .filter(|entry| entry.arrived_ms.saturating_add(lifetime) <= now_ms)
            .map(|entry| entry.transaction.hash())
            .collect();
        old.iter()
            .filter_map(|hash| self.remove(hash, Fate::Expired))
            .collect()
    }

    /// Counts what is here.
    pub fn census(&self) -> Census {
        Census {
            pending: self.executable,
            queued: self.by_hash.len().saturating_sub(self.executable),
            bytes: self.bytes,
        }
    }
}

/// A sender's next executable transaction in the race for a block.
struct Head<'a> {
    tip: u128,
    entry: &'a Entry,
    sender: &'a Sender,
}

impl<'a> Head<'a> {
    fn of(sender: &'a Sender, nonce: u64, base_fee: u64) -> Option<Self> {
        let entry = sender.waiting().get(&nonce)?;
        let tip = entry
            .transaction
            .envelope()
            .effective_tip_per_gas(base_fee)?;
        Some(Self { tip, entry, sender })
    }

    fn rank(&self) -> (u128, std::cmp::Reverse<u64>) {
        (self.tip, std::cmp::Reverse(self.entry.arrival))
    }
}

impl PartialEq for Head<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.rank() == other.rank()
    }
}

impl Eq for Head<'_> {}

impl PartialOrd for Head<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Head<'_> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.rank().cmp(&other.rank())
    }
}
