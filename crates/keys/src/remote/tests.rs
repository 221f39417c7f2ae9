//! Against a server with the routes and answers of Web3Signer, in its good days and its bad ones.

use std::{convert::Infallible, net::SocketAddr};

use alloy_primitives::{B256, keccak256};
use axum::{
    Json, Router,
    body::Body,
    extract::{Path, State},
    http::header,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde_json::Value;
use tokio::net::TcpListener;

use super::*;
use crate::{Message, SecretKey, SignError, key::ORDER};

/// What a server does when it is asked to sign.
#[derive(Clone, Copy, Debug)]
enum Mood {
    Right,
    HighS,
    OtherKey,
    OtherMessage,
    Says(u16, &'static str),
    Endless,
    Silent,
    Elsewhere,
}

const SECRET: [u8; 32] = [7; 32];

fn key() -> SecretKey {
    SecretKey::from_bytes(&SECRET).unwrap()
}

/// The identifier that Web3Signer gives: the public key without its first byte.
fn identifier(secret: [u8; 32]) -> String {
    let key = k256::ecdsa::SigningKey::from_bytes(&secret.into()).unwrap();
    let point = key.verifying_key().to_encoded_point(false);
    hex::encode_prefixed(&point.as_bytes()[1..])
}

fn word(number: U256) -> String {
    hex::encode(number.to_be_bytes::<32>())
}

async fn sign(
    State(mood): State<Mood>,
    Path(named): Path<String>,
    Json(body): Json<Value>,
) -> Response {
    if named != identifier(SECRET) {
        return (StatusCode::NOT_FOUND, "Resource not found").into_response();
    }
    let data = hex::decode(body["data"].as_str().unwrap()).unwrap();
    let digest = keccak256(data);
    let (r, s) = match mood {
        Mood::OtherKey => SecretKey::from_bytes(&[8; 32]).unwrap().sign(&digest),
        Mood::OtherMessage => key().sign(&keccak256(digest)),
        _ => key().sign(&digest),
    };
    match mood {
        Mood::HighS => format!("0x{}{}1c", word(r), word(ORDER - s)).into_response(),
        Mood::Says(status, text) => {
            let status = StatusCode::from_u16(status).unwrap();
            (status, text).into_response()
        }
        Mood::Endless => {
            let chunks = futures::stream::repeat(Ok::<_, Infallible>("0x00".repeat(1000)));
            Body::from_stream(chunks).into_response()
        }
        Mood::Silent => std::future::pending().await,
        Mood::Elsewhere => {
            let place = [(header::LOCATION, "http://127.0.0.1:1/")];
            (StatusCode::TEMPORARY_REDIRECT, place).into_response()
        }
        // Its 27 or 28 is not looked at: it is wrong half of the time here.
        _ => format!("0x{}{}1b\n", word(r), word(s)).into_response(),
    }
}

async fn serve(mood: Mood, keys: Value) -> Remote {
    let routes = Router::new()
        .route("/upcheck", get(|| async { "OK" }))
        .route("/api/v1/eth1/publicKeys", get(async || Json(keys)))
        .route("/api/v1/eth1/sign/{identifier}", post(sign))
        .with_state(mood);
    remote(listen(routes).await)
}

async fn listen(routes: Router) -> SocketAddr {
    let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    tokio::spawn(async { axum::serve(socket, routes).await });
    address
}

fn remote(address: SocketAddr) -> Remote {
    let timeout = Duration::from_secs(60);
    Remote::new(&format!("http://{address}/"), Reach::Loopback, timeout).unwrap()
}

async fn signed(mood: Mood, message: &Message) -> Result<alloy_primitives::Signature, SignError> {
    let keys = json!([identifier([9; 32]), identifier(SECRET)]);
    let remote = serve(mood, keys).await;
    let key = remote.key(key().address()).await.unwrap();
    assert_eq!(key.kind().to_string(), "remote");
    if matches!(mood, Mood::Silent) {
        // It is waited for in vain, so not for long.
        let timeout = Duration::from_millis(100);
        let url = remote.to_string();
        let hurried = Remote::new(&url, Reach::Loopback, timeout).unwrap();
        let signer = hurried.signer(identifier(SECRET));
        return Key::remote(key.address(), signer).sign(message).await;
    }
    key.sign(message).await
}

#[tokio::test]
async fn what_it_signs_is_what_the_key_itself_would_sign() {
    for text in ["", "shipment", &"long".repeat(10_000)] {
        let message = Message::preimage(text);
        let expected = Key::from(key()).sign(&message).await.unwrap();
        for mood in [Mood::Right, Mood::HighS] {
            assert_eq!(signed(mood, &message).await.unwrap(), expected, "{mood:?}");
        }
    }
}

#[tokio::test]
async fn a_wrong_signature_is_never_handed_out() {
    for mood in [Mood::OtherKey, Mood::OtherMessage] {
        let error = signed(mood, &Message::preimage("shipment"))
            .await
            .unwrap_err();
        assert!(matches!(error, SignError::WrongSignature { .. }), "{error}");
        assert!(!error.is_retryable());
    }
    let zeros = Box::leak(format!("0x{}", "00".repeat(65)).into_boxed_str());
    let error = signed(Mood::Says(200, zeros), &Message::preimage("shipment")).await;
    assert!(matches!(error, Err(SignError::WrongSignature { .. })));
}

#[tokio::test]
async fn each_way_to_fail_is_told() {
    for (mood, expected, retryable) in [
        (Mood::Says(200, ""), "its signature is not 65 bytes", false),
        (
            Mood::Says(200, "0x12"),
            "its signature is not 65 bytes",
            false,
        ),
        (
            Mood::Says(200, "<html>"),
            "its signature is not 65 bytes",
            false,
        ),
        (
            Mood::Says(400, "bad\u{1b}[2J"),
            r#"refused with HTTP 400: "bad\u{1b}[2J""#,
            false,
        ),
        (
            Mood::Says(404, "Resource not found"),
            "refused with HTTP 404",
            false,
        ),
        (
            Mood::Says(500, "vault is sealed"),
            "HTTP 500: \"vault is sealed\"",
            true,
        ),
        (Mood::Says(204, ""), "refused with HTTP 204", false),
        (Mood::Endless, "with more than 4096 bytes", false),
        (Mood::Silent, "did not answer: see whether it runs", true),
        (Mood::Elsewhere, "refused with HTTP 307", false),
    ] {
        let error = signed(mood, &Message::preimage("shipment"))
            .await
            .unwrap_err();
        assert!(error.to_string().contains(expected), "{mood:?}: {error}");
        assert_eq!(error.is_retryable(), retryable, "{error}");
    }
    let error = signed(Mood::Right, &Message::digest(B256::ZERO))
        .await
        .unwrap_err();
    assert!(matches!(
        error,
        SignError::Remote(RemoteError::NeedsPreimage)
    ));
    let long = Message::preimage(vec![0; MESSAGE_BYTES_MAX + 1]);
    let error = signed(Mood::Right, &long).await.unwrap_err();
    assert!(matches!(
        error,
        SignError::Remote(RemoteError::TooLong { .. })
    ));
}

#[tokio::test]
async fn its_keys_are_listed() {
    let (ours, other) = (identifier(SECRET), identifier([9; 32]));
    let remote = serve(Mood::Right, json!([ours, other])).await;
    remote.check().await.unwrap();
    let keys = remote.keys().await.unwrap();
    assert_eq!(
        keys[0],
        RemoteKey {
            address: key().address(),
            identifier: ours.clone()
        }
    );
    let error = remote.key(Address::ZERO).await.unwrap_err();
    assert!(
        matches!(error, RemoteError::NoSuchKey { keys: 2, .. }),
        "{error}"
    );

    // All forms of a public key are known.
    let point = k256::ecdsa::SigningKey::from_bytes(&SECRET.into()).unwrap();
    let point = point.verifying_key().to_encoded_point(true);
    let full = format!("04{}", ours.trim_start_matches("0x"));
    for form in [hex::encode(point.as_bytes()), full] {
        assert_eq!(account(&form), Some(key().address()), "{form}");
    }
    for (keys, expected) in [
        (json!({}), "no list of texts"),
        (json!([7]), "no list of texts"),
        (json!(["0x12"]), "none of secp256k1"),
        (json!(["00".repeat(64)]), "none of secp256k1"),
        (json!([""]), "none of secp256k1"),
        (json!(vec![&ours; KEYS_MAX + 1]), "more than 1000 keys"),
        (
            json!(["0".repeat(LIST_BYTES_MAX)]),
            "more than 256000 bytes",
        ),
    ] {
        let error = serve(Mood::Right, keys).await.keys().await.unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
    }
}

#[tokio::test]
async fn a_signer_that_is_not_there_is_named() {
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = free.local_addr().unwrap();
    drop(free);
    let error = remote(address).check().await.unwrap_err();
    assert!(
        error.is_retryable() && error.to_string().contains(&address.to_string()),
        "{error}"
    );
}

#[test]
fn addresses_that_are_not_safe_are_refused() {
    let new =
        |url, reach| Remote::new(url, reach, TIMEOUT_DEFAULT).map(|remote| remote.to_string());
    for (url, expected) in [
        ("http://127.0.0.1:9000", "http://127.0.0.1:9000/"),
        ("http://[::1]:9000/signer", "http://[::1]:9000/signer"),
        ("http://localhost", "http://localhost/"),
    ] {
        assert_eq!(new(url, Reach::Loopback).unwrap(), expected);
    }
    for (url, expected) in [
        ("", "an address looks like"),
        ("127.0.0.1:9000", "an address looks like"),
        ("ftp://127.0.0.1", "must begin with http://"),
        ("https://127.0.0.1", "TLS is not spoken here"),
        ("http://signer.example", "not on this machine"),
        ("http://10.0.0.1", "not on this machine"),
        ("http://127.0.0.1.example", "not on this machine"),
        ("http://127.0.0.1/?a", "it has a ? or a #"),
        (
            "http://me:hunter2@127.0.0.1",
            "name and password are not sent",
        ),
    ] {
        let error = new(url, Reach::Loopback).unwrap_err().to_string();
        assert!(
            error.contains(expected) && !error.contains("hunter2"),
            "{error}"
        );
    }
    assert!(new("http://signer.example", Reach::Anywhere).is_ok());
    let signer = Remote::new("http://127.0.0.1:1/a", Reach::Loopback, TIMEOUT_DEFAULT).unwrap();
    let route = signer.route(&["api", "../x?y"]);
    assert_eq!(route.as_str(), "http://127.0.0.1:1/a/api/..%2Fx%3Fy");
}
