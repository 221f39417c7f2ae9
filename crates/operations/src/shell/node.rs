//! The machine's calls to nodes. Each runs in a task of its own and ends as an input.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use alloy_primitives::Bytes;
use client::rpc::{Nodes, RpcError};
use tokio::sync::mpsc;

use super::search;
use crate::{
    observe::Relayer,
    record::{Input, NonceRead, SendAnswer},
};

/// Calls to nodes, with the answers going back to the loop.
#[derive(Debug, Clone)]
pub(super) struct Caller {
    nodes: Arc<Nodes>,
    relayer: Arc<Relayer>,
    /// The node asked first; another one after it did not answer.
    preferred: Arc<AtomicUsize>,
    answers: mpsc::UnboundedSender<Input>,
}

impl Caller {
    pub(super) fn new(
        nodes: Arc<Nodes>,
        relayer: Relayer,
        answers: mpsc::UnboundedSender<Input>,
    ) -> Self {
        Self {
            nodes,
            relayer: Arc::new(relayer),
            preferred: Arc::default(),
            answers,
        }
    }

    pub(super) fn send(&self, nonce: u64, raw: Bytes, attempt: u32) {
        let caller = self.clone();
        tokio::spawn(async move {
            let (index, preferred) = caller.index(attempt);
            let answer = classify(caller.nodes.send_raw_at(index, &raw).await);
            if answer == SendAnswer::Unknown && attempt == 0 {
                caller.prefer_next(preferred);
            }
            let _ = caller.answers.send(Input::Sent { nonce, answer });
        });
    }

    pub(super) fn read_nonce(&self, attempt: u32) {
        let caller = self.clone();
        tokio::spawn(async move {
            let (index, _) = caller.index(attempt);
            let read = caller.nodes.nonce_at(index, &caller.relayer.account).await;
            if let Err(error) = &read {
                tracing::debug!(node = caller.nodes.name(index), %error, "the nonce could not be read");
            }
            let read = read.ok().map(|read| NonceRead {
                height: read.height,
                latest: read.latest,
                pending: read.pending,
                base_fee: read.base_fee,
            });
            let _ = caller.answers.send(Input::NonceRead(read));
        });
    }

    pub(super) fn find(&self, entries: Vec<db::Entry>, up_to: u64, attempt: u32) {
        let caller = self.clone();
        tokio::spawn(async move {
            let (index, _) = caller.index(attempt);
            let found = search::find(&caller.nodes, index, &caller.relayer, &entries, up_to).await;
            let found = found.unwrap_or_else(|error| {
                tracing::warn!(node = caller.nodes.name(index), %error, "the search for earlier claims failed");
                Vec::new()
            });
            let _ = caller.answers.send(Input::Found(found));
        });
    }

    fn index(&self, attempt: u32) -> (usize, usize) {
        let preferred = self.preferred.load(Ordering::Relaxed);
        (preferred.wrapping_add(attempt as usize), preferred)
    }

    fn prefer_next(&self, unless_changed: usize) {
        let next = unless_changed.wrapping_add(1) % self.nodes.len();
        let _ = self.preferred.compare_exchange(
            unless_changed,
            next,
            Ordering::Relaxed,
            Ordering::Relaxed,
        );
    }
}

/// What a node's answer means. The texts are geth's.
fn classify(result: Result<alloy_primitives::B256, RpcError>) -> SendAnswer {
    let message = match result {
        Ok(_) => return SendAnswer::Taken,
        Err(RpcError::Refused { message, .. }) => message,
        Err(error) => {
            tracing::debug!(%error, "a transaction may or may not have been taken");
            return SendAnswer::Unknown;
        }
    };
    if message.contains("already known") || message.contains("already imported") {
        SendAnswer::Taken
    } else if message.contains("nonce too low") {
        SendAnswer::NonceTooLow
    } else if message.contains("nonce too high") || message.contains("nonce gap") {
        SendAnswer::NonceTooHigh
    } else {
        SendAnswer::Refused(message)
    }
}

#[cfg(test)]
mod tests {
    use alloy_primitives::B256;

    use super::*;

    #[test]
    fn answers_are_read_as_geth_words_them() {
        let check = |message: &str, expected: SendAnswer| {
            let error = RpcError::Refused {
                node: String::new(),
                code: -32000,
                message: message.to_owned(),
                revert: None,
            };
            assert_eq!(classify(Err(error)), expected);
        };
        check("already known", SendAnswer::Taken);
        check(
            "nonce too low: next nonce 7, tx nonce 5",
            SendAnswer::NonceTooLow,
        );
        check("nonce too high", SendAnswer::NonceTooHigh);
        check(
            "transaction underpriced",
            SendAnswer::Refused("transaction underpriced".to_owned()),
        );
        let silent = RpcError::Malformed {
            node: String::new(),
            reason: String::new(),
        };
        assert_eq!(classify(Err(silent)), SendAnswer::Unknown);
        assert_eq!(classify(Ok(B256::ZERO)), SendAnswer::Taken);
    }
}
