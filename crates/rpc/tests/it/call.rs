//! Calls without effect.

use crate::node::{Node, User, quantity};
use alloy_primitives::{Address, B256, TxKind, U256, keccak256};
use alloy_sol_types::SolCall as _;
use contracts::{IRecords, RECORDS_ADDRESS};
use rpc::Limits;
use serde_json::json;
use types::Fees;

#[tokio::test(flavor = "multi_thread")]
async fn a_call_returns_or_reverts() {
    let node = Node::start().await;
    let user = User::new(1);
    let echo = node.deploy_echo(&user).await;
    for request in [
        json!({"to": echo, "data": "0x0102"}),
        json!({"to": echo, "input": "0x0102"}),
        json!({"to": echo, "input": "0x0102", "data": "0x0102", "from": user.address(), "gas": "0x10000", "value": "0x0"}),
    ] {
        assert_eq!(
            node.call("eth_call", json!([request, "latest"])).await,
            "0x0102"
        );
    }
    assert_eq!(
        node.error(
            "eth_call",
            json!([{"to": echo, "input": "0x01", "data": "0x02"}])
        )
        .await,
        r#"-32602: both "data" and "input" are set and not equal. Please use "input" to pass transaction call data"#
    );
    let response = node
        .respond("eth_call", json!([{"to": echo}, "latest"]))
        .await;
    assert_eq!(
        response["error"],
        json!({"code": 3, "message": "execution reverted", "data": "0x"})
    );
    let response = node.respond("eth_estimateGas", json!([{"to": echo}])).await;
    assert_eq!(response["error"]["code"], 3);
    let empty = IRecords::recordCall {
        keys: Vec::new(),
        commitments: Vec::new(),
    }
    .abi_encode();
    let request =
        json!({"to": RECORDS_ADDRESS, "data": alloy_primitives::hex::encode_prefixed(empty)});
    let response = node.respond("eth_call", json!([request])).await;
    let selector = alloy_primitives::hex::encode_prefixed(&keccak256("EmptyBatch()")[..4]);
    assert_eq!(response["error"]["data"], selector);
    assert_eq!(
        node.error(
            "eth_call",
            json!([{"to": echo, "data": "0x01", "gas": "0x5300"}])
        )
        .await,
        "-32000: out of gas: gas required exceeds allowance (21248)"
    );
    assert_eq!(
        node.error(
            "eth_call",
            json!([{"from": Address::ZERO, "to": echo, "value": "0x1"}])
        )
        .await,
        "-32000: insufficient funds for gas * price + value: have 0 want 1"
    );
    assert_eq!(
        node.error("eth_call", json!([{"to": echo, "chainId": "0x1"}]))
            .await,
        "-32602: chainId does not match node's (have=1, want=4242)"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_sees_the_block_it_runs_on() {
    let node = Node::start().await;
    // NUMBER, TIMESTAMP, PREVRANDAO, GASLIMIT, BLOCKHASH(NUMBER - 1): what a creation with this code returns.
    let code = "0x435f52426020524460405245606052600143034060805260a05ff3";
    loop {
        let before = node
            .call("eth_getBlockByNumber", json!(["latest", false]))
            .await;
        let seen = node
            .call("eth_call", json!([{"data": code}, "latest"]))
            .await;
        // Blocks come meanwhile; a call between two answers that agree ran on that block.
        if node
            .call("eth_getBlockByNumber", json!(["latest", false]))
            .await
            != before
        {
            continue;
        }
        let words = ["number", "timestamp", "mixHash", "gasLimit", "parentHash"].map(|field| {
            let digits = before[field].as_str().unwrap().trim_start_matches("0x");
            format!("{digits:0>64}")
        });
        assert_eq!(seen, format!("0x{}", words.concat()));
        // Genesis has no parent whose hash could be asked for.
        if quantity(&before["number"]) > 1 {
            break;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_estimate_suffices() {
    let node = Node::start().await;
    let user = User::new(1);
    let transfer = json!({"from": user.address(), "to": User::new(2).address(), "value": "0x1"});
    assert_eq!(
        node.call("eth_estimateGas", json!([transfer])).await,
        "0x5208"
    );
    let echo = node.deploy_echo(&user).await;
    let call = json!({"from": user.address(), "to": echo, "data": "0x0102"});
    let estimate = node
        .quantity("eth_estimateGas", json!([call, "latest"]))
        .await;
    let receipt = node.send(&user, TxKind::Call(echo), vec![1, 2]).await;
    let used = quantity(&receipt["gasUsed"]);
    assert!(
        (used..used + used / 32).contains(&estimate),
        "{estimate} for {used}"
    );
    // What the sender cannot pay for is no estimate.
    let poor = Address::repeat_byte(0x99);
    let call = json!({"from": poor, "to": echo, "data": "0x0102", "gasPrice": "0x1"});
    let error = node.error("eth_estimateGas", json!([call])).await;
    assert!(error.starts_with("-32000: "), "{error}");
    let overrides = json!({poor.to_string(): {"balance": "0xffffffff"}});
    let estimate = node
        .quantity("eth_estimateGas", json!([call, "latest", overrides]))
        .await;
    assert!(estimate >= used);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_estimate_suffices_in_the_next_second_too() {
    let node = Node::start().await;
    let address = Address::repeat_byte(0x77);
    // Writes a slot unless it is called in the second it is given.
    let code = "0x5f354214600b5760015f555b00";
    let latest = node
        .call("eth_getBlockByNumber", json!(["latest", false]))
        .await;
    let second = B256::from(U256::from(quantity(&latest["timestamp"])));
    let overrides = json!({address.to_string(): {"code": code}});
    let request = json!([{"to": address, "data": second}, "latest", overrides]);
    let estimate = node.quantity("eth_estimateGas", request).await;
    // The slot is new, and cold.
    assert!(estimate > 21_000 + 22_100, "{estimate}");
}

#[tokio::test(flavor = "multi_thread")]
async fn overrides_hold_for_one_call() {
    let node = Node::start().await;
    let address = Address::repeat_byte(0x55);
    // Gives its balance and slot 1.
    let code = "0x600154475f5260205260405ff3";
    let request = json!([{"to": address}, "latest", {address.to_string(): {
        "code": code,
        "balance": "0x64",
        "nonce": "0x7",
        "stateDiff": {B256::with_last_byte(1).to_string(): B256::repeat_byte(3).to_string()},
    }}]);
    let balance = B256::from(U256::from(100));
    let expected = alloy_primitives::hex::encode_prefixed([balance, B256::repeat_byte(3)].concat());
    assert_eq!(node.call("eth_call", request.clone()).await, expected);
    assert_eq!(node.call("eth_call", json!([{"to": address}])).await, "0x");
    for (account, text) in [
        (
            json!({"state": {}}),
            "-32602: state override: a whole state cannot be replaced here; use stateDiff",
        ),
        (
            json!({"movePrecompileToAddress": address}),
            "-32602: state override: movePrecompileToAddress is not supported",
        ),
        (
            json!({"kode": "0x"}),
            "-32602: invalid argument 2: unknown field `kode`",
        ),
    ] {
        let request = json!([{"to": address}, "latest", {address.to_string(): account}]);
        let error = node.error("eth_call", request).await;
        assert!(error.starts_with(text), "{error}");
    }
    let request = json!([{"to": address}, "latest", {}, {"time": "0x1"}]);
    assert_eq!(
        node.error("eth_call", request).await,
        "-32602: block overrides are not supported"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_is_bounded() {
    let limits = Limits {
        call_gas_max: 100_000,
        ..Limits::default()
    };
    let node = Node::start_with(limits, Fees::Free).await;
    // For ever: JUMPDEST PUSH0 JUMP.
    let endless = Address::repeat_byte(0x66);
    let request = json!([{"to": endless, "gas": "0xffffffffff"}, "latest", {endless.to_string(): {"code": "0x5b5f56"}}]);
    assert_eq!(
        node.error("eth_call", request).await,
        "-32000: out of gas: gas required exceeds allowance (100000)"
    );
    let invalid = json!([{"to": endless}, "latest", {endless.to_string(): {"code": "0xfe"}}]);
    assert_eq!(
        node.error("eth_call", invalid).await,
        "-32000: invalid opcode: INVALID"
    );
}
