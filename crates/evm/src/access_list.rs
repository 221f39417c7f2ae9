//! The access list with which a call is cheapest: what `eth_createAccessList` asks.

use crate::{
    call::{Call, CallOutcome},
    overlay::{View, ViewError},
    question::Question,
    simulation::{Message, Simulation},
};
use alloy_eips::eip2930::AccessList;
use revm_inspectors::access_list::AccessListInspector;
use types::{StateKey, StateValue};

/// Attempts until the list stays the same. What a call reads may depend on the gas it has left, and so on its list; two or
/// three attempts are usual.
const ATTEMPTS_MAX: usize = 16;

/// The addresses and slots that a call touches beyond those that are warm anyway.
#[derive(Clone, Debug)]
pub struct CreateAccessList {
    simulation: Simulation,
    call: Call,
    attempts: usize,
}

impl CreateAccessList {
    /// Asks for the access list of `call` in a simulation.
    pub const fn new(simulation: Simulation, call: Call) -> Self {
        Self {
            simulation,
            call,
            attempts: 0,
        }
    }
}

impl Question for CreateAccessList {
    /// The list, and what the call does with it.
    type Answer = (AccessList, CallOutcome);

    fn run(&mut self, view: &dyn View) -> Result<Option<Self::Answer>, ViewError> {
        let given = self.call.access_list.clone();
        let mut inspector = AccessListInspector::new(given.clone());
        let executed = self
            .simulation
            .inspect(Message::Call(&self.call), view, &mut inspector)?;
        let outcome = match executed {
            Ok(inspected) => inspected.result.result.into(),
            Err(invalid) => return Ok(Some((given, CallOutcome::Invalid(invalid)))),
        };
        let list = inspector.into_access_list();
        self.attempts = self.attempts.saturating_add(1);
        if list == given || self.attempts >= ATTEMPTS_MAX {
            return Ok(Some((list, outcome)));
        }
        self.call.access_list = list;
        Ok(None)
    }

    fn supply(&mut self, key: StateKey, value: StateValue) {
        self.simulation.supply(key, value);
    }
}
