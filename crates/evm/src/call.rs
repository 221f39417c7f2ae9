//! Execution without effect: what `eth_call` and `eth_estimateGas` ask.

use crate::{
    environment::Environment,
    overlay::{CodeCache, Overlay, Session, View, ViewError},
    transaction::Invalid,
};
use alloy_eips::eip2930::AccessList;
use alloy_primitives::{Address, Bytes, TxKind, U256};
use revm::{
    Context, ExecuteEvm as _, MainBuilder as _, MainContext as _,
    context::TxEnv,
    context_interface::result::{EVMError, ExecutionResult, HaltReason},
};
use types::{StateKey, StateValue};

/// A call to simulate. Nobody signs it, so nonce and balance for gas are not checked.
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
    /// Gas limit.
    pub gas: u64,
    /// Price per gas in wei; zero costs nothing whatever the base fee.
    pub gas_price: u128,
    /// Pre-warmed addresses and slots (EIP-2930).
    pub access_list: AccessList,
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

/// How far a simulation came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallProgress<T> {
    /// It ended.
    Done(T),
    /// A value is missing: fetch it, [`Simulation::supply`] it, try again.
    Suspended(StateKey),
}

/// A state to simulate calls on, with reads kept from one attempt to the next.
#[derive(Debug)]
pub struct Simulation {
    environment: Environment,
    overlay: Overlay,
}

impl Simulation {
    /// Simulates in this environment.
    pub fn new(environment: Environment, codes: CodeCache) -> Self {
        Self {
            environment,
            overlay: Overlay::new(codes),
        }
    }

    /// Makes a parent value known.
    pub fn supply(&mut self, key: StateKey, value: StateValue) {
        self.overlay.supply(key, value);
    }

    /// Replaces a value for the calls to come (state overrides).
    pub fn write(&mut self, key: StateKey, value: StateValue) {
        self.overlay.write(key, value);
    }

    /// Simulates one call.
    ///
    /// # Errors
    /// [`ViewError::Database`] when the state database failed.
    pub fn call(
        &mut self,
        call: &Call,
        view: &impl View,
    ) -> Result<CallProgress<CallOutcome>, ViewError> {
        let mut cfg = self.environment.cfg();
        cfg.disable_nonce_check = true;
        cfg.disable_eip3607 = true;
        cfg.disable_block_gas_limit = true;
        cfg.disable_base_fee = call.gas_price == 0;
        // The caller's gas cap bounds a call; EIP-7825 bounds transactions.
        cfg.tx_gas_limit_cap = Some(u64::MAX);
        let mut evm = Context::mainnet()
            .with_db(Session {
                overlay: &mut self.overlay,
                view,
            })
            .with_cfg(cfg)
            .with_block(self.environment.block())
            .build_mainnet();
        let tx = TxEnv {
            tx_type: u8::from(!call.access_list.is_empty()),
            caller: call.from,
            gas_limit: call.gas,
            gas_price: call.gas_price,
            kind: call.to.map_or(TxKind::Create, TxKind::Call),
            value: call.value,
            data: call.input.clone(),
            chain_id: Some(self.environment.chain_id),
            access_list: call.access_list.clone(),
            ..TxEnv::default()
        };
        Ok(CallProgress::Done(
            match evm.transact(tx).map(|executed| executed.result) {
                Ok(result) => {
                    let gas_used = result.tx_gas_used();
                    match result {
                        ExecutionResult::Success { output, .. } => CallOutcome::Success {
                            output: output.into_data(),
                            gas_used,
                        },
                        ExecutionResult::Revert { output, .. } => {
                            CallOutcome::Revert { output, gas_used }
                        }
                        ExecutionResult::Halt {
                            reason: HaltReason::OutOfGas(_),
                            ..
                        } => CallOutcome::OutOfGas { gas_used },
                        ExecutionResult::Halt { reason, .. } => CallOutcome::Halt {
                            reason: format!("{reason:?}"),
                            gas_used,
                        },
                    }
                }
                Err(EVMError::Database(ViewError::Missing(key))) => {
                    return Ok(CallProgress::Suspended(key));
                }
                Err(EVMError::Database(fault)) => return Err(fault),
                Err(EVMError::Transaction(reason)) => CallOutcome::Invalid(reason.into()),
                Err(other) => CallOutcome::Invalid(Invalid::Other(other.to_string())),
            },
        ))
    }

    /// The least gas limit with which `call` succeeds, found by bisection below `call.gas`;
    /// or what the call does with all of it, if that is not success.
    ///
    /// # Errors
    /// [`ViewError::Database`] when the state database failed.
    pub fn estimate(
        &mut self,
        call: &Call,
        view: &impl View,
    ) -> Result<CallProgress<Result<u64, CallOutcome>>, ViewError> {
        let mut attempt = |gas| {
            self.call(
                &Call {
                    gas,
                    ..call.clone()
                },
                view,
            )
        };
        let used = match attempt(call.gas)? {
            CallProgress::Suspended(key) => return Ok(CallProgress::Suspended(key)),
            CallProgress::Done(CallOutcome::Success { gas_used, .. }) => gas_used,
            CallProgress::Done(other) => return Ok(CallProgress::Done(Err(other))),
        };
        // `low` fails (one below what was used, before refunds and the 63/64 rule raise the need);
        // `high` succeeds. Stop when they are 1.5 % apart: clients add a margin anyway.
        let mut low = used.saturating_sub(1);
        let mut high = call.gas;
        // Mostly what was used suffices, and exactly: a transfer's estimate must be 21000.
        let mut probe = used;
        while high.saturating_sub(low) > 1 && high.saturating_sub(low) > high / 64 {
            match attempt(probe)? {
                CallProgress::Suspended(key) => return Ok(CallProgress::Suspended(key)),
                CallProgress::Done(CallOutcome::Success { .. }) => high = probe,
                CallProgress::Done(_) => low = probe,
            }
            probe = low.saturating_add(high.saturating_sub(low) / 2);
        }
        Ok(CallProgress::Done(Ok(high)))
    }
}
