//! Precompiles that a simulated call finds elsewhere, or not at all.

use crate::environment::Environment;
use alloy_primitives::Address;
use revm::{
    context_interface::{Cfg, ContextTr},
    handler::{EthPrecompiles, PrecompileProvider},
    interpreter::{CallInputs, InterpreterResult},
    primitives::{AddressSet, hardfork::SpecId},
};
use std::collections::{BTreeMap, BTreeSet};
use types::Fork;

/// Where precompiles are when they are not in their places.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Routes(BTreeMap<Address, Option<Address>>);

impl Routes {
    /// The precompile `from` is at `to`.
    pub(crate) fn lead(&mut self, to: Address, from: Address) {
        self.0.insert(to, Some(from));
    }

    /// There is none at this address any more.
    pub(crate) fn remove(&mut self, address: Address) {
        self.0.entry(address).or_insert(None);
    }
}

/// The addresses of a fork's precompiles, in order.
pub fn precompile_addresses(fork: Fork) -> BTreeSet<Address> {
    let precompiles = EthPrecompiles::new(Environment::spec_of(fork));
    precompiles.precompiles.addresses().copied().collect()
}

/// A fork's precompiles, each where the routes say.
pub(crate) struct Routed {
    inner: EthPrecompiles,
    routes: Routes,
}

impl Routed {
    pub(crate) fn new(spec: SpecId, routes: &Routes) -> Self {
        Self {
            inner: EthPrecompiles::new(spec),
            routes: routes.clone(),
        }
    }
}

impl<CTX: ContextTr> PrecompileProvider<CTX> for Routed {
    type Output = InterpreterResult;

    fn set_spec(&mut self, spec: <CTX::Cfg as Cfg>::Spec) -> bool {
        PrecompileProvider::<CTX>::set_spec(&mut self.inner, spec)
    }

    fn run(
        &mut self,
        context: &mut CTX,
        inputs: &CallInputs,
    ) -> Result<Option<InterpreterResult>, String> {
        match self.routes.0.get(&inputs.bytecode_address) {
            None => self.inner.run(context, inputs),
            Some(None) => Ok(None),
            Some(Some(precompile)) => {
                let mut inputs = inputs.clone();
                inputs.bytecode_address = *precompile;
                self.inner.run(context, &inputs)
            }
        }
    }

    /// As in geth, those of the fork: what is moved is no dearer to call, and where it went no cheaper.
    fn warm_addresses(&self) -> &AddressSet {
        self.inner.warm_addresses()
    }
}
