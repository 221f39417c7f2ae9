//! Removes what consensus kept on disk of epochs that are over: the engine keeps a journal of votes for each.

use super::Calendar;
use crate::{alias::Runtime, feed::Finalized};
use commonware_macros::select;
use commonware_utils::channel::watch;
use std::sync::Arc;
use tracing::debug;

/// Sweeps whenever an epoch begins, until the node stops. The epoch before is left: its last block may still be on its way to
/// others. `consensus` is the prefix that the engine was given.
pub async fn sweep<E: Runtime>(
    context: E,
    consensus: String,
    calendar: Calendar,
    mut blocks: watch::Receiver<Arc<Finalized>>,
) {
    let mut swept = None;
    loop {
        let height = blocks.borrow_and_update().number();
        let epoch = calendar.epoch_of(height.saturating_add(1));
        if swept != Some(epoch) {
            swept = Some(epoch);
            // Downwards until nothing is there: a crash leaves what is next to be removed.
            for over in (0..epoch.saturating_sub(1)).rev() {
                let partition = format!("{consensus}_consensus_{over}");
                if let Err(error) = context.remove(&partition, None).await {
                    debug!(%partition, %error, "nothing to sweep");
                    break;
                }
            }
        }
        select! {
            _ = context.stopped() => return,
            changed = blocks.changed() => {
                if changed.is_err() {
                    return;
                }
            },
        }
    }
}
