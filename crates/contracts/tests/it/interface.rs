//! The `sol!` interface and the genesis code are those of the committed artifact.

use alloy_json_abi::{Event, JsonAbi};
use alloy_primitives::{B256, Bytes, U256, hex};
use alloy_sol_types::{SolCall, SolEvent, SolInterface};
use contracts::{
    IRecords::{self, IRecordsCalls, IRecordsErrors, IRecordsEvents},
    SystemContract,
};
use serde::Deserialize;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Artifact {
    abi: JsonAbi,
    method_identifiers: BTreeMap<String, String>,
    storage_layout: serde_json::Value,
    deployed_bytecode: Bytes,
}

fn artifact() -> Artifact {
    serde_json::from_str(include_str!("../../../../contracts/artifacts/Records.json")).unwrap()
}

#[test]
fn functions_are_the_artifacts() {
    let artifact = artifact();
    let declared: BTreeSet<[u8; 4]> = artifact
        .abi
        .functions()
        .map(|function| *function.selector())
        .collect();
    assert_eq!(declared, IRecordsCalls::SELECTORS.iter().copied().collect());

    let compiled: BTreeMap<String, String> = IRecordsCalls::selectors()
        .map(|selector| {
            let signature = IRecordsCalls::signature_by_selector(selector).unwrap();
            (signature.to_owned(), hex::encode(selector))
        })
        .collect();
    assert_eq!(compiled, artifact.method_identifiers);

    let outputs = |name: &str| artifact.abi.function(name).unwrap()[0].outputs.len();
    assert_eq!(outputs("record"), 0);
    assert_eq!(outputs("commitmentOf"), 1);
    assert_eq!(
        IRecords::commitmentOfCall::SIGNATURE,
        "commitmentOf(bytes32)"
    );
}

#[test]
fn errors_are_the_artifacts() {
    let declared: BTreeSet<[u8; 4]> = artifact()
        .abi
        .errors()
        .map(|error| *error.selector())
        .collect();
    assert_eq!(
        declared,
        IRecordsErrors::SELECTORS.iter().copied().collect()
    );
}

#[test]
fn events_are_the_artifacts() {
    let abi = artifact().abi;
    let declared: BTreeSet<[u8; 32]> = abi.events().map(|event| event.selector().0).collect();
    assert_eq!(
        declared,
        IRecordsEvents::SELECTORS.iter().copied().collect()
    );

    // A topic hash does not say which inputs are topics.
    let event = |name: &str| -> Event { abi.event(name).unwrap()[0].clone() };
    let indexed = |name: &str| -> Vec<String> {
        event(name)
            .inputs
            .into_iter()
            .filter(|input| input.indexed)
            .map(|input| input.name)
            .collect()
    };
    assert_eq!(indexed("Recorded"), ["organization"]);
    assert_eq!(indexed("Conflicted"), ["organization", "id"]);
    assert!(!event("Recorded").anonymous && !event("Conflicted").anonymous);

    let [one, two, zero] = [B256::repeat_byte(1), B256::repeat_byte(2), B256::ZERO];
    let conflicted = IRecords::Conflicted {
        organization: one,
        id: two,
        recorded: zero,
        attempted: zero,
    };
    assert_eq!(conflicted.encode_log_data().topics()[1..], [one, two]);
    let recorded = IRecords::Recorded {
        organization: one,
        root: two,
        count: U256::ONE,
        claimed: Bytes::new(),
    };
    assert_eq!(recorded.encode_log_data().topics()[1..], [one]);
}

#[test]
fn storage_is_one_mapping_at_slot_zero() {
    let layout = json!([
        { "label": "_commitments", "slot": "0", "offset": 0, "type": "mapping(bytes32 => bytes32)" }
    ]);
    assert_eq!(artifact().storage_layout, layout);
}

#[test]
fn genesis_code_is_the_artifacts() {
    let code = SystemContract::Records.runtime_code();
    assert_eq!(code, artifact().deployed_bytecode);
    assert!(code.len() <= 24_576, "EIP-170");
}
