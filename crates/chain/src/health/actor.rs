//! Looks at the chain twice a second, and at the first block.

use super::{
    Health, Heard, Progress, Validator,
    stall::{Course, Notice, patience},
};
use crate::{alias::Runtime, epoch::Schemes, node::Node};
use alloy_primitives::{B256, U256};
use commonware_consensus::types::Epoch;
use commonware_cryptography::certificate::{Membership, Provider as _, Scheme as _};
use commonware_macros::select;
use commonware_utils::channel::watch;
use contracts::{SystemContract, member};
use std::{future::pending, sync::Arc, time::Duration};
use tracing::{info, warn};
use types::{Committee, PublicKey, StateKey, StateValue};

/// How often it looks.
const LOOK: Duration = Duration::from_millis(500);

/// Who finds out how the chain goes on.
pub(crate) struct Monitor {
    pub node: Node,
    /// The key of the node.
    pub key: PublicKey,
    /// How it signs in which epoch.
    pub schemes: Schemes,
    /// Whose messages arrived when.
    pub heard: Heard,
    /// After how long consensus gives a leader up.
    pub leader_timeout: Duration,
    /// Where it says what it found.
    pub health: watch::Sender<Option<Arc<Health>>>,
}

/// Who validates in an epoch.
struct Validators {
    epoch: u64,
    needed: usize,
    each: Vec<(PublicKey, Option<String>)>,
}

impl Monitor {
    /// Looks until the node stops.
    pub(crate) async fn run<E: Runtime>(self, context: E) {
        let mut course = Course::new(context.current(), self.node.latest().number());
        let mut validators = None;
        // Who validates is in the state, which takes a moment to open.
        self.tell(&context, &course, None);
        let mut bell = self.node.watch();
        loop {
            self.look(&context, &mut course, &mut validators).await;
            // A network that has just begun is asked how it is.
            let first = async {
                if course.height() > 0 || bell.changed().await.is_err() {
                    pending::<()>().await;
                }
            };
            select! {
                _ = context.stopped() => return,
                _ = context.sleep(LOOK) => {},
                () = first => {},
            }
        }
    }

    async fn look<E: Runtime>(
        &self,
        context: &E,
        course: &mut Course,
        validators: &mut Option<Validators>,
    ) {
        let syncing = self.node.syncing().is_some();
        if !syncing {
            self.learn(validators).await;
        }
        let (at, height) = (context.current(), self.node.latest().number());
        let count = validators.as_ref().map_or(0, |known| known.each.len());
        let notice = if syncing {
            course.restart(at, height);
            None
        } else {
            course.step(at, height, patience(self.leader_timeout, count))
        };
        let health = self.tell(context, course, validators.as_ref());
        match notice {
            Some(Notice::Stalled) => {
                let explanation = health.explanation().unwrap_or_default();
                warn!(
                    height,
                    reachable = health.reachable(),
                    needed = health.needed,
                    "{explanation}"
                );
            }
            Some(Notice::Resumed(lasted)) => {
                info!(
                    height,
                    "blocks become final again, after {} s without one",
                    lasted.as_secs()
                );
            }
            None => {}
        }
    }

    /// Says how it is.
    fn tell<E: Runtime>(
        &self,
        context: &E,
        course: &Course,
        validators: Option<&Validators>,
    ) -> Arc<Health> {
        let (at, syncing) = (context.current(), self.node.syncing().is_some());
        let progress = match self.node.upgrades().ended() {
            Some(outdated) => Progress::Outdated(outdated),
            None if syncing => Progress::Syncing,
            None if course.is_stalled() => Progress::Stalled,
            None => Progress::Finalizing,
        };
        // In a chain that goes on each votes in every view, which a leader may keep waiting for its timeout.
        let lately = self.leader_timeout.saturating_mul(2);
        let each = validators.into_iter().flat_map(|known| &known.each);
        let each = each.map(|(key, organization)| Validator {
            key: key.clone(),
            organization: organization.clone(),
            reachable: *key == self.key || self.heard.lately(key, at, lately),
        });
        let health = Arc::new(Health {
            progress,
            height: course.height(),
            since: course.since(),
            at,
            epoch: validators.map_or(0, |known| known.epoch),
            needed: validators.map_or(0, |known| known.needed),
            validators: each.collect(),
            node: Some(self.key.clone()),
            has_share: self.has_share(),
            may_sign: self.node.may_sign(),
            upstreams: None,
        });
        self.health.send_replace(Some(Arc::clone(&health)));
        health
    }

    fn has_share(&self) -> bool {
        let scheme = self.schemes.scheme(Epoch::new(self.node.next_epoch()));
        scheme.is_some_and(|scheme| matches!(scheme.me(), Some(Membership::Signer(_))))
    }

    /// Finds out who validates, once in each epoch.
    async fn learn(&self, validators: &mut Option<Validators>) {
        let epoch = self.node.next_epoch();
        if validators
            .as_ref()
            .is_some_and(|known| known.epoch == epoch)
        {
            return;
        }
        let Some(info) = self.node.epoch().await else {
            return;
        };
        let committee = Committee::new(info.output);
        let keys: Vec<_> = committee.validators().iter().cloned().collect();
        let names = self.organizations(&keys).await;
        *validators = Some(Validators {
            epoch: info.epoch.get(),
            needed: usize::try_from(committee.quorum()).unwrap_or(usize::MAX),
            each: keys.into_iter().zip(names).collect(),
        });
    }

    /// The names of the organizations of nodes, in their order.
    async fn organizations(&self, keys: &[PublicKey]) -> Vec<Option<String>> {
        let keys = keys.iter().map(|key| B256::from_slice(key.as_ref()));
        let ids = self.members(keys.map(member::organization_of_node)).await;
        let ids = ids.into_iter().map(B256::from);
        let names = self.members(ids.map(member::name_of)).await;
        names.into_iter().map(member::name).collect()
    }

    /// Slots of `Members` after the last block; zeros if the state cannot be read.
    async fn members(&self, slots: impl Iterator<Item = U256>) -> Vec<U256> {
        let address = SystemContract::Members.address();
        let keys: Vec<_> = slots.map(|slot| StateKey::Slot(address, slot)).collect();
        let count = keys.len();
        let values = self.node.read(keys).await.unwrap_or_default();
        let words = values.into_iter().map(|value| match value {
            StateValue::Slot(word) => word,
            _ => U256::ZERO,
        });
        let absent = std::iter::repeat(U256::ZERO);
        words.chain(absent).take(count).collect()
    }
}
