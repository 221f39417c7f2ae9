//! Clients that record, and remember what they were promised.

use super::network::Status;
use alloy_primitives::{B256, Bytes};
use anyhow::Result;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use client::{
    gateway::{Gateway, GatewayError},
    problem::Problem,
    record::{AttachmentRequest, RecordRequest},
};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use serde_json::{json, value::RawValue};
use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{
    sync::{mpsc, watch},
    task::{JoinHandle, JoinSet},
    time::{sleep, timeout},
};

/// Clients that record one thing after another.
const WRITERS: u64 = 16;
/// Longest pause between two records of one client, in milliseconds: the machine is to be busy, not stuck.
const PAUSE_MS_MAX: u64 = 200;
/// Time before a request that was not answered is sent again.
const RETRY: Duration = Duration::from_millis(50);
/// What clients saw and the book has not taken in yet; more wait.
const SEEN_WAITING_MAX: usize = 1_024;

/// A business fact, as a client posts it.
#[derive(Debug)]
pub(crate) struct Fact {
    /// Its type.
    pub kind: String,
    /// Its data, JSON.
    pub data: String,
    /// Its attachment, if it has one.
    pub attachment: Option<Vec<u8>>,
}

impl Fact {
    /// Name of every attachment.
    pub(crate) const FILE: &'static str = "note.bin";
    /// Media type of every attachment.
    pub(crate) const MEDIA_TYPE: &'static str = "application/octet-stream";

    fn random(rng: &mut StdRng, client: u64, number: u64) -> Self {
        let pallets: u16 = rng.random();
        let data =
            json!({ "client": client, "number": number, "pallets": pallets, "to": "Zürich" });
        let attachment = rng.random_bool(0.1).then(|| {
            let mut bytes = vec![0; rng.random_range(1..4_096)];
            rng.fill(&mut bytes[..]);
            bytes
        });
        Self {
            kind: "scenario/load".to_owned(),
            data: data.to_string(),
            attachment,
        }
    }

    fn request(&self) -> Result<RecordRequest> {
        let attachments = self.attachment.iter().map(|bytes| AttachmentRequest {
            name: Self::FILE.to_owned(),
            media_type: Self::MEDIA_TYPE.to_owned(),
            content: STANDARD.encode(bytes),
        });
        Ok(RecordRequest {
            kind: self.kind.clone(),
            data: RawValue::from_string(self.data.clone())?,
            attachments: attachments.collect(),
        })
    }
}

/// What a client saw.
#[derive(Debug)]
enum Seen {
    /// It is about to post this.
    Posting(String, Arc<Fact>),
    /// 202: the record has this id.
    Accepted(String, B256),
    /// 201: the receipt.
    Final(String, Bytes),
    /// No answer, or one that asks to come again.
    Retried,
    /// Another body under a used key was refused, as it must be.
    OtherBodyRefused,
    /// What should not have happened.
    Violation(String),
}

/// Everything that was posted and promised.
#[derive(Debug, Default)]
pub(crate) struct Book {
    /// By idempotency key.
    pub promises: BTreeMap<String, Promise>,
    /// Requests sent again.
    pub retries: u64,
    /// Keys posted by two clients at once.
    pub contended: u64,
    /// Other bodies under used keys that were refused.
    pub other_bodies_refused: u64,
    /// What should not have happened.
    pub violations: Vec<String>,
}

/// One idempotency key.
#[derive(Debug)]
pub(crate) struct Promise {
    /// What was posted under it.
    pub fact: Arc<Fact>,
    /// Whether a 2xx reply came.
    pub acknowledged: bool,
    /// The id it was accepted under.
    pub id: Option<B256>,
    /// The receipt.
    pub receipt: Option<Bytes>,
    /// How many clients posted it.
    clients: u64,
}

impl Book {
    fn note(&mut self, seen: Seen) {
        match seen {
            Seen::Posting(key, fact) => {
                let promise = self.promises.entry(key).or_insert(Promise {
                    fact,
                    acknowledged: false,
                    id: None,
                    receipt: None,
                    clients: 0,
                });
                promise.clients += 1;
                self.contended += u64::from(promise.clients == 2);
            }
            Seen::Accepted(key, id) => {
                let Some(promise) = self.promises.get_mut(&key) else {
                    return;
                };
                promise.acknowledged = true;
                if *promise.id.get_or_insert(id) != id {
                    self.violations
                        .push(format!("key {key} was accepted under two ids"));
                }
            }
            Seen::Final(key, receipt) => {
                let Some(promise) = self.promises.get_mut(&key) else {
                    return;
                };
                promise.acknowledged = true;
                if *promise.receipt.get_or_insert_with(|| receipt.clone()) != receipt {
                    self.violations.push(format!("key {key} got two receipts"));
                }
            }
            Seen::Retried => self.retries += 1,
            Seen::OtherBodyRefused => self.other_bodies_refused += 1,
            Seen::Violation(text) => self.violations.push(text),
        }
    }
}

/// Running clients.
#[derive(Debug)]
pub(crate) struct Load {
    client: Client,
    stop: watch::Sender<bool>,
    writers: JoinSet<()>,
    book: JoinHandle<Book>,
}

impl Load {
    /// Starts them.
    pub(crate) fn start(status: &Status, seed: u64) -> Result<Self> {
        let (seen, mut noted) = mpsc::channel(SEEN_WAITING_MAX);
        let book = tokio::spawn(async move {
            let mut book = Book::default();
            while let Some(seen) = noted.recv().await {
                book.note(seen);
            }
            book
        });
        let gateway = Gateway::new(&status.gateway.url, &status.api_key)?;
        let client = Client {
            gateway,
            seen,
            refusals: watch::channel(None).0,
        };
        let (stop, stopped) = watch::channel(false);
        let mut writers = JoinSet::new();
        for writer in 0..WRITERS {
            let rng = StdRng::seed_from_u64(seed.wrapping_add(writer + 1));
            writers.spawn(write(client.clone(), writer, rng, stopped.clone()));
        }
        Ok(Self {
            client,
            stop,
            writers,
            book,
        })
    }

    /// The last time the gateway asked a client to come again: why.
    pub(crate) fn refusals(&self) -> watch::Receiver<Option<Problem>> {
        self.client.refusals.subscribe()
    }

    /// Posts one record now; the task ends when it is final.
    pub(crate) fn probe(&self, number: usize) -> JoinHandle<Instant> {
        let client = self.client.clone();
        tokio::spawn(async move {
            let data = json!({ "probe": number }).to_string();
            let fact = Fact {
                kind: "scenario/probe".to_owned(),
                data,
                attachment: None,
            };
            client
                .record(&format!("probe-{number}"), &Arc::new(fact), true)
                .await;
            Instant::now()
        })
    }

    /// Lets each client finish what it began, for at most `patience`; returns what they saw.
    pub(crate) async fn finish(mut self, patience: Duration) -> Result<Book> {
        self.stop.send_replace(true);
        let finished = timeout(patience, async {
            while self.writers.join_next().await.is_some() {}
        })
        .await;
        self.writers.shutdown().await;
        drop(self.client);
        let mut book = self.book.await?;
        if finished.is_err() {
            book.violations
                .push(format!("clients still waited after {patience:?}"));
        }
        Ok(book)
    }
}

/// Records one thing after another until told to stop.
async fn write(client: Client, writer: u64, mut rng: StdRng, stopped: watch::Receiver<bool>) {
    for number in 0.. {
        if *stopped.borrow() {
            return;
        }
        let fact = Arc::new(Fact::random(&mut rng, writer, number));
        let key = format!("{writer}-{number}");
        match rng.random_range(0..10_u32) {
            0 | 1 => client.record(&key, &fact, true).await,
            2 | 3 => {
                futures::join!(
                    client.record(&key, &fact, false),
                    client.record(&key, &fact, true)
                );
            }
            _ => client.record(&key, &fact, false).await,
        }
        if rng.random_bool(0.05) {
            client.misuse(&key).await;
        }
        sleep(Duration::from_millis(rng.random_range(0..PAUSE_MS_MAX))).await;
    }
}

/// One who posts.
#[derive(Clone, Debug)]
struct Client {
    gateway: Gateway,
    seen: mpsc::Sender<Seen>,
    refusals: watch::Sender<Option<Problem>>,
}

/// What to do after an answer.
enum Next<T> {
    Done(T),
    Again,
    GiveUp,
}

impl Client {
    /// Posts `fact` until it is acknowledged (or `at_once` final), and then until it is final.
    async fn record(&self, key: &str, fact: &Arc<Fact>, at_once: bool) {
        let request = match fact.request() {
            Ok(request) => request,
            Err(error) => return self.say(Seen::Violation(format!("{error:#}"))).await,
        };
        self.say(Seen::Posting(key.to_owned(), Arc::clone(fact)))
            .await;
        if !at_once {
            let Some(accepted) = self
                .until_done(key, || self.gateway.record(key, &request))
                .await
            else {
                return;
            };
            self.say(Seen::Accepted(key.to_owned(), accepted.id)).await;
        }
        let receipt = self
            .until_done(key, || self.gateway.record_final(key, &request))
            .await;
        if let Some(receipt) = receipt {
            self.say(Seen::Final(key.to_owned(), receipt)).await;
        }
    }

    /// Posts something else under a key that was used. It must be refused.
    async fn misuse(&self, key: &str) {
        let fact = Fact {
            kind: "scenario/misuse".to_owned(),
            data: "null".to_owned(),
            attachment: None,
        };
        let Ok(request) = fact.request() else { return };
        loop {
            match self.gateway.record(key, &request).await {
                Err(GatewayError::Refused(problem)) if problem.status == 422 => {
                    return self.say(Seen::OtherBodyRefused).await;
                }
                Err(error) if matches!(next::<()>(Err(&error)), Next::Again) => {
                    self.again().await;
                }
                other => {
                    let text = format!("another body under key {key}: {other:?}");
                    return self.say(Seen::Violation(text)).await;
                }
            }
        }
    }

    /// Sends a request until it has an answer. None if there will never be one.
    async fn until_done<T, F>(&self, key: &str, send: impl Fn() -> F) -> Option<T>
    where
        F: Future<Output = Result<T, GatewayError>>,
    {
        loop {
            let answer = send().await;
            match next(answer.as_ref().map(|_| ())) {
                Next::Done(()) => return answer.ok(),
                Next::Again => {
                    if let Err(GatewayError::Refused(problem)) = answer {
                        self.refusals.send_replace(Some(*problem));
                    }
                    self.again().await;
                }
                Next::GiveUp => {
                    let error = answer
                        .err()
                        .map(|error| error.to_string())
                        .unwrap_or_default();
                    self.say(Seen::Violation(format!("key {key}: {error}")))
                        .await;
                    return None;
                }
            }
        }
    }

    async fn again(&self) {
        self.say(Seen::Retried).await;
        sleep(RETRY).await;
    }

    async fn say(&self, seen: Seen) {
        // The book is gone only when the run is over.
        let _ = self.seen.send(seen).await;
    }
}

/// Whether an answer is one. A gateway that is being killed may answer nothing, or half.
fn next<T>(answer: Result<T, &GatewayError>) -> Next<T> {
    match answer {
        Ok(value) => Next::Done(value),
        Err(GatewayError::Unreachable(_) | GatewayError::NotYet) => Next::Again,
        Err(GatewayError::Refused(problem)) if problem.status >= 500 || problem.status == 429 => {
            Next::Again
        }
        Err(_) => Next::GiveUp,
    }
}
