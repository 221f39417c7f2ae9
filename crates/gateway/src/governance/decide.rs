//! What becomes of proposals: made, voted on, withdrawn, executed.

use std::sync::Arc;

use alloy_primitives::U256;
use axum::{
    body::Body,
    extract::{Path, State, rejection::PathRejection},
    http::HeaderMap,
    response::Response,
};
use client::{
    governance::{Governance, ProposalRequest, StepRequest, Unsigned, VoteRequest},
    problem::Problem,
};
use contracts::{
    SystemContract,
    abi::IGovernance,
    governance::{Action, Choice},
};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    app::App,
    auth::Tenant,
    decision::{numbered, prepare, read, refusal},
    problem::{Code, Refusal},
};

pub(super) fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(vote))
        .routes(routes!(cancel))
        .routes(routes!(execute))
}

/// Prepare a proposal
///
/// Answers with the transaction that makes it, for an administrator to sign. Its actions are tried out: what cannot be done
/// is refused now, not after the vote.
#[utoipa::path(
    post,
    path = "/v1/governance/proposals",
    tag = "governance",
    request_body = ProposalRequest,
    responses(
        (status = 200, description = "To be signed, and sent to /v1/governance/transactions", body = Unsigned),
        (status = 400, description = "Not a proposal", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "No valid API key", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The contract refuses, and why", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "No node answers", body = Problem, content_type = "application/problem+json"),
    ),
    security(("api_key" = [])),
)]
pub(super) async fn propose(
    State(app): State<Arc<App>>,
    _: Tenant,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    let request: ProposalRequest = read(&app, &headers, body).await?;
    let mut actions = Vec::with_capacity(request.actions.len());
    for action in request.actions {
        let action = Action::try_from(action)
            .map_err(|error| Refusal::new(Code::FieldInvalid, format!("{error}.")))?;
        actions.push(action);
    }
    let governance = Governance(&app.nodes);
    governance.try_out(&actions).await.map_err(refusal)?;
    let call = IGovernance::proposeCall {
        actions: actions.iter().map(Action::encode).collect(),
        description: request.description,
    };
    prepare(&app, request.from, SystemContract::Governance, &call).await
}

/// Prepare a vote
///
/// Answers with the transaction that votes, for an administrator to sign. A vote is once and for all.
#[utoipa::path(
    post,
    path = "/v1/governance/proposals/{number}/votes",
    tag = "governance",
    params(("number" = u64, Path, description = "The proposal's number, from 1")),
    request_body = VoteRequest,
    responses(
        (status = 200, description = "To be signed, and sent to /v1/governance/transactions", body = Unsigned),
        (status = 400, description = "Not a vote", body = Problem, content_type = "application/problem+json"),
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
    let proposal = U256::from(numbered(number)?);
    let request: VoteRequest = read(&app, &headers, body).await?;
    let call = IGovernance::voteCall {
        proposal,
        choice: Choice::of(request.approve) as u8,
    };
    prepare(&app, request.from, SystemContract::Governance, &call).await
}

/// Prepare a withdrawal
///
/// Answers with the transaction that withdraws a proposal, for an administrator of the organization that made it to sign.
#[utoipa::path(
    post,
    path = "/v1/governance/proposals/{number}/cancel",
    tag = "governance",
    params(("number" = u64, Path, description = "The proposal's number, from 1")),
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
async fn cancel(
    State(app): State<Arc<App>>,
    _: Tenant,
    number: Result<Path<u64>, PathRejection>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    let proposal = U256::from(numbered(number)?);
    let request: StepRequest = read(&app, &headers, body).await?;
    let call = IGovernance::cancelCall { proposal };
    prepare(&app, request.from, SystemContract::Governance, &call).await
}

/// Prepare an execution
///
/// Answers with the transaction that does what was decided, once the timelock is over. Any account may sign it.
#[utoipa::path(
    post,
    path = "/v1/governance/proposals/{number}/execute",
    tag = "governance",
    params(("number" = u64, Path, description = "The proposal's number, from 1")),
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
async fn execute(
    State(app): State<Arc<App>>,
    _: Tenant,
    number: Result<Path<u64>, PathRejection>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    let proposal = U256::from(numbered(number)?);
    let request: StepRequest = read(&app, &headers, body).await?;
    let call = IGovernance::executeCall { proposal };
    prepare(&app, request.from, SystemContract::Governance, &call).await
}
