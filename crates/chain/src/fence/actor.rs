//! The shell around witness and holder: clock, network and disk.

use super::{
    BEAT, HURRY, SAY,
    gate::{Gate, Gated},
    holder::{FenceError, Holder, Standing},
    message::{Message, Run},
    witness::Witness,
};
use crate::alias::{Marshal, Runtime};
use commonware_codec::{DecodeExt as _, Encode as _};
use commonware_macros::select;
use commonware_p2p::{Receiver, Recipients, Sender};
use commonware_storage::metadata::{self, Metadata};
use commonware_utils::{
    channel::{mpsc, watch},
    ordered::Set,
    sequence::U64,
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::SystemTime,
};
use tracing::{debug, info, warn};
use types::PublicKey;

/// Where the generation is kept.
const GENERATION: U64 = U64::new(0);

/// What the fence begins with.
pub struct Parts {
    /// Our key.
    pub me: PublicKey,
    /// Who validates now; empty as long as that is not known.
    pub committee: watch::Receiver<Set<PublicKey>>,
    /// Height of the last final block that is durable. None if there are no secrets to break a promise with.
    pub began: Option<u64>,
}

/// How a process with secrets began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Entered {
    /// With them.
    Whole,
    /// It gave them up.
    Bare,
}

/// A handle to the fence. Clones share it.
#[derive(Clone, Debug)]
pub struct Fence {
    gate: Gate,
    /// For the entry alone: a channel wakes several who wait in random order.
    standing: watch::Receiver<Standing>,
    fenced: watch::Receiver<Option<FenceError>>,
    height: Arc<AtomicU64>,
    entry: mpsc::UnboundedSender<Entered>,
    /// Whether it has secrets, and nobody has answered yet.
    unheard: Arc<AtomicBool>,
}

impl Fence {
    /// A channel on which this process sends only while it may sign.
    pub fn gate<N>(&self, sender: N) -> Gated<N> {
        Gated::behind(self.gate.clone(), sender)
    }

    /// How things stand, and when that changes.
    pub(super) fn standing(&self) -> watch::Receiver<Standing> {
        self.standing.clone()
    }

    /// How the entry ended.
    pub(super) fn enter(&self, how: Entered) {
        let _ = self.entry.send(how);
    }

    /// Claims tell how far this node has come, from now on.
    pub fn follow<E: Runtime>(&self, context: E, marshal: Marshal) {
        let height = Arc::clone(&self.height);
        context.spawn(|context| async move {
            loop {
                // Only what is durable: a run after a crash must not have less.
                if let Some(processed) = marshal.get_processed().await {
                    height.fetch_max(processed.height().get(), Ordering::Relaxed);
                }
                select! {
                    _ = context.stopped() => return,
                    _ = context.sleep(BEAT) => {},
                }
            }
        });
    }

    /// Whether this process may sign now.
    pub fn is_granted(&self) -> bool {
        self.gate.is_open()
    }

    /// Whether this process wants to sign, and no witness has answered since it began.
    pub fn is_unheard(&self) -> bool {
        self.unheard.load(Ordering::Relaxed)
    }

    /// Returns when this process must end, with the reason.
    pub async fn fenced(&self) -> FenceError {
        let mut fenced = self.fenced.clone();
        if let Ok(fenced) = fenced.wait_for(Option::is_some).await
            && let Some(error) = &*fenced
        {
            return error.clone();
        }
        // The node is stopping for another reason.
        std::future::pending().await
    }
}

/// The fence's one owner.
pub struct Actor<E: Runtime> {
    context: E,
    me: PublicKey,
    disk: Metadata<E, U64, u64>,
    committee: watch::Receiver<Set<PublicKey>>,
    holder: Holder,
    witness: Witness,
    height: Arc<AtomicU64>,
    entry: mpsc::UnboundedReceiver<Entered>,
    gate: Gate,
    standing: watch::Sender<Standing>,
    fenced: watch::Sender<Option<FenceError>>,
    unheard: Arc<AtomicBool>,
    /// When people were last told that it waits, and that another process wants the key.
    said: SystemTime,
    alerted: Option<SystemTime>,
}

impl<E: Runtime> Actor<E> {
    /// Counts this run, durably.
    pub async fn open(
        mut context: E,
        prefix: &str,
        parts: Parts,
    ) -> Result<(Self, Fence), metadata::Error> {
        let config = metadata::Config {
            partition: format!("{prefix}-fence"),
            codec_config: (),
        };
        let disk = Metadata::<E, U64, u64>::init(context.child("generation"), config).await?;
        let last = disk.get(&GENERATION).copied().unwrap_or_default();
        let generation = last.saturating_add(1);
        let disk = disk.put_sync(GENERATION, generation).await?;
        let mut instance = [0; 8];
        context.fill_bytes(&mut instance);
        let run = Run {
            instance: u64::from_be_bytes(instance),
            generation,
        };
        let gate = Gate::new(context.child("gate"));
        let (standing, stands) = watch::channel(Standing::Waiting);
        let (fenced, is_fenced) = watch::channel(None);
        // One message.
        let (enter, entry) = mpsc::unbounded_channel();
        let height = Arc::new(AtomicU64::new(parts.began.unwrap_or_default()));
        let unheard = Arc::new(AtomicBool::new(parts.began.is_some()));
        let fence = Fence {
            gate: gate.clone(),
            standing: stands,
            fenced: is_fenced,
            height: Arc::clone(&height),
            entry: enter,
            unheard: Arc::clone(&unheard),
        };
        let actor = Self {
            said: context.current(),
            context,
            me: parts.me,
            disk,
            committee: parts.committee,
            holder: Holder::new(run, parts.began),
            witness: Witness::default(),
            height,
            entry,
            gate,
            standing,
            fenced,
            unheard,
            alerted: None,
        };
        Ok((actor, fence))
    }

    /// Claims and answers until the node stops, or must.
    ///
    /// # Panics
    /// When storage fails: the node must stop.
    pub fn start<S, R>(self, channel: (S, R))
    where
        S: Sender<PublicKey = PublicKey>,
        R: Receiver<PublicKey = PublicKey>,
    {
        let context = self.context.child("fence");
        #[expect(
            clippy::expect_used,
            reason = "a node that cannot count its runs must stop"
        )]
        context.spawn(|_| async move { self.run(channel).await.expect("fence: storage failed") });
    }

    async fn run<S, R>(mut self, (mut sender, mut receiver): (S, R)) -> Result<(), metadata::Error>
    where
        S: Sender<PublicKey = PublicKey>,
        R: Receiver<PublicKey = PublicKey>,
    {
        let mut stopped = self.context.stopped();
        let mut beat = self.context.current();
        loop {
            // The first that is ready is taken, in this order.
            select! {
                _ = &mut stopped => {
                    self.gate.set(None);
                    let release = Message::Release(self.holder.run().instance);
                    sender.send(Recipients::All, release.encode(), true);
                    return Ok(());
                },
                _ = self.context.sleep_until(beat) => {
                    let now = self.context.current();
                    beat = now + if self.gate.is_open() { BEAT } else { HURRY };
                    let claim = self.holder.claim(self.height.load(Ordering::Relaxed), now);
                    sender.send(Recipients::All, Message::Claim(claim).encode(), true);
                },
                entered = self.entry.recv() => match entered {
                    Some(Entered::Whole) => self.holder.enter(),
                    Some(Entered::Bare) => self.holder.disown(),
                    None => return Ok(()),
                },
                message = receiver.recv() => {
                    let Ok((peer, message)) = message else { return Ok(()) };
                    match Message::decode(message) {
                        Ok(message) => self.hear(&mut sender, &peer, message),
                        Err(error) => debug!(?peer, %error, "peer sent a malformed claim"),
                    }
                },
            }
            self = self.settle().await?;
            if matches!(&*self.standing.borrow(), Standing::Fenced(_)) {
                return Ok(());
            }
        }
    }

    fn hear<S: Sender<PublicKey = PublicKey>>(
        &mut self,
        sender: &mut S,
        peer: &PublicKey,
        message: Message,
    ) {
        let now = self.context.current();
        match message {
            Message::Claim(claim) => {
                let answer = Message::Answer(self.witness.judge(peer, &claim, now));
                sender.send(Recipients::One(peer.clone()), answer.encode(), true);
            }
            Message::Answer(answer) => {
                if let Some(rival) = self.holder.answer(peer, &answer, now) {
                    self.alert(peer, rival, now);
                }
            }
            Message::Release(instance) => self.witness.release(peer, instance),
        }
    }

    fn alert(&mut self, peer: &PublicKey, rival: Run, now: SystemTime) {
        if self.alerted.is_some_and(|last| !is_over(last, now)) {
            return;
        }
        self.alerted = Some(now);
        warn!(
            witness = %peer,
            its_run = rival.generation,
            our_run = self.holder.run().generation,
            "ALERT: another process has tried to sign with this validator's key. It was refused. Find it and stop it: a copy of \
             this data directory, or of the network key, runs elsewhere"
        );
    }

    /// Draws the conclusions.
    async fn settle(mut self) -> Result<Self, metadata::Error> {
        if self.committee.has_changed().unwrap_or_default() || self.holder.witnesses().is_empty() {
            let committee = self.committee.borrow_and_update();
            self.holder.set_committee(&committee, &self.me);
        }
        let now = self.context.current();
        if let Some(generation) = self.holder.raise(now) {
            self.disk = self.disk.put_sync(GENERATION, generation).await?;
        }
        let standing = self.holder.standing(now);
        let lease = match &standing {
            Standing::Granted(lease) => Some(*lease),
            _ => None,
        };
        self.gate.set(lease);
        if lease.is_some() || self.holder.is_heard() {
            self.unheard.store(false, Ordering::Relaxed);
        }
        let before = self.standing.borrow().clone();
        match (&before, &standing) {
            (Standing::Granted(_), Standing::Granted(_)) => self.said = now,
            (_, Standing::Granted(_)) => {
                debug!(run = self.holder.run().generation, "the key is ours");
                if is_over(self.said, now) {
                    info!("this node's key is its own: it signs");
                }
                self.said = now;
            }
            _ if is_over(self.said, now) => {
                self.said = now;
                warn!(
                    run = self.holder.run().generation,
                    validators = self.holder.witnesses().len(),
                    answers = self.holder.summary(now),
                    "this node does not sign: too few validators grant it its key. If others are up and do not answer, another \
                     process with this key may be connected with them"
                );
            }
            _ => {}
        }
        if let Standing::Fenced(error) = &standing {
            self.fenced.send_replace(Some(error.clone()));
        }
        if before != standing {
            self.standing.send_replace(standing);
        }
        Ok(self)
    }
}

/// Whether it is time to say it again.
fn is_over(last: SystemTime, now: SystemTime) -> bool {
    now.duration_since(last).map_or(true, |past| past >= SAY)
}
