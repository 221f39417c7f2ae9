//! The state of past blocks, on nodes that keep an archive: what each block's changes replaced.
//!
//! Changes are numbered through the chain. Each knows the value its key had before, the key's change before it, and one
//! change further back to jump to. Where a key changed last is in a small database of its own. The value of a key after a
//! block is what its first change after that block replaced, or, if there is none, the value it has now.
//!
//! ```text
//! blocks   height ► number after its last change           fixed, one per block
//! changes  number ► height, key, value before, links       about 140 bytes each
//! heads    key    ► number of its last change              in memory some 40 bytes for each key that ever changed
//! ```
//!
//! The jumps are those of a skew-binary list (Myers, 1983): from a change to one for which as many changes lie between as
//! lie between two earlier jumps. So the first change after a height is found in a number of reads that grows with the
//! logarithm of the key's changes, and writing takes three reads for each change.
//!
//! Changes are durable before the state they lead to is applied. So this may know a block that the state does not have yet,
//! which does no harm, and never lacks one that it has. Whoever reads must read the state first and ask here then.
//!
//! Code is not here: it is named by its hash and never removed.

mod actor;
mod entry;
mod store;
#[cfg(test)]
mod tests;

pub use actor::{Actor, Mailbox};
pub use entry::Before;
pub use store::{Layout, Store};

use commonware_storage::{journal, mmr, qmdb};

/// What the archive knows of a key at a height.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Past {
    /// The value it had.
    Was(types::StateValue),
    /// It has not changed since: it has the value it has now.
    Unchanged,
}

/// Why the archive has no answer.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// The height is before what is kept.
    #[error("states before block {first} are not kept")]
    Pruned {
        /// The first height whose state is kept.
        first: u64,
    },
    /// Storage failed: the node must stop.
    #[error("archive: {0}")]
    Storage(#[from] journal::Error),
    /// Storage failed: the node must stop.
    #[error("archive: {0}")]
    Heads(#[from] qmdb::Error<mmr::Family>),
}
