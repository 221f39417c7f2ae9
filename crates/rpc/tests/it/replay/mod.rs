//! Ethereum's own questions and answers: the tests of ethereum/execution-apis, on the chain that they were made on.
//!
//! The chain is executed by crate `vectors`, with Ethereum's header rules, and served by a node without consensus
//! (`chain::import`). Every file is replayed, and every answer compared. What cannot agree is in [`exclusion`].

mod comparison;
mod exclusion;
mod vector;

use crate::node::Node;
use exclusion::{EXCLUDED, Exclusion};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};
use tempfile::TempDir;
use vector::Vector;

#[tokio::test(flavor = "multi_thread")]
async fn ethereums_tests_of_json_rpc() {
    let Some(specification) = Specification::find() else {
        println!(
            "replay: SKIPPED, NOTHING was compared: ethereum/execution-apis is neither in ASHLAR_OPENRPC nor in ../shared/vectors"
        );
        return;
    };
    let tests = specification.path().join("tests");
    let read = |name: &str| fs::read(tests.join(name)).unwrap();
    let import = vectors::import(&read("genesis.json"), &read("chain.rlp")).unwrap();
    let blocks = import.blocks.len();
    let node = Node::start_import(import).await;
    let vectors = Vector::all(&tests);
    assert!(!vectors.is_empty(), "there are no tests in {tests:?}");
    let (mut passed, mut in_part, mut excluded, mut wrong) = (0, 0, 0, Vec::new());
    for vector in &vectors {
        let mut differences = vector.replay(&node).await;
        let of_file = EXCLUDED.iter().filter(|each| each.file == vector.name);
        let reasons: Vec<_> = of_file.collect();
        for Exclusion { file, at, reason } in &reasons {
            println!("excluded: {file} {at} ({reason})");
        }
        for reason in &reasons {
            let before = differences.len();
            differences.retain(|difference| !reason.covers(difference));
            if differences.len() == before {
                let at = reason.at;
                differences.push(format!("{at:?} agrees: no reason to exclude it"));
            }
        }
        if !differences.is_empty() {
            let differences = differences.join("\n    ");
            wrong.push(format!("{}\n    {differences}", vector.name));
        } else if reasons.is_empty() {
            passed += 1;
        } else if reasons.iter().any(|reason| reason.is_whole()) {
            excluded += 1;
        } else {
            in_part += 1;
        }
    }
    println!(
        "replay: {} files on {blocks} blocks: {passed} passed, {} failed, {excluded} excluded, {in_part} in part",
        vectors.len(),
        wrong.len(),
    );
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The folder of ethereum/execution-apis.
enum Specification {
    /// Where it is.
    Folder(PathBuf),
    /// Where it was unpacked to.
    Unpacked(TempDir),
}

impl Specification {
    /// As `ASHLAR_OPENRPC` says, or unpacked from beside the repository, which does not hold it.
    fn find() -> Option<Self> {
        if let Some(folder) = std::env::var_os("ASHLAR_OPENRPC").filter(|path| !path.is_empty()) {
            return Some(Self::Folder(folder.into()));
        }
        let archive = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../../../shared/vectors/ethereum-execution-apis.tar.xz");
        if !archive.exists() {
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let mut tar = Command::new("tar");
        tar.arg("-xJf").arg(archive).arg("-C").arg(folder.path());
        assert!(tar.status().unwrap().success(), "tar failed");
        Some(Self::Unpacked(folder))
    }

    fn path(&self) -> PathBuf {
        match self {
            Self::Folder(path) => path.clone(),
            Self::Unpacked(folder) => folder.path().join("execution-apis"),
        }
    }
}
