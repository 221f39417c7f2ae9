//! Validators that lie: to a node which takes the state from others, or when the key is shared anew. What they send is
//! damaged, or does not leave them.

use crate::{plan::Dealing, witness::Witness};
use alloy_primitives::bytes::{Bytes, BytesMut};
use commonware_actor::{Feedback, Unreliable};
use commonware_p2p::{CheckedSender, LimitedSender, Recipients};
use commonware_runtime::IoBufs;
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::SystemTime,
};
use types::PublicKey;

/// Channels on which a newcomer asks: blocks, state, the latest block (in the order of [`chain::CHANNELS`]).
pub const ASKED: [u64; 3] = [3, 5, 7];
/// The channel of those who share the key anew.
pub const DEALING: u64 = 6;
/// Shorter messages are questions.
const ANSWER_BYTES: usize = 60;
/// Percent of answers that are lies.
const LIES: u32 = 75;

/// To whom a validator lies; nobody at first. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Victim(Arc<Mutex<Option<PublicKey>>>);

impl Victim {
    /// From now on this node is lied to.
    pub fn choose(&self, victim: PublicKey) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(victim);
    }

    /// Whether there is one.
    pub fn is_chosen(&self) -> bool {
        let victim = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        victim.is_some()
    }

    fn is(&self, to: &[PublicKey]) -> bool {
        let victim = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        victim.as_ref().is_some_and(|victim| to == [victim.clone()])
    }
}

/// What a validator does to its messages.
#[derive(Clone)]
enum Manner {
    /// It damages what this node gets.
    Mislead(Victim),
    /// It damages what anybody gets.
    MisleadAll,
    /// It keeps them.
    Hush,
}

/// How a validator lies.
#[derive(Clone)]
pub struct Malice {
    manner: Manner,
    fault: &'static str,
    rng: Arc<Mutex<StdRng>>,
    witness: Witness,
}

impl Malice {
    /// Towards a node that takes the state from others.
    pub fn towards(victim: Victim, seed: u64, witness: Witness) -> Self {
        Self::new(Manner::Mislead(victim), "sync_lie", seed, witness)
    }

    /// As a dealer.
    pub fn dealing(dealing: Dealing, seed: u64, witness: Witness) -> Self {
        let (manner, fault) = match dealing {
            Dealing::Silent => (Manner::Hush, "silent_dealer"),
            Dealing::False => (Manner::MisleadAll, "false_dealer"),
        };
        Self::new(manner, fault, seed, witness)
    }

    fn new(manner: Manner, fault: &'static str, seed: u64, witness: Witness) -> Self {
        Self {
            manner,
            fault,
            rng: Arc::new(Mutex::new(StdRng::seed_from_u64(seed))),
            witness,
        }
    }

    /// What is sent instead of a message.
    fn corrupt(&self, to: &[PublicKey], message: Bytes) -> Option<Bytes> {
        match &self.manner {
            Manner::Hush => {
                self.witness.fault(self.fault);
                return None;
            }
            Manner::Mislead(victim) if !victim.is(to) => return Some(message),
            Manner::Mislead(_) | Manner::MisleadAll if message.len() < ANSWER_BYTES => {
                return Some(message);
            }
            Manner::Mislead(_) | Manner::MisleadAll => {}
        }
        let mut rng = self.rng.lock().unwrap_or_else(PoisonError::into_inner);
        if rng.random_range(0..100_u32) >= LIES {
            return Some(message);
        }
        let at = rng.random_range(ANSWER_BYTES / 2..message.len());
        let mut message = BytesMut::from(message);
        if let Some(byte) = message.get_mut(at) {
            *byte ^= 1 << rng.random_range(0..8_u32);
        }
        self.witness.fault(self.fault);
        Some(message.freeze())
    }
}

/// A sender that may lie.
#[derive(Clone)]
pub struct Liar<S> {
    /// What sends.
    pub sender: S,
    /// How it lies, if it may.
    pub malice: Option<Malice>,
}

impl<S> Liar<S> {
    /// A sender that never does.
    pub const fn honest(sender: S) -> Self {
        let malice = None;
        Self { sender, malice }
    }
}

impl<S: LimitedSender<PublicKey = PublicKey>> LimitedSender for Liar<S> {
    type PublicKey = PublicKey;
    type Checked<'a> = Checked<S::Checked<'a>>;

    fn check(
        &mut self,
        recipients: Recipients<PublicKey>,
    ) -> Result<Self::Checked<'_>, SystemTime> {
        let checked = self.sender.check(recipients)?;
        Ok(Checked {
            checked,
            malice: self.malice.clone(),
        })
    }
}

/// A sender that may lie, to those who may be sent to.
pub struct Checked<C> {
    checked: C,
    malice: Option<Malice>,
}

impl<C: CheckedSender<PublicKey = PublicKey>> CheckedSender for Checked<C> {
    type PublicKey = PublicKey;

    fn recipients(&self) -> Vec<PublicKey> {
        self.checked.recipients()
    }

    fn send(self, message: impl Into<IoBufs> + Send, priority: bool) -> Unreliable<Feedback> {
        let Some(malice) = &self.malice else {
            return self.checked.send(message, priority);
        };
        let whole: Bytes = message.into().coalesce().into();
        match malice.corrupt(&self.checked.recipients(), whole) {
            Some(said) => self.checked.send(said, priority),
            None => Unreliable::Rejected,
        }
    }
}
