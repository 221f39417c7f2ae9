use std::time::Duration;

use reqwest::{Method, StatusCode, header};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::{
    harness::{Harness, problem, shipment},
    node::Behaviour,
};

#[tokio::test(flavor = "multi_thread")]
async fn each_fault_of_a_request_has_its_own_clear_problem() {
    let harness = Harness::start().await;
    let deep = format!(
        r#"{{"type":"t","data":{}{}}}"#,
        "[".repeat(100),
        "]".repeat(100)
    );
    let very_deep = format!(r#"{{"type":"t","data":{}"#, "[".repeat(1_000_000));
    let data = format!(r#"{{"type":"t","data":"{}"}}"#, "x".repeat(256 << 10));
    for (body, status, code) in [
        ("", 400, "json_malformed"),
        ("{", 400, "json_malformed"),
        ("\u{feff}{}", 400, "json_malformed"),
        (r#"{"type":"t","data":NaN}"#, 400, "json_malformed"),
        (
            r#"{"type":"t","type":"u","data":1}"#,
            400,
            "json_duplicate_key",
        ),
        (
            r#"{"type":"t","data":[{"a":1,"a":1}]}"#,
            400,
            "json_duplicate_key",
        ),
        (
            r#"{"type":"t","data":12345678901234567890}"#,
            400,
            "json_number_inexact",
        ),
        (&deep, 400, "json_too_deep"),
        (&very_deep, 400, "json_too_deep"),
        (
            r#"{"type":"t","data":1,"tenant":"other"}"#,
            400,
            "field_unknown",
        ),
        (r#"{"type":"t"}"#, 400, "field_missing"),
        (r#"{"type":["t"],"data":1}"#, 400, "field_invalid"),
        (r#""just text""#, 400, "field_invalid"),
        (&data, 413, "data_too_large"),
    ] {
        let call = harness
            .call(Method::POST, "/v1/records")
            .header("idempotency-key", "k");
        let response = call
            .header("content-type", "application/json")
            .body(body.to_owned())
            .send()
            .await
            .unwrap();
        assert_eq!(response.status(), status, "{}", &body[..body.len().min(80)]);
        let problem = problem(response).await;
        assert_eq!(problem.code, code, "{}", problem.detail);
    }
    assert!(harness.world.chain().commitments.is_empty());
    assert_eq!(
        harness
            .metric("ashlar_gateway_records_accepted_total")
            .await,
        0.0
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn each_fault_of_the_headers_and_the_address_has_its_own() {
    let harness = Harness::start().await;
    let post = || {
        harness
            .call(Method::POST, "/v1/records")
            .body(shipment(1).to_string())
    };
    let json_post = || post().header("content-type", "application/json");
    let check = |call: reqwest::RequestBuilder, status: u16, code: &'static str| async move {
        let response = call.send().await.unwrap();
        assert_eq!(response.status(), status, "{code}");
        assert_eq!(problem(response).await.code, code);
    };
    check(json_post(), 400, "idempotency_key_missing").await;
    check(
        json_post().header("idempotency-key", ""),
        400,
        "idempotency_key_invalid",
    )
    .await;
    check(
        json_post().header("idempotency-key", "a b"),
        400,
        "idempotency_key_invalid",
    )
    .await;
    check(
        json_post().header("idempotency-key", "k".repeat(256)),
        400,
        "idempotency_key_invalid",
    )
    .await;
    let twice = json_post()
        .header("idempotency-key", "a")
        .header("idempotency-key", "b");
    check(twice, 400, "idempotency_key_invalid").await;
    check(
        post().header("idempotency-key", "k"),
        415,
        "content_type_unsupported",
    )
    .await;
    let text = post()
        .header("idempotency-key", "k")
        .header("content-type", "text/plain");
    check(text, 415, "content_type_unsupported").await;
    let gzip = json_post()
        .header("idempotency-key", "k")
        .header("content-encoding", "gzip");
    check(gzip, 415, "content_type_unsupported").await;
    check(
        harness.post("/v1/records?wait=forever", "k", &shipment(1)),
        400,
        "parameter_invalid",
    )
    .await;
    check(
        harness.post("/v1/records?want=final", "k", &shipment(1)),
        400,
        "parameter_invalid",
    )
    .await;
    check(
        harness.call(Method::GET, "/v1/records/17"),
        400,
        "parameter_invalid",
    )
    .await;
    check(
        harness.call(Method::GET, "/v1/records/%ff"),
        400,
        "parameter_invalid",
    )
    .await;
    check(
        harness.call(Method::GET, "/v1/records/..%2f..%2fetc%2fpasswd"),
        400,
        "parameter_invalid",
    )
    .await;
    check(harness.call(Method::GET, "/v1/nothing"), 404, "not_found").await;
    check(harness.call(Method::GET, "/v1/records/"), 404, "not_found").await;
    check(
        harness.call(Method::PATCH, "/v1/records"),
        405,
        "method_not_allowed",
    )
    .await;
    check(
        harness.call(Method::DELETE, "/healthz"),
        405,
        "method_not_allowed",
    )
    .await;
    assert!(harness.world.chain().commitments.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_large_is_refused_without_being_read() {
    let harness = Harness::start().await;
    // Said to be too large: refused from the header alone.
    let head = format!(
        "POST /v1/records HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\nidempotency-key: k\r\ncontent-type: \
         application/json\r\ncontent-length: 8388609\r\n\r\n",
        harness.acme
    );
    assert!(
        raw(&harness, head.as_bytes())
            .await
            .contains("\"body_too_large\"")
    );
    // Found to be too large.
    let chunks =
        futures::stream::iter((0..10).map(|_| Ok::<_, std::io::Error>(vec![b' '; 1 << 20])));
    let call = harness
        .call(Method::POST, "/v1/records")
        .header("idempotency-key", "k");
    let call = call
        .header(header::CONTENT_TYPE, "application/json")
        .body(reqwest::Body::wrap_stream(chunks));
    // The gateway may close the connection while the body is still being sent.
    if let Ok(response) = call.send().await {
        assert_eq!(response.status(), StatusCode::PAYLOAD_TOO_LARGE);
        assert_eq!(problem(response).await.code, "body_too_large");
    }
    let attachment =
        |bytes: usize| json!({"name": "a", "media_type": "a/b", "content": "A".repeat(bytes)});
    let mut fact = shipment(1);
    fact["attachments"] = json!([attachment((4 << 20) * 4 / 3 + 8)]);
    let response = harness
        .post("/v1/records", "k", &fact)
        .send()
        .await
        .unwrap();
    assert_eq!(
        (response.status(), problem(response).await.code.as_str()),
        (StatusCode::PAYLOAD_TOO_LARGE, "attachment_too_large")
    );
    fact["attachments"] = json!(vec![attachment(4); 17]);
    let response = harness
        .post("/v1/records", "k", &fact)
        .send()
        .await
        .unwrap();
    assert_eq!(problem(response).await.code, "attachments_too_many");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_does_not_come_is_not_waited_for() {
    let harness = Harness::with(&[Behaviour::Honest], |config| {
        config.limits.receive_seconds = 1;
    })
    .await;
    let head = format!(
        "POST /v1/records HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\nidempotency-key: k\r\ncontent-type: \
         application/json\r\ncontent-length: 100\r\n\r\n{{\"type\":",
        harness.acme
    );
    let answer = raw(&harness, head.as_bytes()).await;
    assert!(
        answer.starts_with("HTTP/1.1 408") && answer.contains("\"body_timeout\""),
        "{answer}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_http_ends_the_connection_and_nothing_else() {
    let harness = Harness::start().await;
    let smuggled = "POST /v1/records HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\ntransfer-encoding: chunked, x\r\n\r\n0\r\n\r\nG";
    let long = format!("GET /{} HTTP/1.1\r\nhost: x\r\n\r\n", "a".repeat(100_000));
    let split = "GET / HTTP/1.1\r\nhost: x\r\nx: a\rb\r\n\r\n";
    for text in [
        smuggled,
        &long,
        split,
        "\0\0\0\0\r\n\r\n",
        "GET / HTTP/9.9\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ] {
        let answer = raw(&harness, text.as_bytes()).await;
        let refused = ["HTTP/1.1 4", "HTTP/1.0 4", "HTTP/1.1 505"]
            .iter()
            .any(|start| answer.starts_with(start));
        assert!(answer.is_empty() || refused, "{answer}");
    }
    assert_eq!(harness.get("/healthz").await.status(), StatusCode::OK);
}

/// Sends bytes as they are, and reads until the gateway has answered or closed.
async fn raw(harness: &Harness, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(harness.url.trim_start_matches("http://"))
        .await
        .unwrap();
    let _ = stream.write_all(bytes).await;
    let mut answer = Vec::new();
    let read = async {
        let mut chunk = [0; 4096];
        while let Ok(count) = stream.read(&mut chunk).await {
            if count == 0 {
                break;
            }
            answer.extend_from_slice(&chunk[..count]);
            if answer.ends_with(b"}") {
                break;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(20), read)
        .await
        .expect("it is answered or closed");
    String::from_utf8_lossy(&answer).into_owned()
}
