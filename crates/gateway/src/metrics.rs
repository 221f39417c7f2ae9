//! `/metrics`, in the OpenMetrics text format.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Instant,
};

use axum::{
    extract::{MatchedPath, Request, State},
    http::header,
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use operations::shell::ChainView;
use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode},
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::{Registry, Unit},
};

use crate::{
    app::App,
    problem::{Code, Refusal},
};

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answered {
    method: String,
    route: String,
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Route {
    method: String,
    route: String,
}

/// What the gateway counts.
#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Registry,
    requests: Family<Answered, Counter>,
    durations: Family<Route, Histogram>,
    /// Records promised.
    pub(crate) accepted: Counter,
    /// Records whose content was erased.
    pub(crate) erased: Counter,
    shell: Shell,
}

/// Set from the shell when somebody asks.
#[derive(Debug, Default)]
struct Shell {
    height: Gauge,
    stream_age_seconds: Gauge<f64, std::sync::atomic::AtomicU64>,
    backlog: Gauge,
    queued: Gauge,
    in_flight: Gauge,
    settled: Counter,
    signed: Counter,
    sends: Counter,
    lies: Counter,
    nodes_left: Counter,
    recoveries: Counter,
    foreign: Counter,
    reverted: Counter,
    refused: Counter,
    gaps: Counter,
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let mut registry = Registry::with_prefix("ashlar_gateway");
        let requests = Family::default();
        let durations = Family::<Route, Histogram>::new_with_constructor(|| {
            Histogram::new([0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0])
        });
        let (accepted, erased, shell) = (Counter::default(), Counter::default(), Shell::default());
        registry.register("http_requests", "Requests answered", requests.clone());
        registry.register_with_unit(
            "http_request_duration",
            "Time to answer",
            Unit::Seconds,
            durations.clone(),
        );
        registry.register("records_accepted", "Records promised", accepted.clone());
        registry.register("records_erased", "Erasures of content", erased.clone());
        shell.register(&mut registry);
        Self {
            registry,
            requests,
            durations,
            accepted,
            erased,
            shell,
        }
    }

    fn text(&self, app: &App) -> Result<String, std::fmt::Error> {
        self.shell.update(&app.shell.view(), app);
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

impl Shell {
    fn register(&self, registry: &mut Registry) {
        registry.register(
            "chain_height",
            "Last final block in the journal",
            self.height.clone(),
        );
        let age = "Time since the last final block came";
        registry.register_with_unit(
            "chain_block_age",
            age,
            Unit::Seconds,
            self.stream_age_seconds.clone(),
        );
        registry.register(
            "records_unsettled",
            "Records accepted and not settled",
            self.backlog.clone(),
        );
        registry.register(
            "records_queued",
            "Records in no transaction",
            self.queued.clone(),
        );
        registry.register(
            "transactions_in_flight",
            "Transactions whose end is not known",
            self.in_flight.clone(),
        );
        registry.register(
            "records_settled",
            "Records that became final or failed",
            self.settled.clone(),
        );
        registry.register(
            "transactions_signed",
            "Transactions signed",
            self.signed.clone(),
        );
        registry.register(
            "transaction_sends",
            "Transactions sent, repetitions included",
            self.sends.clone(),
        );
        registry.register(
            "node_lies",
            "Times a node sent what an honest one does not",
            self.lies.clone(),
        );
        registry.register(
            "nodes_left",
            "Times a node was left as useless",
            self.nodes_left.clone(),
        );
        registry.register(
            "journal_recoveries",
            "Restarts of the machine after a failed write",
            self.recoveries.clone(),
        );
        registry.register(
            "transactions_foreign",
            "Transactions of our account sent by someone else",
            self.foreign.clone(),
        );
        registry.register(
            "transactions_reverted",
            "Batches that reverted",
            self.reverted.clone(),
        );
        registry.register(
            "transactions_refused",
            "Sends a node refused",
            self.refused.clone(),
        );
        registry.register(
            "nonce_gaps",
            "Times a nonce was found missing",
            self.gaps.clone(),
        );
    }

    fn update(&self, view: &ChainView, app: &App) {
        let gauge = |gauge: &Gauge, value: usize| {
            gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
        };
        self.height.set(
            view.head
                .map_or(0, |head| i64::try_from(head.height).unwrap_or(i64::MAX)),
        );
        self.stream_age_seconds.set(
            view.since_block()
                .map_or(f64::NAN, |since| since.as_secs_f64()),
        );
        gauge(&self.backlog, app.shell.backlog());
        gauge(&self.queued, view.status.map_or(0, |status| status.queued));
        gauge(
            &self.in_flight,
            view.status.map_or(0, |status| status.in_flight),
        );
        let counters = app.shell.counters();
        for (counter, counted) in [
            (&self.settled, &counters.settled),
            (&self.signed, &counters.signed),
            (&self.sends, &counters.sends),
            (&self.lies, &counters.lies),
            (&self.nodes_left, &counters.nodes_left),
            (&self.recoveries, &counters.recoveries),
            (&self.foreign, &counters.foreign),
            (&self.reverted, &counters.reverted),
            (&self.refused, &counters.refused),
            (&self.gaps, &counters.gaps),
        ] {
            counter
                .inner()
                .store(counted.load(Ordering::Relaxed), Ordering::Relaxed);
        }
    }
}

/// Metrics
///
/// For Prometheus, in the OpenMetrics text format.
#[utoipa::path(
    get,
    path = "/metrics",
    tag = "operation",
    responses((status = 200, description = "The metrics", body = String, content_type = "application/openmetrics-text")),
    security(()),
)]
pub(crate) async fn metrics(State(app): State<Arc<App>>) -> Result<Response, Refusal> {
    let text = app
        .metrics
        .text(&app)
        .map_err(|_| Refusal::new(Code::Internal, "The metrics could not be written."))?;
    let media_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    Ok(([(header::CONTENT_TYPE, media_type)], text).into_response())
}

/// Counts and logs each answer. Routes, not paths: a path has an id in it, and there is no end of ids.
pub(crate) async fn observe(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let start = Instant::now();
    let method = request.method().to_string();
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map_or("none", MatchedPath::as_str)
        .to_owned();
    let response = next.run(request).await;
    let (status, elapsed) = (response.status().as_u16(), start.elapsed());
    tracing::debug!(
        method,
        route,
        status,
        elapsed_us = elapsed.as_micros(),
        "answered"
    );
    let labels = Route {
        method: method.clone(),
        route: route.clone(),
    };
    app.metrics
        .durations
        .get_or_create(&labels)
        .observe(elapsed.as_secs_f64());
    app.metrics
        .requests
        .get_or_create(&Answered {
            method,
            route,
            status,
        })
        .inc();
    response
}
