//! Answers what the engine misses from the shelf, and finds out who put there what does not hold.
//!
//! The engine asks for missing blocks in two ways: by height, together with the certificate, a few from the lowest on; and by
//! hash, one at a time from the highest down. A block that it has by its hash it asks no certificate for, so such a question
//! waits while there is one by height to answer: else half of the certificates of a page would never be kept.

use super::shared::Shared;
use crate::alias::Runtime;
use bytes::Bytes;
use commonware_actor::Feedback;
use commonware_consensus::marshal::resolver::handler::{self, Annotation, Finalized, Handler};
use commonware_macros::select;
use commonware_resolver::{Consumer as _, Delivery, Fetch, Outcome, Resolution, TargetedResolver};
use commonware_utils::{channel::mpsc, vec::NonEmptyVec};
use futures::future::join_all;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tracing::{Span, debug};
use types::{Digest, PublicKey};

/// What the engine asks for.
type Key = handler::Key<Digest>;
/// Who waits for it within the engine.
type Waiting = Vec<(Annotation, Span)>;

/// Questions kept: the engine has at most some hundred, and asks again what is forgotten.
const QUESTIONS_MAX: usize = 4_096;

/// The engine's questions. Clones share them.
#[derive(Clone)]
pub(super) struct Resolver {
    questions: Arc<Mutex<BTreeMap<Key, Waiting>>>,
    bell: mpsc::Sender<()>,
}

/// A question with its answer.
struct Due {
    key: Key,
    waiting: Waiting,
    value: Bytes,
    source: usize,
}

impl Resolver {
    /// No questions yet. `bell` wakes whoever runs [`Self::run`].
    pub fn new(bell: mpsc::Sender<()>) -> Self {
        Self {
            questions: Arc::default(),
            bell,
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Key, Waiting>> {
        self.questions
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn ask(&self, fetches: impl IntoIterator<Item = Fetch<Key, Annotation>>) -> Feedback {
        let mut questions = self.lock();
        for fetch in fetches {
            if questions.len() >= QUESTIONS_MAX && !questions.contains_key(&fetch.key) {
                continue;
            }
            let waiting = questions.entry(fetch.key).or_default();
            if waiting.iter().all(|(known, _)| *known != fetch.subscriber) {
                waiting.push((fetch.subscriber, fetch.span));
            }
        }
        drop(questions);
        // Full: it is awake already.
        let _ = self.bell.try_send(());
        Feedback::Ok
    }

    /// Answers until the node stops.
    pub async fn run<E: Runtime>(
        self,
        context: E,
        mut rung: mpsc::Receiver<()>,
        shared: Arc<Shared>,
        mut handler: Handler<Digest>,
    ) {
        loop {
            select! {
                _ = context.stopped() => return,
                woken = rung.recv() => if woken.is_none() { return },
            }
            loop {
                let due = self.due(&shared);
                if due.is_empty() || !self.answer(&context, due, &shared, &mut handler).await {
                    break;
                }
            }
        }
    }

    /// Takes out the questions that can be answered now.
    fn due(&self, shared: &Shared) -> Vec<Due> {
        let mut questions = self.lock();
        let is_by_height = |key: &Key| matches!(key, Key::Finalized { .. });
        let by_height = questions
            .keys()
            .any(|key| is_by_height(key) && shared.answer(key).is_some());
        let mut due = Vec::new();
        questions.retain(|key, waiting| {
            let Some(answer) = shared.answer(key) else {
                return true;
            };
            let comes_by_height = waiting.iter().any(|(known, _)| {
                matches!(known, Annotation::Finalized(Finalized::ByHeight { .. }))
            });
            if by_height && !is_by_height(key) && answer.certified && comes_by_height {
                return true;
            }
            due.push(Due {
                key: *key,
                waiting: std::mem::take(waiting),
                value: answer.value,
                source: answer.source,
            });
            false
        });
        due
    }

    /// Hands answers to the engine. Whether all were taken.
    async fn answer<E: Runtime>(
        &self,
        context: &E,
        due: Vec<Due>,
        shared: &Shared,
        handler: &mut Handler<Digest>,
    ) -> bool {
        let mut verdicts = Vec::with_capacity(due.len());
        for Due {
            key,
            waiting,
            value,
            source,
        } in due
        {
            let Ok(subscribers) = NonEmptyVec::try_from(waiting.clone()) else {
                continue;
            };
            let verdict = handler.deliver(Delivery { key, subscribers }, value);
            verdicts.push(async move { (key, waiting, source, verdict.await) });
        }
        let mut taken = true;
        for (key, waiting, source, verdict) in join_all(verdicts).await {
            match verdict {
                // It has what it asked for, or does not want it any more.
                Ok(Outcome::Resolved(Resolution::Complete) | Outcome::Ignored) | Err(_) => continue,
                Ok(Outcome::Invalid) => shared.forged(source, &key, context.current()),
                Ok(Outcome::Resolved(Resolution::Partial) | Outcome::Unresolved) => {
                    debug!(%key, "the engine asks again");
                }
            }
            taken = false;
            self.lock().entry(key).or_default().extend(waiting);
        }
        taken
    }
}

impl commonware_resolver::Resolver for Resolver {
    type Key = Key;
    type Subscriber = Annotation;

    fn fetch<F>(&mut self, key: F) -> Feedback
    where
        F: Into<Fetch<Key, Annotation>> + Send,
    {
        self.ask([key.into()])
    }

    fn fetch_all<F>(&mut self, keys: Vec<F>) -> Feedback
    where
        F: Into<Fetch<Key, Annotation>> + Send,
    {
        self.ask(keys.into_iter().map(Into::into))
    }

    fn retain(
        &mut self,
        predicate: impl Fn(&Key, &Annotation) -> bool + Send + 'static,
    ) -> Feedback {
        self.lock().retain(|key, waiting| {
            waiting.retain(|(annotation, _)| predicate(key, annotation));
            !waiting.is_empty()
        });
        Feedback::Ok
    }
}

impl TargetedResolver for Resolver {
    type PublicKey = PublicKey;

    fn fetch_targeted(
        &mut self,
        fetch: impl Into<Fetch<Key, Annotation>> + Send,
        _targets: NonEmptyVec<PublicKey>,
    ) -> Feedback {
        // Upstreams have no keys.
        self.ask([fetch.into()])
    }

    fn fetch_all_targeted<F>(&mut self, keys: Vec<(F, NonEmptyVec<PublicKey>)>) -> Feedback
    where
        F: Into<Fetch<Key, Annotation>> + Send,
    {
        self.ask(keys.into_iter().map(|(key, _)| key.into()))
    }
}
