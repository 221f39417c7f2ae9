//! What waits.

use crate::node::{Node, User, transfer};
use alloy_primitives::keccak256;
use rpc::Limits;
use serde_json::json;
use types::Fees;

#[tokio::test(flavor = "multi_thread")]
async fn the_mempool_can_be_looked_at() {
    let node = Node::start().await;
    let (user, other) = (User::new(1), User::new(2));
    let empty = json!({"pending": {}, "queued": {}});
    assert_eq!(node.call("txpool_content", json!([])).await, empty);
    // Their predecessors are missing, so they stay.
    let raw = user.sign(transfer(3));
    for raw in [raw.clone(), user.sign(transfer(2)), other.sign(transfer(1))] {
        node.call("eth_sendRawTransaction", json!([raw])).await;
    }
    let content = node.call("txpool_content", json!([])).await;
    assert_eq!(content["pending"], json!({}));
    let queued = content["queued"].as_object().unwrap();
    assert_eq!(queued.len(), 2);
    let waiting = &queued[&user.address().to_string()];
    assert_eq!(waiting["3"]["hash"], keccak256(&raw).to_string());
    assert_eq!(waiting["2"]["blockHash"], json!(null));
    let from = node
        .call("txpool_contentFrom", json!([user.address()]))
        .await;
    assert_eq!(from, json!({"pending": {}, "queued": waiting}));
    let nobody = node
        .call("txpool_contentFrom", json!([User::new(9).address()]))
        .await;
    assert_eq!(nobody, empty);
    let inspected = node.call("txpool_inspect", json!([])).await;
    assert_eq!(
        inspected["queued"][other.address().to_string()]["1"],
        "0x7777777777777777777777777777777777777777: 1 wei + 21000 gas × 2000000000 wei"
    );
    assert_eq!(
        node.call("txpool_status", json!([])).await,
        json!({"pending": "0x0", "queued": "0x3"})
    );
    assert_eq!(
        node.error("txpool_contentFrom", json!([])).await,
        "-32602: missing value for required argument 0"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn more_than_an_answer_holds_is_refused() {
    let limits = Limits {
        response_bytes_max: 1_500,
        ..Limits::default()
    };
    let node = Node::start_with(limits, Fees::Free).await;
    let user = User::new(1);
    for nonce in [1, 2] {
        node.call(
            "eth_sendRawTransaction",
            json!([user.sign(transfer(nonce))]),
        )
        .await;
    }
    for method in ["txpool_content", "txpool_inspect"] {
        assert_eq!(
            node.error(method, json!([])).await,
            "-32003: response too large: more than 1500 bytes"
        );
    }
}
