//! Proofs, checked with the crate that everyone checks them with.

use crate::node::{CHAIN_ID, Node, User, quantity, transfer};
use alloy_primitives::{B256, FixedBytes, TxKind};
use client::{
    follow::Network,
    node::{CertifiedBlocks, FinalityProof},
};
use commonware_codec::DecodeExt as _;
use proof::Receipt;
use serde_json::json;
use types::Block;

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
    let receipt = node.include(&User::new(1).sign(transfer(0))).await;
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

/// The page that a follower gets, decoded.
async fn page(node: &Node, from: u64, count: u64) -> CertifiedBlocks {
    let asked = json!([format!("{from:#x}"), format!("{count:#x}")]);
    let page = node.call("ashlar_getCertifiedBlocks", asked).await;
    serde_json::from_value(page).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn blocks_come_with_certificates_over_them() {
    let node = Node::start().await;
    for nonce in 0..4 {
        let sent = User::new(1).sign(transfer(nonce));
        node.include(&sent).await;
    }
    let head = node.height().await;
    let pages = [page(&node, 1, 2).await, page(&node, 1, 1_000).await];
    assert!(pages[0].blocks.len() >= 2 && pages[0].blocks.len() <= pages[1].blocks.len());
    assert!(pages[1].blocks.len() as u64 >= head.saturating_sub(1));
    for page in &pages {
        assert!(page.blocks.last().unwrap().certificate.is_some());
        for (number, each) in (1_u64..).zip(&page.blocks) {
            let block = Block::decode(each.block.0.clone()).unwrap();
            let number = format!("{number:#x}");
            let said = node
                .call("eth_getBlockByNumber", json!([number, false]))
                .await;
            assert_eq!(said["hash"], block.hash().to_string());
            let Some(certificate) = &each.certificate else {
                continue;
            };
            let proof = node.call("ashlar_getFinalization", json!([number])).await;
            let proof: FinalityProof = serde_json::from_value(proof).unwrap();
            assert_eq!(proof.headers, [block.header_rlp()]);
            assert!(certificate.ends_with(proof.finalization.signature.as_slice()));
            assert!(certificate.windows(32).any(|hash| hash == block.hash()));
        }
    }
    // How far it is, without blocks; and beyond the end.
    for (from, count) in [(1, 0), (1_000_000, 5)] {
        let page = page(&node, from, count).await;
        assert!(page.blocks.is_empty());
        let header = proof::Header::decode(&page.head.unwrap().header).unwrap();
        assert!(header.number >= head, "{header:?}");
    }
    for (params, expected) in [
        (json!([]), "-32602: missing value for required argument 0"),
        (json!(["latest"]), "-32602: invalid argument 0"),
        (json!(["0x1", "0x1", "0x1"]), "-32602: too many arguments"),
    ] {
        let error = node.error("ashlar_getCertifiedBlocks", params).await;
        assert!(error.starts_with(expected), "{error}");
    }
}
