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
    // The whole storage: what is not named is zero.
    let slots = |slot: u8| json!({B256::with_last_byte(slot).to_string(): B256::repeat_byte(3).to_string()});
    for (slot, value) in [(1, B256::repeat_byte(3)), (2, B256::ZERO)] {
        let changes = json!({"code": "0x60015460005260206000f3", "state": slots(slot)});
        let request = json!([{"to": address}, "latest", {address.to_string(): changes}]);
        assert_eq!(node.call("eth_call", request).await, value.to_string());
    }
    for (account, text) in [
        (
            json!({"state": {}, "stateDiff": {}}),
            "-32000: account 0x5555555555555555555555555555555555555555 has both 'state' and 'stateDiff'",
        ),
        (
            json!({"movePrecompileToAddress": User::new(1).address()}),
            "-32000: account 0x5555555555555555555555555555555555555555 is not a precompile",
        ),
        (
            json!({"code": "0xef0100"}),
            "-32000: account 0x5555555555555555555555555555555555555555: invalid code: ",
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
}

#[tokio::test(flavor = "multi_thread")]
async fn a_precompile_can_be_elsewhere() {
    let node = Node::start().await;
    let (identity, moved) = (Address::with_last_byte(4), Address::repeat_byte(0x44));
    let overrides = json!({identity.to_string(): {"movePrecompileToAddress": moved}});
    let call = |to: Address| json!([{"to": to, "data": "0x0102"}, "latest", overrides]);
    assert_eq!(node.call("eth_call", call(moved)).await, "0x0102");
    assert_eq!(node.call("eth_call", call(identity)).await, "0x");
    // From a contract, too: it copies its input to 0x44…44 and returns what that returns.
    let proxy = Address::repeat_byte(0x45);
    let code = format!(
        "0x365f5f375f5f365f73{}5afa503d5f5f3e3d5ff3",
        alloy_primitives::hex::encode(moved)
    );
    let overrides = json!({
        identity.to_string(): {"movePrecompileToAddress": moved},
        proxy.to_string(): {"code": code},
    });
    let request = json!([{"to": proxy, "data": "0x0304"}, "latest", overrides]);
    assert_eq!(node.call("eth_call", request).await, "0x0304");
    let taken = json!({
        identity.to_string(): {"movePrecompileToAddress": moved},
        moved.to_string(): {"nonce": "0x1"},
    });
    let error = node
        .error("eth_call", json!([{"to": moved}, "latest", taken]))
        .await;
    assert_eq!(
        error,
        "-32000: account 0x4444444444444444444444444444444444444444 is already overridden"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_block_can_be_overridden() {
    let node = Node::start().await;
    let miner = Address::repeat_byte(0x33);
    // NUMBER, TIMESTAMP, GASLIMIT, COINBASE, PREVRANDAO, BASEFEE, BLOBBASEFEE.
    let code = "0x435f52426020524560405241606052446080524860a0524a60c05260e05ff3";
    let block = json!({
        "number": "0x989680", "time": "0x7", "gasLimit": "0x1c9c380", "feeRecipient": miner,
        "prevRandao": B256::repeat_byte(9), "baseFeePerGas": "0x5", "blobBaseFee": "0x6", "difficulty": "0x1",
    });
    let rich = json!({miner.to_string(): {"balance": "0xffffffffffff"}});
    let request = json!({"from": miner, "data": code, "gasPrice": "0x5"});
    let seen = node
        .call("eth_call", json!([request, "latest", rich, block]))
        .await;
    let word = |value: u64| B256::from(U256::from(value));
    let expected = [
        word(10_000_000),
        word(7),
        word(30_000_000),
        miner.into_word(),
        B256::repeat_byte(9),
        word(5),
        word(6),
    ];
    assert_eq!(
        seen,
        alloy_primitives::hex::encode_prefixed(expected.concat())
    );
    // As in geth, hashes of blocks that are not there are zero, and a call without a price sees no base fee.
    let request = json!([{"data": "0x600143034060005260206000f3"}, "latest", {}, block]);
    assert_eq!(node.call("eth_call", request).await, B256::ZERO.to_string());
    let request = json!([{"data": "0x4860005260206000f3"}, "latest", {}, block]);
    assert_eq!(node.call("eth_call", request).await, B256::ZERO.to_string());
    // Estimates take them as well: this one reverts unless the number is ten million.
    let picky = json!({"data": "0x436298968014600c575f5ffd5b00"});
    let request = json!([picky, "latest", {}, {"number": "0x98967f"}]);
    assert!(
        node.error("eth_estimateGas", request)
            .await
            .starts_with("3: ")
    );
    let request = json!([picky, "latest", {}, {"number": "0x989680"}]);
    assert!(node.quantity("eth_estimateGas", request).await > 53_000);
    for (block, text) in [
        (
            json!({"number": U256::MAX}),
            "-32602: block override number is too large: ",
        ),
        (
            json!({"beaconRoot": B256::ZERO}),
            "-32000: block override \"beaconRoot\" is not supported for this RPC method",
        ),
    ] {
        let request = json!([{"data": "0x00"}, "latest", {}, block]);
        let error = node.error("eth_call", request).await;
        assert!(error.starts_with(text), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_can_delegate_an_account() {
    let node = Node::start().await;
    let (user, echo) = (User::new(1), node.deploy_echo(&User::new(2)).await);
    let authorization = user.authorize(echo, 0);
    let request =
        json!({"to": user.address(), "data": "0x0102", "authorizationList": [authorization]});
    assert_eq!(node.call("eth_call", json!([request])).await, "0x0102");
    let without = json!({"to": user.address(), "data": "0x0102"});
    assert_eq!(node.call("eth_call", json!([without])).await, "0x");
    // 25,000 for the authorization, some of which comes back since the account is there.
    let with = node.quantity("eth_estimateGas", json!([request])).await;
    assert!(with > 21_000 + 12_500, "{with}");
    let create = json!({"data": "0x00", "authorizationList": [authorization]});
    assert_eq!(
        node.error("eth_call", json!([create])).await,
        "-32602: EIP-7702 transaction cannot be used to create contract"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_access_list_is_made() {
    let node = Node::start().await;
    let (contract, other) = (Address::repeat_byte(0x55), Address::repeat_byte(0x66));
    // Reads slot 3 and the balance of 0x66…66; reverts when called with something.
    let code = format!(
        "0x60035473{}31505036156023575f5ffd5b00",
        alloy_primitives::hex::encode(other)
    );
    let overrides = json!({contract.to_string(): {"code": code}});
    let expected = json!([
        {"address": contract, "storageKeys": [B256::with_last_byte(3)]},
        {"address": other, "storageKeys": []},
    ]);
    let request = json!([{"to": contract}, "latest", overrides]);
    let listed = node.call("eth_createAccessList", request).await;
    assert_eq!(listed["accessList"], expected);
    assert_eq!(listed.get("error"), None);
    // 21000, two addresses, a slot; then all reads are warm: 200, and 29 for the rest.
    assert_eq!(
        quantity(&listed["gasUsed"]),
        21_000 + 2 * 2_400 + 1_900 + 200 + 29
    );
    let request = json!([{"to": contract, "data": "0x01"}, "latest", overrides]);
    let listed = node.call("eth_createAccessList", request).await;
    assert_eq!(listed["accessList"], expected);
    assert_eq!(listed["error"], "execution reverted");
    let error = node
        .error(
            "eth_createAccessList",
            json!([{"to": contract, "value": "0x1"}]),
        )
        .await;
    assert_eq!(
        error,
        "-32000: insufficient funds for gas * price + value: have 0 want 1"
    );
    assert_eq!(
        node.error("eth_createAccessList", json!([])).await,
        "-32602: missing value for required argument 0"
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

#[tokio::test(flavor = "multi_thread")]
async fn one_place_serves_many_calls() {
    let limits = Limits {
        calls_max: 1,
        long_calls_max: 1,
        call_gas_max: 5_000_000,
        ..Limits::default()
    };
    let node = Node::start_with(limits, Fees::Free).await;
    let endless = || node.error("eth_call", json!([{"data": "0x5b5f56"}]));
    let listed = || node.call("eth_createAccessList", json!([{"to": Address::ZERO}]));
    let called = || node.call("eth_call", json!([{"to": Address::ZERO}]));
    let (first, list, second, other, call) =
        futures::join!(endless(), listed(), endless(), listed(), called());
    let exhausted = "-32000: out of gas: gas required exceeds allowance (5000000)";
    assert_eq!((first.as_str(), second.as_str()), (exhausted, exhausted));
    assert_eq!(list, other);
    assert_eq!(list["gasUsed"], "0x5208");
    assert_eq!(call, "0x");
}
