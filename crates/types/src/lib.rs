//! The chain's words: what every node-side crate says to the others.
//!
//! A [`Block`] is an Ethereum [`Header`](alloy_consensus::Header), the [`Extension`] its
//! `extraData` commits to, and raw EIP-2718 transactions. The consensus digest of a block *is* its
//! Ethereum hash, keccak256 of the RLP header, so any Ethereum tool can recompute what the
//! validators certified. A [`ChainSpec`] fixes everything the members agree on before block 0.
//! State is spoken of in [`StateKey`]s and [`StateValue`]s: the executor knows nothing of the
//! database below it, the database nothing of the EVM above.
//!
//! ```text
//! spec ──► genesis block
//! raw bytes ──► Transaction (decoded, signer recovered) ──► block body
//! block = header ‖ extension ‖ body,   digest = keccak256(rlp(header))
//! ```
//!
//! This crate must not know I/O, revm, SQL or HTTP.

mod block;
mod committee;
mod spec;
mod state;
mod transaction;

pub use block::{
    Block, BlockError, Ceremony, Context, Digest, EpochInfo, Extension, Family, MAX_BODY_BYTES,
    MAX_DKG_BYTES, MAX_TRANSACTIONS, PublicKey, TransactionReceipt, read_header, receipts_root,
    transactions_root, write_header,
};
pub use committee::{Committee, CommitteeError, MAX_VALIDATORS, Namespace};
pub use spec::{
    ChainSpec, Fees, Fork, GenesisAccount, Limits, Origin, Pacing, SpecError, TURNS_PER_EPOCH,
};
pub use state::{Account, StateKey, StateValue};
pub use transaction::{MAX_TRANSACTION_BYTES, Transaction, TransactionError};

#[cfg(test)]
mod tests;
