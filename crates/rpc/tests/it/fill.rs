//! Transactions that lack something.

use crate::node::{CHAIN_ID, Node, User, quantity};
use alloy_consensus::TxEnvelope;
use alloy_eips::eip2718::Decodable2718 as _;
use alloy_primitives::Bytes;
use rpc::Limits;
use serde_json::json;
use types::Fees;

#[tokio::test(flavor = "multi_thread")]
async fn what_lacks_is_filled() {
    let fees = Fees::Market {
        initial_base_fee: 1_000_000_000,
    };
    let node = Node::start_with(Limits::default(), fees).await;
    let (user, other) = (User::new(1), User::new(2).address());
    let request = json!({"from": user.address(), "to": other, "value": "0x1"});
    let filled = node.call("eth_fillTransaction", json!([request])).await;
    let tx = &filled["tx"];
    assert_eq!(quantity(&tx["chainId"]), CHAIN_ID);
    for (field, value) in [
        ("nonce", "0x0"),
        ("gas", "0x5208"),
        ("value", "0x1"),
        ("type", "0x2"),
        ("input", "0x"),
    ] {
        assert_eq!(tx[field], value, "{field}");
    }
    // Room for the base fee to double.
    let base_fee = node.quantity("eth_baseFee", json!([])).await;
    assert!(quantity(&tx["maxFeePerGas"]) >= base_fee);
    assert_eq!(tx["gasPrice"], tx["maxFeePerGas"]);
    let raw: Bytes = filled["raw"].as_str().unwrap().parse().unwrap();
    let envelope = TxEnvelope::decode_2718_exact(&raw).unwrap();
    assert_eq!(envelope.tx_hash().to_string(), tx["hash"].as_str().unwrap());

    // What is there stays.
    let request = json!({"from": user.address(), "to": other, "nonce": "0x7", "gas": "0x9999", "gasPrice": "0x77359400"});
    let tx = node.call("eth_fillTransaction", json!([request])).await["tx"].clone();
    for (field, value) in [
        ("nonce", "0x7"),
        ("gas", "0x9999"),
        ("gasPrice", "0x77359400"),
        ("type", "0x0"),
    ] {
        assert_eq!(tx[field], value, "{field}");
    }
    assert_eq!(
        node.error("eth_fillTransaction", json!([{"from": user.address()}]))
            .await,
        "-32000: contract creation without any data provided"
    );
    let request = json!({"from": user.address(), "to": other, "type": "0x0"});
    let filled = node.call("eth_fillTransaction", json!([request])).await;
    assert_eq!(filled["tx"]["type"], "0x0");
    assert!(quantity(&filled["tx"]["gasPrice"]) > 0);
    let wrong = json!([{"to": other, "chainId": "0x1"}]);
    assert_eq!(
        node.error("eth_fillTransaction", wrong).await,
        "-32602: chainId does not match node's (have=1, want=4242)"
    );
}
