//! Whom a node speaks with: who validates now and soon, every other node of the members, and in a bonded network the candidates.

use commonware_consensus::types::Epoch;
use commonware_glue::dkg::network::Manager;
use commonware_p2p::{PeerSetSubscription, PeerSetUpdate, Provider, TrackedPeers};
use commonware_utils::{channel::mpsc, ordered::Set, sequence::Unit};
use std::{
    collections::{BTreeMap, BTreeSet},
    convert::Infallible,
    fmt,
    num::NonZeroUsize,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tracing::error;
use types::PublicKey;

/// Epochs whose peers are kept: who is a little behind asks those it knows.
const EPOCHS_KEPT: usize = 3;
/// Times that the other nodes may change in an epoch, for the numbers that peer sets have.
const CHANGES_PER_EPOCH: u64 = 1 << 20;

/// The network between nodes, as far as it must be told whom to let in.
pub trait Dialer: Send + 'static {
    /// From now on connects with the primary peers, and accepts the secondary ones. Numbers only grow.
    fn track(&mut self, number: u64, peers: TrackedPeers<PublicKey>);
}

/// A network in which everyone is connected already.
#[derive(Clone, Copy, Debug, Default)]
pub struct Connected;

impl Dialer for Connected {
    fn track(&mut self, _number: u64, _peers: TrackedPeers<PublicKey>) {}
}

/// The peers of this node. Clones share them.
#[derive(Clone)]
pub struct Peers(Arc<Mutex<Sets>>);

impl fmt::Debug for Peers {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_tuple("Peers")
            .field(&self.lock().latest())
            .finish()
    }
}

struct Sets {
    dialer: Box<dyn Dialer>,
    me: PublicKey,
    /// Nodes that are spoken with at once, at most.
    room: usize,
    /// As the engine asked for, by epoch.
    epochs: BTreeMap<u64, TrackedPeers<PublicKey>>,
    /// The other nodes of members, and those that the configuration names.
    others: Set<PublicKey>,
    /// Who stands to validate in a bonded network, the first in rank first.
    candidates: Vec<PublicKey>,
    /// How often the others or the candidates changed in this epoch.
    changes: u64,
    subscribers: Vec<mpsc::UnboundedSender<PeerSetUpdate<PublicKey>>>,
}

impl Sets {
    /// Whom to speak with: those of the last epoch first, then those before them, then the others, then the
    /// candidates, as many as there is room for.
    fn latest(&self) -> Option<PeerSetUpdate<PublicKey>> {
        let (epoch, now) = self.epochs.last_key_value()?;
        let earlier = self.epochs.values().rev().skip(1);
        let earlier = earlier.flat_map(|peers| peers.primary.iter().chain(&peers.secondary));
        // Members' nodes go first: they are let in by a decision, candidates by money.
        let rest = self.others.iter().chain(&self.candidates);
        let mut room = self.room;
        let mut taken = BTreeSet::new();
        let mut take = |peers: &mut dyn Iterator<Item = &PublicKey>| {
            let new = peers.filter(|peer| taken.insert((*peer).clone()));
            // The engine wants to find itself among those it speaks with.
            let fits = |peer: &&PublicKey| {
                let fits = room > 0 || **peer == self.me;
                room = room.saturating_sub(usize::from(fits && **peer != self.me));
                fits
            };
            Set::from_iter_dedup(new.filter(fits).cloned())
        };
        let primary = take(&mut now.primary.iter());
        let secondary = take(&mut now.secondary.iter().chain(earlier).chain(rest));
        if primary.len() < now.primary.len() {
            error!(
                room = self.room,
                validators = now.primary.len(),
                "there are more validators than this node may speak with: raise p2p.max_peers"
            );
        }
        let peers = TrackedPeers::new(primary, secondary);
        let index = epoch.saturating_mul(CHANGES_PER_EPOCH);
        Some(PeerSetUpdate {
            index: index.saturating_add(self.changes),
            latest: peers.clone(),
            all: peers,
        })
    }

    /// Tells the network and whoever asked.
    fn announce(&mut self) {
        let Some(update) = self.latest() else {
            return;
        };
        self.dialer.track(update.index, update.latest.clone());
        self.subscribers
            .retain(|subscriber| subscriber.send(update.clone()).is_ok());
    }
}

impl Peers {
    /// The peers of `me`: nobody yet but these, which are let in whatever epoch it is. There is room for so many at once.
    pub fn new(
        dialer: impl Dialer,
        me: PublicKey,
        others: Set<PublicKey>,
        room: NonZeroUsize,
    ) -> Self {
        Self(Arc::new(Mutex::new(Sets {
            dialer: Box::new(dialer),
            me,
            room: room.get(),
            epochs: BTreeMap::new(),
            others,
            candidates: Vec::new(),
            changes: 0,
            subscribers: Vec::new(),
        })))
    }

    fn lock(&self) -> MutexGuard<'_, Sets> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many other nodes this one speaks with, whether they are up or not.
    pub fn count(&self) -> usize {
        let sets = self.lock();
        let all = sets.latest().map(|update| update.latest.union());
        let others = |all: Set<PublicKey>| all.iter().filter(|peer| **peer != sets.me).count();
        all.map_or(0, others)
    }

    /// Lets these in too, from now on. Who was let in before stays so until this node starts again.
    pub fn admit(&self, nodes: impl IntoIterator<Item = PublicKey>) {
        let mut sets = self.lock();
        let others = Set::from_iter_dedup(sets.others.iter().cloned().chain(nodes));
        if others != sets.others {
            sets.others = others;
            sets.changes += 1;
            sets.announce();
        }
    }

    /// Lets these in as long as they stand to validate, the first in rank first, and those that stood before no more. Who of
    /// them validates is let in by its epoch.
    pub fn stand(&self, candidates: Vec<PublicKey>) {
        let mut sets = self.lock();
        if candidates != sets.candidates {
            sets.candidates = candidates;
            sets.changes += 1;
            sets.announce();
        }
    }
}

impl Provider for Peers {
    type PublicKey = PublicKey;

    async fn peer_set(&mut self, id: u64) -> Option<TrackedPeers<PublicKey>> {
        let sets = self.lock();
        sets.epochs.get(&(id / CHANGES_PER_EPOCH)).cloned()
    }

    async fn subscribe(&mut self) -> PeerSetSubscription<PublicKey> {
        let (subscriber, subscription) = mpsc::unbounded_channel();
        let mut sets = self.lock();
        if let Some(update) = sets.latest() {
            let _ = subscriber.send(update);
        }
        sets.subscribers.push(subscriber);
        subscription
    }
}

impl Manager for Peers {
    type Directory = Unit;
    type Error = Infallible;

    fn track(
        &mut self,
        epoch: Epoch,
        peers: TrackedPeers<PublicKey>,
        _directory: &Unit,
    ) -> Result<(), Infallible> {
        let mut sets = self.lock();
        let known = sets.epochs.last_key_value().map(|(epoch, _)| *epoch);
        if known.is_none_or(|known| known < epoch.get()) {
            sets.epochs.insert(epoch.get(), peers);
            sets.changes = 0;
            while sets.epochs.len() > EPOCHS_KEPT {
                sets.epochs.pop_first();
            }
            sets.announce();
        }
        Ok(())
    }
}
