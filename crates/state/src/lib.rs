//! The world state on QMDB: key schema, value encoding, reads, changes, genesis.
//!
//! One authenticated database holds accounts, storage slots and code:
//! `keccak256(domain ‖ address [‖ slot])` → 73 bytes. Values have one fixed size because peers
//! sync the log of operations, and the engine can only do so for fixed encodings; code is cut into
//! chunks for the same reason. The database is *current* and *ordered*, so a value, and the
//! absence of one, can be proved against the root that a block header carries.
//!
//! ```text
//! StateKey ─► Key (hashed)        StateRead: Batch (speculative) | Database (applied)
//! StateValue ─► Value (73 bytes)  write(batch, changes) ─► merkleize ─► roots for the header
//!                                 prove(database, keys) ─► entries of the tree under such a root
//! Piece (a run of the log, proved) ─► entries ─► Import (the state of another network's block 0)
//! ```
//!
//! This crate must not know EVM rules or the network.

mod database;
mod export;
mod genesis;
mod import;
mod key;
mod proof;
mod read;
mod value;

pub use database::{
    Batch, BatchSet, Commitment, Database, DatabaseConfig, MerkleizedBatch, SharedDatabase, config,
    write,
};
pub use export::{Counts, PIECE_BYTES_MAX, PIECE_OPERATIONS, Piece, PieceError};
pub use genesis::{GenesisError, begin, has_begun, open_genesis};
pub use import::{BATCH_ENTRIES, Import, Imported, imported};
pub use key::{Key, account_key, code_key, slot_key};
pub use proof::{Entry, Snapshot, prove};
pub use read::{StateError, StateRead};
pub use value::{CODE_CHUNK_BYTES, CODE_HEAD_BYTES, VALUE_BYTES, Value};

#[cfg(test)]
mod tests;
