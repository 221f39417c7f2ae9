//! What people look at, as plain HTML: no script, no font, nothing from elsewhere.

mod docs;
mod home;

use std::sync::Arc;

use axum::{
    extract::State,
    http::{HeaderName, HeaderValue, header},
    response::{IntoResponse as _, Response},
};
use maud::{DOCTYPE, Markup, PreEscaped, html};

pub(crate) use self::docs::render as render_docs;
use crate::{app::App, problem::Refusal};

const STYLE: &str = include_str!("style.css");

/// Start page
///
/// The network, the latest blocks and records, and where the interface is.
#[utoipa::path(
    get,
    path = "/",
    tag = "operation",
    responses((status = 200, description = "A page", body = String, content_type = "text/html")),
    security(()),
)]
pub(crate) async fn home(State(app): State<Arc<App>>) -> Result<Response, Refusal> {
    let page = app
        .read(|view| view.records(None, None, home::RECORDS))
        .await?;
    Ok(html_page(home::render(&app, &page.records).into_string()))
}

/// Description of the interface
///
/// This document, for people.
#[utoipa::path(
    get,
    path = "/docs",
    tag = "operation",
    responses((status = 200, description = "A page", body = String, content_type = "text/html")),
    security(()),
)]
pub(crate) async fn docs(State(app): State<Arc<App>>) -> Response {
    html_page(app.docs.clone())
}

/// OpenAPI document
///
/// The description of this interface, OpenAPI 3.1.
#[utoipa::path(
    get,
    path = "/openapi.json",
    tag = "operation",
    responses((status = 200, description = "The document", body = Object)),
    security(()),
)]
pub(crate) async fn openapi_json(State(app): State<Arc<App>>) -> Response {
    (
        [(header::CONTENT_TYPE, "application/json")],
        app.openapi.clone(),
    )
        .into_response()
}

fn html_page(body: impl Into<axum::body::Body>) -> Response {
    let headers: [(HeaderName, HeaderValue); 3] = [
        (
            header::CONTENT_TYPE,
            HeaderValue::from_static("text/html; charset=utf-8"),
        ),
        (
            header::CONTENT_SECURITY_POLICY,
            HeaderValue::from_static(
                "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; \
                 frame-ancestors 'none'",
            ),
        ),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
    ];
    (headers, body.into()).into_response()
}

/// A whole page. `refresh`: seconds after which it loads again.
fn page(title: &str, refresh: Option<u32>, content: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                @if let Some(seconds) = refresh { meta http-equiv="refresh" content=(seconds); }
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body { (content) }
        }
    }
}

/// A hash, shortened for the eye, whole for the pointer and the clipboard's sake in `title`.
fn short_hash(hash: &str) -> Markup {
    let short = match (hash.get(..10), hash.get(hash.len().saturating_sub(6)..)) {
        (Some(head), Some(tail)) if hash.len() > 20 => format!("{head}\u{2026}{tail}"),
        _ => hash.to_owned(),
    };
    html! { code title=(hash) { (short) } }
}
