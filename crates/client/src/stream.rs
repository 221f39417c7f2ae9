//! The stream of finalized blocks over WebSocket, verified, from whichever of several nodes serves it honestly.

use std::{collections::BTreeMap, time::Duration};

use alloy_primitives::{U64, U128};
use futures::{SinkExt as _, StreamExt as _};
use serde::Deserialize;
use serde_json::{json, value::RawValue};
use tokio::{
    net::TcpStream,
    sync::mpsc,
    time::{Instant, sleep, sleep_until, timeout},
};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async_with_config,
    tungstenite::{Message, protocol::WebSocketConfig},
};

use crate::{
    follow::{Evidence, Fault, Follower, Head, Network, VerifiedBlock},
    node,
    rpc::{RpcError, address},
};

/// Largest message that is read; see the bound on a JSON-RPC answer.
const MESSAGE_BYTES_MAX: usize = 64 << 20;

/// Events that wait for a slow reader before the stream itself waits.
const EVENTS_MAX: usize = 64;

/// How a stream is followed.
#[derive(Debug, Clone)]
pub struct Config {
    /// Addresses of nodes (`http://…`, the WebSocket is on the same port), the preferred one first.
    pub nodes: Vec<String>,
    /// Whose blocks.
    pub network: Network,
    /// The last block already known; the stream starts after it.
    pub from: Head,
    /// How long a node may go without a new verified block. Above the idle interval of the network by a few times,
    /// or honest nodes are left for nothing.
    pub stall: Duration,
    /// How long a node that lied is left alone.
    pub quarantine: Duration,
}

impl Config {
    /// With the usual times: 10 s and 1 min.
    pub const fn new(nodes: Vec<String>, network: Network, from: Head) -> Self {
        Self {
            nodes,
            network,
            from,
            stall: Duration::from_secs(10),
            quarantine: Duration::from_secs(60),
        }
    }
}

/// What the stream has to say.
#[derive(Debug)]
pub enum Event {
    /// A node accepted the subscription.
    Connected {
        /// The node.
        node: String,
    },
    /// The next block, verified.
    Block(Box<VerifiedBlock>),
    /// The node is of no use at present; another one is tried.
    Left {
        /// The node.
        node: String,
        /// Why.
        reason: String,
    },
    /// The node lied, and is left alone for a while.
    Lied(Evidence),
}

/// Follows the stream in a task of its own, until the receiver is dropped.
pub fn follow(config: Config) -> Result<mpsc::Receiver<Event>, RpcError> {
    if config.nodes.is_empty() {
        return Err(RpcError::NoNode);
    }
    for node in &config.nodes {
        address(node)?;
    }
    let (events, receiver) = mpsc::channel(EVENTS_MAX);
    let follower = Follower::new(config.network.clone(), config.from);
    tokio::spawn(
        Stream {
            config,
            follower,
            events,
            quarantined: BTreeMap::new(),
        }
        .run(),
    );
    Ok(receiver)
}

struct Stream {
    config: Config,
    follower: Follower,
    events: mpsc::Sender<Event>,
    /// Nodes that lied, by index, and until when they are left alone.
    quarantined: BTreeMap<usize, Instant>,
}

/// Why a node was left.
enum Leave {
    /// It lied.
    Lied(Fault),
    /// It is unreachable, slow, or of another network.
    Useless(String),
    /// Nobody listens any more.
    Closed,
}

impl From<Fault> for Leave {
    fn from(fault: Fault) -> Self {
        Self::Lied(fault)
    }
}

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

impl Stream {
    async fn run(mut self) {
        let mut failures = 0_u32;
        for index in (0..self.config.nodes.len()).cycle() {
            self.await_quarantine(index).await;
            if self.events.is_closed() {
                return;
            }
            if self.quarantined.contains_key(&index) {
                continue;
            }
            let before = self.follower.trusted();
            let Err(leave) = self.follow_node(index).await;
            self.follower.restart();
            let node = self.config.nodes[index].clone();
            let event = match leave {
                Leave::Closed => return,
                Leave::Useless(reason) => Event::Left { node, reason },
                Leave::Lied(fault) => {
                    self.quarantined
                        .insert(index, Instant::now() + self.config.quarantine);
                    Event::Lied(Evidence { node, fault })
                }
            };
            if self.events.send(event).await.is_err() {
                return;
            }
            failures = if self.follower.trusted() == before {
                failures + 1
            } else {
                0
            };
            self.back_off(failures).await;
        }
    }

    /// Releases nodes whose time is over. When every node is quarantined, waits for the first.
    async fn await_quarantine(&mut self, index: usize) {
        if self.quarantined.len() == self.config.nodes.len()
            && let Some(first) = self.quarantined.values().min()
        {
            tokio::select! {
                () = sleep_until(*first) => {}
                () = self.events.closed() => {}
            }
        }
        if self
            .quarantined
            .get(&index)
            .is_some_and(|until| *until <= Instant::now())
        {
            self.quarantined.remove(&index);
        }
    }

    /// After every node failed once in a row: 100 ms, doubling up to 5 s.
    async fn back_off(&self, failures: u32) {
        let rounds = failures / u32::try_from(self.config.nodes.len()).unwrap_or(u32::MAX);
        if rounds > 0 {
            let pause =
                Duration::from_millis(100 << (rounds - 1).min(6)).min(Duration::from_secs(5));
            tokio::select! {
                () = sleep(pause) => {}
                () = self.events.closed() => {}
            }
        }
    }

    async fn follow_node(&mut self, index: usize) -> Result<std::convert::Infallible, Leave> {
        let stall = self.config.stall;
        let node = self.config.nodes[index].clone();
        let late = |what: &str| Leave::Useless(format!("no {what} within {stall:?}"));
        let mut socket = timeout(stall, connect(&node))
            .await
            .map_err(|_| late("connection"))??;
        let subscription = timeout(stall, self.subscribe(&mut socket))
            .await
            .map_err(|_| late("subscription"))??;
        self.emit(Event::Connected { node }).await?;
        let mut deadline = Instant::now() + stall;
        loop {
            let text = tokio::select! {
                text = read_text(&mut socket) => text?,
                () = sleep_until(deadline) => return Err(late("new final block")),
                () = self.events.closed() => return Err(Leave::Closed),
            };
            let Some(block) = parse_notification(&text, &subscription)? else {
                continue;
            };
            for verified in self.follower.push(block)? {
                self.emit(Event::Block(Box::new(verified))).await?;
                deadline = Instant::now() + stall;
            }
        }
    }

    /// Asks which network this is, and for its blocks.
    async fn subscribe(&self, socket: &mut Socket) -> Result<String, Leave> {
        let network = &self.config.network;
        let identity: node::Identity = request(socket, 1, node::GET_IDENTITY, json!([])).await?;
        let (chain_id, genesis): (u64, _) = (identity.chain_id.to(), identity.genesis_hash);
        if (chain_id, genesis, identity.identity)
            != (network.chain_id(), network.genesis(), network.identity())
        {
            return Err(Leave::Useless(format!(
                "it belongs to another network (chain id {chain_id}, genesis {genesis}, identity {})",
                identity.identity
            )));
        }
        let from = self.follower.trusted().height.saturating_add(1);
        let from = node::SubscribeFrom {
            from: Some(U64::from(from)),
        };
        let id: U128 = request(socket, 2, node::SUBSCRIBE, json!([node::FINALIZED, from])).await?;
        Ok(format!("{id:#x}"))
    }

    async fn emit(&self, event: Event) -> Result<(), Leave> {
        self.events.send(event).await.map_err(|_| Leave::Closed)
    }
}

async fn connect(node: &str) -> Result<Socket, Leave> {
    let url = node.replacen("http", "ws", 1);
    let config = WebSocketConfig::default()
        .max_message_size(Some(MESSAGE_BYTES_MAX))
        .max_frame_size(Some(MESSAGE_BYTES_MAX));
    let connected = connect_async_with_config(url, Some(config), true).await;
    connected
        .map(|(socket, _)| socket)
        .map_err(|error| Leave::Useless(error.to_string()))
}

async fn request<T: serde::de::DeserializeOwned>(
    socket: &mut Socket,
    id: u64,
    method: &str,
    params: serde_json::Value,
) -> Result<T, Leave> {
    let request = json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params});
    socket
        .send(Message::text(request.to_string()))
        .await
        .map_err(|error| Leave::Useless(error.to_string()))?;
    loop {
        let text = read_text(socket).await?;
        let answer: Incoming =
            serde_json::from_str(&text).map_err(|error| Fault::Message(error.to_string()))?;
        if answer.id != Some(id) {
            continue;
        }
        if let Some(error) = answer.error {
            return Err(Leave::Useless(format!("{method}: {error}")));
        }
        let result = answer.result.as_deref().map_or("null", RawValue::get);
        return serde_json::from_str(result)
            .map_err(|error| Leave::Lied(Fault::Message(format!("result of {method}: {error}"))));
    }
}

/// The next text message. Pings are answered by the library, on the next read.
async fn read_text(socket: &mut Socket) -> Result<String, Leave> {
    loop {
        match socket.next().await {
            Some(Ok(Message::Text(text))) => return Ok(text.as_str().to_owned()),
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
            Some(Ok(Message::Close(_))) | None => {
                return Err(Leave::Useless("it closed the connection".to_owned()));
            }
            Some(Ok(_)) => {
                return Err(Leave::Lied(Fault::Message("not a text message".to_owned())));
            }
            Some(Err(error)) => return Err(Leave::Useless(error.to_string())),
        }
    }
}

/// The block in a notification of our subscription; none in any other message.
fn parse_notification(
    text: &str,
    subscription: &str,
) -> Result<Option<node::FinalizedBlock>, Fault> {
    let malformed = |error: serde_json::Error| Fault::Message(error.to_string());
    let message: Incoming = serde_json::from_str(text).map_err(malformed)?;
    let (Some(method), Some(params)) = (message.method, message.params) else {
        return Ok(None);
    };
    if method != node::SUBSCRIPTION {
        return Ok(None);
    }
    let notification: Notification = serde_json::from_str(params.get()).map_err(malformed)?;
    let ours = notification
        .subscription
        .parse::<U128>()
        .is_ok_and(|id| format!("{id:#x}") == subscription);
    if !ours {
        return Ok(None);
    }
    serde_json::from_str(notification.result.get())
        .map(Some)
        .map_err(malformed)
}

#[derive(Deserialize)]
struct Incoming {
    #[serde(default)]
    id: Option<u64>,
    #[serde(default)]
    result: Option<Box<RawValue>>,
    #[serde(default)]
    error: Option<serde_json::Value>,
    #[serde(default)]
    method: Option<String>,
    #[serde(default)]
    params: Option<Box<RawValue>>,
}

#[derive(Deserialize)]
struct Notification {
    subscription: String,
    result: Box<RawValue>,
}
