//! The pure state transition: parent view + environment + transactions → transaction receipts,
//! logs and changes.
//!
//! Execution is synchronous (revm), the state below it is not (a database behind futures). They
//! meet in [`View::poll`]: a read is tried once. If the value is not at hand, the transaction is
//! abandoned, the missing [`StateKey`](types::StateKey) is handed to the caller, and after
//! [`Executor::supply`] execution resumes at that transaction; earlier ones keep their results in
//! the overlay. No fiber, no `block_on`, no `unsafe`, and the same result whether every read was
//! ready or none was: what reaches consensus never depends on what happened to be cached.
//!
//! ```text
//! prefetch_keys(txs) ──► caller fetches ──► supply
//! run(txs, view) ──► Done
//!       ▲      └───► Suspended(key) ──► caller fetches ──► supply ─┐
//!       └──────────────────────────────────────────────────────────┘
//! finish() ──► Outcome { receipts, gas, bloom, changes in key order }
//! ```
//!
//! A block of another Ethereum fork or chain takes the same loop, from
//! [`ethereum::Environment::executor`]; only test vectors and imports start there.
//!
//! This crate must not know QMDB, consensus or clocks.

mod admission;
mod call;
mod environment;
pub mod ethereum;
mod executor;
mod overlay;
mod transaction;

pub use admission::cost_max;
pub use call::{Call, CallOutcome, CallProgress, Simulation};
pub use environment::Environment;
pub use executor::{Executor, Outcome, Policy, Progress, prefetch_keys};
pub use overlay::{CodeCache, Overlay, View, ViewError};
pub use transaction::Invalid;

#[cfg(test)]
mod tests;
