//! What executions did, step by step, call by call, or to the state: calls and transactions one after the other, some of them
//! watched by a tracer.

use crate::{
    call::{Call, CallOutcome},
    meter::{Meter, Record, Stop},
    overlay::{View, ViewError},
    question::{Interrupt, Question},
    simulation::{Before, Inspected, Message, Simulation},
    transaction::Invalid,
};
use alloy_primitives::{B256, map::HashSet};
use alloy_rpc_types_trace::{
    geth::{GethDebugBuiltInTracerType, GethDebugTracerType, GethDebugTracingOptions, GethTrace},
    otterscan::InternalOperation,
    parity::{TraceResults, TraceType},
};
use revm::{
    DatabaseRef as _, Inspector, context_interface::result::ResultAndState, handler::MainnetContext,
};
use revm_inspectors::{
    otterscan::InternalOperationsInspector,
    tracing::{
        DebugInspector, DebugInspectorError, TracingInspector, TracingInspectorConfig,
        TransactionContext,
    },
};
use std::{
    collections::VecDeque,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};
use types::{StateKey, StateValue, Transaction};

/// Who watches an execution.
#[derive(Clone, Debug)]
pub enum Tracer {
    /// Nobody: only how it ended is told.
    Outcome,
    /// One of geth's tracers ([`Tracer::geth`]).
    Geth(Box<GethDebugTracingOptions>),
    /// Those of Parity: calls, steps, or changes of the state.
    Parity(HashSet<TraceType>),
    /// Otterscan's: transfers, creations and destructions inside.
    Operations,
}

impl Tracer {
    /// One of geth's tracers: `callTracer`, `prestateTracer`, `4byteTracer`, `flatCallTracer`, `muxTracer`, `noopTracer`; without
    /// a name, one for each step.
    ///
    /// # Errors
    /// In words, if there is no such tracer here or it cannot be configured so.
    pub fn geth(options: GethDebugTracingOptions) -> Result<Self, String> {
        match &options.tracer {
            Some(GethDebugTracerType::JsTracer(name)) if !name.is_empty() => {
                let name: String = name.chars().take(64).collect();
                return Err(format!(
                    "tracer not found: {name} (JavaScript tracers are not supported)"
                ));
            }
            Some(GethDebugTracerType::BuiltInTracer(GethDebugBuiltInTracerType::Erc7562Tracer)) => {
                return Err("tracer not found: erc7562Tracer".to_owned());
            }
            _ => {}
        }
        match DebugInspector::new(options.clone()) {
            Ok(_) => Ok(Self::Geth(Box::new(options))),
            Err(error) => Err(error.to_string()),
        }
    }

    /// What of an execution it keeps.
    fn record(&self) -> Record {
        match self {
            Self::Outcome | Self::Operations => Record::default(),
            Self::Geth(options) if options.tracer.is_none() || is_unnamed(options) => {
                let config = options.config;
                Record {
                    steps: true,
                    stack: !config.disable_stack.unwrap_or_default(),
                    storage: !config.disable_storage.unwrap_or_default(),
                    memory: config.is_memory_enabled(),
                    return_data: config.is_return_data_enabled(),
                    steps_max: config.limit.filter(|limit| *limit > 0),
                }
            }
            Self::Geth(_) => Record::default(),
            Self::Parity(types) => Record {
                steps: types.contains(&TraceType::VmTrace),
                ..Record::default()
            },
        }
    }
}

fn is_unnamed(options: &GethDebugTracingOptions) -> bool {
    matches!(&options.tracer, Some(GethDebugTracerType::JsTracer(name)) if name.is_empty())
}

/// What a tracer saw.
#[derive(Clone, Debug)]
pub enum Trace {
    /// [`Tracer::Outcome`].
    Outcome,
    /// [`Tracer::Geth`].
    Geth(Box<GethTrace>),
    /// [`Tracer::Parity`].
    Parity(Box<TraceResults>),
    /// [`Tracer::Operations`].
    Operations(Vec<InternalOperation>),
}

/// What is executed.
#[derive(Clone, Debug)]
pub enum Action {
    /// A call that nobody signed.
    Call(Box<Call>),
    /// A signed transaction, by the rules of a block.
    Transaction(Arc<Transaction>),
}

/// One step of a script.
#[derive(Clone, Debug)]
pub struct Act {
    /// What is executed. What it changes, later ones see.
    pub action: Action,
    /// Who watches; without a tracer nothing is told of it.
    pub tracer: Option<Tracer>,
    /// The block it is in and its place there, if it is in one.
    pub place: Option<(B256, usize)>,
}

/// What came of an act that was watched.
#[derive(Clone, Debug)]
pub struct Traced {
    /// How it ended.
    pub outcome: CallOutcome,
    /// What was seen.
    pub trace: Trace,
}

/// Why there are no traces.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TraceError {
    /// They would be longer, in bytes of JSON.
    #[error("trace too large: more than {0} bytes")]
    TooLarge(usize),
    /// The calls together used up the gas there is for them.
    #[error("gas limit of all traced calls reached: {0}")]
    Gas(u64),
    /// One could not start.
    #[error("{reason}")]
    Invalid {
        /// Its place among the acts.
        index: usize,
        /// Why.
        reason: Invalid,
    },
    /// A tracer failed.
    #[error("tracer failed: {0}")]
    Tracer(String),
    /// Nobody waits for them any more.
    #[error("interrupted")]
    Interrupted,
}

/// Bounds of a script.
#[derive(Clone, Debug)]
pub struct ScriptLimits {
    /// Gas of its calls together. Transactions are bounded by their block.
    pub gas_max: u64,
    /// Bytes of JSON that its traces take, more or less.
    pub bytes_max: usize,
}

/// Calls and transactions, one after the other.
#[derive(Debug)]
pub struct Script {
    simulation: Simulation,
    acts: VecDeque<Act>,
    limits: ScriptLimits,
    gas_left: u64,
    meter: Meter,
    index: usize,
    done: Vec<Traced>,
}

impl Script {
    /// Asks what each of `acts` does in a simulation.
    pub fn new(
        simulation: Simulation,
        acts: Vec<Act>,
        limits: ScriptLimits,
        interrupt: Interrupt,
    ) -> Self {
        Self {
            simulation,
            acts: acts.into(),
            gas_left: limits.gas_max,
            meter: Meter::new(limits.bytes_max, interrupt),
            limits,
            index: 0,
            done: Vec::new(),
        }
    }

    /// Executes one act. Nothing is kept of an attempt that fails.
    fn perform(&mut self, act: &Act, view: &dyn View) -> Result<Result<(), TraceError>, ViewError> {
        let call;
        let message = match &act.action {
            Action::Transaction(transaction) => Message::Transaction(transaction),
            Action::Call(_) if self.gas_left == 0 => {
                return Ok(Err(TraceError::Gas(self.limits.gas_max)));
            }
            Action::Call(asked) => {
                call = asked.with_gas(asked.gas.min(self.gas_left));
                Message::Call(&call)
            }
        };
        let mut attempt = Attempt {
            simulation: &mut self.simulation,
            message,
            place: act.place,
            view,
            meter: self.meter.clone(),
        };
        let ended = match &act.tracer {
            None | Some(Tracer::Outcome) => attempt.plain()?,
            Some(Tracer::Geth(options)) => attempt.geth(options)?,
            Some(Tracer::Parity(types)) => attempt.parity(types)?,
            Some(Tracer::Operations) => attempt.operations()?,
        };
        let meter = attempt.meter;
        match meter.stopped() {
            Some(Stop::Interrupted) => return Ok(Err(TraceError::Interrupted)),
            Some(Stop::TooLarge) => return Ok(Err(TraceError::TooLarge(self.limits.bytes_max))),
            None => {}
        }
        let (executed, trace) = match ended {
            Ok(ended) => ended,
            Err(Failed::Invalid(reason)) => {
                let index = self.index;
                return Ok(Err(TraceError::Invalid { index, reason }));
            }
            Err(Failed::Tracer(error)) => return Ok(Err(TraceError::Tracer(error))),
        };
        self.simulation.commit(executed.state, view)?;
        self.meter = meter;
        let outcome = CallOutcome::from(executed.result);
        if matches!(act.action, Action::Call(_)) {
            self.gas_left = self.gas_left.saturating_sub(outcome.gas_used());
        }
        if act.tracer.is_some() {
            self.done.push(Traced { outcome, trace });
        }
        Ok(Ok(()))
    }
}

impl Question for Script {
    type Answer = Result<Vec<Traced>, TraceError>;

    fn run(&mut self, view: &dyn View) -> Result<Option<Self::Answer>, ViewError> {
        let Some(act) = self.acts.pop_front() else {
            return Ok(Some(Ok(std::mem::take(&mut self.done))));
        };
        if let Some(tracer) = &act.tracer {
            self.meter.record(tracer.record());
        } else {
            self.meter.record(Record::default());
        }
        // The tracers are others' code, and a panic here would stop the node. Nothing of what it leaves is used.
        let performed = catch_unwind(AssertUnwindSafe(|| self.perform(&act, view)));
        let panicked = |_| Ok(Err(TraceError::Tracer("it panicked".to_owned())));
        match performed.unwrap_or_else(panicked) {
            Ok(Ok(())) => {
                self.index = self.index.saturating_add(1);
                Ok(None)
            }
            Ok(Err(error)) => Ok(Some(Err(error))),
            Err(fault) => {
                self.acts.push_front(act);
                Err(fault)
            }
        }
    }

    fn supply(&mut self, key: StateKey, value: StateValue) {
        self.simulation.supply(key, value);
    }
}

/// Why an attempt has no result.
enum Failed {
    Invalid(Invalid),
    Tracer(String),
}

type Ended = Result<(ResultAndState, Trace), Failed>;

/// One attempt to execute an act.
struct Attempt<'a> {
    simulation: &'a mut Simulation,
    message: Message<'a>,
    place: Option<(B256, usize)>,
    view: &'a dyn View,
    meter: Meter,
}

impl Attempt<'_> {
    fn plain(&mut self) -> Result<Ended, ViewError> {
        // Interrupted between acts: gas bounds one.
        self.meter.check();
        let executed = self.simulation.execute(self.message, self.view)?;
        Ok(executed
            .map(|executed| (executed, Trace::Outcome))
            .map_err(Failed::Invalid))
    }

    /// Executes, watched by the meter and an inspector.
    fn watch<I>(&mut self, inspector: &mut I) -> Result<Result<Inspected, Invalid>, ViewError>
    where
        I: for<'a> Inspector<MainnetContext<crate::simulation::Simulated<'a>>>,
    {
        self.simulation
            .inspect(self.message, self.view, &mut (&mut self.meter, inspector))
    }

    fn geth(&mut self, options: &GethDebugTracingOptions) -> Result<Ended, ViewError> {
        let mut inspector = match DebugInspector::new(options.clone()) {
            Ok(inspector) => inspector,
            Err(error) => return Ok(Err(Failed::Tracer(error.to_string()))),
        };
        let Inspected { result, tx, block } = match self.watch(&mut inspector)? {
            Ok(inspected) => inspected,
            Err(invalid) => return Ok(Err(Failed::Invalid(invalid))),
        };
        let context = TransactionContext {
            block_hash: self.place.map(|(hash, _)| hash),
            tx_index: self.place.map(|(_, index)| index),
            tx_hash: match self.message {
                Message::Transaction(transaction) => Some(transaction.hash()),
                _ => None,
            },
        };
        let mut before = self.simulation.before(&self.view);
        if describes_state(options) {
            self.meter.spend(state_bytes(&result, &before)?);
        }
        if self.meter.stopped().is_some() {
            return Ok(Ok((result, Trace::Outcome)));
        }
        match inspector.get_result(Some(context), &tx, &block, &result, &mut before) {
            Ok(trace) => Ok(Ok((result, Trace::Geth(Box::new(trace))))),
            Err(DebugInspectorError::Database(fault)) => Err(fault),
            Err(error) => Ok(Err(Failed::Tracer(error.to_string()))),
        }
    }

    fn parity(&mut self, types: &HashSet<TraceType>) -> Result<Ended, ViewError> {
        let config = TracingInspectorConfig::from_parity_config(types);
        let mut inspector = TracingInspector::new(config);
        let result = match self.watch(&mut inspector)? {
            Ok(inspected) => inspected.result,
            Err(invalid) => return Ok(Err(Failed::Invalid(invalid))),
        };
        let before = self.simulation.before(&self.view);
        if types.contains(&TraceType::StateDiff) {
            self.meter.spend(state_bytes(&result, &before)?);
        }
        if self.meter.stopped().is_some() {
            return Ok(Ok((result, Trace::Outcome)));
        }
        let traces = inspector.into_parity_builder();
        let traces = traces.into_trace_results_with_state(&result, types, &before)?;
        Ok(Ok((result, Trace::Parity(Box::new(traces)))))
    }

    fn operations(&mut self) -> Result<Ended, ViewError> {
        let mut inspector = InternalOperationsInspector::default();
        let watched = self.watch(&mut inspector)?;
        Ok(match watched {
            Ok(inspected) => Ok((
                inspected.result,
                Trace::Operations(inspector.into_operations()),
            )),
            Err(invalid) => Err(Failed::Invalid(invalid)),
        })
    }
}

/// Whether a tracer of geth tells of accounts with their code.
fn describes_state(options: &GethDebugTracingOptions) -> bool {
    matches!(
        options.tracer,
        Some(GethDebugTracerType::BuiltInTracer(
            GethDebugBuiltInTracerType::PreStateTracer | GethDebugBuiltInTracerType::MuxTracer
        ))
    )
}

/// Bytes of JSON that the accounts take that an execution read.
#[expect(
    clippy::disallowed_methods,
    reason = "a sum does not depend on the order"
)]
fn state_bytes(result: &ResultAndState, before: &Before<'_>) -> Result<usize, ViewError> {
    const ACCOUNT: usize = 200;
    const SLOT: usize = 280;
    let mut bytes = 0_usize;
    for account in result.state.values() {
        let code = before.code_by_hash_ref(account.original_info().code_hash)?;
        bytes = bytes
            .saturating_add(ACCOUNT)
            .saturating_add(account.storage.len().saturating_mul(SLOT))
            .saturating_add(code.len().saturating_mul(2));
    }
    Ok(bytes)
}
