//! Turns an accepted request into exactly one final effect.
//!
//! ```text
//!            Accepted, Signed, SendResult, NonceRead, Block, Found, Tick
//!                                   │
//!  db rows ──journal::recover──▶ record::Machine ──▶ Persist, Sign, Send, ReadNonce, Find, Settled
//!                                   ▲                    │ strictly in this order
//!  verified block ──observe──▶ BlockFacts                ▼
//!                                            shell (or a simulator) performs them
//! ```
//!
//! What makes it safe: the `Records` contract claims an id once, whatever is sent. What makes it live: nothing is
//! forgotten (the journal), nothing is believed but the verified stream, and a nonce is signed once.
//!
//! - [`record`], [`operation`]: the machines: no clock, no randomness, no I/O
//! - `carrier`: the transactions of one account, by nonce, until each has ended
//! - [`observe`]: what a finalized block means for the machine
//! - [`transaction`]: building and signing a batch
//! - [`journal`]: the machine's writes and its recovery, shared by the shell and simulations
//! - [`receipt`]: putting a record's receipt together from what the journal holds
//! - `shell`: sockets, clock, signer and database around the machine (feature `shell`)
//!
//! It must not know routes, nor the inside of the chain.

pub mod carrier;
pub mod journal;
pub mod observe;
pub mod operation;
pub mod receipt;
pub mod record;
#[cfg(feature = "shell")]
pub mod shell;
pub mod transaction;
