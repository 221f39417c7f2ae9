//! The receipt from outside: vectors, tampering, mutations, oracles.

mod building;
mod canonical;
mod chain;
mod conversion;
mod document;
mod flips;
mod limits;
mod mutations;
mod oracle;
mod points;
mod state;
mod state_vectors;
mod succession;
mod tampered;
mod valid;
mod vectors;
