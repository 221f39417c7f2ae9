//! Who is here, and who has finished: `agreement (32) ‖ 0 = here, 1 = finished`, said to all again and again.

use crate::alias::Runtime;
use alloy_primitives::B256;
use commonware_macros::select;
use commonware_p2p::{Receiver, Recipients, Sender};
use commonware_utils::{channel::oneshot, ordered::Set};
use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tracing::{info, warn};
use types::PublicKey;

/// Length of a message.
pub(super) const MESSAGE_BYTES: usize = 33;
/// How often a founder says where it is.
const BEAT: Duration = Duration::from_millis(250);
/// Beats after all have finished, for those that do not know it yet.
const FAREWELLS: u32 = 8;

/// Set once, when this founder knows how the ceremony ended. Clones share it.
#[derive(Clone, Default)]
pub(super) struct Finished(Arc<AtomicBool>);

impl Finished {
    pub(super) fn set(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    fn get(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Where another founder is, as far as it was heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    Unheard,
    /// It waits for a ceremony on something else.
    Apart,
    Here,
    Finished,
}

/// The other founders, and what we say to them.
pub(super) struct Assembly {
    agreement: B256,
    others: BTreeMap<PublicKey, Standing>,
    finished: Finished,
    /// Told once, when all are here.
    all_here: Option<oneshot::Sender<()>>,
}

impl Assembly {
    /// Nobody is here yet. The receiver is told when all are, and is closed when the network ends before that.
    pub(super) fn new(
        agreement: B256,
        founders: &Set<PublicKey>,
        me: &PublicKey,
    ) -> (Self, oneshot::Receiver<()>) {
        let (all_here, receiver) = oneshot::channel();
        let others = founders.iter().filter(|founder| *founder != me);
        let assembly = Self {
            agreement,
            others: others
                .map(|founder| (founder.clone(), Standing::Unheard))
                .collect(),
            finished: Finished::default(),
            all_here: Some(all_here),
        };
        (assembly, receiver)
    }

    /// Where we say that this founder has finished.
    pub(super) fn finished(&self) -> Finished {
        self.finished.clone()
    }

    /// Goes on until all have finished and had time to hear it, or the network ends.
    pub(super) async fn run<E, N, R>(mut self, context: E, (mut sender, mut receiver): (N, R))
    where
        E: Runtime,
        N: Sender<PublicKey = PublicKey>,
        R: Receiver<PublicKey = PublicKey>,
    {
        let everyone: Vec<_> = self.others.keys().cloned().collect();
        let mut beat = context.current();
        let mut farewells = FAREWELLS;
        loop {
            select! {
                message = receiver.recv() => {
                    let Ok((from, message)) = message else { return };
                    // It may have come after we spoke last: the sooner it knows, the less we are ahead of it.
                    if self.hear(&from, message.as_ref()) {
                        sender.send(Recipients::One(from), self.say(), false);
                    }
                },
                () = context.sleep_until(beat) => {
                    beat += BEAT;
                    sender.send(Recipients::Some(everyone.clone()), self.say(), false);
                    if self.finished.get() && self.all(|standing| standing == Standing::Finished) {
                        if farewells == 0 {
                            return;
                        }
                        farewells -= 1;
                    }
                },
            }
        }
    }

    fn all(&self, is: impl Fn(Standing) -> bool) -> bool {
        self.others.values().all(|standing| is(*standing))
    }

    fn say(&self) -> Vec<u8> {
        [self.agreement.as_slice(), &[u8::from(self.finished.get())]].concat()
    }

    /// Takes in what one says; whether it is here since now.
    fn hear(&mut self, from: &PublicKey, message: &[u8]) -> bool {
        let Some(standing) = self.others.get_mut(from) else {
            return false;
        };
        let heard = match message.split_last() {
            Some((finished, agreement)) if agreement == self.agreement.as_slice() => match finished
            {
                0 => Standing::Here,
                _ => Standing::Finished,
            },
            _ => Standing::Apart,
        };
        if *standing == heard || *standing == Standing::Finished {
            return false;
        }
        let new = matches!(*standing, Standing::Unheard | Standing::Apart);
        *standing = heard;
        if heard == Standing::Apart {
            warn!(founder = %from, "this founder holds another agreement: compare what each was given");
            return false;
        }
        let missing = self.others.values();
        let missing =
            missing.filter(|standing| matches!(standing, Standing::Unheard | Standing::Apart));
        let missing = missing.count();
        if new {
            info!(founder = %from, missing, "a founder is here");
        }
        if missing == 0
            && let Some(all_here) = self.all_here.take()
        {
            let _ = all_here.send(());
        }
        new
    }
}
