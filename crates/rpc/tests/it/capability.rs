//! What a node can answer.

use crate::node::{CHAIN_ID, Node, User, quantity, transfer};
use alloy_primitives::{B256, TxKind};
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn a_node_says_what_it_keeps() {
    for archive in [false, true] {
        let node = if archive {
            Node::start_archive().await
        } else {
            Node::start().await
        };
        let sent = User::new(1).sign(transfer(0));
        node.include(&sent).await;
        let said = node.call("eth_capabilities", json!([])).await;
        let head = node
            .call(
                "eth_getBlockByNumber",
                json!([said["head"]["number"], false]),
            )
            .await;
        assert_eq!(said["head"]["hash"], head["hash"]);
        for kind in ["tx", "logs", "receipts", "blocks"] {
            assert_eq!(said[kind], json!({"disabled": false, "oldestBlock": "0x0"}));
        }
        assert_eq!(said["stateproofs"], json!({"disabled": true}));
        let state = &said["state"];
        if archive {
            assert_eq!(*state, json!({"disabled": false, "oldestBlock": "0x0"}));
        } else {
            assert_eq!(state["oldestBlock"], said["head"]["number"]);
            let window = json!({"type": "window", "retentionBlocks": "0x1"});
            assert_eq!(state["deleteStrategy"], window);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_says_its_rules() {
    let node = Node::start().await;
    let config = node.call("eth_config", json!([])).await;
    let current = &config["current"];
    assert_eq!(quantity(&current["chainId"]), CHAIN_ID);
    assert_eq!(current["forkId"].as_str().unwrap().len(), 10);
    let precompiles = current["precompiles"].as_object().unwrap();
    assert_eq!(
        precompiles["P256VERIFY"],
        "0x0000000000000000000000000000000000000100"
    );
    assert!(precompiles.len() >= 17, "{precompiles:?}");
    assert_eq!(
        current["systemContracts"]["HISTORY_STORAGE_ADDRESS"],
        "0x0000f90827f1c53a10cb7a02335b175320002935"
    );
    assert_eq!(
        (&config["next"], &config["last"]),
        (&json!(null), &json!(null))
    );
    assert_eq!(node.call("eth_baseFee", json!([])).await, "0x0");
    assert_eq!(
        node.error("eth_config", json!([1])).await,
        "-32602: too many arguments, want at most 0"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_is_told_at_once() {
    let node = Node::start().await;
    let user = User::new(1);
    let echo = node.deploy_echo(&user).await;
    let info = node
        .call("eth_getAccountInfo", json!([user.address()]))
        .await;
    let balance = node.call("eth_getBalance", json!([user.address()])).await;
    assert_eq!(
        info,
        json!({"balance": balance, "nonce": "0x1", "code": "0x"})
    );
    let info = node
        .call("eth_getAccountInfo", json!([echo, "latest"]))
        .await;
    let code = node.call("eth_getCode", json!([echo])).await;
    assert_eq!(
        info,
        json!({"balance": "0x0", "nonce": "0x1", "code": code})
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn slots_are_told_at_once() {
    let node = Node::start().await;
    let user = User::new(1);
    // Stores what it is called with in slot 0.
    let store = node.deploy(&user, &[0x5f, 0x35, 0x5f, 0x55]).await;
    let seven = B256::with_last_byte(7);
    node.send(&user, TxKind::Call(store), seven.to_vec()).await;
    let (store, empty) = (store.to_string().to_lowercase(), user.address());
    let empty = empty.to_string().to_lowercase();
    let wanted = json!({&store: ["0x0", B256::with_last_byte(1)], &empty: [B256::ZERO]});
    let values = node.call("eth_getStorageValues", json!([wanted])).await;
    assert_eq!(
        values,
        json!({&store: [seven, B256::ZERO], &empty: [B256::ZERO]})
    );
    assert_eq!(
        node.error("eth_getStorageValues", json!([{}])).await,
        "-32602: empty request"
    );
    let many = json!([{&store: vec![B256::ZERO; 1025]}, "latest"]);
    assert_eq!(
        node.error("eth_getStorageValues", many).await,
        "-32602: too many slots (max 1024)"
    );
}
