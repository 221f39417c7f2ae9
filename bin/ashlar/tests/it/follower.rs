//! Followers of a real network: the same answers as its nodes, proofs that verify, transactions passed on, and what they say when
//! upstreams are of no use.

use crate::network::{Network, ashlar, run, said, until};
use alloy_primitives::{B256, U64};
use client::{
    node::{self, Health, HealthState},
    rpc::{Nodes, TIMEOUT_DEFAULT},
};
use proof::{StateProof, verify_state};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use std::{
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

/// A follower in a process that ends with the test.
struct Follower {
    process: Child,
    url: String,
    log: PathBuf,
}

impl Follower {
    /// On a directory of its own, or what was left there.
    fn start(home: &Path, spec: &Path, upstreams: &[&str]) -> Self {
        let port = {
            let free = TcpListener::bind("127.0.0.1:0").unwrap();
            free.local_addr().unwrap().port()
        };
        let log = home.join("follower.log");
        let process = command(home, spec, upstreams)
            .args(["--rpc", &format!("127.0.0.1:{port}")])
            .stdout(Stdio::null())
            .stderr(fs::File::create(&log).unwrap())
            .spawn()
            .unwrap();
        Self {
            process,
            url: format!("http://127.0.0.1:{port}"),
            log,
        }
    }

    fn rpc(&self) -> Nodes {
        rpc(&self.url)
    }

    fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }

    /// Stops it in order.
    fn stop(mut self) {
        let pid = Pid::from_raw(i32::try_from(self.process.id()).unwrap()).unwrap();
        kill_process(pid, Signal::TERM).unwrap();
        assert!(self.process.wait().unwrap().success(), "{}", self.log());
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn command(home: &Path, spec: &Path, upstreams: &[&str]) -> Command {
    let mut command = ashlar(&["follow", "--archive", "--chain-spec"]);
    command.arg(spec).arg("--data-dir").arg(home.join("data"));
    for url in upstreams {
        command.args(["--upstream", url]);
    }
    command
}

fn rpc(url: &str) -> Nodes {
    Nodes::new(&[url.to_owned()], TIMEOUT_DEFAULT).unwrap()
}

async fn ask(nodes: &Nodes, method: &str, params: Value) -> Value {
    let answer = nodes.call::<Value>(method, &params).await;
    answer.unwrap_or_else(|error| panic!("{method} {params}: {error}"))
}

async fn health(nodes: &Nodes) -> Result<Health, String> {
    let health = nodes.call::<Health>(node::HEALTH, [(); 0]).await;
    health.map_err(|error| error.to_string())
}

async fn height(nodes: &Nodes) -> u64 {
    let height: U64 = nodes.call("eth_blockNumber", [(); 0]).await.unwrap();
    height.to()
}

/// Waits until a node or a follower is level, at this height or a later one.
async fn level(nodes: &Nodes, at: u64) -> Health {
    until(async || {
        let health = health(nodes).await?;
        let level = health.state == HealthState::Finalizing && health.height.to::<u64>() >= at;
        if level {
            Ok(health)
        } else {
            Err(format!("{health:?}"))
        }
    })
    .await
}

/// Sends a transaction from a development account, by a node or a follower, and gives its receipt there.
async fn send(nodes: &Nodes, transaction: Value) -> Value {
    let hash = ask(nodes, "eth_sendTransaction", json!([transaction])).await;
    until(
        async || match ask(nodes, "eth_getTransactionReceipt", json!([hash])).await {
            Value::Null => Err(hash.clone()),
            receipt => Ok(receipt),
        },
    )
    .await
}

/// Init code of a contract that is one byte, STOP, and logs a word when it is made.
const LOGS_ONCE: &str = "0x602a60005260206000a060016000f3";

#[tokio::test]
async fn a_follower_answers_as_the_nodes_do() {
    let network = Network::start_with(&["--validators", "4", "--separate", "--no-restart"]);
    let home = tempfile::tempdir().unwrap();
    let spec = network.path("genesis.json");
    let validator = |index: usize| network.status["validators"][index].clone();
    let urls = [0, 1].map(|index| validator(index)["rpc"].as_str().unwrap().to_owned());
    let upstreams = [urls[0].as_str(), urls[1].as_str()];
    let account = |index: usize| network.status["accounts"][index]["address"].clone();
    let node = rpc(&urls[1]);
    let made = send(&node, json!({"from": account(0), "data": LOGS_ONCE})).await;
    assert_eq!(made["status"], "0x1", "{made}");

    let follower = Follower::start(home.path(), &spec, &upstreams);
    let ours = follower.rpc();
    let well = level(&ours, height(&node).await).await;
    assert_eq!(well.node, None);
    assert!(well.validators.is_empty() && !well.validates && !well.may_sign);
    assert!(
        well.upstreams
            .unwrap()
            .iter()
            .all(|each| each.complaint.is_none())
    );
    assert_eq!(ask(&ours, "net_peerCount", json!([])).await, "0x2");
    assert_eq!(ask(&ours, "eth_syncing", json!([])).await, false);
    same_answers(&ours, &node, &made, &account(0)).await;
    proofs_hold(&network, home.path(), &ours, &made, &account(0)).await;

    // By the follower, to the validators.
    let to = "0x00000000000000000000000000000000000000af";
    let transfer = json!({"from": account(1), "to": to, "value": "0x5"});
    let sent = send(&ours, transfer).await;
    // A follower may have heard of a block before one of its upstreams.
    level(&node, height(&ours).await).await;
    let hash = &sent["transactionHash"];
    assert_eq!(
        ask(&node, "eth_getTransactionReceipt", json!([hash])).await,
        sent
    );
    assert_eq!(
        ask(&ours, "eth_getBalance", json!([to, "latest"])).await,
        "0x5"
    );

    let busy = said(&mut command(home.path(), &spec, &upstreams));
    assert!(
        busy.0 == 1 && busy.1.contains("in use by process"),
        "{busy:?}"
    );

    // One of the upstreams dies; three validators go on.
    let pid = i32::try_from(validator(0)["pid"].as_u64().unwrap()).unwrap();
    kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL).unwrap();
    let before = height(&ours).await;
    let alone = until(async || {
        let health = health(&ours).await?;
        let complaint = health.upstreams.as_ref().unwrap()[0].complaint.clone();
        let goes_on = health.height.to::<u64>() > before + 3;
        if complaint.is_some() && goes_on {
            Ok(health)
        } else {
            Err(format!("{health:?}"))
        }
    })
    .await;
    assert_eq!(alone.upstreams.unwrap()[1].complaint, None);
    assert_eq!(ask(&ours, "net_peerCount", json!([])).await, "0x1");
    let doctor = run(&mut ashlar(&["doctor", "--rpc", &follower.url])).unwrap();
    for part in [
        "it is a follower",
        "1 of 2 answer",
        "One alone can hold back what is new",
    ] {
        assert!(doctor.contains(part), "{part:?} is not in: {doctor}");
    }

    // It goes on where it stopped, and by an upstream that is a follower.
    let reached = height(&ours).await;
    let log = follower.log();
    assert!(
        log.contains("follower is up") && !log.contains("hold back"),
        "{log}"
    );
    follower.stop();
    let follower = Follower::start(home.path(), &spec, &[&urls[1]]);
    let again = level(&follower.rpc(), reached + 1).await;
    assert!(again.height.to::<u64>() > reached);
    assert!(follower.log().contains("one upstream alone can hold back"));
    let second = tempfile::tempdir().unwrap();
    let chained = Follower::start(second.path(), &spec, &[&follower.url, &urls[1]]);
    level(&chained.rpc(), reached).await;
    same_answers(&chained.rpc(), &node, &made, &account(0)).await;
}

/// Blocks, state, logs and transaction receipts up to a height that both have.
async fn same_answers(ours: &Nodes, theirs: &Nodes, made: &Value, account: &Value) {
    let both = height(ours).await.min(height(theirs).await);
    let last = format!("{both:#x}");
    let range = json!([{"fromBlock": "0x0", "toBlock": last}]);
    let logs = ask(ours, "eth_getLogs", range.clone()).await;
    assert!(!logs.as_array().unwrap().is_empty());
    for (method, params) in [
        ("eth_getBlockByNumber", json!([last, true])),
        ("eth_getBlockByNumber", json!(["0x1", true])),
        ("eth_getBalance", json!([account, last])),
        ("eth_getTransactionCount", json!([account, last])),
        ("eth_getCode", json!([made["contractAddress"], last])),
        (
            "eth_getTransactionReceipt",
            json!([made["transactionHash"]]),
        ),
        ("eth_getLogs", range),
        ("ashlar_getIdentity", json!([])),
        ("eth_chainId", json!([])),
    ] {
        let (here, there) = (
            ask(ours, method, params.clone()),
            ask(theirs, method, params),
        );
        assert_eq!(here.await, there.await, "{method}");
    }
}

/// What a follower proves, whoever knows the identity can check.
async fn proofs_hold(network: &Network, home: &Path, ours: &Nodes, made: &Value, account: &Value) {
    let identity = network.status["identity"].as_str().unwrap();
    let receipt = ask(ours, node::GET_RECEIPT, json!([made["transactionHash"]])).await;
    let file = home.join("receipt.json");
    fs::write(&file, receipt.to_string()).unwrap();
    let verify = |identity: &str| {
        let mut command = ashlar(&["verify", "--identity", identity]);
        command.arg(&file).output().unwrap().status.code()
    };
    assert_eq!(verify(identity), Some(0));
    let proof = ask(ours, node::GET_PROOF, json!([account, [], "latest"])).await;
    let proof = StateProof::from_json(proof.to_string().as_bytes()).unwrap();
    let verdict = verify_state(&proof, Some(&identity.parse().unwrap())).unwrap();
    assert_eq!(verdict.account.account.unwrap().nonce, 1);
    let number = format!("{:#x}", verdict.block.height);
    let block = ask(ours, "eth_getBlockByNumber", json!([number, false])).await;
    assert_eq!(block["hash"], verdict.block.hash.to_string());
}

#[tokio::test]
async fn an_upstream_of_another_network_is_named_and_gives_nothing() {
    let network = Network::start();
    let home = tempfile::tempdir().unwrap();
    let url = network.status["validators"][0]["rpc"].as_str().unwrap();
    let spec = home.path().join("genesis.json");
    let text = fs::read_to_string(network.path("genesis.json")).unwrap();
    let mut other: Value = serde_json::from_str(&text).unwrap();
    other["name"] = json!("another");
    fs::write(&spec, other.to_string()).unwrap();
    let follower = Follower::start(home.path(), &spec, &[url, "http://127.0.0.1:1"]);
    let ours = follower.rpc();
    let stalled = until(async || {
        let health = health(&ours).await?;
        if health.state == HealthState::Stalled {
            Ok(health)
        } else {
            Err(format!("{health:?}"))
        }
    })
    .await;
    assert_eq!(stalled.height, U64::ZERO);
    let explanation = stalled.explanation.unwrap();
    let other = format!(
        "{}: it belongs to another network",
        url.trim_end_matches('/')
    );
    for part in [
        "0 of 2 upstreams answer",
        other.as_str(),
        "http://127.0.0.1:1: ",
    ] {
        assert!(
            explanation.contains(part),
            "{part:?} is not in: {explanation}"
        );
    }
    assert_eq!(ask(&ours, "net_peerCount", json!([])).await, "0x0");
    let (code, doctor) = {
        let output = ashlar(&["doctor", "--rpc", &follower.url])
            .output()
            .unwrap();
        (
            output.status.code(),
            String::from_utf8(output.stdout).unwrap(),
        )
    };
    assert!(
        code == Some(1) && doctor.contains("0 of 2 answer"),
        "{doctor}"
    );
}

#[test]
fn what_a_follower_cannot_be_started_with_is_named() {
    let network = Network::start();
    let home = tempfile::tempdir().unwrap();
    let spec = network.path("genesis.json");
    let url = network.status["validators"][0]["rpc"].as_str().unwrap();
    let refused = |command: &mut Command, expected: &str| {
        let (code, text) = said(command);
        assert_eq!(code, 1, "{text}");
        assert!(text.contains(expected), "{expected:?} is not in: {text}");
    };
    let twice = &mut command(home.path(), &spec, &[url, url]);
    refused(twice, "is given twice");
    let strange = B256::repeat_byte(7).to_string().replace("0x", "");
    let strange = format!("0x{strange}{strange}{strange}");
    let mut command_of = command(home.path(), &spec, &[url]);
    refused(
        command_of.args(["--identity", &strange]),
        "get the chain spec",
    );
    let mut node = ashlar(&[
        "follow",
        "--upstream",
        url,
        "--rpc",
        "127.0.0.1:0",
        "--chain-spec",
    ]);
    node.arg(&spec).arg("--data-dir");
    // A copy, since the node holds its own.
    let copy = home.path().join("copy");
    fs::create_dir_all(copy.join("chain")).unwrap();
    refused(node.arg(&copy), "a follower needs one of its own");
    let mut few = ashlar(&[
        "follow",
        "--upstream",
        url,
        "--keep-blocks",
        "5",
        "--chain-spec",
    ]);
    few.arg(&spec).args(["--rpc", "127.0.0.1:0", "--data-dir"]);
    refused(
        few.arg(home.path().join("few")),
        "keep_blocks = 5 is too few",
    );
}
