//! Transactions from the mempool to their receipts.

use crate::node::{CHAIN_ID, Node, User, quantity, transfer};
use alloy_consensus::TxEip1559;
use alloy_primitives::{B256, Bytes, TxKind, U256, keccak256};
use alloy_rpc_types_eth::{Transaction, TransactionReceipt};
use rpc::Limits;
use serde_json::json;
use types::Fees;

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_becomes_final() {
    let node = Node::start().await;
    let user = User::new(1);
    let raw = user.sign(transfer(0));
    let receipt = node.include(&raw).await;
    let hash = keccak256(&raw).to_string();
    assert_eq!(receipt["transactionHash"], hash);
    assert_eq!(receipt["status"], "0x1");
    assert_eq!(receipt["gasUsed"], "0x5208");
    assert_eq!(receipt["type"], "0x2");
    assert_eq!(receipt["contractAddress"], json!(null));
    let block = node
        .call("eth_getBlockByHash", json!([receipt["blockHash"], true]))
        .await;
    assert_eq!(
        node.call("eth_getTransactionReceipt", json!([hash])).await,
        receipt
    );
    let all = node
        .call("eth_getBlockReceipts", json!([receipt["blockNumber"]]))
        .await;
    assert_eq!(all, json!([receipt]));
    let typed: TransactionReceipt = serde_json::from_value(receipt.clone()).unwrap();
    assert_eq!((typed.from, typed.gas_used), (user.address(), 21_000));

    let found = node.call("eth_getTransactionByHash", json!([hash])).await;
    assert_eq!(found, block["transactions"][0]);
    for (field, value) in [
        ("hash", json!(hash)),
        ("blockHash", receipt["blockHash"].clone()),
        ("blockNumber", receipt["blockNumber"].clone()),
        ("blockTimestamp", block["timestamp"].clone()),
        ("transactionIndex", json!("0x0")),
        ("type", json!("0x2")),
        ("chainId", json!("0x1092")),
        ("nonce", json!("0x0")),
        ("value", json!("0x1")),
        ("input", json!("0x")),
        ("gas", json!("0x5208")),
        ("gasPrice", json!("0x0")),
        ("maxFeePerGas", json!("0x77359400")),
        ("maxPriorityFeePerGas", json!("0x0")),
        ("accessList", json!([])),
    ] {
        assert_eq!(found[field], value, "{field}");
    }
    let typed: Transaction = serde_json::from_value(found.clone()).unwrap();
    assert_eq!(typed.inner.signer(), user.address());
    let place = json!([receipt["blockNumber"], "0x0"]);
    assert_eq!(
        node.call("eth_getTransactionByBlockNumberAndIndex", place)
            .await,
        found
    );
    let place = json!([receipt["blockHash"], 0]);
    assert_eq!(
        node.call("eth_getTransactionByBlockHashAndIndex", place)
            .await,
        found
    );
    assert_eq!(
        node.call("eth_getRawTransactionByHash", json!([hash]))
            .await,
        json!(raw)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_waiting_transaction_has_no_block() {
    let node = Node::start().await;
    let user = User::new(1);
    // Its predecessor is missing, so it waits.
    let raw = user.sign(transfer(1));
    let hash = node.call("eth_sendRawTransaction", json!([raw])).await;
    assert_eq!(hash, keccak256(&raw).to_string());
    let waiting = node.call("eth_getTransactionByHash", json!([hash])).await;
    assert_eq!(waiting["hash"], hash);
    for field in ["blockHash", "blockNumber", "transactionIndex"] {
        assert!(waiting.as_object().unwrap().contains_key(field));
        assert!(waiting[field].is_null(), "{field}");
    }
    assert!(
        node.call("eth_getTransactionReceipt", json!([hash]))
            .await
            .is_null()
    );
    assert_eq!(
        node.call("txpool_status", json!([])).await,
        json!({"pending": "0x0", "queued": "0x1"})
    );
    assert_eq!(
        node.error("eth_sendRawTransaction", json!([raw])).await,
        "-32000: already known"
    );
    // Waiting for it is over some time.
    let raw = user.sign(transfer(2));
    let response = node
        .respond("eth_sendRawTransactionSync", json!([raw, "0x1"]))
        .await;
    assert_eq!(response["error"]["code"], 4);
    assert_eq!(response["error"]["data"], keccak256(&raw).to_string());

    // The predecessor sets them free.
    let count = json!([user.address(), "pending"]);
    assert_eq!(
        node.quantity("eth_getTransactionCount", count.clone())
            .await,
        0
    );
    node.call("eth_sendRawTransaction", json!([user.sign(transfer(0))]))
        .await;
    assert_eq!(node.quantity("eth_getTransactionCount", count).await, 3);
    while node
        .call("eth_getTransactionReceipt", json!([keccak256(&raw)]))
        .await
        .is_null()
    {
        tokio::task::yield_now().await;
    }
    let count = json!([user.address(), "latest"]);
    assert_eq!(node.quantity("eth_getTransactionCount", count).await, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_became_of_a_transaction_is_told() {
    let node = Node::start().await;
    let user = User::new(1);
    let status = async |raw: &Bytes| {
        node.call("ashlar_getTransactionStatus", json!([keccak256(raw)]))
            .await
    };
    let first = user.sign(transfer(0));
    let unknown = status(&first).await;
    assert_eq!(unknown["status"], "unknown");
    assert!(quantity(&unknown["knownSince"]) > 1_700_000_000);

    let later = user.sign(transfer(1));
    node.call("eth_sendRawTransaction", json!([later])).await;
    assert_eq!(status(&later).await, json!({"status": "queued"}));
    let dearer = TxEip1559 {
        max_fee_per_gas: 4_000_000_000,
        max_priority_fee_per_gas: 1,
        ..transfer(1)
    };
    let dearer = user.sign(dearer);
    node.call("eth_sendRawTransaction", json!([dearer])).await;
    let replaced = status(&later).await;
    assert_eq!(replaced["status"], "dropped");
    let reason = replaced["reason"].as_str().unwrap();
    let by = keccak256(&dearer).to_string();
    assert!(
        reason.contains("replaced by") && reason.contains(&by),
        "{reason}"
    );

    let receipt = node.include(&first).await;
    assert_eq!(
        status(&first).await,
        json!({
            "status": "final",
            "blockHash": receipt["blockHash"],
            "blockNumber": receipt["blockNumber"],
            "transactionIndex": "0x0",
        })
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_speak_as_geth_does() {
    let node = Node::start().await;
    let user = User::new(1);
    node.include(&user.sign(transfer(0))).await;
    let poor = User::new(99);
    let mut wrong_type = user.sign(transfer(1)).to_vec();
    wrong_type[0] = 9;
    for (raw, text) in [
        (
            user.sign(transfer(0)),
            "-32000: nonce too low: next nonce 1, tx nonce 0",
        ),
        (user.sign(transfer(1 << 40)), "-32000: nonce too high: "),
        (
            user.sign_exactly(TxEip1559 {
                chain_id: CHAIN_ID + 1,
                ..transfer(1)
            }),
            "-32000: invalid chain id for signer: have 4243 want 4242",
        ),
        (
            user.sign(TxEip1559 {
                gas_limit: 20_999,
                ..transfer(1)
            }),
            "-32000: intrinsic gas too low",
        ),
        (
            user.sign(TxEip1559 {
                gas_limit: (1 << 24) + 1,
                ..transfer(1)
            }),
            "-32000: exceeds block gas limit: gas limit reached",
        ),
        (
            user.sign(TxEip1559 {
                max_priority_fee_per_gas: u128::MAX,
                ..transfer(1)
            }),
            "-32000: max priority fee per gas higher than max fee per gas",
        ),
        (
            poor.sign(transfer(0)),
            "-32000: insufficient funds for gas * price + value",
        ),
        (wrong_type.into(), "-32000: transaction type not supported"),
        (Bytes::from_static(&[0xc0]), "-32602: "),
        (Bytes::new(), "-32602: "),
    ] {
        let error = node.error("eth_sendRawTransaction", json!([raw])).await;
        assert!(error.starts_with(text), "{error} instead of {text}");
    }
    assert_eq!(
        node.error("eth_sendRawTransaction", json!(["0x0g"])).await,
        "-32602: invalid argument 0: invalid value: string \"0x0g\", expected a valid hex string"
    );

    // In its place only one that pays at least a tenth more.
    node.call("eth_sendRawTransaction", json!([user.sign(transfer(5))]))
        .await;
    let other = TxEip1559 {
        value: U256::from(2),
        ..transfer(5)
    };
    assert_eq!(
        node.error("eth_sendRawTransaction", json!([user.sign(other)]))
            .await,
        "-32000: replacement transaction underpriced"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn gas_is_paid_where_it_costs() {
    let fees = Fees::Market {
        initial_base_fee: 1_000_000_000,
    };
    let node = Node::start_with(Limits::default(), fees).await;
    let user = User::new(1);
    let tip = 5;
    let raw = user.sign(TxEip1559 {
        max_priority_fee_per_gas: tip,
        ..transfer(0)
    });
    let receipt = node.include(&raw).await;
    let block = node
        .call("eth_getBlockByHash", json!([receipt["blockHash"], true]))
        .await;
    let price = quantity(&block["baseFeePerGas"]) + u64::try_from(tip).unwrap();
    assert_eq!(quantity(&receipt["effectiveGasPrice"]), price);
    assert_eq!(quantity(&block["transactions"][0]["gasPrice"]), price);
    let cheap = user.sign(TxEip1559 {
        max_fee_per_gas: 1,
        ..transfer(1)
    });
    // Kept: the base fee may sink.
    node.call("eth_sendRawTransaction", json!([cheap])).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn receipts_add_up() {
    let node = Node::start().await;
    let users: Vec<User> = (1..=4).map(User::new).collect();
    let echo = node.deploy_echo(&users[0]).await;
    // One batch, so that blocks have several; the last call of each user reverts.
    let mut batch = Vec::new();
    for user in &users {
        let address = json!([user.address(), "pending"]);
        let nonce = node.quantity("eth_getTransactionCount", address).await;
        for (offset, input) in (0..).zip([&[1, 2][..], &[3], &[]]) {
            let raw = user.sign(TxEip1559 {
                nonce: nonce + offset,
                to: TxKind::Call(echo),
                gas_limit: 100_000,
                input: Bytes::copy_from_slice(input),
                ..TxEip1559::default()
            });
            batch.push(json!({"jsonrpc": "2.0", "id": batch.len(), "method": "eth_sendRawTransaction", "params": [raw]}));
        }
    }
    let (_, answers) = node.post(serde_json::to_string(&batch).unwrap()).await;
    let answers: Vec<serde_json::Value> = serde_json::from_str(&answers).unwrap();
    let mut blocks = std::collections::BTreeSet::new();
    for answer in &answers {
        let hash: B256 = answer["result"].as_str().unwrap().parse().unwrap();
        let receipt = loop {
            let receipt = node.call("eth_getTransactionReceipt", json!([hash])).await;
            if !receipt.is_null() {
                break receipt;
            }
        };
        blocks.insert(quantity(&receipt["blockNumber"]));
    }
    let (mut logs, mut reverted) = (0, 0);
    for number in blocks {
        let receipts = node
            .call("eth_getBlockReceipts", json!([format!("{number:#x}")]))
            .await;
        let (mut cumulative, mut log_index) = (0, 0);
        for (index, receipt) in receipts.as_array().unwrap().iter().enumerate() {
            cumulative += quantity(&receipt["gasUsed"]);
            assert_eq!(quantity(&receipt["cumulativeGasUsed"]), cumulative);
            assert_eq!(quantity(&receipt["transactionIndex"]), index as u64);
            for log in receipt["logs"].as_array().unwrap() {
                assert_eq!(quantity(&log["logIndex"]), log_index);
                assert_eq!(log["transactionHash"], receipt["transactionHash"]);
                assert_eq!(log["blockNumber"], receipt["blockNumber"]);
                assert_eq!(log["removed"], false);
                log_index += 1;
            }
            // Alone it is the same as among the others.
            let hash = &receipt["transactionHash"];
            assert_eq!(
                &node.call("eth_getTransactionReceipt", json!([hash])).await,
                receipt
            );
            reverted += u64::from(receipt["status"] == "0x0");
        }
        logs += log_index;
    }
    assert_eq!((logs, reverted), (8, 4));
}
