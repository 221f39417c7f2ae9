//! `/v1/members`: the organizations of the network, their nodes, and who signs. Read from the organization's nodes, which are
//! believed about it.

use std::sync::Arc;

use axum::{extract::State, http::StatusCode, response::Response};
use client::{members::Members, problem::Problem};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{answer, app::App, auth::Tenant, governance, problem::Refusal};

pub(crate) fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(list_members))
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
    let members = members.map_err(governance::refusal)?;
    Ok(answer::json(StatusCode::OK, app.height(), &members))
}
