//! Who waits for which record to be settled.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use alloy_primitives::B256;
use tokio::sync::oneshot;

/// Shared by the shell, which tells, and its handles, which wait.
#[derive(Debug, Clone, Default)]
pub struct Waiters(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    next: u64,
    waiting: BTreeMap<(B256, u64), oneshot::Sender<()>>,
}

/// Waits for one record. Dropping it is enough to wait no more.
#[derive(Debug)]
pub struct Settled {
    key: (B256, u64),
    told: oneshot::Receiver<()>,
    waiters: Waiters,
}

impl Waiters {
    /// Registers for the news about a record.
    pub fn register(&self, id: B256) -> Settled {
        let (tell, told) = oneshot::channel();
        let mut state = self.lock();
        state.next += 1;
        let key = (id, state.next);
        state.waiting.insert(key, tell);
        drop(state);
        Settled {
            key,
            told,
            waiters: self.clone(),
        }
    }

    /// Tells everyone who waits for one of these records.
    pub(super) fn tell(&self, ids: &[B256]) {
        let mut state = self.lock();
        for id in ids {
            let keys: Vec<_> = state
                .waiting
                .range((*id, 0)..=(*id, u64::MAX))
                .map(|(key, _)| *key)
                .collect();
            for tell in keys
                .iter()
                .filter_map(|key| state.waiting.remove(key))
                .collect::<Vec<_>>()
            {
                let _ = tell.send(());
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Settled {
    /// Returns when the record is settled.
    pub async fn wait(mut self) {
        // The sender is removed by whoever tells, or by our drop; it does not go away unsaid.
        let _ = (&mut self.told).await;
    }
}

impl Drop for Settled {
    fn drop(&mut self) {
        self.waiters.lock().waiting.remove(&self.key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everyone_who_waits_for_a_record_is_told_once() {
        let waiters = Waiters::default();
        let (a, b) = (B256::repeat_byte(1), B256::repeat_byte(2));
        let mut first = waiters.register(a);
        let mut second = waiters.register(a);
        let mut other = waiters.register(b);
        drop(waiters.register(b));
        assert_eq!(
            waiters.lock().waiting.len(),
            3,
            "who went away is forgotten"
        );
        waiters.tell(&[a]);
        assert!(first.told.try_recv().is_ok() && second.told.try_recv().is_ok());
        assert!(other.told.try_recv().is_err());
        drop((first, second, other));
        assert!(waiters.lock().waiting.is_empty());
    }
}
