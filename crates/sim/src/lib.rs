//! The whole network in one thread and one seed: four validators with EVM and state on the
//! deterministic runtime, clients that send, faults that strike, and an oracle that judges from
//! public outputs only.
//!
//! ```text
//! seed ──► plan (what fails when) ──► cluster (validators on a simulated network and disk) ──► oracle ──► Report
//!                                        ▲            ▲                                        ▲
//!                                     traffic      service (gateways and their clients) ──► witness
//! ```
//!
//! The service side is real where it decides: the records machine, the SQLite journal, the vault and the follower that
//! verifies final blocks. Its shell, its clients and the wires are simulated. The `witness` notes what crosses those
//! wires; the `oracle` judges from these notes and from the chain, and restates every rule it judges by.
//!
//! A run has two phases. In the first, faults within what the network must tolerate happen at times
//! the seed chose: crashes, message loss, partitions, failing and torn writes, loss of power on all
//! machines at once. Then everything heals, and the network must make progress and keep every
//! promise it made. The same seed gives the same digest in every build.

mod cluster;
mod committee;
#[cfg(test)]
mod follow;
mod liar;
mod oracle;
mod panics;
#[cfg(test)]
mod partition;
mod plan;
mod run;
mod service;
#[cfg(test)]
mod stake;
mod traffic;
#[cfg(test)]
mod trial;
mod twins;
#[cfg(test)]
mod upgrade;
mod witness;

pub use plan::{Fault, Plan, Services, Weather};
pub use run::{Report, run};
pub use twins::{Twin, Twins, twins};
