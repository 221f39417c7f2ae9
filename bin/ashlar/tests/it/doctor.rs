//! `ashlar doctor`, on nodes that run, that do not, and that cannot.

use crate::network::{Network, ashlar, until};
use client::{gateway::Gateway, record::RecordRequest};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, value::RawValue};
use std::{fs, net::TcpListener, os::unix::fs::PermissionsExt as _, path::Path};

/// What it said: exit code, and everything.
fn doctor(args: &[&str]) -> (i32, String) {
    let output = ashlar(&["doctor"]).args(args).output().unwrap();
    let code = output.status.code().unwrap();
    (code, String::from_utf8(output.stdout).unwrap())
}

fn of(dir: &Path) -> (i32, String) {
    doctor(&["--dir", dir.to_str().unwrap()])
}

/// The findings of a check, each with its verdict.
fn findings(report: &Value, check: &str) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let findings = report["findings"].as_array().unwrap().iter();
    let findings = findings.filter(|finding| finding["check"] == check);
    findings
        .map(|finding| (text(&finding["verdict"]), text(&finding["finding"])))
        .collect()
}

#[track_caller]
fn has((code, said): (i32, String), expected: i32, parts: &[&str]) {
    assert_eq!(code, expected, "{said}");
    for part in parts {
        assert!(said.contains(part), "{part:?} is not in: {said}");
    }
}

#[tokio::test]
async fn a_healthy_node_is_well() {
    let network = Network::start();
    let rpc = network.status["validators"][0]["rpc"].as_str().unwrap();
    let well = [
        "became final",
        "1 of 1 reachable, 1 needed",
        "it validates in this epoch",
        "validator of org-1 (active): signs",
        "it has all from block 0 on",
        "its program knows all that is decided",
        "All is well.",
    ];
    // In its first moments a node does not know what it keeps.
    let told = until(async || {
        let told = doctor(&["--rpc", rpc]);
        if told.0 == 2 { Err(told) } else { Ok(told) }
    });
    has(told.await, 0, &well);
    let node = network.path("validators/0");
    has(of(&node), 0, &well);
    has(
        of(&node),
        0,
        &["as in the chain spec", "has the data directory"],
    );

    let (code, said) = doctor(&["--json", "--rpc", rpc]);
    let report: Value = serde_json::from_str(&said).unwrap();
    assert_eq!((code, &report["verdict"]), (0, &"ok".into()), "{said}");
    let [(verdict, _)] = &findings(&report, "finality")[..] else {
        panic!("{said}")
    };
    assert_eq!(verdict, "ok");

    has(
        of(network.dir().as_ref()),
        2,
        &["is a network of `ashlar up`", "validators/0"],
    );
}

#[test]
fn a_node_that_does_not_run_is_looked_at() {
    let mut network = Network::start();
    network.stop();
    let node = network.path("validators/0");
    let sound = [
        "the node does not run",
        "start it: ashlar node --config",
        "share          of epoch 0",
        "No problem; see the warnings.",
    ];
    has(of(&node), 0, &sound);
    // It changed nothing.
    has(of(&node), 0, &sound);

    let key = node.join("network.key");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    has(of(&node), 1, &["PROBLEM  network key", "chmod 600"]);
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();

    let format = node.join("data/format");
    fs::write(&format, "2\n").unwrap();
    has(of(&node), 1, &["PROBLEM  data format", "has format 2"]);
    fs::write(&format, "1\n").unwrap();

    let config = node.join("node.toml");
    let before = fs::read_to_string(&config).unwrap();
    let listen = network.status["validators"][0]["p2p"].as_str().unwrap();
    let anywhere = format!("0.0.0.0:{}", listen.rsplit(':').next().unwrap());
    fs::write(&config, before.replace(listen, &anywhere)).unwrap();
    has(of(&node), 1, &["PROBLEM  address", "set p2p.advertise"]);
    fs::write(
        &config,
        before.replacen("public_key = \"", "public_key = \"zz", 1),
    )
    .unwrap();
    has(of(&node), 1, &["PROBLEM  peers", "not hex"]);
    fs::write(&config, format!("colour = 1\n{before}")).unwrap();
    has(
        of(&node),
        1,
        &["PROBLEM  configuration", "unknown field `colour`"],
    );
    fs::write(&config, &before).unwrap();

    let taken = TcpListener::bind(listen).unwrap();
    has(
        of(&node),
        1,
        &["PROBLEM  port", "p2p.listen", "another process"],
    );
    drop(taken);

    fs::remove_dir_all(node.join("data/chain/ashlar-secrets")).unwrap();
    has(
        of(&node),
        0,
        &[
            "warning  share          this node has none",
            "docs/epochs.md",
        ],
    );
    has(of(&node), 0, &sound[..2]);
}

#[test]
fn what_cannot_be_told_is_no_verdict() {
    let home = tempfile::tempdir().unwrap();
    has(of(home.path()), 2, &["node.toml is not there", "--rpc URL"]);
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", free.local_addr().unwrap());
    drop(free);
    has(
        doctor(&["--rpc", &url]),
        2,
        &["no node answers", "ashlar doctor --dir"],
    );
}

/// Ends a process at once.
fn kill(pid: &Value) {
    let pid = i32::try_from(pid.as_i64().unwrap()).unwrap();
    kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL).unwrap();
}

#[tokio::test]
async fn a_network_without_a_quorum_says_who_is_missing() {
    let network = Network::start_with(&["--validators", "4", "--separate", "--no-restart"]);
    let validators = &network.status["validators"];
    let rpc = validators[0]["rpc"].as_str().unwrap();
    // Each is heard in the first seconds.
    let reported = async |done: &dyn Fn(&Value, i32) -> bool| {
        until(async || {
            let (code, said) = doctor(&["--json", "--rpc", rpc]);
            let report: Value = serde_json::from_str(&said).unwrap();
            if done(&report, code) {
                Ok(report)
            } else {
                Err(said)
            }
        })
        .await
    };
    let well = reported(&|report, code| code == 0 && report["verdict"] == "ok").await;
    let [(_, said)] = &findings(&well, "validators")[..] else {
        panic!("{well}")
    };
    assert!(said.starts_with("4 of 4 reachable, 3 needed"), "{said}");

    kill(&validators[3]["pid"]);
    let warned = reported(&|report, code| code == 0 && report["verdict"] == "warning").await;
    let [(_, said)] = &findings(&warned, "validators")[..] else {
        panic!("{warned}")
    };
    assert!(said.starts_with("3 of 4 reachable, 3 needed"), "{said}");
    assert!(
        said.contains("org-4 (0x") && said.contains("If one more goes"),
        "{said}"
    );

    kill(&validators[1]["pid"]);
    let stalled =
        reported(&|report, code| code == 1 && findings(report, "finality")[0].0 == "problem").await;
    for check in ["finality", "validators"] {
        let [(verdict, said)] = &findings(&stalled, check)[..] else {
            panic!("{stalled}")
        };
        assert_eq!(verdict, "problem");
        for (name, away) in [
            ("org-1 (", false),
            ("org-2 (", true),
            ("org-3 (", false),
            ("org-4 (", true),
        ] {
            assert_eq!(said.contains(name), away, "{name} in: {said}");
        }
    }
    let log = fs::read_to_string(network.path("validators/0/log")).unwrap();
    let warnings = log
        .lines()
        .filter(|line| line.contains("no block has become final"));
    assert_eq!(warnings.count(), 1, "{log}");

    let url = network.status["gateway"]["url"].as_str().unwrap();
    let key = network.status["api_key"].as_str().unwrap();
    let gateway = Gateway::new(url, key).unwrap();
    let stalled = until(async || match gateway.ready().await {
        Err(refused) if refused.code() == Some("finality_stalled") => Ok(refused.to_string()),
        ready => Err(ready),
    })
    .await;
    assert!(
        stalled.contains("2 of 4 validators are reachable"),
        "{stalled}"
    );
    let fact = RecordRequest {
        kind: "fact".to_owned(),
        data: RawValue::from_string("{}".to_owned()).unwrap(),
        attachments: Vec::new(),
    };
    gateway.record("k", &fact).await.unwrap();
}
