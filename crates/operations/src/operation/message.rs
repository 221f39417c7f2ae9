//! What goes into the machine, and what comes out.

use alloy_primitives::{Address, B256, Bytes};
use contracts::operation::Event;
use db::{Cursor, Execution, Failure, OperationEntry, OperationWrite};

use crate::carrier::{NonceRead, SendAnswer};

/// What happened. A relayer is named by its place in [`Recovered::relayers`](super::Recovered::relayers).
#[derive(Debug, Clone)]
pub enum Input {
    /// Operations were accepted: they are in the journal.
    Accepted(Vec<OperationEntry>),
    /// [`Effect::Authorize`] was done.
    Authorized {
        /// The operation.
        seq: u64,
        /// Whom it follows, as it was signed.
        follows: Option<B256>,
        /// The signature of its account's key, 65 bytes.
        signature: Bytes,
    },
    /// [`Effect::Authorize`] will never be done: the operation has failed.
    Forbidden {
        /// The operation.
        seq: u64,
        /// Why.
        failure: Failure,
    },
    /// [`Effect::Authorize`] could not be done now.
    Unauthorized {
        /// The operation.
        seq: u64,
    },
    /// Somebody does not want the operation any more.
    Cancel {
        /// The operation.
        seq: u64,
    },
    /// [`Effect::Sign`] was done.
    Signed {
        /// The relayer.
        relayer: usize,
        /// The nonce of the request.
        nonce: u64,
        /// The transaction's hash.
        hash: B256,
        /// The signed bytes.
        raw: Bytes,
    },
    /// [`Effect::Sign`] could not be done.
    SignFailed {
        /// The relayer.
        relayer: usize,
        /// The nonce of the request.
        nonce: u64,
    },
    /// [`Effect::Send`] was answered, or not.
    Sent {
        /// The relayer.
        relayer: usize,
        /// The nonce of the transaction.
        nonce: u64,
        /// What the node said.
        answer: SendAnswer,
    },
    /// The node that was followed is of no use any more: what it took may be lost with it.
    NodeLost,
    /// [`Effect::ReadNonce`] was answered, or not.
    NonceRead {
        /// The relayer.
        relayer: usize,
        /// What the node said.
        read: Option<NonceRead>,
    },
    /// The next final block. Repeated ones are ignored.
    Block(BlockFacts),
    /// [`Effect::Find`] came to an end.
    Found(Vec<TransactionFacts>),
    /// Time passed; see [`Machine::deadline`](super::Machine::deadline).
    Tick,
}

/// A final block, as far as it concerns the machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlockFacts {
    /// Which block.
    pub cursor: Cursor,
    /// Its time, Unix, in seconds.
    pub time: u64,
    /// Its base fee per gas.
    pub base_fee: u128,
    /// Transactions of our relayers, and those in which operations of ours ran, in order.
    pub transactions: Vec<TransactionFacts>,
}

/// A final transaction that concerns the machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransactionFacts {
    /// The transaction, and what proves it.
    pub execution: Execution,
    /// If one of our relayers sent it: which one, and the nonce.
    pub sender: Option<(usize, u64)>,
    /// Whether it reverted.
    pub reverted: bool,
    /// What was said of operations in it, with the positions of the logs.
    pub told: Vec<(u64, Event)>,
}

/// What is to be done, strictly in the order given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Write, and wait until it is on disk. If that fails, drop the machine and everything after this effect, and
    /// recover from the journal.
    Persist(OperationWrite),
    /// Have the account's key sign an operation; answer with [`Input::Authorized`], [`Input::Unauthorized`] or
    /// [`Input::Forbidden`].
    Authorize {
        /// The operation.
        seq: u64,
        /// Whom it is to follow.
        follows: Option<B256>,
    },
    /// Sign a transaction that brings operations; answer with [`Input::Signed`] or [`Input::SignFailed`].
    Sign {
        /// The relayer.
        relayer: usize,
        /// The nonce.
        nonce: u64,
        /// The fee cap.
        max_fee_per_gas: u128,
        /// The gas limit, without what authorizations of accounts cost.
        gas_limit: u64,
        /// The operations, in this order.
        operations: Vec<u64>,
        /// Accounts that were found without the code: whatever is remembered of them is wrong.
        undelegated: Vec<Address>,
    },
    /// Send a transaction; answer with [`Input::Sent`].
    Send {
        /// The relayer.
        relayer: usize,
        /// Its nonce.
        nonce: u64,
        /// Its signed bytes.
        raw: Bytes,
        /// Which try it is: choose another node each time.
        attempt: u32,
    },
    /// Read a relayer's nonce; answer with [`Input::NonceRead`].
    ReadNonce {
        /// The relayer.
        relayer: usize,
        /// Which try it is: choose another node each time.
        attempt: u32,
    },
    /// Find the transactions in which these operations ran, in blocks up to the cursor; answer with [`Input::Found`],
    /// empty if the search failed.
    Find {
        /// Account and key of each.
        operations: Vec<(Address, B256)>,
        /// Which try it is: choose another node each time.
        attempt: u32,
    },
    /// The operations with these keys are settled, and it is on disk: tell who waits.
    Settled(Vec<B256>),
    /// Tell the operator.
    Alarm(Alarm),
}

/// What an operator should know. The machine goes on by itself.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Alarm {
    /// Someone else uses a relayer's key.
    #[error(
        "transaction {hash} with nonce {nonce} was not sent by this gateway: the key of relayer {relayer} is used elsewhere"
    )]
    ForeignTransaction {
        /// The relayer.
        relayer: usize,
        /// The nonce.
        nonce: u64,
        /// The transaction.
        hash: B256,
    },
    /// A node refuses our transaction.
    #[error("a node refuses the transaction of relayer {relayer} with nonce {nonce}: {reason}")]
    Refused {
        /// The relayer.
        relayer: usize,
        /// The nonce.
        nonce: u64,
        /// What it said.
        reason: String,
    },
    /// A nonce below some in flight is used by nobody.
    #[error(
        "nonce {nonce} of relayer {relayer} is missing below transactions in flight; it is used next"
    )]
    NonceGap {
        /// The relayer.
        relayer: usize,
        /// The nonce.
        nonce: u64,
    },
    /// A transaction with operations reverted as a whole.
    #[error("the transaction {hash} with {operations} operations reverted")]
    Reverted {
        /// The transaction.
        hash: B256,
        /// How many operations it carried.
        operations: usize,
    },
    /// A relayer's signer does not sign.
    #[error("the key of relayer {relayer} could not sign")]
    SignFailed {
        /// The relayer.
        relayer: usize,
    },
    /// Blocks are missing between the last one and this.
    #[error("block {found} came where block {expected} was due")]
    BlockGap {
        /// The height that was due.
        expected: u64,
        /// The height that came.
        found: u64,
    },
}
