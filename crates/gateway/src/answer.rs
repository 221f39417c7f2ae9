//! What all answers have in common.

use axum::{
    Json,
    http::{HeaderName, HeaderValue, StatusCode},
    response::{IntoResponse as _, Response},
};
use serde::Serialize;

/// The chain height an answer was made at.
pub(crate) const HEIGHT: HeaderName = HeaderName::from_static("ashlar-height");

/// A JSON answer made at a height.
pub(crate) fn json(status: StatusCode, height: u64, body: &impl Serialize) -> Response {
    (status, [(HEIGHT, HeaderValue::from(height))], Json(body)).into_response()
}
