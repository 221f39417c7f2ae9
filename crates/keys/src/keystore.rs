//! Keystore files: private keys, encrypted with a password.
//!
//! The format is version 3 of the
//! [Web3 Secret Storage Definition](https://ethereum.org/developers/docs/data-structures-and-encoding/web3-secret-storage), which
//! geth, MetaMask, Foundry and others read and write. A password is made a key by scrypt (or, in files of others, PBKDF2). Its first
//! half encrypts the private key (AES-128 in counter mode), its second half and the ciphertext give a MAC (keccak256).
//!
//! A file says itself how much memory and time its password costs. What would cost too much is refused before any is spent, and
//! only one password is tried at a time.

mod directory;
mod format;

use alloy_primitives::Address;

use crate::FileError;

pub use directory::{Directory, Listed, Name, NameError};
pub use format::Keystore;

/// Shortest password of a new keystore, in bytes. It is read from a file, so a long one troubles nobody.
pub const PASSWORD_BYTES_MIN: usize = 12;

/// Why a keystore cannot be made or opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeystoreError {
    /// It is not JSON of the form of a keystore, or a field of it is not what it must be.
    #[error("it is no keystore file of version 3: {reason}")]
    Malformed {
        /// What is wrong. It repeats no value of the file.
        reason: String,
    },
    /// Another version than 3.
    #[error(
        "it is a keystore of version {version}, and only version 3 is read: open it with the program that wrote it, and export the key"
    )]
    Version {
        /// What it says.
        version: u64,
    },
    /// Another cipher than the one of the definition.
    #[error(
        "it is encrypted by another cipher than aes-128-ctr: open it with the program that wrote it, and export the key"
    )]
    Cipher,
    /// To try a password would take more memory or time than is spent on one.
    #[error(
        "its {field} is {value}, and {limit} is the most that is spent on a password: if the file is truly yours, encrypt the key anew with less"
    )]
    TooCostly {
        /// What of its parameters.
        field: &'static str,
        /// What it is.
        value: u64,
        /// What it may be.
        limit: u64,
    },
    /// The MAC is another: the password is wrong, or the file is damaged. The two cannot be told apart.
    #[error("the password does not open it: it is another one, or the file is damaged")]
    WrongPassword,
    /// What was decrypted is no key. Only a writer that knew the password makes such a file.
    #[error("the password opens it, but there is no private key in it")]
    NoKey,
    /// The key in it has another address than the file says.
    #[error(
        "it says that it is the key of {said}, but it is the key of {actual}: the file was tampered with, so do not use it"
    )]
    Address {
        /// What the file says.
        said: Address,
        /// Whose key it is.
        actual: Address,
    },
    /// A new keystore needs a longer password.
    #[error(
        "the password has {bytes} bytes, and a new keystore needs {PASSWORD_BYTES_MIN} at least: head -c 24 /dev/urandom | base64 makes a good one"
    )]
    WeakPassword {
        /// How many it has.
        bytes: usize,
    },
    /// The file cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),
}
