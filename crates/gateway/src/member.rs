//! `/v1/members`: the organizations of the network, their nodes, and who signs. Read from the organization's nodes, which are
//! believed about it.

use std::sync::Arc;

use axum::{
    body::Body,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::Response,
};
use client::{
    governance::Unsigned,
    members::{AccountRequest, Members, NodeRequest, Permission},
    problem::Problem,
};
use contracts::{SystemContract, abi::IMembers, member::Permissions};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    answer,
    app::App,
    auth::Tenant,
    decision::{prepare, read, refusal},
    problem::Refusal,
};

pub(crate) fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(list_members))
        .routes(routes!(set_node))
        .routes(routes!(set_account))
}

/// List the members
///
/// All organizations with their nodes, who of these signs blocks, and from when on a change would.
#[utoipa::path(
    get,
    path = "/v1/members",
    tag = "governance",
    responses(
        (status = 200, description = "The members", body = Members),
        (status = 401, description = "No valid API key", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "No node answers", body = Problem, content_type = "application/problem+json"),
    ),
    security(("api_key" = [])),
)]
async fn list_members(State(app): State<Arc<App>>, _: Tenant) -> Result<Response, Refusal> {
    let members = Members::read(&app.nodes).await;
    let members = members.map_err(refusal)?;
    Ok(answer::json(StatusCode::OK, app.height(), &members))
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

/// Prepare what an account may do
///
/// Answers with the transaction that says what an account of an organization may do, for an administrator of it to sign.
#[utoipa::path(
    post,
    path = "/v1/members/accounts",
    tag = "governance",
    request_body = AccountRequest,
    responses(
        (status = 200, description = "To be signed, and sent to /v1/governance/transactions", body = Unsigned),
        (status = 400, description = "Not such a request", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "No valid API key", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The contract refuses, and why", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "No node answers", body = Problem, content_type = "application/problem+json"),
    ),
    security(("api_key" = [])),
)]
async fn set_account(
    State(app): State<Arc<App>>,
    _: Tenant,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    let request: AccountRequest = read(&app, &headers, body).await?;
    let permissions = request
        .permissions
        .iter()
        .map(|permission| match permission {
            Permission::Transact => Permissions::TRANSACT,
            Permission::Deploy => Permissions::DEPLOY,
            Permission::Administer => Permissions::ADMINISTER,
        });
    let permissions = permissions.fold(Permissions::default(), Permissions::and);
    let call = IMembers::setAccountCall {
        account: request.account,
        permissions: permissions.bits(),
    };
    prepare(&app, request.from, SystemContract::Members, &call).await
}
