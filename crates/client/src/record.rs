//! The REST nouns around `records`. Hashes are lower-case hex with `0x`, times are RFC 3339 in UTC.

use alloy_primitives::B256;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// The body of `POST /v1/records`: a business fact.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct RecordRequest {
    /// What kind of fact it is, in your words: `shipment`, `ObjectEvent`, …; 1 to 256 bytes.
    #[serde(rename = "type")]
    pub kind: String,
    /// The fact: any JSON up to 256 KiB, at most 64 levels deep, without numbers that a double cannot hold.
    #[cfg_attr(feature = "openapi", schema(value_type = utoipa::openapi::schema::Value))]
    pub data: Box<RawValue>,
    /// Files that belong to it; at most 16.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attachments: Vec<AttachmentRequest>,
}

/// A file that belongs to a record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct AttachmentRequest {
    /// Its file name; 1 to 255 bytes, no path.
    pub name: String,
    /// Its media type, such as `application/pdf`.
    pub media_type: String,
    /// Its bytes in base64 (standard alphabet, padded); at most 4 MiB decoded.
    pub content: String,
}

/// Where a record is on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum RecordStatus {
    /// Durably stored by the gateway; it will be recorded.
    Accepted,
    /// In a signed transaction on its way into a block.
    Submitted,
    /// On chain, for ever. It has a receipt.
    Final,
    /// It can never become final; `failure` says why.
    Failed,
}

/// The answer to `POST /v1/records` when it does not wait for finality.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RecordAccepted {
    /// The record's id on chain.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub id: B256,
    /// Where it is on its way.
    pub status: RecordStatus,
    /// The chain height this answer was made at.
    pub height: u64,
}

/// A record: `GET /v1/records/{id}`, and an item of the list, which leaves out `data` and `attachments`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Record {
    /// The record's id on chain.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub id: B256,
    /// The key under which it was made.
    pub idempotency_key: String,
    /// Where it is on its way.
    pub status: RecordStatus,
    /// The chain height this answer was made at.
    pub height: u64,
    /// When it was accepted.
    pub accepted: String,
    /// What the chain holds for it: `keccak256(salt ‖ sha256(content) ‖ attachments' digests)`.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub commitment: B256,
    /// Where it became final.
    #[serde(rename = "final", default, skip_serializing_if = "Option::is_none")]
    pub finality: Option<RecordFinality>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<RecordFailure>,
    /// When its content was erased. Without content it still has a receipt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub erased: Option<String>,
    /// What kind of fact it is.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// The fact, in canonical form.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<utoipa::openapi::schema::Value>))]
    pub data: Option<Box<RawValue>>,
    /// Its files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attachments: Option<Vec<Attachment>>,
}

/// Where a record became final.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RecordFinality {
    /// The height of the block.
    pub height: u64,
    /// The time of the block.
    pub time: String,
    /// The transaction.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub transaction: B256,
}

/// Why a record failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RecordFailure {
    /// For programs: `id_conflict` or `transaction_reverted`.
    pub code: String,
    /// What happened.
    pub detail: String,
}

/// A file of a record; its bytes are at `/v1/records/{id}/attachments/{index}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Attachment {
    /// Its place in the path of the address.
    pub index: u32,
    /// Its file name.
    pub name: String,
    /// Its media type, as declared.
    pub media_type: String,
    /// Its length in bytes.
    pub size: u64,
    /// The SHA-256 digest of its bytes.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub sha256: B256,
}

/// A page of `GET /v1/records`, newest first.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RecordPage {
    /// The records.
    pub records: Vec<Record>,
    /// Pass it as `cursor` for the next page; absent on the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
    /// The chain height this answer was made at.
    pub height: u64,
}

/// The answer to `DELETE /v1/records/{id}/content`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RecordErased {
    /// The record's id on chain.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub id: B256,
    /// When its content was erased; the first time, if it was asked for more than once.
    pub erased: String,
    /// The chain height this answer was made at.
    pub height: u64,
}
