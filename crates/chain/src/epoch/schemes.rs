//! Who signs how in which epoch.

use crate::alias::Scheme;
use commonware_consensus::types::Epoch;
use commonware_cryptography::{
    bls12381::primitives::variant::MinSig,
    certificate::{Membership, Provider, Scheme as _, Scoped},
};
use commonware_glue::dkg::{Registrar, types::SchemeInfo};
use commonware_utils::{channel::watch, ordered::Set};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tracing::{error, info};
use types::PublicKey;

/// Epochs whose schemes are kept: the one that runs, and the one before, whose last block may still be on its way.
const KEPT: usize = 2;

/// The schemes of the last epochs. Clones share them.
#[derive(Clone, Debug)]
pub struct Schemes {
    namespace: Arc<[u8]>,
    by_epoch: Arc<Mutex<BTreeMap<Epoch, Arc<Scheme>>>>,
    /// Told who signs.
    committee: watch::Sender<Set<PublicKey>>,
}

impl Schemes {
    /// No epoch yet. The namespace is what signatures of this network are bound to; `committee` is told who signs when an epoch
    /// begins.
    pub fn new(namespace: &[u8], committee: watch::Sender<Set<PublicKey>>) -> Self {
        Self {
            namespace: namespace.into(),
            by_epoch: Arc::default(),
            committee,
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Epoch, Arc<Scheme>>> {
        self.by_epoch.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a node can do with what it has. None: the share is not of these participants.
    pub fn make(&self, info: SchemeInfo<MinSig, PublicKey>) -> Option<Scheme> {
        let namespace = &self.namespace;
        match info {
            SchemeInfo::Verifier {
                participants,
                sharing,
            } => Some(Scheme::verifier(namespace, participants, sharing)),
            SchemeInfo::Member {
                participants,
                sharing,
                public_key,
            } => Scheme::member(namespace, participants, sharing, &public_key),
            SchemeInfo::Signer {
                participants,
                sharing,
                share,
            } => Scheme::signer(namespace, participants, sharing, share),
        }
    }
}

impl Registrar for Schemes {
    type Variant = MinSig;
    type PublicKey = PublicKey;

    async fn register(&self, epoch: Epoch, info: SchemeInfo<MinSig, PublicKey>) {
        let (participants, sharing) = match &info {
            SchemeInfo::Verifier {
                participants,
                sharing,
            }
            | SchemeInfo::Member {
                participants,
                sharing,
                ..
            }
            | SchemeInfo::Signer {
                participants,
                sharing,
                ..
            } => (participants.clone(), sharing.clone()),
        };
        let validators = participants.len();
        self.committee.send_replace(participants.clone());
        let scheme = self.make(info).unwrap_or_else(|| {
            error!(%epoch, "this node's share is not one of this epoch: it follows, and does not vote");
            Scheme::verifier(&self.namespace, participants, sharing)
        });
        let role = match scheme.me() {
            Some(Membership::Signer(_)) => "validator",
            Some(Membership::Member(_)) => {
                "validator without a share: it cannot vote in this epoch"
            }
            None => "observer",
        };
        info!(%epoch, role, validators, "epoch");
        let mut by_epoch = self.lock();
        by_epoch.insert(epoch, Arc::new(scheme));
        while by_epoch.len() > KEPT {
            by_epoch.pop_first();
        }
    }
}

impl Provider for Schemes {
    type Scope = Epoch;
    type Scheme = Scheme;

    fn scoped(&self, epoch: Epoch) -> Option<Scoped<Scheme>> {
        self.scheme(epoch).map(Scoped::scheme)
    }

    fn scheme(&self, epoch: Epoch) -> Option<Arc<Scheme>> {
        self.lock().get(&epoch).map(Arc::clone)
    }
}
