//! Step `format`: bytes to a [`Receipt`], and back.
//!
//! Two encodings of one thing: deterministic CBOR, compact, and a JSON twin for people. Converting loses nothing either
//! way. Reading is strict: for each receipt there is exactly one CBOR encoding, and a JSON text is refused for an
//! unknown, missing or repeated member, a number that is not a plain integer, upper-case hex, and so on. Everything has
//! a limit, checked before memory is spent on it.

mod cbor;
pub(crate) mod json;

use crate::canonical::JsonError;
use crate::content::{Body, BodyError};
use crate::receipt::{Content, Receipt};
use alloc::{string::String, vec::Vec};
use alloy_primitives::Bytes;

/// The name, with the version, in every receipt.
pub const FORMAT: &str = "ashlar-receipt/1";

/// A file of either encoding.
pub const FILE_BYTES_MAX: usize = 4 << 20;
/// All headers and trie nodes together.
pub const PROOF_BYTES_MAX: usize = 1 << 20;
/// A content body in canonical form. More belongs in an attachment.
pub const BODY_BYTES_MAX: usize = 1 << 20;
/// Headers from the record's block to the certified one.
pub const HEADERS_MAX: usize = 256;
/// Trie nodes. A key of at most 8 bytes has 16 nibbles, so a path has at most 17 nodes.
pub const NODES_MAX: usize = 17;
/// Siblings in a Merkle path: the depth of a tree with 2^64 leaves.
pub const SIBLINGS_MAX: usize = 64;
/// Attachments of one record.
pub const ATTACHMENTS_MAX: usize = 256;
/// The largest integer in a receipt: beyond it JSON readers disagree.
pub const INTEGER_MAX: u64 = (1 << 53) - 1;

impl Receipt {
    /// Reads either encoding, told by the first byte that is not white space: `{` or the head of a CBOR map.
    pub fn decode(file: &[u8]) -> Result<Self, FormatError> {
        within("the file", file.len(), FILE_BYTES_MAX)?;
        // A CBOR map starts with a byte of 0xa0 to 0xbf, which no JSON text does.
        match file.trim_ascii_start().first() {
            None => Err(FormatError::Empty { field: "the file" }),
            Some(b'{') => Self::from_json(file),
            Some(0xa0..=0xbf) => Self::from_cbor(file),
            Some(_) => Err(FormatError::Unrecognized),
        }
    }

    /// Reads the JSON twin.
    pub fn from_json(text: &[u8]) -> Result<Self, FormatError> {
        within("the file", text.len(), FILE_BYTES_MAX)?;
        let receipt = json::read(text)?;
        receipt.check()?;
        Ok(receipt)
    }

    /// Reads the CBOR form.
    pub fn from_cbor(bytes: &[u8]) -> Result<Self, FormatError> {
        within("the file", bytes.len(), FILE_BYTES_MAX)?;
        let receipt = cbor::read(bytes)?;
        receipt.check()?;
        // One receipt, one encoding: this refuses long integers, indefinite lengths and keys out of order.
        let deterministic = receipt.to_cbor();
        if deterministic != bytes {
            let same = deterministic
                .iter()
                .zip(bytes)
                .take_while(|(a, b)| a == b)
                .count();
            return Err(FormatError::NotDeterministic { at: same });
        }
        Ok(receipt)
    }

    /// The JSON twin, itself in canonical form (RFC 8785).
    pub fn to_json(&self) -> String {
        json::write(self).canonical()
    }

    /// The JSON twin laid out for people.
    pub fn to_json_pretty(&self) -> String {
        json::write(self).pretty()
    }

    /// The CBOR form.
    pub fn to_cbor(&self) -> Vec<u8> {
        cbor::write(self)
    }

    /// Checks the limits, and that the content's body is one. What was read has passed; what was put together has not.
    pub fn check(&self) -> Result<(), FormatError> {
        let integers = [
            ("network.chain_id", Some(self.network.chain_id)),
            ("finalization.epoch", Some(self.finalization.epoch)),
            ("finalization.view", Some(self.finalization.view)),
            (
                "finalization.parent_view",
                Some(self.finalization.parent_view),
            ),
            (
                "inclusion.transaction_index",
                Some(self.inclusion.transaction_index),
            ),
            (
                "inclusion.log_index",
                self.record.as_ref().map(|record| record.log_index),
            ),
            (
                "path.leaf_index",
                self.record.as_ref().map(|record| record.path.leaf_index),
            ),
        ];
        for (field, integer) in integers {
            if integer.is_some_and(|integer| integer > INTEGER_MAX) {
                return Err(FormatError::Integer {
                    field: field.into(),
                });
            }
        }
        not_empty("headers", &self.headers)?;
        within("headers", self.headers.len(), HEADERS_MAX)?;
        not_empty("inclusion.proof", &self.inclusion.proof)?;
        within("inclusion.proof", self.inclusion.proof.len(), NODES_MAX)?;
        let proof_bytes = self
            .headers
            .iter()
            .chain(&self.inclusion.proof)
            .map(|bytes| bytes.len())
            .sum();
        within("headers and inclusion.proof", proof_bytes, PROOF_BYTES_MAX)?;
        if let Some(record) = &self.record {
            within("path.siblings", record.path.siblings.len(), SIBLINGS_MAX)?;
            record.content.as_ref().map_or(Ok(()), check_content)?;
        }
        Ok(())
    }
}

fn check_content(content: &Content) -> Result<(), FormatError> {
    within("content.body", content.body.len(), BODY_BYTES_MAX)?;
    within(
        "content.attachments",
        content.attachments.len(),
        ATTACHMENTS_MAX,
    )?;
    let listed = Body::read(&content.body)?.attachments.len();
    if listed != content.attachments.len() {
        return Err(FormatError::Attachments {
            listed,
            digests: content.attachments.len(),
        });
    }
    Ok(())
}

pub(crate) fn not_empty(field: &'static str, list: &[Bytes]) -> Result<(), FormatError> {
    if list.is_empty() {
        Err(FormatError::Empty { field })
    } else {
        Ok(())
    }
}

/// Checks a size in bytes or a number of items.
pub(crate) fn within(field: &str, size: usize, limit: usize) -> Result<(), FormatError> {
    if size > limit {
        Err(FormatError::TooLarge {
            field: field.into(),
            size,
            limit,
        })
    } else {
        Ok(())
    }
}

/// Why a file is not an `ashlar-receipt/1`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FormatError {
    /// Neither encoding.
    #[error("neither a JSON object nor a CBOR map")]
    Unrecognized,
    /// Over a limit.
    #[error("{field}: {size} is over the limit of {limit}")]
    TooLarge {
        /// What is too large.
        field: String,
        /// Its length, in bytes or items.
        size: usize,
        /// What is allowed.
        limit: usize,
    },
    /// Nothing, where something must be.
    #[error("{field} is empty")]
    Empty {
        /// What is empty.
        field: &'static str,
    },
    /// An integer beyond 2^53 − 1.
    #[error("{field} is over the limit of {INTEGER_MAX}")]
    Integer {
        /// The field.
        field: String,
    },
    /// The body of the content is not one.
    #[error("content.body: {0}")]
    Body(#[from] BodyError),
    /// The body describes another number of attachments.
    #[error("content.body lists {listed} attachments, but there are {digests} digests")]
    Attachments {
        /// In the body.
        listed: usize,
        /// Beside it.
        digests: usize,
    },
    /// The file does not say that it is of this format and version.
    #[error("format is {found:?}, not {expected:?}")]
    Version {
        /// What it says.
        found: String,
        /// What it must say.
        expected: &'static str,
    },
    /// Not JSON as the twin wants it.
    #[error("not acceptable JSON: {0}")]
    Json(#[from] JsonError),
    /// Not CBOR.
    #[error("not a receipt in CBOR: {0}")]
    Cbor(String),
    /// CBOR, but not the deterministic encoding of what it says.
    #[error("not the deterministic CBOR encoding (RFC 8949, 4.2): it differs at byte {at}")]
    NotDeterministic {
        /// The first byte that should be another.
        at: usize,
    },
    /// A member is missing.
    #[error("{field} is missing")]
    Missing {
        /// The member.
        field: String,
    },
    /// A member that there is not, there.
    #[error("{field} is not a field of this format")]
    Unknown {
        /// The member.
        field: String,
    },
    /// A member that occurs twice.
    #[error("{field} occurs twice")]
    Duplicate {
        /// The member.
        field: String,
    },
    /// A member of the wrong kind.
    #[error("{field} must be {expected}")]
    Kind {
        /// The member.
        field: String,
        /// What it must be.
        expected: &'static str,
    },
    /// Bytes of the wrong number.
    #[error("{field} has {found} bytes, not {expected}")]
    Length {
        /// The field.
        field: String,
        /// How many it must have.
        expected: usize,
        /// How many it has.
        found: usize,
    },
    /// A member that only makes sense with another one.
    #[error("{field} needs {other}")]
    Without {
        /// The member that is there.
        field: &'static str,
        /// The one that is not.
        other: &'static str,
    },
}
