//! Filters that clients without a WebSocket poll: new logs, new blocks, new transactions.

use crate::{
    dispatch::{Reply, reply},
    error::Error,
    log::{self, Found, Search},
    method::Api,
    parameter::Params,
};
use alloy_eips::BlockNumberOrTag;
use alloy_primitives::{B256, U128};
use alloy_rpc_types_eth::{Filter, FilterBlockOption};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::time::Instant;

/// A filter that nobody polled for this long is forgotten, as in geth.
const LIFETIME: Duration = Duration::from_secs(5 * 60);
/// Blocks of which one poll tells; the next poll goes on from there.
const POLL_BLOCKS_MAX: u64 = 10_000;

/// `eth_newFilter`.
pub(crate) fn new_log(api: &Api, mut params: Params<'_>) -> Reply {
    let filter: Filter = params.required()?;
    params.end()?;
    Search::new(&filter, 0..=0)?;
    let mut next = api.node.latest().number().saturating_add(1);
    match filter.block_option {
        FilterBlockOption::AtBlockHash(_) => {
            return Err(Error::InvalidParams(
                "a filter for one block has no changes; use eth_getLogs".to_owned(),
            ));
        }
        FilterBlockOption::Range {
            from_block: Some(BlockNumberOrTag::Number(from)),
            ..
        } => {
            next = next.max(from);
        }
        FilterBlockOption::Range { .. } => {}
    }
    install(api, Kind::Logs(Box::new(filter)), next)
}

/// `eth_newBlockFilter`.
pub(crate) fn new_block(api: &Api, params: &Params<'_>) -> Reply {
    params.end()?;
    install(
        api,
        Kind::Blocks,
        api.node.latest().number().saturating_add(1),
    )
}

/// `eth_newPendingTransactionFilter`: hashes of what enters this node's mempool.
pub(crate) fn new_pending(api: &Api, params: &Params<'_>) -> Reply {
    params.end()?;
    install(api, Kind::Pending, api.node.arrivals().next())
}

fn install(api: &Api, kind: Kind, next: u64) -> Reply {
    let id = api.filters.insert(Instant::now(), kind, next)?;
    reply(&U128::from(id))
}

/// `eth_getFilterChanges`: what became final since it was asked last.
pub(crate) async fn changes(api: &Api, mut params: Params<'_>) -> Reply {
    let id: U128 = params.required()?;
    params.end()?;
    let installed = api
        .filters
        .touch(Instant::now(), id.to())
        .ok_or(Error::NoFilter)?;
    // Held while the blocks are read, so that two polls at once do not tell the same twice.
    let mut next = installed.next.lock().await;
    let head = api.node.latest().number();
    let last = head.min(next.saturating_add(POLL_BLOCKS_MAX - 1));
    match &installed.kind {
        Kind::Blocks => {
            let mut hashes: Vec<B256> = Vec::new();
            for number in *next..=last {
                let block = api.node.body(number).await;
                hashes.extend(block.map(|block| block.hash()));
            }
            *next = last.saturating_add(1).max(*next);
            reply(&hashes)
        }
        Kind::Pending => {
            let (hashes, after) = api.node.arrivals().since(*next);
            *next = after;
            reply(&hashes)
        }
        Kind::Logs(filter) => {
            let (found, after) = log_changes(api, filter, *next, last).await?;
            let answer = found.reply().await?;
            *next = after;
            Ok(answer)
        }
    }
}

/// The logs of as many blocks as one answer may hold, and the block after them. One block is always
/// told of, however many logs it has: a block's gas bounds them.
async fn log_changes(
    api: &Api,
    filter: &Filter,
    next: u64,
    last: u64,
) -> Result<(Found, u64), Error> {
    let last = last.min(last_wanted(filter));
    let mut found = Found::default();
    if next > last {
        return Ok((found, next));
    }
    let mut search = Search::new(filter, next..=last)?;
    while let Some(page) = search.next(&api.node).await? {
        found.extend(page.logs);
        if found.within(&api.limits).is_ok() {
            continue;
        }
        // The last block may not be here whole: it is told of next time, unless it is the only one.
        let newest = found.logs.last().and_then(|log| log.block_number);
        let before = found.logs.partition_point(|log| log.block_number < newest);
        if before > 0 {
            found.logs.truncate(before);
            return Ok((found, newest.unwrap_or(next)));
        }
    }
    Ok((found, last.saturating_add(1)))
}

/// The last block a log filter is for.
fn last_wanted(filter: &Filter) -> u64 {
    match filter.block_option {
        FilterBlockOption::Range {
            to_block: Some(BlockNumberOrTag::Number(to)),
            ..
        } => to,
        FilterBlockOption::Range {
            to_block: Some(BlockNumberOrTag::Earliest),
            ..
        } => 0,
        _ => u64::MAX,
    }
}

/// `eth_getFilterLogs`: all logs of a filter's range, told before or not.
pub(crate) async fn logs(api: &Api, mut params: Params<'_>) -> Reply {
    let id: U128 = params.required()?;
    params.end()?;
    let installed = api
        .filters
        .touch(Instant::now(), id.to())
        .ok_or(Error::NoFilter)?;
    match &installed.kind {
        Kind::Logs(filter) => log::query(&api.node, filter, &api.limits).await,
        Kind::Blocks | Kind::Pending => Err(Error::NoFilter),
    }
}

/// `eth_uninstallFilter`.
pub(crate) fn uninstall(api: &Api, mut params: Params<'_>) -> Reply {
    let id: U128 = params.required()?;
    params.end()?;
    reply(&api.filters.remove(Instant::now(), id.to()))
}

/// What a filter is for.
#[derive(Debug)]
pub(crate) enum Kind {
    Logs(Box<Filter>),
    Blocks,
    Pending,
}

/// An installed filter.
#[derive(Debug)]
pub(crate) struct Installed {
    kind: Kind,
    /// The first block, or arrival in the mempool, not told of yet.
    next: tokio::sync::Mutex<u64>,
}

/// The filters of a node's clients: at most `most`, each forgotten when nobody polls it. Ids are
/// random, so that a client cannot take another's changes.
#[derive(Debug)]
pub(crate) struct Filters {
    most: usize,
    table: Mutex<HashMap<u128, (Instant, Arc<Installed>)>>,
}

impl Filters {
    pub(crate) fn new(most: usize) -> Self {
        Self {
            most,
            table: Mutex::default(),
        }
    }

    fn insert(&self, now: Instant, kind: Kind, next: u64) -> Result<u128, Error> {
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        if table.len() >= self.most {
            table.retain(|_, (used, _)| !expired(now, *used));
        }
        if table.len() >= self.most {
            return Err(Error::Limit(format!(
                "too many filters: {} are installed; uninstall some, or subscribe over a WebSocket",
                self.most
            )));
        }
        let id = rand::random();
        table.insert(
            id,
            (
                now,
                Arc::new(Installed {
                    kind,
                    next: next.into(),
                }),
            ),
        );
        Ok(id)
    }

    fn touch(&self, now: Instant, id: u128) -> Option<Arc<Installed>> {
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        let (used, installed) = table.get_mut(&id)?;
        if expired(now, *used) {
            table.remove(&id);
            return None;
        }
        *used = now;
        Some(Arc::clone(installed))
    }

    fn remove(&self, now: Instant, id: u128) -> bool {
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        table
            .remove(&id)
            .is_some_and(|(used, _)| !expired(now, used))
    }
}

fn expired(now: Instant, used: Instant) -> bool {
    now.duration_since(used) > LIFETIME
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_are_bounded_and_forgotten() {
        let start = Instant::now();
        let filters = Filters::new(2);
        let first = filters.insert(start, Kind::Blocks, 1).unwrap();
        let second = filters.insert(start, Kind::Blocks, 1).unwrap();
        assert_ne!(first, second);
        assert!(matches!(
            filters.insert(start, Kind::Blocks, 1),
            Err(Error::Limit(_))
        ));

        // One that is polled stays, the other makes room.
        let later = start + LIFETIME;
        assert!(filters.touch(later, first).is_some());
        let much_later = start + LIFETIME + Duration::from_secs(1);
        let third = filters.insert(much_later, Kind::Blocks, 1).unwrap();
        assert!(filters.touch(much_later, second).is_none());
        assert!(filters.touch(much_later, first).is_some());

        assert!(filters.remove(much_later, third));
        assert!(!filters.remove(much_later, third));
        assert!(filters.touch(much_later, third).is_none());
    }

    #[test]
    fn one_forgotten_is_gone_before_room_is_needed() {
        let start = Instant::now();
        let filters = Filters::new(2);
        let id = filters.insert(start, Kind::Blocks, 1).unwrap();
        assert!(
            filters
                .touch(start + LIFETIME + Duration::from_secs(1), id)
                .is_none()
        );
        let id = filters.insert(start, Kind::Blocks, 1).unwrap();
        assert!(!filters.remove(start + LIFETIME + Duration::from_secs(1), id));
    }
}
