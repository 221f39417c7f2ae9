//! The archive's one owner. Whoever writes goes first.

use super::{ArchiveError, Before, Past, Store};
use crate::alias::Runtime;
use commonware_macros::select;
use commonware_utils::channel::{mpsc, oneshot};
use types::StateKey;

/// Questions that may wait; more wait to be taken in.
const QUESTIONS_MAX: usize = 1024;

struct Append {
    height: u64,
    before: Before,
    done: oneshot::Sender<()>,
}

struct Question {
    height: u64,
    keys: Vec<StateKey>,
    reply: oneshot::Sender<Result<Vec<Past>, ArchiveError>>,
}

/// A handle to the archive.
#[derive(Clone, Debug)]
pub struct Mailbox {
    appends: mpsc::Sender<Append>,
    questions: mpsc::Sender<Question>,
}

impl Mailbox {
    /// Keeps what a final block's changes replaced. Returns when it is durable, and never if that failed: whoever waits
    /// would otherwise apply a state whose past is lost. Repeating a block is harmless.
    pub async fn append(&self, height: u64, before: Before) {
        let (done, kept) = oneshot::channel();
        let append = Append {
            height,
            before,
            done,
        };
        let _ = self.appends.send(append).await;
        if kept.await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// What is known of keys after the block at a height. None when the node is stopping.
    pub async fn past(
        &self,
        height: u64,
        keys: Vec<StateKey>,
    ) -> Option<Result<Vec<Past>, ArchiveError>> {
        let (reply, answer) = oneshot::channel();
        let question = Question {
            height,
            keys,
            reply,
        };
        let _ = self.questions.send(question).await;
        answer.await.ok()
    }
}

/// The archive before it serves.
pub struct Actor<E: Runtime> {
    context: E,
    store: Store<E>,
    appends: mpsc::Receiver<Append>,
    questions: mpsc::Receiver<Question>,
}

impl<E: Runtime> Actor<E> {
    /// Takes the archive.
    pub fn new(context: E, store: Store<E>) -> (Self, Mailbox) {
        let (append, appends) = mpsc::channel(64);
        let (question, questions) = mpsc::channel(QUESTIONS_MAX);
        let actor = Self {
            context,
            store,
            appends,
            questions,
        };
        let mailbox = Mailbox {
            appends: append,
            questions: question,
        };
        (actor, mailbox)
    }

    /// Serves until the node stops.
    ///
    /// # Panics
    /// When storage fails: the node must stop, and restart from what is durable.
    pub fn start(self) {
        let context = self.context.child("archive");
        #[expect(
            clippy::expect_used,
            reason = "a node that cannot keep its archive must stop"
        )]
        context.spawn(|_| async move { self.run().await.expect("archive: storage failed") });
    }

    async fn run(mut self) -> Result<(), ArchiveError> {
        loop {
            // The first that is ready is taken, in this order.
            select! {
                append = self.appends.recv() => {
                    let Some(Append { height, before, done }) = append else {
                        return Ok(());
                    };
                    self.store = self.store.append(height, &before).await?;
                    let _ = done.send(());
                },
                question = self.questions.recv() => {
                    let Some(Question { height, keys, reply }) = question else {
                        return Ok(());
                    };
                    if !reply.is_closed() {
                        let _ = reply.send(self.store.past(height, &keys).await);
                    }
                },
            }
        }
    }
}
