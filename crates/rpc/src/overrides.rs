//! Overrides of state and block, as calls bring them.

use crate::error::Error;
use alloy_primitives::{B256, U256, map::B256HashMap};
use alloy_rpc_types_eth::{
    BlockOverrides,
    state::{AccountOverride, StateOverride},
};
use chain::Node;
use evm::{AccountChange, BlockChange, Overrides, Simulation, StorageChange};
use std::collections::BTreeMap;

/// What a call sees instead of what is.
#[derive(Clone, Debug, Default)]
pub(crate) struct Setting {
    pub block: BlockChange,
    pub state: Overrides,
}

impl Setting {
    /// Takes the overrides of a request after the block at `at`, or after the last one.
    pub(crate) fn new(
        node: &Node,
        at: Option<u64>,
        state: Option<StateOverride>,
        block: Option<BlockOverrides>,
    ) -> Result<Self, Error> {
        let block = block.unwrap_or_default();
        if block.beacon_root.is_some() {
            return Err(Error::Failed(
                r#"block override "beaconRoot" is not supported for this RPC method"#.to_owned(),
            ));
        }
        Ok(Self {
            block: block_change(block)?,
            state: state_overrides(node, at, state)?,
        })
    }

    /// The simulation with everything overridden.
    pub(crate) fn on(self, mut simulation: Simulation) -> Simulation {
        simulation.change(&self.block);
        simulation.override_state(self.state);
        simulation
    }
}

/// A block's fields as the EVM takes them. A difficulty is accepted and without effect: there is none since the merge.
pub(crate) fn block_change(block: BlockOverrides) -> Result<BlockChange, Error> {
    Ok(BlockChange {
        number: block
            .number
            .map(|number| narrow("number", number))
            .transpose()?,
        timestamp: block.time,
        gas_limit: block.gas_limit,
        beneficiary: block.coinbase,
        prev_randao: block.random,
        base_fee: block
            .base_fee
            .map(|fee| narrow("baseFeePerGas", fee))
            .transpose()?,
        blob_base_fee: block
            .blob_base_fee
            .map(|fee| narrow("blobBaseFee", fee))
            .transpose()?,
        hashes: block.block_hash.unwrap_or_default(),
    })
}

/// A number that Ethereum leaves unbounded and that is bounded here.
fn narrow<T: TryFrom<U256>>(name: &str, value: U256) -> Result<T, Error> {
    value
        .try_into()
        .map_err(|_| Error::InvalidParams(format!("block override {name} is too large: {value}")))
}

/// Changes of the state after the block at `at`, or after the last one, as the EVM takes them.
pub(crate) fn state_overrides(
    node: &Node,
    at: Option<u64>,
    state: Option<StateOverride>,
) -> Result<Overrides, Error> {
    // In order of their addresses, so that the same request always has the same answer.
    let state: BTreeMap<_, _> = state.unwrap_or_default().into_iter().collect();
    let mut changes = Vec::with_capacity(state.len());
    for (address, change) in state {
        let AccountOverride {
            balance,
            nonce,
            code,
            state,
            state_diff,
            move_precompile_to,
        } = change;
        let storage = match (state, state_diff) {
            (Some(_), Some(_)) => {
                return Err(Error::Failed(format!(
                    "account {address} has both 'state' and 'stateDiff'"
                )));
            }
            (Some(all), None) => StorageChange::All(slots(all)),
            (None, Some(some)) => StorageChange::Some(slots(some)),
            (None, None) => StorageChange::Unchanged,
        };
        changes.push(AccountChange {
            address,
            balance,
            nonce,
            code,
            storage,
            precompile_to: move_precompile_to,
        });
    }
    let fork = node
        .upgrades()
        .fork_at(at.unwrap_or_else(|| node.latest().number()));
    Overrides::new(fork, changes).map_err(|error| Error::Failed(error.to_string()))
}

fn slots(slots: B256HashMap<B256>) -> BTreeMap<U256, U256> {
    slots
        .into_iter()
        .map(|(slot, value)| (slot.into(), value.into()))
        .collect()
}
