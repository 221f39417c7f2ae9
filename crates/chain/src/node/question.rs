//! Questions of the state that take the EVM: what they are made on, and how long they may take.

use super::NodeError;
use crate::{execution::Asked, rules};
use evm::{CodeCache, Environment, Interrupt, Quantum, Question, Simulation, View, ViewError};
use std::sync::Arc;
use types::{Block, ChainSpec, Fork, StateKey, StateValue};

/// How long a question may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// At most about a quarter of a millisecond of computing, on the thread of whoever asks; then it ends with
    /// [`NodeError::Exhausted`]. It goes for calls: traces have bounds of their own.
    Short,
    /// As long as its gas lasts and somebody waits, on a thread that gives way to others.
    Long,
}

/// What a question is made on.
#[derive(Clone, Debug)]
pub struct Ground {
    /// The chain's constitution.
    pub spec: Arc<ChainSpec>,
    /// The block after which the state is asked.
    pub block: Arc<Block>,
    /// The fork whose rules hold in it.
    pub fork: Fork,
    /// The fork whose rules hold in the next.
    pub fork_next: Fork,
    /// Contracts analysed before.
    pub codes: CodeCache,
    /// Set when nobody waits for the answer any more.
    pub interrupt: Interrupt,
    /// How long it may take.
    pub turn: Turn,
}

impl Ground {
    /// A simulation in the block itself, as in geth: `block.number` is that of the block asked about.
    pub fn simulation(&self) -> Simulation {
        self.simulation_in(rules::environment_of(&self.spec, self.fork, &self.block))
    }

    /// A simulation of blocks to come, each of which is to be begun, under the rules of the next.
    pub fn simulation_after(&self) -> Simulation {
        self.simulation_in(Environment {
            fork: self.fork_next,
            ..rules::environment_of(&self.spec, self.fork, &self.block)
        })
    }

    /// A simulation in another block, on the same state.
    pub fn simulation_in(&self, environment: Environment) -> Simulation {
        let interrupt = self.interrupt.clone();
        Simulation::new(environment, self.codes.clone()).within(match self.turn {
            Turn::Short => Quantum::short(interrupt),
            Turn::Long => Quantum::unbounded(interrupt),
        })
    }

    /// The block that comes next, at the time of the one asked about.
    pub fn next(&self) -> Environment {
        rules::pending_environment(&self.spec, self.fork_next, &self.block)
    }
}

/// A question without its type: first it gets its ground, then it runs.
pub(super) trait Posed: Asked {
    /// Makes it.
    fn begin(&mut self, ground: Ground);
}

/// A question on its way: how it is made, what it is, what it ended with.
pub(super) enum Pose<Q: Question, F> {
    Planned(F),
    Begun(Q),
    Answered(Q::Answer),
    /// While it changes from one to the next.
    Moving,
}

impl<Q: Question, F> Pose<Q, F> {
    pub(super) fn into_answer(self) -> Result<Q::Answer, NodeError> {
        match self {
            Self::Answered(answer) => Ok(answer),
            _ => Err(NodeError::Unavailable),
        }
    }
}

impl<Q, F> Posed for Pose<Q, F>
where
    Q: Question<Answer: Send> + Send,
    F: FnOnce(Ground) -> Q + Send,
{
    fn begin(&mut self, ground: Ground) {
        if let Self::Planned(make) = std::mem::replace(self, Self::Moving) {
            *self = Self::Begun(make(ground));
        }
    }
}

impl<Q, F> Asked for Pose<Q, F>
where
    Q: Question<Answer: Send> + Send,
    F: FnOnce(Ground) -> Q + Send,
{
    fn run(&mut self, view: &dyn View) -> Result<bool, ViewError> {
        if let Self::Begun(question) = self
            && let Some(answer) = question.run(view)?
        {
            *self = Self::Answered(answer);
        }
        Ok(!matches!(self, Self::Begun(_)))
    }

    fn supply(&mut self, key: StateKey, value: StateValue) {
        if let Self::Begun(question) = self {
            question.supply(key, value);
        }
    }
}
