//! Whom blocks are taken from: any node that answers JSON-RPC, none of which is believed.

use crate::node::Page;
use alloy_primitives::Bytes;
use std::time::Duration;

/// A node that gives blocks and takes transactions. How it is spoken with is for whoever makes one.
pub trait Upstream: Send + Sync + 'static {
    /// What people know it by: an address without secrets.
    fn name(&self) -> String;

    /// The final blocks from a height on, at most `count` and as many more as it takes until one is certified; with 0, only how
    /// far it is ([`Node::page`](crate::Node::page)).
    fn page(
        &self,
        from: u64,
        count: u64,
    ) -> impl Future<Output = Result<Page, UpstreamError>> + Send;

    /// Takes in a raw transaction. One that it knows already counts as taken.
    fn submit(&self, raw: Bytes) -> impl Future<Output = Result<(), UpstreamError>> + Send;
}

/// Why an upstream was of no use. None of these is a lie: it is asked again soon.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UpstreamError {
    /// It did not answer in time.
    #[error("it did not answer within {} s", .0.as_secs())]
    Silent(Duration),
    /// It could not be reached, or broke off.
    #[error("{0}")]
    Unreachable(String),
    /// It does not have blocks so old.
    #[error(
        "it does not have the blocks that come next here ({0}): a follower needs an upstream with all blocks from block 1 on, one \
         without keep_blocks and state_sync"
    )]
    Pruned(String),
    /// It is a node of another network.
    #[error("it belongs to another network ({0}): see the chain spec and the address")]
    OtherNetwork(String),
    /// It answered that it does not do that.
    #[error("{0}")]
    Refused(String),
}

/// What an upstream said that cannot be true. It is left alone for a while.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Lie {
    /// More than was asked for.
    #[error("it sent {0} blocks, more than any node sends")]
    TooMany(usize),
    /// What it sent is no block, or no certificate.
    #[error("what it sent as block {height} cannot be read: {reason}")]
    Malformed {
        /// The block asked for.
        height: u64,
        /// What is wrong with it.
        reason: String,
    },
    /// Another block than the one asked for.
    #[error("it sent block {found} for block {height}")]
    OtherBlock {
        /// The block asked for.
        height: u64,
        /// The number of what came.
        found: u64,
    },
    /// Blocks that do not follow one another.
    #[error("its block {0} is not the child of the one before")]
    NoChain(u64),
    /// The last block has no certificate, so nothing proves it.
    #[error("it sent block {0} without a certificate")]
    Uncertified(u64),
    /// A certificate over something else, or one that the network's key did not sign.
    #[error(
        "its certificate over block {0} does not verify with the network's identity: it is forged, or of another network"
    )]
    Forged(u64),
}
