//! Content that must be erasable is never stored in the clear. Every record has its own random key; the
//! key seals the record's content and attachments, and is itself stored only wrapped under the master key.
//! Destroying the wrapped key makes every copy of the sealed bytes (backups included) meaningless.
//!
//! ```text
//! master key (a file, 0600) ──wraps──▶ record key (random, 32 bytes) ──seals──▶ part 0, 1, 2 … of that record
//!        └── digest: keyed fingerprints of requests, so that no unkeyed hash of personal data is stored
//! ```
//!
//! Pure cryptography: where the sealed bytes live is the business of `db`, and randomness is an argument.
//! It must not know the chain, SQL or HTTP.
//!
//! Cipher: XChaCha20-Poly1305 with a random 24-byte nonce. The associated data binds a ciphertext to its
//! purpose, its record and its part, so sealed bytes moved to another record or position do not open.

mod error;
mod file;
mod key;
mod seal;

pub use error::Error;
pub use file::{create_secret, read_secret};
pub use key::{MasterKey, RecordKey};
pub use seal::{OVERHEAD, RecordId};
