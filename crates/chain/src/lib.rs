//! One validator of the chain: consensus application, engine, mempool, history.
//!
//! Everything here runs on the engine's runtime traits, so the deterministic runtime runs all of
//! it: no sockets, no clock of our own, no tokio.
//!
//! ```text
//!            submit                                   read, call, finality
//!  surfaces ────────► mempool ──► propose ─┐    ┌──────────── Node ──────────► surfaces
//!                        ▲                 ▼    │
//!                      gossip      consensus engine ──► process (evm + state)
//!                        │                 │
//!                      peers          finalized ──► history ──► feed
//! ```
//!
//! In reading order: [`genesis`] (what every network begins with), [`rules`] (what a block must
//! look like), [`upgrade`] (which rules hold when), `execution` (the executor meets the
//! database), `application` (propose, process, finalize), [`epoch`] (who validates when), `fence` (one process
//! for each key), [`mempool`], `history`, [`feed`],
//! `sync` (how a newcomer enters), `retention` (what is removed), `store` and `ledger` (what every node keeps and executes), [`engine`] (the wiring), [`node`] (the handle), `health` (whether blocks become
//! final, and why not), [`ceremony`] (how a new network gets its key), [`export`] (the state as a file, with what proves
//! it), [`origin`] (a new network that begins with it), [`follow`] (a node outside the network). With the feature `import` there is a module of that name, for tests.
//!
//! This crate must not know HTTP, SQL or tokio.

mod alias;
mod application;
pub mod ceremony;
pub mod engine;
pub mod epoch;
mod execution;
pub mod export;
pub mod feed;
mod fence;
pub mod follow;
pub mod genesis;
mod health;
mod history;
#[cfg(feature = "import")]
pub mod import;
mod ledger;
pub mod mempool;
pub mod node;
pub mod origin;
mod recovery;
mod retention;
pub mod rules;
#[cfg(test)]
mod sample;
mod store;
mod sync;
pub mod upgrade;

pub use alias::{Finalization, Runtime, Scheme, Share};
pub use engine::{CHANNELS, Config, StartError, message_bytes_max, quotas, start};
pub use epoch::{Calendar, Connected, Dialer, Peers, SecretsKey};
pub use feed::Finalized;
pub use fence::{FenceError, Witnesses};
pub use follow::{Upstream, UpstreamError, UpstreamStatus, Upstreams};
pub use health::{Health, Progress, Validator};
pub use history::logs::{IndexedLog, LogCursor, LogPage, LogQuery};
pub use mempool::SubmitError;
pub use node::{
    Certificate, CertifiedBlock, CertifiedHeader, Finality, Ground, Node, NodeError,
    PAGE_BLOCKS_MAX, Page, ProvedState, Turn,
};
pub use retention::SECTION_ITEMS;
pub use state::Entry as StateEntry;
pub use store::PAGE_BYTES;
pub use upgrade::{Outdated, PROTOCOL_VERSION, Program, Upgrades};
