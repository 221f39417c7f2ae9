//! The machine's calls to nodes. Each runs in a task of its own and ends as an input.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use alloy_primitives::{Address, Bytes};
use client::rpc::{Nodes, RpcError};
use tokio::sync::mpsc;

use super::search;
use crate::{
    observe::Relayer,
    record::{Input, NonceRead, SendAnswer},
};

/// The nodes, one of them preferred: another one after it did not answer.
#[derive(Debug, Clone)]
pub(super) struct Lines {
    pub(super) nodes: Arc<Nodes>,
    preferred: Arc<AtomicUsize>,
}

impl Lines {
    pub(super) fn new(nodes: Arc<Nodes>) -> Self {
        Self {
            nodes,
            preferred: Arc::default(),
        }
    }

    /// Which node an attempt asks.
    pub(super) fn index(&self, attempt: u32) -> usize {
        let preferred = self.preferred.load(Ordering::Relaxed);
        preferred.wrapping_add(attempt as usize)
    }

    pub(super) async fn send(&self, raw: &Bytes, attempt: u32) -> SendAnswer {
        let preferred = self.preferred.load(Ordering::Relaxed);
        let index = preferred.wrapping_add(attempt as usize);
        let answer = classify(self.nodes.send_raw_at(index, raw).await);
        if answer == SendAnswer::Unknown && attempt == 0 {
            self.prefer_next(preferred);
        }
        answer
    }

    pub(super) async fn read_nonce(&self, account: &Address, attempt: u32) -> Option<NonceRead> {
        let index = self.index(attempt);
        let read = self.nodes.nonce_at(index, account).await;
        if let Err(error) = &read {
            tracing::debug!(node = self.nodes.name(index), %error, "the nonce could not be read");
        }
        let read = read.ok()?;
        Some(NonceRead {
            height: read.height,
            latest: read.latest,
            pending: read.pending,
            base_fee: read.base_fee,
        })
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

/// The records machine's calls to nodes, with the answers going back to the loop.
#[derive(Debug, Clone)]
pub(super) struct Caller {
    lines: Lines,
    relayer: Arc<Relayer>,
    answers: mpsc::UnboundedSender<Input>,
}

impl Caller {
    pub(super) fn new(
        lines: Lines,
        relayer: Relayer,
        answers: mpsc::UnboundedSender<Input>,
    ) -> Self {
        Self {
            lines,
            relayer: Arc::new(relayer),
            answers,
        }
    }

    pub(super) fn send(&self, nonce: u64, raw: Bytes, attempt: u32) {
        let caller = self.clone();
        tokio::spawn(async move {
            let answer = caller.lines.send(&raw, attempt).await;
            let _ = caller.answers.send(Input::Sent { nonce, answer });
        });
    }

    pub(super) fn read_nonce(&self, attempt: u32) {
        let caller = self.clone();
        tokio::spawn(async move {
            let account = &caller.relayer.account;
            let read = caller.lines.read_nonce(account, attempt).await;
            let _ = caller.answers.send(Input::NonceRead(read));
        });
    }

    pub(super) fn find(&self, entries: Vec<db::Entry>, up_to: u64, attempt: u32) {
        let caller = self.clone();
        tokio::spawn(async move {
            let (nodes, index) = (&caller.lines.nodes, caller.lines.index(attempt));
            let found = search::find(nodes, index, &caller.relayer, &entries, up_to).await;
            let found = found.unwrap_or_else(|error| {
                tracing::warn!(node = nodes.name(index), %error, "the search for earlier claims failed");
                Vec::new()
            });
            let _ = caller.answers.send(Input::Found(found));
        });
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
