//! The states of past blocks.

use crate::node::{Node, User, quantity, transfer};
use alloy_primitives::{Address, B256, Bytes, TxKind, U256};
use serde_json::json;

/// Stores what it is called with in slot 0, and returns slot 0 when called with nothing.
const STORE: &[u8] = &[
    0x60, 0x13, 0x80, 0x60, 0x09, 0x5f, 0x39, 0x5f, 0xf3, // return what follows as code
    0x36, 0x15, 0x60, 0x0a, 0x57, 0x5f, 0x35, 0x5f, 0x55, 0x00, // store
    0x5b, 0x5f, 0x54, 0x5f, 0x52, 0x60, 0x20, 0x5f, 0xf3,
];

#[tokio::test(flavor = "multi_thread")]
async fn the_state_of_any_block_is_there() {
    let node = Node::start_archive().await;
    let (user, sender) = (User::new(1), User::new(2));
    let receipt = node
        .send(&user, TxKind::Create, Bytes::from_static(STORE))
        .await;
    assert_eq!(receipt["status"], "0x1", "{receipt}");
    let contract: Address = receipt["contractAddress"]
        .as_str()
        .unwrap()
        .parse()
        .unwrap();
    let created = quantity(&receipt["blockNumber"]);
    let mut blocks = vec![(created, receipt["blockHash"].clone())];
    for value in 1..=3_u64 {
        let input = B256::from(U256::from(value));
        let receipt = node
            .send(&user, TxKind::Call(contract), input.to_vec())
            .await;
        assert_eq!(receipt["status"], "0x1", "{receipt}");
        blocks.push((
            quantity(&receipt["blockNumber"]),
            receipt["blockHash"].clone(),
        ));
        let sent = sender.sign(transfer(value - 1));
        node.include(&sent).await;
    }
    for (value, (number, hash)) in blocks.iter().enumerate() {
        let word = B256::from(U256::from(value)).to_string();
        for block in [
            json!(format!("{number:#x}")),
            json!(hash),
            json!({"blockHash": hash}),
        ] {
            let ask = |method: &'static str, params| node.call(method, params);
            assert_eq!(
                ask("eth_getStorageAt", json!([contract, "0x0", block])).await,
                word
            );
            assert_eq!(
                ask("eth_call", json!([{"to": contract}, block])).await,
                word
            );
            let nonce = ask("eth_getTransactionCount", json!([user.address(), block])).await;
            assert_eq!(quantity(&nonce), value as u64 + 1);
            assert_ne!(ask("eth_getCode", json!([contract, block])).await, "0x");
            // Another transfer came after each block but the first.
            let received = ask("eth_getBalance", json!([Address::repeat_byte(0x77), block])).await;
            assert_eq!(quantity(&received), (value as u64).saturating_sub(1));
        }
    }
    // Before it was there.
    let before = json!(format!("{:#x}", created - 1));
    assert_eq!(
        node.call("eth_getCode", json!([contract, before])).await,
        "0x"
    );
    assert_eq!(
        node.call("eth_call", json!([{"to": contract}, before]))
            .await,
        "0x"
    );
    for block in ["earliest", "0x0"] {
        let nonce = node
            .call("eth_getTransactionCount", json!([user.address(), block]))
            .await;
        assert_eq!(nonce, "0x0");
    }
    let gas = |block: serde_json::Value| {
        let call = json!([{"from": user.address(), "to": contract, "data": B256::with_last_byte(9)}, block]);
        node.quantity("eth_estimateGas", call)
    };
    // A slot that holds nothing yet costs more to write.
    assert!(gas(json!(blocks[0].1)).await > gas(json!("latest")).await);
    // A call sees the block it is made on.
    let number = Bytes::from_static(&[0x43, 0x5f, 0x52, 0x60, 0x20, 0x5f, 0xf3]);
    let call = json!([{"data": number}, blocks[0].1]);
    let answered = node.call("eth_call", call).await;
    assert_eq!(answered, B256::from(U256::from(created)).to_string());
}
