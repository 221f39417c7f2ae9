//! Programs that are too old: for the network, and for their data.

use crate::network::{ashlar, said};
use alloy_primitives::B256;
use contracts::upgrade::{ADDRESS, Schedule};
use rand::RngExt as _;
use std::{collections::BTreeMap, fs, net::TcpListener, path::Path};
use tempfile::TempDir;
use types::ChainSpec;

/// The exit code of a program that is too old.
const TOO_OLD: i32 = 3;
/// The id of a fork to come.
const UNKNOWN: B256 = B256::repeat_byte(0xaa);

/// A network of one validator that was made but never started, and decided a fork at a height from its genesis on.
fn made(height: u64) -> TempDir {
    let home = tempfile::tempdir().unwrap();
    let (_taken, base) = (0..)
        .find_map(|_| {
            let port: u16 = rand::rng().random_range(20_000..30_000);
            let gateway = TcpListener::bind(("127.0.0.1", port)).ok()?;
            // Those of the validator are free.
            TcpListener::bind(("127.0.0.1", port + 1)).ok()?;
            Some((gateway, port))
        })
        .unwrap();
    let (code, text) = said(
        ashlar(&["up", "--validators", "1", "--port-base", &base.to_string()])
            .arg("--dir")
            .arg(home.path()),
    );
    assert!(code == 1 && text.contains("another process"), "{text}");
    let file = home.path().join("genesis.json");
    let mut spec = ChainSpec::from_json(&fs::read_to_string(&file).unwrap()).unwrap();
    let schedule = Schedule {
        forks: BTreeMap::from([(UNKNOWN, height)]),
        ..Schedule::default()
    };
    spec.accounts.get_mut(&ADDRESS).unwrap().storage = schedule.storage();
    fs::write(&file, spec.to_json().unwrap()).unwrap();
    home
}

fn node(home: &Path) -> (i32, String) {
    said(ashlar(&["node", "--config"]).arg(home.join("validators/0/node.toml")))
}

#[test]
fn a_node_ends_before_a_fork_that_it_does_not_know() {
    let home = made(3);
    for _ in 0..2 {
        let (code, text) = node(home.path());
        assert_eq!(code, TOO_OLD, "{text}");
        let warned = "THIS NODE WILL STOP: from block 3 on the rules of the fork 0xaaaa";
        let ended = "\nerror: from block 3 on the rules of the fork 0xaaaa";
        for part in [ended, "protocol version 1", "on the same data directory"] {
            assert!(text.contains(part), "{part:?} is not in: {text}");
        }
        // The second time there is nothing left to warn of.
        assert_eq!(text.contains(warned), text.contains("height=0"), "{text}");
        assert!(!text.contains("panicked"), "{text}");
    }
    let up = said(ashlar(&["up", "--separate"]).arg("--dir").arg(home.path()));
    let expected = "every block before is kept. It is not started again";
    assert!(up.0 == 1 && up.1.contains(expected), "{}", up.1);
}

#[test]
fn data_of_a_newer_format_is_left_alone() {
    let home = made(1_000_000);
    let data = home.path().join("validators/0/data");
    fs::create_dir_all(&data).unwrap();
    fs::write(data.join("format"), "2\n").unwrap();
    let (code, text) = node(home.path());
    assert_eq!(code, TOO_OLD, "{text}");
    let expected = "has format 2, and this program knows formats up to 1";
    assert!(text.contains(expected), "{text}");
    let files: Vec<_> = fs::read_dir(&data).unwrap().collect();
    assert_eq!(files.len(), 1, "{files:?}");
}

#[test]
fn a_program_says_what_it_knows() {
    let said = crate::network::run(&mut ashlar(&["--version"])).unwrap();
    for part in ["protocol version  1", "forks             prague, osaka"] {
        assert!(said.contains(part), "{said}");
    }
}
