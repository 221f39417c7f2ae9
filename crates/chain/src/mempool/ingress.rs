//! What the mempool is asked.

use super::{
    arrivals::Arrivals,
    state::{Budget, Census, Refused, Standing},
};
use crate::recovery::Recovery;
use alloy_primitives::{Address, B256, Bytes};
use commonware_utils::channel::{mpsc, oneshot};
use std::{sync::Arc, time::SystemTime};
use types::{Transaction, TransactionError};

/// Why a submitted transaction was not taken. Display texts are geth's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SubmitError {
    /// The bytes are no transaction of this chain.
    #[error(transparent)]
    Transaction(#[from] TransactionError),
    /// The pool refused it.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// The node is stopping or its queue is full; the same request may work in a moment.
    #[error("the node is busy: {0}")]
    Busy(&'static str),
}

impl SubmitError {
    /// Whether the transaction is what is wrong, so that sending it again cannot help.
    pub const fn is_invalid(&self) -> bool {
        match self {
            Self::Transaction(_) => true,
            Self::Refused(refused) => match refused {
                Refused::Invalid(reason) => !reason.is_retryable(),
                Refused::Underpriced => true,
                Refused::AlreadyKnown
                | Refused::NonceTooHigh { .. }
                | Refused::SenderLimit(_)
                | Refused::DelegatedLimit
                | Refused::DelegatedGap
                | Refused::AuthorityReserved
                | Refused::Full(_) => false,
            },
            Self::Busy(_) => false,
        }
    }
}

/// Messages to the mempool's actor.
pub(super) enum Message {
    /// Take a transaction in. From us: reply, and gossip it. From a peer: neither.
    Insert {
        transaction: Arc<Transaction>,
        reply: Option<oneshot::Sender<Result<(), Refused>>>,
    },
    /// Reply with transactions for a block as soon as there are any, or with none at the deadline.
    Candidates {
        budget: Budget,
        deadline: SystemTime,
        reply: oneshot::Sender<Vec<Arc<Transaction>>>,
    },
    /// A block with these transactions is final and its state applied.
    Finalized {
        /// Its time, in seconds.
        timestamp: u64,
        transactions: Vec<Arc<Transaction>>,
    },
    /// These cannot be executed.
    Discard(Vec<(B256, evm::Invalid)>),
    /// The nonce to use next, given the account's.
    NextNonce {
        address: Address,
        next: u64,
        reply: oneshot::Sender<u64>,
    },
    /// A waiting transaction.
    Transaction {
        hash: B256,
        reply: oneshot::Sender<Option<Arc<Transaction>>>,
    },
    /// How a transaction stands.
    Standing {
        hash: B256,
        reply: oneshot::Sender<Option<Standing>>,
    },
    /// What waits, of one sender or of all.
    Content {
        sender: Option<Address>,
        reply: oneshot::Sender<Vec<(Standing, Arc<Transaction>)>>,
    },
    /// Counts.
    Census(oneshot::Sender<Census>),
}

/// A handle to the mempool.
#[derive(Clone, Debug)]
pub struct Mailbox {
    pub(super) sender: mpsc::Sender<Message>,
    recovery: Recovery,
    arrivals: Arrivals,
}

impl Mailbox {
    pub(super) const fn new(
        sender: mpsc::Sender<Message>,
        recovery: Recovery,
        arrivals: Arrivals,
    ) -> Self {
        Self {
            sender,
            recovery,
            arrivals,
        }
    }

    /// What enters the pool.
    pub const fn arrivals(&self) -> &Arrivals {
        &self.arrivals
    }

    /// Takes in a raw transaction and spreads it to the other validators. Its signature is
    /// recovered in the caller's task, so that submissions recover in parallel.
    ///
    /// # Errors
    /// Why it was not taken.
    pub async fn submit(&self, raw: Bytes) -> Result<B256, SubmitError> {
        let transaction = self.recovery.recover(raw)?;
        let hash = transaction.hash();
        let (reply, answer) = oneshot::channel();
        self.sender
            .try_send(Message::Insert {
                transaction,
                reply: Some(reply),
            })
            .map_err(|_| SubmitError::Busy("its mempool queue is full"))?;
        answer
            .await
            .map_err(|_| SubmitError::Busy("it is stopping"))??;
        Ok(hash)
    }

    /// Transactions for a block: as soon as there are any, or none at the deadline.
    pub async fn candidates(&self, budget: Budget, deadline: SystemTime) -> Vec<Arc<Transaction>> {
        let (reply, answer) = oneshot::channel();
        if self
            .sender
            .send(Message::Candidates {
                budget,
                deadline,
                reply,
            })
            .await
            .is_err()
        {
            return Vec::new();
        }
        answer.await.unwrap_or_default()
    }

    /// Tells of a final block whose state is applied: its time in seconds, and what is in it.
    pub async fn finalized(&self, timestamp: u64, transactions: Vec<Arc<Transaction>>) {
        let message = Message::Finalized {
            timestamp,
            transactions,
        };
        // An error means that the node is stopping; nobody needs the pool then.
        let _ = self.sender.send(message).await;
    }

    /// Tells of transactions that could not be executed, for good.
    pub async fn discard(&self, transactions: Vec<(B256, evm::Invalid)>) {
        let _ = self.sender.send(Message::Discard(transactions)).await;
    }

    /// The nonce a sender should use next, given its account's.
    pub async fn next_nonce(&self, address: Address, next: u64) -> u64 {
        let (reply, answer) = oneshot::channel();
        let _ = self
            .sender
            .send(Message::NextNonce {
                address,
                next,
                reply,
            })
            .await;
        answer.await.unwrap_or(next)
    }

    /// A transaction that waits here.
    pub async fn transaction(&self, hash: B256) -> Option<Arc<Transaction>> {
        let (reply, answer) = oneshot::channel();
        let _ = self.sender.send(Message::Transaction { hash, reply }).await;
        answer.await.ok().flatten()
    }

    /// How a transaction stands, if it is here or left not long ago.
    pub async fn standing(&self, hash: B256) -> Option<Standing> {
        let (reply, answer) = oneshot::channel();
        let _ = self.sender.send(Message::Standing { hash, reply }).await;
        answer.await.ok().flatten()
    }

    /// What waits here, of one sender or of all, in order of senders and nonces.
    pub async fn content(&self, sender: Option<Address>) -> Vec<(Standing, Arc<Transaction>)> {
        let (reply, answer) = oneshot::channel();
        let _ = self.sender.send(Message::Content { sender, reply }).await;
        answer.await.unwrap_or_default()
    }

    /// How many wait.
    pub async fn census(&self) -> Census {
        let (reply, answer) = oneshot::channel();
        let _ = self.sender.send(Message::Census(reply)).await;
        answer.await.unwrap_or_default()
    }
}
