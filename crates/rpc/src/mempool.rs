//! What waits in this node's mempool.

use crate::{
    dispatch::{Reply, reply},
    error::Error,
    method::Api,
    parameter::Params,
    transaction,
};
use alloy_consensus::Transaction as _;
use alloy_primitives::{Address, U64};
use chain::mempool::Standing;
use serde::Serialize;
use serde_json::json;
use std::{collections::BTreeMap, sync::Arc};
use types::Transaction;

/// Waiting transactions by sender and nonce: those that can be executed, and those that wait for an earlier nonce.
#[derive(Debug, Serialize)]
struct Content<T> {
    pending: BTreeMap<String, BTreeMap<u64, T>>,
    queued: BTreeMap<String, BTreeMap<u64, T>>,
}

/// Bytes of JSON that a transaction takes beside its own.
const TRANSACTION_BYTES: usize = 900;

/// `txpool_status`.
pub(crate) async fn status(api: &Api, params: Params<'_>) -> Reply {
    params.end()?;
    let census = api.node.census().await;
    reply(&json!({"pending": U64::from(census.pending), "queued": U64::from(census.queued)}))
}

/// `txpool_content`.
pub(crate) async fn content(api: &Api, params: Params<'_>) -> Reply {
    params.end()?;
    let waiting = waiting(api, None).await?;
    crate::block::offload_always(move || reply(&arranged(&waiting, transaction::Waiting::new)))
        .await
}

/// `txpool_contentFrom`: of one sender.
pub(crate) async fn content_from(api: &Api, mut params: Params<'_>) -> Reply {
    let sender: Address = params.required()?;
    params.end()?;
    let waiting = waiting(api, Some(sender)).await?;
    crate::block::offload_always(move || {
        let Content { pending, queued } = arranged(&waiting, transaction::Waiting::new);
        // There is one sender, so its name is left out.
        let of = |all: BTreeMap<_, _>| all.into_values().next().unwrap_or_default();
        reply(&json!({"pending": of(pending), "queued": of(queued)}))
    })
    .await
}

/// `txpool_inspect`: each in a line.
pub(crate) async fn inspect(api: &Api, params: Params<'_>) -> Reply {
    params.end()?;
    let waiting = waiting(api, None).await?;
    crate::block::offload_always(move || reply(&arranged(&waiting, summary))).await
}

type Waiting = Vec<(Standing, Arc<Transaction>)>;

async fn waiting(api: &Api, sender: Option<Address>) -> Result<Waiting, Error> {
    let waiting = api.node.content(sender).await;
    let most = api.limits.response_bytes_max;
    let bytes = waiting
        .iter()
        .map(|(_, each)| each.raw().len() * 2 + TRANSACTION_BYTES);
    if bytes.sum::<usize>() > most {
        return Err(Error::ResponseTooLarge(most));
    }
    Ok(waiting)
}

fn arranged<T>(waiting: &Waiting, make: impl Fn(&Transaction) -> T) -> Content<T> {
    let mut content = Content {
        pending: BTreeMap::new(),
        queued: BTreeMap::new(),
    };
    for (standing, transaction) in waiting {
        let part = match standing {
            Standing::Queued => &mut content.queued,
            _ => &mut content.pending,
        };
        let sender = part.entry(transaction.signer().to_string()).or_default();
        sender.insert(transaction.envelope().nonce(), make(transaction));
    }
    content
}

/// geth's line.
fn summary(transaction: &Transaction) -> String {
    let envelope = transaction.envelope();
    let to = envelope
        .to()
        .map_or_else(|| "contract creation".to_owned(), |to| to.to_string());
    format!(
        "{to}: {} wei + {} gas × {} wei",
        envelope.value(),
        envelope.gas_limit(),
        envelope.max_fee_per_gas()
    )
}
