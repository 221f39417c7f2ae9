//! The index's one owner. Whoever writes goes first: a search is answered a page at a time, and a page is a matter of a
//! millisecond or two.

use super::{Index, LogCursor, LogPage, LogQuery, LogsError};
use crate::alias::Runtime;
use commonware_macros::select;
use commonware_utils::channel::{mpsc, oneshot};
use std::sync::Arc;
use types::{Block, TransactionReceipt};

/// Searches that may wait; more wait to be taken in.
const SEARCHES_MAX: usize = 1024;

struct Append {
    block: Arc<Block>,
    receipts: Arc<Vec<TransactionReceipt>>,
    done: oneshot::Sender<()>,
}

struct Prune {
    height: u64,
    done: oneshot::Sender<()>,
}

struct Search {
    query: Arc<LogQuery>,
    after: Option<LogCursor>,
    reply: oneshot::Sender<Result<LogPage, LogsError>>,
}

/// A handle to the index.
#[derive(Clone, Debug)]
pub struct Mailbox {
    appends: mpsc::Sender<Append>,
    prunes: mpsc::Sender<Prune>,
    firsts: mpsc::Sender<oneshot::Sender<u64>>,
    searches: mpsc::Sender<Search>,
}

impl Mailbox {
    /// Indexes a final block. Whether that is done and durable; if not, the node is stopping.
    pub async fn append(&self, block: Arc<Block>, receipts: Arc<Vec<TransactionReceipt>>) -> bool {
        let (done, kept) = oneshot::channel();
        let append = Append {
            block,
            receipts,
            done,
        };
        let _ = self.appends.send(append).await;
        kept.await.is_ok()
    }

    /// Removes the index of blocks before a height, as far as whole sections are before it. Returns when that is done, or the
    /// node is stopping.
    pub async fn prune(&self, height: u64) {
        let (done, pruned) = oneshot::channel();
        let _ = self.prunes.send(Prune { height, done }).await;
        let _ = pruned.await;
    }

    /// The first height whose logs are indexed. None when the node is stopping.
    pub async fn first(&self) -> Option<u64> {
        let (reply, answer) = oneshot::channel();
        let _ = self.firsts.send(reply).await;
        answer.await.ok()
    }

    /// A page of the logs wanted. None when the node is stopping.
    pub async fn search(
        &self,
        query: Arc<LogQuery>,
        after: Option<LogCursor>,
    ) -> Option<Result<LogPage, LogsError>> {
        let (reply, answer) = oneshot::channel();
        let search = Search {
            query,
            after,
            reply,
        };
        let _ = self.searches.send(search).await;
        answer.await.ok()
    }
}

/// The index before it serves.
pub struct Actor<E: Runtime> {
    context: E,
    index: Index<E>,
    appends: mpsc::Receiver<Append>,
    prunes: mpsc::Receiver<Prune>,
    firsts: mpsc::Receiver<oneshot::Sender<u64>>,
    searches: mpsc::Receiver<Search>,
}

impl<E: Runtime> Actor<E> {
    /// Takes the index.
    pub fn new(context: E, index: Index<E>) -> (Self, Mailbox) {
        let (append, appends) = mpsc::channel(64);
        let (prune, prunes) = mpsc::channel(1);
        let (first, firsts) = mpsc::channel(64);
        let (search, searches) = mpsc::channel(SEARCHES_MAX);
        let actor = Self {
            context,
            index,
            appends,
            prunes,
            firsts,
            searches,
        };
        let mailbox = Mailbox {
            appends: append,
            prunes: prune,
            firsts: first,
            searches: search,
        };
        (actor, mailbox)
    }

    /// The height of the next block to be indexed.
    pub fn next(&self) -> u64 {
        self.index.next()
    }

    /// Indexes a block before serving.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn append(
        mut self,
        block: &Block,
        receipts: &[TransactionReceipt],
    ) -> Result<Self, LogsError> {
        self.index = self.index.append(block, receipts).await?;
        Ok(self)
    }

    /// Serves until the node stops.
    ///
    /// # Panics
    /// When storage fails: the node must stop, and restart from what is durable.
    pub fn start(self) {
        let context = self.context.child("logs");
        #[expect(
            clippy::expect_used,
            reason = "a node that cannot keep history must stop"
        )]
        context.spawn(|_| async move { self.run().await.expect("log index: storage failed") });
    }

    async fn run(mut self) -> Result<(), LogsError> {
        loop {
            // The first that is ready is taken, in this order.
            select! {
                append = self.appends.recv() => {
                    let Some(Append { block, receipts, done }) = append else {
                        return Ok(());
                    };
                    self.index = self.index.append(&block, &receipts).await?;
                    let _ = done.send(());
                },
                prune = self.prunes.recv() => {
                    let Some(Prune { height, done }) = prune else {
                        return Ok(());
                    };
                    self.index = self.index.prune(height).await?;
                    let _ = done.send(());
                },
                first = self.firsts.recv() => {
                    let Some(reply) = first else {
                        return Ok(());
                    };
                    let _ = reply.send(self.index.first());
                },
                search = self.searches.recv() => {
                    let Some(Search { query, after, reply }) = search else {
                        return Ok(());
                    };
                    // Whoever asked may be gone already: then nothing is read.
                    if !reply.is_closed() {
                        let _ = reply.send(self.index.search(&query, after).await);
                    }
                },
            }
        }
    }
}
