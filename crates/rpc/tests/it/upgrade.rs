//! Rules that change at a height.

use crate::node::{Node, User, quantity};
use alloy_primitives::{B256, TxKind};
use serde_json::{Value, json};

/// The first block under the rules of Osaka.
const HEIGHT: u64 = 24;
/// Returns how many zeros its input begins with: `CLZ`, which is no instruction before Osaka (EIP-7939).
const COUNT_ZEROS: &[u8] = &[0x5f, 0x35, 0x1e, 0x5f, 0x52, 0x60, 0x20, 0x5f, 0xf3];
const INVALID: &str = "-32000: invalid opcode";

#[tokio::test(flavor = "multi_thread")]
async fn rules_change_at_the_height() {
    let node = Node::start_upgrading(HEIGHT).await;
    let user = User::new(1);
    let said = node.call("ashlar_upgrades", json!([])).await;
    let block = quantity(&said["block"]);
    assert!(block < HEIGHT, "too slow");
    let [prague, osaka] = ["prague", "osaka"].map(|name| {
        let id = contracts::upgrade::fork_id(name);
        json!({ "name": name, "id": id })
    });
    assert_eq!(
        said,
        json!({
            "block": said["block"], "fork": "prague", "protocolVersion": "0x1", "knownForks": [prague, osaka],
            "scheduledForks": [{
                "id": osaka["id"], "name": "osaka", "height": format!("{HEIGHT:#x}"),
                "blocksLeft": format!("{:#x}", HEIGHT - block),
            }],
            "minimumVersion": "0x0", "nextVersion": null, "stopsBefore": null,
        })
    );
    let config = node.call("eth_config", json!([])).await;
    let verifier = |rules: &Value| rules["precompiles"]["P256VERIFY"].is_string();
    assert!(
        !verifier(&config["current"]) && verifier(&config["next"]),
        "{config}"
    );
    assert_eq!(config["next"], config["last"]);
    assert!(config["next"]["activationTime"].as_u64() > Some(0));
    assert_ne!(config["next"]["forkId"], config["current"]["forkId"]);

    let counter = node.deploy(&user, COUNT_ZEROS).await;
    let early = node.send(&user, TxKind::Call(counter), [1]).await;
    let early_at = quantity(&early["blockNumber"]);
    assert!(early_at < HEIGHT, "too slow");
    assert_eq!(early["status"], "0x0");
    node.wait_for(HEIGHT + 1).await;
    let late = node.send(&user, TxKind::Call(counter), [1]).await;
    assert_eq!(late["status"], "0x1");

    // A call meets the rules of the block that it is made in, an estimate those of the next one.
    let call = json!({ "to": counter, "data": "0x01" });
    let asked = |height: u64| json!([call, format!("{height:#x}")]);
    let zeros = json!(B256::with_last_byte(7));
    for height in [HEIGHT, HEIGHT + 1] {
        assert_eq!(node.call("eth_call", asked(height)).await, zeros);
    }
    let refused = node.error("eth_call", asked(HEIGHT - 1)).await;
    assert!(refused.starts_with(INVALID), "{refused}");
    node.call("eth_estimateGas", asked(HEIGHT - 1)).await;
    let refused = node.error("eth_estimateGas", asked(HEIGHT - 2)).await;
    assert!(refused.starts_with(INVALID), "{refused}");
    let simulated = async |height: u64| {
        let blocks = json!({ "blockStateCalls": [{ "calls": [call] }] });
        let blocks = json!([blocks, format!("{height:#x}")]);
        let blocks = node.call("eth_simulateV1", blocks).await;
        blocks[0]["calls"][0]["status"].clone()
    };
    assert_eq!(simulated(HEIGHT - 1).await, "0x1");
    assert_eq!(simulated(HEIGHT - 2).await, "0x0");
    // As do blocks that are executed once more.
    for (receipt, failed) in [(&early, true), (&late, false)] {
        let traced = json!([receipt["transactionHash"], {}]);
        let traced = node.call("debug_traceTransaction", traced).await;
        assert_eq!(traced["failed"], failed, "{traced}");
    }

    let said = node.call("ashlar_upgrades", json!([])).await;
    assert_eq!(said["fork"], "osaka");
    assert_eq!(said["scheduledForks"][0]["blocksLeft"], "0x0");
    let config = node.call("eth_config", json!([])).await;
    assert!(verifier(&config["current"]), "{config}");
    let begun = json!([format!("{HEIGHT:#x}"), false]);
    let begun = node.call("eth_getBlockByNumber", begun).await;
    assert_eq!(
        config["current"]["activationTime"],
        quantity(&begun["timestamp"])
    );
    assert_eq!(config["next"], Value::Null);
}
