//! Proofs, checked with the crate that everyone checks them with.

use crate::node::{CHAIN_ID, Node, User, quantity, transfer};
use alloy_primitives::{B256, FixedBytes, TxKind};
use client::{follow::Network, node::FinalityProof};
use proof::Receipt;
use serde_json::json;

async fn identity(node: &Node) -> (B256, FixedBytes<96>) {
    let identity = node.call("ashlar_getIdentity", json!([])).await;
    let text = |field: &str| identity[field].as_str().unwrap().to_owned();
    (
        text("genesisHash").parse().unwrap(),
        text("identity").parse().unwrap(),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn every_block_is_proved_final() {
    let node = Node::start().await;
    let (genesis, key) = identity(&node).await;
    let network = Network::new(CHAIN_ID, genesis, key).unwrap();
    let receipt = node
        .call(
            "eth_sendRawTransactionSync",
            json!([User::new(1).sign(transfer(0))]),
        )
        .await;
    let height = quantity(&receipt["blockNumber"]);
    for number in 0..=height {
        let block = node
            .call("eth_getBlockByNumber", json!([format!("{number:#x}")]))
            .await;
        for id in [json!(format!("{number:#x}")), block["hash"].clone()] {
            let proof = node.call("ashlar_getFinalization", json!([id])).await;
            let proof: FinalityProof = serde_json::from_value(proof).unwrap();
            let hash = alloy_primitives::keccak256(&proof.headers[0]);
            assert_eq!(hash.to_string(), block["hash"].as_str().unwrap());
            let head = network.verify(proof).unwrap();
            assert!(head.height >= number);
        }
    }
    for tag in ["latest", "finalized", "safe", "earliest"] {
        let proof = node.call("ashlar_getFinalization", json!([tag])).await;
        network
            .verify(serde_json::from_value(proof).unwrap())
            .unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transactions_receipt_verifies() {
    let node = Node::start().await;
    let (_, identity) = identity(&node).await;
    let user = User::new(1);
    let echo = node.deploy_echo(&user).await;
    let stranger = self::identity(&Node::start().await).await.1;
    for byte in 1..=3 {
        let sent = node.send(&user, TxKind::Call(echo), vec![byte]).await;
        let file = node
            .call("ashlar_getReceipt", json!([sent["transactionHash"]]))
            .await;
        assert_eq!(file["format"], "ashlar-receipt/1");
        let receipt = Receipt::from_json(file.to_string().as_bytes()).unwrap();
        let verdict = proof::verify(&receipt, Some(&identity));
        assert!(verdict.is_ok(), "{verdict:?}");
        assert!(proof::verify(&receipt, Some(&stranger)).is_err());
    }
}
