//! What a trace takes up, counted while it is made.

use crate::question::{Interrupt, stop};
use alloy_primitives::{Address, Log, U256};
use revm::{
    Inspector,
    bytecode::opcode,
    context_interface::ContextTr,
    interpreter::{
        CallInputs, CallOutcome, CreateInputs, CreateOutcome, Interpreter,
        interpreter_types::{InputsTr as _, Jumps as _, MemoryTr as _, ReturnData as _},
    },
};
use std::collections::BTreeSet;

/// Bytes of JSON of a step without what it may carry, of a call, of a log, of a slot.
const STEP: usize = 110;
const CALL: usize = 400;
const LOG: usize = 400;
const SLOT: usize = 140;

/// What of an execution is kept.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Record {
    /// Each step.
    pub steps: bool,
    /// With the whole stack,
    pub stack: bool,
    /// the contract's slots so far where one is used,
    pub storage: bool,
    /// the whole memory,
    pub memory: bool,
    /// what the last call returned.
    pub return_data: bool,
    /// Steps after which no more are kept.
    pub steps_max: Option<u64>,
}

/// Why a trace ends before its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    TooLarge,
    Interrupted,
}

/// Counts what is kept, and ends the execution when it is too much or nobody waits any more.
#[derive(Clone, Debug)]
pub(crate) struct Meter {
    left: usize,
    interrupt: Interrupt,
    stopped: Option<Stop>,
    record: Record,
    steps: u64,
    slots: BTreeSet<(Address, U256)>,
}

impl Meter {
    pub(crate) const fn new(left: usize, interrupt: Interrupt) -> Self {
        Self {
            left,
            interrupt,
            stopped: None,
            record: Record {
                steps: false,
                stack: false,
                storage: false,
                memory: false,
                return_data: false,
                steps_max: None,
            },
            steps: 0,
            slots: BTreeSet::new(),
        }
    }

    /// Begins an execution of which this is kept.
    pub(crate) fn record(&mut self, record: Record) {
        self.record = record;
        self.steps = 0;
        self.slots.clear();
    }

    /// Why it ended the execution, if it did.
    pub(crate) const fn stopped(&self) -> Option<Stop> {
        self.stopped
    }

    /// Counts bytes.
    pub(crate) fn spend(&mut self, bytes: usize) {
        match self.left.checked_sub(bytes) {
            Some(left) => self.left = left,
            None => self.stopped = Some(Stop::TooLarge),
        }
    }

    /// Sees whether somebody waits still.
    pub(crate) fn check(&mut self) {
        if self.interrupt.look() {
            self.stopped = Some(Stop::Interrupted);
        }
    }

    /// Bytes of JSON of a step.
    fn step_bytes(&mut self, interpreter: &Interpreter) -> usize {
        let record = self.record;
        let mut bytes = STEP;
        if record.stack {
            // A word takes as many digits as it has, and 32 bytes in memory.
            let word = |word: &U256| (word.bit_len() / 4).saturating_add(6).max(32);
            let words = interpreter.stack.data().iter().map(word);
            bytes = words.fold(bytes, usize::saturating_add);
        }
        if record.memory {
            // Two digits for each byte, and quotes around each word.
            let size = interpreter.memory.size();
            bytes = bytes.saturating_add(size.saturating_mul(9) / 4);
        }
        if record.return_data {
            let size = interpreter.return_data.buffer().len();
            bytes = bytes.saturating_add(size.saturating_mul(2));
        }
        let touches = matches!(
            interpreter.bytecode.opcode(),
            opcode::SLOAD | opcode::SSTORE
        );
        if record.storage
            && touches
            && let Ok(slot) = interpreter.stack.peek(0)
        {
            self.slots
                .insert((interpreter.input.target_address(), slot));
            bytes = bytes.saturating_add(self.slots.len().saturating_mul(SLOT));
        }
        bytes
    }
}

impl<CTX: ContextTr> Inspector<CTX> for Meter {
    fn step(&mut self, interpreter: &mut Interpreter, context: &mut CTX) {
        self.check();
        if self.record.steps && self.record.steps_max.is_none_or(|most| self.steps < most) {
            self.steps = self.steps.saturating_add(1);
            let bytes = self.step_bytes(interpreter);
            self.spend(bytes);
        }
        if self.stopped.is_some() {
            stop(interpreter, context);
        }
    }

    fn log(&mut self, _: &mut CTX, log: Log) {
        self.spend(log.data.data.len().saturating_mul(2).saturating_add(LOG));
    }

    fn call(&mut self, _: &mut CTX, inputs: &mut CallInputs) -> Option<CallOutcome> {
        self.spend(inputs.input.len().saturating_mul(2).saturating_add(CALL));
        None
    }

    fn call_end(&mut self, _: &mut CTX, _: &CallInputs, outcome: &mut CallOutcome) {
        self.spend(outcome.result.output.len().saturating_mul(2));
    }

    fn create(&mut self, _: &mut CTX, inputs: &mut CreateInputs) -> Option<CreateOutcome> {
        let size = inputs.init_code().len();
        self.spend(size.saturating_mul(2).saturating_add(CALL));
        None
    }

    fn create_end(&mut self, _: &mut CTX, _: &CreateInputs, outcome: &mut CreateOutcome) {
        self.spend(outcome.result.output.len().saturating_mul(2));
    }
}
