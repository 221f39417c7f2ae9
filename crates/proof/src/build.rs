//! Making the parts of a receipt from what a block holds. A verifier needs none of it.

use crate::path::{Side, levels, node};
use alloc::{borrow::ToOwned, vec::Vec};
use alloy_primitives::{B256, Bytes};
use alloy_trie::{
    HashBuilder, Nibbles,
    proof::ProofRetainer,
    root::{adjust_index_for_rlp, ordered_trie_root_encoded},
};

/// The `transactionsRoot` of a block with these EIP-2718 transactions.
pub fn transactions_root<T: AsRef<[u8]>>(transactions: &[T]) -> B256 {
    ordered_trie_root_encoded(transactions)
}

/// The `receiptsRoot` of a block with these EIP-2718 transaction receipts (with bloom).
pub fn receipts_root<T: AsRef<[u8]>>(receipts: &[T]) -> B256 {
    ordered_trie_root_encoded(receipts)
}

/// The trie nodes from the root to the transaction receipt at `index`; `None` if there is none.
pub fn inclusion_proof<T: AsRef<[u8]>>(receipts: &[T], index: usize) -> Option<Vec<Bytes>> {
    if index >= receipts.len() {
        return None;
    }
    let key = |index: usize| Nibbles::unpack(alloy_rlp::encode(index));
    let mut trie =
        HashBuilder::default().with_proof_retainer(ProofRetainer::new(alloc::vec![key(index)]));
    // The builder wants its keys in order, and RLP puts 0 (encoded 0x80) after 127.
    for position in (0..receipts.len()).map(|i| adjust_index_for_rlp(i, receipts.len())) {
        trie.add_leaf(key(position), receipts[position].as_ref());
    }
    trie.root();
    Some(
        trie.take_proof_nodes()
            .into_nodes_sorted()
            .into_iter()
            .map(|(_, node)| node)
            .collect(),
    )
}

/// The root over a batch's leaves; `None` for none.
pub fn batch_root(leaves: &[B256]) -> Option<B256> {
    let mut level = leaves.to_owned();
    while level.len() > 1 {
        level = parents(&level);
    }
    level.first().copied()
}

/// The siblings of the leaf at `index`, from the leaf upward; `None` if there is no such leaf.
pub fn record_path(leaves: &[B256], index: usize) -> Option<Vec<B256>> {
    leaves.get(index)?;
    let mut level = leaves.to_owned();
    let mut position = index;
    let mut siblings = Vec::new();
    for side in levels(index as u64, leaves.len() as u64) {
        match side {
            Side::Left => siblings.push(*level.get(position + 1)?),
            Side::Right => siblings.push(*level.get(position - 1)?),
            Side::Alone => {}
        }
        level = parents(&level);
        position /= 2;
    }
    Some(siblings)
}

fn parents(level: &[B256]) -> Vec<B256> {
    let parent = |pair: &[B256]| match pair {
        [left, right] => node(left, right),
        // The odd last one.
        _ => pair[0],
    };
    level.chunks(2).map(parent).collect()
}
