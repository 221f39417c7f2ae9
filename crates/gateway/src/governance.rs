//! `/v1/governance`: what the organizations decide together, and what it would lead to. Read from the organization's nodes,
//! which are believed about it.

mod decide;

use std::{sync::Arc, time::Duration};

use axum::{
    extract::{Path, Query, State, rejection::PathRejection, rejection::QueryRejection},
    http::StatusCode,
    response::Response,
};
use client::{
    governance::{Governance, Proposal, ProposalPage},
    problem::Problem,
};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    answer,
    app::App,
    auth::Tenant,
    decision::{ListQuery, Part, numbered, refusal},
    problem::Refusal,
};

/// How long a node may take for one of the questions about a proposal.
pub(crate) const NODE_TIMEOUT: Duration = Duration::from_secs(5);

pub(crate) fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(list_proposals, decide::propose))
        .routes(routes!(read_proposal))
        .merge(decide::router())
}

/// List proposals
///
/// The newest first, each with its vote and the network before and after it.
#[utoipa::path(
    get,
    path = "/v1/governance/proposals",
    tag = "governance",
    params(
        ("limit" = Option<u16>, Query, description = "How many proposals; 1 to 20, 10 if absent"),
        ("before" = Option<u64>, Query, description = "Only proposals with a smaller number; `next_before` of the page before"),
    ),
    responses(
        (status = 200, description = "A page", body = ProposalPage),
        (status = 400, description = "Not a limit or number", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "No valid API key", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "No node answers", body = Problem, content_type = "application/problem+json"),
    ),
    security(("api_key" = [])),
)]
async fn list_proposals(
    State(app): State<Arc<App>>,
    _: Tenant,
    query: Result<Query<ListQuery>, QueryRejection>,
) -> Result<Response, Refusal> {
    let part = Part::asked(query)?;
    let governance = Governance(&app.nodes);
    let last = governance.count().await.map_err(refusal)?;
    let (numbers, next_before) = part.numbers(last);
    let mut proposals = Vec::with_capacity(numbers.len());
    for number in numbers {
        proposals.push(governance.proposal(number).await.map_err(refusal)?);
    }
    let page = ProposalPage {
        proposals,
        next_before,
    };
    Ok(answer::json(StatusCode::OK, app.height(), &page))
}

/// Read a proposal
///
/// What it does, how its vote stands, and the network as it is and as it would be if the proposal were executed now: its
/// quorum, how many validators may fail, and which organization could halt it alone.
#[utoipa::path(
    get,
    path = "/v1/governance/proposals/{number}",
    tag = "governance",
    params(("number" = u64, Path, description = "The proposal's number, from 1")),
    responses(
        (status = 200, description = "The proposal", body = Proposal),
        (status = 400, description = "Not a number", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "No valid API key", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such proposal", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "No node answers", body = Problem, content_type = "application/problem+json"),
    ),
    security(("api_key" = [])),
)]
async fn read_proposal(
    State(app): State<Arc<App>>,
    _: Tenant,
    number: Result<Path<u64>, PathRejection>,
) -> Result<Response, Refusal> {
    let found = Governance(&app.nodes).proposal(numbered(number)?).await;
    let found = found.map_err(refusal)?;
    Ok(answer::json(StatusCode::OK, app.height(), &found))
}
