//! HTTP.

use crate::{node::Node, subscription::Socket};
use rpc::{Config, Limits, ServeError, Server};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use types::Fees;

const CHAIN_ID: &str = r#"{"jsonrpc":"2.0","id":1,"method":"eth_chainId"}"#;

#[tokio::test(flavor = "multi_thread")]
async fn requests_are_json_of_a_bounded_size() {
    let limits = Limits {
        body_bytes_max: 1_000,
        batch_max: 2,
        ..Limits::default()
    };
    let node = Node::start_with(limits, Fees::Free).await;
    let http = reqwest::Client::new();
    let post = |media_type: &'static str, body: String| {
        http.post(node.url())
            .header("content-type", media_type)
            .body(body)
            .send()
    };
    for media_type in [
        "application/json",
        "application/json; charset=utf-8",
        "Application/JSON-RPC",
    ] {
        let response = post(media_type, CHAIN_ID.to_owned()).await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "application/json");
        assert_eq!(response.headers()["access-control-allow-origin"], "*");
        assert!(
            response
                .headers()
                .get("access-control-allow-credentials")
                .is_none()
        );
        assert_eq!(
            response.text().await.unwrap(),
            r#"{"jsonrpc":"2.0","id":1,"result":"0x1092"}"#
        );
    }
    for (media_type, body, status, text) in [
        (
            "text/plain",
            CHAIN_ID.to_owned(),
            415,
            "invalid content type, only application/json is supported",
        ),
        (
            "application/json",
            "[".repeat(1_001),
            413,
            "content length too large: more than 1000 bytes",
        ),
        (
            "application/json",
            "[1,2,3]".to_owned(),
            200,
            "batch too large: more than 2 calls",
        ),
    ] {
        let response = post(media_type, body).await.unwrap();
        assert_eq!(response.status(), status);
        let json: Value = serde_json::from_str(&response.text().await.unwrap()).unwrap();
        assert_eq!(json["error"], json!({"code": -32600, "message": text}));
        assert!(json["id"].is_null());
    }
    let response = http.post(node.url()).body(CHAIN_ID).send().await.unwrap();
    assert_eq!(response.status(), 415);

    let notification = r#"{"jsonrpc":"2.0","method":"eth_chainId"}"#;
    assert_eq!(node.post(notification).await, (204, String::new()));
    assert_eq!(
        node.post(format!("[{notification}]")).await,
        (204, String::new())
    );
    let (status, text) = node.post(format!("[{CHAIN_ID},{{}}]")).await;
    assert_eq!(status, 200);
    let answers: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(
        (&answers[0]["result"], &answers[1]["error"]["code"]),
        (&json!("0x1092"), &json!(-32600))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_is_cut_where_the_answer_grows_too_large() {
    let limits = Limits {
        response_bytes_max: 10,
        ..Limits::default()
    };
    let node = Node::start_with(limits, Fees::Free).await;
    let (_, text) = node.post(format!("[{CHAIN_ID},{CHAIN_ID}]")).await;
    let answers: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(answers[0]["result"], "0x1092");
    assert_eq!(
        answers[1],
        json!({"jsonrpc": "2.0", "id": 1, "error": {"code": -32003, "message": "response too large: more than 10 bytes"}})
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_takes_too_long_is_given_up() {
    let limits = Limits {
        request_timeout: Duration::from_millis(50),
        ..Limits::default()
    };
    let node = Node::start_with(limits, Fees::Free).await;
    let raw = crate::node::User::new(1).sign(crate::node::transfer(1));
    let error = node.error("eth_sendRawTransactionSync", json!([raw])).await;
    assert_eq!(error, "-32002: request timed out");
}

#[tokio::test(flavor = "multi_thread")]
async fn web_pages_and_people_are_answered() {
    let node = Node::start().await;
    let http = reqwest::Client::new();
    let preflight = http
        .request(reqwest::Method::OPTIONS, node.url())
        .header("origin", "https://example.org")
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", "content-type")
        .send()
        .await
        .unwrap();
    assert_eq!(preflight.status(), 204);
    assert_eq!(preflight.headers()["access-control-allow-methods"], "POST");
    assert_eq!(
        preflight.headers()["access-control-allow-headers"],
        "content-type"
    );
    let page = http.get(node.url()).send().await.unwrap();
    assert_eq!(page.status(), 200);
    assert!(page.headers().get("access-control-allow-origin").is_none());
    assert!(page.text().await.unwrap().contains("POST"));
    let nowhere = http
        .get(format!("{}/nowhere", node.url()))
        .send()
        .await
        .unwrap();
    assert_eq!(nowhere.status(), 404);
    let put = http.put(node.url()).body(CHAIN_ID).send().await.unwrap();
    assert_eq!(put.status(), 405);
    let allowed = put.headers()["allow"].to_str().unwrap().to_owned();
    assert!(allowed.contains("POST"), "{allowed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_beyond_the_limit_wait() {
    // The other one is the test's own client's.
    let limits = Limits {
        connections_max: 2,
        ..Limits::default()
    };
    let node = Node::start_with(limits, Fees::Free).await;
    let request = format!(
        "POST / HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{CHAIN_ID}",
        CHAIN_ID.len()
    );
    let mut first = TcpStream::connect(node.address).await.unwrap();
    first.write_all(request.as_bytes()).await.unwrap();
    let mut answer = [0; 15];
    first.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200 OK");
    let mut second = TcpStream::connect(node.address).await.unwrap();
    second.write_all(request.as_bytes()).await.unwrap();
    drop(first);
    second.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200 OK");
}

#[tokio::test]
async fn a_port_in_use_is_named() {
    let first = Server::bind(Config::new("127.0.0.1:0".parse().unwrap()))
        .await
        .unwrap();
    let error = Server::bind(Config::new(first.address()))
        .await
        .unwrap_err();
    assert!(matches!(error, ServeError::PortInUse(address) if address == first.address()));
    assert_eq!(
        error.to_string(),
        format!(
            "JSON-RPC cannot use {}: the port is in use. Stop the program that uses it, or choose another port",
            first.address()
        )
    );
    // Documentation's addresses are nobody's.
    let error = Server::bind(Config::new("192.0.2.1:8545".parse().unwrap()))
        .await
        .unwrap_err();
    assert_eq!(error.to_string(), "JSON-RPC cannot use 192.0.2.1:8545");
}

/// A batch of this many calls that is larger than a small message.
fn large_batch(calls: usize) -> String {
    let calls = (0..calls).map(|id| {
        let padding = " ".repeat(1_000);
        format!(r#"{{"jsonrpc":"2.0",{padding}"id":{id},"method":"eth_chainId"}}"#)
    });
    format!("[{}]", calls.collect::<Vec<_>>().join(","))
}

#[tokio::test(flavor = "multi_thread")]
async fn large_messages_take_turns_and_small_ones_go_past_them() {
    let limits = Limits {
        large_messages_max: 1,
        request_timeout: Duration::from_millis(500),
        ..Limits::default()
    };
    let node = Node::start_with(limits, Fees::Free).await;
    let batch = large_batch(100);
    let all = futures::future::join_all((0..8).map(|_| node.post(batch.clone())));
    for (status, answer) in all.await {
        assert_eq!(status, 200);
        let answers: Vec<Value> = serde_json::from_str(&answer).unwrap();
        assert_eq!(answers.len(), 100);
        assert!(answers.iter().all(|answer| answer["result"] == "0x1092"));
    }
    // One who sends half of a large message keeps its place, until it has had its time.
    let mut slow = TcpStream::connect(node.address).await.unwrap();
    let head = format!(
        "POST / HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        batch.len()
    );
    slow.write_all(head.as_bytes()).await.unwrap();
    slow.write_all(&batch.as_bytes()[..90_000]).await.unwrap();
    let mut answer = Vec::new();
    let ended = slow.read_to_end(&mut answer);
    let small_ones = async {
        loop {
            let small = node.post(CHAIN_ID);
            let small = tokio::time::timeout(Duration::from_millis(300), small).await;
            assert_eq!(small.expect("small messages go past it").0, 200);
        }
    };
    tokio::select! {
        ended = ended => {
            ended.unwrap();
        }
        () = small_ones => {}
    }
    assert!(answer.starts_with(b"HTTP/1.1 408"));
    assert_eq!(node.post(batch.clone()).await.0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_message_is_refused_for_its_shape_before_it_is_read() {
    let node = Node::start().await;
    let mut socket = Socket::open(&node).await;
    let too_many = "batch too large: more than 1000 calls";
    let too_deep = "nested too deeply: more than 128 arrays and objects within each other";
    let deep = "[".repeat(100_000) + &"]".repeat(100_000);
    let call = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"eth_call","params":{deep}}}"#);
    // Nobody reads as far as where it is no JSON.
    let endless = format!("[{}", "1,".repeat(100_000));
    for (message, text) in [
        (large_batch(1_001), too_many),
        (endless, too_many),
        (deep, too_deep),
        (call, too_deep),
    ] {
        let expected = json!({
            "jsonrpc": "2.0",
            "id": null,
            "error": {"code": -32600, "message": text},
        });
        let (status, answer) = node.post(message.clone()).await;
        assert_eq!(status, 200);
        assert_eq!(serde_json::from_str::<Value>(&answer).unwrap(), expected);
        socket.send_text(message).await;
        assert_eq!(socket.read().await, expected);
    }
    assert_eq!(node.post(large_batch(1_000)).await.0, 200);
    assert_eq!(
        socket.call("eth_chainId", json!([])).await["result"],
        "0x1092"
    );
}
