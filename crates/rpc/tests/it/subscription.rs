//! WebSockets.

use crate::node::{CHAIN_ID, Node, User, quantity, transfer};
use alloy_primitives::{B256, Bytes, TxKind, keccak256};
use client::{
    follow::{Head, Network},
    stream::{Config, Event, follow},
};
use futures::{SinkExt as _, StreamExt as _};
use rpc::Limits;
use serde_json::{Value, json};
use std::collections::VecDeque;
use tokio::net::TcpStream;
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{Message, protocol::frame::coding::CloseCode},
};
use types::Fees;

pub(crate) struct Socket {
    stream: WebSocketStream<MaybeTlsStream<TcpStream>>,
    /// Notifications that came while the answer to a call was waited for.
    held: VecDeque<Value>,
}

impl Socket {
    pub(crate) async fn open(node: &Node) -> Self {
        let (stream, _) = connect_async(format!("ws://{}", node.address))
            .await
            .unwrap();
        Self {
            stream,
            held: VecDeque::new(),
        }
    }

    async fn send(&mut self, value: &Value) {
        self.send_text(value.to_string()).await;
    }

    pub(crate) async fn send_text(&mut self, text: String) {
        self.stream.send(Message::text(text)).await.unwrap();
    }

    async fn next(&mut self) -> Value {
        match self.held.pop_front() {
            Some(held) => held,
            None => self.read().await,
        }
    }

    pub(crate) async fn read(&mut self) -> Value {
        loop {
            match self.stream.next().await.unwrap().unwrap() {
                Message::Text(text) => return serde_json::from_str(&text).unwrap(),
                Message::Ping(_) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    pub(crate) async fn call(&mut self, method: &str, params: Value) -> Value {
        self.send(&json!({"jsonrpc": "2.0", "id": method, "method": method, "params": params}))
            .await;
        loop {
            let message = self.read().await;
            if message.get("id").is_some() {
                assert_eq!(message["id"], method, "{message}");
                return message;
            }
            self.held.push_back(message);
        }
    }

    async fn subscribe(&mut self, method: &str, params: Value) -> Value {
        let response = self.call(method, params).await;
        assert!(response.get("error").is_none(), "{response}");
        response["result"].clone()
    }

    /// The result in the next notification of a subscription.
    async fn notified(&mut self, method: &str, id: &Value) -> Value {
        let mut notification = self.next().await;
        assert_eq!(notification["method"], method, "{notification}");
        assert_eq!(&notification["params"]["subscription"], id);
        notification["params"]["result"].take()
    }

    /// The result in the next notification of one of several subscriptions, which are told in any order.
    async fn notified_among(&mut self, id: &Value) -> Value {
        loop {
            let mut notification = self.next().await;
            if &notification["params"]["subscription"] == id {
                return notification["params"]["result"].take();
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn heads_come_one_by_one() {
    let node = Node::start().await;
    let mut socket = Socket::open(&node).await;
    assert_eq!(
        socket.call("eth_chainId", json!([])).await["result"],
        "0x1092"
    );
    let id = socket.subscribe("eth_subscribe", json!(["newHeads"])).await;
    let mut parent = None;
    for _ in 0..4 {
        let head = socket.notified("eth_subscription", &id).await;
        let typed: alloy_rpc_types_eth::Header = serde_json::from_value(head.clone()).unwrap();
        assert_eq!(typed.inner.hash_slow(), typed.hash);
        assert!(parent.is_none_or(|parent: B256| parent == typed.inner.parent_hash));
        parent = Some(typed.hash);
    }
    // A head may come before the answer; what comes after it is nothing.
    let request = json!({"jsonrpc": "2.0", "id": 1, "method": "eth_unsubscribe", "params": [id]});
    socket.send(&request).await;
    loop {
        let message = socket.next().await;
        if message["id"] == 1 {
            assert_eq!(message["result"], true);
            break;
        }
    }
    let again = socket.call("eth_unsubscribe", json!([id])).await;
    assert_eq!(again["error"]["message"], "subscription not found");
}

#[tokio::test(flavor = "multi_thread")]
async fn logs_come_as_they_happen() {
    let node = Node::start().await;
    let user = User::new(1);
    let echo = node.deploy_echo(&user).await;
    let mut socket = Socket::open(&node).await;
    let id = socket
        .subscribe("eth_subscribe", json!(["logs", {"address": echo}]))
        .await;
    for byte in 1..=3 {
        let receipt = node.send(&user, TxKind::Call(echo), vec![byte]).await;
        let log = socket.notified("eth_subscription", &id).await;
        assert_eq!(log, receipt["logs"][0]);
    }
    let syncing = socket.subscribe("eth_subscribe", json!(["syncing"])).await;
    assert_eq!(socket.notified("eth_subscription", &syncing).await, false);
    for (params, text) in [
        (json!(["logz"]), "no \"logz\" subscription in eth namespace"),
        (
            json!(["newHeads", {}]),
            "too many arguments, want at most 1",
        ),
    ] {
        let response = socket.call("eth_subscribe", params).await;
        let message = response["error"]["message"].as_str().unwrap();
        assert!(message.starts_with(text), "{message}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_finalized_stream_has_every_height() {
    let node = Node::start().await;
    let user = User::new(1);
    for nonce in 0..3 {
        node.include(&user.sign(transfer(nonce))).await;
    }
    let height = node.height().await;
    let mut socket = Socket::open(&node).await;
    let id = socket
        .subscribe("ashlar_subscribe", json!(["finalized", {"from": "0x0"}]))
        .await;
    let (mut parent, mut transactions) = (B256::ZERO, 0);
    for number in 0..=height + 2 {
        let block = socket.notified("ashlar_subscription", &id).await;
        let header: Bytes = block["header"].as_str().unwrap().parse().unwrap();
        let decoded: alloy_consensus::Header =
            alloy_rlp::Decodable::decode(&mut header.as_ref()).unwrap();
        assert_eq!((decoded.number, decoded.parent_hash), (number, parent));
        parent = keccak256(&header);
        assert_eq!(
            number == 0,
            block["finalization"].is_null(),
            "block {number}"
        );
        let (raws, receipts) = (
            block["transactions"].as_array(),
            block["receipts"].as_array(),
        );
        assert_eq!(raws.unwrap().len(), receipts.unwrap().len());
        transactions += raws.unwrap().len();
    }
    assert_eq!(transactions, 3);

    // From the next height on.
    let next = socket
        .subscribe("ashlar_subscribe", json!(["finalized"]))
        .await;
    let gone = socket.call("ashlar_unsubscribe", json!([id])).await;
    assert_eq!(gone["result"], true);
    // A block may have come to the other one before it ended.
    assert!(socket.notified_among(&next).await["header"].is_string());
    let mut other = Socket::open(&node).await;
    let error = other.call("ashlar_subscribe", json!(["final"])).await;
    assert_eq!(
        error["error"]["message"],
        "no \"final\" subscription in ashlar namespace"
    );
    let error = other
        .call("ashlar_subscribe", json!(["finalized", {"form": "0x1"}]))
        .await;
    assert_eq!(error["error"]["code"], -32602);
    let error = other.call("ashlar_unsubscribe", json!(["0x1"])).await;
    assert_eq!(error["error"]["message"], "subscription not found");
}

#[tokio::test(flavor = "multi_thread")]
async fn our_own_client_believes_it() {
    let node = Node::start().await;
    let identity = node.call("ashlar_getIdentity", json!([])).await;
    let text = |field: &str| identity[field].as_str().unwrap().to_owned();
    let genesis = text("genesisHash").parse().unwrap();
    let network = Network::new(CHAIN_ID, genesis, text("identity").parse().unwrap()).unwrap();
    let raw = User::new(1).sign(transfer(0));
    node.include(&raw).await;
    let from = Head {
        height: 0,
        hash: genesis,
    };
    let mut events = follow(Config::new(vec![node.url()], network, from)).unwrap();
    let mut heights = Vec::new();
    while heights.len() < 5 {
        match events.recv().await.unwrap() {
            Event::Connected { .. } => {}
            Event::Block(block) => heights.push(block.header.number),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(heights, [1, 2, 3, 4, 5]);
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_and_batches_share_the_connection() {
    let node = Node::start().await;
    let mut socket = Socket::open(&node).await;
    // A transaction that waits for its predecessor does not hold up the rest.
    let user = User::new(1);
    let waiting = json!({"jsonrpc": "2.0", "id": "waiting", "method": "eth_sendRawTransactionSync",
        "params": [user.sign(transfer(1)), 10_000]});
    socket.send(&waiting).await;
    socket
        .send(&json!([
            {"jsonrpc": "2.0", "id": 1, "method": "eth_chainId"},
            {"jsonrpc": "2.0", "method": "eth_chainId"},
            {"jsonrpc": "2.0", "id": 2, "method": "eth_sendRawTransaction", "params": [user.sign(transfer(0))]},
        ]))
        .await;
    let batch = socket.next().await;
    assert_eq!(
        (batch[0]["id"].clone(), batch[1]["id"].clone()),
        (json!(1), json!(2)),
        "{batch}"
    );
    let answer = socket.next().await;
    assert_eq!(
        (&answer["id"], &answer["result"]["status"]),
        (&json!("waiting"), &json!("0x1"))
    );
    socket.stream.send(Message::text("{")).await.unwrap();
    assert_eq!(socket.next().await["error"]["code"], -32700);
    // A large message is answered by others than a small one, and reaches the same subscriptions.
    let padding = " ".repeat(100_000);
    let text = format!(
        r#"[{{"jsonrpc":"2.0","id":9,{padding}"method":"eth_subscribe","params":["newHeads"]}}]"#
    );
    socket.stream.send(Message::text(text)).await.unwrap();
    let answer = socket.next().await;
    let id = answer[0]["result"].clone();
    assert!(id.is_string(), "{answer}");
    socket.notified("eth_subscription", &id).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_is_bounded() {
    let limits = Limits {
        subscriptions_max: 2,
        body_bytes_max: 1_000,
        ..Limits::default()
    };
    let node = Node::start_with(limits, Fees::Free).await;
    let mut socket = Socket::open(&node).await;
    let first = socket.subscribe("eth_subscribe", json!(["logs"])).await;
    socket.subscribe("eth_subscribe", json!(["logs"])).await;
    let third = socket.call("eth_subscribe", json!(["logs"])).await;
    assert_eq!(third["error"]["code"], -32005);
    socket.subscribe("eth_unsubscribe", json!([first])).await;
    socket.subscribe("eth_subscribe", json!(["logs"])).await;

    let large = json!({"jsonrpc": "2.0", "id": 1, "method": "x".repeat(1_000)});
    socket.send(&large).await;
    match socket.stream.next().await.unwrap().unwrap() {
        Message::Close(Some(frame)) => assert_eq!(frame.code, CloseCode::Size),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopping_node_says_goodbye() {
    let node = Node::start().await;
    let mut socket = Socket::open(&node).await;
    let id = socket.subscribe("eth_subscribe", json!(["newHeads"])).await;
    let number = quantity(&socket.notified("eth_subscription", &id).await["number"]);
    assert!(number > 0);
    tokio::task::spawn_blocking(move || drop(node))
        .await
        .unwrap();
    loop {
        match socket.stream.next().await.unwrap().unwrap() {
            Message::Close(Some(frame)) => {
                assert_eq!(
                    (frame.code, frame.reason.as_str()),
                    (CloseCode::Away, "the node is stopping")
                );
                break;
            }
            Message::Text(_) | Message::Ping(_) => {}
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_enters_the_mempool_is_told() {
    let node = Node::start().await;
    let user = User::new(1);
    let mut socket = Socket::open(&node).await;
    let hashes = socket
        .subscribe("eth_subscribe", json!(["newPendingTransactions"]))
        .await;
    let whole = socket
        .subscribe("eth_subscribe", json!(["newPendingTransactions", true]))
        .await;
    // Its predecessor is missing, so it stays.
    let raw = user.sign(transfer(1));
    node.call("eth_sendRawTransaction", json!([raw])).await;
    let hash = keccak256(&raw).to_string();
    let mut told = std::collections::BTreeMap::new();
    for _ in 0..2 {
        let mut message = socket.next().await;
        let id = message["params"]["subscription"].take();
        told.insert(
            id.as_str().unwrap().to_owned(),
            message["params"]["result"].take(),
        );
    }
    assert_eq!(told[hashes.as_str().unwrap()], hash);
    let transaction = &told[whole.as_str().unwrap()];
    assert_eq!(transaction["hash"], hash);
    assert_eq!(transaction["blockHash"], json!(null));
    // The same one is refused, and not told of again.
    node.error("eth_sendRawTransaction", json!([raw])).await;
    let next = user.sign(transfer(2));
    node.call("eth_sendRawTransaction", json!([next])).await;
    let told = socket.notified_among(&hashes).await;
    assert_eq!(told, keccak256(&next).to_string());
}
