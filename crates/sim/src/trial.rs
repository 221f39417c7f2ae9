//! The runtime for tests of one course of events.

use crate::{cluster::quiet_storage, panics::Panics};
use commonware_runtime::{
    Runner as _,
    deterministic::{self, Context},
};
use std::time::Duration;

/// The seed of all of them.
pub const SEED: u64 = 7;

/// Runs a test, and gives the runtime's digest of all that happened beside its result.
pub fn simulate<T: Send + 'static>(test: impl AsyncFnOnce(Context) -> T) -> (T, String) {
    let panics = Panics::watch();
    let config = deterministic::Config::new()
        .with_seed(SEED)
        .with_timeout(Some(Duration::from_secs(900)))
        .with_storage_fault_config(quiet_storage());
    let ran = deterministic::Runner::new(config).start(|context| async move {
        let auditor = context.auditor();
        let done = test(context).await;
        (done, auditor.state())
    });
    assert_eq!(panics.unexpected(), Vec::<String>::new());
    ran
}
