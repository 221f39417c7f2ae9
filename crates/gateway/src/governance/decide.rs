//! Decisions, in two steps: the gateway makes the transaction, tries it out and gives it to whoever asked; an administrator
//! signs it with a wallet; the gateway sends what was signed. It holds no administrator's key.

use std::sync::Arc;

use alloy_consensus::{Transaction as _, TxEnvelope};
use alloy_eips::eip2718::Decodable2718 as _;
use alloy_primitives::{Address, U256};
use alloy_sol_types::SolCall;
use axum::{
    body::Body,
    extract::{Path, State, rejection::PathRejection},
    http::{HeaderMap, StatusCode},
    response::Response,
};
use client::{
    governance::{
        Decided, Final, Governance, GovernanceError, NodeRequest, ProposalRequest, SignedRequest,
        StepRequest, Unsigned, VoteRequest,
    },
    problem::Problem,
    rpc::RpcError,
};
use contracts::{
    SystemContract,
    abi::{IGovernance, IMembers},
    governance::{Action, Choice},
};
use serde::de::DeserializeOwned;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::refusal;
use crate::{
    answer,
    app::App,
    auth::Tenant,
    body,
    problem::{Code, Refusal},
};

pub(super) fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(vote))
        .routes(routes!(cancel))
        .routes(routes!(execute))
        .routes(routes!(send))
        .routes(routes!(set_node))
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
    let proposal = numbered(number)?;
    let request: VoteRequest = read(&app, &headers, body).await?;
    let choice = if request.approve {
        Choice::Approve
    } else {
        Choice::Reject
    };
    let call = IGovernance::voteCall {
        proposal,
        choice: choice as u8,
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
    let proposal = numbered(number)?;
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
    let proposal = numbered(number)?;
    let request: StepRequest = read(&app, &headers, body).await?;
    let call = IGovernance::executeCall { proposal };
    prepare(&app, request.from, SystemContract::Governance, &call).await
}

/// Send a signed decision
///
/// Sends a transaction that calls a system contract, and answers when it is final. Sending the same again is harmless: its
/// nonce is used up.
#[utoipa::path(
    post,
    path = "/v1/governance/transactions",
    tag = "governance",
    request_body = SignedRequest,
    responses(
        (status = 200, description = "It is final", body = Final),
        (status = 400, description = "Not a transaction to a system contract", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "No valid API key", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The node or the contract refuses, and why", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "No node answers", body = Problem, content_type = "application/problem+json"),
    ),
    security(("api_key" = [])),
)]
async fn send(
    State(app): State<Arc<App>>,
    _: Tenant,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    let SignedRequest { raw } = read(&app, &headers, body).await?;
    let invalid = |detail: &str| Refusal::new(Code::FieldInvalid, detail);
    let transaction = TxEnvelope::decode_2718_exact(&raw)
        .map_err(|_| invalid("`raw` is not a signed transaction."))?;
    let called = transaction.to();
    if !SystemContract::ALL
        .iter()
        .any(|contract| called == Some(contract.address()))
    {
        return Err(invalid("`raw` calls no system contract."));
    }
    let decided = Governance(&app.nodes).submit(&raw).await;
    match decided.map_err(decision_refused)? {
        Decided::Done(done) => Ok(answer::json(StatusCode::OK, app.height(), &done)),
        Decided::Overtaken(hash) => Err(Refusal::new(
            Code::GovernanceRefused,
            format!(
                "The transaction {hash} is final and failed in its block: somebody was faster."
            ),
        )),
    }
}

/// Prepare what a node does
///
/// Answers with the transaction that says what a node of an organization does, for an administrator of it to sign.
#[utoipa::path(
    post,
    path = "/v1/members/nodes",
    tag = "governance",
    request_body = NodeRequest,
    responses(
        (status = 200, description = "To be signed, and sent to /v1/governance/transactions", body = Unsigned),
        (status = 400, description = "Not such a request", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "No valid API key", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The contract refuses, and why", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "No node answers", body = Problem, content_type = "application/problem+json"),
    ),
    security(("api_key" = [])),
)]
async fn set_node(
    State(app): State<Arc<App>>,
    _: Tenant,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    let request: NodeRequest = read(&app, &headers, body).await?;
    let call = IMembers::setNodeCall {
        key: request.key,
        role: request.role as u8,
    };
    prepare(&app, request.from, SystemContract::Members, &call).await
}

fn numbered(number: Result<Path<u64>, PathRejection>) -> Result<U256, Refusal> {
    let Path(number) =
        number.map_err(|error| Refusal::new(Code::ParameterInvalid, error.body_text()))?;
    Ok(U256::from(number))
}

pub(crate) async fn read<T: DeserializeOwned>(
    app: &App,
    headers: &HeaderMap,
    body: Body,
) -> Result<T, Refusal> {
    let received = body::receive(app, headers, body).await?;
    serde_json::from_slice(&received.bytes).map_err(|error| {
        let code = if error.is_data() {
            Code::FieldInvalid
        } else {
            Code::JsonMalformed
        };
        Refusal::new(code, format!("The body: {error}."))
    })
}

pub(crate) async fn prepare<C: SolCall>(
    app: &App,
    from: Address,
    contract: SystemContract,
    call: &C,
) -> Result<Response, Refusal> {
    prepare_paying(app, from, contract, U256::ZERO, call).await
}

pub(crate) async fn prepare_paying<C: SolCall>(
    app: &App,
    from: Address,
    contract: SystemContract,
    value: U256,
    call: &C,
) -> Result<Response, Refusal> {
    let governance = Governance(&app.nodes);
    let prepared = governance.prepare_paying(from, contract, value, call).await;
    let prepared: Unsigned = prepared.map_err(decision_refused)?;
    Ok(answer::json(StatusCode::OK, app.height(), &prepared))
}

/// A node that does not take a transaction answers, unlike one that does not know what is asked of it.
fn decision_refused(error: GovernanceError) -> Refusal {
    match error {
        GovernanceError::Rpc(RpcError::Refused { .. }) => {
            Refusal::new(Code::TransactionRefused, format!("{error}."))
        }
        other => refusal(other),
    }
}
