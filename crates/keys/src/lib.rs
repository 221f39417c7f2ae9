//! Keys that sign.
//!
//! ```text
//! keystore file ──▶ SecretKey ─┐                      transaction, who asks, approvals, time
//! PKCS#11 device ──────────────┼──▶ Key ──▶ Guarded ◀───────────┘
//! remote signer ───────────────┘             │  policy, audit log
//!                                            ▼
//!                    a signature that was allowed, put down, and checked against the key's address
//! ```
//!
//! It must not know what is signed for: no routes, no SQL, no node. Randomness and time are arguments. Secrets are wiped when dropped, and
//! neither `Debug` nor an error shows one.

mod file;
mod guarded;
mod key;
mod memory;
mod secret;

pub mod keystore;
pub mod pkcs11;
pub mod policy;
pub mod remote;

pub use file::FileError;
pub use guarded::{Approval, Audit, Entry, GuardError, Guarded, Outcome, digest};
pub use key::{Key, Kind, Message, SignError};
pub use memory::{InvalidKey, SecretKey};
pub use secret::Secret;
