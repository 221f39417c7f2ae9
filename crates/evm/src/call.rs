//! Calls without effect: what `eth_call` and `eth_estimateGas` ask.

use crate::{
    overlay::{View, ViewError},
    question::Question,
    simulation::{Message, Simulation},
    transaction::Invalid,
};
use alloy_eips::{eip2930::AccessList, eip7702::SignedAuthorization};
use alloy_primitives::{Address, Bytes, TxKind, U256};
use revm::{
    context::{TxEnv, either::Either},
    context_interface::result::{ExecutionResult, HaltReason},
};
use types::{StateKey, StateValue};

/// A call to simulate. Nobody signs it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Call {
    /// `msg.sender`.
    pub from: Address,
    /// The contract called; none creates one.
    pub to: Option<Address>,
    /// Wei sent along.
    pub value: U256,
    /// Call data or init code.
    pub input: Bytes,
    /// The sender's nonce. It matters only where nonces are checked.
    pub nonce: u64,
    /// Gas limit.
    pub gas: u64,
    /// Price per gas in wei, or the most it may be if there is a tip. With neither, gas costs nothing whatever the base fee.
    pub gas_price: u128,
    /// What is paid per gas above the base fee, in wei (EIP-1559).
    pub tip: Option<u128>,
    /// Pre-warmed addresses and slots (EIP-2930).
    pub access_list: AccessList,
    /// Accounts that delegate their code (EIP-7702).
    pub authorizations: Vec<SignedAuthorization>,
}

impl Call {
    /// Whether it pays nothing for gas.
    pub(crate) fn is_free(&self) -> bool {
        self.gas_price == 0 && self.tip.unwrap_or_default() == 0
    }

    /// The call with another gas limit.
    pub(crate) fn with_gas(&self, gas: u64) -> Self {
        Self {
            gas,
            ..self.clone()
        }
    }

    pub(crate) fn tx_env(&self, chain_id: u64) -> TxEnv {
        let tx_type = if !self.authorizations.is_empty() {
            4
        } else if self.tip.is_some() {
            2
        } else {
            u8::from(!self.access_list.is_empty())
        };
        TxEnv {
            tx_type,
            caller: self.from,
            gas_limit: self.gas,
            gas_price: self.gas_price,
            gas_priority_fee: self.tip,
            kind: self.to.map_or(TxKind::Create, TxKind::Call),
            value: self.value,
            data: self.input.clone(),
            nonce: self.nonce,
            chain_id: Some(chain_id),
            access_list: self.access_list.clone(),
            authorization_list: self
                .authorizations
                .iter()
                .cloned()
                .map(Either::Left)
                .collect(),
            ..TxEnv::default()
        }
    }
}

/// What a simulated call did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallOutcome {
    /// It returned.
    Success {
        /// Return data, or the created contract's code.
        output: Bytes,
        /// Gas used after refunds.
        gas_used: u64,
    },
    /// It reverted.
    Revert {
        /// Revert data.
        output: Bytes,
        /// Gas used.
        gas_used: u64,
    },
    /// It ran out of gas.
    OutOfGas {
        /// Gas used.
        gas_used: u64,
    },
    /// It stopped on another exceptional condition, named by the text.
    Halt {
        /// The condition.
        reason: String,
        /// Gas used.
        gas_used: u64,
    },
    /// It could not start.
    Invalid(Invalid),
}

impl CallOutcome {
    /// Gas used after refunds; none if it could not start.
    pub const fn gas_used(&self) -> u64 {
        match self {
            Self::Success { gas_used, .. }
            | Self::Revert { gas_used, .. }
            | Self::OutOfGas { gas_used }
            | Self::Halt { gas_used, .. } => *gas_used,
            Self::Invalid(_) => 0,
        }
    }
}

impl From<ExecutionResult> for CallOutcome {
    fn from(result: ExecutionResult) -> Self {
        let gas_used = result.tx_gas_used();
        match result {
            ExecutionResult::Success { output, .. } => Self::Success {
                output: output.into_data(),
                gas_used,
            },
            ExecutionResult::Revert { output, .. } => Self::Revert { output, gas_used },
            ExecutionResult::Halt {
                reason: HaltReason::OutOfGas(_),
                ..
            } => Self::OutOfGas { gas_used },
            ExecutionResult::Halt { reason, .. } => Self::Halt {
                reason: format!("{reason:?}"),
                gas_used,
            },
        }
    }
}

impl Simulation {
    /// Simulates one call.
    ///
    /// # Errors
    /// [`ViewError`] when a value is missing or the state database failed.
    pub(crate) fn call(&mut self, call: &Call, view: &dyn View) -> Result<CallOutcome, ViewError> {
        Ok(match self.execute(Message::Call(call), view)? {
            Ok(executed) => executed.result.into(),
            Err(invalid) => CallOutcome::Invalid(invalid),
        })
    }
}

/// What a call does.
#[derive(Clone, Debug)]
pub struct Perform {
    simulation: Simulation,
    call: Call,
}

impl Perform {
    /// Asks what `call` does in a simulation.
    pub const fn new(simulation: Simulation, call: Call) -> Self {
        Self { simulation, call }
    }
}

impl Question for Perform {
    type Answer = CallOutcome;

    fn run(&mut self, view: &dyn View) -> Result<Option<CallOutcome>, ViewError> {
        self.simulation.call(&self.call, view).map(Some)
    }

    fn supply(&mut self, key: StateKey, value: StateValue) {
        self.simulation.supply(key, value);
    }
}

/// The least gas limit with which a call succeeds.
///
/// A transaction that is sent now will be in the next block, whose time may be in the second of the last one or after it;
/// what it does may cost more then: a token that counts votes by time writes one checkpoint a second. So the gas must do
/// for both, or scripts that wait for one transaction's receipt and send the next would run out of it.
#[derive(Clone, Debug)]
pub struct Estimate {
    call: Call,
    /// The next block in the second of the last one, and in the second after it.
    now: Search,
    later: Search,
    stage: Stage,
}

#[derive(Clone, Copy, Debug)]
enum Stage {
    /// What the sender can pay for is not known.
    Allowance,
    Now,
    /// Whether this gas, which does now, does later.
    Check(u64),
    Later(u64),
}

impl Estimate {
    /// Asks for the gas of `call`, at most `call.gas`, in two simulations of the next block: soon and a second later.
    pub fn new(now: Simulation, later: Simulation, call: Call) -> Self {
        Self {
            now: Search::new(now),
            later: Search::new(later),
            call,
            stage: Stage::Allowance,
        }
    }

    /// Bounds the gas by what the sender can pay for beside the value. Too little for the value is for the EVM to say.
    fn allow(&mut self, view: &dyn View) -> Result<(), ViewError> {
        if self.call.gas_price > 0 {
            let account = self.now.simulation.account(self.call.from, view)?;
            let left = account.balance.saturating_sub(self.call.value);
            let gas = left
                .checked_div(U256::from(self.call.gas_price))
                .unwrap_or_default();
            self.call.gas = self.call.gas.min(gas.saturating_to());
        }
        Ok(())
    }
}

/// The gas that suffices; or the gas there was and what the call did with it, if that is not success.
pub type Estimated = Result<u64, (u64, CallOutcome)>;

impl Question for Estimate {
    type Answer = Estimated;

    fn run(&mut self, view: &dyn View) -> Result<Option<Estimated>, ViewError> {
        let most = self.call.gas;
        match self.stage {
            Stage::Allowance => {
                self.allow(view)?;
                self.stage = Stage::Now;
            }
            Stage::Now => match self.now.run(&self.call, view)? {
                Some(Ok(gas)) => self.stage = Stage::Check(gas),
                Some(Err(failed)) => return Ok(Some(Err((most, failed)))),
                None => {}
            },
            Stage::Check(gas) => {
                let call = self.call.with_gas(gas);
                match self.later.simulation.call(&call, view)? {
                    CallOutcome::Success { .. } => return Ok(Some(Ok(gas))),
                    _ => self.stage = Stage::Later(gas),
                }
            }
            Stage::Later(gas) => {
                if let Some(more) = self.later.run(&self.call, view)? {
                    return Ok(Some(Ok(more.map_or(gas, |more| more.max(gas)))));
                }
            }
        }
        Ok(None)
    }

    fn supply(&mut self, key: StateKey, value: StateValue) {
        self.now.simulation.supply(key, value.clone());
        self.later.simulation.supply(key, value);
    }
}

/// A search for the least gas limit by bisection.
#[derive(Clone, Debug)]
struct Search {
    simulation: Simulation,
    bounds: Option<Bounds>,
}

#[derive(Clone, Copy, Debug)]
struct Bounds {
    /// Fails.
    low: u64,
    /// Succeeds.
    high: u64,
    /// To be tried next.
    probe: u64,
}

impl Search {
    const fn new(simulation: Simulation) -> Self {
        Self {
            simulation,
            bounds: None,
        }
    }

    /// One attempt. In the end the gas, or what the call does with all of it, if that is not success.
    fn run(
        &mut self,
        call: &Call,
        view: &dyn View,
    ) -> Result<Option<Result<u64, CallOutcome>>, ViewError> {
        let Some(bounds) = &mut self.bounds else {
            let used = match self.simulation.call(call, view)? {
                CallOutcome::Success { gas_used, .. } => gas_used,
                other => return Ok(Some(Err(other))),
            };
            self.bounds = Some(Bounds {
                // One below what was used, before refunds and the 63/64 rule raise the need.
                low: used.saturating_sub(1),
                high: call.gas,
                // Mostly what was used suffices, and exactly: a transfer's estimate must be 21000.
                probe: used,
            });
            return Ok(None);
        };
        // Stop when they are 1.5 % apart: clients add a margin anyway.
        let apart = bounds.high.saturating_sub(bounds.low);
        if apart <= 1 || apart <= bounds.high / 64 {
            return Ok(Some(Ok(bounds.high)));
        }
        let probe = bounds.probe;
        match self.simulation.call(&call.with_gas(probe), view)? {
            CallOutcome::Success { .. } => bounds.high = probe,
            _ => bounds.low = probe,
        }
        bounds.probe = u64::midpoint(bounds.low, bounds.high);
        Ok(None)
    }
}
