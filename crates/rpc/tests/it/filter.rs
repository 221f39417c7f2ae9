//! Filters.

use crate::node::{Node, User, quantity, transfer};
use alloy_primitives::{Address, TxKind};
use rpc::Limits;
use serde_json::{Value, json};
use types::Fees;

fn data(logs: &Value) -> Vec<&str> {
    logs.as_array()
        .unwrap()
        .iter()
        .map(|log| log["data"].as_str().unwrap())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_filter_tells_each_log_once() {
    let node = Node::start_with(
        Limits {
            logs_max: 1,
            ..Limits::default()
        },
        Fees::Free,
    )
    .await;
    let user = User::new(1);
    let echo = node.deploy_echo(&user).await;
    node.send(&user, TxKind::Call(echo), vec![1]).await;
    let id = node
        .call(
            "eth_newFilter",
            json!([{"address": echo, "fromBlock": "earliest"}]),
        )
        .await;
    let other = node
        .call(
            "eth_newFilter",
            json!([{"address": Address::repeat_byte(9)}]),
        )
        .await;
    assert_ne!(id, other);
    assert_eq!(
        node.call("eth_getFilterChanges", json!([id])).await,
        json!([])
    );
    node.send(&user, TxKind::Call(echo), vec![2]).await;
    node.send(&user, TxKind::Call(echo), vec![3]).await;
    // One answer holds one log here; the next is told of by the next poll.
    assert_eq!(
        data(&node.call("eth_getFilterChanges", json!([id])).await),
        ["0x02"]
    );
    assert_eq!(
        data(&node.call("eth_getFilterChanges", json!([id])).await),
        ["0x03"]
    );
    assert_eq!(
        node.call("eth_getFilterChanges", json!([id])).await,
        json!([])
    );
    assert_eq!(
        node.call("eth_getFilterChanges", json!([other])).await,
        json!([])
    );
    assert!(
        node.error("eth_getFilterLogs", json!([id]))
            .await
            .starts_with("-32005: query returned")
    );

    assert_eq!(node.call("eth_uninstallFilter", json!([id])).await, true);
    assert_eq!(node.call("eth_uninstallFilter", json!([id])).await, false);
    for method in ["eth_getFilterChanges", "eth_getFilterLogs"] {
        assert_eq!(
            node.error(method, json!([id])).await,
            "-32000: filter not found"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn filter_logs_are_all_logs() {
    let node = Node::start().await;
    let user = User::new(1);
    let echo = node.deploy_echo(&user).await;
    let receipt = node.send(&user, TxKind::Call(echo), vec![1]).await;
    let range = json!([{"fromBlock": "0x0", "toBlock": receipt["blockNumber"]}]);
    let id = node.call("eth_newFilter", range).await;
    node.send(&user, TxKind::Call(echo), vec![2]).await;
    assert_eq!(
        data(&node.call("eth_getFilterLogs", json!([id])).await),
        ["0x01"]
    );
    assert_eq!(
        node.call("eth_getFilterChanges", json!([id])).await,
        json!([])
    );
    assert_eq!(
        node.error(
            "eth_newFilter",
            json!([{"blockHash": receipt["blockHash"]}])
        )
        .await,
        "-32602: a filter for one block has no changes; use eth_getLogs"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_block_filter_tells_each_block_once() {
    let node = Node::start_with(
        Limits {
            filters_max: 1,
            ..Limits::default()
        },
        Fees::Free,
    )
    .await;
    let id = node.call("eth_newBlockFilter", json!([])).await;
    let from = node.height().await;
    node.wait_for(from + 3).await;
    let mut hashes = Vec::new();
    for _ in 0..2 {
        let changes = node.call("eth_getFilterChanges", json!([id])).await;
        hashes.extend(changes.as_array().unwrap().clone());
    }
    assert!(hashes.len() >= 3);
    let mut numbers = Vec::new();
    for hash in hashes {
        let block = node.call("eth_getBlockByHash", json!([hash])).await;
        numbers.push(quantity(&block["number"]));
    }
    assert!(
        numbers.windows(2).all(|pair| pair[0] + 1 == pair[1]),
        "{numbers:?}"
    );
    assert_eq!(
        node.error("eth_getFilterLogs", json!([id])).await,
        "-32000: filter not found"
    );
    assert!(
        node.error("eth_newBlockFilter", json!([]))
            .await
            .starts_with("-32005: too many filters")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_filter_tells_what_entered_the_mempool() {
    let node = Node::start().await;
    let user = User::new(1);
    node.call("eth_sendRawTransaction", json!([user.sign(transfer(5))]))
        .await;
    let id = node
        .call("eth_newPendingTransactionFilter", json!([]))
        .await;
    let mut hashes = Vec::new();
    for nonce in [7, 6] {
        let raw = json!([user.sign(transfer(nonce))]);
        hashes.push(node.call("eth_sendRawTransaction", raw).await);
    }
    let changes = || node.call("eth_getFilterChanges", json!([id]));
    assert_eq!(changes().await, json!(hashes));
    assert_eq!(changes().await, json!([]));
    assert_eq!(
        node.error("eth_getFilterLogs", json!([id])).await,
        "-32000: filter not found"
    );
    assert_eq!(
        node.error("eth_newPendingTransactionFilter", json!([{}, 1]))
            .await,
        "-32602: too many arguments, want at most 0"
    );
}
