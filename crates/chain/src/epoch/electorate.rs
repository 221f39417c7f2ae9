//! Who validates in the epochs to come, as `Members` or `Stake` said when it was read.

use super::Calendar;
use crate::alias::Runtime;
use commonware_actor::Feedback;
use commonware_codec::{Encode as _, RangeCfg};
use commonware_consensus::{Reporter, marshal::Update, types::Epoch};
use commonware_glue::dkg::{ParticipantsProvider, ReshareBlock as _};
use commonware_macros::select;
use commonware_storage::metadata::{self, Metadata};
use commonware_utils::{
    Acknowledgement as _,
    acknowledgement::Exact,
    channel::{mpsc, oneshot},
    ordered::Set,
    sequence::{U64, Unit},
};
use std::collections::BTreeMap;
use tracing::warn;
use types::{Block, Ceremony, Committee, EpochInfo, MAX_VALIDATORS, PublicKey};

/// Readings kept: of the epochs whose committees are not named yet, and the one before, which stands in for one that cannot be.
const KEPT: usize = 4;

struct Reading {
    epoch: u64,
    validators: Set<PublicKey>,
    done: oneshot::Sender<()>,
}

/// Who validates in an epoch by a final block, which names them.
struct Named {
    epoch: u64,
    validators: Set<PublicKey>,
    done: Option<Exact>,
}

struct Question {
    epoch: u64,
    reply: oneshot::Sender<Set<PublicKey>>,
}

/// A handle to the readings. Clones share them.
#[derive(Clone, Debug)]
pub struct Electorate {
    calendar: Calendar,
    readings: mpsc::Sender<Reading>,
    named: mpsc::UnboundedSender<Named>,
    questions: mpsc::Sender<Question>,
}

impl Electorate {
    /// The epoch for which `Members` or `Stake` is read after the block at a height, if it is.
    pub fn read_for(&self, height: u64) -> Option<u64> {
        self.calendar.read_for(height)
    }

    /// Keeps who validates in an epoch. Returns when it is durable, and never if that failed. Repeating is harmless.
    pub async fn record(&self, epoch: u64, validators: Set<PublicKey>) {
        let (done, kept) = oneshot::channel();
        let reading = Reading {
            epoch,
            validators,
            done,
        };
        let _ = self.readings.send(reading).await;
        if kept.await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Takes it from an epoch's description who gets shares in the one after it, unless that is known already.
    pub fn learn(&self, info: EpochInfo, done: Option<Exact>) {
        let _ = self.named.send(Named {
            epoch: info.epoch.get().saturating_add(1),
            validators: info.next_players,
            done,
        });
    }
}

/// A node that took the state from others did not execute the blocks after which `Members` or `Stake` is read: those that end an epoch
/// say what was read.
impl Reporter for Electorate {
    type Activity = Update<Block>;

    fn report(&mut self, update: Update<Block>) -> Feedback {
        if let Update::Block(block, done) = update {
            match block.inner().payload() {
                Some(Ceremony::EpochInfo(info)) => self.learn(info, Some(done)),
                _ => done.acknowledge(),
            }
        }
        Feedback::Ok
    }
}

impl ParticipantsProvider for Electorate {
    type PublicKey = PublicKey;
    type Directory = Unit;

    async fn participants(&mut self, epoch: Epoch) -> Set<PublicKey> {
        let (reply, answer) = oneshot::channel();
        let question = Question {
            epoch: epoch.get(),
            reply,
        };
        let _ = self.questions.send(question).await;
        match answer.await {
            Ok(participants) => participants,
            // The node is stopping.
            Err(_) => std::future::pending().await,
        }
    }

    async fn directory(&mut self, _epoch: Epoch, _peers: Set<PublicKey>) -> Unit {
        Unit
    }
}

/// The readings' one owner.
pub struct Actor<E: Runtime> {
    context: E,
    founders: Set<PublicKey>,
    /// Fewer than this many are no committee.
    least: usize,
    disk: Metadata<E, U64, Vec<u8>>,
    known: BTreeMap<u64, Set<PublicKey>>,
    waiting: Vec<Question>,
    readings: mpsc::Receiver<Reading>,
    named: mpsc::UnboundedReceiver<Named>,
    questions: mpsc::Receiver<Question>,
}

impl<E: Runtime> Actor<E> {
    /// Opens what was read before.
    pub async fn open(
        context: E,
        prefix: &str,
        calendar: Calendar,
        committee: &Committee,
        least: usize,
    ) -> Result<(Self, Electorate), metadata::Error> {
        let config = metadata::Config {
            partition: format!("{prefix}-electorate"),
            codec_config: (RangeCfg::new(0..=usize::from(u16::MAX)), ()),
        };
        let disk = Metadata::<E, U64, Vec<u8>>::init(context.child("electorate"), config).await?;
        let entry = |key: &U64| {
            let encoded = bytes::Bytes::copy_from_slice(disk.get(key)?);
            let validators = decode(encoded)?;
            Some((u64::from(key), validators))
        };
        let known = disk.keys().filter_map(entry).collect();
        let (reading, readings) = mpsc::channel(4);
        // One for each epoch.
        let (name, named) = mpsc::unbounded_channel();
        let (question, questions) = mpsc::channel(64);
        let actor = Self {
            context,
            founders: committee.validators().clone(),
            least,
            disk,
            known,
            waiting: Vec::new(),
            readings,
            named,
            questions,
        };
        let electorate = Electorate {
            calendar,
            readings: reading,
            named: name,
            questions: question,
        };
        Ok((actor, electorate))
    }

    /// Serves until the node stops.
    ///
    /// # Panics
    /// When storage fails: the node must stop, and restart from what is durable.
    pub fn start(self) {
        let context = self.context.child("electorate");
        #[expect(
            clippy::expect_used,
            reason = "a node that cannot keep who validates must stop"
        )]
        context.spawn(|_| async move { self.run().await.expect("electorate: storage failed") });
    }

    async fn run(mut self) -> Result<(), metadata::Error> {
        loop {
            // The first that is ready is taken, in this order.
            select! {
                reading = self.readings.recv() => {
                    let Some(Reading { epoch, validators, done }) = reading else {
                        return Ok(());
                    };
                    self = self.keep(epoch, validators).await?;
                    let _ = done.send(());
                },
                named = self.named.recv() => {
                    let Some(Named { epoch, validators, done }) = named else {
                        return Ok(());
                    };
                    if !self.known.contains_key(&epoch) {
                        self = self.put(epoch, validators).await?;
                    }
                    if let Some(done) = done {
                        done.acknowledge();
                    }
                },
                question = self.questions.recv() => {
                    let Some(question) = question else {
                        return Ok(());
                    };
                    self.waiting.push(question);
                },
            }
            self.answer();
        }
    }

    async fn keep(self, epoch: u64, read: Set<PublicKey>) -> Result<Self, metadata::Error> {
        let most = MAX_VALIDATORS.get() as usize;
        let validators = if (self.least..=most).contains(&read.len()) {
            read
        } else {
            // The same on every node: it follows from readings alone.
            warn!(
                epoch,
                found = read.len(),
                least = self.least,
                most,
                "no committee can be made of these validators: the previous ones stay"
            );
            let previous = self.known.get(&epoch.saturating_sub(1));
            previous.unwrap_or(&self.founders).clone()
        };
        self.put(epoch, validators).await
    }

    async fn put(
        mut self,
        epoch: u64,
        validators: Set<PublicKey>,
    ) -> Result<Self, metadata::Error> {
        self.disk.put(U64::new(epoch), validators.encode().to_vec());
        self.known.insert(epoch, validators);
        while self.known.len() > KEPT {
            if let Some((oldest, _)) = self.known.pop_first() {
                self.disk.remove(&U64::new(oldest));
            }
        }
        self.disk = self.disk.sync().await?;
        Ok(self)
    }

    /// Answers what can be: epochs 0 and 1 are the founders', a later one's question waits for its reading.
    fn answer(&mut self) {
        let (known, founders) = (&self.known, &self.founders);
        for question in std::mem::take(&mut self.waiting) {
            let answer = match question.epoch {
                0 | 1 => Some(founders),
                epoch => known.get(&epoch),
            };
            match answer {
                Some(answer) => {
                    let _ = question.reply.send(answer.clone());
                }
                None if question.reply.is_closed() => {}
                None => self.waiting.push(question),
            }
        }
    }
}

fn decode(encoded: bytes::Bytes) -> Option<Set<PublicKey>> {
    use commonware_codec::Decode as _;
    let range = RangeCfg::new(0..=MAX_VALIDATORS.get() as usize);
    Set::decode_cfg(encoded, &(range, ())).ok()
}
