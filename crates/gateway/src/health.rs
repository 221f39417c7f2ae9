//! `/healthz` and `/readyz`.

use std::{sync::Arc, time::Duration};

use axum::{Json, extract::State};
use client::{
    node::{self, HealthState},
    problem::Problem,
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    app::{App, now_ms},
    problem::{Code, Refusal},
};

/// How long a node may take to say how its network goes on.
const NODE_TIMEOUT: Duration = Duration::from_secs(1);

/// The process answers.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Alive {
    /// Always true.
    alive: bool,
}

/// All work can be done.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Ready {
    /// Always true: otherwise a problem is answered.
    ready: bool,
    /// The chain height the journal is at.
    height: u64,
    /// The node whose final blocks are followed.
    node: String,
    /// Records accepted and not settled.
    backlog: usize,
}

/// Liveness
///
/// The process answers. Restart it if it does not.
#[utoipa::path(
    get,
    path = "/healthz",
    tag = "operation",
    responses((status = 200, description = "Alive", body = Alive)),
    security(()),
)]
pub(crate) async fn healthz() -> Json<Alive> {
    Json(Alive { alive: true })
}

/// Readiness
///
/// The journal takes a write, a node is followed, final blocks come, and the account's nonce is known. Otherwise 503
/// with what is wrong; records are still accepted as long as they can be stored. The code is `finality_stalled` if all that is
/// wrong is that the network makes no block, and the node says so; else `not_ready`.
#[utoipa::path(
    get,
    path = "/readyz",
    tag = "operation",
    responses(
        (status = 200, description = "Ready", body = Ready),
        (status = 503, description = "Something is wrong", body = Problem, content_type = "application/problem+json"),
    ),
    security(()),
)]
pub(crate) async fn readyz(State(app): State<Arc<App>>) -> Result<Json<Ready>, Refusal> {
    let mut wrong = Vec::new();
    if let Err(error) = app.journal.writer.try_write(|tx| tx.probe(now_ms())).await {
        wrong.push(format!("the journal cannot be written: {error}"));
    }
    let own = wrong.len();
    let view = app.shell.view();
    let trouble = view
        .trouble
        .clone()
        .map(|trouble| format!(" ({trouble})"))
        .unwrap_or_default();
    if view.node.is_none() {
        wrong.push(format!("no node is followed{trouble}"));
    } else if view
        .since_block()
        .is_none_or(|since| since > app.limits.stall())
    {
        let since = view
            .since_block()
            .map_or_else(|| "yet".to_owned(), |since| format!("for {since:.1?}"));
        wrong.push(format!("no final block came {since}"));
    }
    match view.status {
        None => wrong.push("the records machine is not running".to_owned()),
        Some(status) if !status.reconciled => {
            wrong.push("the account's nonce is not known yet".to_owned());
        }
        Some(_) => {}
    }
    if own == 0
        && !wrong.is_empty()
        && let Some(explanation) = stalled(&app).await
    {
        return Err(Refusal::new(
            Code::FinalityStalled,
            format!("{explanation}."),
        ));
    }
    if !wrong.is_empty() {
        return Err(Refusal::new(
            Code::NotReady,
            format!("{}.", wrong.join("; ")),
        ));
    }
    Ok(Json(Ready {
        ready: true,
        height: app.height(),
        node: view.node.unwrap_or_default(),
        backlog: app.shell.backlog(),
    }))
}

/// What the node says of a network that makes no block; none if there is no such node. While blocks are missing the gateway
/// looks for another node that has some, so at times it follows none.
async fn stalled(app: &App) -> Option<String> {
    let asked = app.nodes.call(node::HEALTH, [(); 0]);
    let health: node::Health = tokio::time::timeout(NODE_TIMEOUT, asked).await.ok()?.ok()?;
    (health.state == HealthState::Stalled).then(|| health.explanation.unwrap_or_default())
}
