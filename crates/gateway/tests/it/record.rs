use std::{collections::BTreeSet, fs, path::Path};

use alloy_primitives::B256;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use client::record::{Record, RecordAccepted, RecordPage, RecordStatus};
use proof::Receipt;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    harness::{Harness, problem, request, shipment, until},
    node::Behaviour,
};

fn with_attachment(bytes: &[u8]) -> Value {
    let mut fact = shipment(1);
    fact["attachments"] = json!([
        {"name": "bill of lading.pdf", "media_type": "application/pdf", "content": STANDARD.encode(bytes)},
        {"name": "empty", "media_type": "text/plain", "content": ""},
    ]);
    fact
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fact_becomes_final_and_its_receipt_verifies() {
    let harness = Harness::start().await;
    let identity = harness.config.network.identity;
    let response = harness
        .post("/v1/records?wait=final", "order-1", &shipment(1))
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), StatusCode::CREATED);
    assert_eq!(response.headers()["content-type"], "application/json");
    assert!(!response.headers().contains_key("idempotency-replayed"));
    let location = response.headers()["location"].to_str().unwrap().to_owned();
    let height: u64 = response.headers()["ashlar-height"]
        .to_str()
        .unwrap()
        .parse()
        .unwrap();
    let bytes = response.bytes().await.unwrap();
    let receipt = Receipt::from_json(&bytes).unwrap();
    let verdict = proof::verify(&receipt, Some(&identity)).unwrap();
    assert!(height >= verdict.block.height && verdict.block.height > 0);
    let record = receipt.record.as_ref().unwrap();
    assert_eq!(location, format!("/v1/records/{}", record.path.id));
    assert_eq!(record.content.as_ref().unwrap().body.as_ref(), br#"{"data":{"note":"fragile "# .iter().chain("\u{e9}".as_bytes()).chain(br#"","order":1,"pallets":[1,2.5,"three"]},"type":"shipment"}"#).copied().collect::<Vec<u8>>());

    let again = harness
        .get(&format!("{location}/receipt"))
        .await
        .bytes()
        .await
        .unwrap();
    assert_eq!(again, bytes, "the same bytes every time");
    let cbor = harness.client().receipt(&record.path.id).await.unwrap();
    assert_eq!(cbor, receipt, "both encodings say the same");
    let compact = harness
        .call(Method::GET, &format!("{location}/receipt"))
        .header("accept", "application/cbor");
    let compact = compact.send().await.unwrap();
    assert_eq!(compact.headers()["content-type"], "application/cbor");
    assert!(compact.bytes().await.unwrap().len() < 2048);

    let read: Record = harness.get(&location).await.json().await.unwrap();
    assert_eq!(read.status, RecordStatus::Final);
    assert_eq!(read.kind.as_deref(), Some("shipment"));
    assert_eq!(
        serde_json::from_str::<Value>(read.data.unwrap().get()).unwrap(),
        shipment(1)["data"]
    );
    let finality = read.finality.unwrap();
    assert_eq!(finality.height, verdict.block.height);
    assert!(finality.time.ends_with('Z') && read.height >= finality.height);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_request_has_one_effect_and_one_result() {
    let harness = Harness::start().await;
    let first = harness
        .post("/v1/records?wait=final", "k", &shipment(1))
        .send()
        .await
        .unwrap()
        .bytes()
        .await
        .unwrap();
    // Key order, white space and the spelling of numbers and characters do not matter.
    let respelled = r#"{ "data": {"pallets":[1.0,25e-1,"\u0074hree"], "order":1, "note":"fragile \u00e9"}, "type":"shipment" }"#;
    let replay = |path: &str| {
        let call = harness
            .call(Method::POST, path)
            .header("idempotency-key", "k");
        call.header("content-type", "application/json")
            .body(respelled)
            .send()
    };
    let response = replay("/v1/records?wait=final").await.unwrap();
    assert_eq!(response.status(), StatusCode::CREATED);
    assert_eq!(response.headers()["idempotency-replayed"], "true");
    assert_eq!(response.bytes().await.unwrap(), first);
    let response = replay("/v1/records").await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.headers()["idempotency-replayed"], "true");
    assert_eq!(
        response.json::<RecordAccepted>().await.unwrap().status,
        RecordStatus::Final
    );

    let other = harness
        .post("/v1/records", "k", &shipment(2))
        .send()
        .await
        .unwrap();
    assert_eq!(other.status(), StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(problem(other).await.code, "idempotency_key_reused");
    assert_eq!(harness.world.chain().commitments.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_posts_of_one_key_have_one_effect() {
    let harness = Harness::start().await;
    let mut posts = tokio::task::JoinSet::new();
    for _ in 0..1000 {
        let wait = harness
            .post("/v1/records?wait=final", "one", &shipment(1))
            .send();
        posts.spawn(async move {
            let response = wait.await.unwrap();
            (response.status(), response.bytes().await.unwrap())
        });
    }
    let answers: BTreeSet<_> = posts
        .join_all()
        .await
        .into_iter()
        .map(|(status, body)| (status.as_u16(), body))
        .collect();
    assert_eq!(
        answers.len(),
        1,
        "{:?}",
        answers.iter().map(|(status, _)| status).collect::<Vec<_>>()
    );
    assert_eq!(answers.first().unwrap().0, 201);
    assert_eq!(harness.world.chain().commitments.len(), 1);
    assert_eq!(
        harness
            .metric("ashlar_gateway_records_accepted_total")
            .await,
        1.0
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn many_facts_ride_together_and_each_has_its_receipt() {
    let harness = Harness::with(&[Behaviour::Sparse], |_| {}).await;
    let identity = harness.config.network.identity;
    let mut posts = tokio::task::JoinSet::new();
    for order in 0..300 {
        let post = harness
            .post(
                "/v1/records?wait=final",
                &format!("order-{order}"),
                &shipment(order),
            )
            .send();
        posts.spawn(async move {
            let response = post.await.unwrap();
            assert_eq!(response.status(), StatusCode::CREATED);
            response.bytes().await.unwrap()
        });
    }
    let mut spans = BTreeSet::new();
    for bytes in posts.join_all().await {
        let receipt = Receipt::from_json(&bytes).unwrap();
        proof::verify(&receipt, Some(&identity)).unwrap();
        spans.insert(receipt.headers.len());
    }
    assert!(
        spans.last().unwrap() > &1,
        "some are proved by a later block's certificate: {spans:?}"
    );
    let transactions = harness
        .metric("ashlar_gateway_transactions_signed_total")
        .await;
    assert!(
        transactions < 100.0,
        "{transactions} transactions for 300 records"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn without_waiting_the_answer_is_a_promise_that_is_kept() {
    let harness = Harness::with(&[Behaviour::Honest], |config| {
        config.limits.wait_seconds = 1;
    })
    .await;
    harness.ready().await;
    harness.world.run(false);
    let accepted = harness
        .client()
        .record("k", &request(&shipment(1)))
        .await
        .unwrap();
    assert_eq!(accepted.status, RecordStatus::Accepted);
    let path = format!("/v1/records/{}", accepted.id);
    let early = harness.get(&format!("{path}/receipt")).await;
    assert_eq!(
        (
            early.status(),
            early.headers()["retry-after"].to_str().unwrap()
        ),
        (StatusCode::CONFLICT, "1")
    );
    assert_eq!(problem(early).await.code, "receipt_not_ready");
    let waited = harness
        .post("/v1/records?wait=final", "k", &shipment(1))
        .send()
        .await
        .unwrap();
    assert_eq!(
        waited.status(),
        StatusCode::ACCEPTED,
        "too late is not wrong"
    );
    assert_eq!(waited.headers()["idempotency-replayed"], "true");
    assert_ne!(
        waited.json::<RecordAccepted>().await.unwrap().status,
        RecordStatus::Final
    );
    harness.world.run(true);
    harness
        .client()
        .wait_final(&accepted.id, crate::harness::PATIENCE)
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn attachments_come_back_as_downloads() {
    let harness = Harness::start().await;
    let bytes: Vec<u8> = (0..200_000_u32).flat_map(u32::to_le_bytes).collect();
    let response = harness
        .post("/v1/records?wait=final", "k", &with_attachment(&bytes))
        .send()
        .await
        .unwrap();
    let receipt = Receipt::from_json(&response.bytes().await.unwrap()).unwrap();
    let record = receipt.record.unwrap();
    let content = record.content.unwrap();
    assert_eq!(
        content.attachments,
        [
            proof::attachment_digest(&bytes),
            proof::attachment_digest(b"")
        ]
    );
    let path = format!("/v1/records/{}", record.path.id);
    let read: Record = harness.get(&path).await.json().await.unwrap();
    let listed = read.attachments.unwrap();
    assert_eq!(
        (listed[0].name.as_str(), listed[0].size),
        ("bill of lading.pdf", bytes.len() as u64)
    );
    assert_eq!(listed[1].sha256, content.attachments[1]);

    let response = harness.get(&format!("{path}/attachments/0")).await;
    let header = |name: &str| response.headers()[name].to_str().unwrap().to_owned();
    assert_eq!(header("content-type"), "application/pdf");
    assert_eq!(header("x-content-type-options"), "nosniff");
    assert!(header("content-disposition").starts_with("attachment; filename="));
    assert!(header("content-security-policy").contains("sandbox"));
    assert_eq!(response.bytes().await.unwrap(), bytes);
    assert!(
        harness
            .client()
            .attachment(&record.path.id, 1)
            .await
            .unwrap()
            .is_empty()
    );
    for (index, code) in [
        ("2", "attachment_not_found"),
        ("x", "parameter_invalid"),
        ("-1", "parameter_invalid"),
        ("+1", "parameter_invalid"),
        ("4294967295", "attachment_not_found"),
    ] {
        assert_eq!(
            problem(harness.get(&format!("{path}/attachments/{index}")).await)
                .await
                .code,
            code,
            "{index}"
        );
    }
}

fn files_with(dir: &Path, needle: &[u8]) -> Vec<String> {
    let files = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let holding = files.filter(|path| {
        fs::read(path)
            .unwrap()
            .windows(needle.len())
            .any(|window| window == needle)
    });
    holding.map(|path| path.display().to_string()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn erased_content_is_gone_and_the_receipt_still_verifies() {
    let harness = Harness::start().await;
    let identity = harness.config.network.identity;
    let secret = b"a very personal attachment".repeat(1000);
    let fact = with_attachment(&secret);
    let bytes = harness
        .post("/v1/records?wait=final", "k", &fact)
        .send()
        .await
        .unwrap()
        .bytes()
        .await
        .unwrap();
    let id = Receipt::from_json(&bytes).unwrap().record.unwrap().path.id;
    let path = format!("/v1/records/{id}");
    for plain in [&secret[..26], b"fragile", b"bill of lading"] {
        assert_eq!(
            files_with(harness.dir.path(), plain),
            Vec::<String>::new(),
            "nothing is stored in the clear"
        );
    }
    let before = fs::metadata(harness.dir.path().join("gateway.sqlite3-wal"))
        .unwrap()
        .len();
    assert!(before > 0);

    let erased = harness.client().erase(&id).await.unwrap();
    assert_eq!(erased.id, id);
    assert_eq!(
        harness.client().erase(&id).await.unwrap().erased,
        erased.erased,
        "erasing again changes nothing"
    );
    let read: Record = harness.get(&path).await.json().await.unwrap();
    assert_eq!(read.status, RecordStatus::Final);
    assert_eq!(read.erased.as_ref(), Some(&erased.erased));
    assert!(read.data.is_none() && read.kind.is_none() && read.attachments.is_none());
    let gone = harness.get(&format!("{path}/attachments/0")).await;
    assert_eq!(gone.status(), StatusCode::GONE);
    assert_eq!(problem(gone).await.code, "content_erased");

    let after = Receipt::from_json(&harness.client().receipt_json(&id).await.unwrap()).unwrap();
    assert_eq!(after.record.as_ref().unwrap().content, None);
    proof::verify(&after, Some(&identity)).unwrap();
    let replay = harness
        .post("/v1/records", "k", &fact)
        .send()
        .await
        .unwrap();
    assert_eq!(replay.status(), StatusCode::OK, "the effect was had");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_list_is_the_tenants_and_comes_in_pages() {
    let harness = Harness::start().await;
    for order in 0..7 {
        harness
            .client()
            .record(&format!("order-{order}"), &request(&shipment(order)))
            .await
            .unwrap();
    }
    let mut keys = Vec::new();
    let mut cursor = String::new();
    loop {
        let page: RecordPage = harness
            .get(&format!("/v1/records?limit=3{cursor}"))
            .await
            .json()
            .await
            .unwrap();
        keys.extend(
            page.records
                .iter()
                .map(|record| record.idempotency_key.clone()),
        );
        harness
            .client()
            .record(&format!("later-{}", keys.len()), &request(&shipment(9)))
            .await
            .unwrap();
        match page.next_cursor {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(
        keys,
        (0..7)
            .rev()
            .map(|order| format!("order-{order}"))
            .collect::<Vec<_>>()
    );
    let theirs = client::gateway::Gateway::new(&harness.url, &harness.other).unwrap();
    assert!(theirs.list(None).await.unwrap().records.is_empty());
    for (query, code) in [
        ("limit=0", "parameter_invalid"),
        ("limit=201", "parameter_invalid"),
        ("limit=x", "parameter_invalid"),
        ("cursor=abc", "cursor_invalid"),
        ("page=2", "parameter_invalid"),
    ] {
        assert_eq!(
            problem(harness.get(&format!("/v1/records?{query}")).await)
                .await
                .code,
            code,
            "{query}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tenants_do_not_see_each_other() {
    let harness = Harness::start().await;
    let bytes = harness
        .post("/v1/records?wait=final", "k", &shipment(1))
        .send()
        .await
        .unwrap()
        .bytes()
        .await
        .unwrap();
    let mine = Receipt::from_json(&bytes).unwrap().record.unwrap().path.id;
    let theirs = harness
        .http
        .post(format!("{}/v1/records?wait=final", harness.url))
        .bearer_auth(&harness.other)
        .header("idempotency-key", "k")
        .json(&shipment(2));
    let response = theirs.send().await.unwrap();
    assert_eq!(
        response.status(),
        StatusCode::CREATED,
        "the same key of another tenant is another record"
    );
    let other = Receipt::from_json(&response.bytes().await.unwrap())
        .unwrap()
        .record
        .unwrap()
        .path
        .id;
    assert_ne!(mine, other);
    let unknown = B256::repeat_byte(7);
    for id in [other, unknown] {
        for (method, path) in [
            (Method::GET, format!("/v1/records/{id}")),
            (Method::GET, format!("/v1/records/{id}/receipt")),
            (Method::GET, format!("/v1/records/{id}/attachments/0")),
            (Method::DELETE, format!("/v1/records/{id}/content")),
        ] {
            let response = harness.call(method, &path).send().await.unwrap();
            assert_eq!(response.status(), StatusCode::NOT_FOUND, "{path}");
            let problem = problem(response).await;
            assert_eq!(
                (problem.code.as_str(), problem.detail),
                (
                    "record_not_found",
                    format!("There is no record {id} of this tenant.")
                )
            );
        }
    }
    let theirs = client::gateway::Gateway::new(&harness.url, &harness.other).unwrap();
    assert!(
        theirs.read(&other).await.unwrap().data.is_some(),
        "it was not erased"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_accepted_before_a_crash_becomes_final_after_it() {
    let mut harness = Harness::start().await;
    let mut ids = Vec::new();
    for round in 0..4 {
        for order in 0..5 {
            let key = format!("order-{round}-{order}");
            ids.push((
                key.clone(),
                harness
                    .client()
                    .record(&key, &request(&shipment(order)))
                    .await
                    .unwrap()
                    .id,
            ));
        }
        harness.kill().await;
        harness.run().await.unwrap();
    }
    for (order, (key, id)) in ids.iter().enumerate() {
        let receipt = harness
            .client()
            .record_final(key, &request(&shipment(order as u64 % 5)))
            .await
            .unwrap();
        let receipt = Receipt::from_json(&receipt).unwrap();
        proof::verify(&receipt, Some(&harness.config.network.identity)).unwrap();
        assert_eq!(receipt.record.unwrap().path.id, *id);
    }
    assert_eq!(harness.world.chain().commitments.len(), ids.len());
    harness.stop().await.unwrap();
    harness.run().await.unwrap();
    let (key, id) = &ids[0];
    let again = harness
        .client()
        .record_final(key, &request(&shipment(0)))
        .await
        .unwrap();
    assert_eq!(again, harness.client().receipt_json(id).await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receipt_damaged_on_disk_is_refused_and_not_handed_out() {
    let mut harness = Harness::start().await;
    let mut receipts = Vec::new();
    for order in 0..2 {
        let request = request(&shipment(order));
        let key = format!("order-{order}");
        let bytes = harness.client().record_final(&key, &request).await.unwrap();
        receipts.push(Receipt::from_json(&bytes).unwrap());
    }
    harness.stop().await.unwrap();
    let path = harness.dir.path().join(db::FILE);
    let mut bytes = fs::read(&path).unwrap();
    let signature = receipts[0].finalization.signature;
    let at = bytes
        .windows(signature.len())
        .position(|window| window == signature.as_slice())
        .expect("the certificate is in the journal");
    bytes[at + 7] ^= 4;
    fs::write(&path, bytes).unwrap();
    harness.run().await.unwrap();

    let id = |receipt: &Receipt| receipt.record.as_ref().unwrap().path.id;
    let (damaged, sound) = (id(&receipts[0]), id(&receipts[1]));
    let response = harness.get(&format!("/v1/records/{damaged}/receipt")).await;
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
    let problem = problem(response).await;
    assert_eq!(problem.code, "storage_damaged");
    assert!(problem.detail.contains("step finalization"), "{problem:?}");
    assert_eq!(
        harness.client().receipt(&sound).await.unwrap(),
        receipts[1],
        "the other one is as it was"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_backup_finds_its_records_on_the_chain() {
    let mut harness = Harness::start().await;
    harness.ready().await;
    harness.world.run(false);
    let id = harness
        .client()
        .record("k", &request(&shipment(1)))
        .await
        .unwrap()
        .id;
    harness.kill().await;
    let backup = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(harness.dir.path()).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, backup.path().join(path.file_name().unwrap())).unwrap();
    }
    harness.world.run(true);
    harness.run().await.unwrap();
    let before = harness
        .client()
        .wait_final(&id, crate::harness::PATIENCE)
        .await
        .unwrap();
    harness.kill().await;
    for name in [
        "gateway.sqlite3",
        "gateway.sqlite3-wal",
        "gateway.sqlite3-shm",
    ] {
        let _ = fs::remove_file(harness.dir.path().join(name));
        let _ = fs::copy(backup.path().join(name), harness.dir.path().join(name));
    }
    harness.run().await.unwrap();
    let after = harness
        .client()
        .wait_final(&id, crate::harness::PATIENCE)
        .await
        .unwrap();
    assert_eq!(after.finality, before.finality, "the same claim");
    assert_eq!(harness.world.chain().commitments.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_claimed_otherwise_is_an_explained_conflict() {
    let harness = Harness::start().await;
    harness.ready().await;
    let name = alloy_primitives::keccak256(b"acme\x1fk");
    let account = harness.world.chain().account;
    let id = contracts::record_id(contracts::organization_of(account), name);
    harness
        .world
        .chain()
        .commitments
        .insert(id, B256::repeat_byte(9));
    let response = harness
        .post("/v1/records?wait=final", "k", &shipment(1))
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), StatusCode::CONFLICT);
    let failed = problem(response).await;
    assert_eq!(
        (failed.code.as_str(), failed.record),
        ("id_conflict", Some(id.to_string()))
    );
    assert!(
        failed.detail.contains(&B256::repeat_byte(9).to_string()),
        "{}",
        failed.detail
    );
    let read: Record = harness
        .get(&format!("/v1/records/{id}"))
        .await
        .json()
        .await
        .unwrap();
    assert_eq!(
        (read.status, read.failure.unwrap().code.as_str()),
        (RecordStatus::Failed, "id_conflict")
    );
    let receipt = harness.get(&format!("/v1/records/{id}/receipt")).await;
    assert_eq!(problem(receipt).await.code, "id_conflict");
    until(|| async { harness.metric("ashlar_gateway_records_unsettled").await == 0.0 }).await;
}
