//! What an outside program links to speak with Ashlar. Every wire type exists once, here; servers import it.
//!
//! ```text
//! record, problem      the gateway's REST nouns            ── gateway::Gateway   calls them
//! governance, stake    proposals and votes; bonds          ── Governance, Stake  read them from a node
//! pause, dispute       motions to stop things; claims      ── Motion, Dispute    read them from a node
//! node                 the node's own JSON-RPC (ashlar_*)  ── rpc::Nodes         calls it, and eth_*, with fail-over
//! follow::Follower     finalized blocks, verified          ── stream::follow     reads them from any of several nodes
//! follow::Network      … of a network, or its successor    ── succession         gets the proof of which that is
//! ```
//!
//! A node is never believed about what is final: [`follow`] checks the chain of headers from a block already
//! trusted, both roots of each block's content, and the validators' certificate. A node that sends anything else
//! is reported with the evidence and left alone.
//!
//! It must not know the inside of any server. Without the feature `net` it has no sockets and no runtime.

pub mod dispute;
pub mod follow;
pub mod governance;
pub mod members;
pub mod node;
pub mod pause;
pub mod problem;
pub mod record;
pub mod stake;

#[cfg(feature = "net")]
pub mod gateway;
#[cfg(feature = "net")]
pub mod rpc;
#[cfg(feature = "net")]
pub mod stream;
#[cfg(feature = "net")]
pub mod succession;

pub use follow::{Evidence, Follower, Head, VerifiedBlock};
pub use problem::Problem;
