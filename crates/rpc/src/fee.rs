//! What gas costs.

use crate::{
    block,
    dispatch::{Reply, reply},
    error::Error,
    method::Api,
    parameter::Params,
};
use alloy_consensus::Transaction as _;
use alloy_eips::BlockNumberOrTag;
use alloy_primitives::{U128, U256};
use alloy_rpc_types_eth::{FeeHistory, Index};
use chain::{Finalized, Node};
use types::Fees;

/// Blocks in one answer of `eth_feeHistory`, as in geth.
const HISTORY_MAX: u64 = 1024;
/// Blocks when their transactions must be looked at: those at hand in memory.
const REWARD_HISTORY_MAX: u64 = 128;
/// Percentiles of one question, as in geth.
const PERCENTILES_MAX: usize = 100;
/// Final blocks whose tips make up a suggestion.
const TIP_BLOCKS: u64 = 20;
/// No blobs on this chain: their fee stays at its minimum of one wei.
const BLOB_BASE_FEE: u128 = 1;

/// `eth_gasPrice`: what a legacy transaction should pay for the next block.
pub(crate) async fn gas_price(api: &Api, params: Params<'_>) -> Reply {
    params.end()?;
    let base_fee = next_base_fee(&api.node, &api.node.latest());
    reply(&U256::from(
        u128::from(base_fee).saturating_add(suggested_tip(&api.node).await),
    ))
}

/// `eth_maxPriorityFeePerGas`.
pub(crate) async fn tip(api: &Api, params: Params<'_>) -> Reply {
    params.end()?;
    reply(&U256::from(suggested_tip(&api.node).await))
}

/// `eth_baseFee`: that of the next block.
pub(crate) fn base_fee(api: &Api, params: &Params<'_>) -> Reply {
    params.end()?;
    reply(&U256::from(next_base_fee(&api.node, &api.node.latest())))
}

/// `eth_blobBaseFee`.
pub(crate) fn blob_base_fee(params: &Params<'_>) -> Reply {
    params.end()?;
    reply(&U128::from(BLOB_BASE_FEE))
}

/// The base fee of the block after this one, in wei.
pub(crate) fn next_base_fee(node: &Node, block: &Finalized) -> u64 {
    node.spec().fees.next_base_fee(block.block.header())
}

/// Nothing where gas is free; else the median of what was paid lately.
pub(crate) async fn suggested_tip(node: &Node) -> u128 {
    if node.spec().fees == Fees::Free {
        return 0;
    }
    let head = node.latest().number();
    let mut tips = Vec::new();
    for number in head.saturating_sub(TIP_BLOCKS - 1)..=head {
        let Some(block) = node.block(number).await else {
            continue;
        };
        tips.extend(gas_by_tip(&block).into_iter().map(|(tip, _)| tip));
    }
    tips.sort_unstable();
    tips.get(tips.len() / 2).copied().unwrap_or_default()
}

/// Tip and gas used of each transaction.
fn gas_by_tip(block: &Finalized) -> Vec<(u128, u64)> {
    let base_fee = block.block.header().base_fee_per_gas.unwrap_or_default();
    let mut before = 0;
    let mut gas = Vec::with_capacity(block.transactions.len());
    for (transaction, receipt) in block.transactions.iter().zip(&block.receipts) {
        let cumulative = receipt.cumulative_gas_used();
        let tip = transaction
            .envelope()
            .effective_tip_per_gas(base_fee)
            .unwrap_or_default();
        gas.push((tip, cumulative.saturating_sub(before)));
        before = cumulative;
    }
    gas
}

/// `eth_feeHistory`.
pub(crate) async fn history(api: &Api, mut params: Params<'_>) -> Reply {
    let Index(count) = params.required()?;
    let newest: BlockNumberOrTag = params.required()?;
    let percentiles: Vec<f64> = params.optional()?.unwrap_or_default();
    params.end()?;
    check_percentiles(&percentiles)?;
    let node = &api.node;
    let newest = block::resolve(node, newest);
    let head = node.latest().number();
    if newest > head {
        return Err(Error::Failed(format!(
            "request beyond head block: requested {newest}, head {head}"
        )));
    }
    let most = if percentiles.is_empty() {
        HISTORY_MAX
    } else {
        REWARD_HISTORY_MAX
    };
    let count = (count as u64).min(most).min(newest + 1);
    let mut history = FeeHistory {
        oldest_block: newest + 1 - count,
        ..FeeHistory::default()
    };
    if count == 0 {
        history.oldest_block = 0;
        return reply(&history);
    }
    let mut rewards = Vec::new();
    for number in history.oldest_block..=newest {
        let absent = || Error::Failed(format!("block {number} is not available on this node"));
        let body = block::body(node, number).await?.ok_or_else(absent)?;
        let header = body.header();
        if !percentiles.is_empty() {
            let block = block::numbered(node, number).await?.ok_or_else(absent)?;
            rewards.push(rewards_at(gas_by_tip(&block), &percentiles));
        }
        history
            .base_fee_per_gas
            .push(header.base_fee_per_gas.unwrap_or_default().into());
        history
            .gas_used_ratio
            .push(header.gas_used as f64 / header.gas_limit as f64);
        history.base_fee_per_blob_gas.push(BLOB_BASE_FEE);
        history.blob_gas_used_ratio.push(0.0);
        if number == newest {
            let next = node.spec().fees.next_base_fee(header);
            history.base_fee_per_gas.push(next.into());
            history.base_fee_per_blob_gas.push(BLOB_BASE_FEE);
        }
    }
    history.reward = (!percentiles.is_empty()).then_some(rewards);
    reply(&history)
}

fn check_percentiles(percentiles: &[f64]) -> Result<(), Error> {
    let invalid = |what: String| Err(Error::Failed(format!("invalid reward percentile: {what}")));
    if percentiles.len() > PERCENTILES_MAX {
        return invalid(format!("over the query limit {PERCENTILES_MAX}"));
    }
    if let Some(outside) = percentiles
        .iter()
        .find(|each| !(0.0..=100.0).contains(*each))
    {
        return invalid(outside.to_string());
    }
    match percentiles.windows(2).find(|pair| pair[0] > pair[1]) {
        Some(pair) => invalid(format!("{} after {}", pair[1], pair[0])),
        None => Ok(()),
    }
}

/// The tips below which these parts of a block's gas were paid.
fn rewards_at(mut gas: Vec<(u128, u64)>, percentiles: &[f64]) -> Vec<u128> {
    gas.sort_unstable();
    let total: u64 = gas.iter().map(|(_, used)| used).sum();
    let at = |percentile: &f64| {
        let threshold = (total as f64 * percentile / 100.0) as u64;
        let mut sum = 0;
        let reached = gas.iter().find(|(_, used)| {
            sum += used;
            sum >= threshold
        });
        reached.map_or(0, |(tip, _)| *tip)
    };
    percentiles.iter().map(at).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rewards_are_weighed_by_gas() {
        let gas = vec![(30, 21_000), (10, 21_000), (20, 958_000)];
        assert_eq!(
            rewards_at(gas.clone(), &[0.0, 1.0, 50.0, 98.0, 100.0]),
            [10, 10, 20, 30, 30]
        );
        assert_eq!(rewards_at(Vec::new(), &[0.0, 100.0]), [0, 0]);
        assert!(rewards_at(gas, &[]).is_empty());
    }

    #[test]
    fn percentiles_ascend_from_0_to_100() {
        assert!(check_percentiles(&[]).is_ok());
        assert!(check_percentiles(&[0.0, 20.5, 20.5, 100.0]).is_ok());
        for (bad, why) in [
            (vec![20.0, 10.0], "invalid reward percentile: 10 after 20"),
            (vec![-1.0], "invalid reward percentile: -1"),
            (vec![100.1], "invalid reward percentile: 100.1"),
            (
                vec![1.0; 101],
                "invalid reward percentile: over the query limit 100",
            ),
        ] {
            assert_eq!(check_percentiles(&bad), Err(Error::Failed(why.to_owned())));
        }
    }
}
