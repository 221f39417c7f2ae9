//! `GET /v1/records/{id}` and what hangs on it.

use std::sync::Arc;

use alloy_primitives::B256;
use axum::{
    extract::{FromRequestParts, Path, State},
    http::{HeaderMap, HeaderValue, StatusCode, header, request::Parts},
    response::{IntoResponse as _, Response},
};
use client::{
    problem::Problem,
    record::{Attachment, Record},
};
use db::{RecordRow, State as RecordState};
use proof::{Content, content::Body};
use serde_json::value::RawValue;

use super::{answer, content};
use crate::{
    app::App,
    auth::Tenant,
    problem::{Code, Refusal},
};

/// The record in the path, which belongs to the tenant: another tenant's is as if it did not exist.
pub(super) struct Owned {
    pub(super) row: RecordRow,
    /// Whatever else the path names.
    pub(super) rest: Option<String>,
}

impl FromRequestParts<Arc<App>> for Owned {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Refusal> {
        let tenant = Tenant::from_request_parts(parts, app).await?;
        let segments = Path::<Vec<(String, String)>>::from_request_parts(parts, app).await;
        let Path(segments) =
            segments.map_err(|error| Refusal::new(Code::ParameterInvalid, error.body_text()))?;
        let mut segments = segments.into_iter().map(|(_, value)| value);
        let text = segments.next().unwrap_or_default();
        let id = text
            .strip_prefix("0x")
            .and_then(|digits| digits.parse::<B256>().ok())
            .ok_or_else(|| {
                Refusal::new(
                    Code::ParameterInvalid,
                    format!("{text:?} is not a record id (0x and 64 hexadecimal digits)."),
                )
            })?;
        let row = app.read(move |view| view.record_by_id(&id)).await?;
        match row.filter(|row| *row.tenant == *tenant.0) {
            Some(row) => Ok(Self {
                row,
                rest: segments.next(),
            }),
            None => {
                let detail = format!("There is no record {id} of this tenant.");
                Err(Refusal::new(Code::RecordNotFound, detail).of_record(id))
            }
        }
    }
}

/// Read a record
///
/// Its content, where it is on its way, and the chain height this was answered at. After an erasure the content is
/// absent and `erased` says since when.
#[utoipa::path(
    get,
    path = "/v1/records/{id}",
    tag = "records",
    params(("id" = String, Path, description = "The record's id: 0x and 64 hexadecimal digits")),
    responses(
        (status = 200, description = "The record", body = Record),
        (status = 400, description = "Not an id", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "No valid API key", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such record of this tenant", body = Problem, content_type = "application/problem+json"),
    ),
    security(("api_key" = [])),
)]
pub(super) async fn read_record(
    State(app): State<Arc<App>>,
    owned: Owned,
) -> Result<Response, Refusal> {
    let row = owned.row;
    let seq = row.seq;
    let sealed = app.read(move |view| view.sealed(seq, 0)).await?;
    let height = answer::height(&app, Some(&row));
    let mut record = answer::record(&row, height);
    if let Some(sealed) = sealed {
        let content = content::open_document(&app.master, &row.id, &sealed)?;
        describe(&mut record, &content).map_err(|reason| {
            tracing::error!(id = %row.id, reason, "stored content cannot be read");
            Refusal::new(
                Code::StorageDamaged,
                "The stored content of the record is damaged.",
            )
            .of_record(row.id)
        })?;
    }
    Ok(crate::answer::json(StatusCode::OK, height, &record))
}

/// Adds the content. The data goes out as it was committed to, digit by digit.
fn describe(record: &mut Record, content: &Content) -> Result<(), String> {
    let body = Body::read(&content.body).map_err(|error| error.to_string())?;
    let data = RawValue::from_string(body.data.canonical()).map_err(|error| error.to_string())?;
    record.kind = Some(body.record_type);
    record.data = Some(data);
    let attachments = (0..).zip(body.attachments).zip(&content.attachments);
    let attachments = attachments.map(|((index, attachment), sha256)| Attachment {
        index,
        name: attachment.name,
        media_type: attachment.media_type,
        size: attachment.size,
        sha256: *sha256,
    });
    record.attachments = Some(attachments.collect());
    Ok(())
}

/// Get a record's receipt
///
/// One small file that proves, offline and against the network's public key, that the record is final. The same bytes
/// every time; without the content once that is erased. Check it with `ashlar verify`.
#[utoipa::path(
    get,
    path = "/v1/records/{id}/receipt",
    tag = "records",
    params(
        ("id" = String, Path, description = "The record's id"),
        ("Accept" = Option<String>, Header, description = "`application/cbor` for the compact form"),
    ),
    responses(
        (status = 200, description = "The receipt (`ashlar-receipt/1`)", content(
            (Object = "application/json"),
            (Vec<u8> = "application/cbor"),
        )),
        (status = 400, description = "Not an id", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "No valid API key", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such record of this tenant", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "Not final yet, or failed for good", body = Problem, content_type = "application/problem+json"),
    ),
    security(("api_key" = [])),
)]
pub(super) async fn read_receipt(
    State(app): State<Arc<App>>,
    owned: Owned,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let row = owned.row;
    match row.state {
        RecordState::Final => {
            answer::receipt(&app, &row, StatusCode::OK, answer::wants_cbor(&headers)).await
        }
        RecordState::Failed => Err(answer::failed(&row)),
        RecordState::Accepted | RecordState::Submitted => {
            let detail = format!("The record is {}.", row.state.as_str());
            Err(Refusal::new(Code::ReceiptNotReady, detail).of_record(row.id))
        }
    }
}

/// Download an attachment
///
/// The bytes as they were sent. They come as a download, never to be shown in place: what is in them was chosen by
/// whoever recorded them.
#[utoipa::path(
    get,
    path = "/v1/records/{id}/attachments/{index}",
    tag = "records",
    params(
        ("id" = String, Path, description = "The record's id"),
        ("index" = u32, Path, description = "The attachment's index, from 0"),
    ),
    responses(
        (status = 200, description = "The bytes", body = Vec<u8>, content_type = "application/octet-stream"),
        (status = 400, description = "Not an id or index", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "No valid API key", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such record or attachment", body = Problem, content_type = "application/problem+json"),
        (status = 410, description = "The content was erased", body = Problem, content_type = "application/problem+json"),
    ),
    security(("api_key" = [])),
)]
pub(super) async fn read_attachment(
    State(app): State<Arc<App>>,
    owned: Owned,
) -> Result<Response, Refusal> {
    let Owned { row, rest } = owned;
    let text = rest.unwrap_or_default();
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let index: u32 = text.parse().ok().filter(|_| digits).ok_or_else(|| {
        Refusal::new(
            Code::ParameterInvalid,
            format!("{text:?} is not the index of an attachment."),
        )
    })?;
    if row.erased_ms.is_some() {
        return Err(
            Refusal::new(Code::ContentErased, "The record's content was erased.").of_record(row.id),
        );
    }
    let seq = row.seq;
    let part = index.saturating_add(1);
    let (document, sealed) = app
        .read(move |view| Ok((view.sealed(seq, 0)?, view.sealed(seq, part)?)))
        .await?;
    let (Some(document), Some(sealed)) = (document, sealed) else {
        let detail = format!("The record has no attachment {index}.");
        return Err(Refusal::new(Code::AttachmentNotFound, detail).of_record(row.id));
    };
    let opened =
        tokio::task::spawn_blocking(move || open(&app, &row, index, &document, &sealed)).await;
    opened
        .map_err(|_| Refusal::new(Code::Internal, "Opening the attachment ended unexpectedly."))?
}

fn open(
    app: &App,
    row: &RecordRow,
    index: u32,
    document: &db::Sealed,
    sealed: &db::Sealed,
) -> Result<Response, Refusal> {
    let content = content::open_document(&app.master, &row.id, document)?;
    let bytes = content::open_attachment(&app.master, &row.id, index, sealed)?;
    let listed = Body::read(&content.body)
        .ok()
        .and_then(|body| body.attachments.into_iter().nth(index as usize));
    let (name, media_type) =
        listed.map_or_else(Default::default, |listed| (listed.name, listed.media_type));
    let octets = HeaderValue::from_static("application/octet-stream");
    let headers = [
        (
            header::CONTENT_TYPE,
            HeaderValue::try_from(media_type).unwrap_or(octets),
        ),
        (header::CONTENT_DISPOSITION, disposition(&name)),
        (
            header::CONTENT_SECURITY_POLICY,
            HeaderValue::from_static("default-src 'none'; sandbox"),
        ),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    let mut response = (headers, bytes).into_response();
    response.headers_mut().insert(
        "ashlar-height",
        HeaderValue::from(answer::height(app, Some(row))),
    );
    Ok(response)
}

/// A download under `name` (RFC 6266), spelled so that no character of it can mean anything else in a header.
fn disposition(name: &str) -> HeaderValue {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    let encoded: String = name
        .bytes()
        .map(|byte| {
            if plain(byte) {
                char::from(byte).to_string()
            } else {
                format!("%{byte:02X}")
            }
        })
        .collect();
    let fallback: String = name
        .chars()
        .map(|char| {
            if u8::try_from(char).is_ok_and(plain) {
                char
            } else {
                '_'
            }
        })
        .collect();
    HeaderValue::try_from(format!(
        "attachment; filename=\"{fallback}\"; filename*=UTF-8''{encoded}"
    ))
    .unwrap_or(HeaderValue::from_static("attachment"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_name_cannot_break_out_of_its_header() {
        let check =
            |name: &str, expected: &str| assert_eq!(disposition(name).to_str().unwrap(), expected);
        check(
            "a.pdf",
            "attachment; filename=\"a.pdf\"; filename*=UTF-8''a.pdf",
        );
        check(
            "\u{e9} \"x\";y",
            "attachment; filename=\"___x__y\"; filename*=UTF-8''%C3%A9%20%22x%22%3By",
        );
    }
}
