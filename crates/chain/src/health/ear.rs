//! Who was heard when.

use commonware_p2p::{Message, Receiver};
use commonware_runtime::Clock;
use std::{
    collections::BTreeMap,
    fmt,
    num::NonZeroUsize,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};
use types::PublicKey;

/// When the last message of each peer arrived. Clones share it. It grows with those that were let in since the start.
#[derive(Clone, Debug, Default)]
pub(crate) struct Heard(Arc<Mutex<BTreeMap<PublicKey, SystemTime>>>);

impl Heard {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<PublicKey, SystemTime>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn note(&self, peer: &PublicKey, now: SystemTime) {
        self.lock().insert(peer.clone(), now);
    }

    /// Whether a message of this peer arrived within a time before `now`.
    pub(crate) fn lately(&self, peer: &PublicKey, now: SystemTime, within: Duration) -> bool {
        let last = self.lock().get(peer).copied();
        last.is_some_and(|last| now.duration_since(last).unwrap_or_default() <= within)
    }
}

/// A channel's receiver that notes whose messages arrive.
pub(crate) struct Ear<E, R> {
    clock: Arc<E>,
    heard: Heard,
    receiver: R,
}

impl<E, R> Ear<E, R> {
    /// Notes them in `heard`, by the runtime's clock.
    pub(crate) fn new(clock: &Arc<E>, heard: &Heard, receiver: R) -> Self {
        Self {
            clock: Arc::clone(clock),
            heard: heard.clone(),
            receiver,
        }
    }
}

impl<E, R: fmt::Debug> fmt::Debug for Ear<E, R> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.receiver.fmt(formatter)
    }
}

impl<E: Clock, R: Receiver<PublicKey = PublicKey>> Receiver for Ear<E, R> {
    type Error = R::Error;
    type PublicKey = PublicKey;

    async fn recv(&mut self) -> Result<Message<PublicKey>, R::Error> {
        let (peer, message) = self.receiver.recv().await?;
        self.heard.note(&peer, self.clock.current());
        Ok((peer, message))
    }

    fn capacity(&self) -> NonZeroUsize {
        self.receiver.capacity()
    }
}
