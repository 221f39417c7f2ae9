//! `ashlar verify`: the exit code is the verdict, and a refusal names its step.

use crate::network::ashlar;
use serde_json::Value;
use std::{fs, path::PathBuf};
use tempfile::TempDir;

/// A valid receipt of the committed vectors, in a directory of its own.
fn receipt() -> (TempDir, PathBuf, Value) {
    let vector = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../crates/proof/vectors/valid/batch-3-leaf-2.json");
    let vector: Value = serde_json::from_slice(&fs::read(vector).unwrap()).unwrap();
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("receipt.json");
    fs::write(&file, vector["receipt"].to_string()).unwrap();
    (home, file, vector)
}

fn verify(args: &[&str]) -> (i32, Value) {
    let output = ashlar(&["verify", "--json"]).args(args).output().unwrap();
    let report = serde_json::from_slice(&output.stdout).unwrap();
    (output.status.code().unwrap(), report)
}

#[test]
fn the_exit_code_is_the_verdict() {
    let (_home, valid, vector) = receipt();
    let valid = valid.to_str().unwrap();
    let (code, report) = verify(&[valid]);
    assert_eq!((code, &report["valid"]), (0, &Value::Bool(true)));
    let identity = vector["identity"].as_str().unwrap();
    assert_eq!(verify(&[valid, "--identity", identity]).0, 0);

    // The generator of the group is an identity too, but not this network's.
    let stranger = "0x93e02b6052719f607dacd3a088274f65596bd0d09920b61ab5da61bbdc7f5049334cf11213945d57e5ac7d055d042b7e024aa2b2f08f0a91260805272dc51051c6e47ad4fa403b02b4510b647ae3d1770bac0326a805bbefd48056c8c121bdb8";
    let (code, report) = verify(&[valid, "--identity", stranger]);
    assert_eq!((code, &report["step"]), (1, &Value::from("identity")));

    for (args, named) in [
        (&["no-such-file"][..], "no-such-file"),
        (&[valid, "--identity", "0x12"], "--identity"),
    ] {
        let (code, report) = verify(args);
        let error = report["error"].as_str().unwrap();
        assert!(code == 2 && error.contains(named), "{code} {error}");
    }
}

#[test]
fn a_changed_receipt_is_refused_at_its_step() {
    let (_home, forged, mut vector) = receipt();
    let receipt = &mut vector["receipt"];
    let index = &mut receipt["path"]["leaf_index"];
    *index = Value::from(index.as_u64().unwrap() + 1);
    fs::write(&forged, receipt.to_string()).unwrap();
    let (code, report) = verify(&[forged.to_str().unwrap()]);
    assert_eq!((code, &report["valid"]), (1, &Value::Bool(false)));
    assert_eq!(report["step"], "path", "{report}");

    fs::write(&forged, "no receipt").unwrap();
    let (code, report) = verify(&[forged.to_str().unwrap()]);
    assert_eq!(
        (code, &report["step"]),
        (1, &Value::from("format")),
        "{report}"
    );
}

#[test]
fn a_step_that_leads_nowhere_is_named() {
    let (_home, valid, vector) = receipt();
    let valid = valid.to_str().unwrap();
    let identity = vector["identity"].as_str().unwrap();
    // A receipt like any other: its transaction names no successor.
    let step = [valid, "--identity", identity, "--succession", valid];
    let (code, report) = verify(&step);
    assert_eq!((code, &report["step"]), (1, &Value::from("succession")));
    let error = report["error"].as_str().unwrap();
    assert!(error.contains("names no successor"), "{error}");
    let (code, report) = verify(&[
        valid,
        "--identity",
        identity,
        "--succession",
        "no-such-file",
    ]);
    let error = report["error"].as_str().unwrap();
    assert!(code == 2 && error.contains("no-such-file"), "{error}");
    let unpinned = ashlar(&["verify", valid, "--succession", valid]).output();
    assert_eq!(unpinned.unwrap().status.code(), Some(2));
}

#[test]
fn a_state_proof_is_told_from_a_receipt() {
    let vectors =
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../crates/proof/vectors/state");
    let read = |name: &str| -> Value {
        serde_json::from_slice(&fs::read(vectors.join(name)).unwrap()).unwrap()
    };
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("proof.json");
    let path = file.to_str().unwrap();

    let valid = read("valid/slots.json");
    fs::write(&file, valid["proof"].to_string()).unwrap();
    let identity = valid["identity"].as_str().unwrap();
    let (code, report) = verify(&[path, "--identity", identity]);
    assert_eq!((code, &report), (0, &valid["verdict"]));

    for name in ["slot-value", "view", "format-version"] {
        let tampered = read(&format!("tampered/{name}.json"));
        fs::write(&file, tampered["json"].as_str().unwrap()).unwrap();
        let (code, report) = verify(&[path]);
        assert_eq!((code, &report["step"]), (1, &tampered["step"]), "{report}");
    }
}
