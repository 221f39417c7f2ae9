//! How a validator with secrets begins: it waits until its key is its own, or gives its secrets up.

use super::{
    ENTRY_PATIENCE,
    actor::{Entered, Fence},
    holder::Standing,
};
use crate::{
    alias::{Marshal, Runtime},
    epoch::{Calendar, Peers, SharedSecrets},
};
use commonware_consensus::{marshal::Identifier, types::Height};
use commonware_glue::dkg::{ReshareBlock as _, network::Manager as _};
use commonware_macros::select;
use commonware_utils::{channel::watch, ordered::Set};
use tracing::{debug, warn};
use types::{Ceremony, EpochInfo, PublicKey};

/// What a validator with secrets begins with.
pub struct Entry<E: Runtime> {
    /// The fence.
    pub fence: Fence,
    /// Its secrets.
    pub secrets: SharedSecrets<E>,
    /// Whom to speak with.
    pub peers: Peers,
    /// Told who validates.
    pub committee: watch::Sender<Set<PublicKey>>,
    /// Where blocks are.
    pub marshal: Marshal,
    /// Where epochs begin.
    pub calendar: Calendar,
    /// Prefix of the storage partitions.
    pub prefix: String,
    /// The description of epoch 0.
    pub first: EpochInfo,
    /// That of the epoch in which it took the state from others.
    pub entered: Option<EpochInfo>,
    /// The last block whose effects are durable.
    pub kept: u64,
}

impl<E: Runtime> Entry<E> {
    /// Returns when what signs may start. Then its secrets are its own, or gone.
    pub async fn pass(mut self, context: &E) {
        if let Some(info) = self.epoch().await {
            // Nobody is connected before an epoch is known; consensus says the same later.
            let peers = info.participants().tracked_peers();
            let Ok(()) = self.peers.track(info.epoch, peers, &info.directory);
            self.committee.send_replace(info.output.players().clone());
        }
        if self.is_superseded(context).await {
            warn!(
                "ALERT: this data directory is older than what was done with its key: it was restored from a backup, or copied. \
                 Its share is erased, so that nothing is signed twice. The node follows the chain, and signs again when an epoch \
                 gives it another share"
            );
            self.secrets.erase().await;
            self.fence.enter(Entered::Bare);
            forget_votes(context, &self.prefix, self.calendar, self.kept).await;
        } else {
            self.fence.enter(Entered::Whole);
        }
    }

    async fn is_superseded(&self, context: &E) -> bool {
        let mut standing = self.fence.standing();
        let mut patience = context.current() + ENTRY_PATIENCE;
        loop {
            let now = standing.borrow_and_update().clone();
            match now {
                Standing::Granted(_) => return false,
                Standing::Superseded => return true,
                // The node ends.
                Standing::Fenced(_) => std::future::pending().await,
                // Sooner or later it is one of the others.
                Standing::Held => patience = context.current() + ENTRY_PATIENCE,
                Standing::Waiting => {}
            }
            select! {
                changed = standing.changed() => {
                    if changed.is_err() {
                        std::future::pending::<()>().await;
                    }
                },
                _ = context.sleep_until(patience) => {
                    warn!("too few validators answer: this node follows the chain, and holds its votes back until they grant it its key");
                    return false;
                },
            }
        }
    }

    /// The description of the epoch that goes on.
    async fn epoch(&self) -> Option<EpochInfo> {
        let processed = self.marshal.get_processed().await;
        let next = processed.map_or(0, |processed| processed.height().get() + 1);
        let epoch = self.calendar.epoch_of(next);
        let Some(before) = epoch.checked_sub(1) else {
            return Some(self.first.clone());
        };
        let boundary = Identifier::Height(Height::new(self.calendar.last(before)));
        let block = self.marshal.get_block(boundary).await;
        match block.and_then(|block| block.inner_shared().payload()) {
            Some(Ceremony::EpochInfo(info)) => Some(info),
            _ => {
                let entered = self.entered.clone();
                entered.filter(|info| info.epoch.get() == epoch)
            }
        }
    }
}

/// Removes what a node without secrets must not have. The engine does not expect votes without a share, nor dealings without
/// the seed they were made by. Without a share nobody votes twice. In the second half of an epoch the others' logs are with the
/// dealings, and are needed; then nothing is dealt any more.
pub async fn forget_votes<E: Runtime>(context: &E, prefix: &str, calendar: Calendar, kept: u64) {
    let next = kept.saturating_add(1);
    let epoch = calendar.epoch_of(next);
    let votes = |epoch| votes(prefix, epoch);
    let mut leftovers = vec![votes(epoch), votes(epoch.saturating_sub(1))];
    if calendar.is_early(next) {
        leftovers.push(dealings(prefix));
    }
    for leftover in leftovers {
        if let Err(error) = context.remove(&leftover, None).await {
            debug!(%leftover, %error, "there was none");
        }
    }
}

/// Whether a node has voted in the running epoch, or dealt shares: who deals may not have voted yet.
pub async fn has_promised<E: Runtime>(
    context: &E,
    prefix: &str,
    calendar: Calendar,
    kept: u64,
) -> bool {
    let epoch = calendar.epoch_of(kept.saturating_add(1));
    for partition in [votes(prefix, epoch), dealings(prefix)] {
        let found = context.scan(&partition).await;
        if found.is_ok_and(|found| !found.is_empty()) {
            return true;
        }
    }
    false
}

/// Where the ceremony keeps what a node dealt, and who acknowledged it.
fn dealings(prefix: &str) -> String {
    format!("{prefix}-reshare_events")
}

/// Where consensus keeps this node's votes of an epoch.
fn votes(prefix: &str, epoch: u64) -> String {
    format!("{prefix}-simplex_consensus_{epoch}")
}
