//! `/v1/disputes`: claims of one organization against another, and transactions about them for administrators to sign. Read from the
//! organization's nodes, which are believed about it.

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
    dispute::{
        AnswerRequest, ClaimRequest, CompensationRequest, Dispute, DisputePage, EvidenceRequest,
    },
    governance::{StepRequest, Unsigned, VoteRequest},
    problem::Problem,
};
use contracts::{SystemContract, abi::IDisputes, dispute::Subject, governance::Choice};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    answer,
    app::App,
    auth::Tenant,
    decision::{ListQuery, Part, numbered, prepare, read, refusal},
    problem::Refusal,
};

const DISPUTES: SystemContract = SystemContract::Disputes;

pub(crate) fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(list_disputes, claim))
        .routes(routes!(read_dispute))
        .routes(routes!(add_evidence))
        .routes(routes!(reply))
        .routes(routes!(vote))
        .routes(routes!(withdraw))
        .routes(routes!(compensate))
}

/// List disputes
///
/// The newest first, each with its evidence, answer and vote.
#[utoipa::path(
    get,
    path = "/v1/disputes",
    tag = "governance",
    params(
        ("limit" = Option<u16>, Query, description = "How many disputes; 1 to 20, 10 if absent"),
        ("before" = Option<u64>, Query, description = "Only disputes with a smaller number; `next_before` of the page before"),
    ),
    responses(
        (status = 200, description = "A page", body = DisputePage),
        (status = 400, description = "Not a limit or number", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "No valid API key", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "No node answers", body = Problem, content_type = "application/problem+json"),
    ),
    security(("api_key" = [])),
)]
async fn list_disputes(
    State(app): State<Arc<App>>,
    _: Tenant,
    query: Result<Query<ListQuery>, QueryRejection>,
) -> Result<Response, Refusal> {
    let part = Part::asked(query)?;
    let last = Dispute::count(&app.nodes).await.map_err(refusal)?;
    let (numbers, next_before) = part.numbers(last);
    let mut disputes = Vec::with_capacity(numbers.len());
    for number in numbers {
        disputes.push(Dispute::read(&app.nodes, number).await.map_err(refusal)?);
    }
    let page = DisputePage {
        disputes,
        next_before,
    };
    Ok(answer::json(StatusCode::OK, app.height(), &page))
}

/// Read a dispute
///
/// Who claims what against whom, what was answered, how the others voted, and what became of it.
#[utoipa::path(
    get,
    path = "/v1/disputes/{number}",
    tag = "governance",
    params(("number" = u64, Path, description = "The dispute's number, from 1")),
    responses(
        (status = 200, description = "The dispute", body = Dispute),
        (status = 400, description = "Not a number", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "No valid API key", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such dispute", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "No node answers", body = Problem, content_type = "application/problem+json"),
    ),
    security(("api_key" = [])),
)]
async fn read_dispute(
    State(app): State<Arc<App>>,
    _: Tenant,
    number: Result<Path<u64>, PathRejection>,
) -> Result<Response, Refusal> {
    let found = Dispute::read(&app.nodes, numbered(number)?).await;
    let found = found.map_err(refusal)?;
    Ok(answer::json(StatusCode::OK, app.height(), &found))
}

/// Prepare a claim
///
/// Answers with the transaction that claims something against another organization, about a record or a transaction, for an
/// administrator to sign.
#[utoipa::path(
    post,
    path = "/v1/disputes",
    tag = "governance",
    request_body = ClaimRequest,
    responses(
        (status = 200, description = "To be signed, and sent to /v1/governance/transactions", body = Unsigned),
        (status = 400, description = "Not a claim", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "No valid API key", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The contract refuses, and why", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "No node answers", body = Problem, content_type = "application/problem+json"),
    ),
    security(("api_key" = [])),
)]
async fn claim(
    State(app): State<Arc<App>>,
    _: Tenant,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    let request: ClaimRequest = read(&app, &headers, body).await?;
    let (kind, subject) = Subject::from(request.subject).encode();
    let call = IDisputes::claimCall {
        respondent: request.respondent,
        kind,
        subject,
        evidence: request.evidence,
    };
    prepare(&app, request.from, DISPUTES, &call).await
}

/// Prepare further evidence
///
/// Answers with the transaction that adds evidence to a claim that is not ruled upon, for an administrator of a party to sign.
#[utoipa::path(
    post,
    path = "/v1/disputes/{number}/evidence",
    tag = "governance",
    params(("number" = u64, Path, description = "The dispute's number, from 1")),
    request_body = EvidenceRequest,
    responses(
        (status = 200, description = "To be signed, and sent to /v1/governance/transactions", body = Unsigned),
        (status = 400, description = "Not such a request", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "No valid API key", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The contract refuses, and why", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "No node answers", body = Problem, content_type = "application/problem+json"),
    ),
    security(("api_key" = [])),
)]
async fn add_evidence(
    State(app): State<Arc<App>>,
    _: Tenant,
    number: Result<Path<u64>, PathRejection>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    let dispute = U256::from(numbered(number)?);
    let request: EvidenceRequest = read(&app, &headers, body).await?;
    let call = IDisputes::addEvidenceCall {
        dispute,
        evidence: request.evidence,
    };
    prepare(&app, request.from, DISPUTES, &call).await
}

/// Prepare an answer
///
/// Answers with the transaction that answers a claim, for an administrator of the organization that it is against to sign. The vote
/// begins by that.
#[utoipa::path(
    post,
    path = "/v1/disputes/{number}/answer",
    tag = "governance",
    params(("number" = u64, Path, description = "The dispute's number, from 1")),
    request_body = AnswerRequest,
    responses(
        (status = 200, description = "To be signed, and sent to /v1/governance/transactions", body = Unsigned),
        (status = 400, description = "Not such a request", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "No valid API key", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The contract refuses, and why", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "No node answers", body = Problem, content_type = "application/problem+json"),
    ),
    security(("api_key" = [])),
)]
async fn reply(
    State(app): State<Arc<App>>,
    _: Tenant,
    number: Result<Path<u64>, PathRejection>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    let dispute = U256::from(numbered(number)?);
    let request: AnswerRequest = read(&app, &headers, body).await?;
    let call = IDisputes::answerCall {
        dispute,
        answer_: request.answer,
    };
    prepare(&app, request.from, DISPUTES, &call).await
}

/// Prepare a vote on a claim
///
/// Answers with the transaction that votes to uphold or to dismiss a claim, for an administrator of an organization that is no party
/// to sign. A vote is once and for all.
#[utoipa::path(
    post,
    path = "/v1/disputes/{number}/votes",
    tag = "governance",
    params(("number" = u64, Path, description = "The dispute's number, from 1")),
    request_body = VoteRequest,
    responses(
        (status = 200, description = "To be signed, and sent to /v1/governance/transactions", body = Unsigned),
        (status = 400, description = "Not such a request", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "No valid API key", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The contract refuses, and why", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "No node answers", body = Problem, content_type = "application/problem+json"),
    ),
    security(("api_key" = [])),
)]
async fn vote(
    State(app): State<Arc<App>>,
    _: Tenant,
    number: Result<Path<u64>, PathRejection>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    let dispute = U256::from(numbered(number)?);
    let request: VoteRequest = read(&app, &headers, body).await?;
    let call = IDisputes::voteCall {
        dispute,
        choice: Choice::of(request.approve) as u8,
    };
    prepare(&app, request.from, DISPUTES, &call).await
}

/// Prepare the withdrawal of a claim
///
/// Answers with the transaction that withdraws a claim before it is ruled upon, for an administrator of the organization that made it
/// to sign.
#[utoipa::path(
    post,
    path = "/v1/disputes/{number}/withdraw",
    tag = "governance",
    params(("number" = u64, Path, description = "The dispute's number, from 1")),
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
async fn withdraw(
    State(app): State<Arc<App>>,
    _: Tenant,
    number: Result<Path<u64>, PathRejection>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    let dispute = U256::from(numbered(number)?);
    let request: StepRequest = read(&app, &headers, body).await?;
    let call = IDisputes::withdrawCall { dispute };
    prepare(&app, request.from, DISPUTES, &call).await
}

/// Prepare a compensation
///
/// Answers with the transaction that names the one by which an upheld claim is made good, for an administrator of the organization
/// at fault to sign. It is named once; the chain does not judge it.
#[utoipa::path(
    post,
    path = "/v1/disputes/{number}/compensation",
    tag = "governance",
    params(("number" = u64, Path, description = "The dispute's number, from 1")),
    request_body = CompensationRequest,
    responses(
        (status = 200, description = "To be signed, and sent to /v1/governance/transactions", body = Unsigned),
        (status = 400, description = "Not such a request", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "No valid API key", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The contract refuses, and why", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "No node answers", body = Problem, content_type = "application/problem+json"),
    ),
    security(("api_key" = [])),
)]
async fn compensate(
    State(app): State<Arc<App>>,
    _: Tenant,
    number: Result<Path<u64>, PathRejection>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    let dispute = U256::from(numbered(number)?);
    let request: CompensationRequest = read(&app, &headers, body).await?;
    let call = IDisputes::compensateCall {
        dispute,
        transaction: request.transaction,
    };
    prepare(&app, request.from, DISPUTES, &call).await
}
