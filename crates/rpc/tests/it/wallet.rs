//! Accounts whose keys everybody knows.

use crate::node::{CHAIN_ID, Node, User};
use alloy_primitives::{Bytes, Signature, TxKind, eip191_hash_message};
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread")]
async fn a_development_network_signs() {
    let node = Node::start_dev(true).await;
    let (user, other) = (User::new(1), User::new(2));
    assert_eq!(
        node.call("eth_accounts", json!([])).await,
        json!([user.address(), other.address()])
    );
    let request = json!({"from": user.address(), "to": other.address(), "value": "0x1"});
    let hash = node.call("eth_sendTransaction", json!([request])).await;
    let receipt = loop {
        let receipt = node.call("eth_getTransactionReceipt", json!([hash])).await;
        if !receipt.is_null() {
            break receipt;
        }
        tokio::task::yield_now().await;
    };
    assert_eq!(
        (&receipt["status"], &receipt["gasUsed"]),
        (&json!("0x1"), &json!("0x5208"))
    );
    // Several at once get nonces of their own.
    let send = || node.call("eth_sendTransaction", json!([request]));
    let (first, second, third) = futures::join!(send(), send(), send());
    assert!(first != second && second != third && first != third);
    let count = json!([user.address(), "pending"]);
    assert_eq!(node.quantity("eth_getTransactionCount", count).await, 4);
    let signed = node.call("eth_signTransaction", json!([request])).await;
    let receipt = node
        .call("eth_sendRawTransactionSync", json!([signed["raw"]]))
        .await;
    assert_eq!(receipt["transactionHash"], signed["tx"]["hash"]);

    let signer = |signature: Value, hash| {
        let signature: Bytes = serde_json::from_value(signature).unwrap();
        let signature = Signature::from_raw(&signature).unwrap();
        signature.recover_address_from_prehash(&hash).unwrap()
    };
    let hash = eip191_hash_message(b"hello");
    let hello = "0x68656c6c6f";
    let signed = node.call("eth_sign", json!([user.address(), hello])).await;
    assert_eq!(signer(signed, hash), user.address());
    let signed = node
        .call("personal_sign", json!([hello, other.address(), ""]))
        .await;
    assert_eq!(signer(signed, hash), other.address());
    // The example of EIP-712, whose digest is known.
    let typed = json!({
        "types": {
            "EIP712Domain": [
                {"name": "name", "type": "string"}, {"name": "version", "type": "string"},
                {"name": "chainId", "type": "uint256"}, {"name": "verifyingContract", "type": "address"},
            ],
            "Person": [{"name": "name", "type": "string"}, {"name": "wallet", "type": "address"}],
            "Mail": [
                {"name": "from", "type": "Person"}, {"name": "to", "type": "Person"}, {"name": "contents", "type": "string"},
            ],
        },
        "primaryType": "Mail",
        "domain": {
            "name": "Ether Mail", "version": "1", "chainId": 1,
            "verifyingContract": "0xCcCCccccCCCCcCCCCCCcCcCccCcCCCcCcccccccC",
        },
        "message": {
            "from": {"name": "Cow", "wallet": "0xCD2a3d9F938E13CD947Ec05AbC7FE734Df8DD826"},
            "to": {"name": "Bob", "wallet": "0xbBbBBBBbbBBBbbbBbbBbbbbBBbBbbbbBbBbbBBbB"},
            "contents": "Hello, Bob!",
        },
    });
    let digest = "0xbe609aee343fb3c4b28e1df9e632fca64fcfaede20f02e86244efddf30957bd2";
    for typed in [typed.clone(), json!(typed.to_string())] {
        let signed = json!([user.address(), typed]);
        let signed = node.call("eth_signTypedData_v4", signed).await;
        assert_eq!(signer(signed, digest.parse().unwrap()), user.address());
    }
    let metadata = node.call("hardhat_metadata", json!([])).await;
    assert_eq!(metadata["chainId"], CHAIN_ID);
    let genesis = node
        .call("eth_getBlockByNumber", json!(["0x0", false]))
        .await;
    assert_eq!(metadata["instanceId"], genesis["hash"]);
    assert_eq!(node.call("rpc_modules", json!([])).await["hardhat"], "1.0");

    let stranger = User::new(7).address();
    for (method, params) in [
        (
            "eth_sendTransaction",
            json!([{"from": stranger, "to": stranger}]),
        ),
        ("eth_sign", json!([stranger, "0x"])),
        ("personal_sign", json!(["0x", stranger])),
    ] {
        assert_eq!(node.error(method, params).await, "-32000: unknown account");
    }
    let error = node
        .error("eth_signTypedData_v4", json!([user.address(), {}]))
        .await;
    assert!(error.starts_with("-32602: invalid argument 1: "), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_network_never_signs() {
    let node = Node::start_dev(false).await;
    let user = User::new(1);
    assert_eq!(node.call("eth_accounts", json!([])).await, json!([]));
    for method in [
        "eth_sendTransaction",
        "eth_sign",
        "eth_signTransaction",
        "eth_signTypedData_v4",
        "personal_sign",
    ] {
        assert_eq!(
            node.error(method, json!([{"from": user.address()}])).await,
            format!(
                "-32601: the method {method} does not exist/is not available: nodes hold no account keys; \
                 sign yourself and use eth_sendRawTransaction"
            )
        );
    }
    assert_eq!(
        node.error("hardhat_metadata", json!([])).await,
        "-32601: the method hardhat_metadata does not exist/is not available"
    );
    let modules = node.call("rpc_modules", json!([])).await;
    assert_eq!(
        (modules.get("hardhat"), modules.get("personal")),
        (None, None)
    );
    // What is sent there was signed elsewhere.
    let receipt = node.send(&user, TxKind::Call(user.address()), vec![]).await;
    assert_eq!(receipt["status"], "0x1");
}
