//! What rows look like on the wire.

use std::sync::Arc;

use alloy_primitives::B256;
use axum::{
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use client::record::{Record, RecordAccepted, RecordFailure, RecordFinality, RecordStatus};
use db::{RecordRow, State};
use proof::Failure;

use super::content;
use crate::{
    answer::{HEIGHT, json},
    app::{App, rfc3339},
    problem::{Code, Refusal},
};

/// The id of the record an answer is about.
const RECORD_ID: HeaderName = HeaderName::from_static("ashlar-record-id");

/// The receipt in its compact form.
const CBOR: &str = "application/cbor";

/// The height at which something about `row` is said: never below the one it became final at.
pub(super) fn height(app: &App, row: Option<&RecordRow>) -> u64 {
    let claimed = row
        .and_then(|row| row.claimed)
        .map_or(0, |(height, _)| height);
    app.height().max(claimed)
}

pub(super) const fn status(state: State) -> RecordStatus {
    match state {
        State::Accepted => RecordStatus::Accepted,
        State::Submitted => RecordStatus::Submitted,
        State::Final => RecordStatus::Final,
        State::Failed => RecordStatus::Failed,
    }
}

/// A row without its content.
pub(super) fn record(row: &RecordRow, height: u64) -> Record {
    Record {
        id: row.id,
        idempotency_key: row.idempotency_key.clone(),
        status: status(row.state),
        height,
        accepted: rfc3339(row.created_ms),
        commitment: row.commitment,
        finality: row
            .claimed
            .zip(row.tx_hash)
            .map(|((height, block_ms), transaction)| RecordFinality {
                height,
                time: rfc3339(block_ms),
                transaction,
            }),
        failure: row.failure.clone().map(|failure| RecordFailure {
            code: failure.code,
            detail: failure.detail,
        }),
        erased: row.erased_ms.map(rfc3339),
        kind: None,
        data: None,
        attachments: None,
    }
}

/// What a POST answers that does not wait, or waited in vain.
pub(super) fn accepted(app: &App, row: &RecordRow) -> Response {
    let height = height(app, Some(row));
    let code = if row.state == State::Final {
        StatusCode::OK
    } else {
        StatusCode::ACCEPTED
    };
    let body = RecordAccepted {
        id: row.id,
        status: status(row.state),
        height,
    };
    located(row.id, json(code, height, &body))
}

/// Adds where the record is found.
fn located(id: B256, mut response: Response) -> Response {
    let headers = response.headers_mut();
    if let Ok(location) = HeaderValue::try_from(format!("/v1/records/{id}")) {
        headers.insert(header::LOCATION, location);
    }
    if let Ok(id) = HeaderValue::try_from(id.to_string()) {
        headers.insert(RECORD_ID, id);
    }
    response
}

/// The refusal that a failed record's requests get.
pub(super) fn failed(row: &RecordRow) -> Refusal {
    let (code, detail) = row
        .failure
        .clone()
        .map(|failure| (failure.code, failure.detail))
        .unwrap_or_default();
    let code = if code == Code::IdConflict.as_str() {
        Code::IdConflict
    } else {
        Code::TransactionReverted
    };
    Refusal::new(code, detail).of_record(row.id)
}

/// Whether the receipt is wanted in CBOR: if the client names it, and not JSON before it.
pub(super) fn wants_cbor(headers: &HeaderMap) -> bool {
    let values = headers
        .get_all(header::ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok());
    let types = values
        .flat_map(|value| value.split(','))
        .map(|item| item.split(';').next().unwrap_or_default().trim());
    let mut ours = types.filter(|name| {
        name.eq_ignore_ascii_case(CBOR) || name.eq_ignore_ascii_case("application/json")
    });
    ours.next()
        .is_some_and(|first| first.eq_ignore_ascii_case(CBOR))
}

/// The receipt of a final record. The same bytes every time, until its content is erased: then without content.
pub(super) async fn receipt(
    app: &Arc<App>,
    row: &RecordRow,
    code: StatusCode,
    cbor: bool,
) -> Result<Response, Refusal> {
    let seq = row.seq;
    let (proven, sealed) = app
        .read(move |view| Ok((view.proven(seq)?, view.sealed(seq, 0)?)))
        .await?;
    let not_ready =
        || Refusal::new(Code::ReceiptNotReady, "The record is not final.").of_record(row.id);
    let proven = proven.ok_or_else(not_ready)?;
    let content = sealed
        .map(|sealed| content::open_document(&app.master, &row.id, &sealed))
        .transpose()?;
    let (composing, id, commitment) = (Arc::clone(app), row.id, row.commitment);
    // A new certificate takes milliseconds to check.
    let composed = tokio::task::spawn_blocking(move || {
        let receipt = composing
            .receipts
            .compose(proven, id, commitment, content)?;
        Ok(if cbor {
            (CBOR, receipt.to_cbor())
        } else {
            ("application/json", receipt.to_json_pretty().into_bytes())
        })
    });
    let (media_type, bytes) = composed
        .await
        .map_err(|_| Refusal::new(Code::Internal, "Composing the receipt ended unexpectedly."))?
        .map_err(|failure: Failure| {
            let (step, reason) = (failure.step(), failure.to_string());
            tracing::error!(%id, %step, reason, "a stored receipt does not verify any more");
            let detail = format!("The stored receipt of the record is damaged, in step {step}.");
            Refusal::new(Code::StorageDamaged, detail).of_record(id)
        })?;
    let headers = [
        (HEIGHT, HeaderValue::from(height(app, Some(row)))),
        (header::CONTENT_TYPE, HeaderValue::from_static(media_type)),
        (header::VARY, HeaderValue::from_static("accept")),
    ];
    Ok(located(row.id, (code, headers, bytes).into_response()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cbor_is_given_to_who_names_it_first() {
        let check = |accept: &[&str], expected: bool| {
            let mut headers = HeaderMap::new();
            for value in accept {
                headers.append(header::ACCEPT, value.parse().unwrap());
            }
            assert_eq!(wants_cbor(&headers), expected, "{accept:?}");
        };
        check(&[], false);
        check(&["*/*"], false);
        check(&["application/cbor"], true);
        check(&["Application/CBOR;q=0.9, */*;q=0.1"], true);
        check(&["application/json, application/cbor"], false);
        check(&["text/html", "application/cbor"], true);
    }
}
