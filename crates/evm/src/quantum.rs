//! How much a question may compute before it gives way to others, counted while it computes.

use crate::{
    overlay::ViewError,
    question::{Interrupt, fail, stop},
};
use alloy_primitives::{Address, Bytes};
use revm::{
    Inspector,
    context_interface::ContextTr,
    interpreter::{
        CallInputs, CallOutcome, CreateInputs, CreateOutcome, Gas, InstructionResult, Interpreter,
        InterpreterResult,
    },
};

/// Steps of the EVM that take about a quarter of a millisecond.
const STEPS: u64 = 25_000;
/// Steps that a byte may be worth which a precompile works on.
const STEPS_PER_BYTE: u64 = 20;

/// What may still be computed. Without bound it ends only with gas, or when it is interrupted.
#[derive(Clone, Debug, Default)]
pub struct Quantum {
    left: Option<u64>,
    interrupt: Interrupt,
    ended: Option<ViewError>,
}

impl Quantum {
    /// As much as gas allows, as long as somebody waits.
    pub fn unbounded(interrupt: Interrupt) -> Self {
        Self {
            interrupt,
            ..Self::default()
        }
    }

    /// About a quarter of a millisecond, as long as somebody waits.
    pub fn short(interrupt: Interrupt) -> Self {
        Self {
            left: Some(STEPS),
            ..Self::unbounded(interrupt)
        }
    }

    /// Why it ended an execution, if it did.
    pub(crate) fn ended(&self) -> Option<ViewError> {
        self.ended.clone()
    }

    /// Takes steps off; whether any were left.
    fn spend(&mut self, steps: u64) -> bool {
        if self.interrupt.look() {
            self.ended = Some(ViewError::Abandoned);
        } else if let Some(left) = self.left {
            match left.checked_sub(steps) {
                Some(left) => self.left = Some(left),
                None => self.ended = Some(ViewError::Exhausted),
            }
        }
        self.ended.is_none()
    }
}

impl<CTX: ContextTr> Inspector<CTX> for Quantum {
    fn step(&mut self, interpreter: &mut Interpreter, context: &mut CTX) {
        if !self.spend(1) {
            stop(interpreter, context);
        }
    }

    fn call(&mut self, context: &mut CTX, inputs: &mut CallInputs) -> Option<CallOutcome> {
        let bytes = inputs.input.len() as u64;
        if !is_precompile(&inputs.bytecode_address)
            || self.spend(bytes.saturating_mul(STEPS_PER_BYTE))
        {
            return None;
        }
        // It would compute at one go.
        fail(context);
        let gas = Gas::new(inputs.gas_limit);
        let result =
            InterpreterResult::new(InstructionResult::FatalExternalError, Bytes::new(), gas);
        Some(CallOutcome::new(
            result,
            inputs.return_memory_offset.clone(),
        ))
    }

    fn create(&mut self, _: &mut CTX, inputs: &mut CreateInputs) -> Option<CreateOutcome> {
        // Analysed, and hashed. If that is too much, its first step ends it.
        self.spend(inputs.init_code().len() as u64);
        None
    }
}

/// Whether there may be a precompile at an address: all that Ethereum has are below this.
fn is_precompile(address: &Address) -> bool {
    let [.., high, low] = address.0.0;
    address.0.0[..18].iter().all(|byte| *byte == 0) && u16::from_be_bytes([high, low]) < 0x200
}
