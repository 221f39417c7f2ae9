//! What goes into the machine, and what comes out.

use alloy_primitives::{B256, Bytes};
use contracts::Entry as CallEntry;
use db::{Anchor, Entry, Write};

use crate::{
    carrier::{NonceRead, SendAnswer},
    observe::BlockFacts,
};

/// What happened.
#[derive(Debug, Clone)]
pub enum Input {
    /// Records were accepted: they are in the journal.
    Accepted(Vec<Entry>),
    /// [`Effect::Sign`] was done.
    Signed {
        /// The nonce of the request.
        nonce: u64,
        /// The transaction's hash.
        hash: B256,
        /// The signed bytes.
        raw: Bytes,
    },
    /// [`Effect::Sign`] could not be done.
    SignFailed {
        /// The nonce of the request.
        nonce: u64,
    },
    /// [`Effect::Send`] was answered, or not.
    Sent {
        /// The nonce of the transaction.
        nonce: u64,
        /// What the node said.
        answer: SendAnswer,
    },
    /// The node that was followed is of no use any more: what it took may be lost with it.
    NodeLost,
    /// [`Effect::ReadNonce`] was answered, or not.
    NonceRead(Option<NonceRead>),
    /// The next finalized block, verified. Repeated ones are ignored.
    Block(BlockFacts),
    /// [`Effect::Find`] came to an end.
    Found(Vec<Found>),
    /// Time passed; see [`Machine::deadline`](super::Machine::deadline).
    Tick,
}

/// A claim of ours that a search found, verified by [`crate::observe::found`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The record.
    pub id: B256,
    /// The commitment that was claimed.
    pub commitment: B256,
    /// Its leaf's index.
    pub leaf_index: u64,
    /// Its Merkle path.
    pub siblings: Vec<B256>,
    /// The transaction.
    pub anchor: Anchor,
}

/// What is to be done, strictly in the order given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Write, and wait until it is on disk. If that fails, drop the machine and everything after this effect, and
    /// recover from the journal.
    Persist(Write),
    /// Sign a batch; answer with [`Input::Signed`] or [`Input::SignFailed`].
    Sign {
        /// The nonce.
        nonce: u64,
        /// The fee cap.
        max_fee_per_gas: u128,
        /// The entries of the call.
        entries: Vec<CallEntry>,
    },
    /// Send a transaction; answer with [`Input::Sent`].
    Send {
        /// Its nonce.
        nonce: u64,
        /// Its signed bytes.
        raw: Bytes,
        /// Which try it is: choose another node each time.
        attempt: u32,
    },
    /// Read our account's nonce; answer with [`Input::NonceRead`].
    ReadNonce {
        /// Which try it is: choose another node each time.
        attempt: u32,
    },
    /// Find the transactions that claimed these records, in blocks up to the cursor; answer with [`Input::Found`],
    /// empty if the search failed.
    Find {
        /// The records.
        entries: Vec<Entry>,
        /// Which try it is: choose another node each time.
        attempt: u32,
    },
    /// These records are settled, and it is on disk: tell who waits.
    Settled(Vec<B256>),
    /// Tell the operator.
    Alarm(Alarm),
}

/// What an operator should know. The machine goes on by itself.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Alarm {
    /// Someone else uses the relayer key.
    #[error(
        "transaction {hash} with nonce {nonce} was not sent by this gateway: its relayer key is used elsewhere"
    )]
    ForeignTransaction {
        /// The nonce.
        nonce: u64,
        /// The transaction.
        hash: B256,
    },
    /// A node refuses our transaction.
    #[error("a node refuses the transaction with nonce {nonce}: {reason}")]
    Refused {
        /// The nonce.
        nonce: u64,
        /// What it said.
        reason: String,
    },
    /// A nonce below some in flight is used by nobody.
    #[error("nonce {nonce} is missing below transactions in flight; it is used next")]
    NonceGap {
        /// The nonce.
        nonce: u64,
    },
    /// A batch reverted.
    #[error("the transaction {hash} with {records} records reverted")]
    Reverted {
        /// The transaction.
        hash: B256,
        /// How many records it carried.
        records: usize,
    },
    /// The signer does not sign.
    #[error("the relayer key could not sign")]
    SignFailed,
    /// Blocks are missing between the last one and this.
    #[error("block {found} came where block {expected} was due")]
    BlockGap {
        /// The height that was due.
        expected: u64,
        /// The height that came.
        found: u64,
    },
}
