//! Keys that sign.
//!
//! ```text
//! keystore file ──▶ SecretKey ─┐
//! PKCS#11 device ──────────────┼──▶ Key ──▶ a signature that was checked against the key's address
//! remote signer ───────────────┘
//! ```
//!
//! It must not know what is signed for: no routes, no SQL, no node. Randomness is an argument. Secrets are wiped when dropped, and
//! neither `Debug` nor an error shows one.

mod file;
mod key;
mod memory;
mod secret;

pub mod keystore;
pub mod pkcs11;
pub mod policy;
pub mod remote;

pub use file::FileError;
pub use key::{Key, Kind, Message, SignError};
pub use memory::{InvalidKey, SecretKey};
pub use secret::Secret;
