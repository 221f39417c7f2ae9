//! `/v1/governance`: what the organizations decide together, and what it would lead to. Read from the organization's nodes,
//! which are believed about it.

pub(crate) mod decide;

use std::{sync::Arc, time::Duration};

use axum::{
    extract::{Path, Query, State, rejection::PathRejection, rejection::QueryRejection},
    http::StatusCode,
    response::Response,
};
use client::{
    governance::{Governance, GovernanceError, Proposal, ProposalPage},
    problem::Problem,
};
use serde::Deserialize;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    answer,
    app::App,
    auth::Tenant,
    problem::{Code, Refusal},
    query,
};

/// How long a node may take for one of the questions about a proposal.
pub(crate) const NODE_TIMEOUT: Duration = Duration::from_secs(5);

/// A proposal takes a node a score of questions.
const LIMIT_DEFAULT: u16 = 10;
const LIMIT_MAX: u16 = 20;

pub(crate) fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(list_proposals, decide::propose))
        .routes(routes!(read_proposal))
        .merge(decide::router())
}

/// Which part of the list.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ListQuery {
    limit: Option<u16>,
    before: Option<u64>,
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
    let query = query::parameters(query)?;
    let limit = query::limit(query.limit, LIMIT_DEFAULT, LIMIT_MAX)?;
    let governance = Governance(&app.nodes);
    let last = governance.count().await.map_err(refusal)?;
    let last = query
        .before
        .map_or(last, |before| last.min(before.saturating_sub(1)));
    let numbers = (1..=last).rev().take(limit.into());
    let mut proposals = Vec::with_capacity(limit.into());
    for number in numbers {
        proposals.push(governance.proposal(number).await.map_err(refusal)?);
    }
    let least = proposals.last().map(|proposal| proposal.number);
    let page = ProposalPage {
        proposals,
        next_before: least.filter(|number| *number > 1),
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
    let Path(number) =
        number.map_err(|error| Refusal::new(Code::ParameterInvalid, error.body_text()))?;
    let found = Governance(&app.nodes).proposal(number).await;
    let found = found.map_err(refusal)?;
    Ok(answer::json(StatusCode::OK, app.height(), &found))
}

pub(crate) fn refusal(error: GovernanceError) -> Refusal {
    let code = match error {
        GovernanceError::NoProposal(_) => Code::ProposalNotFound,
        GovernanceError::Refused(_) => Code::GovernanceRefused,
        GovernanceError::Rpc(_) | GovernanceError::NotGoverned(_) => Code::NodeUnavailable,
    };
    Refusal::new(code, format!("{error}."))
}
