//! Asks one upstream, as long as the node runs: how far it is, and for what is missing here.

use super::{
    page::{Checked, Verifier},
    shared::{Ask, Shared},
    upstream::{Lie, Upstream, UpstreamError},
};
use crate::{
    alias::{Marshal, Runtime},
    node::{PAGE_BLOCKS_MAX, Page},
};
use alloy_primitives::{Bytes, keccak256};
use commonware_consensus::{Reporter as _, simplex::types::Activity};
use commonware_macros::select;
use commonware_utils::channel::mpsc;
use std::{sync::Arc, time::Duration};
use tracing::{debug, warn};

/// Between two questions when there is nothing new: adds at most so much to the time after which a block is here.
const POLL: Duration = Duration::from_millis(100);
/// How long an upstream may take for an answer.
const ANSWER_MAX: Duration = Duration::from_secs(10);
/// Pause after a failure, doubled with each further one up to [`PAUSE_MAX`].
const PAUSE: Duration = Duration::from_millis(250);
const PAUSE_MAX: Duration = Duration::from_secs(8);

/// Who asks one upstream.
pub(super) struct Tap<E, U> {
    pub context: E,
    pub upstream: Arc<U>,
    pub index: usize,
    pub verifier: Verifier,
    pub shared: Arc<Shared>,
    pub marshal: Marshal,
}

/// Why an answer is not used.
enum Fault {
    Useless(UpstreamError),
    Lie(Lie),
}

impl<E: Runtime, U: Upstream> Tap<E, U> {
    pub async fn run(mut self) {
        loop {
            let pause = select! {
                _ = self.context.stopped() => return,
                pause = self.turn() => pause,
            };
            select! {
                _ = self.context.stopped() => return,
                _ = self.context.sleep(pause) => {},
            }
        }
    }

    /// Asks once. Gives how long to wait before the next time.
    async fn turn(&mut self) -> Duration {
        if let Some(left) = self.shared.left(self.index, self.context.current()) {
            return left;
        }
        let ask = self
            .shared
            .ask(self.index, PAGE_BLOCKS_MAX, self.context.current());
        let answer = select! {
            answer = self.upstream.page(ask.from, ask.count) => answer,
            _ = self.context.sleep(ANSWER_MAX) => Err(UpstreamError::Silent(ANSWER_MAX)),
        };
        let checked = answer
            .map_err(Fault::Useless)
            .and_then(|page| self.check(ask, page).map_err(Fault::Lie));
        let now = self.context.current();
        match checked {
            Ok((head, checked)) => {
                // One that brought many has more.
                let more = ask.count > 1 && !checked.items.is_empty();
                if let Some(news) = self.shared.answered(self.index, head, checked, now) {
                    let _ = self.marshal.report(Activity::Finalization(news));
                }
                if more { Duration::ZERO } else { POLL }
            }
            Err(Fault::Useless(error)) => {
                let failures = self.shared.failed(self.index, error.to_string(), now);
                let doublings = failures.saturating_sub(1).min(8);
                PAUSE.saturating_mul(1 << doublings).min(PAUSE_MAX)
            }
            Err(Fault::Lie(lie)) => {
                self.shared.lied(self.index, &lie, now);
                POLL
            }
        }
    }

    fn check(&mut self, ask: Ask, page: Page) -> Result<(u64, Checked), Lie> {
        let known = self.shared.head();
        let head = self
            .verifier
            .head(&mut self.context, known, page.head.as_ref())?;
        let checked = self
            .verifier
            .blocks(&mut self.context, self.index, ask.from, page)?;
        Ok((head, checked))
    }
}

/// Passes transactions on to one upstream until the mempool ends. What is lost is sent again while it waits there.
pub(super) async fn pass_on<E: Runtime, U: Upstream>(
    context: E,
    upstream: Arc<U>,
    index: usize,
    shared: Arc<Shared>,
    mut transactions: mpsc::Receiver<Bytes>,
) {
    while let Some(raw) = transactions.recv().await {
        if shared.left(index, context.current()).is_some() {
            continue;
        }
        let hash = keccak256(&raw);
        let sent = select! {
            sent = upstream.submit(raw) => sent,
            _ = context.sleep(ANSWER_MAX) => Err(UpstreamError::Silent(ANSWER_MAX)),
        };
        let upstream = upstream.name();
        match sent {
            Ok(()) => {}
            Err(UpstreamError::Refused(reason)) => {
                warn!(%hash, upstream, "an upstream refuses a transaction: {reason}");
            }
            Err(error) => debug!(%hash, upstream, %error, "could not pass a transaction on"),
        }
    }
}
