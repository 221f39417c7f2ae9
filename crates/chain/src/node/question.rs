//! Questions of the state, and who answers them: reads, proofs, and what takes the EVM.

use super::NodeError;
use crate::{
    alias::{Marshal, Runtime},
    execution::{self, Answered, Asked, BlockState, Now, PastState},
    feed::Feed,
    history::archive,
    rules,
};
use commonware_macros::select;
use commonware_utils::channel::oneshot;
use evm::{CodeCache, Environment, Interrupt, Quantum, Question, Simulation, View, ViewError};
use state::{SharedDatabase, StateRead};
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
    /// What takes the EVM.
    Ask {
        at: Option<u64>,
        turn: Turn,
        posed: Box<dyn Posed>,
        /// Set, and then closed, when nobody waits for the answer any more.
        interrupt: Interrupt,
        gone: oneshot::Receiver<()>,
    },
}

impl Query {
    /// Whether answering takes the EVM.
    pub(super) const fn executes(&self) -> bool {
        matches!(self, Self::Ask { .. })
    }
}

/// How long a question may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// About a millisecond of computing; then it ends with [`NodeError::Exhausted`]. It goes for calls: traces have bounds of
    /// their own.
    Short,
    /// As long as its gas lasts and somebody waits.
    Long,
}

/// What a question is made on.
#[derive(Clone, Debug)]
pub struct Ground {
    /// The chain's constitution.
    pub spec: Arc<ChainSpec>,
    /// The block after which the state is asked.
    pub block: Arc<Block>,
    /// Code that was analysed already.
    pub codes: CodeCache,
    /// Set when nobody waits for the answer any more.
    pub interrupt: Interrupt,
    /// How long it may take.
    pub turn: Turn,
}

impl Ground {
    /// A simulation in the block itself, as in geth: `block.number` is that of the block asked about.
    pub fn simulation(&self) -> Simulation {
        self.simulation_in(rules::environment_of(&self.spec, &self.block))
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
        rules::pending_environment(&self.spec, &self.block)
    }
}

/// A question that waits for its ground.
pub(super) trait Posed: Send {
    /// Puts it.
    fn begin(self: Box<Self>, ground: Ground) -> Box<dyn Begun>;

    /// It cannot be put.
    fn refuse(self: Box<Self>, error: NodeError);
}

/// A question that was put.
pub(super) trait Begun: Asked {
    /// Sends the answer, or why there is none.
    fn end(self: Box<Self>, result: Result<(), NodeError>);
}

/// How a question is made, and where its answer goes.
pub(super) struct Maker<Q: Question, F> {
    pub make: F,
    pub reply: oneshot::Sender<Result<Q::Answer, NodeError>>,
}

/// A question, and where its answer goes.
struct Pending<Q: Question> {
    question: Q,
    answer: Option<Q::Answer>,
    reply: oneshot::Sender<Result<Q::Answer, NodeError>>,
}

impl<Q, F> Posed for Maker<Q, F>
where
    Q: Question<Answer: Send> + Send + 'static,
    F: FnOnce(Ground) -> Q + Send,
{
    fn begin(self: Box<Self>, ground: Ground) -> Box<dyn Begun> {
        Box::new(Pending {
            question: (self.make)(ground),
            answer: None,
            reply: self.reply,
        })
    }

    fn refuse(self: Box<Self>, error: NodeError) {
        let _ = self.reply.send(Err(error));
    }
}

impl<Q: Question<Answer: Send> + Send> Asked for Pending<Q> {
    fn run(&mut self, view: &dyn View) -> Result<bool, ViewError> {
        self.answer = self.question.run(view)?;
        Ok(self.answer.is_some())
    }

    fn supply(&mut self, key: StateKey, value: StateValue) {
        self.question.supply(key, value);
    }
}

impl<Q: Question<Answer: Send> + Send> Begun for Pending<Q> {
    fn end(self: Box<Self>, result: Result<(), NodeError>) {
        let Self { answer, reply, .. } = *self;
        let _ = reply.send(result.and_then(|()| answer.ok_or(NodeError::Unavailable)));
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
            Query::Ask {
                at,
                turn,
                posed,
                interrupt,
                gone,
            } => {
                // A question may want many reads: it ends when nobody waits for it any more.
                select! {
                    () = self.put(database, at, turn, posed, interrupt) => {},
                    _ = gone => {},
                }
            }
        }
    }

    /// Puts a question that takes the EVM.
    async fn put<E: Runtime>(
        &self,
        database: &SharedDatabase<E>,
        at: Option<u64>,
        turn: Turn,
        posed: Box<dyn Posed>,
        interrupt: Interrupt,
    ) {
        let block = match at {
            None => Ok(Arc::clone(&self.feed.latest().block)),
            Some(height) => self.past_block(height).await,
        };
        let block = match block {
            Ok(block) => block,
            Err(error) => return posed.refuse(error),
        };
        let root = block.header().state_root;
        let past = self.past(block.number(), Now(database));
        let mut begun = posed.begin(Ground {
            spec: Arc::clone(&self.spec),
            block,
            codes: self.codes.clone(),
            interrupt,
            turn,
        });
        let result = match (at, past) {
            (_, Ok(past)) => execution::answer(&mut *begun, &BlockState { past, root })
                .await
                .map_err(NodeError::from),
            // Without an archive this state is gone with the next block, which has to wait.
            (None, Err(_)) => execution::answer(&mut *begun, &*database.read().await)
                .await
                .map_err(NodeError::from),
            (Some(_), Err(error)) => Err(error),
        };
        begun.end(match result {
            Ok(Answered::Done) => Ok(()),
            Ok(Answered::Exhausted) => Err(NodeError::Exhausted),
            Err(error) => Err(error),
        });
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
