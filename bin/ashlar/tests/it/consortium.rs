//! Cards, passports, and what members say of their nodes. The ceremony itself takes four machines: `cargo xtask scenario
//! network-life`.

use crate::network::{self, Network, ashlar};
use alloy_signer_local::PrivateKeySigner;
use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

/// An account that nobody has yet.
const ACCOUNT: &str = "0x00000000000000000000000000000000000000AA";
const KEY: &str = "0x00000000000000000000000000000000000000000000000000000000000000aa";

fn run(args: &[&str]) -> Result<String, String> {
    network::run(&mut ashlar(args))
}

#[track_caller]
fn refused(ran: Result<String, String>, expected: &str) {
    let error = ran.unwrap_err();
    assert!(error.contains(expected), "{expected:?} is not in: {error}");
}

/// Makes a card; gives its file.
fn card(home: &Path, name: &str, account: u8) -> Result<PathBuf, String> {
    let dir = home.join(name);
    let administrator = format!("0x{account:040x}");
    let place = ["--listen", "127.0.0.1:19545"];
    let address = format!("127.0.0.1:{}", 20_000 + u16::from(account));
    let made = run(&[
        &["network", "card", "--dir", dir.to_str().unwrap()],
        place.as_slice(),
        &["--advertise", &address, "--organization", name],
        &["--administrator", &administrator],
    ]
    .concat());
    made.map(PathBuf::from)
}

fn new(dir: &Path, more: &[&str], cards: &[PathBuf]) -> Result<String, String> {
    let cards = cards.iter().map(|card| card.to_str().unwrap());
    let mut args = vec!["network", "new", "--dir", dir.to_str().unwrap()];
    args.extend(["--name", "ours", "--chain-id", "7001"]);
    args.extend(more);
    args.extend(cards);
    run(&args)
}

#[test]
fn what_makes_no_network_is_refused_before_the_ceremony() {
    let home = tempfile::tempdir().unwrap();
    let names = ["acme", "beta", "gamma", "delta"];
    let cards: Vec<_> = (1..)
        .zip(names)
        .map(|(account, name)| card(home.path(), name, account).unwrap())
        .collect();
    let acme = home.path().join("acme");
    refused(
        card(home.path(), "acme", 9).map(|_| String::new()),
        "is there already",
    );
    refused(
        card(home.path(), "nobody", 0).map(|_| String::new()),
        "zero address",
    );
    let long = "a-name-of-more-than-thirty-one-bytes";
    refused(
        card(home.path(), long, 9).map(|_| String::new()),
        "1 to 31 bytes",
    );

    refused(new(&acme, &[], &cards[..3]), "3 founders are too few");
    refused(
        new(&acme, &[], &cards[1..]),
        "own card is not among those given",
    );
    refused(
        new(&acme, &["--epoch-blocks", "31"], &cards),
        "at least 32 are needed",
    );
    refused(new(&acme, &["--timelock", "60"], &cards), "choose 3600 to");
    refused(
        new(&acme, &["--validator-limit", "0"], &cards),
        "more than its limit, 0",
    );
    for (more, expected) in [
        (["--seats", "3"], "4 to 32 seats for validators, not 3"),
        (
            ["--epoch-blocks", "255"],
            "with 32 seats at least 256 are needed",
        ),
        (["--bond", "0"], "the least bond is 0 wei"),
        (
            ["--bond", "2000000000ether"],
            "between 1 and 1000000000000000000000000000",
        ),
        (["--unbonding", "60"], "between 86400 and 7776000"),
        (
            ["--allotment", "1000000000000000000000ether"],
            "--allotment: choose at most",
        ),
    ] {
        let more = [&["--bonded"], more.as_slice()].concat();
        refused(new(&acme, &more, &cards), expected);
    }
    refused(
        new(&home.path().join("omega"), &[], &cards),
        "ashlar network card",
    );
    let twin = card(home.path(), "twin", 2).unwrap();
    let five = [cards.as_slice(), &[twin]].concat();
    refused(new(&acme, &[], &five), "two cards have the administrator");

    let text = fs::read_to_string(&cards[3]).unwrap();
    let forged = home.path().join("forged.json");
    fs::write(&forged, text.replace("delta", "omega")).unwrap();
    let with_forged = [&cards[..3], &[forged]].concat();
    refused(
        new(&acme, &[], &with_forged),
        "its signature is not that of node",
    );
}

#[test]
fn a_passport_leads_into_its_network_and_no_other() {
    let network = Network::start();
    let config = network.path("validators/0/node.toml");
    let passport = run(&["network", "invite", "--config", config.to_str().unwrap()]).unwrap();
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("passport.json");
    let join = |name: &str, identity: &str| {
        let dir = home.path().join(name);
        run(&[
            "network",
            "join",
            file.to_str().unwrap(),
            "--dir",
            dir.to_str().unwrap(),
            "--listen",
            "127.0.0.1:19545",
            "--identity",
            identity,
        ])
    };
    let identity = network.status["identity"].as_str().unwrap();
    fs::write(&file, passport.replace("4242", "4243")).unwrap();
    refused(
        join("changed", identity),
        "its signature is not that of node",
    );
    fs::write(&file, &passport).unwrap();
    let other = identity.replace(&identity[10..14], "abcd");
    refused(
        join("other", &other),
        "the passport is of the network with identity",
    );
    assert!(!home.path().join("other").exists(), "nothing was made");

    let key = join("newcomer", identity).unwrap();
    let newcomer = home.path().join("newcomer");
    let theirs = fs::read_to_string(newcomer.join("genesis.json")).unwrap();
    assert_eq!(
        theirs,
        fs::read_to_string(network.path("genesis.json")).unwrap()
    );
    assert!(newcomer.join("network.key").exists());
    refused(join("newcomer", identity), "is there already");

    let rpc = network.status["validators"][0]["rpc"].as_str().unwrap();
    let member = |args: &[&str]| run(&[&["member", "--rpc", rpc], args].concat());
    let list = member(&["list"]).unwrap();
    assert!(list.contains("org-1 (0x"), "{list}");
    assert!(
        list.contains("a change now would sign from epoch 3 on, block 1800"),
        "{list}"
    );
    let set =
        |role: &str, account: &str| member(&["set-node", &key, role, "--dev-account", account]);
    refused(set("observer", "1"), "refused: NotAdministrator");
    let list = set("validator", "0").unwrap();
    let line = list.lines().find(|line| line.contains(&key)).unwrap();
    assert!(
        line.ends_with("validator  signs, once the change is announced"),
        "{line}"
    );
    refused(
        member(&["set-node", KEY, "none", "--dev-account", "0"]),
        "UnknownNode",
    );
    assert!(!set("none", "0").unwrap().contains(&key));
    let json = member(&["list", "--json"]).unwrap();
    let members: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(members["organizations"][0]["nodes"][0]["signs"], "signs");

    let set_account = |permissions: &[&str], administrator: &str| {
        let by = ["--dev-account", administrator];
        member(&[&["set-account", ACCOUNT], permissions, &by].concat())
    };
    refused(set_account(&["transact"], "1"), "refused: NotAdministrator");
    let may = set_account(&["transact"], "0").unwrap();
    assert_eq!(may, format!("{ACCOUNT} may transact"));
    let may = set_account(&["transact", "deploy"], "0").unwrap();
    assert_eq!(may, format!("{ACCOUNT} may transact, deploy"));
    let gone = set_account(&[], "0").unwrap();
    assert_eq!(
        gone,
        format!("{ACCOUNT} belongs to the organization no more")
    );
    refused(set_account(&[], "0"), "refused: ");
}

#[test]
fn a_gateway_is_made_once() {
    let network = Network::start();
    let config = network.path("validators/0/node.toml");
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("gateway");
    let make = || {
        let config = ["--config", config.to_str().unwrap()];
        let place = ["--dir", dir.to_str().unwrap(), "--tenant", "sales"];
        run(&[&["network", "gateway"], config.as_slice(), &place].concat())
    };
    let account = make().unwrap();
    let key = fs::read_to_string(dir.join("relayer.key")).unwrap();
    let signer: PrivateKeySigner = key.parse().unwrap();
    assert_eq!(account, signer.address().to_string());
    for secret in ["relayer.key", "api.key"] {
        let mode = fs::metadata(dir.join(secret)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{secret}");
    }
    let gateway = fs::read_to_string(dir.join("gateway.toml")).unwrap();
    assert!(
        gateway.contains(network.status["identity"].as_str().unwrap()),
        "{gateway}"
    );
    refused(
        make(),
        "gateway.toml is there already: choose another --dir",
    );
    let after = fs::read_to_string(dir.join("relayer.key")).unwrap();
    assert_eq!(after, key, "its key is as it was");
}
