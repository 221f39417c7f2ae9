//! A node that does not keep everything.

use crate::{
    node::{KEPT, Node, User, quantity, transfer},
    subscription::Socket,
};
use alloy_primitives::{FixedBytes, TxKind};
use proof::Receipt;
use serde_json::{Value, json};

/// Blocks that are answered from memory, however few are kept.
const IN_MEMORY: u64 = 128;

async fn oldest(node: &Node) -> u64 {
    let said = node.call("eth_capabilities", json!([])).await;
    quantity(&said["blocks"]["oldestBlock"])
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_removed_is_not_said_to_have_never_been() {
    let node = Node::start_pruned().await;
    let (user, sender) = (User::new(1), User::new(2));
    let echo = node.deploy_echo(&user).await;
    let sent = node.send(&user, TxKind::Call(echo), vec![1]).await;
    let (number, hash) = (quantity(&sent["blockNumber"]), &sent["blockHash"]);
    let transaction = &sent["transactionHash"];
    let file = node.call("ashlar_getReceipt", json!([transaction])).await;
    let said = node.call("eth_capabilities", json!([])).await;
    let window = json!({"type": "window", "retentionBlocks": format!("{KEPT:#x}")});
    let whole = json!({"disabled": false, "oldestBlock": "0x0", "deleteStrategy": window});
    assert_eq!(said["blocks"], whole);

    for nonce in 0..IN_MEMORY + 4 * KEPT.get() {
        let sent = sender.sign(transfer(nonce));
        node.include(&sent).await;
        if nonce > IN_MEMORY + 8 && oldest(&node).await > number {
            break;
        }
    }
    let (head, first) = (node.height().await, oldest(&node).await);
    assert!(first > number, "block {number} is still here at {head}");
    assert!(head - first >= KEPT.get(), "{first} to {head}: too few");

    let tag = json!(format!("{number:#x}"));
    let error = async |method: &str, params: Value| {
        let error = node.error(method, params).await;
        let rest = error.strip_prefix(&format!(
            "4444: pruned history unavailable: block {number} is not on this node, which has the blocks from "
        ));
        let rest = rest.unwrap_or_else(|| panic!("{method}: {error}"));
        let told: u64 = rest.strip_suffix(" on").unwrap().parse().unwrap();
        assert!(told >= first, "{method}: {error}");
    };
    let call = json!([tag, ["trace"]]);
    for (method, params) in [
        ("ashlar_getCertifiedBlocks", json!([tag, "0x1"])),
        ("ashlar_getFinalization", json!([tag])),
        ("debug_getRawBlock", json!([tag])),
        ("debug_getRawHeader", json!([tag])),
        ("debug_getRawReceipts", json!([tag])),
        ("debug_traceBlockByNumber", json!([tag])),
        ("erigon_getHeaderByNumber", json!([tag])),
        ("eth_feeHistory", json!(["0x1", tag, []])),
        ("eth_feeHistory", json!(["0x1", tag, [50]])),
        ("eth_getBlockByNumber", json!([tag, false])),
        ("eth_getBlockReceipts", json!([tag])),
        ("eth_getBlockTransactionCountByNumber", json!([tag])),
        (
            "eth_getTransactionByBlockNumberAndIndex",
            json!([tag, "0x0"]),
        ),
        ("eth_getUncleByBlockNumberAndIndex", json!([tag, "0x0"])),
        ("eth_getUncleCountByBlockNumber", json!([tag])),
        ("ots_getBlockDetails", json!([tag])),
        ("ots_getBlockTransactions", json!([tag, 0, 10])),
        ("trace_block", json!([tag])),
        ("trace_filter", json!([{"fromBlock": tag, "toBlock": tag}])),
        ("trace_replayBlockTransactions", call),
    ] {
        error(method, params).await;
    }
    let logs = json!([{"fromBlock": tag, "toBlock": tag}]);
    let refused = node.error("eth_getLogs", logs).await;
    assert!(
        refused.starts_with(
            "4444: pruned history unavailable: this node has the logs of blocks from "
        ),
        "{refused}"
    );
    let mut socket = Socket::open(&node).await;
    let refused = socket
        .call("ashlar_subscribe", json!(["finalized", {"from": tag}]))
        .await;
    assert_eq!(refused["error"]["code"], 4444, "{refused}");

    // By hash nobody can tell.
    for (method, params) in [
        ("eth_getBlockByHash", json!([hash, false])),
        ("eth_getTransactionByHash", json!([transaction])),
        ("eth_getTransactionReceipt", json!([transaction])),
        ("ashlar_getReceipt", json!([transaction])),
        ("ashlar_getFinalization", json!([hash])),
        // Not final yet.
        ("eth_getBlockByNumber", json!(["0xffffff", false])),
        ("eth_getBlockReceipts", json!(["0xffffff"])),
    ] {
        assert_eq!(node.call(method, params).await, json!(null), "{method}");
    }
    let genesis = node
        .call("eth_getBlockByNumber", json!(["earliest", false]))
        .await;
    assert_eq!(genesis["number"], "0x0");

    // The rest is here, and what was proved stays so.
    let first = oldest(&node).await;
    for mut number in [first + 16, head] {
        // Among them may be idle blocks.
        let (tag, receipts) = loop {
            let tag = json!(format!("{number:#x}"));
            let receipts = node.call("eth_getBlockReceipts", json!([&tag])).await;
            if !receipts.as_array().unwrap().is_empty() {
                break (tag, receipts);
            }
            number -= 1;
        };
        let receipt = node
            .call("ashlar_getReceipt", json!([receipts[0]["transactionHash"]]))
            .await;
        assert_eq!(receipt["format"], "ashlar-receipt/1");
        let logs = node
            .call("eth_getLogs", json!([{"fromBlock": tag, "toBlock": tag}]))
            .await;
        assert_eq!(logs, json!([]));
    }
    let identity = node.call("ashlar_getIdentity", json!([])).await;
    let identity: FixedBytes<96> = identity["identity"].as_str().unwrap().parse().unwrap();
    let receipt = Receipt::from_json(file.to_string().as_bytes()).unwrap();
    let verdict = proof::verify(&receipt, Some(&identity));
    assert!(verdict.is_ok(), "{verdict:?}");
    // The state is whole, whatever became of the operations that led to it.
    let called = json!([{"to": echo, "data": "0x07"}]);
    assert_eq!(node.call("eth_call", called).await, "0x07");
    let proved = node.call("ashlar_getProof", json!([echo, ["0x0"]])).await;
    let proved = proof::StateProof::from_json(proved.to_string().as_bytes()).unwrap();
    let verdict = proof::verify_state(&proved, Some(&identity));
    assert!(verdict.is_ok(), "{verdict:?}");
}
