//! The receipt, `ashlar-receipt/1`: one small file that proves, offline and against one public key, that a record
//! (or the effect of a transaction) was final in a network at a height and a time.
//!
//! This is the part an auditor reads. It knows nothing of networks, storage or the node; it compiles without `std`.
//! `docs/receipt.md` is the specification; this crate is one implementation of it. The files, in reading order, are
//! the steps of the verification, in the order in which they are made (cheap hashes first, the pairing last):
//!
//! ```text
//! bytes ── format ──► Receipt ── verify ─────────────────────────────────────────────────────► Verdict
//!          cbor │ json           identity    is the key in the file the one you trust?
//!          strict, limited       headers     block h, its child, …, block h'
//!                                inclusion   header h ► transaction receipt ► log ► batch root
//!                                path        batch root ► record id and commitment
//!                                content     commitment ► salt, JSON body, attachment digests   (optional)
//!                                finalization   header h' ► one BLS signature by the identity
//! ```
//!
//! A second, smaller document proves state: [`StateProof`], `ashlar-state-proof/1`, in the module [`state`]. And a receipt of a
//! network's end leads from its identity to its successor's: [`succession`].
//!
//! Whoever makes receipts finds the same building blocks here ([`commitment`], [`namespace`], [`Recorded`], and the
//! module `build` behind the feature of that name), so that maker and verifier cannot drift apart.

#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

pub mod receipt;

pub mod format;

pub mod finalization;

pub mod headers;

pub mod inclusion;

pub mod path;

pub mod content;

pub mod verify;

pub mod succession;

pub mod canonical;

pub mod state;

#[cfg(feature = "build")]
pub mod build;

pub use canonical::canonical_json;
pub use content::{Attachment, attachment_digest, body, commitment};
pub use finalization::{IdentityKey, namespace, verify_finalization};
pub use format::FormatError;
pub use headers::{Header, header_hash, verify_headers};
pub use inclusion::{RECORDS, Recorded};
pub use path::{leaf, node};
pub use receipt::{
    Content, Finalization, Identity, Inclusion, Network, Path, Receipt, Record, Signature,
};
pub use state::{StateFailure, StateProof, StateStep, StateVerdict, verify_state};
pub use succession::{Lineage, SUCCESSION, Succession, SuccessionError};
pub use verify::{Failure, Step, Verdict, verify, verify_claims};
