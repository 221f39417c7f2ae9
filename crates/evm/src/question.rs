//! Questions of a state: computations that may stop at any read and go on from there.

use crate::overlay::{View, ViewError};
use revm::{
    context_interface::{ContextError, ContextTr},
    interpreter::{Interpreter, interpreter_types::LoopControl as _},
};
use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU64, Ordering},
};
use types::{StateKey, StateValue};

/// A question of the state after one block. What was found out before a read that was missing is kept.
pub trait Question {
    /// What it ends with.
    type Answer;

    /// Goes on from where it stopped; none when it only makes a pause, so that others may run. Every call must be given a
    /// view of the same state.
    ///
    /// # Errors
    /// [`ViewError::Missing`] names a value to fetch and [`Self::supply`]; then it can go on. The others are final.
    fn run(&mut self, view: &dyn View) -> Result<Option<Self::Answer>, ViewError>;

    /// Makes a value of the state known.
    fn supply(&mut self, key: StateKey, value: StateValue);
}

/// Tells whoever works on a question that nobody waits for its answer any more. Cheap to clone; clones are one.
#[derive(Clone, Debug, Default)]
pub struct Interrupt(Arc<Signal>);

#[derive(Debug, Default)]
struct Signal {
    set: AtomicBool,
    /// How often it was looked at.
    looked: AtomicU64,
}

/// Looks, one at each step, after which other threads go first if any wait: a tenth of a millisecond. A scheduler may let
/// them wait for some milliseconds otherwise, whatever the priorities.
const LOOKS: u64 = 10_000;

impl Interrupt {
    /// Interrupts, for good.
    pub fn set(&self) {
        self.0.set.store(true, Ordering::Relaxed);
    }

    /// Whether it was interrupted.
    pub fn is_set(&self) -> bool {
        self.0.set.load(Ordering::Relaxed)
    }

    /// Whether it was interrupted, for one who asks at each step. Now and then it lets other threads go first.
    pub(crate) fn look(&self) -> bool {
        // One question is worked on by one thread: nothing is lost.
        let looked = self.0.looked.load(Ordering::Relaxed).wrapping_add(1);
        self.0.looked.store(looked, Ordering::Relaxed);
        if looked.is_multiple_of(LOOKS) {
            std::thread::yield_now();
        }
        self.is_set()
    }

    /// Ends an execution that is interrupted.
    pub(crate) fn stop(&self, interpreter: &mut Interpreter, context: &mut impl ContextTr) {
        if self.look() {
            stop(interpreter, context);
        }
    }
}

/// Ends an execution as if the machine had failed: no contract can catch it.
pub(crate) fn stop(interpreter: &mut Interpreter, context: &mut impl ContextTr) {
    fail(context);
    // A call or a return that was about to happen must not.
    interpreter.bytecode.action().take();
    interpreter.bytecode.reset_action();
    interpreter.halt_fatal();
}

/// Lets the machine fail, if it has not yet.
pub(crate) fn fail(context: &mut impl ContextTr) {
    if context.error().is_ok() {
        *context.error() = Err(ContextError::Custom("stopped".to_owned()));
    }
}
