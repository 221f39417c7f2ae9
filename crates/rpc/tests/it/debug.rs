//! geth's tracers.

use crate::node::{Node, User, quantity, transfer};
use alloy_primitives::{Address, B256, Bytes, TxKind, keccak256};
use rpc::Limits;
use serde_json::{Value, json};
use std::time::Duration;
use types::Fees;

/// A transaction that calls a contract that calls another.
struct Nested {
    node: Node,
    user: User,
    caller: Address,
    echo: Address,
    receipt: Value,
}

impl Nested {
    async fn new(input: &[u8]) -> Self {
        let node = Node::start_archive().await;
        let user = User::new(1);
        let echo = node.deploy_echo(&user).await;
        let caller = node.deploy_caller(&user, echo).await;
        let receipt = node
            .send(&user, TxKind::Call(caller), Bytes::copy_from_slice(input))
            .await;
        Self {
            node,
            user,
            caller,
            echo,
            receipt,
        }
    }

    async fn traced(&self, options: Value) -> Value {
        let params = json!([self.receipt["transactionHash"], options]);
        self.node.call("debug_traceTransaction", params).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_are_traced() {
    let nested = Nested::new(&[1, 2, 3, 4, 5]).await;
    let Nested {
        node,
        user,
        caller,
        echo,
        receipt,
    } = &nested;
    let data = "0x0102030405";
    let frame = nested
        .traced(json!({"tracer": "callTracer", "tracerConfig": {"withLog": true}}))
        .await;
    for (field, value) in [
        ("type", json!("CALL")),
        ("from", json!(user.address())),
        ("to", json!(caller)),
        ("gas", json!("0x2dc6c0")),
        ("gasUsed", receipt["gasUsed"].clone()),
        ("input", json!(data)),
        ("output", json!(data)),
        ("value", json!("0x0")),
    ] {
        assert_eq!(frame[field], value, "{field}");
    }
    let inner = &frame["calls"][0];
    for (field, value) in [
        ("from", json!(caller)),
        ("to", json!(echo)),
        ("input", json!(data)),
        ("output", json!(data)),
    ] {
        assert_eq!(inner[field], value, "{field}");
    }
    assert_eq!(inner["logs"][0]["address"], json!(echo));
    assert_eq!(inner["logs"][0]["data"], data);
    assert_eq!(inner["logs"][0]["topics"], receipt["logs"][0]["topics"]);
    let top = nested
        .traced(json!({"tracer": "callTracer", "tracerConfig": {"onlyTopCall": true}}))
        .await;
    assert_eq!(top.get("calls"), None);

    let four = nested.traced(json!({"tracer": "4byteTracer"})).await;
    assert_eq!(four, json!({"0x01020304-1": 2}));
    assert_eq!(
        nested.traced(json!({"tracer": "noopTracer"})).await,
        json!({})
    );
    let flat = nested.traced(json!({"tracer": "flatCallTracer"})).await;
    assert_eq!(flat[1]["traceAddress"], json!([0]));
    assert_eq!(flat[1]["transactionHash"], receipt["transactionHash"]);
    let mux =
        json!({"tracer": "muxTracer", "tracerConfig": {"callTracer": {}, "4byteTracer": null}});
    let mux = nested.traced(mux).await;
    assert_eq!(mux["4byteTracer"], four);
    assert_eq!(mux["callTracer"]["calls"][0]["to"], json!(echo));

    // The whole block, by whatever name.
    let options = json!({"tracer": "callTracer"});
    let expected = json!([{
        "txHash": receipt["transactionHash"],
        "result": nested.traced(options.clone()).await,
    }]);
    let raw = json!([receipt["blockNumber"]]);
    let raw = node.call("debug_getRawBlock", raw).await;
    for (method, block) in [
        ("debug_traceBlockByNumber", &receipt["blockNumber"]),
        ("debug_traceBlockByHash", &receipt["blockHash"]),
        ("debug_traceBlock", &raw),
    ] {
        assert_eq!(node.call(method, json!([block, options])).await, expected);
    }
    // A call on the state after any block.
    let call = json!({"from": user.address(), "to": caller, "data": "0x07"});
    let params = json!([call, receipt["blockNumber"], options]);
    let frame = node.call("debug_traceCall", params).await;
    assert_eq!(frame["calls"][0]["output"], "0x07");
    let before = json!([call, "0x0", options]);
    let frame = node.call("debug_traceCall", before).await;
    assert_eq!(frame.get("calls"), None);
    let overridden =
        json!({"tracer": "callTracer", "stateOverrides": {echo.to_string(): {"code": "0x"}}});
    let frame = node
        .call("debug_traceCall", json!([call, "latest", overridden]))
        .await;
    assert_eq!(frame["calls"][0].get("output"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_state_before_is_traced() {
    let nested = Nested::new(&[1]).await;
    let (user, echo) = (nested.user.address().to_string(), nested.echo.to_string());
    let (user, echo) = (user.to_lowercase(), echo.to_lowercase());
    let caller = nested.caller.to_string().to_lowercase();
    let before = nested.traced(json!({"tracer": "prestateTracer"})).await;
    // Two deployments came before.
    assert_eq!(before[&user]["nonce"], 2);
    assert_eq!(before[&user]["balance"], "0x56bc75e2d63100000");
    for contract in [&echo, &caller] {
        let code = nested.node.call("eth_getCode", json!([contract])).await;
        assert_eq!(before[contract]["code"], code);
    }
    let diff = json!({"tracer": "prestateTracer", "tracerConfig": {"diffMode": true}});
    let diff = nested.traced(diff).await;
    assert_eq!(diff["pre"][&user]["nonce"], 2);
    assert_eq!(diff["post"][&user], json!({"nonce": 3}));
    assert_eq!(diff["post"].get(&echo), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn steps_are_traced() {
    let nested = Nested::new(&[1, 2]).await;
    let traced = nested.traced(json!({})).await;
    assert_eq!(
        quantity(&nested.receipt["gasUsed"]),
        traced["gas"].as_u64().unwrap()
    );
    assert_eq!(
        (&traced["failed"], &traced["returnValue"]),
        (&json!(false), &json!("0x0102"))
    );
    let steps = traced["structLogs"].as_array().unwrap();
    let first = json!({"pc": 0, "op": "CALLDATASIZE", "gasCost": 2, "depth": 1, "stack": []});
    for (field, value) in first.as_object().unwrap() {
        assert_eq!(steps[0][field], *value, "{field}");
    }
    assert_eq!(
        (&steps[1]["op"], &steps[1]["stack"]),
        (&json!("PUSH0"), &json!(["0x2"]))
    );
    let deep = steps.iter().filter(|step| step["depth"] == 2).count();
    // What the echo does up to its RETURN: 4 steps to see that there is input, 4 to load it, 4 to log it, 3 to return it.
    assert_eq!(deep, 15);
    assert!(steps.iter().all(|step| step.get("memory").is_none()));
    for (options, check) in [
        (
            json!({"disableStack": true}),
            (|step| step.get("stack").is_none()) as fn(&Value) -> bool,
        ),
        (json!({"tracer": "", "enableMemory": true}), |step| {
            step.get("memory").is_some()
                || step["pc"] == 0
                || step["depth"] == 2
                || step["pc"].as_u64() < Some(4)
        }),
    ] {
        let traced = nested.traced(options.clone()).await;
        let all = traced["structLogs"].as_array().unwrap();
        assert_eq!(all.len(), steps.len());
        assert!(all.iter().all(check), "{options}: {traced}");
    }
    let limited = nested.traced(json!({"limit": 3})).await;
    assert_eq!(limited["structLogs"].as_array().unwrap().len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trace_is_bounded() {
    let limits = Limits {
        trace_bytes_max: 100_000,
        ..Limits::default()
    };
    let node = Node::start_with(limits, Fees::Free).await;
    let endless = Address::repeat_byte(0x66);
    let with = |code: &str, options: Value| {
        let mut options = options;
        options["stateOverrides"] = json!({endless.to_string(): {"code": code}});
        json!([{"to": endless}, "latest", options])
    };
    let too_large = "-32005: trace too large: more than 100000 bytes";
    // For ever: JUMPDEST PUSH0 JUMP. All of its gas would make millions of steps.
    let error = node
        .error("debug_traceCall", with("0x5b5f56", json!({})))
        .await;
    assert_eq!(error, too_large);
    // Calls itself with 64 KiB for ever.
    let calls = "0x5f5f620100005f5f305af100";
    let options = json!({"tracer": "callTracer"});
    assert_eq!(
        node.error("debug_traceCall", with(calls, options)).await,
        too_large
    );
    // The steps that are not kept do not count.
    let limited = node
        .call("debug_traceCall", with("0x5b5f56", json!({"limit": 5})))
        .await;
    assert_eq!(limited["structLogs"].as_array().unwrap().len(), 5);
    assert_eq!(limited["failed"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_traced_says_so() {
    let node = Node::start().await;
    let user = User::new(1);
    let echo = node.deploy_echo(&user).await;
    let first = node.send(&user, TxKind::Call(echo), vec![1]).await;
    node.send(&user, TxKind::Call(echo), vec![2]).await;
    let unknown = B256::with_last_byte(1);
    for (method, params, text) in [
        ("debug_traceTransaction", json!([unknown]), "-32000: transaction not found".to_owned()),
        ("debug_traceBlockByNumber", json!(["0x0"]), "-32000: genesis is not traceable".to_owned()),
        ("debug_traceBlockByNumber", json!(["0xffffff"]), "-32000: block #16777215 not found".to_owned()),
        ("debug_traceBlockByNumber", json!(["3"]), "-32602: invalid argument 0: hex string without 0x prefix".to_owned()),
        ("debug_traceBlockByHash", json!([unknown]), format!("-32000: block {unknown} not found")),
        ("debug_traceBlock", json!(["0x01"]), "-32602: could not decode block: ".to_owned()),
        (
            "debug_traceTransaction",
            json!([first["transactionHash"], {"tracer": "{data: [], step: function() {}}"}]),
            "-32000: tracer not found: {data: [], step: function() {}} (JavaScript tracers are not supported)".to_owned(),
        ),
        (
            "debug_traceTransaction",
            json!([first["transactionHash"], {"tracer": "callTracer", "tracerConfig": 7}]),
            "-32000: invalid tracer config".to_owned(),
        ),
        (
            "debug_traceCall",
            json!([{"to": echo}, "latest", {"txIndex": "0x0"}]),
            "-32602: txIndex is not supported".to_owned(),
        ),
        // This node keeps no state from before it.
        (
            "debug_traceTransaction",
            json!([first["transactionHash"], {"tracer": "callTracer"}]),
            format!("-32000: historical state of block {} is not available", quantity(&first["blockNumber"]) - 1),
        ),
    ] {
        let error = node.error(method, params).await;
        assert!(error.starts_with(&text), "{error} instead of {text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_kept_is_there_in_bytes() {
    let node = Node::start().await;
    let raw = User::new(1).sign(transfer(0));
    let receipt = node.include(&raw).await;
    let block = json!([receipt["blockNumber"]]);
    let header: Bytes =
        serde_json::from_value(node.call("debug_getRawHeader", block.clone()).await).unwrap();
    assert_eq!(
        keccak256(&header).to_string(),
        receipt["blockHash"].as_str().unwrap()
    );
    let whole: Bytes =
        serde_json::from_value(node.call("debug_getRawBlock", block.clone()).await).unwrap();
    let found = node
        .call(
            "eth_getBlockByNumber",
            json!([receipt["blockNumber"], false]),
        )
        .await;
    assert_eq!(whole.len() as u64, quantity(&found["size"]));
    assert!(whole.windows(header.len()).any(|part| part == &header[..]));
    let receipts = node.call("debug_getRawReceipts", block).await;
    // Type 2, status 1, 21000 gas.
    let bytes: Bytes = serde_json::from_value(receipts[0].clone()).unwrap();
    assert_eq!((receipts.as_array().unwrap().len(), bytes[0]), (1, 2));
    let hash = json!([receipt["transactionHash"]]);
    assert_eq!(node.call("debug_getRawTransaction", hash).await, json!(raw));
    for method in [
        "debug_getRawBlock",
        "debug_getRawHeader",
        "debug_getRawReceipts",
    ] {
        assert_eq!(
            node.error(method, json!(["0xffffff"])).await,
            "-32000: block not found"
        );
        assert_eq!(
            node.error(method, json!(["2"])).await,
            "-32602: invalid argument 0: hex string without 0x prefix"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn work_ends_when_nobody_waits() {
    let limits = Limits {
        request_timeout: Duration::from_millis(500),
        calls_max: 1,
        // Hours of it.
        call_gas_max: 1 << 50,
        ..Limits::default()
    };
    let node = Node::start_with(limits, Fees::Free).await;
    let endless = Address::repeat_byte(0x66);
    let overrides = json!({endless.to_string(): {"code": "0x5b5f56"}});
    let traced =
        json!([{"to": endless}, "latest", {"tracer": "noopTracer", "stateOverrides": overrides}]);
    let simulated = json!([{"blockStateCalls": [{
        "blockOverrides": {"gasLimit": "0x4000000000000"},
        "stateOverrides": overrides,
        "calls": [{"to": endless}],
    }]}]);
    for (method, params) in [("debug_traceCall", traced), ("eth_simulateV1", simulated)] {
        assert_eq!(
            node.error(method, params).await,
            "-32002: request timed out"
        );
        // The one place there is for calls is free again. That the work ended, too, shows when the node stops.
        assert_eq!(
            node.call("eth_call", json!([{"to": Address::ZERO}])).await,
            "0x"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_may_be_deep() {
    let node = Node::start().await;
    let deep = Address::repeat_byte(0x66);
    // Calls itself as deep as its gas goes. Each call costs 117 and leaves a 64th behind, so 50 million last for about 560.
    let overrides = json!({deep.to_string(): {"code": "0x5f5f5f5f5f305af100"}});
    let traced =
        json!([{"to": deep}, "latest", {"tracer": "callTracer", "stateOverrides": overrides}]);
    let steps = json!([{"to": deep}, ["vmTrace"], "latest", overrides]);
    for (method, params, inner) in [
        ("debug_traceCall", traced, r#""calls":["#),
        ("trace_call", steps, r#""sub":{"#),
    ] {
        let request = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        let (_, text) = node.post(request.to_string()).await;
        let depth = text.matches(inner).count();
        assert!((550..570).contains(&depth), "{method}: {depth}");
    }
}
