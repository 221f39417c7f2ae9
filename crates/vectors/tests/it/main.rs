//! The runner on vectors of our own, and on a few of the official ones if they are there.

use serde_json::Value;
use std::{fs, path::Path, process::Command};
use tempfile::TempDir;
use vectors::{Kind, Options, Report, VectorsError};

const CASES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cases");

fn run(kind: Kind, dir: &Path) -> Report {
    vectors::run(kind, dir, &Options::default()).unwrap()
}

/// Runs the committed cases after a change.
fn changed(change: impl Fn(&mut Value)) -> Report {
    let text = fs::read_to_string(format!("{CASES}/blockchain.json")).unwrap();
    let mut cases: Value = serde_json::from_str(&text).unwrap();
    for case in cases.as_object_mut().unwrap().values_mut() {
        change(case);
    }
    let dir = TempDir::new().unwrap();
    fs::write(dir.path().join("changed.json"), cases.to_string()).unwrap();
    run(Kind::Blockchain, dir.path())
}

#[test]
fn our_own_chains_pass() {
    let report = run(Kind::Blockchain, Path::new(CASES));
    assert_eq!((report.passed, report.failed), (12, vec![]));
}

#[test]
fn a_bad_block_that_should_pass_fails() {
    let report = changed(|case| {
        case["blocks"][0]
            .as_object_mut()
            .unwrap()
            .remove("expectException");
        case["blocks"][0]["blockHeader"] = serde_json::json!({ "hash": case["lastblockhash"] });
    });
    assert_eq!(report.passed, 0);
}

#[test]
fn a_block_refused_for_another_reason_fails() {
    let report = changed(|case| {
        for block in case["blocks"].as_array_mut().unwrap() {
            if let Some(expected) = block.get_mut("expectException") {
                *expected = "TransactionException.SENDER_NOT_EOA".into();
            }
        }
    });
    assert_eq!((report.passed, report.failed.len()), (0, 12));
    assert!(
        report
            .failed
            .iter()
            .all(|named| named.reason.contains("SENDER_NOT_EOA"))
    );
}

#[test]
fn another_head_or_state_fails() {
    let head = changed(|case| case["lastblockhash"] = case["genesisBlockHeader"]["hash"].clone());
    assert_eq!(head.passed, 0);
    let state = changed(|case| case["postStateHash"] = case["lastblockhash"].clone());
    assert_eq!(state.passed, 0);
    let network = changed(|case| case["network"] = "Nowhere".into());
    assert_eq!(network.passed, 0);
}

#[test]
fn the_report_does_not_depend_on_threads() {
    let report = |threads| {
        let options = Options {
            threads: Some(threads),
            ..Options::default()
        };
        vectors::run(Kind::Blockchain, Path::new(CASES), &options).unwrap()
    };
    assert_eq!(report(1), report(4));
}

#[test]
fn nothing_to_run_is_said() {
    let dir = TempDir::new().unwrap();
    let nothing = vectors::run(Kind::State, dir.path(), &Options::default());
    assert!(matches!(nothing, Err(VectorsError::Empty(_))));
    let absent = vectors::run(Kind::State, &dir.path().join("absent"), &Options::default());
    assert!(matches!(absent, Err(VectorsError::Unreadable { .. })));
    let options = Options {
        only: Some("no such name"),
        ..Options::default()
    };
    let unmatched = vectors::run(Kind::Blockchain, Path::new(CASES), &options);
    assert!(matches!(unmatched, Err(VectorsError::NoMatch { .. })));
}

#[test]
fn a_malformed_file_is_a_failure_by_name() {
    let dir = TempDir::new().unwrap();
    for kind in [
        Kind::State,
        Kind::Blockchain,
        Kind::Transaction,
        Kind::Rlp,
        Kind::Trie,
    ] {
        for text in [
            "",
            "[]",
            "{\"case\":7}",
            "{\"case\":{\"in\":{}}}",
            "{\"case\":{\"blocks\":[]}}",
        ] {
            fs::write(dir.path().join("bad.json"), text).unwrap();
            let report = run(kind, dir.path());
            assert_eq!(
                (report.passed, report.failed.len()),
                (0, 1),
                "{kind} {text}"
            );
            assert!(report.failed[0].case.starts_with("bad.json::"));
        }
    }
}

/// A subdirectory each: this is a debug build. CI runs all with `.ci/run vectors`.
#[test]
fn a_few_official_vectors_pass() {
    let archives = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/vectors");
    let dir = TempDir::new().unwrap();
    for (archive, kind, folder) in [
        ("state", Kind::State, "GeneralStateTests/stSStoreTest"),
        ("state", Kind::State, "GeneralStateTests/stCreate2"),
        ("basic", Kind::Transaction, "TransactionTests"),
        ("basic", Kind::Rlp, "RLPTests"),
        ("basic", Kind::Trie, "TrieTests"),
    ] {
        let path = archives.join(format!("ethereum-tests-{archive}.tar.xz"));
        if !path.exists() {
            eprintln!("skipped {folder}: {} is not there", path.display());
            continue;
        }
        let unpacked = Command::new("tar")
            .arg("-xJf")
            .arg(&path)
            .arg("-C")
            .arg(dir.path())
            .arg(folder)
            .status();
        assert!(unpacked.unwrap().success());
        let report = run(kind, &dir.path().join(folder));
        assert!(
            report.passed > 0 && report.failed.is_empty(),
            "{:#?}",
            report.failed
        );
    }
}
