//! Final blocks executed once more, under a tracer.

use crate::{account, error::Error, method::Api, overrides::Setting};
use alloy_eips::{BlockId, BlockNumberOrTag};
use alloy_primitives::B256;
use chain::Finalized;
use evm::{Act, Action, Call, Script, ScriptLimits, TraceError, Traced, Tracer};
use std::sync::Arc;

/// Which transactions of a block are watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Watched {
    All,
    One(usize),
}

/// Executes transactions of a block once more, on the state before them.
pub(crate) async fn block(
    api: &Api,
    block: &Finalized,
    watched: Watched,
    tracer: Tracer,
) -> Result<Vec<Traced>, Error> {
    if block.transactions.is_empty() {
        return Ok(Vec::new());
    }
    let parent = block
        .number()
        .checked_sub(1)
        .ok_or_else(|| Error::Failed("genesis is not traceable".to_owned()))?;
    let parent = BlockId::Number(BlockNumberOrTag::Number(parent));
    let at = account::state_at(&api.node, Some(parent)).await?;
    let count = match watched {
        Watched::All => block.transactions.len(),
        Watched::One(index) => index.saturating_add(1),
    };
    let transactions = block.transactions.iter().enumerate().take(count);
    let acts = transactions.map(|(index, transaction)| Act {
        action: Action::Transaction(Arc::clone(transaction)),
        tracer: (watched == Watched::All || watched == Watched::One(index)).then(|| tracer.clone()),
        place: Some((block.hash, index)),
    });
    let acts = acts.collect();
    let environment = api.node.environment_of(&block.block);
    let limits = limits(api);
    let traced = api.ask_long(at, move |ground| {
        let mut simulation = ground.simulation_in(environment.clone());
        simulation.begin(environment);
        Script::new(simulation, acts, limits, ground.interrupt)
    });
    traced.await?.map_err(|error| match error {
        // It was executed before.
        TraceError::Invalid { reason, .. } => Error::Internal(reason.to_string()),
        other => other.into(),
    })
}

/// The one transaction at `index` of a block.
pub(crate) async fn transaction(
    api: &Api,
    of: &Finalized,
    index: usize,
    tracer: Tracer,
) -> Result<Traced, Error> {
    let mut traced = block(api, of, Watched::One(index), tracer).await?;
    let missing = || Error::Internal("a trace is missing".to_owned());
    traced.pop().ok_or_else(missing)
}

/// The final transaction with this hash.
pub(crate) async fn by_hash(api: &Api, hash: B256, tracer: Tracer) -> Result<Traced, Error> {
    let found = api.node.transaction(hash).await;
    let (block, index) = found.ok_or_else(|| Error::Failed("transaction not found".to_owned()))?;
    transaction(api, &block, index, tracer).await
}

/// Executes calls one after the other in a block, on the state after it.
pub(crate) async fn calls(
    api: &Api,
    at: Option<u64>,
    setting: Setting,
    calls: Vec<(Call, Tracer)>,
) -> Result<Vec<Traced>, Error> {
    let acts = calls.into_iter().map(|(call, tracer)| Act {
        action: Action::Call(Box::new(call)),
        tracer: Some(tracer),
        place: None,
    });
    let acts = acts.collect();
    let limits = limits(api);
    let traced = api.ask_long(at, move |ground| {
        let simulation = setting.on(ground.simulation());
        Script::new(simulation, acts, limits, ground.interrupt)
    });
    Ok(traced.await??)
}

/// Executes a transaction that is in no block in the next one.
pub(crate) async fn raw(
    api: &Api,
    transaction: types::Transaction,
    tracer: Tracer,
) -> Result<Traced, Error> {
    let act = Act {
        action: Action::Transaction(Arc::new(transaction)),
        tracer: Some(tracer),
        place: None,
    };
    let limits = limits(api);
    let traced = api.ask_long(None, move |ground| {
        let simulation = ground.simulation_in(ground.next());
        Script::new(simulation, vec![act], limits, ground.interrupt)
    });
    let missing = || Error::Internal("a trace is missing".to_owned());
    traced.await??.pop().ok_or_else(missing)
}

const fn limits(api: &Api) -> ScriptLimits {
    ScriptLimits {
        gas_max: api.limits.call_gas_max,
        bytes_max: api.limits.trace_bytes_max,
    }
}
