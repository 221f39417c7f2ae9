use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};

use expect_test::expect_file;
use futures::StreamExt as _;
use gateway::{Config, Error};
use reqwest::StatusCode;

use crate::{
    harness::{Harness, PATIENCE, problem, request, shipment, write_secret},
    node::Behaviour,
};

async fn refused(harness: &mut Harness) -> String {
    let error = harness.run().await.expect_err("it must not start");
    let mut text = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}

#[test]
fn the_openapi_document_is_locked() {
    let document = gateway::openapi().to_pretty_json().unwrap();
    expect_file!["../../openapi.json"].assert_eq(&format!("{document}\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_are_whole_and_ask_for_nothing() {
    let harness = Harness::start().await;
    let id = {
        let receipt = harness
            .client()
            .record_final("secret-order", &request(&shipment(1)))
            .await
            .unwrap();
        proof::Receipt::from_json(&receipt)
            .unwrap()
            .record
            .unwrap()
            .path
            .id
    };
    for path in ["/", "/docs"] {
        let response = harness
            .http
            .get(format!("{}{path}", harness.url))
            .send()
            .await
            .unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        assert!(
            response.headers()["content-security-policy"]
                .to_str()
                .unwrap()
                .starts_with("default-src 'none'")
        );
        assert_eq!(response.headers()["x-content-type-options"], "nosniff");
        let page = response.text().await.unwrap();
        for outside in ["<script", "src=", "@import", "url(", "href=\"http"] {
            assert!(!page.contains(outside), "{path} {outside}");
        }
        assert!(
            !page.contains("secret-order") && !page.contains("acme"),
            "{path} shows what is a tenant's"
        );
        if path == "/" {
            assert!(
                page.contains(&id.to_string())
                    && page.contains(&harness.config.network.identity.to_string())
            );
        }
    }
    let document: serde_json::Value = harness.get("/openapi.json").await.json().await.unwrap();
    assert_eq!(document["openapi"], "3.1.0");
    let metrics = harness.get("/metrics").await;
    assert!(
        metrics.headers()["content-type"]
            .to_str()
            .unwrap()
            .starts_with("application/openmetrics-text")
    );
    assert!(metrics.text().await.unwrap().ends_with("# EOF\n"));
    assert_eq!(
        harness.get("/healthz").await.text().await.unwrap(),
        r#"{"alive":true}"#
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_in_use_is_named_with_a_way_out() {
    let harness = Harness::start().await;
    let mut second = Harness::prepared(&[Behaviour::Honest], |_| {}).await;
    second.config.listen = harness.url.trim_start_matches("http://").parse().unwrap();
    let port = second.config.listen.port();
    let text = refused(&mut second).await;
    assert!(text.contains(&format!("port {port} is in use")), "{text}");
    assert!(
        text.contains(&format!("listen = \"127.0.0.1:{}\"", port + 1)),
        "{text}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_gateway_on_the_same_directory_is_refused() {
    let harness = Harness::start().await;
    let mut second = Harness::prepared(&[Behaviour::Honest], |_| {}).await;
    second.config.data_dir.clone_from(&harness.config.data_dir);
    let text = refused(&mut second).await;
    assert!(text.contains("in use by another gateway"), "{text}");
    harness
        .client()
        .record_final("k", &request(&shipment(1)))
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_of_something_else_is_refused() {
    let mut harness = Harness::start().await;
    harness
        .client()
        .record_final("k", &request(&shipment(1)))
        .await
        .unwrap();
    harness.stop().await.unwrap();
    let sound = harness.config.clone();
    let check = async |harness: &mut Harness, adjust: fn(&mut Config), expected: &str| {
        harness.config = sound.clone();
        adjust(&mut harness.config);
        let text = refused(harness).await;
        assert!(text.contains(expected), "{text}");
    };
    check(
        &mut harness,
        |config| config.network.chain_id = 1,
        "belongs to the network with chain id 4242",
    )
    .await;
    check(
        &mut harness,
        |config| config.network.genesis.0[0] ^= 1,
        "choose another data directory",
    )
    .await;
    check(
        &mut harness,
        |config| config.network.identity.0[9] ^= 1,
        "network.identity",
    )
    .await;
    check(
        &mut harness,
        |config| config.nodes = vec!["8545".to_owned()],
        "not the address of a node",
    )
    .await;
    check(&mut harness, |config| config.api_keys.clear(), "api_keys").await;

    harness.config = sound;
    let relayer = harness.dir.path().join("relayer.key");
    write_secret(&relayer, &"43".repeat(32));
    assert!(
        refused(&mut harness)
            .await
            .contains("restore the relayer key")
    );
    write_secret(&relayer, &"00".repeat(32));
    assert!(refused(&mut harness).await.contains("secp256k1"));
    write_secret(&relayer, "hello");
    assert!(
        refused(&mut harness)
            .await
            .contains("64 hexadecimal digits")
    );
    write_secret(&relayer, &"42".repeat(32));
    let master = harness.dir.path().join("master.key");
    let kept = fs::read_to_string(&master).unwrap();
    write_secret(&master, &"01".repeat(32));
    assert!(
        refused(&mut harness)
            .await
            .contains("restore the master key")
    );
    fs::remove_file(&master).unwrap();
    assert!(
        refused(&mut harness)
            .await
            .contains("master.key is missing; restore it")
    );
    assert!(!master.exists(), "a lost key is not replaced");
    write_secret(&master, &kept);
    fs::set_permissions(&master, fs::Permissions::from_mode(0o640)).unwrap();
    assert!(refused(&mut harness).await.contains("chmod 600"));
    write_secret(&master, &kept);
    harness.run().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn key_files_are_made_once_and_private() {
    let mut harness = Harness::prepared(&[Behaviour::Honest], |config| {
        config.relayer_key_file = Some(config.data_dir.join("fresh.key"));
    })
    .await;
    let text = refused(&mut harness).await;
    assert!(
        text.contains("fresh.key is missing") && text.contains("create_relayer_key"),
        "{text}"
    );
    harness.config.create_relayer_key = true;
    harness.config.data_dir = harness.dir.path().join("new");
    harness.run().await.unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&harness.config.data_dir), 0o700);
    for name in ["new/master.key", "fresh.key", "new/gateway.sqlite3"] {
        assert_eq!(mode(&harness.dir.path().join(name)), 0o600, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_database_is_refused_and_kept() {
    let mut harness = Harness::start().await;
    for order in 0..30 {
        harness
            .client()
            .record(&format!("k{order}"), &request(&shipment(order)))
            .await
            .unwrap();
    }
    harness.stop().await.unwrap();
    let path = harness.dir.path().join("gateway.sqlite3");
    let mut bytes = fs::read(&path).unwrap();
    let sound = bytes.clone();
    for byte in &mut bytes[8192..16384] {
        *byte ^= 0xff;
    }
    fs::write(&path, &bytes).unwrap();
    let text = refused(&mut harness).await;
    assert!(
        text.contains("damaged") && text.contains("restore a backup"),
        "{text}"
    );
    fs::write(&path, sound).unwrap();
    harness.run().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_database_refuses_and_loses_nothing() {
    let mut harness = Harness::with(&[Behaviour::Honest], |config| {
        config.limits.database_mib = 1;
    })
    .await;
    harness.ready().await;
    let mut fact = shipment(1);
    fact["data"]["filler"] = "x".repeat(100_000).into();
    let mut kept = Vec::new();
    let refusal = loop {
        let key = format!("k{}", kept.len());
        let response = harness
            .post("/v1/records", &key, &fact)
            .send()
            .await
            .unwrap();
        if response.status() != StatusCode::ACCEPTED {
            break response;
        }
        kept.push(
            response
                .json::<client::record::RecordAccepted>()
                .await
                .unwrap()
                .id,
        );
        assert!(kept.len() < 30);
    };
    assert_eq!(refusal.status(), StatusCode::INSUFFICIENT_STORAGE);
    assert!(refusal.headers().contains_key("retry-after"));
    let refusal = problem(refusal).await;
    assert_eq!(refusal.code, "storage_full");
    assert!(refusal.next.contains("Nothing was accepted"));
    harness.kill().await;
    harness.config.limits.database_mib = 0;
    harness.run().await.unwrap();
    for id in &kept {
        harness.client().wait_final(id, PATIENCE).await.unwrap();
    }
    assert_eq!(
        harness.world.chain().commitments.len(),
        kept.len(),
        "what was refused was not done"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_backlog_is_bounded() {
    let harness = Harness::with(&[Behaviour::Honest], |config| config.limits.backlog = 3).await;
    harness.ready().await;
    harness.world.run(false);
    let mut accepted = 0;
    let refusal = loop {
        let response = harness
            .post("/v1/records", &format!("k{accepted}"), &shipment(1))
            .send()
            .await
            .unwrap();
        if response.status() != StatusCode::ACCEPTED {
            break response;
        }
        accepted += 1;
    };
    assert_eq!(
        (refusal.status(), accepted),
        (StatusCode::SERVICE_UNAVAILABLE, 3)
    );
    assert_eq!(refusal.headers()["retry-after"], "5");
    assert_eq!(problem(refusal).await.code, "backlog_full");
    let replay = harness
        .post("/v1/records", "k0", &shipment(1))
        .send()
        .await
        .unwrap();
    assert_eq!(
        replay.status(),
        StatusCode::ACCEPTED,
        "what was promised is still answered"
    );
    harness.world.run(true);
    let last = harness
        .post("/v1/records?wait=final", "k2", &shipment(1))
        .send()
        .await
        .unwrap();
    assert_eq!(last.status(), StatusCode::CREATED);
    let next = harness
        .post("/v1/records?wait=final", "k3", &shipment(1))
        .send()
        .await
        .unwrap();
    assert_eq!(next.status(), StatusCode::CREATED);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stalled_network_is_named_and_promises_are_kept() {
    let harness = Harness::with(&[Behaviour::Honest], |config| {
        config.limits.stall_seconds = 1;
    })
    .await;
    harness.ready().await;
    let client = harness.client();
    let before = client.record_final("k0", &request(&shipment(0))).await;
    let before = before.unwrap();
    harness.world.run(false);
    crate::harness::until(|| async { harness.get("/readyz").await.status() != StatusCode::OK })
        .await;
    let is_named = async || {
        let refusal = problem(harness.get("/readyz").await).await;
        assert_eq!((refusal.status, &*refusal.code), (503, "finality_stalled"));
        assert_eq!(
            refusal.detail,
            "2 of 4 validators are reachable, 3 are needed."
        );
    };
    // Whatever the gateway does meanwhile to find a node that has blocks.
    let asked = harness.world.subscriptions();
    crate::harness::until(|| async {
        is_named().await;
        harness.world.subscriptions() >= asked + 2
    })
    .await;
    for number in 1..=20 {
        is_named().await;
        let accepted = harness
            .post("/v1/records", &format!("k{number}"), &shipment(number))
            .send()
            .await
            .unwrap();
        assert_eq!(accepted.status(), StatusCode::ACCEPTED);
    }
    let again = client.record_final("k0", &request(&shipment(0))).await;
    assert_eq!(again.unwrap(), before, "what is final can be read");
    harness.world.run(true);
    harness.ready().await;
    for number in 1..=20 {
        let fact = request(&shipment(number));
        client
            .record_final(&format!("k{number}"), &fact)
            .await
            .unwrap();
    }
    assert_eq!(harness.world.chain().commitments.len(), 21);
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_requests_are_shed_and_operators_get_in() {
    let harness = Harness::with(&[Behaviour::Honest], |config| {
        config.limits.requests = 2;
        config.limits.receive_seconds = 60;
    })
    .await;
    harness.ready().await;
    // Two bodies that never end take both places.
    let mut held = tokio::task::JoinSet::new();
    for _ in 0..2 {
        let call = harness
            .call(reqwest::Method::POST, "/v1/records")
            .header("idempotency-key", "k")
            .header("content-type", "application/json");
        held.spawn(async move {
            // Again when it was shed itself, because one of the questions below had its place.
            loop {
                let begun = futures::stream::once(async { Ok::<_, std::io::Error>(b"{".to_vec()) });
                let body = reqwest::Body::wrap_stream(begun.chain(futures::stream::pending()));
                let _ = call.try_clone().unwrap().body(body).send().await;
            }
        });
    }
    crate::harness::until(|| async {
        let response = harness.get("/v1/records").await;
        response.status() == StatusCode::SERVICE_UNAVAILABLE
            && problem(response).await.code == "overloaded"
    })
    .await;
    assert_eq!(harness.get("/healthz").await.status(), StatusCode::OK);
    assert_eq!(harness.get("/metrics").await.status(), StatusCode::OK);
    held.abort_all();
    crate::harness::until(|| async { harness.get("/v1/records").await.status() == StatusCode::OK })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shutdown_lets_requests_end() {
    let mut harness = Harness::start().await;
    harness.ready().await;
    harness.world.run(false);
    let post = harness
        .post("/v1/records?wait=final", "k", &shipment(1))
        .send();
    let post = tokio::spawn(post);
    crate::harness::until(|| async {
        harness.metric("ashlar_gateway_records_unsettled").await == 1.0
    })
    .await;
    harness.world.run(true);
    let (stopped, answered) = tokio::join!(harness.stop(), post);
    stopped.unwrap();
    let status = answered.unwrap().unwrap().status();
    assert!(
        status == StatusCode::CREATED || status == StatusCode::ACCEPTED,
        "{status}"
    );
    harness.run().await.unwrap();
    harness
        .client()
        .record_final("k", &request(&shipment(1)))
        .await
        .unwrap();
}

#[test]
fn a_configuration_that_cannot_be_read_says_which() {
    let error = Config::load(Path::new("/nowhere/gateway.toml")).unwrap_err();
    assert!(
        matches!(error, Error::ConfigFile { .. })
            && error.to_string().contains("/nowhere/gateway.toml")
    );
}
