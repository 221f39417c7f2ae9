//! The port: HTTP and WebSocket, with every bound on what a client may take up.

use crate::{
    deadline::{Deadlines, TICK, within},
    dispatch,
    error::Error,
    large::Message,
    method::{Api, Caller},
    network::Network,
    socket,
    wallet::Wallet,
};
use alloy_signer_local::PrivateKeySigner;
use axum::{
    Extension, Router,
    body::{Body, Bytes},
    extract::{
        State,
        ws::{WebSocketUpgrade, rejection::WebSocketUpgradeRejection},
    },
    http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header},
    response::IntoResponse,
    routing::get,
};
use chain::Node;
use futures::{FutureExt as _, TryFutureExt as _};
use http_body_util::{Either, Full};
use hyper::{
    body::Incoming,
    server::conn::http1,
    service::{Service as _, service_fn},
};
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use std::{
    io, net::SocketAddr, num::NonZeroUsize, pin::pin, sync::Arc, thread::available_parallelism,
    time::Duration,
};
use tokio::{
    net::{TcpListener, TcpSocket},
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    time::{interval, sleep, timeout},
};
use tracing::{debug, info, warn};
use types::SpecError;

/// How long a connection may take to send the head of a request, and stay open without one. Longer
/// than clients keep idle connections, so that they are the ones to close.
const HEAD_TIMEOUT: Duration = Duration::from_secs(120);
/// How long open connections may take to end when the node stops.
const STOP_TIMEOUT: Duration = Duration::from_secs(5);
/// Connections that may wait to be accepted.
const ACCEPTED_AHEAD: u32 = 1_024;
/// Bytes of a connection that may wait to be read.
const RECEIVED_AHEAD: u32 = 256 << 10;
/// Bytes read at a time, and the longest head of a request.
const READ_AT_ONCE: usize = 64 << 10;
/// Pause after a connection could not be accepted (too many open files).
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Where and how to serve.
#[derive(Clone, Debug)]
pub struct Config {
    /// Address and port. Port 0 takes a free one. Anyone who reaches it can use the node: keep it on
    /// loopback or a protected network.
    pub listen: SocketAddr,
    /// How much clients may take up.
    pub limits: Limits,
    /// Keys with which the node signs for whoever asks, if its network is one for development; on any other they are not
    /// used.
    pub dev_keys: Vec<PrivateKeySigner>,
    /// Called first on each thread that answers a large message: it should give way to the others.
    pub give_way: fn(),
}

impl Config {
    /// Serves at this address, with the usual limits.
    pub fn new(listen: SocketAddr) -> Self {
        Self {
            listen,
            limits: Limits::default(),
            dev_keys: Vec::new(),
            give_way: || {},
        }
    }
}

/// How much clients may take up. Too little refuses honest clients, too much lets one take the node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections at a time; more wait to be accepted.
    pub connections_max: usize,
    /// Messages answered at a time; more wait, at most `request_timeout`.
    pub requests_max: usize,
    /// Messages of more than 64 KiB received and answered at a time; more wait, at most `request_timeout`.
    pub large_messages_max: usize,
    /// Bytes of one message.
    pub body_bytes_max: usize,
    /// Calls in one batch.
    pub batch_max: usize,
    /// Time for all calls of one message. Above the 20 s that a transaction may be waited for.
    pub request_timeout: Duration,
    /// Bytes of an answer after which nothing is added to it. A single block may exceed it.
    pub response_bytes_max: usize,
    /// Blocks that one question for logs may cover. They cost little; logs found are bounded by the next.
    pub log_blocks_max: u64,
    /// Logs in one answer.
    pub logs_max: usize,
    /// Filters installed at a time, of all clients.
    pub filters_max: usize,
    /// Subscriptions of one WebSocket.
    pub subscriptions_max: usize,
    /// Calls simulated at a time for a short turn, about a quarter of a millisecond.
    pub calls_max: usize,
    /// Calls, traces and simulated blocks that take longer, at a time. Each takes a processor as long as its gas lasts;
    /// consensus and everybody else need the others.
    pub long_calls_max: usize,
    /// Gas of one simulated call, or of all calls that one message simulates together.
    pub call_gas_max: u64,
    /// Bytes of JSON, more or less, after which a trace is given up while it is made.
    pub trace_bytes_max: usize,
    /// Blocks that one question for traces may cover. Each is executed again.
    pub trace_blocks_max: u64,
}

impl Default for Limits {
    fn default() -> Self {
        let processors = available_parallelism().map_or(2, NonZeroUsize::get);
        Self {
            connections_max: 4_096,
            requests_max: 1_024,
            large_messages_max: 4,
            body_bytes_max: 5 << 20,
            batch_max: 1_000,
            request_timeout: Duration::from_secs(30),
            response_bytes_max: 25 << 20,
            log_blocks_max: 1_000_000,
            logs_max: 10_000,
            filters_max: 1_024,
            subscriptions_max: 128,
            calls_max: processors,
            long_calls_max: (processors / 2).max(1),
            call_gas_max: 50_000_000,
            trace_bytes_max: 32 << 20,
            trace_blocks_max: 100,
        }
    }
}

/// Why JSON-RPC is not served.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Something else listens on the port.
    #[error(
        "JSON-RPC cannot use {0}: the port is in use. Stop the program that uses it, or choose another port"
    )]
    PortInUse(SocketAddr),
    /// The address cannot be listened on.
    #[error("JSON-RPC cannot use {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What is wrong with it.
        #[source]
        source: io::Error,
    },
    /// The node's chain spec is unusable.
    #[error(transparent)]
    Spec(#[from] SpecError),
}

/// A port that is taken, before it is served. Connections made meanwhile wait.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    limits: Limits,
    dev_keys: Vec<PrivateKeySigner>,
    give_way: fn(),
}

/// Takes the port and serves until `shutdown`.
///
/// # Errors
/// As [`Server::bind`] and [`Server::run`].
pub async fn serve(
    config: Config,
    node: Node,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<(), ServeError> {
    Server::bind(config).await?.run(node, shutdown).await
}

impl Server {
    /// Takes the port.
    ///
    /// # Errors
    /// [`ServeError`] naming the address and what to do.
    pub async fn bind(config: Config) -> Result<Self, ServeError> {
        let Config {
            listen: address,
            limits,
            dev_keys,
            give_way,
        } = config;
        let failed = |source: io::Error| match source.kind() {
            io::ErrorKind::AddrInUse => ServeError::PortInUse(address),
            _ => ServeError::Listen { address, source },
        };
        let listener = listen(address).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        Ok(Self {
            listener,
            address,
            limits,
            dev_keys,
            give_way,
        })
    }

    /// The address taken, with the port that was free if 0 was asked for.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `shutdown`, then lets what is under way finish for a few seconds.
    ///
    /// # Errors
    /// [`ServeError::Spec`] if the node's chain spec is unusable.
    pub async fn run(
        self,
        node: Node,
        shutdown: impl Future<Output = ()> + Send,
    ) -> Result<(), ServeError> {
        let Self {
            listener,
            address,
            limits,
            dev_keys,
            give_way,
        } = self;
        let network = Network::new(&node)?;
        let wallet = Wallet::new(node.spec(), dev_keys);
        let (stopper, stop) = watch::channel(false);
        let served = Served {
            api: Arc::new(Api::new(node, network, wallet, limits, give_way)),
            stop: stop.clone(),
        };
        let router = Router::new()
            .route("/", get(open).options(preflight).fallback(other_method))
            .fallback(async || (StatusCode::NOT_FOUND, "JSON-RPC is at /\n"))
            .with_state(served.clone());
        let places = Arc::new(Semaphore::new(limits.connections_max));
        info!(%address, "serving JSON-RPC");
        let accepting = async {
            loop {
                let Ok(place) = Arc::clone(&places).acquire_owned().await else {
                    return;
                };
                let stream = match listener.accept().await {
                    Ok((stream, _)) => stream,
                    Err(error) => {
                        warn!(%error, "a connection could not be accepted");
                        sleep(ACCEPT_PAUSE).await;
                        continue;
                    }
                };
                // An answer is one write; nothing more to wait for.
                let _ = stream.set_nodelay(true);
                let api = Arc::clone(&served.api);
                let others = TowerToHyperService::new(router.clone().layer(Extension(Place {
                    _permit: Arc::new(place),
                })));
                // Calls, which are nearly all there is, go without the router: it costs more than many of them.
                let service = service_fn(move |request: Request<Incoming>| {
                    if request.method() == Method::POST && request.uri().path() == "/" {
                        let called = call(Arc::clone(&api), request);
                        return called
                            .map(|answer| Ok(answer.map(Either::Left)))
                            .left_future();
                    }
                    let other = others.call(request);
                    other
                        .map_ok(|answer| answer.map(Either::Right))
                        .right_future()
                });
                let connection = http1::Builder::new()
                    .timer(Deadlines)
                    .header_read_timeout(HEAD_TIMEOUT)
                    .max_buf_size(READ_AT_ONCE)
                    .serve_connection(TokioIo::new(stream), service)
                    .with_upgrades();
                let mut stop = stop.clone();
                tokio::spawn(async move {
                    let mut connection = pin!(connection);
                    let mut stopping = pin!(stopping(&mut stop).fuse());
                    let mut tick = interval(TICK);
                    let ended = loop {
                        tokio::select! {
                            biased;
                            ended = connection.as_mut() => break ended,
                            () = stopping.as_mut() => connection.as_mut().graceful_shutdown(),
                            // The connection looks at its deadlines.
                            _ = tick.tick() => {}
                        }
                    };
                    if let Err(error) = ended {
                        debug!(%error, "a connection failed");
                    }
                });
            }
        };
        let shutdown = pin!(shutdown);
        futures::future::select(pin!(accepting), shutdown).await;
        drop(listener);
        stopper.send_replace(true);
        let all = u32::try_from(limits.connections_max).unwrap_or(u32::MAX);
        if timeout(STOP_TIMEOUT, places.acquire_many(all))
            .await
            .is_err()
        {
            warn!("connections were cut off that did not end in time");
        }
        Ok(())
    }
}

/// Takes a port. What the system receives for a connection before we read it is bounded: else it is megabytes for each.
fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4(),
        SocketAddr::V6(_) => TcpSocket::new_v6(),
    }?;
    // On Windows it would take a port from somebody else.
    #[cfg(unix)]
    socket.set_reuseaddr(true)?;
    socket.set_recv_buffer_size(RECEIVED_AHEAD)?;
    socket.bind(address)?;
    socket.listen(ACCEPTED_AHEAD)
}

/// Returns when the node stops, or is gone.
pub(crate) async fn stopping(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}

/// What handlers share.
#[derive(Clone)]
struct Served {
    api: Arc<Api>,
    stop: watch::Receiver<bool>,
}

/// A connection's place among all. A WebSocket takes it over.
#[derive(Clone)]
struct Place {
    _permit: Arc<OwnedSemaphorePermit>,
}

/// A message over HTTP.
async fn call(api: Arc<Api>, request: Request<Incoming>) -> Response<Full<Bytes>> {
    let (head, body) = request.into_parts();
    if !is_json(&head.headers) {
        let error = Error::InvalidRequest(
            "invalid content type, only application/json is supported".to_owned(),
        );
        return answered(StatusCode::UNSUPPORTED_MEDIA_TYPE, Some(refusal(error)));
    }
    let receiving = api.large.receive(body, &api.limits);
    let Message { bytes, place } = match within(api.limits.request_timeout, receiving).await {
        Some(Ok(message)) => message,
        Some(Err((status, error))) => return answered(status, Some(refusal(error))),
        None => return answered(StatusCode::REQUEST_TIMEOUT, Some(refusal(Error::Timeout))),
    };
    let answer = if place.is_none() {
        dispatch::answer(&api, &mut Caller::default(), &bytes).await
    } else {
        // Boxed: else each message would be moved as if it were large.
        work(&api, bytes).boxed().await
    };
    match answer {
        Some(answer) => answered(StatusCode::OK, Some(answer)),
        None => answered(StatusCode::NO_CONTENT, None),
    }
}

/// Answers a large message.
async fn work(api: &Arc<Api>, message: Vec<u8>) -> Option<String> {
    let asked = Arc::clone(api);
    let work = async move { dispatch::answer(&asked, &mut Caller::default(), &message).await };
    let worked = api.large.work(work).await;
    worked.unwrap_or_else(|| Some(refusal(dispatch::busy())))
}

/// The media types that geth takes. Anything else could be sent by a web page that was not asked to.
fn is_json(headers: &HeaderMap) -> bool {
    let value = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    let media_type = value
        .and_then(|value| value.split(';').next())
        .unwrap_or_default();
    [
        "application/json",
        "application/json-rpc",
        "application/jsonrequest",
    ]
    .iter()
    .any(|known| media_type.trim().eq_ignore_ascii_case(known))
}

/// The answer to a message that is not even looked at.
pub(crate) fn refusal(error: Error) -> String {
    dispatch::response("null", Err(error))
}

fn answered(status: StatusCode, text: Option<String>) -> Response<Full<Bytes>> {
    let mut response = Response::new(text.map_or_else(Full::default, Full::from));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    if status != StatusCode::NO_CONTENT {
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/json"),
        );
    }
    // Web pages may call; there are no credentials to abuse.
    headers.insert(
        header::ACCESS_CONTROL_ALLOW_ORIGIN,
        HeaderValue::from_static("*"),
    );
    response
}

/// What a browser asks before a web page may call.
async fn preflight() -> Response<Full<Bytes>> {
    let mut response = answered(StatusCode::NO_CONTENT, None);
    let headers = response.headers_mut();
    headers.insert(
        header::ACCESS_CONTROL_ALLOW_METHODS,
        HeaderValue::from_static("POST"),
    );
    headers.insert(
        header::ACCESS_CONTROL_ALLOW_HEADERS,
        HeaderValue::from_static("content-type"),
    );
    headers.insert(
        header::ACCESS_CONTROL_MAX_AGE,
        HeaderValue::from_static("86400"),
    );
    response
}

/// What is neither a call nor one of the others.
async fn other_method() -> impl IntoResponse {
    (
        StatusCode::METHOD_NOT_ALLOWED,
        [(header::ALLOW, "GET, HEAD, OPTIONS, POST")],
    )
}

/// A WebSocket, or someone who looks what is here.
async fn open(
    State(Served { api, stop }): State<Served>,
    Extension(place): Extension<Place>,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Response<Body> {
    match upgrade {
        Ok(upgrade) => {
            let most = api.limits.body_bytes_max;
            upgrade
                .max_message_size(most)
                .max_frame_size(most)
                .on_upgrade(async move |socket| {
                    socket::serve(socket, api, stop).await;
                    drop(place);
                })
        }
        Err(rejection) if headers.contains_key(header::UPGRADE) => rejection.into_response(),
        Err(_) => "Ashlar JSON-RPC: POST a request here, or open a WebSocket.\n".into_response(),
    }
}
