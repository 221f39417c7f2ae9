//! Nodes that lie, stall, or belong elsewhere.

use client::record::RecordStatus;
use reqwest::StatusCode;

use crate::{
    harness::{Harness, PATIENCE, problem, request, shipment, until},
    node::Behaviour,
};

/// With a lying node first and an honest one second, records become final; the lie is counted.
async fn overcome(behaviour: Behaviour, metric: &str) {
    let harness = Harness::with(&[behaviour, Behaviour::Honest], |_| {}).await;
    let receipt = harness
        .client()
        .record_final("k", &request(&shipment(1)))
        .await
        .unwrap();
    let receipt = proof::Receipt::from_json(&receipt).unwrap();
    proof::verify(&receipt, Some(&harness.config.network.identity)).unwrap();
    until(|| async { harness.metric(metric).await >= 1.0 }).await;
    harness.ready().await;
}

/// With lying nodes alone nothing becomes final, and readiness says why.
async fn withstand(behaviour: Behaviour, expected: &str) {
    let harness = Harness::with(&[behaviour], |_| {}).await;
    let accepted = harness
        .client()
        .record("k", &request(&shipment(1)))
        .await
        .unwrap();
    until(|| async {
        let response = harness.get("/readyz").await;
        response.status() == StatusCode::SERVICE_UNAVAILABLE
            && problem(response).await.detail.contains(expected)
    })
    .await;
    let read = harness.client().read(&accepted.id).await.unwrap();
    assert_ne!(read.status, RecordStatus::Final);
    *harness.nodes[0].behaviour.lock().unwrap() = Behaviour::Honest;
    let elsewhere = harness.client().read(&accepted.id).await.unwrap();
    assert_ne!(
        elsewhere.status,
        RecordStatus::Failed,
        "and nothing was lost"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forged_certificate_is_not_believed() {
    withstand(Behaviour::ForgedCertificate, "certificate is forged").await;
    overcome(
        Behaviour::ForgedCertificate,
        "ashlar_gateway_node_lies_total",
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn receipts_of_another_block_are_not_believed() {
    overcome(Behaviour::WrongReceipts, "ashlar_gateway_node_lies_total").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_left_out_transaction_is_noticed() {
    overcome(
        Behaviour::WrongTransactions,
        "ashlar_gateway_node_lies_total",
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gap_is_noticed() {
    overcome(Behaviour::Gap, "ashlar_gateway_node_lies_total").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_node_is_left() {
    withstand(Behaviour::Stalled, "no final block").await;
    overcome(Behaviour::Stalled, "ashlar_gateway_nodes_left_total").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_of_another_network_is_left() {
    withstand(Behaviour::OtherNetwork, "another network").await;
    overcome(Behaviour::OtherNetwork, "ashlar_gateway_nodes_left_total").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_takes_no_transaction_is_passed_over() {
    overcome(Behaviour::Deaf, "ashlar_gateway_transactions_refused_total").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_any_node_promises_are_made_and_kept_later() {
    let mut harness = Harness::prepared(&[Behaviour::Honest], |_| {}).await;
    let node = harness.nodes.pop().unwrap();
    let address = node.address;
    drop(node);
    harness.run().await.unwrap();
    let accepted = harness
        .client()
        .record("k", &request(&shipment(1)))
        .await
        .unwrap();
    let readiness = problem(harness.get("/readyz").await).await;
    assert!(
        readiness.detail.contains("no node is followed"),
        "{}",
        readiness.detail
    );
    let back = crate::node::Node::start_at(&harness.world, Behaviour::Honest, address).await;
    harness
        .client()
        .wait_final(&accepted.id, PATIENCE)
        .await
        .unwrap();
    drop(back);
}
