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
//! likely_reads(txs) ──► caller fetches ──► supply
//! run(txs, view) ──► Done
//!       ▲      └───► Suspended(key) ──► caller fetches ──► supply ─┐
//!       └──────────────────────────────────────────────────────────┘
//! finish() ──► Outcome { receipts, gas, bloom, changes in key order }
//! ```
//!
//! What has no effect (calls, estimates, simulated blocks, traces) is a [`Question`]: it runs on a
//! [`Simulation`], a state in memory over the parent's, by the same rules of suspension.
//!
//! A block of another Ethereum fork or chain takes the same loop, from
//! [`ethereum::Environment::executor`]; only test vectors and imports start there.
//!
//! This crate must not know QMDB, consensus or clocks.

mod access_list;
mod admission;
mod call;
mod environment;
pub mod ethereum;
mod executor;
mod meter;
mod overlay;
mod overrides;
mod permission;
mod precompiles;
mod quantum;
mod question;
mod quota;
mod simulate;
mod simulation;
mod trace;
mod transaction;
mod transfers;
mod unsigned;

pub use access_list::CreateAccessList;
pub use admission::cost_max;
pub use call::{Call, CallOutcome, Estimate, Estimated, Perform};
pub use environment::Environment;
pub use executor::{Executor, Outcome, Policy, Progress};
pub use overlay::{CodeCache, Overlay, View, ViewError};
pub use overrides::{AccountChange, BlockChange, OverrideError, Overrides, StorageChange};
pub use precompiles::precompile_addresses;
pub use quantum::Quantum;
pub use question::{Interrupt, Question};
pub use quota::Quotas;
pub use simulate::{
    BlockPlan, CallPlan, Plan, Simulate, SimulateError, SimulatedBlock, SimulatedCall,
};
pub use simulation::Simulation;
pub use trace::{Act, Action, Script, ScriptLimits, Trace, TraceError, Traced, Tracer};
pub use transaction::Invalid;

#[cfg(test)]
mod tests;
