//! A validator that lies to a node which takes the state from others: what it sends, it damages.

use crate::witness::Witness;
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

    fn is(&self, to: &[PublicKey]) -> bool {
        let victim = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        victim.as_ref().is_some_and(|victim| to == [victim.clone()])
    }
}

/// How a validator lies.
#[derive(Clone)]
pub struct Malice {
    victim: Victim,
    rng: Arc<Mutex<StdRng>>,
    witness: Witness,
}

impl Malice {
    /// Towards a node.
    pub fn new(victim: Victim, seed: u64, witness: Witness) -> Self {
        Self {
            victim,
            rng: Arc::new(Mutex::new(StdRng::seed_from_u64(seed))),
            witness,
        }
    }

    fn corrupt(&self, to: &[PublicKey], message: Bytes) -> Bytes {
        if !self.victim.is(to) || message.len() < ANSWER_BYTES {
            return message;
        }
        let mut rng = self.rng.lock().unwrap_or_else(PoisonError::into_inner);
        if rng.random_range(0..100_u32) >= LIES {
            return message;
        }
        let at = rng.random_range(ANSWER_BYTES / 2..message.len());
        let mut message = BytesMut::from(message);
        if let Some(byte) = message.get_mut(at) {
            *byte ^= 1 << rng.random_range(0..8_u32);
        }
        self.witness.fault("sync_lie");
        message.freeze()
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
        let said = malice.corrupt(&self.checked.recipients(), whole);
        self.checked.send(said, priority)
    }
}
