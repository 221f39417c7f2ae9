//! Large messages. To read one takes what a thousand small ones take, so they have few places, and are answered on threads
//! that give way to everybody else.

use crate::{error::Error, server::Limits, shape::Shape};
use http_body_util::BodyExt as _;
use hyper::{
    StatusCode,
    body::{Body as _, Incoming},
};
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
/// Who sends what is refused, waits so long for each of so many bytes: to receive it takes a processor too.
const DISCARDED_AT_ONCE: usize = 128 << 10;
const DISCARD_PAUSE: Duration = Duration::from_millis(4);

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

    /// Receives a body. From where it is large, it waits for a place before more is read, so that what many clients send at
    /// once is not all in memory. The rest of one that is refused is read and thrown away, as far as that is bearable: a
    /// client that is hung up on while it sends never sees the answer.
    ///
    /// # Errors
    /// Why it is not looked at.
    pub(crate) async fn receive(
        &self,
        mut body: Incoming,
        limits: &Limits,
    ) -> Result<Message<'_>, Refused> {
        let mut bytes = Vec::new();
        let mut place = None;
        let mut shape = Shape::default();
        let (mut received, mut discarded) = (0_usize, 0_usize);
        // Who says beforehand that it is too much, need not be read to know it.
        let mut refused = too_long(body.size_hint().lower(), limits);
        while received <= DISCARDED_BYTES_MAX {
            // A connection that fails gets no answer anyway.
            let Some(Ok(frame)) = body.frame().await else {
                break;
            };
            let Ok(data) = frame.into_data() else {
                continue;
            };
            received = received.saturating_add(data.len());
            if received > LARGE_BYTES {
                if place.is_none() {
                    place = Some(self.free.acquire().await.map_err(|_| stopping())?);
                    refused = refused.or_else(|| shapeless(shape.add(&bytes, limits.batch_max)));
                }
                // There may always be more to read, and so no end to this task's turn.
                yield_now().await;
                if refused.is_none() {
                    refused = shapeless(shape.add(&data, limits.batch_max));
                }
            }
            refused = refused.or_else(|| too_long(received as u64, limits));
            if refused.is_none() {
                bytes.extend_from_slice(&data);
                continue;
            }
            bytes = Vec::new();
            if discarded == 0 || discarded >= DISCARDED_AT_ONCE {
                discarded = 0;
                sleep(DISCARD_PAUSE).await;
            }
            discarded = discarded.saturating_add(data.len());
        }
        match refused {
            None => Ok(Message { bytes, place }),
            Some(refused) => Err(refused),
        }
    }

    /// A place for a message that is received already; none if it needs none.
    ///
    /// # Errors
    /// Why it is not looked at.
    pub(crate) async fn admit(
        &self,
        message: &[u8],
        limits: &Limits,
    ) -> Result<Option<SemaphorePermit<'_>>, Error> {
        if message.len() <= LARGE_BYTES {
            return Ok(None);
        }
        let place = self.free.acquire().await.map_err(|_| Error::Timeout)?;
        if let Err(error) = Shape::default().add(message, limits.batch_max) {
            sleep(DISCARD_PAUSE).await;
            return Err(error);
        }
        Ok(Some(place))
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

/// Why a message is not looked at, and the status that says so.
type Refused = (StatusCode, Error);

fn shapeless(shape: Result<(), Error>) -> Option<Refused> {
    shape.err().map(|error| (StatusCode::OK, error))
}

fn too_long(bytes: u64, limits: &Limits) -> Option<Refused> {
    let most = limits.body_bytes_max;
    (bytes > most as u64).then(|| {
        let text = format!("content length too large: more than {most} bytes");
        (StatusCode::PAYLOAD_TOO_LARGE, Error::InvalidRequest(text))
    })
}

fn stopping() -> Refused {
    (StatusCode::SERVICE_UNAVAILABLE, Error::Timeout)
}
