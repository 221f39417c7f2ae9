//! How much of the past a node keeps, and the removal of what it does not.
//!
//! Blocks and certificates are the engine's, and so are the state's operations; what blocks did is ours (`history`). One task
//! here removes the former two together, so that a block and what it did go at about the same time. The engine's own schedule
//! does not suffice: it begins anew with each start and removes nothing until it has seen as many blocks as are kept. But only
//! the engine may remove operations of the state, so that schedule is set, too.
//!
//! What is stored is cut into sections of equally many items, and whole sections are removed. A removal that a crash cuts short
//! leaves what was not removed yet, and the next one removes it.

use crate::{alias::Marshal, engine::StartError, feed::Finalized, history};
use commonware_consensus::types::Height;
use commonware_glue::stateful::PruneConfig;
use commonware_utils::{NZU64, channel::watch};
use std::{
    num::{NonZeroU64, NonZeroUsize},
    sync::Arc,
};
use tracing::debug;

/// Items that are stored, and removed, together: blocks, certificates, what blocks did, and transactions. Other kinds have a
/// multiple of it.
pub const SECTION_ITEMS: NonZeroU64 = NZU64!(16_384);

/// Blocks between two removals, if a section has so many.
const INTERVAL: u64 = 256;
/// Blocks whose operations of the state are kept, for newcomers who are taking it, if so many blocks are kept. Two epochs, if
/// they are longer.
const STATE_BLOCKS: u64 = 2_048;
/// Epochs to keep at least. Consensus starts with the last block of the epoch before the running one, and serves it to
/// newcomers; the second is for those who are taking the state when the epoch ends.
const EPOCHS_MIN: u64 = 2;

/// A node that does not keep everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Retention {
    keep: NonZeroU64,
    epoch: NonZeroU64,
    section: NonZeroU64,
}

impl Retention {
    /// Checks that so few blocks will do.
    ///
    /// # Errors
    /// [`StartError::ArchivePruned`] on a node that keeps the states of past blocks, [`StartError::KeepsTooFew`] when the engine
    /// needs more.
    pub(crate) const fn new(
        keep: NonZeroU64,
        archive: bool,
        epoch: NonZeroU64,
        section: NonZeroU64,
    ) -> Result<Self, StartError> {
        if archive {
            return Err(StartError::ArchivePruned);
        }
        let least = epoch.get().saturating_mul(EPOCHS_MIN);
        if keep.get() < least {
            return Err(StartError::KeepsTooFew {
                keep: keep.get(),
                least,
            });
        }
        Ok(Self {
            keep,
            epoch,
            section,
        })
    }

    /// What the engine is to do of it.
    pub(crate) fn engine(&self) -> PruneConfig {
        let state = STATE_BLOCKS.max(self.epoch.get().saturating_mul(EPOCHS_MIN));
        PruneConfig {
            maintenance_interval: NonZeroUsize::new(size(self.interval()))
                .unwrap_or(NonZeroUsize::MIN),
            retained_marshal_blocks: size(self.keep.get()),
            retained_qmdb_blocks: size(state.min(self.keep.get())),
        }
    }

    /// Blocks between two removals.
    fn interval(&self) -> u64 {
        self.section.get().min(INTERVAL)
    }

    /// Removes what is too old, now and from then on, until the node stops.
    pub(crate) async fn run(
        self,
        marshal: Marshal,
        history: history::Mailbox,
        mut blocks: watch::Receiver<Arc<Finalized>>,
    ) {
        // As many as the engine keeps, which adds those that may be on their way.
        let under_way = (marshal.max_pending_acks() as u64).saturating_add(1);
        let window = self.keep.get().saturating_add(under_way);
        let mut next = 0;
        loop {
            let height = blocks.borrow_and_update().number();
            if height >= next {
                next = height.saturating_add(self.interval());
                // After a crash the engine goes on from here, not from the last block that was seen.
                let processed = marshal.get_processed().await;
                let processed = processed.map_or(0, |processed| processed.height().get());
                let floor = processed.min(height).saturating_sub(window);
                if floor > 0 {
                    debug!(floor, "removing blocks before this one");
                    history.prune(floor).await;
                    marshal.prune(Height::new(floor));
                }
            }
            if blocks.changed().await.is_err() {
                return;
            }
        }
    }
}

/// Half of what there could be, if it is more: the engine adds to it.
fn size(blocks: u64) -> usize {
    usize::try_from(blocks)
        .unwrap_or(usize::MAX)
        .min(usize::MAX / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_few_blocks_and_archives_are_refused() {
        let (epoch, section) = (NZU64!(600), SECTION_ITEMS);
        let few = Retention::new(NZU64!(1_199), false, epoch, section).unwrap_err();
        assert_eq!(
            few.to_string(),
            "keep_blocks = 1199 is too few: at least 1200 are needed, two epochs. Consensus starts with the last block of the \
             epoch before the running one"
        );
        let archive = Retention::new(NZU64!(1_200), true, epoch, section).unwrap_err();
        assert_eq!(
            archive.to_string(),
            "archive = true and keep_blocks exclude one another: an archive node keeps everything"
        );
        assert!(Retention::new(NZU64!(1_200), false, epoch, section).is_ok());
    }

    #[test]
    fn the_engine_keeps_no_fewer_blocks_than_states() {
        for (keep, epoch, states) in [
            (1_200, 600, 1_200),
            (100_000, 600, 2_048),
            (100_000, 10_000, 20_000),
            (u64::MAX, 600, 2_048),
        ] {
            let (keep, epoch) = (
                NonZeroU64::new(keep).unwrap(),
                NonZeroU64::new(epoch).unwrap(),
            );
            let retention = Retention::new(keep, false, epoch, SECTION_ITEMS).unwrap();
            let engine = retention.engine();
            engine.assert_valid();
            assert_eq!(engine.retained_qmdb_blocks, states);
            assert_eq!(engine.maintenance_interval.get(), 256);
            assert!(engine.retained_marshal_blocks.checked_add(100).is_some());
        }
    }
}
