//! What a finalized block means for the machine: our account's transactions in it, and what became of each record in
//! them, with the proof. Pure, and of verified blocks only.

use std::collections::BTreeSet;

use alloy_consensus::{
    Header, ReceiptEnvelope, Transaction as _, TxEnvelope, transaction::SignerRecoverable as _,
};
use alloy_eips::eip2718::Decodable2718 as _;
use alloy_primitives::{Address, B256, Log, LogData, keccak256};
use alloy_sol_types::SolCall as _;
use client::VerifiedBlock;
use contracts::{
    Event, IRecords::recordCall, RECORDS_ADDRESS, Recorded, leaf, node, organization_of, record_id,
};
use db::{Anchor, Cursor, Execution};
use proof::{Inclusion, Network, Receipt, build, inclusion::verify_inclusion};

/// Who records, and where.
#[derive(Debug, Clone)]
pub struct Relayer {
    /// The account that sends batches.
    pub account: Address,
    /// The network, as receipts name it.
    pub network: Network,
}

impl Relayer {
    /// The organization under which the account's records are claimed.
    pub fn organization(&self) -> B256 {
        organization_of(self.account)
    }
}

/// What the machine looks out for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Watch {
    /// Every lower nonce of the account is known to be used.
    pub floor: u64,
    /// Nonces of transactions in flight.
    pub nonces: BTreeSet<u64>,
    /// Hashes of transactions in flight.
    pub hashes: BTreeSet<B256>,
}

/// A finalized block, as far as it concerns the machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlockFacts {
    /// Which block.
    pub cursor: Cursor,
    /// Its base fee per gas.
    pub base_fee: u128,
    /// Transactions of our account, in order.
    pub transactions: Vec<TxFacts>,
}

/// A finalized transaction of our account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TxFacts {
    /// Its hash.
    pub hash: B256,
    /// Its nonce.
    pub nonce: u64,
    /// What it did.
    pub outcome: Outcome,
}

/// What a transaction did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing: it reverted.
    Reverted,
    /// Something else than recording.
    Other,
    /// It recorded.
    Recorded(Recording),
}

/// A call of `Records`, entry by entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recording {
    /// The proof shared by the entries that were claimed; none if none was.
    pub anchor: Option<Anchor>,
    /// The entries, in the order of the call.
    pub entries: Vec<EntryFacts>,
}

/// What became of one entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntryFacts {
    /// The record's id.
    pub id: B256,
    /// The commitment in the call.
    pub commitment: B256,
    /// What became of it.
    pub fate: Fate,
}

/// What became of an entry of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// Claimed by this call; the leaf's index and its Merkle path.
    Claimed(u64, Vec<B256>),
    /// Claimed before, with this commitment.
    Earlier,
    /// Claimed before, with that other commitment.
    Conflict(B256),
}

/// A verified block that does not mean anything: the chain, or this code, breaks a rule of the system.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("transaction {transaction} of block {height} cannot be understood: {reason}")]
pub struct Unintelligible {
    /// The height of the block.
    pub height: u64,
    /// The transaction.
    pub transaction: B256,
    /// What is wrong.
    pub reason: String,
}

/// Finds our account's transactions in `block` and what they did.
///
/// Recovering a signer costs a tenth of a millisecond, so it is done only where it can matter: for calls of
/// `Records`, and for the nonces in flight.
pub fn observe(
    block: &VerifiedBlock,
    relayer: &Relayer,
    watch: &Watch,
) -> Result<BlockFacts, Unintelligible> {
    let mut transactions = Vec::new();
    for (index, (raw, encoded_receipt)) in
        block.transactions.iter().zip(&block.receipts).enumerate()
    {
        let hash = keccak256(raw);
        // A transaction of a type unknown here is not one of ours.
        let Ok(transaction) = TxEnvelope::decode_2718(&mut raw.as_ref()) else {
            continue;
        };
        if !watch.hashes.contains(&hash) && !is_ours(&transaction, relayer, watch) {
            continue;
        }
        let unintelligible = |reason: String| Unintelligible {
            height: block.header.number,
            transaction: hash,
            reason,
        };
        let receipt = ReceiptEnvelope::decode_2718(&mut encoded_receipt.as_ref())
            .map_err(|error| unintelligible(error.to_string()))?;
        let outcome = if !receipt.is_success() {
            Outcome::Reverted
        } else if transaction.to() == Some(RECORDS_ADDRESS) {
            let proved = || Proved::of_block(block, &relayer.network, hash, index);
            recording(transaction.input(), receipt.logs(), relayer, proved)
                .map_err(unintelligible)?
                .map_or(Outcome::Other, Outcome::Recorded)
        } else {
            Outcome::Other
        };
        transactions.push(TxFacts {
            hash,
            nonce: transaction.nonce(),
            outcome,
        });
    }
    Ok(BlockFacts {
        cursor: Cursor {
            height: block.header.number,
            hash: block.header.hash,
        },
        base_fee: header(block)
            .and_then(|header| header.base_fee_per_gas)
            .unwrap_or_default()
            .into(),
        transactions,
    })
}

fn is_ours(transaction: &TxEnvelope, relayer: &Relayer, watch: &Watch) -> bool {
    let nonce = transaction.nonce();
    let matters = transaction.to() == Some(RECORDS_ADDRESS) || watch.nonces.contains(&nonce);
    nonce >= watch.floor
        && matters
        && transaction
            .recover_signer()
            .is_ok_and(|signer| signer == relayer.account)
}

/// The header with all its fields.
pub(crate) fn header(block: &VerifiedBlock) -> Option<Header> {
    let rlp = block.headers.first()?;
    alloy_rlp::decode_exact(rlp).ok()
}

/// What a search brought: a transaction that may have claimed records of ours before this journal began. The node is
/// not believed: the receipt must verify, and the leaves of `input` must have the root in its log.
pub fn found(
    receipt: &Receipt,
    tx_hash: B256,
    input: &[u8],
    relayer: &Relayer,
) -> Result<Recording, Unintelligible> {
    let (proved, logs) = verified(receipt, tx_hash, &relayer.network)?;
    let height = proved.height;
    let unintelligible = move |reason: String| Unintelligible {
        height,
        transaction: tx_hash,
        reason,
    };
    recording(input, &logs, relayer, || proved)
        .map_err(unintelligible)?
        .ok_or_else(|| unintelligible("it is no call of record".to_owned()))
}

/// A transaction with its logs, by a receipt of it that a node gave and that must verify.
pub(crate) fn verified(
    receipt: &Receipt,
    tx_hash: B256,
    network: &Network,
) -> Result<(Proved, Vec<Log>), Unintelligible> {
    let unintelligible = |reason: String| Unintelligible {
        height: 0,
        transaction: tx_hash,
        reason,
    };
    if receipt.network != *network {
        return Err(unintelligible(
            "its receipt is of another network".to_owned(),
        ));
    }
    let verdict = proof::verify(receipt, Some(&network.identity))
        .map_err(|failure| unintelligible(failure.to_string()))?;
    let (block, _) = proof::verify_headers(&receipt.headers)
        .map_err(|error| unintelligible(error.to_string()))?;
    let effect = verify_inclusion(
        &block.receipts_root,
        receipt.inclusion.transaction_index,
        &receipt.inclusion.proof,
    )
    .map_err(|error| unintelligible(error.to_string()))?;
    let logs = effect.logs.into_iter().map(|log| Log {
        address: log.address,
        data: LogData::new_unchecked(log.topics, log.data),
    });
    let proved = Proved {
        tx_hash,
        height: verdict.block.height,
        block_hash: verdict.block.hash,
        timestamp: verdict.block.timestamp,
        receipt: Receipt {
            record: None,
            ..receipt.clone()
        },
    };
    Ok((proved, logs.collect()))
}

/// A transaction receipt with what proves it.
pub(crate) struct Proved {
    tx_hash: B256,
    height: u64,
    block_hash: B256,
    timestamp: u64,
    receipt: Receipt,
}

impl Proved {
    pub(crate) fn of_block(
        block: &VerifiedBlock,
        network: &Network,
        tx_hash: B256,
        index: usize,
    ) -> Self {
        let proof = build::inclusion_proof(&block.receipts, index).unwrap_or_default();
        Self {
            tx_hash,
            height: block.header.number,
            block_hash: block.header.hash,
            timestamp: block.header.timestamp,
            receipt: Receipt {
                network: network.clone(),
                finalization: block.finalization.clone(),
                headers: block.headers.clone(),
                inclusion: Inclusion {
                    transaction_index: index as u64,
                    proof,
                },
                record: None,
            },
        }
    }

    pub(crate) fn execution(self) -> Execution {
        Execution {
            tx_hash: self.tx_hash,
            height: self.height,
            block_hash: self.block_hash,
            block_ms: self.timestamp.saturating_mul(1000),
            receipt: Some(self.receipt.to_cbor()),
        }
    }

    fn anchor(self, log_index: u64) -> Anchor {
        Anchor {
            tx_hash: self.tx_hash,
            height: self.height,
            block_hash: self.block_hash,
            block_ms: self.timestamp.saturating_mul(1000),
            log_index,
            receipt: self.receipt.to_cbor(),
        }
    }
}

/// Reads a successful call of `Records` with its logs. None if it is not a call of `record`.
fn recording(
    input: &[u8],
    logs: &[Log],
    relayer: &Relayer,
    proved: impl FnOnce() -> Proved,
) -> Result<Option<Recording>, String> {
    if !input.starts_with(&recordCall::SELECTOR) {
        return Ok(None);
    }
    let call = recordCall::abi_decode(input).map_err(|error| error.to_string())?;
    let organization = relayer.organization();
    let ids: Vec<B256> = call
        .keys
        .iter()
        .map(|key| record_id(organization, *key))
        .collect();
    let mut recorded: Option<(u64, Recorded)> = None;
    let mut conflicts = Vec::new();
    for (at, log) in (0_u64..).zip(logs) {
        match Event::decode(log).map_err(|error| error.to_string())? {
            Some(Event::Recorded(event)) if event.organization == organization => {
                recorded = Some((at, event));
            }
            Some(Event::Conflicted(event)) if event.organization == organization => {
                conflicts.push(event);
            }
            _ => {}
        }
    }
    let mut entries: Vec<EntryFacts> = ids
        .iter()
        .zip(&call.commitments)
        .map(|(id, commitment)| {
            let conflict = conflicts
                .iter()
                .find(|event| event.id == *id && event.attempted == *commitment);
            let fate = conflict.map_or(Fate::Earlier, |event| Fate::Conflict(event.recorded));
            EntryFacts {
                id: *id,
                commitment: *commitment,
                fate,
            }
        })
        .collect();
    let Some((log_index, event)) = recorded else {
        return Ok(Some(Recording {
            anchor: None,
            entries,
        }));
    };

    let claimed = event
        .claimed_entries(entries.len())
        .map_err(|error| error.to_string())?;
    let mut claimed: Vec<&mut EntryFacts> = at_indices(&mut entries, &claimed);
    let leaves: Vec<B256> = claimed
        .iter()
        .map(|entry| leaf(entry.id, entry.commitment))
        .collect();
    let tree = Tree::over(leaves);
    if tree.root() != Some(event.root) {
        return Err(format!(
            "its entries have the root {:?}, its log says {}",
            tree.root(),
            event.root
        ));
    }
    for (index, entry) in claimed.iter_mut().enumerate() {
        entry.fate = Fate::Claimed(index as u64, tree.path(index));
    }
    Ok(Some(Recording {
        anchor: Some(proved().anchor(log_index)),
        entries,
    }))
}

/// The items at some ascending indices.
fn at_indices<'a, T>(items: &'a mut [T], indices: &[usize]) -> Vec<&'a mut T> {
    let mut wanted = indices.iter().peekable();
    let marked = items
        .iter_mut()
        .enumerate()
        .filter(|(at, _)| wanted.next_if(|next| **next == *at).is_some());
    marked.map(|(_, item)| item).collect()
}

/// Every level of a batch's Merkle tree, the leaves first: all paths of a batch cost one build.
struct Tree(Vec<Vec<B256>>);

impl Tree {
    fn over(leaves: Vec<B256>) -> Self {
        let mut levels = vec![leaves];
        while let Some(level) = levels.last()
            && level.len() > 1
        {
            let above = level.chunks(2).filter_map(|pair| match pair {
                [left, right] => Some(node(*left, *right)),
                odd => odd.first().copied(),
            });
            let above = above.collect();
            levels.push(above);
        }
        Self(levels)
    }

    fn root(&self) -> Option<B256> {
        self.0.last()?.first().copied()
    }

    fn path(&self, index: usize) -> Vec<B256> {
        let below_root = self.0.len().saturating_sub(1);
        let levels = self.0.iter().take(below_root).enumerate();
        levels
            .filter_map(|(height, level)| level.get((index >> height) ^ 1).copied())
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use contracts::{batch_root, merkle_path};

    use super::*;

    #[test]
    fn the_tree_is_that_of_the_contract() {
        for count in 1..=40_u8 {
            let leaves: Vec<B256> = (0..count).map(B256::with_last_byte).collect();
            let tree = Tree::over(leaves.clone());
            assert_eq!(tree.root(), batch_root(&leaves));
            for index in 0..leaves.len() {
                assert_eq!(
                    Some(tree.path(index)),
                    merkle_path(&leaves, index),
                    "leaf {index} of {count}"
                );
            }
        }
        assert_eq!(Tree::over(vec![]).root(), None);
    }

    #[test]
    fn indices_pick_their_items() {
        let mut items = [1, 2, 3, 4];
        assert_eq!(at_indices(&mut items, &[0, 3]), [&1, &4]);
        assert!(at_indices(&mut items, &[]).is_empty());
    }
}
