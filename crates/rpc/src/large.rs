//! Large messages. To read one takes what a thousand small ones take, so they have few places, and are answered on threads
//! that give way to everybody else.

use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use std::{thread, time::Duration};
use tokio::{
    runtime::Handle,
    sync::{Semaphore, SemaphorePermit, oneshot},
    task::yield_now,
    time::sleep,
};
use tracing::warn;

/// Bytes from which on a message is large: more than a hundred transactions.
pub(crate) const LARGE_BYTES: usize = 64 << 10;
/// Bytes of a message after which a client is hung up on.
const DISCARDED_BYTES_MAX: usize = 256 << 20;
/// Bytes of a message that is thrown away after which others may go first for a while, and for how long.
const DISCARDED_AT_ONCE: usize = 1 << 20;
const DISCARD_PAUSE: Duration = Duration::from_millis(2);

/// The places of large messages.
pub(crate) struct Places {
    free: Semaphore,
    give_way: fn(),
}

/// A message that was received whole.
pub(crate) struct Message<'a> {
    pub bytes: Vec<u8>,
    /// Its place, if it is large.
    pub place: Option<SemaphorePermit<'a>>,
}

impl Places {
    pub(crate) const fn new(places: usize, give_way: fn()) -> Self {
        Self {
            free: Semaphore::const_new(places),
            give_way,
        }
    }

    /// Receives a body of at most so many bytes; none if it has more. What is beyond is read and thrown away, as far as that
    /// is bearable: a client that is hung up on while it sends never sees the answer. From where it is large, it waits for
    /// a place before more is read, so that what many clients send at once is not all in memory.
    pub(crate) async fn receive(&self, mut body: Incoming, most: usize) -> Option<Message<'_>> {
        let mut bytes = Vec::new();
        let mut place = None;
        let (mut received, mut discarded) = (0_usize, 0_usize);
        while received <= DISCARDED_BYTES_MAX {
            // A connection that fails gets no answer anyway.
            let Some(Ok(frame)) = body.frame().await else {
                return (received <= most).then_some(Message { bytes, place });
            };
            let Ok(data) = frame.into_data() else {
                continue;
            };
            received = received.saturating_add(data.len());
            if received > LARGE_BYTES {
                if place.is_none() {
                    place = Some(self.free.acquire().await.ok()?);
                }
                // There may always be more to read, and so no end to this task's turn.
                yield_now().await;
            }
            if received <= most {
                bytes.extend_from_slice(&data);
                continue;
            }
            bytes = Vec::new();
            discarded = discarded.saturating_add(data.len());
            if discarded >= DISCARDED_AT_ONCE {
                discarded = 0;
                sleep(DISCARD_PAUSE).await;
            }
        }
        None
    }

    /// A place for a message of so many bytes that is received already. None if it needs none.
    pub(crate) async fn place(&self, bytes: usize) -> Option<SemaphorePermit<'_>> {
        if bytes <= LARGE_BYTES {
            return None;
        }
        self.free.acquire().await.ok()
    }

    /// Works on a thread that gives way to others, as long as somebody waits. None if there is no thread to be had.
    pub(crate) async fn work<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Option<T> {
        let (mut done, answer) = oneshot::channel();
        let (runtime, give_way) = (Handle::current(), self.give_way);
        let spawned = thread::Builder::new()
            .name("large-message".to_owned())
            .spawn(move || {
                give_way();
                runtime.block_on(async {
                    tokio::select! {
                        answer = work => {
                            let _ = done.send(answer);
                        }
                        () = done.closed() => {}
                    }
                });
            });
        if let Err(error) = spawned {
            warn!(%error, "no thread for a large message");
        }
        answer.await.ok()
    }
}
