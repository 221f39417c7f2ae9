//! What Otterscan asks.

use crate::node::{Node, User, quantity, transfer};
use alloy_primitives::{Address, B256, Bytes, TxKind, U256};
use alloy_sol_types::{Revert, SolError as _};
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn transactions_are_shown() {
    let node = Node::start_archive().await;
    let user = User::new(1);
    assert_eq!(node.call("ots_getApiLevel", json!([])).await, 8);
    let echo = node.deploy_echo(&user).await;
    let caller = node.deploy_caller(&user, echo).await;
    assert_eq!(
        node.call("ots_hasCode", json!([echo, "latest"])).await,
        true
    );
    assert_eq!(node.call("ots_hasCode", json!([echo, "0x0"])).await, false);
    assert_eq!(
        node.call("ots_hasCode", json!([user.address()])).await,
        false
    );

    let receipt = node.send(&user, TxKind::Call(caller), vec![1, 2]).await;
    let hash = json!([receipt["transactionHash"]]);
    let entries = node.call("ots_traceTransaction", hash.clone()).await;
    let entry = |depth: u32, from: Address, to: Address| {
        json!({
            "type": "CALL", "depth": depth, "from": from, "to": to, "value": "0x0",
            "input": "0x0102", "output": "0x0102",
        })
    };
    assert_eq!(
        entries,
        json!([entry(0, user.address(), caller), entry(1, caller, echo)])
    );
    assert_eq!(
        node.call("ots_getTransactionError", hash.clone()).await,
        "0x"
    );
    assert_eq!(
        node.call("ots_getInternalOperations", hash).await,
        json!([])
    );
    let unknown = json!([B256::with_last_byte(1)]);
    for method in [
        "ots_traceTransaction",
        "ots_getTransactionError",
        "ots_getInternalOperations",
    ] {
        assert_eq!(node.call(method, unknown.clone()).await, json!(null));
    }

    // Sends on what it gets.
    let sender = node
        .deploy(&user, &[0x5f, 0x5f, 0x5f, 0x5f, 0x34, 0x33, 0x5a, 0xf1])
        .await;
    let raw = user.sign(alloy_consensus::TxEip1559 {
        to: TxKind::Call(sender),
        gas_limit: 100_000,
        value: U256::from(9),
        ..transfer(4)
    });
    let receipt = node.include(&raw).await;
    let operations = node
        .call(
            "ots_getInternalOperations",
            json!([receipt["transactionHash"]]),
        )
        .await;
    assert_eq!(
        operations,
        json!([{"type": 0, "from": sender, "to": user.address(), "value": "0x9"}])
    );
    // Reverts with what it is called with.
    let failing = node
        .deploy(&user, &[0x36, 0x5f, 0x5f, 0x37, 0x36, 0x5f, 0xfd])
        .await;
    let reason = Revert {
        reason: "no".to_owned(),
    };
    let reason: Bytes = reason.abi_encode().into();
    let receipt = node
        .send(&user, TxKind::Call(failing), reason.clone())
        .await;
    assert_eq!(receipt["status"], "0x0");
    let error = node
        .call(
            "ots_getTransactionError",
            json!([receipt["transactionHash"]]),
        )
        .await;
    assert_eq!(error, json!(reason));

    for (contract, creator) in [(echo, user.address()), (caller, user.address())] {
        let found = node.call("ots_getContractCreator", json!([contract])).await;
        assert_eq!(found["creator"], json!(creator));
        let receipt = node
            .call("eth_getTransactionReceipt", json!([found["hash"]]))
            .await;
        assert_eq!(receipt["contractAddress"], json!(contract));
    }
    for address in [user.address(), contracts::RECORDS_ADDRESS] {
        let none = node.call("ots_getContractCreator", json!([address])).await;
        assert_eq!(none, json!(null));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_is_looked_up() {
    let node = Node::start_archive().await;
    let (user, other) = (User::new(1), User::new(2));
    let mut sent = Vec::new();
    for nonce in 0..4 {
        let raw = user.sign(transfer(nonce));
        sent.push(node.include(&raw).await);
        let raw = other.sign(transfer(nonce));
        node.include(&raw).await;
    }
    for (nonce, receipt) in sent.iter().enumerate() {
        let found = json!([user.address(), nonce]);
        let found = node.call("ots_getTransactionBySenderAndNonce", found).await;
        assert_eq!(found, receipt["transactionHash"]);
    }
    let none = json!([user.address(), 4]);
    assert_eq!(
        node.call("ots_getTransactionBySenderAndNonce", none).await,
        json!(null)
    );

    let hashes = |page: &serde_json::Value| -> Vec<_> {
        let txs = page["txs"].as_array().unwrap();
        txs.iter().map(|tx| tx["hash"].clone()).collect()
    };
    let expected: Vec<_> = sent
        .iter()
        .rev()
        .map(|each| each["transactionHash"].clone())
        .collect();
    // From the end, two at a time.
    let first = node
        .call(
            "ots_searchTransactionsBefore",
            json!([user.address(), 0, 2]),
        )
        .await;
    assert_eq!(hashes(&first), expected[..2]);
    assert_eq!(
        (&first["firstPage"], &first["lastPage"]),
        (&json!(true), &json!(false))
    );
    assert_eq!(first["receipts"][0]["logs"], json!(null));
    assert!(first["receipts"][0]["timestamp"].is_u64());
    let from = quantity(&sent[2]["blockNumber"]);
    let second = node
        .call(
            "ots_searchTransactionsBefore",
            json!([user.address(), from, 25]),
        )
        .await;
    assert_eq!(hashes(&second), expected[2..]);
    assert_eq!(
        (&second["firstPage"], &second["lastPage"]),
        (&json!(false), &json!(true))
    );
    // From the beginning; the last come first all the same.
    let after = node
        .call("ots_searchTransactionsAfter", json!([user.address(), 0, 2]))
        .await;
    assert_eq!(hashes(&after), expected[2..]);
    assert_eq!(
        (&after["firstPage"], &after["lastPage"]),
        (&json!(false), &json!(true))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn blocks_are_shown() {
    let node = Node::start().await;
    let receipt = node
        .send(&User::new(1), TxKind::Create, Bytes::from_static(&[0x00]))
        .await;
    let number = &receipt["blockNumber"];
    let block = node
        .call("eth_getBlockByNumber", json!([number, true]))
        .await;
    let details = node.call("ots_getBlockDetails", json!([number])).await;
    assert_eq!(
        node.call("ots_getBlockDetailsByHash", json!([receipt["blockHash"]]))
            .await,
        details
    );
    assert_eq!(details["block"]["hash"], block["hash"]);
    assert_eq!(details["block"]["transactionCount"], 1);
    assert_eq!(details["block"].get("transactions"), None);
    assert_eq!(details["totalFees"], "0x0");
    assert_eq!(details["issuance"]["blockReward"], "0x0");
    let page = node
        .call("ots_getBlockTransactions", json!([number, 0, 10]))
        .await;
    assert_eq!(page["fullblock"]["transactions"], block["transactions"]);
    assert_eq!(page["fullblock"]["transactionCount"], 1);
    assert_eq!(
        page["receipts"][0]["transactionHash"],
        receipt["transactionHash"]
    );
    assert_eq!(page["receipts"][0]["logsBloom"], json!(null));
    let beyond = node
        .call("ots_getBlockTransactions", json!([number, 1, 10]))
        .await;
    assert_eq!(beyond["receipts"], json!([]));
    for method in ["ots_getBlockDetails", "erigon_getHeaderByNumber"] {
        assert_eq!(node.call(method, json!(["0xffffff"])).await, json!(null));
    }
    let header = node.call("erigon_getHeaderByNumber", json!([number])).await;
    assert_eq!(
        (&header["hash"], &header["number"]),
        (&block["hash"], number)
    );
    assert_eq!(header.get("transactions"), None);
}
