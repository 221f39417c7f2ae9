//! What a finalized block means for the machine: the relayers' transactions in it, and what was said of operations of ours, with
//! the proof. Pure, and of verified blocks only.

use alloy_consensus::{
    ReceiptEnvelope, Transaction as _, TxEnvelope, transaction::SignerRecoverable as _,
};
use alloy_eips::eip2718::Decodable2718 as _;
use alloy_primitives::{Address, B256, BloomInput, keccak256};
use alloy_sol_types::SolEvent as _;
use client::VerifiedBlock;
use contracts::{abi::IOperations, operation::Event};
use db::Cursor;
use proof::{Network, Receipt};

use super::{BlockFacts, TransactionFacts, Watch};
use crate::observe::{Proved, Unintelligible, header, verified};

/// Where operations run.
#[derive(Debug, Clone)]
pub struct Place {
    /// The contract that accounts have as their code.
    pub code: Address,
    /// The network, as receipts name it.
    pub network: Network,
}

/// Finds what concerns the machine in a block.
///
/// Most blocks hold nothing of it, so what is dear comes last: receipts are decoded where the header's bloom says that some
/// operation ran, or of a relayer's transaction, and a signer is recovered only where the nonce or the callee says that it
/// may be one.
///
/// # Errors
/// [`Unintelligible`] when a receipt that matters does not decode.
pub fn facts(
    block: &VerifiedBlock,
    place: &Place,
    watch: &Watch,
) -> Result<BlockFacts, Unintelligible> {
    let header = header(block);
    let ran = BloomInput::Raw(IOperations::Executed::SIGNATURE_HASH.as_slice());
    let some_ran = header
        .as_ref()
        .is_none_or(|header| header.logs_bloom.contains_input(ran));
    let base_fee = header.and_then(|header| header.base_fee_per_gas);
    let mut transactions = Vec::new();
    for (index, (raw, encoded)) in block.transactions.iter().zip(&block.receipts).enumerate() {
        let hash = keccak256(raw);
        // A transaction of a type unknown here is not one of ours.
        let transaction = TxEnvelope::decode_2718(&mut raw.as_ref()).ok();
        let sender = transaction.and_then(|transaction| sender(&transaction, hash, place, watch));
        if sender.is_none() && !some_ran {
            continue;
        }
        let receipt = ReceiptEnvelope::decode_2718(&mut encoded.as_ref());
        let receipt = receipt.map_err(|error| Unintelligible {
            height: block.header.number,
            transaction: hash,
            reason: error.to_string(),
        })?;
        let told = told(&receipt, place.code, watch);
        if sender.is_some() || !told.is_empty() {
            transactions.push(TransactionFacts {
                execution: Proved::of_block(block, &place.network, hash, index).execution(),
                sender,
                reverted: !receipt.is_success(),
                told,
            });
        }
    }
    Ok(BlockFacts {
        cursor: Cursor {
            height: block.header.number,
            hash: block.header.hash,
        },
        time: block.header.timestamp,
        base_fee: base_fee.unwrap_or_default().into(),
        transactions,
    })
}

/// What a search brought: a transaction in which operations may have run before this journal began. The node is not believed: the
/// receipt must verify.
///
/// # Errors
/// [`Unintelligible`] when it does not, or is of another network.
pub fn found(
    receipt: &Receipt,
    tx_hash: B256,
    place: &Place,
) -> Result<TransactionFacts, Unintelligible> {
    let (proved, logs) = verified(receipt, tx_hash, &place.network)?;
    let events = (0..).zip(&logs);
    let events = events.filter_map(|(at, log)| Some((at, Event::decode(log, place.code)?)));
    Ok(TransactionFacts {
        execution: proved.execution(),
        sender: None,
        reverted: false,
        told: events.collect(),
    })
}

/// Which relayer sent a transaction, if one did and it is news.
fn sender(
    transaction: &TxEnvelope,
    hash: B256,
    place: &Place,
    watch: &Watch,
) -> Option<(usize, u64)> {
    let nonce = transaction.nonce();
    let relayers = || watch.relayers.iter().enumerate();
    if let Some((relayer, _)) = relayers().find(|(_, (_, watch))| watch.hashes.contains(&hash)) {
        return Some((relayer, nonce));
    }
    let brings = transaction.to() == Some(place.code);
    let may_be = relayers()
        .any(|(_, (_, watch))| nonce >= watch.floor && (brings || watch.nonces.contains(&nonce)));
    if !may_be {
        return None;
    }
    let signer = transaction.recover_signer().ok()?;
    let (relayer, _) = relayers().find(|(_, (account, _))| *account == signer)?;
    Some((relayer, nonce))
}

/// What was said of operations that are not settled, with the positions of the logs.
fn told(receipt: &ReceiptEnvelope, code: Address, watch: &Watch) -> Vec<(u64, Event)> {
    let logs = (0..).zip(receipt.logs());
    let events = logs.filter_map(|(at, log)| Some((at, Event::decode(log, code)?)));
    let known = events.filter(|(_, event)| watch.keys.contains(&key(event)));
    known.collect()
}

const fn key(event: &Event) -> B256 {
    match event {
        Event::Executed { key, .. } | Event::Repeated { key, .. } | Event::Refused { key, .. } => {
            *key
        }
    }
}
