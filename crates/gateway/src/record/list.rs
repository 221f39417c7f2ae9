//! `GET /v1/records`.

use std::sync::Arc;

use axum::{
    extract::{Query, State, rejection::QueryRejection},
    http::StatusCode,
    response::Response,
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use client::{problem::Problem, record::RecordPage};
use serde::Deserialize;

use super::answer;
use crate::{
    app::App,
    auth::Tenant,
    problem::{Code, Refusal},
    query,
};

const LIMIT_DEFAULT: u16 = 50;
const LIMIT_MAX: u16 = 200;

/// First byte of a cursor, so that another kind of cursor is told from this one.
const CURSOR: u8 = 1;

/// Which part of the list.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ListQuery {
    limit: Option<u16>,
    cursor: Option<String>,
}

/// List records
///
/// The tenant's records, the newest first, without their content. Pages neither skip nor repeat records while new ones
/// arrive.
#[utoipa::path(
    get,
    path = "/v1/records",
    tag = "records",
    params(
        ("limit" = Option<u16>, Query, description = "How many records; 1 to 200, 50 if absent"),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before; the newest records if absent"),
    ),
    responses(
        (status = 200, description = "A page", body = RecordPage),
        (status = 400, description = "Not a cursor or limit", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "No valid API key", body = Problem, content_type = "application/problem+json"),
    ),
    security(("api_key" = [])),
)]
pub(super) async fn list_records(
    State(app): State<Arc<App>>,
    tenant: Tenant,
    query: Result<Query<ListQuery>, QueryRejection>,
) -> Result<Response, Refusal> {
    let query = query::parameters(query)?;
    let limit = query::limit(query.limit, LIMIT_DEFAULT, LIMIT_MAX)?;
    let before = query.cursor.as_deref().map(decode).transpose()?;
    let page = app
        .read(move |view| view.records(Some(&tenant.0), before, limit))
        .await?;
    let height = page.records.iter().fold(app.height(), |height, row| {
        height.max(answer::height(&app, Some(row)))
    });
    let records = page
        .records
        .iter()
        .map(|row| answer::record(row, height))
        .collect();
    let page = RecordPage {
        records,
        next_cursor: page.next.map(encode),
        height,
    };
    Ok(crate::answer::json(StatusCode::OK, height, &page))
}

fn encode(before: u64) -> String {
    let mut bytes = vec![CURSOR];
    bytes.extend_from_slice(&before.to_be_bytes());
    URL_SAFE_NO_PAD.encode(bytes)
}

fn decode(cursor: &str) -> Result<u64, Refusal> {
    let bytes = URL_SAFE_NO_PAD.decode(cursor).ok();
    let before = bytes
        .as_deref()
        .and_then(|bytes| match bytes.split_first() {
            Some((&CURSOR, before)) => before.try_into().ok().map(u64::from_be_bytes),
            _ => None,
        });
    let before = before.filter(|before| i64::try_from(*before).is_ok());
    before.ok_or_else(|| {
        Refusal::new(
            Code::CursorInvalid,
            "The cursor is none that this gateway gave out.",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_go_there_and_back_and_nothing_else_passes() {
        for before in [0, 1, 77, i64::MAX as u64] {
            assert_eq!(decode(&encode(before)).unwrap(), before);
        }
        for cursor in [
            "",
            "1",
            "AQ",
            "AgAAAAAAAAAB",
            "AQAAAAAAAAABAA",
            "AQ==",
            "%",
            &encode(u64::MAX),
        ] {
            assert_eq!(
                decode(cursor).unwrap_err().code,
                Code::CursorInvalid,
                "{cursor}"
            );
        }
    }
}
