//! A block tree: which blocks are valid, and which of them is the head.

use crate::{
    body::Body,
    execution::{self, Executed, Place},
    fork::{Fork, Network},
    header,
    refusal::Refusal,
    world::World,
};
use alloy_consensus::{EMPTY_OMMER_ROOT_HASH, Header};
use alloy_primitives::{B256, U256};
use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
};
use types::{Transaction, TransactionReceipt};

/// `BLOCKHASH` sees so many blocks back.
const BLOCKHASH_BLOCKS: usize = 256;
/// An uncle's parent is at most so many blocks back.
const UNCLE_DEPTH: usize = 7;
/// Uncles a block may have.
const UNCLES_MAX: usize = 2;

/// A valid block.
struct Node {
    header: Header,
    uncles: Vec<B256>,
    total_difficulty: U256,
    world: Arc<World>,
}

/// A block that was taken in, and what it did.
#[derive(Debug)]
pub(crate) struct Taken {
    pub hash: B256,
    pub header: Header,
    pub transactions: Vec<Transaction>,
    pub receipts: Vec<TransactionReceipt>,
}

/// All valid blocks from a genesis on.
pub(crate) struct Chain {
    network: Network,
    chain_id: u64,
    nodes: HashMap<B256, Node>,
    head: B256,
}

impl Chain {
    /// Begins a chain.
    pub(crate) fn new(network: Network, chain_id: u64, genesis: Header, world: World) -> Self {
        let head = genesis.hash_slow();
        let node = Node {
            uncles: Vec::new(),
            total_difficulty: genesis.difficulty,
            world: Arc::new(world),
            header: genesis,
        };
        Self {
            network,
            chain_id,
            nodes: HashMap::from([(head, node)]),
            head,
        }
    }

    /// The hash of the head.
    pub(crate) const fn head(&self) -> B256 {
        self.head
    }

    /// The state at the head.
    pub(crate) fn world(&self) -> Option<&Arc<World>> {
        self.nodes.get(&self.head).map(|node| &node.world)
    }

    /// Checks and executes a block, and takes it in.
    pub(crate) fn import(&mut self, rlp: &[u8]) -> Result<Taken, Refusal> {
        let body = Body::decode(rlp).map_err(Refusal::Rlp)?;
        let header = &body.header;
        let hash = header.hash_slow();
        let parent = self
            .nodes
            .get(&header.parent_hash)
            .ok_or(Refusal::UnknownParent(header.parent_hash))?;
        let fork = self
            .network
            .fork(header.number, header.timestamp, parent.total_difficulty);
        let uncles = !body.uncles.is_empty() || header.ommers_hash != EMPTY_OMMER_ROOT_HASH;
        if fork >= Fork::Paris && uncles {
            return Err(Refusal::UnclesAfterMerge);
        }
        header::check(&self.network, fork, header, &parent.header)?;
        self.check_uncles(&body)?;
        let place = Place {
            network: &self.network,
            fork,
            chain_id: self.chain_id,
            ancestors: self
                .ancestors(header.parent_hash)
                .take(BLOCKHASH_BLOCKS)
                .map(|(hash, node)| (node.header.number, hash))
                .collect(),
        };
        let Executed {
            world,
            transactions,
            receipts,
        } = execution::execute(place, &body, &parent.world)?;
        let node = Node {
            uncles: body.uncles.iter().map(Header::hash_slow).collect(),
            total_difficulty: parent.total_difficulty.saturating_add(header.difficulty),
            world: Arc::new(world),
            header: body.header.clone(),
        };
        if self.outweighs_head(fork, &node) {
            self.head = hash;
        }
        self.nodes.insert(hash, node);
        Ok(Taken {
            hash,
            header: body.header,
            transactions,
            receipts,
        })
    }

    /// Before the merge the chain with more work counts. After it a consensus layer would say which,
    /// and vectors are written as if it chose whatever came last.
    fn outweighs_head(&self, fork: Fork, node: &Node) -> bool {
        let head = self.nodes.get(&self.head);
        fork >= Fork::Paris || head.is_none_or(|head| node.total_difficulty > head.total_difficulty)
    }

    /// A block and what came before it, latest first.
    fn ancestors(&self, from: B256) -> impl Iterator<Item = (B256, &Node)> {
        let mut next = from;
        std::iter::from_fn(move || {
            let node = self.nodes.get(&next)?;
            let hash = next;
            next = node.header.parent_hash;
            Some((hash, node))
        })
    }

    /// Uncles are valid headers that lost: their parent is an ancestor, they are none, and nobody
    /// named them before.
    fn check_uncles(&self, body: &Body) -> Result<(), Refusal> {
        if body.uncles.is_empty() {
            return Ok(());
        }
        if body.uncles.len() > UNCLES_MAX {
            return Err(Refusal::Uncles("more than two"));
        }
        let ancestors: BTreeMap<B256, &Node> = self
            .ancestors(body.header.parent_hash)
            .take(UNCLE_DEPTH)
            .collect();
        let mut named: HashSet<B256> = ancestors
            .values()
            .flat_map(|node| node.uncles.iter().copied())
            .collect();
        for uncle in &body.uncles {
            let hash = uncle.hash_slow();
            if !named.insert(hash) {
                return Err(Refusal::Uncles("named before"));
            }
            if ancestors.contains_key(&hash) {
                return Err(Refusal::Uncles("an ancestor"));
            }
            let Some(parent) = ancestors.get(&uncle.parent_hash) else {
                return Err(Refusal::Uncles("its parent is no recent ancestor"));
            };
            if uncle.parent_hash == body.header.parent_hash {
                return Err(Refusal::Uncles("a brother"));
            }
            let fork = self
                .network
                .fork(uncle.number, uncle.timestamp, parent.total_difficulty);
            header::check(&self.network, fork, uncle, &parent.header)
                .map_err(|refusal| Refusal::Uncle(Box::new(refusal)))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
