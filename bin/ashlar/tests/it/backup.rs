//! Backups: made while everything runs, refused when damaged, and good for going on.

use crate::network::{Network, PATIENCE, Service, ashlar, run, until};
use alloy_primitives::B256;
use client::{
    gateway::Gateway,
    record::{RecordRequest, RecordStatus},
};
use serde_json::{Value, value::RawValue};
use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};

fn backup(config: &Path, out: &Path) -> Result<String, String> {
    run(ashlar(&["backup", "--config"])
        .arg(config)
        .arg("--out")
        .arg(out))
}

fn restore(backup: &Path, dir: &Path) -> Result<String, String> {
    run(ashlar(&["restore"]).arg(backup).arg("--dir").arg(dir))
}

fn fact(number: u32) -> RecordRequest {
    RecordRequest {
        kind: "fact".to_owned(),
        data: RawValue::from_string(format!("{{\"number\":{number}}}")).unwrap(),
        attachments: Vec::new(),
    }
}

/// Records a fact, and gives its id and its receipt.
async fn record(gateway: &Gateway, number: u32) -> (B256, Vec<u8>) {
    let key = format!("k{number}");
    let accepted = gateway.record(&key, &fact(number)).await.unwrap();
    gateway.wait_final(&accepted.id, PATIENCE).await.unwrap();
    let receipt = gateway.receipt_json(&accepted.id).await.unwrap();
    (accepted.id, receipt.to_vec())
}

#[tokio::test]
async fn a_gateway_goes_on_from_its_backup() {
    let mut network = Network::start();
    let home = tempfile::tempdir().unwrap();
    let [out, dir] = ["backup", "restored"].map(|name| home.path().join(name));
    let text = |name: &str| network.status[name].as_str().unwrap().to_owned();
    let url = network.status["gateway"]["url"]
        .as_str()
        .unwrap()
        .to_owned();
    let gateway = Gateway::new(&url, &text("api_key")).unwrap();
    let (before, receipt) = record(&gateway, 1).await;

    let config = network.path("gateway/gateway.toml");
    let said = backup(&config, &out).unwrap();
    assert!(said.contains("4 files"), "{said}");
    for name in [
        "",
        "data",
        "data/master.key",
        "data/relayer.key",
        "data/gateway.sqlite3",
    ] {
        let mode = fs::metadata(out.join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{name}");
    }
    let refused = backup(&config, &out).unwrap_err();
    assert!(
        refused.contains("is not empty: name a new directory"),
        "{refused}"
    );
    let (after, _) = record(&gateway, 2).await;
    network.stop();

    restore(&out, &dir).unwrap();
    let refused = restore(&out, &dir).unwrap_err();
    assert!(refused.contains("is not empty"), "{refused}");
    let _node = Service::start("node", &network.path("validators/0/node.toml"));
    let _gateway = Service::start("gateway", &dir.join("gateway.toml"));
    until(async || gateway.read(&before).await).await;
    assert_eq!(gateway.receipt_json(&before).await.unwrap(), receipt);
    assert_eq!(gateway.record("k1", &fact(1)).await.unwrap().id, before);
    // It is on chain, and what would prove it is lost.
    let repeated = gateway.record("k2", &fact(2)).await.unwrap();
    assert_eq!(repeated.id, after);
    let failure = until(async || {
        let record = gateway.read(&after).await.unwrap();
        match record.status {
            RecordStatus::Failed => Ok(record.failure.unwrap()),
            _ => Err(record),
        }
    })
    .await;
    assert_eq!(failure.code, "id_conflict");
    record(&gateway, 3).await;
}

#[test]
fn a_node_is_backed_up_without_its_share() {
    let network = Network::start();
    let home = tempfile::tempdir().unwrap();
    let [out, dir] = ["backup", "restored"].map(|name| home.path().join(name));
    let said = backup(&network.path("validators/0/node.toml"), &out).unwrap();
    assert!(said.contains("3 files"), "{said}");
    let said = restore(&out, &dir).unwrap();
    assert!(
        said.contains("Start it only if the node that it was made of is gone for good"),
        "{said}"
    );
    let mut files: Vec<_> = fs::read_dir(&dir)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    files.sort();
    assert_eq!(files, ["genesis.json", "network.key", "node.toml"]);
    let config: toml::Table =
        toml::from_str(&fs::read_to_string(dir.join("node.toml")).unwrap()).unwrap();
    assert_eq!(config["state_sync"].as_bool(), Some(true));
    assert_eq!(config.get("share"), None);
    let key = |dir: &Path| fs::read(dir.join("network.key")).unwrap();
    assert_eq!(key(&dir), key(&network.path("validators/0")));
}

#[test]
fn a_backup_that_is_none_is_refused() {
    let network = Network::start();
    let home = tempfile::tempdir().unwrap();
    let [out, dir] = ["backup", "restored"].map(|name| home.path().join(name));
    let refused = |expected: &str| {
        let said = restore(&out, &dir).unwrap_err();
        assert!(said.contains(expected), "{expected:?} is not in {said:?}");
        assert!(!dir.exists());
    };
    refused("is this a backup that `ashlar backup` finished?");
    backup(&network.path("validators/0/node.toml"), &out).unwrap();
    let list = fs::read_to_string(out.join("backup.json")).unwrap();
    let change = |name: &str, value: Value| {
        let mut changed: Value = serde_json::from_str(&list).unwrap();
        changed[name] = value;
        fs::write(out.join("backup.json"), changed.to_string()).unwrap();
    };
    change("format", 2.into());
    refused("this backup has format 2, this program knows 1");
    change("files", serde_json::json!({ "../network.key": "" }));
    refused("names a file outside itself");
    fs::write(out.join("backup.json"), &list).unwrap();
    fs::write(out.join("genesis.json"), "{}").unwrap();
    refused("was changed since the backup was made");
}
