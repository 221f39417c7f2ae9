//! `ashlar stake` and `/v1/stake`, on networks whose validators are chosen by bond, and on one whose are not.

use crate::{
    governance::{ADMINISTRATOR, gateway, refused, sign},
    network::{Network, Service, ashlar, run, said, until},
};
use alloy_primitives::{U64, U256};
use client::{
    rpc::{Nodes, TIMEOUT_DEFAULT},
    stake::{BondRequest, Stake, UnbondRequest, WithdrawRequest},
};
use std::net::TcpListener;
use tokio::runtime::Runtime;

/// A key of which `ashlar network join` might have made the private part: the base point of ed25519.
const KEY: &str = "0x5866666666666666666666666666666666666666666666666666666666666666";
const ETHER: u128 = 1_000_000_000_000_000_000;

fn bonded(validators: &str) -> Network {
    Network::start_with(&["--validators", validators, "--bonded"])
}

fn stake(network: &Network, args: &[&str]) -> Result<String, String> {
    let rpc = network.status["validators"][0]["rpc"].as_str().unwrap();
    run(ashlar(&["stake", "--rpc", rpc]).args(args))
}

/// As `stake`, signed by a development account.
fn signed(network: &Network, account: &str, args: &[&str]) -> Result<String, String> {
    stake(network, &[args, &["--dev-account", account]].concat())
}

fn read(network: &Network) -> Stake {
    serde_json::from_str(&stake(network, &["show", "--json"]).unwrap()).unwrap()
}

#[track_caller]
fn says(said: Result<String, String>, expected: &str) {
    let said = said.unwrap_err();
    assert!(said.contains(expected), "{expected:?} is not in: {said}");
}

#[test]
fn bonds_are_made_shown_taken_back_and_withdrawn() {
    let network = bonded("1");
    let founder = read(&network).candidates[0].key.to_string();
    says(
        stake(&network, &["bond", KEY, "2ether"]),
        "who decides? Name a key with --key-file FILE",
    );
    let not_a_key = KEY.replace("6666", "5555");
    for (account, args, words) in [
        (
            "5",
            &["bond", &not_a_key, "2ether"] as &[&str],
            "is no ed25519 public key",
        ),
        (
            "5",
            &["bond", KEY, "0.5ether"],
            "refused: BondTooLow { bond: 500000000000000000, least: 1000000000000000000 }",
        ),
        ("5", &["bond", KEY, "0"], "refused: ZeroAmount"),
        ("5", &["bond", &founder, "2ether"], "refused: NotOwner"),
        ("5", &["unbond", KEY], "refused: UnknownCandidate"),
        ("5", &["withdraw"], "nothing to withdraw: unbond first"),
        (
            "0",
            &["unbond", &founder],
            "refused: TooFewCandidates { left: 0, floor: 1 }",
        ),
        ("0", &["unbond", &founder, "5ether"], "refused: NotEnough"),
        // It has ten thousand.
        ("5", &["bond", KEY, "20000ether"], "insufficient funds"),
    ] {
        says(signed(&network, account, args), words);
    }

    let shown = signed(&network, "5", &["bond", KEY, "2.5ether"]).unwrap();
    for part in [
        "32 seats; a validator bonds at least 1 ether; what is unbonded is held for 10s",
        "3.5 ether in 2 bonds, 0 ether unbonded; a change now would sign from epoch 3 on, block 1800",
    ] {
        assert!(shown.contains(part), "{part:?} is not in\n{shown}");
    }
    let first = shown.lines().nth(1).unwrap();
    assert!(
        first.contains(KEY) && first.contains("2.5 ether  of 0x9965"),
        "{first}"
    );
    assert!(
        first.contains("  seat ") && first.ends_with("signs, once the change is announced"),
        "{first}"
    );
    says(
        signed(&network, "5", &["unbond", KEY, "2ether"]),
        "refused: BondTooLow",
    );
    says(signed(&network, "4", &["unbond", KEY]), "refused: NotOwner");
    signed(&network, "5", &["bond", KEY, "0.5ether"]).unwrap();
    assert_eq!(read(&network).candidates[0].bond, U256::from(3 * ETHER));

    // The founder's can leave now, and it is the candidate whose node never ran that would be left.
    let part = signed(&network, "5", &["unbond", KEY, "1ether"]).unwrap();
    assert!(
        part.starts_with("1 ether can be withdrawn from 20"),
        "{part}"
    );
    let rest = signed(&network, "5", &["unbond", KEY]).unwrap();
    assert!(
        rest.starts_with("3 ether can be withdrawn from 20"),
        "{rest}"
    );
    let left = read(&network);
    assert_eq!(left.candidates.len(), 1);
    assert_eq!(left.unbonding_total, U256::from(3 * ETHER));
    let early = signed(&network, "5", &["withdraw"]).unwrap_err();
    assert!(
        early.contains("3 ether cannot be withdrawn before 20") && early.contains("TooEarly"),
        "{early}"
    );
    let paid = Runtime::new()
        .unwrap()
        .block_on(until(async || signed(&network, "5", &["withdraw"])));
    assert!(paid.starts_with("withdrew 3 ether to 0x9965"), "{paid}");
    assert!(read(&network).unbonding_total.is_zero());
}

#[test]
fn bonds_are_made_over_rest() {
    let network = bonded("1");
    let gateway = gateway(&network);
    let (from, key) = (ADMINISTRATOR, KEY.parse().unwrap());
    Runtime::new().unwrap().block_on(async {
        let bond = BondRequest {
            from,
            key,
            amount: U256::from(2 * ETHER),
        };
        let little = BondRequest {
            amount: U256::ONE,
            ..bond.clone()
        };
        assert!(refused(gateway.prepare_bond(&little).await).contains("BondTooLow"));
        let prepared = gateway.prepare_bond(&bond).await.unwrap();
        assert_eq!(prepared.value, bond.amount);
        gateway.decide(sign(prepared)).await.unwrap();
        let found = gateway.stake().await.unwrap();
        assert_eq!(found, read(&network));
        assert_eq!(found.candidates[0].key, key);
        assert!(found.bonded && found.candidates.iter().all(|each| each.elected));

        let unbond = UnbondRequest {
            from,
            key,
            amount: U256::from(3 * ETHER),
        };
        assert!(refused(gateway.prepare_unbonding(&unbond).await).contains("NotEnough"));
        let all = UnbondRequest {
            amount: bond.amount,
            ..unbond
        };
        let prepared = gateway.prepare_unbonding(&all).await.unwrap();
        gateway.decide(sign(prepared)).await.unwrap();
        let withdraw = WithdrawRequest { from };
        assert!(refused(gateway.prepare_withdrawal(&withdraw).await).contains("TooEarly"));
        let prepared = until(async || gateway.prepare_withdrawal(&withdraw).await).await;
        gateway.decide(sign(prepared)).await.unwrap();
        assert!(refused(gateway.prepare_withdrawal(&withdraw).await).contains("NothingUnbonded"));
        let found = gateway.stake().await.unwrap();
        assert_eq!(
            (found.candidates.len(), found.unbonding_total),
            (1, U256::ZERO)
        );
    });
}

#[test]
fn what_governance_shows_counts_seats_and_their_holders() {
    let network = bonded("4");
    let rpc = network.status["validators"][0]["rpc"].as_str().unwrap();
    let gov = |args: &[&str]| run(ashlar(&["gov", "--rpc", rpc]).args(args)).unwrap();
    let row = |shown: &str, label: &str| {
        let line = shown.lines().find(|line| line.starts_with(label));
        let words = line.unwrap()[label.len()..].split_whitespace();
        words.map(str::to_owned).collect::<Vec<_>>()
    };
    let fewer = ["set-parameter", "StakeValidators", "3"];
    let shown = gov(&[&["propose", "--dev-account", "0"], fewer.as_slice()].concat());
    assert_eq!(row(&shown, "  validators"), ["4", "3"]);
    assert_eq!(row(&shown, "    that may fail (f)"), ["1", "0"]);
    // Nobody has two of four seats, and everybody one of three. Of equal bonds the highest key has no seat.
    let last = read(&network).candidates[3].owner;
    assert!(
        shown.contains("can halt it alone now: nobody; after it: org-"),
        "{shown}"
    );
    assert_eq!(
        shown.matches(" org-").count(),
        3 + 1,
        "three, and the proposer\n{shown}"
    );
    assert!(
        shown.contains("other validators would sign from epoch 3 on"),
        "{shown}"
    );

    // Another validator for the first organization: it holds two of five.
    signed(&network, "0", &["bond", KEY, "2ether"]).unwrap();
    let shown = gov(&["show", "1"]);
    assert_eq!(row(&shown, "  validators"), ["5", "3"]);
    assert!(
        shown.contains("can halt it alone now: org-1; after it: org-1"),
        "{shown}"
    );
    assert!(
        read(&network)
            .candidates
            .iter()
            .any(|each| each.owner == last)
    );
}

#[test]
fn a_network_of_members_takes_no_bonds() {
    let mut network = Network::start();
    let advice = "validators are chosen by its members";
    says(stake(&network, &["show"]), advice);
    says(signed(&network, "0", &["bond", KEY, "2ether"]), advice);
    says(signed(&network, "0", &["unbond", KEY]), advice);
    says(signed(&network, "0", &["withdraw"]), advice);
    assert!(!read(&network).bonded);
    let gateway = gateway(&network);
    let request = BondRequest {
        from: ADMINISTRATOR,
        key: KEY.parse().unwrap(),
        amount: U256::from(ETHER),
    };
    let prepared = Runtime::new()
        .unwrap()
        .block_on(gateway.prepare_bond(&request));
    assert!(refused(prepared).contains("NotBonded"));
    network.stop();
    let dir = network.dir();
    let (code, text) = said(&mut ashlar(&["up", "--bonded", "--dir", dir]));
    assert!(
        code == 1 && text.contains("leave --bonded out to resume it"),
        "{text}"
    );
}

/// An address that nobody uses.
fn free() -> String {
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    socket.local_addr().unwrap().to_string()
}

#[tokio::test]
async fn a_node_is_let_in_when_somebody_bonds_on_it() {
    let network = bonded("1");
    let config = network.path("validators/0/node.toml");
    let passport = run(ashlar(&["network", "invite", "--config"]).arg(config)).unwrap();
    let file = network.path("passport.json");
    std::fs::write(&file, passport).unwrap();
    let (dir, rpc) = (network.path("newcomer"), free());
    let key = run(ashlar(&["network", "join"])
        .arg(&file)
        .args(["--listen", &free(), "--rpc", &rpc, "--replay", "--dir"])
        .arg(&dir))
    .unwrap();
    let _newcomer = Service::start("node", &dir.join("node.toml"));
    let rpc = format!("http://{rpc}");
    let nodes = |url: &str| Nodes::new(&[url.to_owned()], TIMEOUT_DEFAULT).unwrap();
    let ours = nodes(network.status["validators"][0]["rpc"].as_str().unwrap());
    let theirs = nodes(&rpc);
    let height = async |nodes: &Nodes| nodes.call::<U64>("eth_blockNumber", [(); 0]).await;
    let alone = until(
        async || match (height(&ours).await, height(&theirs).await) {
            (Ok(ours), Ok(theirs)) if ours >= U64::from(4) => Ok(theirs),
            heights => Err(heights),
        },
    )
    .await;
    assert!(alone.is_zero(), "nobody lets it in");
    let shown = signed(&network, "5", &["bond", &key, "2ether"]).unwrap();
    assert!(shown.contains(&key), "{shown}");
    let goal = height(&ours).await.unwrap();
    until(async || match height(&theirs).await {
        Ok(height) if height >= goal => Ok(()),
        other => Err(other),
    })
    .await;
    let found = run(&mut ashlar(&["doctor", "--rpc", &rpc])).unwrap();
    let line = found
        .lines()
        .find(|line| line.contains("membership"))
        .unwrap();
    assert!(
        line.starts_with("ok") && line.contains("number 1 of 2 by bond: signs, once"),
        "{line}"
    );
}
