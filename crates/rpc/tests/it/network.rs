//! Which network, what software.

use crate::node::{CHAIN_ID, Node, quantity};
use alloy_primitives::hex;
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn a_node_says_where_it_belongs() {
    let node = Node::start().await;
    assert_eq!(node.call("eth_chainId", json!([])).await, "0x1092");
    assert_eq!(node.call("net_version", json!([])).await, "4242");
    assert_eq!(node.call("net_listening", json!([])).await, true);
    assert_eq!(node.call("net_peerCount", json!([])).await, "0x0");
    assert_eq!(node.call("eth_syncing", json!([])).await, false);
    assert_eq!(node.call("eth_accounts", json!([])).await, json!([]));
    let version = concat!("ashlar/", env!("CARGO_PKG_VERSION"));
    assert_eq!(node.call("web3_clientVersion", json!([])).await, version);
    assert_eq!(node.call("rpc_modules", json!([])).await["ashlar"], "1.0");
    assert_eq!(
        node.call("web3_sha3", json!(["0x68656c6c6f20776f726c64"]))
            .await,
        "0x47173285a8d7341e5e972fc677286384f802f8ef42a5ec5f03bbfa254cb01fad"
    );
    assert_eq!(
        node.call("txpool_status", json!([])).await,
        json!({"pending": "0x0", "queued": "0x0"})
    );

    let identity = node.call("ashlar_getIdentity", json!([])).await;
    let committee = node.spec.committee().unwrap();
    assert_eq!(quantity(&identity["chainId"]), CHAIN_ID);
    assert_eq!(identity["identity"], committee.identity_hex());
    assert_eq!(identity["clientVersion"], version);
    let genesis = node
        .call("eth_getBlockByNumber", json!(["0x0", false]))
        .await;
    assert_eq!(identity["genesisHash"], genesis["hash"]);

    let validators = node.call("ashlar_validators", json!([])).await;
    let key = committee.validators().iter().next().unwrap();
    let key = hex::encode_prefixed(commonware_codec::Encode::encode(key));
    assert_eq!(
        validators,
        json!({
            "epoch": "0x0", "firstBlock": "0x0", "lastBlock": "0x17", "quorum": "0x1",
            "validators": [{"index": "0x0", "publicKey": key}], "next": [key], "afterNext": [key],
            "elected": [key], "changesSignFrom": "0x3",
        })
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_says_how_it_goes_on() {
    let node = Node::start().await;
    // It looks twice a second.
    let health = node
        .until("ashlar_health", |health| quantity(&health["height"]) > 0)
        .await;
    let without = &health["withoutBlockMs"];
    assert!(quantity(without) < 6_000, "{health}");
    let committee = node.spec.committee().unwrap();
    let key = committee.validators().iter().next().unwrap();
    let key = hex::encode_prefixed(commonware_codec::Encode::encode(key));
    assert_eq!(
        health,
        json!({
            "state": "finalizing", "height": health["height"], "withoutBlockMs": without, "epoch": health["epoch"],
            "quorum": "0x1", "reachable": "0x1",
            "validators": [{"publicKey": key, "organization": "first", "reachable": true}],
            "node": key, "validates": true, "hasShare": true, "maySign": true, "explanation": null,
        })
    );
    assert_eq!(
        node.error("ashlar_health", json!([1])).await,
        "-32602: too many arguments, want at most 0"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_served_says_so() {
    let node = Node::start().await;
    for (method, text) in [
        (
            "anvil_nodeInfo",
            "-32601: the method anvil_nodeInfo does not exist/is not available",
        ),
        (
            "eth_subscribe",
            "-32601: notifications not supported: subscriptions need a WebSocket, on this same port",
        ),
    ] {
        assert_eq!(node.error(method, json!(["newHeads"])).await, text);
    }
    let proof = node.error("eth_getProof", json!([])).await;
    assert!(proof.contains("ashlar_getProof"), "{proof}");
    assert_eq!(
        node.error("eth_chainId", json!([1])).await,
        "-32602: too many arguments, want at most 0"
    );
}
