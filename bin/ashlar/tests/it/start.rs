//! What keeps a process from starting is named, with what to do.

use crate::network::{Network, ashlar, said};
use std::{fs, net::TcpListener, os::unix::fs::PermissionsExt as _};

#[track_caller]
fn refused((code, said): (i32, String), expected: &[&str]) {
    assert_eq!(code, 1, "{said}");
    for part in expected {
        assert!(said.contains(part), "{part:?} is not in: {said}");
    }
    assert!(!said.contains("panicked"), "{said}");
}

#[test]
fn a_taken_port_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let home = tempfile::tempdir().unwrap();
    let mut up = ashlar(&["up", "--validators", "1", "--port-base", &port.to_string()]);
    refused(
        said(up.arg("--dir").arg(home.path())),
        &[
            &format!("127.0.0.1:{port}"),
            "another process",
            "choose another port",
        ],
    );
}

#[test]
fn a_directory_is_for_one_process() {
    let network = Network::start();
    let pid = network.status["pid"].to_string();
    refused(
        said(&mut ashlar(&["up", "--dir", network.dir()])),
        &[&format!("in use by process {pid}"), "another --dir"],
    );
    refused(network.node(), &[&format!("in use by process {pid}")]);
    let config = network.path("gateway/gateway.toml");
    let text = fs::read_to_string(&config).unwrap();
    let listen = text
        .lines()
        .find(|line| line.starts_with("listen"))
        .unwrap();
    fs::write(&config, text.replace(listen, r#"listen = "127.0.0.1:0""#)).unwrap();
    refused(network.gateway(), &["gateway/data", &pid]);
}

#[test]
fn up_and_down() {
    let mut network = Network::start();
    let (code, text) = said(&mut ashlar(&["down", "--dir", network.dir()]));
    assert_eq!((code, text.as_str()), (0, ""));
    network.stop();
    refused(
        said(&mut ashlar(&["down", "--dir", network.dir()])),
        &["up.json"],
    );
}

/// Some network's share: its index, and a scalar.
const SHARE: &str = "000000000000000000000000000000000000000000000000000000000000000001";

#[test]
fn what_belongs_to_another_network_is_refused() {
    let (mut ours, mut theirs) = (Network::start(), Network::start());
    ours.stop();
    theirs.stop();
    let text = |file: &str| fs::read_to_string(theirs.path(file)).unwrap();

    let config = ours.path("validators/0/node.toml");
    let before = fs::read_to_string(&config).unwrap();
    let data = before
        .lines()
        .find(|line| line.starts_with("data_dir"))
        .unwrap();
    let foreign = format!("data_dir = {:?}", theirs.path("validators/0/data"));
    fs::write(&config, before.replace(data, &foreign)).unwrap();
    refused(
        ours.node(),
        &["belongs to the network with genesis", "another --dir"],
    );
    fs::write(&config, before).unwrap();

    // Another validator's key does not open what is sealed for this one.
    let key = ours.path("validators/0/network.key");
    let before = fs::read_to_string(&key).unwrap();
    fs::write(&key, text("validators/0/network.key")).unwrap();
    refused(ours.node(), &["the secrets of epoch 0 do not open"]);
    fs::write(&key, before).unwrap();

    let share = ours.path("validators/0/share.key");
    assert!(!share.exists(), "the node took its share over");
    fs::write(&share, SHARE).unwrap();
    fs::set_permissions(&share, fs::Permissions::from_mode(0o600)).unwrap();
    refused(
        ours.node(),
        &["does not belong to this network's committee"],
    );
    fs::remove_file(&share).unwrap();

    fs::remove_dir_all(ours.path("gateway/data")).unwrap();
    fs::rename(theirs.path("gateway/data"), ours.path("gateway/data")).unwrap();
    refused(
        ours.gateway(),
        &["gateway.sqlite3 belongs to the network with"],
    );
}

#[test]
fn bad_settings_are_named() {
    let mut network = Network::start();
    network.stop();
    let config = network.path("validators/0/node.toml");
    let before = fs::read_to_string(&config).unwrap();
    fs::write(&config, format!("colour = 1\n{before}")).unwrap();
    refused(network.node(), &["node.toml", "unknown field `colour`"]);
    fs::write(&config, before.replace("data_dir = ", "# data_dir = ")).unwrap();
    refused(network.node(), &["node.toml", "missing field `data_dir`"]);
    fs::write(&config, before).unwrap();

    let share = network.path("validators/0/share.key");
    fs::write(&share, "12").unwrap();
    fs::set_permissions(&share, fs::Permissions::from_mode(0o644)).unwrap();
    refused(
        network.node(),
        &["share.key", "can be read by others", "chmod 600"],
    );
    fs::set_permissions(&share, fs::Permissions::from_mode(0o600)).unwrap();
    refused(network.node(), &["share.key", "not a key"]);
}

#[test]
fn keys_are_for_their_owner_only() {
    let network = Network::start();
    for file in [
        "up.json",
        "gateway/api.key",
        "gateway/data/master.key",
        "gateway/data/relayer.key",
        "validators/0/network.key",
    ] {
        let mode = fs::metadata(network.path(file))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }
}
