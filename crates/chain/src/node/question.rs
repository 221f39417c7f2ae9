//! Questions of the state, and who answers them: reads, proofs, simulated calls.

use super::{NodeError, Overrides};
use crate::{
    alias::{Marshal, Runtime},
    execution::{self, Now, PastState},
    feed::Feed,
    history::archive,
    rules,
};
use commonware_macros::select;
use commonware_utils::channel::oneshot;
use evm::{Call, CallOutcome, CodeCache, Environment, Simulation};
use state::{SharedDatabase, StateError, StateRead};
use std::sync::Arc;
use types::{Block, ChainSpec, StateKey, StateValue};

/// A question of the state. Without a height it is of the state after the last final block.
pub(super) enum Query {
    Read {
        at: Option<u64>,
        keys: Vec<StateKey>,
        reply: oneshot::Sender<Result<Vec<StateValue>, NodeError>>,
    },
    Prove {
        keys: Vec<state::Key>,
        reply: oneshot::Sender<Result<(state::Snapshot, Vec<state::Entry>), NodeError>>,
    },
    Call {
        at: Option<u64>,
        call: Call,
        overrides: Overrides,
        reply: oneshot::Sender<Result<CallOutcome, NodeError>>,
    },
    Estimate {
        at: Option<u64>,
        call: Call,
        overrides: Overrides,
        reply: oneshot::Sender<Result<Result<u64, CallOutcome>, NodeError>>,
    },
}

impl Query {
    /// Whether answering takes the EVM.
    pub(super) const fn executes(&self) -> bool {
        match self {
            Self::Read { .. } | Self::Prove { .. } => false,
            Self::Call { .. } | Self::Estimate { .. } => true,
        }
    }
}

/// What answering questions of the state takes.
#[derive(Clone)]
pub(super) struct Answerer {
    pub spec: Arc<ChainSpec>,
    pub feed: Feed,
    pub codes: CodeCache,
    pub marshal: Marshal,
    pub genesis: Arc<Block>,
    pub archive: Option<archive::Mailbox>,
}

impl Answerer {
    /// Answers one question.
    pub(super) async fn answer<E: Runtime>(&self, database: &SharedDatabase<E>, query: Query) {
        // Whoever asked may be gone; then the answer is dropped.
        match query {
            Query::Read {
                at: None,
                keys,
                reply,
            } => {
                let _ = reply.send(read(&*database.read().await, &keys).await);
            }
            Query::Read {
                at: Some(height),
                keys,
                mut reply,
            } => {
                let answer = async { read(&self.past(height, Now(database))?, &keys).await };
                unless_gone(&mut reply, answer)
                    .await
                    .map(|answer| reply.send(answer));
            }
            Query::Prove { keys, reply } => {
                let guard = database.read().await;
                let proved = state::prove(&*guard, &keys).await;
                let _ = reply.send(proved.map_err(NodeError::from));
            }
            Query::Call {
                at: Some(height),
                call,
                overrides,
                mut reply,
            } => {
                let answer = async {
                    let block = self.past_block(height).await?;
                    let environment = rules::environment_of(&self.spec, &block);
                    let mut simulation = self.simulation(environment, &overrides);
                    let past = self.past(height, Now(database))?;
                    Ok(execution::simulate(&mut simulation, &call, &past).await?)
                };
                unless_gone(&mut reply, answer)
                    .await
                    .map(|answer| reply.send(answer));
            }
            Query::Estimate {
                at: Some(height),
                call,
                overrides,
                mut reply,
            } => {
                let answer = async {
                    let block = self.past_block(height).await?;
                    let past = self.past(height, Now(database))?;
                    Ok(self.estimate(&block, &call, &overrides, &past).await?)
                };
                unless_gone(&mut reply, answer)
                    .await
                    .map(|answer| reply.send(answer));
            }
            Query::Call {
                at: None,
                call,
                overrides,
                reply,
            } => {
                // In the block's own environment, as in geth: `block.number` is that of the block asked about.
                let environment = rules::environment_of(&self.spec, &self.feed.latest().block);
                let mut simulation = self.simulation(environment, &overrides);
                let guard = database.read().await;
                let outcome = execution::simulate(&mut simulation, &call, &*guard).await;
                let _ = reply.send(outcome.map_err(NodeError::from));
            }
            Query::Estimate {
                at: None,
                call,
                overrides,
                reply,
            } => {
                let block = Arc::clone(&self.feed.latest().block);
                let guard = database.read().await;
                let outcome = self.estimate(&block, &call, &overrides, &*guard).await;
                let _ = reply.send(outcome.map_err(NodeError::from));
            }
        }
    }

    /// What a transaction needs that is sent after `block`. The block it will be in has the next number, and its time may
    /// be in the second of `block` or after it; what is done may cost more then: a token that counts votes by time writes
    /// one checkpoint a second. So the gas must do for both, or scripts that wait for one transaction's receipt and
    /// send the next would run out of it.
    async fn estimate<R: StateRead>(
        &self,
        block: &Block,
        call: &Call,
        overrides: &Overrides,
        state: &R,
    ) -> Result<Result<u64, CallOutcome>, StateError> {
        let environment = rules::pending_environment(&self.spec, block);
        let later = Environment {
            timestamp: environment.timestamp.saturating_add(1),
            ..environment.clone()
        };
        let mut simulation = self.simulation(environment, overrides);
        let gas = match execution::estimate(&mut simulation, call, state).await? {
            Ok(gas) => gas,
            failed => return Ok(failed),
        };
        let mut simulation = self.simulation(later, overrides);
        let bounded = Call {
            gas,
            ..call.clone()
        };
        let outcome = execution::simulate(&mut simulation, &bounded, state).await?;
        if matches!(outcome, CallOutcome::Success { .. }) {
            return Ok(Ok(gas));
        }
        let more = execution::estimate(&mut simulation, call, state).await?;
        Ok(Ok(more.map_or(gas, |more| more.max(gas))))
    }

    /// The final block at a past height.
    async fn past_block(&self, height: u64) -> Result<Arc<Block>, NodeError> {
        let block = super::body(&self.feed, &self.marshal, &self.genesis, height).await;
        block.ok_or_else(|| self.pruned(height, None))
    }

    /// The state after the block at a past height.
    fn past<R>(&self, height: u64, now: R) -> Result<PastState<'_, R>, NodeError> {
        let archive = self.archive.as_ref();
        Ok(PastState {
            now,
            archive: archive.ok_or_else(|| self.pruned(height, None))?,
            height,
        })
    }

    fn pruned(&self, asked: u64, first: Option<u64>) -> NodeError {
        NodeError::StatePruned {
            asked,
            first,
            latest: self.feed.height(),
        }
    }

    fn simulation(&self, environment: Environment, overrides: &Overrides) -> Simulation {
        let mut simulation = Simulation::new(environment, self.codes.clone());
        for (key, value) in overrides {
            simulation.write(*key, value.clone());
        }
        simulation
    }
}

async fn read(state: &impl StateRead, keys: &[StateKey]) -> Result<Vec<StateValue>, NodeError> {
    let mut values = Vec::with_capacity(keys.len());
    for key in keys {
        values.push(state.read(*key).await?);
    }
    Ok(values)
}

/// Past states are read key by key, and a call may want many: it ends when nobody waits for it any more.
async fn unless_gone<T>(
    reply: &mut oneshot::Sender<Result<T, NodeError>>,
    answer: impl Future<Output = Result<T, NodeError>>,
) -> Option<Result<T, NodeError>> {
    select! {
        answer = answer => Some(answer),
        () = reply.closed() => None,
    }
}
