use crate::network::{Network, ashlar, run};
use client::gateway::Gateway;
use serde_json::Value;
use tokio::runtime::Runtime;

/// The id of the only organization of a network with one validator: the address of the first development account.
const FIRST: &str = "0x000000000000000000000000f39fd6e51aad88f6f4ce6ab8827279cfffb92266";
const NOBODY: &str = "0x00000000000000000000000000000000000000000000000000000000000000ff";
const ACCOUNT: &str = "0x00000000000000000000000000000000000000fe";

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
}

fn the_gateway_says_the_same(network: &Network, shown: &Value) {
    let url = network.status["gateway"]["url"].as_str().unwrap();
    let api_key = network.status["api_key"].as_str().unwrap();
    let gateway = Gateway::new(url, api_key).unwrap();
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
    let refused: [(&[&str], &str); 12] = [
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
    ];
    for (action, reason) in refused {
        let said = signed(&network, &[&["propose"], action].concat()).unwrap_err();
        let expected = format!("error: refused: action 1: {reason}");
        assert!(said.starts_with(&expected), "{action:?}: {said}");
    }
    assert!(gov(&network, &["list", "--json"]).unwrap().is_empty());
}
