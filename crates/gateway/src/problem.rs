//! Everything that can be wrong with a request, in one place: RFC 9457 problem documents. Codes are public and are
//! never renamed.

use alloy_primitives::B256;
use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use client::problem::{PROBLEM_JSON, Problem};

/// A kind of problem.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Code {
    AttachmentNotFound,
    AttachmentTooLarge,
    AttachmentsTooMany,
    BacklogFull,
    BodyInterrupted,
    BodyTimeout,
    BodyTooLarge,
    ContentErased,
    ContentTypeUnsupported,
    CursorInvalid,
    DataTooLarge,
    DisputeNotFound,
    FieldInvalid,
    FieldMissing,
    FieldUnknown,
    FinalityStalled,
    GovernanceRefused,
    IdConflict,
    IdempotencyKeyInvalid,
    IdempotencyKeyMissing,
    IdempotencyKeyReused,
    Internal,
    JsonDuplicateKey,
    JsonMalformed,
    JsonNumberInexact,
    JsonTooDeep,
    MethodNotAllowed,
    MotionNotFound,
    NodeUnavailable,
    NotFound,
    NotReady,
    Overloaded,
    ParameterInvalid,
    ProposalNotFound,
    ReceiptNotReady,
    RecordNotFound,
    StorageDamaged,
    StorageFailed,
    StorageFull,
    TransactionRefused,
    TransactionReverted,
    Unauthorized,
}

impl Code {
    /// The code, the HTTP status, the title, and what to do.
    const fn describe(self) -> (&'static str, StatusCode, &'static str, &'static str) {
        use StatusCode as S;
        match self {
            Self::AttachmentNotFound => (
                "attachment_not_found",
                S::NOT_FOUND,
                "No such attachment",
                "Read the record: it lists its attachments with their indices, from 0.",
            ),
            Self::AttachmentTooLarge => (
                "attachment_too_large",
                S::PAYLOAD_TOO_LARGE,
                "An attachment is too large",
                "Keep each attachment within 4 MiB; for more, record the SHA-256 digest of the file in `data`.",
            ),
            Self::AttachmentsTooMany => (
                "attachments_too_many",
                S::BAD_REQUEST,
                "Too many attachments",
                "Keep to 16 attachments in a record; put more into an archive, or into further records.",
            ),
            Self::BacklogFull => (
                "backlog_full",
                S::SERVICE_UNAVAILABLE,
                "Too many records wait for the chain",
                "Send the same request again after the time in Retry-After; /readyz tells what holds the chain up.",
            ),
            Self::BodyInterrupted => (
                "body_interrupted",
                S::BAD_REQUEST,
                "The body ended early",
                "Send the request again, with the same Idempotency-Key.",
            ),
            Self::BodyTimeout => (
                "body_timeout",
                S::REQUEST_TIMEOUT,
                "The body arrived too slowly",
                "Send the request again, with the same Idempotency-Key, over a faster connection or with less in it.",
            ),
            Self::BodyTooLarge => (
                "body_too_large",
                S::PAYLOAD_TOO_LARGE,
                "The body is too large",
                "Keep the whole body within 8 MiB; split the attachments over several records.",
            ),
            Self::ContentErased => (
                "content_erased",
                S::GONE,
                "The content was erased",
                "Nothing brings it back. The record's receipt still verifies, without content.",
            ),
            Self::ContentTypeUnsupported => (
                "content_type_unsupported",
                S::UNSUPPORTED_MEDIA_TYPE,
                "The body must be JSON",
                "Send JSON in UTF-8 with the header `Content-Type: application/json`.",
            ),
            Self::CursorInvalid => (
                "cursor_invalid",
                S::BAD_REQUEST,
                "Not a cursor",
                "Pass `next_cursor` of the page before exactly as it was, or leave it out to start again.",
            ),
            Self::DataTooLarge => (
                "data_too_large",
                S::PAYLOAD_TOO_LARGE,
                "`data` is too large",
                "Keep `data` within 256 KiB; send the rest as an attachment.",
            ),
            Self::FieldInvalid => (
                "field_invalid",
                S::BAD_REQUEST,
                "A field has a wrong value",
                "Correct the field; /docs describes each.",
            ),
            Self::FieldMissing => (
                "field_missing",
                S::BAD_REQUEST,
                "A field is missing",
                "Add the field; /docs describes each.",
            ),
            Self::FieldUnknown => (
                "field_unknown",
                S::BAD_REQUEST,
                "A field is unknown",
                "Remove the field, or correct its name; what belongs to the fact goes into `data`.",
            ),
            Self::FinalityStalled => (
                "finality_stalled",
                S::SERVICE_UNAVAILABLE,
                "No block of the network becomes final",
                "Records are accepted and kept, and become final when the network goes on, with nothing more to do. What is \
                 final already can be read. The detail says which validators the network waits for.",
            ),
            Self::GovernanceRefused => (
                "governance_refused",
                S::CONFLICT,
                "The contract refuses",
                "Read `detail`: it is what the contract says. `GET /v1/governance/proposals`, `/v1/pauses/motions` and \
                 `/v1/disputes` tell how things stand.",
            ),
            Self::IdConflict => (
                "id_conflict",
                S::CONFLICT,
                "The id holds another fact",
                "On chain the record's id already holds another commitment; use a new Idempotency-Key.",
            ),
            Self::IdempotencyKeyInvalid => (
                "idempotency_key_invalid",
                S::BAD_REQUEST,
                "The Idempotency-Key is not usable",
                "Send exactly one Idempotency-Key of 1 to 255 of the characters A-Z a-z 0-9 - _ . : ~ / + = @.",
            ),
            Self::IdempotencyKeyMissing => (
                "idempotency_key_missing",
                S::BAD_REQUEST,
                "The Idempotency-Key is missing",
                "Send the header `Idempotency-Key` with a name of your own for this fact, such as an order number or \
                 a UUID, and the same one when you repeat the request.",
            ),
            Self::IdempotencyKeyReused => (
                "idempotency_key_reused",
                S::UNPROCESSABLE_ENTITY,
                "The Idempotency-Key belongs to another request",
                "Use a new key for a new fact; to repeat a request, send the same type, data and attachments.",
            ),
            Self::Internal => (
                "internal",
                S::INTERNAL_SERVER_ERROR,
                "The gateway failed",
                "Send the request again, with the same Idempotency-Key; if it fails again, see the gateway's log.",
            ),
            Self::JsonDuplicateKey => (
                "json_duplicate_key",
                S::BAD_REQUEST,
                "A key occurs twice in a JSON object",
                "Send each key of an object once: readers differ in which one they would take.",
            ),
            Self::JsonMalformed => (
                "json_malformed",
                S::BAD_REQUEST,
                "The body is not JSON",
                "Correct the text at the place named.",
            ),
            Self::JsonNumberInexact => (
                "json_number_inexact",
                S::BAD_REQUEST,
                "A number cannot be kept exactly",
                "Write it as a string: JSON readers hold numbers as doubles and would change it.",
            ),
            Self::JsonTooDeep => (
                "json_too_deep",
                S::BAD_REQUEST,
                "The JSON is nested too deeply",
                "Nest at most 64 levels; send deeper documents as an attachment.",
            ),
            Self::MethodNotAllowed => (
                "method_not_allowed",
                S::METHOD_NOT_ALLOWED,
                "The method does not exist here",
                "Use one of the methods in the header Allow; /docs lists all routes.",
            ),
            Self::NotFound => (
                "not_found",
                S::NOT_FOUND,
                "No such route",
                "See /docs for all routes, or /openapi.json.",
            ),
            Self::NodeUnavailable => (
                "node_unavailable",
                S::SERVICE_UNAVAILABLE,
                "No node answers this",
                "Ask again shortly; /readyz tells whether the organization's nodes can be reached.",
            ),
            Self::NotReady => (
                "not_ready",
                S::SERVICE_UNAVAILABLE,
                "The gateway cannot do all its work",
                "Repair what is named. Until then records are accepted as long as they can be stored.",
            ),
            Self::Overloaded => (
                "overloaded",
                S::SERVICE_UNAVAILABLE,
                "Too much at once",
                "Send the same request again after the time in Retry-After.",
            ),
            Self::ParameterInvalid => (
                "parameter_invalid",
                S::BAD_REQUEST,
                "A part of the address is not valid",
                "Correct the parameter; /docs describes each.",
            ),
            Self::DisputeNotFound => (
                "dispute_not_found",
                S::NOT_FOUND,
                "No such dispute",
                "List what there is: GET /v1/disputes.",
            ),
            Self::MotionNotFound => (
                "motion_not_found",
                S::NOT_FOUND,
                "No such motion",
                "List what there is: GET /v1/pauses/motions.",
            ),
            Self::ProposalNotFound => (
                "proposal_not_found",
                S::NOT_FOUND,
                "No such proposal",
                "List what there is: GET /v1/governance/proposals.",
            ),
            Self::ReceiptNotReady => (
                "receipt_not_ready",
                S::CONFLICT,
                "The record is not final yet",
                "Ask again shortly, or send the record with `?wait=final`; a receipt exists from finality on.",
            ),
            Self::RecordNotFound => (
                "record_not_found",
                S::NOT_FOUND,
                "No such record",
                "Check the id; a key sees the records of its own tenant only.",
            ),
            Self::StorageDamaged => (
                "storage_damaged",
                S::INTERNAL_SERVER_ERROR,
                "What the gateway stored of this record is damaged",
                "The record is as final as it was: the chain has it. The operator finds the reason in the gateway's \
                 log and restores its data from a backup.",
            ),
            Self::StorageFailed => (
                "storage_failed",
                S::INTERNAL_SERVER_ERROR,
                "The gateway could not store or read",
                "Nothing was accepted. Send the request again, with the same Idempotency-Key, when the operator has \
                 repaired the storage; see the gateway's log.",
            ),
            Self::StorageFull => (
                "storage_full",
                S::INSUFFICIENT_STORAGE,
                "The gateway has no space left",
                "Nothing was accepted. Send the request again, with the same Idempotency-Key, when the operator has \
                 made space.",
            ),
            Self::TransactionRefused => (
                "transaction_refused",
                S::CONFLICT,
                "The node does not take the transaction",
                "Read `detail`; prepare the transaction anew, have it signed, and send it.",
            ),
            Self::TransactionReverted => (
                "transaction_reverted",
                S::CONFLICT,
                "The chain refused the record",
                "See the detail; the contract of this network refuses this record.",
            ),
            Self::Unauthorized => (
                "unauthorized",
                S::UNAUTHORIZED,
                "A valid API key is needed",
                "Send the header `Authorization: Bearer <API key>`; the operator of this gateway hands out keys.",
            ),
        }
    }

    pub(crate) const fn as_str(self) -> &'static str {
        self.describe().0
    }
}

/// A refused request.
#[derive(Debug, Clone)]
pub(crate) struct Refusal {
    pub(crate) code: Code,
    detail: String,
    record: Option<B256>,
    retry_after_s: Option<u32>,
}

impl Refusal {
    pub(crate) fn new(code: Code, detail: impl Into<String>) -> Self {
        let retry_after_s = match code {
            Code::Overloaded | Code::ReceiptNotReady => Some(1),
            Code::BacklogFull
            | Code::StorageFull
            | Code::NodeUnavailable
            | Code::NotReady
            | Code::FinalityStalled => Some(5),
            _ => None,
        };
        Self {
            code,
            detail: detail.into(),
            record: None,
            retry_after_s,
        }
    }

    pub(crate) const fn of_record(mut self, id: B256) -> Self {
        self.record = Some(id);
        self
    }

    pub(crate) fn document(&self) -> Problem {
        let (code, status, title, next) = self.code.describe();
        Problem {
            kind: format!("urn:ashlar:problem:{code}"),
            title: title.to_owned(),
            status: status.as_u16(),
            code: code.to_owned(),
            detail: self.detail.clone(),
            next: next.to_owned(),
            record: self.record.map(|id| id.to_string()),
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (_, status, ..) = self.code.describe();
        let body = serde_json::to_vec(&self.document()).unwrap_or_default();
        let mut response = (status, [(header::CONTENT_TYPE, PROBLEM_JSON)], body).into_response();
        let headers = response.headers_mut();
        if let Some(seconds) = self.retry_after_s {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.code == Code::Unauthorized {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

impl From<db::Error> for Refusal {
    /// What the storage says is for the operator; the client hears what it means for the request.
    fn from(error: db::Error) -> Self {
        match error {
            db::Error::Busy => Self::new(Code::Overloaded, "Too many writes are waiting."),
            db::Error::Full { .. } => {
                tracing::error!(%error, "no space left");
                Self::new(
                    Code::StorageFull,
                    "The journal could not grow; nothing was accepted.",
                )
            }
            db::Error::Stopped => Self::new(Code::Overloaded, "The gateway is shutting down."),
            _ => {
                tracing::error!(%error, "the journal failed");
                Self::new(Code::StorageFailed, "The database answered with an error.")
            }
        }
    }
}
