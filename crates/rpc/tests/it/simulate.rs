//! Blocks that are only imagined.

use crate::node::{Node, User, quantity};
use alloy_primitives::{Address, B256, Bloom, U256, hex, keccak256};
use rpc::Limits;
use serde_json::{Value, json};
use types::Fees;

/// Someone without a key.
const ANN: &str = "0xc000000000000000000000000000000000000000";
const BOB: &str = "0xc100000000000000000000000000000000000000";
const CARL: &str = "0xc200000000000000000000000000000000000000";

async fn simulate(node: &Node, blocks: Value) -> Value {
    let payload = json!({"blockStateCalls": blocks});
    node.call("eth_simulateV1", json!([payload, "latest"]))
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_build_on_each_other() {
    let node = Node::start().await;
    let payload = json!([{
        "stateOverrides": {ANN: {"balance": "0x3e8"}},
        "calls": [
            {"from": ANN, "to": BOB, "value": "0x3e8"},
            {"from": BOB, "to": CARL, "value": "0x3e8"},
        ],
    }, {
        "calls": [{"from": CARL, "to": ANN, "value": "0x3e8"}, {"from": CARL, "to": ANN}],
    }]);
    let head = node
        .call("eth_getBlockByNumber", json!(["latest", false]))
        .await;
    let blocks = simulate(&node, payload).await;
    let blocks = blocks.as_array().unwrap();
    assert_eq!(blocks.len(), 2);
    assert!(quantity(&blocks[0]["number"]) > quantity(&head["number"]));
    for block in blocks {
        for call in block["calls"].as_array().unwrap() {
            assert_eq!(
                *call,
                json!({"returnData": "0x", "logs": [], "gasUsed": "0x5208", "maxUsedGas": "0x5208", "status": "0x1"})
            );
        }
        assert_eq!(block["gasUsed"], "0xa410");
        assert_eq!(block["baseFeePerGas"], "0x0");
        assert_eq!(block["transactions"].as_array().unwrap().len(), 2);
        assert_eq!(block["miner"], json!(Address::ZERO));
        assert_eq!(block["stateRoot"], json!(B256::ZERO));
    }
    assert_eq!(blocks[1]["parentHash"], blocks[0]["hash"]);
    assert_eq!(
        quantity(&blocks[1]["timestamp"]),
        quantity(&blocks[0]["timestamp"]) + 12
    );
    // Nothing of it happened.
    assert_eq!(node.call("eth_getBalance", json!([ANN])).await, "0x0");
}

#[tokio::test(flavor = "multi_thread")]
async fn blocks_between_are_made() {
    let node = Node::start().await;
    // BLOCKHASH(NUMBER - 1).
    let code = "0x600143034060005260206000f3";
    let head = node.height().await;
    let far = format!("{:#x}", head + 20);
    let payload = json!({"blockStateCalls": [
        {
            "blockOverrides": {"number": far},
            "stateOverrides": {CARL: {"code": code}},
            "calls": [{"to": CARL}],
        },
    ]});
    let at = format!("{head:#x}");
    let blocks = node.call("eth_simulateV1", json!([payload, at])).await;
    let blocks = blocks.as_array().unwrap();
    assert_eq!(blocks.len(), 20);
    for pair in blocks.windows(2) {
        assert_eq!(pair[1]["parentHash"], pair[0]["hash"]);
        assert_eq!(
            quantity(&pair[1]["number"]),
            quantity(&pair[0]["number"]) + 1
        );
    }
    let last = &blocks[19];
    assert_eq!(last["calls"][0]["returnData"], last["parentHash"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn transfers_can_be_logged() {
    let node = Node::start().await;
    // Sends what it gets on to its caller, and logs.
    let code = "0x5f5f5f5f34335af1505f5fa000";
    let reverts = "0x5f5f5f5f34335af1505f5ffd";
    let payload = json!({
        "blockStateCalls": [{
            "stateOverrides": {ANN: {"balance": "0x64"}, BOB: {"code": code}, CARL: {"code": reverts}},
            "calls": [
                {"from": ANN, "to": BOB, "value": "0x5"},
                {"from": ANN, "to": CARL, "value": "0x5"},
            ],
        }],
        "traceTransfers": true,
    });
    let blocks = node.call("eth_simulateV1", json!([payload])).await;
    let calls = &blocks[0]["calls"];
    let logs = calls[0]["logs"].as_array().unwrap();
    let word = |address: &str| address.parse::<Address>().unwrap().into_word().to_string();
    let transfer = keccak256("Transfer(address,address,uint256)").to_string();
    let five = B256::from(U256::from(5)).to_string();
    let emitter = "0xeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee";
    assert_eq!(logs.len(), 3);
    for (log, from, to) in [(&logs[0], ANN, BOB), (&logs[1], BOB, ANN)] {
        assert_eq!(log["address"], emitter);
        assert_eq!(log["topics"], json!([transfer, word(from), word(to)]));
        assert_eq!(log["data"], five);
        assert_eq!(log["blockHash"], blocks[0]["hash"]);
    }
    assert_eq!(logs[2]["address"], BOB);
    assert_eq!(logs[2]["logIndex"], "0x2");
    // What reverted transferred nothing.
    assert_eq!(calls[1]["logs"], json!([]));
    assert_eq!(calls[1]["status"], "0x0");
    assert_eq!(
        calls[1]["error"],
        json!({"code": 3, "message": "execution reverted", "data": "0x"})
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn transactions_come_whole_if_wanted() {
    let node = Node::start().await;
    let payload = json!({
        "blockStateCalls": [{
            "blockOverrides": {"baseFeePerGas": "0xf"},
            "stateOverrides": {ANN: {"balance": "0xe8d4a51000", "nonce": "0x3"}},
            "calls": [{"from": ANN, "to": BOB, "maxFeePerGas": "0x10", "value": "0x1", "gas": "0x5208"}],
        }],
        "validation": true,
        "returnFullTransactions": true,
    });
    let blocks = node.call("eth_simulateV1", json!([payload])).await;
    let tx = &blocks[0]["transactions"][0];
    for (field, value) in [
        ("from", ANN),
        ("to", BOB),
        ("nonce", "0x3"),
        ("gas", "0x5208"),
        ("gasPrice", "0xf"),
        ("maxFeePerGas", "0x10"),
        ("maxPriorityFeePerGas", "0x0"),
        ("type", "0x2"),
        ("r", "0x0"),
        ("transactionIndex", "0x0"),
    ] {
        assert_eq!(tx[field], value, "{field}");
    }
    assert_eq!(tx["blockHash"], blocks[0]["hash"]);
    assert_eq!(blocks[0]["baseFeePerGas"], "0xf");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_simulated_says_so() {
    let node = Node::start().await;
    let ann: Address = ANN.parse().unwrap();
    let validated = |block: Value| json!({"blockStateCalls": [block], "validation": true});
    let lax = |blocks: Value| json!({"blockStateCalls": blocks});
    let call = |call: Value| json!({"calls": [call]});
    for (payload, text) in [
        (lax(json!([])), "-32602: empty input".to_owned()),
        (
            lax(json!([{"blockOverrides": {"number": "0xffffff"}}])),
            "-38026: too many blocks".to_owned(),
        ),
        (
            lax(json!([{}, {"blockOverrides": {"number": "0x1"}}])),
            "-38020: block numbers must be in order: 1 <= ".to_owned(),
        ),
        (
            lax(json!([{"blockOverrides": {"time": "0x1"}}])),
            "-38021: block timestamps must be in order: 1 <= ".to_owned(),
        ),
        (
            lax(json!([call(
                json!({"from": ANN, "to": BOB, "value": "0x1"})
            )])),
            format!(
                "-38014: err: insufficient funds for gas * price + value: address {ann} have 0 want 1 (supplied gas 50000000)"
            ),
        ),
        (
            lax(json!([call(json!({"gas": "0xffffffffff"}))])),
            "-38015: block gas limit reached: remaining: 100000000, required: 1099511627775"
                .to_owned(),
        ),
        (
            lax(json!([call(json!({"to": BOB, "gas": "0x1"}))])),
            "-38013: err: intrinsic gas too low: have 1, want 21000 (supplied gas 1)".to_owned(),
        ),
        (
            validated(call(json!({"from": ANN, "to": BOB, "nonce": "0x5"}))),
            format!(
                "-38011: err: nonce too high: address {ann}, tx: 5 state: 0 (supplied gas 50000000)"
            ),
        ),
        (
            validated(
                json!({"blockOverrides": {"baseFeePerGas": "0xa"}, "calls": [{"from": ANN, "to": BOB}]}),
            ),
            format!(
                "-38012: err: max fee per gas less than block base fee: address {ann}, maxFeePerGas: 0, baseFee: 10 (supplied gas 50000000)"
            ),
        ),
        (
            lax(json!([{"stateOverrides": {ANN: {"movePrecompileToAddress": BOB}}}])),
            format!("-32000: account {ann} is not a precompile"),
        ),
    ] {
        let error = node.error("eth_simulateV1", json!([payload])).await;
        assert!(error.starts_with(&text), "{error} instead of {text}");
    }
    // Without validation the nonce does not matter.
    let blocks = simulate(
        &node,
        json!([call(json!({"from": ANN, "to": BOB, "nonce": "0x5"}))]),
    )
    .await;
    assert_eq!(blocks[0]["calls"][0]["status"], "0x1");
}

#[tokio::test(flavor = "multi_thread")]
async fn all_calls_share_the_gas_there_is() {
    let limits = Limits {
        call_gas_max: 100_000,
        ..Limits::default()
    };
    let node = Node::start_with(limits, Fees::Free).await;
    let user = User::new(1).address();
    // For ever: JUMPDEST PUSH0 JUMP.
    let overrides = json!({BOB: {"code": "0x5b5f56"}});
    let blocks = json!([
        {"stateOverrides": overrides, "calls": [{"from": user, "to": ANN}, {"to": BOB}]},
    ]);
    let blocks = simulate(&node, blocks).await;
    let calls = &blocks[0]["calls"];
    assert_eq!(quantity(&calls[1]["gasUsed"]), 79_000);
    assert_eq!(
        calls[1]["error"],
        json!({"code": -32015, "message": "out of gas"})
    );
    let blocks = json!([{"stateOverrides": overrides, "calls": [{"to": BOB}]}, {"calls": [{}]}]);
    let error = node
        .error("eth_simulateV1", json!([{"blockStateCalls": blocks}]))
        .await;
    assert_eq!(error, "-38026: simulation gas limit reached: 100000");
    // The return data of all calls counts, too: here 64 KiB of each.
    let small = Limits {
        response_bytes_max: 100_000,
        ..Limits::default()
    };
    let node = Node::start_with(small, Fees::Free).await;
    let overrides =
        json!({BOB: {"code": format!("0x{}", hex::encode([0x62, 1, 0, 0, 0x5f, 0xf3]))}});
    let blocks = json!([{"stateOverrides": overrides, "calls": [{"to": BOB}, {"to": BOB}]}]);
    let error = node
        .error("eth_simulateV1", json!([{"blockStateCalls": blocks}]))
        .await;
    assert_eq!(error, "-38026: simulation gave more than 100000 bytes");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_block_without_calls_changes_stays() {
    let node = Node::start().await;
    let blocks = json!([
        {"stateOverrides": {ANN: {"balance": "0x3e8"}, CARL: {"code": "0x602a5f5260205ff3"}}},
        {},
        {"calls": [{"from": ANN, "to": BOB, "value": "0x3e8"}, {"from": ANN, "to": CARL}]},
    ]);
    let blocks = simulate(&node, blocks).await;
    let calls = &blocks[2]["calls"];
    assert_eq!(calls[0]["status"], "0x1", "{blocks}");
    assert_eq!(calls[1]["returnData"], json!(B256::with_last_byte(0x2a)));
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_are_accounted_for_as_in_geth() {
    let node = Node::start().await;
    // Reverts with one word; sends a wei to another.
    let reverts = "0x60205ffd";
    let sends = format!("0x5f5f5f5f600173{}5af100", &ANN[2..]);
    let payload = json!({"traceTransfers": true, "blockStateCalls": [{
        "stateOverrides": {BOB: {"code": reverts}, CARL: {"code": sends, "balance": "0x1"}},
        "calls": [
            {"from": ANN, "to": BOB},
            {"from": ANN, "to": CARL},
            {"from": ANN, "to": ANN, "input": format!("0x{}", "01".repeat(100))},
        ],
    }]});
    let blocks = node.call("eth_simulateV1", json!([payload])).await;
    let block = &blocks[0];
    let [reverted, sent, long] = &block["calls"].as_array().unwrap()[..] else {
        panic!("{blocks}");
    };
    // What a call reverts with is in its error only.
    assert_eq!(reverted["returnData"], "0x");
    assert_eq!(reverted["error"]["data"], json!(B256::ZERO));
    // The transfer is told of, but not logged.
    assert_eq!(sent["logs"].as_array().unwrap().len(), 1);
    assert_eq!(block["logsBloom"], json!(Bloom::ZERO));
    // The floor of call data is paid for, and so it is the most (EIP-7623).
    assert_eq!(long["gasUsed"], format!("{:#x}", 21_000 + 100 * 40));
    assert_eq!(long["maxUsedGas"], long["gasUsed"]);
}
