//! The state of a stopped node in a file. What it is good for takes four machines: `cargo xtask scenario rebirth`.

use crate::network::{Network, Service, ashlar, run, until};
use alloy_primitives::U64;
use client::rpc::{Nodes, TIMEOUT_DEFAULT};
use serde_json::Value;
use std::{fs, path::Path};

fn export(config: &Path, out: &Path, more: &[&str]) -> Result<Value, String> {
    let mut command = ashlar(&["export", "--json", "--config"]);
    let said = run(command.arg(config).arg("--out").arg(out).args(more))?;
    Ok(serde_json::from_str(&said).unwrap())
}

fn check(file: &Path, more: &[&str]) -> Result<Value, String> {
    let mut command = ashlar(&["export", "--json", "--check"]);
    let said = run(command.arg(file).args(more))?;
    Ok(serde_json::from_str(&said).unwrap())
}

#[track_caller]
fn refused<T: std::fmt::Debug>(ran: Result<T, String>, expected: &str) {
    let error = ran.unwrap_err();
    assert!(error.contains(expected), "{expected:?} is not in: {error}");
}

fn names(dir: &Path) -> Vec<String> {
    let names = fs::read_dir(dir).unwrap();
    let mut names: Vec<_> = names
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[tokio::test]
async fn a_stopped_nodes_state_is_exported_and_proved() {
    let mut network = Network::start();
    let home = tempfile::tempdir().unwrap();
    let file = |name: &str| home.path().join(name);
    let config = network.path("validators/0/node.toml");
    let url = network.status["validators"][0]["rpc"]
        .as_str()
        .unwrap()
        .to_owned();
    let identity = network.status["identity"].as_str().unwrap().to_owned();
    until(async || match height(&url).await {
        Some(height) if height >= 6 => Ok(height),
        other => Err(other),
    })
    .await;
    refused(export(&config, &file("one"), &[]), "the node is running");
    network.stop();

    let one = export(&config, &file("one"), &[]).unwrap();
    let last = one["height"].as_u64().unwrap();
    assert!(last >= 6);
    assert_eq!(one["identity"], identity.as_str());
    assert!(one["accounts"].as_u64().unwrap() >= 10, "{one}");
    refused(export(&config, &file("one"), &[]), "is there already");
    let again = export(&config, &file("one"), &["--force"]).unwrap();
    assert_eq!(again, one);
    assert_eq!(
        check(&file("one"), &["--identity", &identity]).unwrap(),
        one
    );
    refused(
        check(&file("one"), &["--identity", "0x00"]),
        "is of the network with identity",
    );
    refused(check(&config, &[]), "this is no export");
    let mut bytes = fs::read(file("one")).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 4;
    fs::write(file("changed"), bytes).unwrap();
    refused(check(&file("changed"), &[]), "changed: ");

    let early = (last - 3).to_string();
    let two = export(&config, &file("two"), &["--height", &early]).unwrap();
    assert_eq!(two["height"], last - 3);
    assert_ne!(two["digest"], one["digest"]);
    assert_eq!(check(&file("two"), &[]).unwrap(), two);
    refused(
        export(&config, &file("three"), &["--height", "1000000"]),
        "let it follow the chain",
    );
    // Neither drafts nor copies stay.
    assert_eq!(names(home.path()), ["changed", "one", "two"]);

    let mut import = ashlar(&["import", "--config"]);
    let imported = run(import.arg(&config).arg(file("one")));
    refused(imported, "does not begin with an export");

    // It was only read.
    let _node = Service::start("node", &config);
    until(async || match height(&url).await {
        Some(height) if height > last => Ok(height),
        other => Err(other),
    })
    .await;
}

async fn height(url: &str) -> Option<u64> {
    let nodes = Nodes::new(&[url.to_owned()], TIMEOUT_DEFAULT).ok()?;
    let height: U64 = nodes.call("eth_blockNumber", [(); 0]).await.ok()?;
    Some(height.to())
}
