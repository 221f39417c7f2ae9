//! The Rust view of our Solidity: where the system contracts stand, what code they have at genesis, how to call them
//! and how to read what they say.
//!
//! The sources, their tests and the compiled artifacts are in `contracts/` at the root of the repository. The artifacts
//! are committed, so building this crate needs no Solidity compiler. This crate knows nothing of execution: it takes
//! and gives bytes.
//!
//! ```text
//! entries ──encode──▶ calldata ──▶ (Records, executed by the chain) ──▶ logs ──decode──▶ Recorded { root, claimed }
//!    └────────────── the leaves of the claimed entries, batch_root, merkle_path ◀──────────────┘
//! ```
//!
//! - [`record`]: the call: address, code, ids, encoding
//! - [`tree`]: leaves, root and paths of the records of one call
//! - [`event`]: what a call said
//! - [`governance`]: what can be decided, and what is said when it cannot
//! - [`history`]: block hashes as contracts read them (EIP-2935)
//! - [`system`]: all system contracts, their addresses and their code
//! - [`member`]: the first organizations, as genesis writes them into `Members`
//! - [`parameter`]: what governance sets of what nodes do
//! - [`stake`]: bonds, and which candidates validate in a bonded network
//! - [`upgrade`]: from which height on which rules hold
//! - [`succession`]: the network's end
//! - [`pause`]: what can be stopped for a time
//! - [`operation`]: contract calls that accounts sign and relayers bring
//! - [`dispute`]: what a claim is about, and where it stands
//! - [`permission`]: whether a transaction may be executed, by `Members`, `Pause` and `Succession`
//! - [`abi`]: the interfaces as `sol!` types, for everything else
#![no_std]

extern crate alloc;

pub mod abi;
pub mod dispute;
pub mod event;
pub mod governance;
pub mod history;
mod layout;
pub mod member;
pub mod operation;
pub mod parameter;
pub mod pause;
pub mod permission;
pub mod record;
pub mod stake;
pub mod succession;
pub mod system;
pub mod tree;
pub mod upgrade;

pub use abi::IRecords;
pub use event::{BitmapError, Event, EventError, Recorded};
pub use record::{
    BatchError, Entry, MAX_BATCH, RECORDS_ADDRESS, commitment_slot, encode_record, organization_of,
    record_id,
};
pub use system::SystemContract;
pub use tree::{LEAF_DOMAIN, NODE_DOMAIN, batch_root, leaf, merkle_path, node};
