//! Ethereum JSON-RPC of one node, over HTTP and WebSocket on one port.
//!
//! Handlers only: a request is read, the node is asked through [`chain::Node`], the answer is written
//! in the words of Ethereum's clients. Final is final here, so `latest`, `safe`, `finalized` and
//! `pending` name the same block; only the nonce of `pending` counts what waits in the mempool.
//!
//! ```text
//! server ──► (HTTP) ─────────────► dispatch ──► method ──► block, transaction, receipt, log, …
//!        └─► socket (WebSocket) ──►   │            │                       │
//!                  ▲                  ▼            ▼                       ▼
//!            subscription           error       parameter             chain::Node
//! ```
//!
//! A message of more than 64 KiB is received and answered apart from the others (`large`), unless its `shape` is refused while
//! it arrives. A connection's `deadline`s cost it no timers.
//!
//! Everything a client can make us hold or do is bounded by [`Limits`]; each bound says what happens
//! beyond it. Blocks, transactions, transaction receipts and logs are served at any height, the state
//! at any height on nodes that keep an archive and at the last final block on others.
//!
//! This crate must not know SQL, REST or how the chain works inside.

mod account;
mod block;
mod call;
mod capability;
mod deadline;
mod debug;
mod dispatch;
mod error;
mod fee;
mod fill;
mod filter;
mod finality;
mod health;
mod large;
mod log;
mod mempool;
mod method;
mod network;
mod otterscan;
mod overrides;
mod parameter;
mod receipt;
mod replay;
mod server;
mod shape;
mod simulate;
mod socket;
mod state_proof;
mod subscription;
mod trace;
mod transaction;
mod upgrade;
mod wallet;

pub use method::METHODS;
pub use server::{Config, Limits, ServeError, Server, serve};
