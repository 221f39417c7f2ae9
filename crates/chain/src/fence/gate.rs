//! What leaves this process only while it may sign.

use super::holder::Lease;
use commonware_actor::{Feedback, Unreliable};
use commonware_p2p::{CheckedSender, LimitedSender, Recipients};
use commonware_runtime::{Clock, IoBufs};
use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::SystemTime,
};
use types::PublicKey;

/// Open while a lease holds. It looks at the clock itself: a process that was asleep must not send what it signed before.
#[derive(Clone)]
pub struct Gate {
    lease: Arc<Mutex<Option<Lease>>>,
    now: Arc<dyn Fn() -> SystemTime + Send + Sync>,
}

impl fmt::Debug for Gate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let open = self.is_open();
        formatter.debug_struct("Gate").field("open", &open).finish()
    }
}

impl Gate {
    /// Closed.
    pub fn new(clock: impl Clock) -> Self {
        Self {
            lease: Arc::default(),
            now: Arc::new(move || clock.current()),
        }
    }

    /// Opens it while a lease holds, or closes it.
    pub fn set(&self, lease: Option<Lease>) {
        *self.lease.lock().unwrap_or_else(PoisonError::into_inner) = lease;
    }

    /// Whether it is open now.
    pub fn is_open(&self) -> bool {
        let lease = *self.lease.lock().unwrap_or_else(PoisonError::into_inner);
        lease.is_some_and(|lease| lease.holds((self.now)()))
    }
}

/// A channel of the network behind a gate. What is sent while it is closed is lost, as on a bad line: consensus says it again.
#[derive(Clone, Debug)]
pub struct Gated<N> {
    inner: N,
    gate: Option<Gate>,
}

impl<N> Gated<N> {
    /// Behind this gate.
    pub const fn behind(gate: Gate, inner: N) -> Self {
        let gate = Some(gate);
        Self { inner, gate }
    }

    /// Always open: what it carries is no promise of ours.
    pub const fn open(inner: N) -> Self {
        Self { inner, gate: None }
    }
}

impl<N: LimitedSender<PublicKey = PublicKey>> LimitedSender for Gated<N> {
    type PublicKey = PublicKey;
    type Checked<'a>
        = GatedCheck<'a, N>
    where
        Self: 'a;

    fn check(
        &mut self,
        recipients: Recipients<PublicKey>,
    ) -> Result<GatedCheck<'_, N>, SystemTime> {
        let checked = self.inner.check(recipients)?;
        let gate = self.gate.as_ref();
        Ok(GatedCheck { checked, gate })
    }
}

/// What passed the check, and is still to pass the gate.
pub struct GatedCheck<'a, N: LimitedSender + 'a> {
    checked: N::Checked<'a>,
    gate: Option<&'a Gate>,
}

impl<N: LimitedSender<PublicKey = PublicKey>> CheckedSender for GatedCheck<'_, N> {
    type PublicKey = PublicKey;

    fn recipients(&self) -> Vec<PublicKey> {
        self.checked.recipients()
    }

    fn send(self, message: impl Into<IoBufs> + Send, priority: bool) -> Unreliable<Feedback> {
        if self.gate.is_some_and(|gate| !gate.is_open()) {
            return Unreliable::Rejected;
        }
        self.checked.send(message, priority)
    }
}
