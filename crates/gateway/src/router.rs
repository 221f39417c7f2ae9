//! All routes, and what surrounds them. The OpenAPI document is made from the same list.

use std::sync::Arc;

use axum::{
    Router,
    extract::Request,
    http::{HeaderValue, Method, Uri, header},
    middleware::{Next, from_fn, from_fn_with_state},
    response::Response,
};
use utoipa::openapi::{
    Info, License, OpenApi, Server,
    security::{HttpAuthScheme, HttpBuilder, SecurityScheme},
    tag::Tag,
};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    admit::admit,
    app::App,
    decision, dispute, governance, health, member, metrics, page, pause,
    problem::{Code, Refusal},
    record, stake,
};

/// The OpenAPI 3.1 document of the gateway.
pub fn openapi() -> OpenApi {
    routes(|admitted| admitted).1
}

/// The gateway's routes as one service.
pub(crate) fn router(app: &Arc<App>) -> Router {
    let (router, _) = routes(|admitted| admitted.layer(from_fn_with_state(Arc::clone(app), admit)));
    router
        .method_not_allowed_fallback(method_not_allowed)
        .fallback(not_found)
        .layer(from_fn_with_state(Arc::clone(app), metrics::observe))
        .layer(from_fn(harden))
        .with_state(Arc::clone(app))
}

type Routes = OpenApiRouter<Arc<App>>;

/// `admission` surrounds what is work; whoever looks after the gateway gets in even when it is full.
fn routes(admission: impl FnOnce(Routes) -> Routes) -> (Router<Arc<App>>, OpenApi) {
    let work = OpenApiRouter::new()
        .merge(record::router())
        .merge(decision::router())
        .merge(governance::router())
        .merge(member::router())
        .merge(stake::router())
        .merge(pause::router())
        .merge(dispute::router())
        .routes(routes!(page::home));
    let (router, mut document) = admission(work)
        .routes(routes!(page::docs))
        .routes(routes!(page::openapi_json))
        .routes(routes!(health::healthz))
        .routes(routes!(health::readyz))
        .routes(routes!(metrics::metrics))
        .split_for_parts();
    describe(&mut document);
    (router, document)
}

fn describe(document: &mut OpenApi) {
    let mut info = Info::new("Ashlar gateway", env!("CARGO_PKG_VERSION"));
    info.description = Some(
        "Record a business fact once; every organization agrees on it; hold a small file that anyone can check \
         offline. Every answer names the chain height it was made at (`ashlar-height`). Errors are RFC 9457 problem \
         documents with a stable `code`, what is wrong (`detail`) and what to do (`next`)."
            .to_owned(),
    );
    let mut license = License::new("Apache-2.0");
    license.identifier = Some("Apache-2.0".to_owned());
    info.license = Some(license);
    document.info = info;
    document.servers = Some(vec![Server::new("/")]);
    let tag = |name: &str, description: &str| {
        let mut tag = Tag::new(name);
        tag.description = Some(description.to_owned());
        tag
    };
    document.tags = Some(vec![
        tag("records", "Business facts: record, read, prove, erase."),
        tag(
            "governance",
            "Who the members are, what they decide together, and what it would lead to.",
        ),
        tag("operation", "For operators and people."),
    ]);
    let bearer = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some("An API key of a tenant."))
        .build();
    document
        .components
        .get_or_insert_default()
        .add_security_scheme("api_key", SecurityScheme::Http(bearer));
}

async fn not_found(method: Method, uri: Uri) -> Refusal {
    Refusal::new(
        Code::NotFound,
        format!("There is nothing at {method} {}.", uri.path()),
    )
}

async fn method_not_allowed(method: Method, uri: Uri) -> Refusal {
    Refusal::new(
        Code::MethodNotAllowed,
        format!("{method} does not exist at {}.", uri.path()),
    )
}

/// No answer is to be taken for anything but what its type says.
async fn harden(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    headers.insert(
        header::REFERRER_POLICY,
        HeaderValue::from_static("no-referrer"),
    );
    response
}
