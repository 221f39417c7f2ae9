//! Proofs of state.

use crate::node::{Node, User, transfer};
use alloy_primitives::{Address, B256, FixedBytes, U256};
use contracts::{RECORDS_ADDRESS, commitment_slot, record_id};
use proof::{StateProof, StateVerdict, verify_state};
use serde_json::{Value, json};

async fn prove(node: &Node, params: Value) -> StateVerdict {
    let identity = node.call("ashlar_getIdentity", json!([])).await;
    let pinned: FixedBytes<96> = identity["identity"].as_str().unwrap().parse().unwrap();
    let document = node.call("ashlar_getProof", params).await;
    let proof = StateProof::from_json(document.to_string().as_bytes()).unwrap();
    verify_state(&proof, Some(&pinned)).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn values_and_absence_are_proved() {
    let node = Node::start().await;
    let user = User::new(1);
    let (key, commitment) = (B256::repeat_byte(1), B256::repeat_byte(2));
    let input = contracts::encode_record(&[contracts::Entry { key, commitment }]).unwrap();
    let receipt = node.send(&user, RECORDS_ADDRESS.into(), input).await;
    assert_eq!(receipt["status"], "0x1", "{receipt}");
    let slot = commitment_slot(record_id(contracts::organization_of(user.address()), key));

    let params = json!([RECORDS_ADDRESS, [slot, "0x5"], "latest"]);
    let verdict = prove(&node, params).await;
    let account = verdict.account.account.unwrap();
    assert_eq!(account.nonce, 1);
    assert_eq!(
        account.code_hash,
        alloy_primitives::keccak256(contracts::SystemContract::Records.runtime_code())
    );
    let values: Vec<_> = verdict.storage.iter().map(|each| each.value).collect();
    assert_eq!(values, [U256::from_be_bytes(commitment.0), U256::ZERO]);

    // It is that of the block it says.
    let number = format!("{:#x}", verdict.block.height);
    let block = node.call("eth_getBlockByNumber", json!([number])).await;
    assert_eq!(block["hash"], verdict.block.hash.to_string());

    let verdict = prove(&node, json!([user.address()])).await;
    assert_eq!(verdict.account.account.unwrap().nonce, 1);
    assert!(verdict.storage.is_empty());
    let verdict = prove(&node, json!([Address::repeat_byte(0x99), ["0x0"]])).await;
    assert_eq!(verdict.account.account, None);
    assert_eq!(verdict.storage[0].value, U256::ZERO);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_proved_is_refused() {
    let node = Node::start().await;
    let sent = User::new(1).sign(transfer(0));
    node.include(&sent).await;
    let address = Address::repeat_byte(0x77);
    let error = node
        .error("ashlar_getProof", json!([address, [], "0x0"]))
        .await;
    assert!(
        error.starts_with("-32000: state proof of block 0 is not available: "),
        "{error}"
    );
    for (params, expected) in [
        (json!([address, [], "0xffffff"]), "-32000: header not found"),
        (
            json!([address, [], B256::repeat_byte(3)]),
            "-32000: header not found",
        ),
        (
            json!([address, vec!["0x0"; 513]]),
            "-32602: too many keys (got 513, max 512)",
        ),
    ] {
        assert_eq!(node.error("ashlar_getProof", params).await, expected);
    }
}
