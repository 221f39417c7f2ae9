//! Parity's traces.

use crate::node::{Node, User, quantity, transfer};
use alloy_primitives::{B256, TxKind, U256};
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread")]
async fn calls_of_final_blocks_are_told() {
    let node = Node::start_archive().await;
    let user = User::new(1);
    let echo = node.deploy_echo(&user).await;
    let caller = node.deploy_caller(&user, echo).await;
    let receipt = node.send(&user, TxKind::Call(caller), vec![1, 2]).await;
    let hash = &receipt["transactionHash"];
    let traces = node.call("trace_transaction", json!([hash])).await;
    let all = traces.as_array().unwrap();
    assert_eq!(all.len(), 2);
    for (trace, from, to, address, subtraces) in [
        (&all[0], user.address(), caller, json!([]), 1),
        (&all[1], caller, echo, json!([0]), 0),
    ] {
        assert_eq!(trace["type"], "call");
        assert_eq!(trace["action"]["callType"], "call");
        assert_eq!(trace["action"]["from"], json!(from));
        assert_eq!(trace["action"]["to"], json!(to));
        assert_eq!(trace["action"]["input"], "0x0102");
        assert_eq!(trace["result"]["output"], "0x0102");
        assert_eq!(trace["traceAddress"], address);
        assert_eq!(trace["subtraces"], subtraces);
        assert_eq!(trace["transactionHash"], *hash);
        assert_eq!(trace["blockHash"], receipt["blockHash"]);
        assert_eq!(trace["blockNumber"], quantity(&receipt["blockNumber"]));
        assert_eq!(trace["transactionPosition"], 0);
    }
    let block = json!([receipt["blockNumber"]]);
    assert_eq!(node.call("trace_block", block).await, traces);
    assert_eq!(node.call("trace_block", json!(["0x0"])).await, json!([]));
    assert_eq!(node.call("trace_get", json!([hash, ["0x0"]])).await, all[1]);
    assert_eq!(
        node.call("trace_get", json!([hash, ["0x7"]])).await,
        json!(null)
    );
    let unknown = json!([B256::with_last_byte(1)]);
    assert_eq!(node.call("trace_transaction", unknown).await, json!(null));
    assert_eq!(
        node.call("trace_block", json!(["0xffffff"])).await,
        json!(null)
    );

    // Who is called, in all blocks.
    let range = json!({"fromBlock": "0x0", "toBlock": receipt["blockNumber"], "toAddress": [echo]});
    let found = node.call("trace_filter", json!([range])).await;
    // The creation as well as the call.
    let found = found.as_array().unwrap();
    assert_eq!(found.last(), Some(&all[1]));
    assert!(found.iter().any(|trace| trace["type"] == "create"));
    let mut paged = range.clone();
    paged["after"] = json!(1);
    paged["count"] = json!(1);
    assert_eq!(
        node.call("trace_filter", json!([paged])).await,
        json!(found[1..2])
    );
    let far = json!([{"fromBlock": "0x5", "toBlock": "0x1"}]);
    assert_eq!(
        node.error("trace_filter", far).await,
        "-32602: invalid parameters: fromBlock cannot be greater than toBlock"
    );
    node.wait_for(101).await;
    let error = node
        .error("trace_filter", json!([{"fromBlock": "0x0"}]))
        .await;
    assert!(
        error.starts_with("-32602: block range too large: "),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn transactions_are_replayed() {
    let node = Node::start_archive().await;
    let user = User::new(1);
    // Stores what it is called with in slot 0.
    let store = node.deploy(&user, &[0x5f, 0x35, 0x5f, 0x55]).await;
    let word = |value: u64| B256::from(U256::from(value));
    for value in [5, 6] {
        node.send(&user, TxKind::Call(store), word(value).to_vec())
            .await;
    }
    let receipt = node
        .send(&user, TxKind::Call(store), word(7).to_vec())
        .await;
    let hash = &receipt["transactionHash"];
    let types = json!(["trace", "stateDiff", "vmTrace"]);
    let replayed = node
        .call("trace_replayTransaction", json!([hash, types]))
        .await;
    assert_eq!(replayed["output"], "0x");
    assert_eq!(replayed["trace"][0]["action"]["to"], json!(store));
    let diff = &replayed["stateDiff"];
    let sender = &diff[user.address().to_string().to_lowercase()];
    assert_eq!(sender["nonce"], json!({"*": {"from": "0x3", "to": "0x4"}}));
    assert_eq!(sender["balance"], "=");
    let slots = &diff[store.to_string().to_lowercase()]["storage"];
    assert_eq!(
        slots[word(0).to_string()],
        json!({"*": {"from": word(6), "to": word(7)}})
    );
    // PUSH0 CALLDATALOAD PUSH0 SSTORE; the code ends there.
    let ops = replayed["vmTrace"]["ops"].as_array().unwrap();
    assert_eq!(ops.len(), 4);
    assert_eq!(ops[3]["ex"]["store"], json!({"key": "0x0", "val": "0x7"}));
    let mut of_block = replayed.clone();
    of_block["transactionHash"] = hash.clone();
    let block = json!([receipt["blockNumber"], types]);
    assert_eq!(
        node.call("trace_replayBlockTransactions", block).await,
        json!([of_block])
    );
    let unknown = json!([B256::with_last_byte(1), types]);
    assert_eq!(
        node.error("trace_replayTransaction", unknown).await,
        "-32000: transaction not found"
    );
    let error = node
        .error("trace_replayTransaction", json!([hash, ["all"]]))
        .await;
    assert!(
        error.starts_with("-32602: invalid argument 1: unknown variant `all`"),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_are_traced_that_nobody_made() {
    let node = Node::start().await;
    let user = User::new(1);
    // With input: stores it in slot 0. Without: returns slot 0.
    let code = [
        0x36, 0x15, 0x60, 0x0a, 0x57, 0x5f, 0x35, 0x5f, 0x55, 0x00, 0x5b, 0x5f, 0x54, 0x5f, 0x52,
        0x60, 0x20, 0x5f, 0xf3,
    ];
    let store = node.deploy(&user, &code).await;
    let seven = B256::from(U256::from(7));
    let write = json!({"from": user.address(), "to": store, "data": seven});
    let read = json!({"to": store});
    let traced = node.call("trace_call", json!([read, ["trace"]])).await;
    assert_eq!(traced["output"], json!(B256::ZERO));
    assert_eq!(traced["trace"][0]["result"]["output"], json!(B256::ZERO));
    assert_eq!(traced["vmTrace"], Value::Null);
    let many = json!([[[write, ["stateDiff"]], [read, ["trace"]]], "latest"]);
    let many = node.call("trace_callMany", many).await;
    assert_eq!(many[1]["output"], json!(seven));
    // Nothing of it happened.
    let traced = node
        .call("trace_call", json!([read, ["trace"], "latest"]))
        .await;
    assert_eq!(traced["output"], json!(B256::ZERO));

    let raw = user.sign(transfer(1));
    let traced = node
        .call("trace_rawTransaction", json!([raw, ["trace"]]))
        .await;
    assert_eq!(traced["trace"][0]["action"]["value"], "0x1");
    for (raw, text) in [
        (
            user.sign(transfer(0)),
            "-32000: nonce too low: next nonce 1, tx nonce 0",
        ),
        (user.sign(transfer(9)), "-32000: nonce too high: "),
        (vec![1].into(), "-32602: "),
    ] {
        let error = node
            .error("trace_rawTransaction", json!([raw, ["trace"]]))
            .await;
        assert!(error.starts_with(text), "{error}");
    }
}
