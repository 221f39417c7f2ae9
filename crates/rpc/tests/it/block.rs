//! Blocks as Ethereum's clients read them.

use crate::node::{Node, User, quantity};
use alloy_consensus::{TxEnvelope, proofs::calculate_transaction_root};
use alloy_primitives::{B256, TxKind, keccak256};
use alloy_rpc_types_eth::Block;
use serde_json::{Value, json};

/// Fields that clients of one kind or another want.
const FIELDS: [&str; 26] = [
    "hash",
    "parentHash",
    "sha3Uncles",
    "miner",
    "stateRoot",
    "transactionsRoot",
    "receiptsRoot",
    "logsBloom",
    "number",
    "gasLimit",
    "gasUsed",
    "timestamp",
    "extraData",
    "mixHash",
    "nonce",
    "size",
    "transactions",
    "uncles",
    "baseFeePerGas",
    "difficulty",
    "withdrawals",
    "withdrawalsRoot",
    "blobGasUsed",
    "excessBlobGas",
    "parentBeaconBlockRoot",
    "requestsHash",
];

#[tokio::test(flavor = "multi_thread")]
async fn a_client_can_recompute_every_hash() {
    let node = Node::start().await;
    let user = User::new(1);
    let receipt = node.send(&user, TxKind::Call(user.address()), []).await;
    let height = quantity(&receipt["blockNumber"]);
    for number in 0..=height {
        let json = node
            .call(
                "eth_getBlockByNumber",
                json!([format!("{number:#x}"), true]),
            )
            .await;
        for field in FIELDS {
            assert!(!json[field].is_null(), "{field} is missing in {json}");
        }
        assert_eq!(json["extraData"].as_str().unwrap().len(), 2 + 64);
        let block: Block = serde_json::from_value(json.clone()).unwrap();
        assert_eq!(block.header.inner.hash_slow(), block.header.hash);
        assert_eq!(
            block.header.hash.to_string(),
            json["hash"].as_str().unwrap()
        );
        let whole = block.into_consensus().convert_transactions::<TxEnvelope>();
        let root = calculate_transaction_root(&whole.body.transactions);
        assert_eq!(root, whole.header.transactions_root);
        // Another's count of the bytes.
        assert_eq!(
            quantity(&json["size"]),
            alloy_rlp::encode(&whole).len() as u64
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn blocks_are_found_by_number_tag_and_hash() {
    let node = Node::start().await;
    let user = User::new(1);
    let receipt = node.send(&user, TxKind::Call(user.address()), []).await;
    let (number, hash) = (&receipt["blockNumber"], &receipt["blockHash"]);
    let by_number = node
        .call("eth_getBlockByNumber", json!([number, false]))
        .await;
    assert_eq!(&by_number["hash"], hash);
    assert_eq!(
        by_number["transactions"],
        json!([receipt["transactionHash"]])
    );
    assert_eq!(
        node.call("eth_getBlockByHash", json!([hash, false])).await,
        by_number
    );
    assert_eq!(
        node.call("eth_getBlockByHash", json!([hash])).await,
        by_number
    );
    assert_eq!(
        node.call("eth_getBlockTransactionCountByNumber", json!([number]))
            .await,
        "0x1"
    );
    assert_eq!(
        node.call("eth_getBlockTransactionCountByHash", json!([hash]))
            .await,
        "0x1"
    );
    assert_eq!(
        node.call("eth_getUncleCountByBlockNumber", json!([number]))
            .await,
        "0x0"
    );
    assert_eq!(
        node.call("eth_getUncleCountByBlockHash", json!([hash]))
            .await,
        "0x0"
    );
    assert!(
        node.call("eth_getUncleByBlockHashAndIndex", json!([hash, "0x0"]))
            .await
            .is_null()
    );

    let height = quantity(number);
    for tag in ["latest", "safe", "finalized", "pending"] {
        let block = node.call("eth_getBlockByNumber", json!([tag, false])).await;
        assert!(quantity(&block["number"]) >= height, "{tag}");
    }
    let earliest = node
        .call("eth_getBlockByNumber", json!(["earliest", false]))
        .await;
    assert_eq!(earliest["number"], "0x0");
    assert_eq!(earliest["parentHash"], B256::ZERO.to_string());

    // What is not there is null, not an error.
    let unknown = keccak256("unknown");
    for (method, params) in [
        ("eth_getBlockByNumber", json!(["0xffffffff", true])),
        ("eth_getBlockByHash", json!([unknown, true])),
        ("eth_getBlockReceipts", json!(["0xffffffff"])),
        ("eth_getBlockTransactionCountByHash", json!([unknown])),
        ("eth_getUncleCountByBlockHash", json!([unknown])),
        ("eth_getTransactionByHash", json!([unknown])),
        ("eth_getTransactionReceipt", json!([unknown])),
        (
            "eth_getTransactionByBlockHashAndIndex",
            json!([hash, "0x1"]),
        ),
        (
            "eth_getTransactionByBlockNumberAndIndex",
            json!(["0xffffffff", "0x0"]),
        ),
        ("eth_getRawTransactionByHash", json!([unknown])),
        ("ashlar_getFinalization", json!(["0xffffffff"])),
        ("ashlar_getReceipt", json!([unknown])),
    ] {
        assert_eq!(node.call(method, params).await, Value::Null, "{method}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn malformed_parameters_are_named() {
    let node = Node::start().await;
    for (method, params, text) in [
        (
            "eth_getBlockByNumber",
            json!([]),
            "-32602: missing value for required argument 0",
        ),
        (
            "eth_getBlockByNumber",
            json!(["12", true]),
            "-32602: invalid argument 0: hex string without 0x prefix",
        ),
        (
            "eth_getBlockByHash",
            json!(["0x12", true]),
            "-32602: invalid argument 0: invalid string length",
        ),
        (
            "eth_getBlockByNumber",
            json!(["latest", 1]),
            "-32602: invalid argument 1: invalid type: integer `1`, expected a boolean",
        ),
    ] {
        assert_eq!(node.error(method, params).await, text);
    }
}
