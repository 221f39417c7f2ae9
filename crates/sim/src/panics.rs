//! Panics of simulated processes. The engine panics when its disk fails, and that ends a process as it should; any other
//! panic is a bug, also when a restart would hide it.

use std::{
    cell::{Cell, RefCell},
    panic,
    sync::Once,
};

thread_local! {
    // A run stays on its thread, so runs side by side do not see each other's panics.
    static RUNNING: Cell<bool> = const { Cell::new(false) };
    static EXPECTED: Cell<bool> = const { Cell::new(false) };
    static SEEN: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// Watches the panics of this thread as long as it lives.
pub struct Panics(());

impl Panics {
    /// Starts to watch.
    pub fn watch() -> Self {
        static HOOK: Once = Once::new();
        HOOK.call_once(|| {
            let usual = panic::take_hook();
            panic::set_hook(Box::new(move |info| {
                if !RUNNING.get() {
                    return usual(info);
                }
                if EXPECTED.get() {
                    return;
                }
                SEEN.with_borrow_mut(|seen| seen.push(info.to_string()));
                usual(info);
            }));
        });
        SEEN.take();
        EXPECTED.set(false);
        RUNNING.set(true);
        Self(())
    }

    /// Whether panics are what the faults of this moment must lead to.
    pub fn expect(expected: bool) {
        EXPECTED.set(expected);
    }

    /// The panics nobody had to expect.
    pub fn unexpected(&self) -> Vec<String> {
        SEEN.with_borrow(Vec::clone)
    }
}

impl Drop for Panics {
    fn drop(&mut self) {
        RUNNING.set(false);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_unexpected_panics_count() {
        let panics = Panics::watch();
        Panics::expect(true);
        panic::catch_unwind(|| panic!("the disk")).unwrap_err();
        assert!(panics.unexpected().is_empty());
        Panics::expect(false);
        panic::catch_unwind(|| panic!("a bug")).unwrap_err();
        assert_eq!(panics.unexpected().len(), 1);
        assert!(panics.unexpected()[0].contains("a bug"));
    }
}
