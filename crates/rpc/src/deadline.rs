//! Deadlines that cost nothing to set: a timer of its own for each request would cost as much as many an answer.

use futures::future::{Either, select};
use hyper::rt::{Sleep, Timer};
use std::{
    pin::{Pin, pin},
    task::{Context, Poll},
    time::{Duration, Instant},
};

/// How often a connection's task wakes up to look at its deadlines: they may be late by this.
pub(crate) const TICK: Duration = Duration::from_secs(1);

/// Ends at its time, in a task that looks often enough: it wakes nobody.
#[derive(Debug)]
struct Deadline(Instant);

impl Future for Deadline {
    type Output = ();

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        if Instant::now() < self.0 {
            Poll::Pending
        } else {
            Poll::Ready(())
        }
    }
}

impl Sleep for Deadline {}

/// What a connection measures its time with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadlines;

impl Timer for Deadlines {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Sleep>> {
        self.sleep_until(Instant::now() + duration)
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn Sleep>> {
        Box::pin(Deadline(deadline))
    }
}

/// Works for at most so long, in the task of a connection. None if that was not enough.
pub(crate) async fn within<T>(limit: Duration, work: impl Future<Output = T>) -> Option<T> {
    // It begins when the work has to wait, which it mostly has not.
    let end = async { Deadline(Instant::now() + limit).await };
    match select(pin!(work), pin!(end)).await {
        Either::Left((done, _)) => Some(done),
        Either::Right(_) => None,
    }
}
