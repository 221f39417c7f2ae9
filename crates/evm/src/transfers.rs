//! The logs of a simulated call, with transfers of wei among them.

use crate::question::Interrupt;
use alloy_primitives::{Address, B256, Log, LogData, U256, address, b256};
use revm::{
    Inspector,
    context_interface::{ContextTr, JournalTr as _},
    interpreter::{CallInputs, CallOutcome, CallScheme, CreateInputs, CreateOutcome, Interpreter},
};

/// Who logs transfers in `eth_simulateV1`.
const EMITTER: Address = address!("0xeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee");
/// `Transfer(address,address,uint256)`.
const TOPIC: B256 = b256!("0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef");

/// Collects logs in order. What a call logged that failed is forgotten with it, its transfer too.
#[derive(Debug)]
pub(crate) struct TransferLogs {
    transfers: bool,
    interrupt: Interrupt,
    /// The logs of each call under way, and below them those of the transaction.
    calls: Vec<Vec<Log>>,
}

impl TransferLogs {
    pub(crate) fn new(transfers: bool, interrupt: Interrupt) -> Self {
        Self {
            transfers,
            interrupt,
            calls: vec![Vec::new()],
        }
    }

    pub(crate) fn into_logs(mut self) -> Vec<Log> {
        self.calls.pop().unwrap_or_default()
    }

    fn transfer(&mut self, from: Address, to: Address, value: U256) {
        if !self.transfers || value.is_zero() {
            return;
        }
        let topics = vec![TOPIC, from.into_word(), to.into_word()];
        let data = B256::from(value).into();
        self.push(Log {
            address: EMITTER,
            data: LogData::new_unchecked(topics, data),
        });
    }

    fn push(&mut self, log: Log) {
        if let Some(logs) = self.calls.last_mut() {
            logs.push(log);
        }
    }

    fn end(&mut self, success: bool) {
        let logs = self.calls.pop().unwrap_or_default();
        if success && let Some(outer) = self.calls.last_mut() {
            outer.extend(logs);
        }
    }
}

impl<CTX: ContextTr> Inspector<CTX> for TransferLogs {
    fn step(&mut self, interpreter: &mut Interpreter, context: &mut CTX) {
        self.interrupt.stop(interpreter, context);
    }

    fn log(&mut self, _: &mut CTX, log: Log) {
        self.push(log);
    }

    fn call(&mut self, _: &mut CTX, inputs: &mut CallInputs) -> Option<CallOutcome> {
        self.calls.push(Vec::new());
        if inputs.scheme != CallScheme::DelegateCall
            && let Some(value) = inputs.transfer_value()
        {
            self.transfer(inputs.transfer_from(), inputs.transfer_to(), value);
        }
        None
    }

    fn call_end(&mut self, _: &mut CTX, _: &CallInputs, outcome: &mut CallOutcome) {
        self.end(outcome.result.result.is_ok());
    }

    fn create(&mut self, context: &mut CTX, inputs: &mut CreateInputs) -> Option<CreateOutcome> {
        self.calls.push(Vec::new());
        if let Ok(account) = context.journal_mut().load_account(inputs.caller()) {
            let address = inputs.created_address(account.data.info.nonce);
            self.transfer(inputs.caller(), address, inputs.value());
        }
        None
    }

    fn create_end(&mut self, _: &mut CTX, _: &CreateInputs, outcome: &mut CreateOutcome) {
        self.end(outcome.result.result.is_ok());
    }

    fn selfdestruct(&mut self, contract: Address, target: Address, value: U256) {
        self.transfer(contract, target, value);
    }
}
