//! One process for each validator's key: a copied or restored data directory does not sign beside, or behind, the original.
//!
//! Who signs twice in one view breaks the promise that consensus rests on, and no lock on one machine sees a second machine.
//! The other validators do. Each is a *witness* of the others' keys, and a node signs as long as enough of them agree that the
//! key is its own:
//!
//! ```text
//!   node ── claim: key, instance, generation, height, every BEAT ──► every node it is connected with (witness)
//!        ◄─ granted │ held by another │ superseded by a later one ──
//!   votes, dealings ──► gate, open while n - f - 1 grants are younger than LEASE ──► network
//! ```
//!
//! - An *instance* is one run of a process: a random number. A data directory counts its runs: the *generation*, made durable
//!   before anything is claimed.
//! - A witness gives a key to another instance only if it has not heard the former for [`EXPIRY`], which is more than
//!   [`LEASE`]: whoever had the key has stopped by then. The next generation gets it, and one that has seen all final blocks
//!   that the former claimed. Anything else is a backup, or the original of a copy that took over.
//! - Who begins superseded erases its secrets and goes on without them, until an epoch gives it a share. Who is superseded
//!   while it signs, or finds the key in use, ends with a [`FenceError`].
//!
//! With n - f - 1 grants, two instances that both sign share f witnesses at least: liars that let both sign are f besides the
//! one that runs twice, which is more than the network tolerates anyway. Witnesses remember in memory only: after a loss of
//! power everywhere, whoever comes first has the key. And a backup that is as high as the original was cannot be told from it.
//!
//! In reading order: `message` (what is said), `witness` (whose key is whose), `holder` (whether we may sign), both pure;
//! `gate` (what is held back), `actor` (clock, network and disk), `entry` (how a validator begins).

mod actor;
mod entry;
mod gate;
mod holder;
mod message;
#[cfg(test)]
mod tests;
mod witness;

pub(crate) use actor::{Actor, Fence, Parts};
pub(crate) use entry::{Entry, forget_votes, has_promised};
pub(crate) use gate::Gated;
pub use holder::{FenceError, Witnesses};
pub(crate) use message::MAX_MESSAGE_BYTES;

use std::time::{Duration, SystemTime};

/// How often a node claims its key.
const BEAT: Duration = Duration::from_millis(200);
/// How often it does so while it may not sign.
const HURRY: Duration = Duration::from_millis(100);
/// A witness that has not heard an instance for so long gives the key to another one. Less than the time that the others wait
/// for a leader, so that one that crashed is back before they have given it up.
const EXPIRY: Duration = Duration::from_millis(1_200);
/// How long a grant counts, from when the claim was sent. The difference to [`EXPIRY`] is for clocks of different speed.
const LEASE: Duration = Duration::from_millis(1_000);
/// A node that is told for so long that another process has its key ends. A former process of its own is forgotten sooner.
const HELD_PATIENCE: Duration = Duration::from_secs(15);
/// A node that gets no clear answer for so long follows the chain meanwhile: those it asks may be validators no more.
const ENTRY_PATIENCE: Duration = Duration::from_secs(10);
/// How often people are told of what goes on.
const SAY: Duration = Duration::from_secs(10);

/// Whether less than `limit` has passed since then.
fn within(then: SystemTime, now: SystemTime, limit: Duration) -> bool {
    now.duration_since(then).is_ok_and(|past| past < limit)
}
