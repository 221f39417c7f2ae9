//! What can be decided, against the contracts themselves, executed by revm.

use crate::{chain::Chain, member};
use alloy_json_abi::JsonAbi;
use alloy_primitives::{Address, B256, Bytes, FixedBytes, U256};
use alloy_sol_types::{SolCall, SolError, SolInterface, sol};
use contracts::{
    SystemContract,
    abi::{
        IDisputes::{IDisputesCalls, IDisputesErrors, IDisputesEvents},
        IGovernance::{self, IGovernanceCalls, IGovernanceErrors, IGovernanceEvents},
        IMembers::{IMembersCalls, IMembersErrors},
        IOperations::{IOperationsCalls, IOperationsErrors, IOperationsEvents},
        IParameters::{IParametersCalls, IParametersErrors},
        IPause::{IPauseCalls, IPauseErrors, IPauseEvents},
        IStake::{IStakeCalls, IStakeErrors},
        ISuccession::{ISuccessionCalls, ISuccessionErrors, ISuccessionEvents},
        IUpgrades::{IUpgradesCalls, IUpgradesErrors},
    },
    governance::{Action, Parameter, UnknownAction, refusal},
};
use serde::Deserialize;
use std::collections::BTreeSet;

sol! {
    struct Raw { uint8 kind; bytes arguments; }
    interface Described {
        function callOf(Raw calldata action) external pure returns (address target, bytes memory data, bool critical);
    }
}

fn actions() -> Vec<(Action, SystemContract, bool)> {
    let organization = B256::repeat_byte(7);
    let account = Address::repeat_byte(8);
    let mut actions = vec![
        (
            Action::AddOrganization {
                organization,
                name: "seventh".to_owned(),
                administrator: account,
                validator_limit: 3,
            },
            SystemContract::Members,
            true,
        ),
        (
            Action::SuspendOrganization(organization),
            SystemContract::Members,
            true,
        ),
        (
            Action::ReinstateOrganization(organization),
            SystemContract::Members,
            true,
        ),
        (
            Action::RemoveOrganization(organization),
            SystemContract::Members,
            true,
        ),
        (
            Action::SetValidatorLimit {
                organization,
                limit: 9,
            },
            SystemContract::Members,
            true,
        ),
        (
            Action::AppointAdministrator {
                organization,
                account,
            },
            SystemContract::Members,
            true,
        ),
        (
            Action::ScheduleFork {
                fork: organization,
                height: 5_000,
            },
            SystemContract::Upgrades,
            true,
        ),
        (
            Action::CancelFork(organization),
            SystemContract::Upgrades,
            true,
        ),
        (
            Action::SetMinimumVersion {
                version: 2,
                height: 6_000,
            },
            SystemContract::Upgrades,
            true,
        ),
        (Action::CloseNetwork, SystemContract::Succession, true),
        (Action::ReopenNetwork, SystemContract::Succession, true),
        (
            Action::NameSuccessor {
                identity: FixedBytes::repeat_byte(0x9a),
                chain_id: 7_001,
                genesis: organization,
            },
            SystemContract::Succession,
            true,
        ),
    ];
    actions.extend(Parameter::ALL.map(|parameter| {
        let value = U256::from(parameter as u8) + U256::ONE;
        let critical = parameter >= Parameter::VotingPeriod;
        let action = Action::SetParameter { parameter, value };
        (action, SystemContract::Parameters, critical)
    }));
    actions
}

#[test]
fn actions_are_what_the_contract_calls() {
    let mut chain = Chain::new();
    for (action, contract, critical) in actions() {
        let encoded = action.encode();
        assert_eq!(Action::decode(&encoded), Ok(action.clone()));
        let call = Described::callOfCall {
            action: Raw {
                kind: encoded.kind,
                arguments: encoded.arguments.clone(),
            },
        };
        let data = call.abi_encode().into();
        let result = chain.send(Address::ZERO, SystemContract::Governance, data);
        let called = Described::callOfCall::abi_decode_returns(result.output().unwrap()).unwrap();
        assert_eq!(called.target, contract.address(), "{action}");
        assert_eq!(called.critical, critical, "{action}");
        assert_eq!(called.data[4..], encoded.arguments[..], "{action}");
        // The selector is that of the function with the action's arguments.
        let known = IMembersCalls::abi_decode(&called.data).is_ok()
            || IParametersCalls::abi_decode(&called.data).is_ok()
            || ISuccessionCalls::abi_decode(&called.data).is_ok()
            || IUpgradesCalls::abi_decode(&called.data).is_ok();
        assert!(known, "{action}");
        let mut damaged = encoded;
        if damaged.arguments.is_empty() {
            continue;
        }
        damaged.arguments = damaged.arguments[..16].to_vec().into();
        let unknown = UnknownAction { kind: damaged.kind };
        assert_eq!(Action::decode(&damaged), Err(unknown), "{action}");
    }
    let later = IGovernance::Action {
        kind: 14,
        arguments: Bytes::new(),
    };
    assert_eq!(Action::decode(&later), Err(UnknownAction { kind: 14 }));
}

#[test]
fn parameters_are_found_by_name() {
    for parameter in Parameter::ALL {
        assert_eq!(parameter.to_string().parse(), Ok(parameter));
        assert_eq!(parameter.to_string().to_lowercase().parse(), Ok(parameter));
    }
    assert!("Gas".parse::<Parameter>().is_err());
}

#[test]
fn refusals_are_told_in_the_contracts_words() {
    let mut chain = member::founded(&member::charter());
    let mut simulate = |action: Action| {
        let call = IGovernance::simulateCall {
            actions: vec![action.encode()],
        };
        let data = call.abi_encode().into();
        let result = chain.send(Address::repeat_byte(1), SystemContract::Governance, data);
        result.output().cloned().unwrap_or_default()
    };
    let set = |value: u64| Action::SetParameter {
        parameter: Parameter::BlockGas,
        value: U256::from(value),
    };
    let refused = refusal(SystemContract::Governance, &simulate(set(1))).unwrap();
    assert_eq!(
        refused,
        "action 1: OutOfBounds { parameter: 0, value: 1, least: 30000000, greatest: 1000000000 }"
    );
    let unknown = Action::RemoveOrganization(B256::repeat_byte(0xfe));
    let refused = refusal(SystemContract::Governance, &simulate(unknown)).unwrap();
    assert!(
        refused.starts_with("action 1: WrongStatus { organization: 0xfefe"),
        "{refused}"
    );
    // What it would be, if it can be.
    let outlook = simulate(set(50_000_000));
    let seen = IGovernance::Simulated::abi_decode(&outlook)
        .unwrap()
        .outlook;
    assert_eq!(
        (seen.organizations, seen.validators, seen.faults),
        (U256::from(2), U256::from(4), U256::ONE)
    );
    assert_eq!(refusal(SystemContract::Governance, b"other"), None);
}

#[derive(Deserialize)]
struct Artifact {
    abi: JsonAbi,
}

/// Every function, error and event that we declare is one of the contract's.
#[test]
fn interfaces_are_those_of_the_artifacts() {
    declared(
        include_str!("../../../../contracts/artifacts/Governance.json"),
        IGovernanceCalls::SELECTORS,
        IGovernanceErrors::SELECTORS,
        IGovernanceEvents::SELECTORS,
    );
    declared(
        include_str!("../../../../contracts/artifacts/Members.json"),
        IMembersCalls::SELECTORS,
        IMembersErrors::SELECTORS,
        &[],
    );
    declared(
        include_str!("../../../../contracts/artifacts/Parameters.json"),
        IParametersCalls::SELECTORS,
        IParametersErrors::SELECTORS,
        &[],
    );
    declared(
        include_str!("../../../../contracts/artifacts/Pause.json"),
        IPauseCalls::SELECTORS,
        IPauseErrors::SELECTORS,
        IPauseEvents::SELECTORS,
    );
    declared(
        include_str!("../../../../contracts/artifacts/Disputes.json"),
        IDisputesCalls::SELECTORS,
        IDisputesErrors::SELECTORS,
        IDisputesEvents::SELECTORS,
    );
    declared(
        include_str!("../../../../contracts/artifacts/Operations.json"),
        IOperationsCalls::SELECTORS,
        IOperationsErrors::SELECTORS,
        IOperationsEvents::SELECTORS,
    );
    declared(
        include_str!("../../../../contracts/artifacts/Stake.json"),
        IStakeCalls::SELECTORS,
        IStakeErrors::SELECTORS,
        &[],
    );
    declared(
        include_str!("../../../../contracts/artifacts/Succession.json"),
        ISuccessionCalls::SELECTORS,
        ISuccessionErrors::SELECTORS,
        ISuccessionEvents::SELECTORS,
    );
    declared(
        include_str!("../../../../contracts/artifacts/Upgrades.json"),
        IUpgradesCalls::SELECTORS,
        IUpgradesErrors::SELECTORS,
        &[],
    );
}

fn declared(artifact: &str, functions: &[[u8; 4]], errors: &[[u8; 4]], events: &[[u8; 32]]) {
    let Artifact { abi } = serde_json::from_str(artifact).unwrap();
    let known: BTreeSet<[u8; 4]> = abi
        .functions()
        .map(|function| *function.selector())
        .collect();
    assert!(functions.iter().all(|selector| known.contains(selector)));
    let known: BTreeSet<[u8; 4]> = abi.errors().map(|error| *error.selector()).collect();
    assert!(errors.iter().all(|selector| known.contains(selector)));
    let known: BTreeSet<[u8; 32]> = abi.events().map(|event| event.selector().0).collect();
    assert!(events.iter().all(|selector| known.contains(selector)));
}
