//! Transaction receipts as Ethereum has them. (Our portable receipt is in [`crate::finality`].)

use crate::{
    block,
    dispatch::{Reply, reply},
    log,
    method::Api,
    parameter::Params,
};
use alloy_consensus::Transaction as _;
use alloy_eips::BlockId;
use alloy_primitives::B256;
use alloy_rpc_types_eth::TransactionReceipt;
use chain::Finalized;

/// `eth_getTransactionReceipt`: null until the transaction is final.
pub(crate) async fn by_hash(api: &Api, mut params: Params<'_>) -> Reply {
    let hash: B256 = params.required()?;
    params.end()?;
    let found = api.node.transaction(hash).await;
    reply(&found.and_then(|(block, index)| in_block(&block, index)))
}

/// `eth_getBlockReceipts`.
pub(crate) async fn of_block(api: &Api, mut params: Params<'_>) -> Reply {
    let id: BlockId = params.required()?;
    params.end()?;
    match block::find(&api.node, id).await? {
        Some(block) => block::offload(block.receipts.len(), move || reply(&all(&block))).await,
        None => reply(&()),
    }
}

fn all(block: &Finalized) -> Vec<TransactionReceipt> {
    let mut walk = Walk::default();
    (0..block.receipts.len())
        .filter_map(|index| walk.next(block, index))
        .collect()
}

/// The transaction receipt at an index.
pub(crate) fn in_block(block: &Finalized, index: usize) -> Option<TransactionReceipt> {
    let earlier = block.receipts.get(..index)?;
    let mut walk = Walk {
        gas_used: earlier
            .last()
            .map_or(0, |receipt| receipt.cumulative_gas_used()),
        logs: earlier
            .iter()
            .map(|receipt| receipt.logs().len() as u64)
            .sum(),
    };
    walk.next(block, index)
}

/// What the receipts before one sum up to.
#[derive(Default)]
struct Walk {
    gas_used: u64,
    logs: u64,
}

impl Walk {
    fn next(&mut self, block: &Finalized, index: usize) -> Option<TransactionReceipt> {
        let receipt = block.receipts.get(index)?;
        let transaction = block.transactions.get(index)?;
        let envelope = transaction.envelope();
        let header = block.block.header();
        let place = log::Place::new(&block.block, block.hash, transaction.hash(), index);
        let logs = &mut self.logs;
        let inner = receipt.clone().map_logs(|log| {
            let log = place.log(log, *logs);
            *logs += 1;
            log
        });
        let cumulative = receipt.cumulative_gas_used();
        let gas_used = cumulative.saturating_sub(self.gas_used);
        self.gas_used = cumulative;
        Some(TransactionReceipt {
            inner,
            transaction_hash: transaction.hash(),
            transaction_index: Some(index as u64),
            block_hash: Some(block.hash),
            block_number: Some(header.number),
            gas_used,
            effective_gas_price: envelope.effective_gas_price(header.base_fee_per_gas),
            blob_gas_used: None,
            blob_gas_price: None,
            from: transaction.signer(),
            to: envelope.to(),
            contract_address: envelope
                .kind()
                .is_create()
                .then(|| transaction.signer().create(envelope.nonce())),
        })
    }
}
