//! `/v1/pauses`: motions to stop something for a time, or to end that, and transactions about them for administrators to sign.
//! Read from the organization's nodes, which are believed about it.

use std::sync::Arc;

use alloy_primitives::U256;
use axum::{
    body::Body,
    extract::{
        Path, Query, State,
        rejection::{PathRejection, QueryRejection},
    },
    http::{HeaderMap, StatusCode},
    response::Response,
};
use client::{
    governance::{StepRequest, Unsigned},
    pause::{Motion, MotionPage, MotionRequest},
    problem::Problem,
};
use contracts::{SystemContract, abi::IPause};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    answer,
    app::App,
    auth::Tenant,
    decision::{ListQuery, Part, numbered, prepare, prepared_answer, read, refusal},
    problem::Refusal,
};

pub(crate) fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(list_motions, make_motion))
        .routes(routes!(read_motion))
        .routes(routes!(approve))
}

/// List motions
///
/// The newest first, each with its vote, and until when its subject is stopped.
#[utoipa::path(
    get,
    path = "/v1/pauses/motions",
    tag = "governance",
    params(
        ("limit" = Option<u16>, Query, description = "How many motions; 1 to 20, 10 if absent"),
        ("before" = Option<u64>, Query, description = "Only motions with a smaller number; `next_before` of the page before"),
    ),
    responses(
        (status = 200, description = "A page", body = MotionPage),
        (status = 400, description = "Not a limit or number", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "No valid API key", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "No node answers", body = Problem, content_type = "application/problem+json"),
    ),
    security(("api_key" = [])),
)]
async fn list_motions(
    State(app): State<Arc<App>>,
    _: Tenant,
    query: Result<Query<ListQuery>, QueryRejection>,
) -> Result<Response, Refusal> {
    let part = Part::asked(query)?;
    let last = Motion::count(&app.nodes).await.map_err(refusal)?;
    let (numbers, next_before) = part.numbers(last);
    let mut motions = Vec::with_capacity(numbers.len());
    for number in numbers {
        motions.push(Motion::read(&app.nodes, number).await.map_err(refusal)?);
    }
    let page = MotionPage {
        motions,
        next_before,
    };
    Ok(answer::json(StatusCode::OK, app.height(), &page))
}

/// Read a motion
///
/// What it is for, how its vote stands, and until when its subject is stopped.
#[utoipa::path(
    get,
    path = "/v1/pauses/motions/{number}",
    tag = "governance",
    params(("number" = u64, Path, description = "The motion's number, from 1")),
    responses(
        (status = 200, description = "The motion", body = Motion),
        (status = 400, description = "Not a number", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "No valid API key", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such motion", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "No node answers", body = Problem, content_type = "application/problem+json"),
    ),
    security(("api_key" = [])),
)]
async fn read_motion(
    State(app): State<Arc<App>>,
    _: Tenant,
    number: Result<Path<u64>, PathRejection>,
) -> Result<Response, Refusal> {
    let found = Motion::read(&app.nodes, numbered(number)?).await;
    let found = found.map_err(refusal)?;
    Ok(answer::json(StatusCode::OK, app.height(), &found))
}

/// Prepare a motion
///
/// Answers with the transaction that moves to stop the creation of contracts, a contract or an organization for a time, or to end
/// that, for an administrator to sign. Its organization approves by that, and others have a day to.
#[utoipa::path(
    post,
    path = "/v1/pauses/motions",
    tag = "governance",
    request_body = MotionRequest,
    responses(
        (status = 200, description = "To be signed, and sent to /v1/governance/transactions", body = Unsigned),
        (status = 400, description = "Not a motion", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "No valid API key", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The contract refuses, and why", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "No node answers", body = Problem, content_type = "application/problem+json"),
    ),
    security(("api_key" = [])),
)]
async fn make_motion(
    State(app): State<Arc<App>>,
    _: Tenant,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    let request: MotionRequest = read(&app, &headers, body).await?;
    let prepared = request.motion.prepare(&app.nodes, request.from).await;
    prepared_answer(&app, prepared)
}

/// Prepare an approval
///
/// Answers with the transaction that approves of a motion, for an administrator to sign. With the last approval that it needs the
/// motion is carried.
#[utoipa::path(
    post,
    path = "/v1/pauses/motions/{number}/approvals",
    tag = "governance",
    params(("number" = u64, Path, description = "The motion's number, from 1")),
    request_body = StepRequest,
    responses(
        (status = 200, description = "To be signed, and sent to /v1/governance/transactions", body = Unsigned),
        (status = 400, description = "Not such a request", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "No valid API key", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The contract refuses, and why", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "No node answers", body = Problem, content_type = "application/problem+json"),
    ),
    security(("api_key" = [])),
)]
async fn approve(
    State(app): State<Arc<App>>,
    _: Tenant,
    number: Result<Path<u64>, PathRejection>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    let motion = U256::from(numbered(number)?);
    let request: StepRequest = read(&app, &headers, body).await?;
    let call = IPause::approveCall { motion };
    prepare(&app, request.from, SystemContract::Pause, &call).await
}
