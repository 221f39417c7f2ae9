//! The mempool: transactions that wait for a block, on every validator.
//!
//! A transaction enters by [`Mailbox::submit`] or by gossip; its signature is recovered once. The
//! leader's proposal asks for candidates and is answered the moment there are any. A transaction
//! leaves when a final block used its nonce, when it cannot be executed, or when it grew too old.
//!
//! ```text
//! submit ─► recover ─► [inbox] ─► Pool ─► candidates ─► proposal
//!                        ▲          │
//!        peers ─► gossip ┘          └─► gossip ─► peers
//! ```
//!
//! Each limit is kept by refusing or by evicting what has a lesser claim, and after each final block senders are held
//! against their accounts again. Why a transaction is gone is remembered for a while (`Mailbox::standing`).
//!
//! The pool is lost at a crash: who submitted still holds the bytes, sees no receipt, and is told since when the node
//! knows of anything.

mod actor;
mod arrivals;
mod fate;
mod gossip;
mod ingress;
mod sender;
mod state;
#[cfg(test)]
mod tests;

use crate::{recovery::Recovery, upgrade::Upgrades};
use std::sync::Arc;
use types::{Block, ChainSpec};

pub use actor::Actor;
pub use arrivals::Arrivals;
pub use fate::Fate;
pub use gossip::MAX_MESSAGE_BYTES;
pub use ingress::{Mailbox, SubmitError};
pub use state::{Budget, Census, Limits, Pool, Refused, Standing, Taken};

/// What a mempool needs.
pub struct Config {
    /// The chain's constitution.
    pub spec: Arc<ChainSpec>,
    /// Block 0.
    pub genesis: Arc<Block>,
    /// How much it holds.
    pub limits: Limits,
    /// Messages that may wait for the pool, and for the network. When full, submissions are
    /// refused as busy and gossip is dropped (and sent again later).
    pub mailbox_size: usize,
    /// Which rules hold in the next block.
    pub upgrades: Upgrades,
    /// Shared with block verification, so that each signature is recovered once.
    pub recovery: Recovery,
}
