//! The notary: what crossed the wires between clients, gateways and validators, noted where it crossed. The oracle
//! judges from these notes and from the chain; what contradicts an earlier note is noted as a violation at once.

use alloy_primitives::{Address, B256, keccak256};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// What a client calls a request: a key of a tenant of a gateway.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Name {
    /// Which gateway; each is of its own organization.
    pub gateway: usize,
    /// Whose key it is.
    pub tenant: &'static str,
    /// The idempotency key.
    pub key: String,
}

/// What a client was told about a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// It will be recorded.
    Accepted {
        /// The record's id on chain.
        id: B256,
        /// Its commitment.
        commitment: B256,
    },
    /// The key was used for another body.
    Mismatch,
}

/// A promise that a client heard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Promise {
    /// The body it was made for.
    pub body: u64,
    /// The record's id on chain.
    pub id: B256,
    /// Its commitment.
    pub commitment: B256,
}

/// All that is known about a key.
#[derive(Clone, Debug, Default)]
pub struct Fact {
    /// The bodies that were posted under it.
    pub posted: BTreeSet<u64>,
    /// The promise, once a client heard it.
    pub promise: Option<Promise>,
    /// The receipt, once a client got it.
    pub receipt: Option<Vec<u8>>,
    /// The bodies that were refused because of another one.
    pub refused: BTreeSet<u64>,
}

/// The notes.
#[derive(Debug, Default)]
pub struct Notes {
    /// Every key that a client used.
    pub facts: BTreeMap<Name, Fact>,
    /// Transactions that gateways sent, by account and nonce.
    pub sent: BTreeMap<(Address, u64), B256>,
    /// Broken promises.
    pub violations: Vec<String>,
    /// Faults injected, by kind.
    pub faults: BTreeMap<&'static str, u64>,
    /// Rare situations reached, by kind.
    pub marks: BTreeMap<&'static str, u64>,
    digest: B256,
}

/// A handle to the notes. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Witness(Arc<Mutex<Notes>>);

impl Witness {
    /// The notes themselves. Nothing may be awaited while they are held.
    pub fn notes(&self) -> MutexGuard<'_, Notes> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts an injected fault.
    pub fn fault(&self, kind: &'static str) {
        *self.notes().faults.entry(kind).or_default() += 1;
    }

    /// Counts a rare situation.
    pub fn mark(&self, kind: &'static str) {
        *self.notes().marks.entry(kind).or_default() += 1;
    }

    /// Notes a broken promise.
    pub fn violation(&self, text: String) {
        self.notes().violations.push(text);
    }

    /// A client posts.
    pub fn posted(&self, name: &Name, body: u64) {
        let mut notes = self.notes();
        let fact = notes.facts.entry(name.clone()).or_default();
        fact.posted.insert(body);
        notes.stamp(&format!("posted {name:?} {body}"));
    }

    /// A client hears what became of its post.
    pub fn told(&self, name: &Name, body: u64, told: Told) {
        let mut notes = self.notes();
        notes.stamp(&format!("told {name:?} {body} {told:?}"));
        let fact = notes.facts.entry(name.clone()).or_default();
        let contradiction = match told {
            Told::Accepted { id, commitment } => fact.accepted(body, id, commitment),
            Told::Mismatch => fact.mismatch(body),
        };
        if let Some(contradiction) = contradiction {
            notes
                .violations
                .push(format!("{name:?}, body {body}: {contradiction}"));
        }
    }

    /// A client gets a receipt.
    pub fn receipt(&self, name: &Name, receipt: Vec<u8>) {
        let mut notes = self.notes();
        notes.stamp(&format!("receipt {name:?} {}", keccak256(&receipt)));
        let fact = notes.facts.entry(name.clone()).or_default();
        let before = fact.receipt.get_or_insert_with(|| receipt.clone());
        if *before != receipt {
            notes
                .violations
                .push(format!("{name:?} has two different receipts"));
        }
    }

    /// A gateway sends a transaction.
    pub fn sent(&self, account: Address, nonce: u64, raw: &[u8]) {
        let mut notes = self.notes();
        let hash = keccak256(raw);
        notes.stamp(&format!("sent {account} {nonce} {hash}"));
        let before = *notes.sent.entry((account, nonce)).or_insert(hash);
        if before != hash {
            notes.violations.push(format!(
                "{account} sent two transactions with nonce {nonce}: {before} and {hash}"
            ));
        }
    }
}

impl Fact {
    fn accepted(&mut self, body: u64, id: B256, commitment: B256) -> Option<String> {
        if self.refused.contains(&body) {
            return Some("was refused before, and is accepted now".to_owned());
        }
        let promise = Promise {
            body,
            id,
            commitment,
        };
        let before = self.promise.get_or_insert_with(|| promise.clone());
        (*before != promise).then(|| format!("{promise:?} after {before:?}"))
    }

    fn mismatch(&mut self, body: u64) -> Option<String> {
        self.refused.insert(body);
        if self
            .promise
            .as_ref()
            .is_some_and(|promise| promise.body == body)
        {
            return Some("was accepted before, and is refused now".to_owned());
        }
        (self.posted.len() < 2).then(|| "is refused for a body that nobody posted".to_owned())
    }
}

impl Notes {
    /// Makes an event part of the run's digest.
    pub fn stamp(&mut self, event: &str) {
        self.digest = keccak256([self.digest.as_slice(), event.as_bytes()].concat());
    }

    /// Hash over everything that was noted.
    pub fn digest(&self) -> B256 {
        let rest = format!("{:?}{:?}{:?}", self.faults, self.marks, self.violations);
        keccak256([self.digest.as_slice(), rest.as_bytes()].concat())
    }

    /// Keys whose client has not heard of a promise, or has no receipt yet.
    pub fn unfinished(&self) -> usize {
        self.facts
            .values()
            .filter(|fact| fact.promise.is_none() || fact.receipt.is_none())
            .count()
    }
}
