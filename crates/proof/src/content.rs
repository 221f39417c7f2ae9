//! Step `content`: what was recorded.
//!
//! ```text
//! commitment = keccak256(salt (32) ‖ sha256(body) ‖ sha256(attachment 1) ‖ … )
//! body       = RFC 8785 canonical JSON of {"data": …, "type": "…"}, and with attachments
//!              "attachments": [{"media_type": "…", "name": "…", "size": …}, …]
//! ```
//!
//! The chain holds the commitment alone. The salt is random and kept with the content, so that a commitment to personal
//! data, which could be guessed, says nothing about it; erase content and salt, and the commitment is noise.

use crate::canonical::{JsonError, Object, Value};
use crate::receipt::Content;
use alloc::{
    string::{String, ToString},
    vec::Vec,
};
use alloy_primitives::{B256, keccak256};
use sha2::{Digest, Sha256};

/// What a body says about an attachment; the attachment's digest is in the commitment, beside the body's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attachment {
    /// Its media type (RFC 6838).
    pub media_type: String,
    /// Its file name.
    pub name: String,
    /// Its length in bytes.
    pub size: u64,
}

/// What is committed to, from `content_digest` = SHA-256 of the body and the digests of the attachments in order.
pub fn commitment(salt: &B256, content_digest: &B256, attachment_digests: &[B256]) -> B256 {
    let mut bytes = Vec::with_capacity(64 + 32 * attachment_digests.len());
    for word in [salt, content_digest].into_iter().chain(attachment_digests) {
        bytes.extend_from_slice(word.as_slice());
    }
    keccak256(bytes)
}

/// SHA-256 of a body.
pub fn content_digest(body: &[u8]) -> B256 {
    B256::new(Sha256::digest(body).into())
}

/// SHA-256 of an attachment.
pub fn attachment_digest(attachment: &[u8]) -> B256 {
    B256::new(Sha256::digest(attachment).into())
}

/// Makes the body of a record: canonical JSON.
pub fn body(record_type: &str, data: &Value, attachments: &[Attachment]) -> String {
    let described = attachments.iter().map(|attachment| {
        let members = [
            ("media_type", attachment.media_type.as_str().into()),
            ("name", attachment.name.as_str().into()),
            ("size", attachment.size.into()),
        ];
        Value::Object(Object::from_iter(members))
    });
    let mut members = alloc::vec![("data", data.clone()), ("type", record_type.into())];
    if !attachments.is_empty() {
        members.push(("attachments", Value::Array(described.collect())));
    }
    Value::Object(Object::from_iter(members)).canonical()
}

/// A body that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Body {
    /// The record's type.
    pub record_type: String,
    /// The record's data.
    pub data: Value,
    /// What it says about its attachments.
    pub attachments: Vec<Attachment>,
}

impl Body {
    /// Reads a body, which must be in canonical form and have the members of a body and no others.
    pub fn read(body: &[u8]) -> Result<Self, BodyError> {
        let value = Value::parse(body)?;
        if value.canonical().as_bytes() != body {
            return Err(BodyError::NotCanonical);
        }
        Self::from_value(&value)
    }

    fn from_value(value: &Value) -> Result<Self, BodyError> {
        let members = exactly(value, "the body", &["attachments", "data", "type"])?;
        let data = members.get("data").ok_or(BodyError::Shape("data"))?.clone();
        let record_type = members
            .get("type")
            .and_then(Value::as_str)
            .ok_or(BodyError::Shape("type"))?
            .to_string();
        let attachments = match members.get("attachments") {
            None => Vec::new(),
            // No attachments are written in one way only: without the member.
            Some(listed) => match listed.as_array().ok_or(BodyError::Shape("attachments"))? {
                [] => return Err(BodyError::Shape("attachments")),
                items => items
                    .iter()
                    .map(Attachment::from_value)
                    .collect::<Result<_, _>>()?,
            },
        };
        Ok(Self {
            record_type,
            data,
            attachments,
        })
    }
}

impl Attachment {
    fn from_value(value: &Value) -> Result<Self, BodyError> {
        let members = exactly(value, "an attachment", &["media_type", "name", "size"])?;
        let string = |name| {
            members
                .get(name)
                .and_then(Value::as_str)
                .ok_or(BodyError::Shape(name))
        };
        let size = members
            .get("size")
            .and_then(Value::as_u64)
            .ok_or(BodyError::Shape("size"))?;
        Ok(Self {
            media_type: string("media_type")?.to_string(),
            name: string("name")?.to_string(),
            size,
        })
    }
}

/// The members of an object that has none but `allowed`.
fn exactly<'a>(
    value: &'a Value,
    what: &'static str,
    allowed: &[&str],
) -> Result<&'a Object, BodyError> {
    let members = value.as_object().ok_or(BodyError::Shape(what))?;
    match members.iter().find(|(name, _)| !allowed.contains(name)) {
        Some((name, _)) => Err(BodyError::Unknown(name.to_string())),
        None => Ok(members),
    }
}

/// Checks that `content` opens `expected`.
pub fn verify_content(content: &Content, expected: &B256) -> Result<(), ContentError> {
    let computed = commitment(
        &content.salt,
        &content_digest(&content.body),
        &content.attachments,
    );
    if computed == *expected {
        Ok(())
    } else {
        Err(ContentError {
            computed,
            expected: *expected,
        })
    }
}

/// The content is not what was committed to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "salt, body and attachment digests give the commitment {computed}, but {expected} was recorded"
)]
pub struct ContentError {
    /// The commitment of the content in the file.
    pub computed: B256,
    /// The one in the path.
    pub expected: B256,
}

/// Why bytes are not a body.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// Not acceptable JSON.
    #[error(transparent)]
    Json(#[from] JsonError),
    /// One content has one spelling.
    #[error("not in canonical form (RFC 8785)")]
    NotCanonical,
    /// A member that a body does not have.
    #[error("unknown field {0:?}")]
    Unknown(String),
    /// A member is missing or of the wrong kind.
    #[error("{0} is missing or not what a body has there")]
    Shape(&'static str),
}
