//! What is let in. Everything is bounded, and refused at once rather than kept waiting: a client that hears 503 can go
//! elsewhere or come back, one that waits cannot.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::{
    app::App,
    config::Limits,
    problem::{Code, Refusal},
};

/// The counters behind the limits.
#[derive(Debug)]
pub(crate) struct Admission {
    requests: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
    /// In KiB.
    body_memory: Arc<Semaphore>,
    backlog: usize,
}

/// The place of a request among those worked on. Given back while a request waits for finality.
#[derive(Debug, Clone)]
pub(crate) struct Place(Arc<std::sync::Mutex<Option<OwnedSemaphorePermit>>>);

impl Place {
    pub(crate) fn give_back(&self) {
        self.0
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .take();
    }
}

impl Admission {
    pub(crate) fn new(limits: &Limits) -> Self {
        let bounded =
            |permits: usize| Arc::new(Semaphore::new(permits.min(Semaphore::MAX_PERMITS)));
        Self {
            requests: bounded(limits.requests),
            waiting: bounded(limits.waiting),
            body_memory: bounded((limits.body_memory_mib as usize).saturating_mul(1024)),
            backlog: limits.backlog,
        }
    }

    /// Memory for a body of that many bytes.
    pub(crate) fn body(&self, bytes: u64) -> Result<OwnedSemaphorePermit, Refusal> {
        let kib = u32::try_from(bytes.div_ceil(1024)).unwrap_or(u32::MAX);
        Arc::clone(&self.body_memory)
            .try_acquire_many_owned(kib)
            .map_err(|_| Refusal::new(Code::Overloaded, "Too many bodies are being received."))
    }

    /// A place among those who wait for finality, if there is one.
    pub(crate) fn wait(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.waiting).try_acquire_owned().ok()
    }

    /// Whether one more record may be accepted while `backlog` are not final.
    pub(crate) fn backlog(&self, backlog: usize) -> Result<(), Refusal> {
        if backlog < self.backlog {
            return Ok(());
        }
        Err(Refusal::new(
            Code::BacklogFull,
            format!("{backlog} accepted records are not final yet."),
        ))
    }
}

/// Lets a request in, or refuses it.
pub(crate) async fn admit(
    State(app): State<Arc<App>>,
    mut request: Request,
    next: Next,
) -> Response {
    let Ok(permit) = Arc::clone(&app.admission.requests).try_acquire_owned() else {
        return Refusal::new(Code::Overloaded, "Too many requests are being worked on.")
            .into_response();
    };
    let place = Place(Arc::new(std::sync::Mutex::new(Some(permit))));
    request.extensions_mut().insert(place.clone());
    let response = next.run(request).await;
    place.give_back();
    response
}
