//! Subscriptions over a WebSocket: each walks the chain block by block at the pace of its reader, so
//! that a slow reader costs no memory.

use crate::{
    block,
    dispatch::{Reply, reply},
    error::Error,
    finality,
    log::Found,
    method::{Api, Caller},
    network::{self, SyncStatus},
    parameter::Params,
    transaction,
};
use alloy_eips::eip2718::Encodable2718 as _;
use alloy_primitives::U128;
use alloy_rpc_types_eth::Filter;
use chain::Node;
use client::node::{FINALIZED, FinalizedBlock, SUBSCRIPTION, SubscribeFrom};
use serde::Serialize;
use serde_json::value::RawValue;
use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};
use tokio::{
    sync::{mpsc, oneshot},
    task::AbortHandle,
};

/// Blocks by which a reader of `newHeads` or `logs` may fall behind before it is disconnected. Whoever
/// needs every block reads `finalized`, which may start anywhere.
const LAG_BLOCKS_MAX: u64 = 1024;

/// What one WebSocket has open.
pub(crate) struct Session {
    outbox: mpsc::Sender<String>,
    /// Asks the socket to close, saying why.
    closing: mpsc::Sender<String>,
    subscriptions: Mutex<HashMap<u128, AbortHandle>>,
}

impl Session {
    /// A session that writes to `outbox` and asks to be closed through `closing`.
    pub(crate) fn new(outbox: mpsc::Sender<String>, closing: mpsc::Sender<String>) -> Self {
        Self {
            outbox,
            closing,
            subscriptions: Mutex::default(),
        }
    }

    fn open(&self, api: &Api, kind: Kind, next: u64) -> Result<(u128, oneshot::Sender<()>), Error> {
        let mut subscriptions = self
            .subscriptions
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        subscriptions.retain(|_, task| !task.is_finished());
        let most = api.limits.subscriptions_max;
        if subscriptions.len() >= most {
            return Err(Error::Limit(format!(
                "too many subscriptions: {most} are open on this connection"
            )));
        }
        // Random and never zero; 31 digits at most, so that it looks like geth's.
        let id = (rand::random::<u128>() >> 4) | 1;
        let (start, started) = oneshot::channel();
        let subscription = Subscription {
            node: api.node.clone(),
            kind,
            id,
            next,
            outbox: self.outbox.clone(),
        };
        let closing = self.closing.clone();
        let task = tokio::spawn(async move {
            // Without a start its answer was never sent.
            if started.await.is_ok()
                && let Err(End::Failed(reason)) = subscription.run().await
            {
                let _ = closing.try_send(reason);
            }
        });
        subscriptions.insert(id, task.abort_handle());
        Ok((id, start))
    }

    fn close(&self, id: u128) -> bool {
        let mut subscriptions = self
            .subscriptions
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        subscriptions.remove(&id).is_some_and(|task| {
            task.abort();
            true
        })
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let subscriptions = self
            .subscriptions
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner);
        for task in subscriptions.values() {
            task.abort();
        }
    }
}

/// `eth_subscribe`.
pub(crate) fn subscribe_eth(api: &Api, caller: &mut Caller<'_>, mut params: Params<'_>) -> Reply {
    let kind: String = params.required()?;
    let kind = match kind.as_str() {
        "newHeads" => Kind::Heads,
        "logs" => Kind::Logs(Box::new(params.optional()?.unwrap_or_default())),
        "syncing" => Kind::Syncing,
        "newPendingTransactions" => Kind::Pending {
            whole: params.optional()?.unwrap_or(false),
        },
        _ => {
            return Err(Error::NoSubscription {
                kind,
                namespace: "eth",
                reason: None,
            });
        }
    };
    params.end()?;
    let next = match kind {
        Kind::Pending { .. } => api.node.arrivals().next(),
        _ => api.node.latest().number().saturating_add(1),
    };
    open(api, caller, kind, next)
}

/// `ashlar_subscribe`.
pub(crate) async fn subscribe_own(
    api: &Api,
    caller: &mut Caller<'_>,
    mut params: Params<'_>,
) -> Reply {
    let kind: String = params.required()?;
    if kind != FINALIZED {
        return Err(Error::NoSubscription {
            kind,
            namespace: "ashlar",
            reason: None,
        });
    }
    let from: SubscribeFrom = params.optional()?.unwrap_or_default();
    params.end()?;
    let head = api.node.latest().number();
    let next = from.from.map_or(head.saturating_add(1), |from| from.to());
    if next <= head {
        let body = block::body(&api.node, next).await?;
        body.ok_or_else(|| unavailable(next))?;
    }
    open(api, caller, Kind::Finalized, next)
}

fn open(api: &Api, caller: &mut Caller<'_>, kind: Kind, next: u64) -> Reply {
    let session = caller.session.ok_or(Error::NoNotifications)?;
    let (id, start) = session.open(api, kind, next)?;
    caller.starts.push(start);
    reply(&U128::from(id))
}

/// `eth_unsubscribe` and `ashlar_unsubscribe`.
pub(crate) fn unsubscribe(caller: &Caller<'_>, mut params: Params<'_>) -> Reply {
    let id: U128 = params.required()?;
    params.end()?;
    let session = caller.session.ok_or(Error::NoNotifications)?;
    if !session.close(id.to()) {
        return Err(Error::NoSubscriptionId);
    }
    reply(&true)
}

fn unavailable(number: u64) -> Error {
    Error::Failed(format!("block {number} is not available on this node"))
}

#[derive(Debug)]
enum Kind {
    Heads,
    Logs(Box<Filter>),
    Syncing,
    Finalized,
    /// What enters the mempool: hashes, or whole transactions.
    Pending {
        whole: bool,
    },
}

/// What a subscriber of `syncing` is told as long as the node takes the state from others.
#[derive(Debug, Serialize)]
struct SyncBegun {
    syncing: bool,
    status: SyncStatus,
}

/// Why a subscription is over.
enum End {
    /// Nobody reads any more, or the node stops.
    Gone,
    /// It cannot go on: the connection must close, for the client is owed what is missing.
    Failed(String),
}

impl From<Error> for End {
    fn from(error: Error) -> Self {
        Self::Failed(error.to_string())
    }
}

struct Subscription {
    node: Node,
    kind: Kind,
    id: u128,
    /// The next block, or arrival in the mempool, to tell of.
    next: u64,
    outbox: mpsc::Sender<String>,
}

impl Subscription {
    async fn run(mut self) -> Result<std::convert::Infallible, End> {
        if matches!(self.kind, Kind::Syncing) {
            return self.follow_sync().await;
        }
        if let Kind::Pending { whole } = self.kind {
            return self.follow_mempool(whole).await;
        }
        let mut bell = self.node.watch();
        loop {
            let head = bell.borrow_and_update().number();
            while self.next <= head {
                let lag = self.node.latest().number().saturating_sub(self.next);
                if lag > LAG_BLOCKS_MAX && !matches!(self.kind, Kind::Finalized) {
                    return Err(End::Failed(format!("too slow: {lag} blocks behind")));
                }
                self.tell().await?;
                self.next += 1;
            }
            bell.changed().await.map_err(|_| End::Gone)?;
        }
    }

    /// Tells, as geth does, that the node takes the state from others, and when it has it. From then on nothing changes: what
    /// is read here is final.
    async fn follow_sync(self) -> Result<std::convert::Infallible, End> {
        let mut bell = self.node.watch();
        if let Some(status) = network::sync_status(&self.node) {
            let begun = SyncBegun {
                syncing: true,
                status,
            };
            self.notify(reply(&begun)?.get()).await?;
        }
        while self.node.syncing().is_some() {
            bell.changed().await.map_err(|_| End::Gone)?;
        }
        self.notify("false").await?;
        self.outbox.closed().await;
        Err(End::Gone)
    }

    /// Tells of what enters the mempool. A reader who is too slow misses some.
    async fn follow_mempool(mut self, whole: bool) -> Result<std::convert::Infallible, End> {
        let arrivals = self.node.arrivals().clone();
        let mut bell = arrivals.watch();
        loop {
            bell.borrow_and_update();
            let (hashes, next) = arrivals.since(self.next);
            self.next = next;
            for hash in hashes {
                if !whole {
                    self.notify(reply(&hash)?.get()).await?;
                } else if let Some(waiting) = self.node.waiting(hash).await {
                    let waiting = transaction::Waiting::new(&waiting);
                    self.notify(reply(&waiting)?.get()).await?;
                }
            }
            bell.changed().await.map_err(|_| End::Gone)?;
        }
    }

    /// Tells of the next block.
    async fn tell(&self) -> Result<(), End> {
        let number = self.next;
        match &self.kind {
            Kind::Heads => {
                let block = block::body(&self.node, number).await?;
                let block = block.ok_or_else(|| unavailable(number))?;
                self.notify(reply(&block::header(&block, block.hash()))?.get())
                    .await
            }
            Kind::Logs(filter) => {
                let mut found = Found::default();
                found.scan(&self.node, filter, number).await?;
                for log in found.logs {
                    self.notify(reply(&log)?.get()).await?;
                }
                Ok(())
            }
            Kind::Finalized => self.notify(self.finalized(number).await?.get()).await,
            Kind::Syncing | Kind::Pending { .. } => Ok(()),
        }
    }

    /// A final block with all that proves it and what it did.
    async fn finalized(&self, number: u64) -> Result<Box<RawValue>, End> {
        let block = block::body(&self.node, number).await?;
        let block = block.ok_or_else(|| unavailable(number))?;
        let receipts = match self.node.receipts(number).await {
            Some(receipts) => receipts,
            None => {
                let pruned = self.node.pruned(number).await;
                return Err(pruned
                    .map_or_else(|| unavailable(number), Error::from)
                    .into());
            }
        };
        let certificate = self.node.certificate(number).await;
        let certificate = certificate.filter(|each| each.block_hash == block.hash());
        Ok(reply(&FinalizedBlock {
            header: block.header_rlp(),
            finalization: certificate.as_ref().map(finality::wire).transpose()?,
            transactions: block.transactions().to_vec(),
            receipts: receipts
                .iter()
                .map(|receipt| receipt.encoded_2718().into())
                .collect(),
        })?)
    }

    /// Waits until the reader has room.
    async fn notify(&self, result: &str) -> Result<(), End> {
        let method = match self.kind {
            Kind::Finalized => SUBSCRIPTION,
            Kind::Heads | Kind::Logs(_) | Kind::Syncing | Kind::Pending { .. } => {
                "eth_subscription"
            }
        };
        let text = notification(method, self.id, result);
        self.outbox.send(text).await.map_err(|_| End::Gone)
    }
}

fn notification(method: &str, id: u128, result: &str) -> String {
    format!(
        r#"{{"jsonrpc":"2.0","method":"{method}","params":{{"subscription":"{id:#x}","result":{result}}}}}"#
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_notification_is_json_rpc() {
        assert_eq!(
            notification("eth_subscription", 0xab, "false"),
            r#"{"jsonrpc":"2.0","method":"eth_subscription","params":{"subscription":"0xab","result":false}}"#
        );
    }
}
