//! `/v1/stake`: who stands to validate in a bonded network, and transactions about bonds for their owners to sign. Read from the
//! organization's nodes, which are believed about it.

use std::sync::Arc;

use axum::{
    body::Body,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::Response,
};
use client::{
    governance::Unsigned,
    problem::Problem,
    stake::{BondRequest, Stake, UnbondRequest, WithdrawRequest},
};
use contracts::{SystemContract, abi::IStake};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    answer,
    app::App,
    auth::Tenant,
    decision::{prepare, prepare_paying, read, refusal},
    problem::Refusal,
};

pub(crate) fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(read_stake))
        .routes(routes!(bond))
        .routes(routes!(unbond))
        .routes(routes!(withdraw))
}

/// Read the bonds
///
/// All candidates in their order, who of them has a seat and who signs, and from when on a change would count. A network whose
/// members decide who validates says so, and has no candidates.
#[utoipa::path(
    get,
    path = "/v1/stake",
    tag = "governance",
    responses(
        (status = 200, description = "The bonds", body = Stake),
        (status = 401, description = "No valid API key", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "No node answers", body = Problem, content_type = "application/problem+json"),
    ),
    security(("api_key" = [])),
)]
async fn read_stake(State(app): State<Arc<App>>, _: Tenant) -> Result<Response, Refusal> {
    let stake = Stake::read(&app.nodes).await;
    let stake = stake.map_err(refusal)?;
    Ok(answer::json(StatusCode::OK, app.height(), &stake))
}

/// Prepare a bond
///
/// Answers with the transaction that adds to the bond of a node's key, or makes one of a free key, for whoever pays it to sign.
#[utoipa::path(
    post,
    path = "/v1/stake/bonds",
    tag = "governance",
    request_body = BondRequest,
    responses(
        (status = 200, description = "To be signed, and sent to /v1/governance/transactions", body = Unsigned),
        (status = 400, description = "Not such a request", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "No valid API key", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The contract refuses, and why", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "No node answers", body = Problem, content_type = "application/problem+json"),
    ),
    security(("api_key" = [])),
)]
async fn bond(
    State(app): State<Arc<App>>,
    _: Tenant,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    let request: BondRequest = read(&app, &headers, body).await?;
    let call = IStake::bondCall { key: request.key };
    let contract = SystemContract::Stake;
    prepare_paying(&app, request.from, contract, request.amount, &call).await
}

/// Prepare an unbonding
///
/// Answers with the transaction that takes from a bond, for its owner to sign. What is taken can be withdrawn when the unbonding
/// period is over.
#[utoipa::path(
    post,
    path = "/v1/stake/unbondings",
    tag = "governance",
    request_body = UnbondRequest,
    responses(
        (status = 200, description = "To be signed, and sent to /v1/governance/transactions", body = Unsigned),
        (status = 400, description = "Not such a request", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "No valid API key", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The contract refuses, and why", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "No node answers", body = Problem, content_type = "application/problem+json"),
    ),
    security(("api_key" = [])),
)]
async fn unbond(
    State(app): State<Arc<App>>,
    _: Tenant,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    let request: UnbondRequest = read(&app, &headers, body).await?;
    let call = IStake::unbondCall {
        key: request.key,
        amount: request.amount,
    };
    prepare(&app, request.from, SystemContract::Stake, &call).await
}

/// Prepare a withdrawal
///
/// Answers with the transaction that pays an account what it has unbonded, once the period is over, for that account to sign.
#[utoipa::path(
    post,
    path = "/v1/stake/withdrawals",
    tag = "governance",
    request_body = WithdrawRequest,
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
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    let request: WithdrawRequest = read(&app, &headers, body).await?;
    let call = IStake::withdrawCall {};
    prepare(&app, request.from, SystemContract::Stake, &call).await
}
