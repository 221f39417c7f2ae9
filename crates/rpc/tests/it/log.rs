//! Logs.

use crate::node::{Node, User, quantity};
use alloy_primitives::{Address, B256, TxKind, U256, keccak256};
use rpc::Limits;
use serde_json::{Value, json};
use types::Fees;

fn topic(byte: u8) -> String {
    B256::with_last_byte(byte).to_string()
}

/// Three calls of the echo contract; gives its address and the heights.
async fn three_logs(node: &Node) -> (Address, Vec<u64>) {
    let user = User::new(1);
    let echo = node.deploy_echo(&user).await;
    let mut heights = Vec::new();
    for byte in 1..=3 {
        let receipt = node.send(&user, TxKind::Call(echo), vec![byte]).await;
        heights.push(quantity(&receipt["blockNumber"]));
    }
    (echo, heights)
}

async fn data(node: &Node, filter: Value) -> Vec<String> {
    let logs = node.call("eth_getLogs", json!([filter])).await;
    let logs = logs.as_array().unwrap();
    logs.iter()
        .map(|log| log["data"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn logs_are_found_by_range_address_and_topic() {
    let node = Node::start().await;
    let (echo, heights) = three_logs(&node).await;
    let all = ["0x01", "0x02", "0x03"];
    let none: [&str; 0] = [];
    let other = Address::repeat_byte(9);
    let (first, last) = (format!("{:#x}", heights[0]), format!("{:#x}", heights[2]));
    for (filter, expected) in [
        (json!({"fromBlock": "earliest"}), &all[..]),
        (
            json!({"fromBlock": "0x0", "toBlock": "latest", "address": echo}),
            &all,
        ),
        (json!({"fromBlock": "0x0", "address": [other, echo]}), &all),
        (json!({"fromBlock": "0x0", "address": other}), &none),
        (json!({"fromBlock": "0x0", "topics": [topic(42)]}), &all),
        (
            json!({"fromBlock": "0x0", "topics": [[topic(41), topic(42)]]}),
            &all,
        ),
        (json!({"fromBlock": "0x0", "topics": [null]}), &all),
        (json!({"fromBlock": "0x0", "topics": [topic(41)]}), &none),
        (
            json!({"fromBlock": "0x0", "topics": [topic(42), topic(42)]}),
            &none,
        ),
        (json!({"fromBlock": first, "toBlock": first}), &all[..1]),
        (
            json!({"fromBlock": last, "toBlock": "0xffffffffffffffff"}),
            &all[2..],
        ),
        (json!({"fromBlock": "0xfffffffffffffff0"}), &none),
    ] {
        assert_eq!(data(&node, filter.clone()).await, expected, "{filter}");
    }

    let receipt_log = {
        let block = node.call("eth_getBlockReceipts", json!([first])).await;
        block[0]["logs"][0].clone()
    };
    let logs = node
        .call(
            "eth_getLogs",
            json!([{"blockHash": receipt_log["blockHash"]}]),
        )
        .await;
    assert_eq!(logs, json!([receipt_log]));
    assert_eq!(receipt_log["topics"], json!([topic(42)]));

    let unknown = keccak256("unknown");
    for (filter, text) in [
        (
            json!({"fromBlock": "0x2", "toBlock": "0x1"}),
            "-32602: invalid block range params",
        ),
        (json!({"blockHash": unknown}), "-32000: unknown block"),
        (
            json!({"blockHash": unknown, "fromBlock": "0x0"}),
            "-32602: invalid argument 0: ",
        ),
        (
            json!({"topics": [topic(1), null, null, null, null]}),
            "-32602: invalid argument 0: ",
        ),
        (json!({"address": "0x12"}), "-32602: invalid argument 0: "),
        (
            json!({"fromBlock": "0x0", "topics": [(0..=1_000).map(|at| B256::from(U256::from(at))).collect::<Vec<_>>()]}),
            "-32602: exceed max addresses or topics per search position",
        ),
    ] {
        let error = node.error("eth_getLogs", json!([filter])).await;
        assert!(error.starts_with(text), "{filter}: {error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_are_bounded() {
    let limits = Limits {
        logs_max: 2,
        log_blocks_max: 1_000,
        ..Limits::default()
    };
    let node = Node::start_with(limits, Fees::Free).await;
    let (_, heights) = three_logs(&node).await;
    let all = json!([{"fromBlock": "0x0"}]);
    assert_eq!(
        node.error("eth_getLogs", all).await,
        "-32005: query returned more than 2 results: ask for fewer blocks at a time"
    );
    let some = json!({"fromBlock": format!("{:#x}", heights[1])});
    assert_eq!(data(&node, some).await, ["0x02", "0x03"]);
    drop(node);

    let limits = Limits {
        log_blocks_max: 2,
        ..Limits::default()
    };
    let node = Node::start_with(limits, Fees::Free).await;
    node.wait_for(3).await;
    assert_eq!(
        node.error(
            "eth_getLogs",
            json!([{"fromBlock": "0x0", "toBlock": "0x2"}])
        )
        .await,
        "-32602: block range too large: 3 blocks, at most 2 at a time"
    );
    assert!(
        data(&node, json!({"fromBlock": "0x1", "toBlock": "0x2"}))
            .await
            .is_empty()
    );
}
