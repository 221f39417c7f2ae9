//! Accounts.

use crate::node::{Node, User, quantity, transfer};
use alloy_primitives::{Address, B256, U256};
use contracts::{RECORDS_ADDRESS, commitment_slot, record_id};
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn the_state_is_the_latest() {
    let node = Node::start().await;
    let user = User::new(1);
    let receipt = node.include(&user.sign(transfer(0))).await;
    let receiver = Address::repeat_byte(0x77);
    assert_eq!(
        node.call("eth_getBalance", json!([receiver, "latest"]))
            .await,
        "0x1"
    );
    assert_eq!(node.call("eth_getBalance", json!([receiver])).await, "0x1");
    assert_eq!(
        node.call("eth_getBalance", json!([receiver, null])).await,
        "0x1"
    );
    assert_eq!(
        node.call("eth_getBalance", json!([Address::ZERO, "pending"]))
            .await,
        "0x0"
    );
    assert_eq!(
        node.call("eth_getTransactionCount", json!([user.address(), "latest"]))
            .await,
        "0x1"
    );
    assert_eq!(
        node.call("eth_getCode", json!([user.address(), "latest"]))
            .await,
        "0x"
    );
    assert_eq!(
        node.call("eth_getCode", json!([RECORDS_ADDRESS, "latest"]))
            .await,
        json!(contracts::SystemContract::Records.runtime_code())
    );

    // While nothing happens, the state of an earlier block is the latest one.
    let height = quantity(&receipt["blockNumber"]);
    node.wait_for(height + 1).await;
    for block in [
        json!(receipt["blockNumber"]),
        json!(receipt["blockHash"]),
        json!({"blockHash": receipt["blockHash"]}),
    ] {
        assert_eq!(
            node.call("eth_getBalance", json!([receiver, block])).await,
            "0x1"
        );
    }
    // Before the transaction it was another.
    let before = json!([receiver, format!("{:#x}", height - 1)]);
    for method in ["eth_getBalance", "eth_getCode", "eth_getTransactionCount"] {
        let error = node.error(method, before.clone()).await;
        let start = format!(
            "-32000: historical state of block {} is not available: this node keeps the state of the latest block",
            height - 1
        );
        assert!(error.starts_with(&start), "{error}");
    }
    for block in [json!("0xffffffff"), json!(B256::repeat_byte(1))] {
        assert_eq!(
            node.error("eth_call", json!([{}, block])).await,
            "-32000: header not found"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn storage_is_read_by_any_spelling_of_a_slot() {
    let node = Node::start().await;
    let user = User::new(1);
    let (key, commitment) = (B256::repeat_byte(1), B256::repeat_byte(2));
    let input = contracts::encode_record(&[contracts::Entry { key, commitment }]).unwrap();
    let receipt = node.send(&user, RECORDS_ADDRESS.into(), input).await;
    assert_eq!(receipt["status"], "0x1", "{receipt}");
    let id = record_id(contracts::organization_of(user.address()), key);
    let slot = commitment_slot(id);
    let read = node
        .call("eth_getStorageAt", json!([RECORDS_ADDRESS, slot, "latest"]))
        .await;
    assert_eq!(read, commitment.to_string());
    for slot in ["0x0", "0x00", "0x000", &B256::ZERO.to_string()] {
        let read = node
            .call("eth_getStorageAt", json!([RECORDS_ADDRESS, slot, "latest"]))
            .await;
        assert_eq!(read, B256::from(U256::ZERO).to_string());
    }
}
