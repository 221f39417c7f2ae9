//! Fees.

use crate::node::{Node, User, quantity, transfer};
use alloy_consensus::TxEip1559;
use rpc::Limits;
use serde_json::json;
use types::Fees;

#[tokio::test(flavor = "multi_thread")]
async fn gas_is_free() {
    let node = Node::start().await;
    assert_eq!(node.call("eth_gasPrice", json!([])).await, "0x0");
    assert_eq!(
        node.call("eth_maxPriorityFeePerGas", json!([])).await,
        "0x0"
    );
    assert_eq!(node.call("eth_blobBaseFee", json!([])).await, "0x1");
    let receipt = node.include(&User::new(1).sign(transfer(0))).await;
    let newest = &receipt["blockNumber"];
    let history = node
        .call("eth_feeHistory", json!([2, newest, [0, 50.5, 100]]))
        .await;
    let number = quantity(newest);
    assert_eq!(quantity(&history["oldestBlock"]), number - 1);
    assert_eq!(history["baseFeePerGas"], json!(["0x0", "0x0", "0x0"]));
    assert_eq!(history["gasUsedRatio"], json!([0.0, 0.00021]));
    assert_eq!(
        history["reward"],
        json!([["0x0", "0x0", "0x0"], ["0x0", "0x0", "0x0"]])
    );
    // More than there are: as many as there are.
    let history = node.call("eth_feeHistory", json!(["0x400", newest])).await;
    assert_eq!(history["oldestBlock"], "0x0");
    assert_eq!(
        history["gasUsedRatio"].as_array().unwrap().len() as u64,
        number + 1
    );
    assert!(history.get("reward").is_none());
    let none = node
        .call("eth_feeHistory", json!(["0x0", "latest", []]))
        .await;
    assert_eq!(none, json!({"oldestBlock": "0x0", "gasUsedRatio": []}));
    let error = node
        .error("eth_feeHistory", json!(["0x1", "0xffffffff", []]))
        .await;
    assert!(
        error.starts_with("-32000: request beyond head block: requested 4294967295"),
        "{error}"
    );
    assert_eq!(
        node.error("eth_feeHistory", json!(["0x1", "latest", [50, 10]]))
            .await,
        "-32000: invalid reward percentile: 10 after 50"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_market_has_prices() {
    let fees = Fees::Market {
        initial_base_fee: 1_000_000_000,
    };
    let node = Node::start_with(Limits::default(), fees).await;
    let user = User::new(1);
    for nonce in 0..3 {
        let raw = user.sign(TxEip1559 {
            max_priority_fee_per_gas: 7,
            ..transfer(nonce)
        });
        node.include(&raw).await;
    }
    assert_eq!(
        node.call("eth_maxPriorityFeePerGas", json!([])).await,
        "0x7"
    );
    let history = node
        .call("eth_feeHistory", json!([1024, "latest", [50]]))
        .await;
    let fees = history["baseFeePerGas"].as_array().unwrap();
    let blocks = history["gasUsedRatio"].as_array().unwrap();
    assert_eq!(fees.len(), blocks.len() + 1);
    // Blocks are all but empty, so the fee sinks by an eighth each.
    for pair in fees[1..].windows(2) {
        assert!(quantity(&pair[1]) < quantity(&pair[0]));
    }
    assert!(
        history["reward"]
            .as_array()
            .unwrap()
            .contains(&json!(["0x7"]))
    );
}
