//! `POST /v1/records`.

use std::sync::Arc;

use alloy_primitives::B256;
use axum::{
    Extension,
    extract::{Query, Request, State, rejection::QueryRejection},
    http::{HeaderName, HeaderValue, StatusCode},
    response::Response,
};
use client::{
    problem::Problem,
    record::{RecordAccepted, RecordRequest},
};
use db::{Inserted, NewRecord, RecordRow, State as RecordState};
use serde::Deserialize;

use super::{
    answer, content,
    request::{Fact, idempotency_key},
};
use crate::{
    admit::Place,
    app::{App, Name, now_ms},
    auth::Tenant,
    body,
    problem::{Code, Refusal},
};

/// Says that the answer is to a request made before.
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// Bodies above this are parsed and sealed off the threads that serve.
const INLINE_BYTES_MAX: usize = 64 << 10;

/// How the answer is to come.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CreateQuery {
    wait: Option<Wait>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Wait {
    Final,
}

/// A record as it stands after the request, and whether it stood before.
struct Promised {
    row: RecordRow,
    replayed: bool,
}

/// Record a business fact
///
/// The answer means that the fact is durable here and will be recorded. The same request may be sent again at any time,
/// by whoever has lost the answer: with the same `Idempotency-Key` and the same content (key order, white space and the
/// spelling of numbers do not matter) it has one effect and gets the same result, marked `idempotency-replayed: true`.
/// With other content it is refused (422). Keys are scoped to the tenant and never expire.
///
/// Limits: the whole body 8 MiB, `data` 256 KiB, 64 levels of nesting, 16 attachments of 4 MiB each.
#[utoipa::path(
    post,
    path = "/v1/records",
    tag = "records",
    params(
        ("wait" = Option<String>, Query, description = "`final`: answer when the record is final, with its receipt; if that takes too long, with 202", example = "final"),
        ("Idempotency-Key" = String, Header, description = "Your name for this fact: 1 to 255 of A-Z a-z 0-9 - _ . : ~ / + = @", example = "shipment-4711"),
        ("Accept" = Option<String>, Header, description = "`application/cbor` for the receipt in its compact form"),
    ),
    request_body = RecordRequest,
    responses(
        (status = 200, description = "Sent before, and final by now", body = RecordAccepted),
        (status = 201, description = "Final: the receipt, the same bytes every time (`ashlar-receipt/1`)", content_type = "application/json", body = Object),
        (status = 202, description = "Durably accepted; not final yet", body = RecordAccepted),
        (status = 400, description = "Malformed, or an unusable Idempotency-Key", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "No valid API key", body = Problem, content_type = "application/problem+json"),
        (status = 408, description = "The body arrived too slowly", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The record failed for good", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "Over a limit of size", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "Not JSON", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "The Idempotency-Key belongs to another fact", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "Too much at once; see Retry-After", body = Problem, content_type = "application/problem+json"),
        (status = 507, description = "No space left; nothing was accepted", body = Problem, content_type = "application/problem+json"),
    ),
    security(("api_key" = [])),
)]
pub(super) async fn create_record(
    State(app): State<Arc<App>>,
    tenant: Tenant,
    Extension(place): Extension<Place>,
    query: Result<Query<CreateQuery>, QueryRejection>,
    request: Request,
) -> Result<Response, Refusal> {
    let Query(query) =
        query.map_err(|error| Refusal::new(Code::ParameterInvalid, error.body_text()))?;
    let key = idempotency_key(request.headers())?;
    let cbor = answer::wants_cbor(request.headers());
    let name = app.name(&tenant, &key);
    // Before anything is written, so that the news cannot come in between.
    let settled = query.wait.map(|Wait::Final| app.shell.settled(name.id));
    let (parts, body) = request.into_parts();
    let received = body::receive(&app, &parts.headers, body).await?;
    let mut promised = promise(&app, &tenant, key, name, received).await?;
    if let Some(settled) = settled
        && !promised.row.state.is_settled()
        && let Some(_waiting) = app.admission.wait()
    {
        place.give_back();
        // Too late is not wrong: the answer then says how far it is.
        let mut stopping = app.stopping.subscribe();
        tokio::select! {
            () = settled.wait() => {}
            () = tokio::time::sleep(app.limits.wait()) => {}
            _ = stopping.wait_for(|stopping| *stopping) => {}
        }
        promised.row = read_row(&app, name.id).await?;
    }
    let row = &promised.row;
    let mut response = match (row.state, query.wait) {
        (RecordState::Failed, _) => return Err(answer::failed(row)),
        (RecordState::Final, Some(Wait::Final)) => {
            answer::receipt(&app, row, StatusCode::CREATED, cbor).await?
        }
        _ => answer::accepted(&app, row),
    };
    if promised.replayed {
        response
            .headers_mut()
            .insert(REPLAYED, HeaderValue::from_static("true"));
    }
    Ok(response)
}

/// Makes the promise durable, or finds the one made before.
async fn promise(
    app: &Arc<App>,
    tenant: &Tenant,
    key: String,
    name: Name,
    received: body::Received,
) -> Result<Promised, Refusal> {
    let known = {
        let (tenant, key) = (tenant.0.to_string(), key.clone());
        app.read(move |view| view.record_by_key(&tenant, &key))
            .await?
    };
    let large = received.bytes.len() > INLINE_BYTES_MAX;
    let prepare = {
        let (app, tenant) = (Arc::clone(app), tenant.0.to_string());
        move || prepare(&app, tenant, key, name, &received, known)
    };
    let prepared = if large {
        let prepared = tokio::task::spawn_blocking(prepare).await;
        prepared.map_err(|_| {
            Refusal::new(Code::Internal, "Preparing the record ended unexpectedly.")
        })??
    } else {
        prepare()?
    };
    match prepared {
        Prepared::Known(row) => Ok(Promised {
            row: *row,
            replayed: true,
        }),
        Prepared::New(record) => insert(app, *record).await,
    }
}

enum Prepared {
    Known(Box<RecordRow>),
    New(Box<NewRecord>),
}

/// Parses, compares with what is known under the key, seals.
fn prepare(
    app: &App,
    tenant: String,
    idempotency_key: String,
    name: Name,
    received: &body::Received,
    known: Option<RecordRow>,
) -> Result<Prepared, Refusal> {
    let fact = Fact::parse(&received.bytes)?;
    let digest = content::request_digest(&app.master, &fact);
    match known {
        // After an erasure the digest is gone too: whatever the body, the effect is the one that was had.
        Some(row) if row.digest.is_none_or(|known| known == digest) => {
            return Ok(Prepared::Known(Box::new(row)));
        }
        Some(row) => return Err(reused(&row)),
        None => {}
    }
    app.admission.backlog(app.shell.backlog())?;
    let sealed = content::seal(&app.master, &name.id, &fact).map_err(|error| {
        tracing::error!(%error, "a record could not be sealed");
        Refusal::new(Code::Internal, "The content could not be encrypted.")
    })?;
    Ok(Prepared::New(Box::new(NewRecord {
        id: name.id,
        key: name.key,
        commitment: sealed.commitment,
        tenant,
        idempotency_key,
        digest,
        created_ms: now_ms(),
        wrapped_key: sealed.wrapped_key,
        parts: sealed.parts,
    })))
}

/// Writes the promise. In a task of its own: a client that goes away must not keep the machine from hearing of it.
async fn insert(app: &Arc<App>, record: NewRecord) -> Result<Promised, Refusal> {
    let app = Arc::clone(app);
    let task = tokio::spawn(async move {
        let (inserted, row) = app
            .write(move |tx| {
                let inserted = tx.insert_record(&record)?;
                Ok((inserted, tx.record_by_id(&record.id)?))
            })
            .await?;
        match inserted {
            Inserted::New(entry) => {
                app.metrics.accepted.inc();
                app.shell.accepted(entry);
                let row = row.ok_or_else(|| {
                    Refusal::new(Code::Internal, "The record is not where it was put.")
                })?;
                Ok(Promised {
                    row,
                    replayed: false,
                })
            }
            Inserted::Existing(row) => Ok(Promised {
                row,
                replayed: true,
            }),
            Inserted::Mismatch(row) => Err(reused(&row)),
        }
    });
    task.await.unwrap_or_else(|_| {
        Err(Refusal::new(
            Code::Internal,
            "Storing the record ended unexpectedly.",
        ))
    })
}

async fn read_row(app: &App, id: B256) -> Result<RecordRow, Refusal> {
    let row = app.read(move |view| view.record_by_id(&id)).await?;
    row.ok_or_else(|| Refusal::new(Code::Internal, "The record is not where it was put."))
}

fn reused(row: &RecordRow) -> Refusal {
    let detail =
        "The Idempotency-Key was used before with another type, other data or other attachments.";
    Refusal::new(Code::IdempotencyKeyReused, detail).of_record(row.id)
}
