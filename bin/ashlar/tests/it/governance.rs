use crate::network::{Network, ashlar, run};
use alloy_consensus::{SignableTransaction as _, TxEip1559, TxEnvelope};
use alloy_eips::eip2718::Encodable2718 as _;
use alloy_primitives::{Address, B256, Bytes, TxKind, address, b256};
use alloy_signer::SignerSync as _;
use alloy_signer_local::PrivateKeySigner;
use client::{
    gateway::{Gateway, GatewayError},
    governance::{ProposalRequest, ProposedAction, StepRequest, Unsigned, VoteRequest},
    members::{AccountRequest, NodeRequest, NodeRole, Permission},
};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

/// The id of the only organization of a network with one validator: the address of the first development account.
const FIRST: &str = "0x000000000000000000000000f39fd6e51aad88f6f4ce6ab8827279cfffb92266";
const NOBODY: &str = "0x00000000000000000000000000000000000000000000000000000000000000ff";
const ACCOUNT: &str = "0x00000000000000000000000000000000000000fe";

/// The first development account, which administers that organization.
pub const ADMINISTRATOR: Address = address!("f39Fd6e51aad88F6F4ce6aB8827279cffFb92266");
const ADMINISTRATOR_KEY: B256 =
    b256!("ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80");

/// Runs `ashlar gov`; gives standard output, or standard error if it fails.
fn gov(network: &Network, args: &[&str]) -> Result<String, String> {
    let rpc = network.status["validators"][0]["rpc"].as_str().unwrap();
    run(ashlar(&["gov", "--rpc", rpc]).args(args))
}

/// As `gov`, signed by the first development account.
fn signed(network: &Network, args: &[&str]) -> Result<String, String> {
    let (command, rest) = args.split_first().unwrap();
    gov(network, &[&[*command, "--dev-account", "0"], rest].concat())
}

#[test]
fn a_proposal_is_made_shown_and_accepted() {
    let network = Network::start();
    let nothing = "No proposal was ever made. Make one: ashlar gov propose --help";
    assert_eq!(gov(&network, &["list"]).unwrap(), nothing);
    let unsigned = gov(
        &network,
        &["propose", "set-parameter", "BlockGas", "50000000"],
    );
    assert!(
        unsigned
            .unwrap_err()
            .contains("who decides? Name a key with --key-file FILE")
    );

    let why = [
        "propose",
        "--why",
        "smaller blocks",
        "set-parameter",
        "blockgas",
        "50000000",
    ];
    let shown = signed(&network, &why).unwrap();
    for line in [
        "proposal 1 of org-1: voting",
        "\"smaller blocks\"",
        "set BlockGas to 50000000 gas (now 100000000)",
        "1 of 1 organizations must approve, until 20",
        "can be executed 1day after it is accepted, for 14days",
        "can halt it alone now: org-1; after it: org-1",
    ] {
        assert!(shown.contains(line), "{line:?} is not in\n{shown}");
    }
    signed(&network, &["approve", "1"]).unwrap();
    let shown: Value =
        serde_json::from_str(&gov(&network, &["show", "1", "--json"]).unwrap()).unwrap();
    assert_eq!(shown["state"], "waiting");
    assert_eq!(shown["vote"]["approved"], serde_json::json!(["org-1"]));
    assert_eq!(shown["after"], shown["now"]);
    let listed = gov(&network, &["list"]).unwrap();
    assert!(
        listed.starts_with("1  waiting     1 of 1 approve, 0 reject  set BlockGas"),
        "{listed}"
    );

    the_gateway_says_the_same(&network, &shown);

    for (args, said) in [
        (["approve", "1"], "error: refused: proposal 1 is waiting"),
        (["execute", "1"], "error: refused: proposal 1 is waiting"),
        (["cancel", "1"], "error: refused: proposal 1 is waiting"),
        (
            ["show", "2"],
            "error: there is no proposal 2. What there is: ashlar gov list",
        ),
    ] {
        let args = args.as_slice();
        let said_now = if args[0] == "show" {
            gov(&network, args)
        } else {
            signed(&network, args)
        };
        assert_eq!(said_now.unwrap_err(), said);
    }
    let again = ["set-parameter", "BlockGas", "60000000"];
    let other = gov(
        &network,
        &[&["propose", "--dev-account", "5"], again.as_slice()].concat(),
    );
    let other = other.unwrap_err();
    assert!(
        other.starts_with("error: refused: NotVoter { account: 0x9965"),
        "{other}"
    );
    let close = ["propose", "--dev-account", "5", "close-network"];
    let other = gov(&network, &close).unwrap_err();
    assert!(other.starts_with("error: refused: NotVoter"), "{other}");
}

pub fn gateway(network: &Network) -> Gateway {
    let url = network.status["gateway"]["url"].as_str().unwrap();
    let api_key = network.status["api_key"].as_str().unwrap();
    Gateway::new(url, api_key).unwrap()
}

/// What the gateway says when it refuses for the contract.
pub fn refused(prepared: Result<Unsigned, GatewayError>) -> String {
    let error = prepared.unwrap_err();
    assert_eq!(error.code(), Some("governance_refused"), "{error}");
    error.to_string()
}

/// As a wallet does it.
pub fn sign(unsigned: Unsigned) -> Bytes {
    let transaction = TxEip1559 {
        chain_id: unsigned.chain_id.to(),
        nonce: unsigned.nonce.to(),
        gas_limit: unsigned.gas.to(),
        max_fee_per_gas: unsigned.max_fee_per_gas.to(),
        to: TxKind::Call(unsigned.to),
        value: unsigned.value,
        input: unsigned.data,
        ..TxEip1559::default()
    };
    let wallet = PrivateKeySigner::from_bytes(&ADMINISTRATOR_KEY).unwrap();
    let signature = wallet
        .sign_hash_sync(&transaction.signature_hash())
        .unwrap();
    TxEnvelope::from(transaction.into_signed(signature))
        .encoded_2718()
        .into()
}

#[test]
fn decisions_are_made_over_rest() {
    let network = Network::start();
    let gateway = gateway(&network);
    let from = ADMINISTRATOR;
    Runtime::new().unwrap().block_on(async {
        let request = ProposalRequest {
            from,
            description: "smaller blocks".to_owned(),
            actions: vec![ProposedAction::SetParameter {
                parameter: "BlockGas".to_owned(),
                value: "50000000".parse().unwrap(),
            }],
        };
        let prepared = gateway.prepare_proposal(&request).await.unwrap();
        let done = gateway.decide(sign(prepared)).await.unwrap();
        assert_eq!(done.proposal, Some(1));
        let approve = VoteRequest {
            from,
            approve: true,
        };
        let stranger = VoteRequest {
            from: Address::repeat_byte(9),
            ..approve.clone()
        };
        assert!(refused(gateway.prepare_vote(1, &stranger).await).contains("NotVoter"));
        let step = StepRequest { from };
        assert!(
            refused(gateway.prepare_execution(1, &step).await).contains("proposal 1 is voting")
        );
        let prepared = gateway.prepare_vote(1, &approve).await.unwrap();
        let signed = sign(prepared);
        gateway.decide(signed.clone()).await.unwrap();
        let again = gateway.decide(signed).await.unwrap_err();
        assert_eq!(again.code(), Some("transaction_refused"), "{again}");
        assert_eq!(gateway.proposal(1).await.unwrap().state, "waiting");
        assert!(refused(gateway.prepare_vote(1, &approve).await).contains("proposal 1 is waiting"));
        assert!(refused(gateway.prepare_cancel(1, &step).await).contains("proposal 1 is waiting"));

        let prepared = gateway.prepare_proposal(&request).await.unwrap();
        assert_eq!(
            gateway.decide(sign(prepared)).await.unwrap().proposal,
            Some(2)
        );
        let prepared = gateway.prepare_cancel(2, &step).await.unwrap();
        gateway.decide(sign(prepared)).await.unwrap();
        assert_eq!(gateway.proposal(2).await.unwrap().state, "canceled");

        let node = NodeRequest {
            from,
            key: B256::repeat_byte(7),
            role: NodeRole::Observer,
        };
        let prepared = gateway.prepare_node(&node).await.unwrap();
        gateway.decide(sign(prepared)).await.unwrap();
        let members = gateway.members().await.unwrap();
        let nodes = &members.organizations[0].nodes;
        assert!(
            nodes
                .iter()
                .any(|listed| listed.key == node.key && listed.role == "observer")
        );
        let foreign = NodeRequest {
            from: Address::repeat_byte(9),
            ..node
        };
        refused(gateway.prepare_node(&foreign).await);

        let account = AccountRequest {
            from,
            account: Address::repeat_byte(8),
            permissions: vec![Permission::Transact, Permission::Deploy],
        };
        let foreign = AccountRequest {
            from: Address::repeat_byte(9),
            ..account.clone()
        };
        let said = refused(gateway.prepare_account(&foreign).await);
        assert!(said.contains("NotAdministrator"), "{said}");
        let prepared = gateway.prepare_account(&account).await.unwrap();
        gateway.decide(sign(prepared)).await.unwrap();
        let gone = AccountRequest {
            permissions: vec![],
            ..account
        };
        let prepared = gateway.prepare_account(&gone).await.unwrap();
        gateway.decide(sign(prepared)).await.unwrap();
        let said = refused(gateway.prepare_account(&gone).await);
        assert!(said.contains("UnknownAccount"), "{said}");

        // A transfer is nobody's decision.
        let mut prepared = gateway
            .prepare_node(&NodeRequest {
                role: NodeRole::None,
                from,
                key: B256::repeat_byte(7),
            })
            .await
            .unwrap();
        prepared.to = Address::repeat_byte(9);
        let error = gateway.decide(sign(prepared)).await.unwrap_err();
        assert_eq!(error.code(), Some("field_invalid"));
        let error = gateway
            .decide(Bytes::from_static(b"no transaction"))
            .await
            .unwrap_err();
        assert_eq!(error.code(), Some("field_invalid"));
    });
}

fn the_gateway_says_the_same(network: &Network, shown: &Value) {
    let gateway = gateway(network);
    let runtime = Runtime::new().unwrap();
    let found = runtime.block_on(gateway.proposal(1)).unwrap();
    assert_eq!(serde_json::to_value(&found).unwrap(), *shown);
    let page = runtime.block_on(gateway.proposals(None)).unwrap();
    assert_eq!((page.proposals, page.next_before), (vec![found], None));
    let page = runtime.block_on(gateway.proposals(Some(1))).unwrap();
    assert!(page.proposals.is_empty());
    let unknown = runtime.block_on(gateway.proposal(2)).unwrap_err();
    assert_eq!(unknown.code(), Some("proposal_not_found"));
}

#[test]
fn what_cannot_be_done_is_not_proposed() {
    let network = Network::start();
    let long = "n".repeat(32);
    let identity = format!("0x8{}", "0".repeat(191));
    let refused: [(&[&str], &str); 14] = [
        (
            &["add-organization", FIRST, "again", ACCOUNT, "1"],
            "WrongStatus",
        ),
        (
            &["add-organization", NOBODY, &long, ACCOUNT, "1"],
            "InvalidName { length: 32 }",
        ),
        (&["suspend-organization", FIRST], "LastOrganization"),
        (&["reinstate-organization", FIRST], "WrongStatus"),
        (
            &["remove-organization", FIRST],
            "TooFewValidators { left: 0, floor: 1 }",
        ),
        (&["set-validator-limit", NOBODY, "1"], "WrongStatus"),
        (&["appoint-administrator", NOBODY, ACCOUNT], "WrongStatus"),
        (
            &["set-parameter", "BlockGas", "1"],
            "OutOfBounds { parameter: 0, value: 1",
        ),
        (
            &["set-parameter", "Threshold", "9000"],
            "OutOfBounds { parameter: 15, value: 9000",
        ),
        (&["schedule-fork", NOBODY, "1"], "TooSoon { height: 1"),
        (&["cancel-fork", NOBODY], "NotScheduled"),
        (&["set-minimum-version", "2", "1"], "TooSoon { height: 1"),
        (&["reopen-network"], "NotClosed"),
        (&["name-successor", &identity, "7001", NOBODY], "NotClosed"),
    ];
    for (action, reason) in refused {
        let said = signed(&network, &[&["propose"], action].concat()).unwrap_err();
        let expected = format!("error: refused: action 1: {reason}");
        assert!(said.starts_with(&expected), "{action:?}: {said}");
    }
    the_gateway_refuses_the_same(&network, &long, &identity);
    assert!(gov(&network, &["list", "--json"]).unwrap().is_empty());
}

fn the_gateway_refuses_the_same(network: &Network, long: &str, identity: &str) {
    let gateway = gateway(network);
    let runtime = Runtime::new().unwrap();
    let (first, nobody) = (FIRST, NOBODY);
    for (action, reason) in [
        (
            json!({"type": "add_organization", "organization": first, "name": "again", "administrator": ACCOUNT, "validator_limit": 1}),
            "WrongStatus",
        ),
        (
            json!({"type": "add_organization", "organization": nobody, "name": long, "administrator": ACCOUNT, "validator_limit": 1}),
            "InvalidName { length: 32 }",
        ),
        (
            json!({"type": "suspend_organization", "organization": first}),
            "LastOrganization",
        ),
        (
            json!({"type": "reinstate_organization", "organization": first}),
            "WrongStatus",
        ),
        (
            json!({"type": "remove_organization", "organization": first}),
            "TooFewValidators { left: 0, floor: 1 }",
        ),
        (
            json!({"type": "set_validator_limit", "organization": nobody, "limit": 1}),
            "WrongStatus",
        ),
        (
            json!({"type": "appoint_administrator", "organization": nobody, "account": ACCOUNT}),
            "WrongStatus",
        ),
        (
            json!({"type": "set_parameter", "parameter": "BlockGas", "value": "1"}),
            "OutOfBounds { parameter: 0, value: 1",
        ),
        (
            json!({"type": "set_parameter", "parameter": "Threshold", "value": "9000"}),
            "OutOfBounds { parameter: 15, value: 9000",
        ),
        (
            json!({"type": "schedule_fork", "fork": nobody, "height": 1}),
            "TooSoon { height: 1",
        ),
        (
            json!({"type": "cancel_fork", "fork": nobody}),
            "NotScheduled",
        ),
        (
            json!({"type": "set_minimum_version", "version": 2, "height": 1}),
            "TooSoon { height: 1",
        ),
        (json!({"type": "reopen_network"}), "NotClosed"),
        (
            json!({"type": "name_successor", "identity": identity, "chain_id": 7_001, "genesis": nobody}),
            "NotClosed",
        ),
    ] {
        let request = ProposalRequest {
            from: ADMINISTRATOR,
            description: String::new(),
            actions: vec![serde_json::from_value(action.clone()).unwrap()],
        };
        let said = refused(runtime.block_on(gateway.prepare_proposal(&request)));
        assert!(
            said.contains(&format!("action 1: {reason}")),
            "{action}: {said}"
        );
    }
    let unknown = ProposalRequest {
        from: ADMINISTRATOR,
        description: String::new(),
        actions: vec![ProposedAction::SetParameter {
            parameter: "Weather".to_owned(),
            value: "1".parse().unwrap(),
        }],
    };
    let error = runtime
        .block_on(gateway.prepare_proposal(&unknown))
        .unwrap_err();
    assert_eq!(error.code(), Some("field_invalid"));
}
