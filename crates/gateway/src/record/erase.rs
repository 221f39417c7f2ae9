//! `DELETE /v1/records/{id}/content`.

use std::sync::Arc;

use axum::{extract::State, http::StatusCode, response::Response};
use client::{problem::Problem, record::RecordErased};

use super::{answer, read::Owned};
use crate::{
    app::{App, now_ms, rfc3339},
    problem::{Code, Refusal},
};

/// Erase a record's content
///
/// Destroys the record's key, its content, salt and attachments, and the digest of its request; when this answers, no
/// file of the gateway holds them. On chain there is nothing to erase: the commitment means nothing without the salt.
/// The record and its receipt stay, and the receipt still verifies. Erasing again changes nothing. Copies elsewhere
/// (backups, receipts handed out with content) are yours to find.
#[utoipa::path(
    delete,
    path = "/v1/records/{id}/content",
    tag = "records",
    params(("id" = String, Path, description = "The record's id")),
    responses(
        (status = 200, description = "Erased", body = RecordErased),
        (status = 400, description = "Not an id", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "No valid API key", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such record of this tenant", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "Not erased everywhere yet: ask again", body = Problem, content_type = "application/problem+json"),
    ),
    security(("api_key" = [])),
)]
pub(super) async fn erase_content(
    State(app): State<Arc<App>>,
    owned: Owned,
) -> Result<Response, Refusal> {
    let row = owned.row;
    let id = row.id;
    let erased = app
        .journal
        .writer
        .write_and_checkpoint(move |tx| tx.erase(&id, now_ms()))
        .await?;
    let erased_ms =
        erased.ok_or_else(|| Refusal::new(Code::Internal, "The record is gone.").of_record(id))?;
    app.metrics.erased.inc();
    let height = answer::height(&app, Some(&row));
    Ok(crate::answer::json(
        StatusCode::OK,
        height,
        &RecordErased {
            id,
            erased: rfc3339(erased_ms),
            height,
        },
    ))
}
