//! The only SQL. A synchronous SQLite file holds what the gateway promised and what became of it.
//!
//! ```text
//! accepted ──▶ submitted ──▶ final      records: promises, along these edges only (triggers refuse others)
//!     │            ├───────▶ failed     batches: signed transactions, bytes fixed before they are sent
//!     └────────────┘                    anchors, claims: where a record was claimed on chain, with its proof
//!                                       operations, relays, executions, outcomes: the same of contract calls
//!                                       cursor: the last finalized block whose effects are in here
//! ```
//!
//! Everything that becomes true together is written in one SQL transaction: a block's settlements with its
//! cursor, a batch with its entries. WAL, `synchronous=FULL`: what [`Db::write`] returned is on disk.
//! [`Writer`] puts the writes of many callers into one such transaction (group commit); [`Readers`] read
//! beside it. Without them [`Db`] is an ordinary synchronous object, which is how simulations drive it.
//!
//! It must not know HTTP, signing or the meaning of what it stores.

mod access;
mod batch;
mod block;
mod content;
mod cursor;
mod error;
mod group;
mod instance;
mod open;
mod operation;
mod record;
mod relay;
#[cfg(test)]
mod tests;

pub use access::{Db, Reader, Readers, Tx, View};
pub use batch::{Batch, NewBatch};
pub use block::{Anchor, BatchEnd, Claim, Proven, Settlement, Write};
pub use content::Sealed;
pub use cursor::Cursor;
pub use error::Error;
pub use group::Writer;
pub use open::{Binding, FILE, Options, snapshot};
pub use operation::{
    Bill, Call, InsertedOperation, NewOperation, OperationEntry, OperationRow, Ran,
};
pub use record::{Entry, Failure, Inserted, NewRecord, Page, RecordRow, State, Unsettled};
pub use relay::{
    Execution, NewRelay, OperationSettlement, OperationWrite, Outcome, SettledOutcome,
};
