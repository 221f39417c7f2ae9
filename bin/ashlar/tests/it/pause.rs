//! `ashlar pause` and `/v1/pauses`, on a network of four organizations.

use crate::{
    governance::{ADMINISTRATOR, gateway, refused, sign},
    network::{Network, ashlar, run, said},
};
use alloy_primitives::{Address, B256};
use client::{
    governance::StepRequest,
    pause::{Motion, MotionRequest, PauseSubject, ProposedMotion},
};
use tokio::runtime::Runtime;

const CONTRACT: &str = "0x00000000000000000000000000000000000000Cc";
const GOVERNANCE: &str = "0x4153484c41520000000000000000000000000003";
const NOBODY: &str = "0x00000000000000000000000000000000000000000000000000000000000000ff";

fn pause(network: &Network, args: &[&str]) -> Result<String, String> {
    let rpc = network.status["validators"][0]["rpc"].as_str().unwrap();
    run(ashlar(&["pause", "--rpc", rpc]).args(args))
}

/// A motion, signed by the administrator of an organization.
fn motion(network: &Network, account: &str, args: &[&str]) -> Result<String, String> {
    let (command, subject) = args.split_first().unwrap();
    pause(
        network,
        &[&[*command, "--dev-account", account], subject].concat(),
    )
}

fn approve(network: &Network, account: &str, number: &str) -> Result<String, String> {
    pause(network, &["approve", number, "--dev-account", account])
}

fn show(network: &Network, number: &str) -> Motion {
    let json = pause(network, &["show", number, "--json"]).unwrap();
    serde_json::from_str(&json).unwrap()
}

#[track_caller]
fn says(said: Result<String, String>, expected: &str) {
    let said = said.unwrap_err();
    assert!(said.contains(expected), "{expected:?} is not in: {said}");
}

#[test]
fn what_is_stopped_goes_on_when_its_pause_is_lifted() {
    let network = Network::start_with(&["--validators", "4"]);
    let none = "No motion was ever made. Make one: ashlar pause stop --help";
    assert_eq!(pause(&network, &["list"]).unwrap(), none);
    says(
        pause(&network, &["stop", "--for", "2h", "contract", CONTRACT]),
        "who decides? Name a key with --key-file FILE",
    );
    for (account, args, words) in [
        (
            "5",
            &["stop", "--for", "2h", "deployments"] as &[&str],
            "refused: NotVoter",
        ),
        (
            "0",
            &["stop", "--for", "2h", "contract", GOVERNANCE],
            "refused: InvalidSubject { scope: 1",
        ),
        (
            "0",
            &["stop", "--for", "2h", "organization", NOBODY],
            "refused: InvalidSubject { scope: 2",
        ),
        ("5", &["lift", "deployments"], "refused: NotVoter"),
        (
            "0",
            &["lift", "contract", GOVERNANCE],
            "refused: InvalidSubject { scope: 1",
        ),
    ] {
        says(motion(&network, account, args), words);
    }
    let rpc = network.status["validators"][0]["rpc"].as_str().unwrap();
    for wrong in ["8days", "0s", "1500ms", "soon"] {
        let args = ["pause", "--rpc", rpc, "stop", "--for", wrong, "deployments"];
        let (code, text) = said(&mut ashlar(&args));
        assert!(code == 2 && text.contains("--for"), "{text}");
    }
    says(approve(&network, "1", "1"), "refused: UnknownMotion");
    says(
        pause(&network, &["show", "1"]),
        "there is no motion 1. What there is: ashlar pause list",
    );

    let stop = ["stop", "--for", "2h", "contract", CONTRACT];
    let shown = motion(&network, "0", &stop).unwrap();
    for line in [
        "motion 1 of org-1: open",
        "stop calls of the contract 0x00000000000000000000000000000000000000cc for 7200 s",
        "approved by org-1; rejected by nobody",
        "3 of 4 organizations must approve, until 20",
    ] {
        let shown = shown.to_lowercase();
        assert!(shown.contains(line), "{line:?} is not in\n{shown}");
    }
    says(approve(&network, "0", "1"), "refused: AlreadyVoted");
    says(approve(&network, "5", "1"), "refused: NotVoter");
    approve(&network, "1", "1").unwrap();
    assert_eq!(show(&network, "1").paused_until, None);
    let shown = approve(&network, "2", "1").unwrap();
    assert!(shown.contains("motion 1 of org-1: carried"), "{shown}");
    assert!(shown.contains("stopped until 20"), "{shown}");
    says(approve(&network, "3", "1"), "refused: BallotNotOpen");

    let carried = show(&network, "1");
    assert!(carried.paused_until.is_some());
    let listed = pause(&network, &["list"]).unwrap();
    assert!(
        listed.starts_with("1  carried  3 of 3 approve  stop calls of the contract"),
        "{listed}"
    );
    assert!(listed.contains("; stopped until 20"), "{listed}");

    the_gateway_lifts_it(&network, &carried);
}

fn the_gateway_lifts_it(network: &Network, carried: &Motion) {
    let gateway = gateway(network);
    let subject = PauseSubject::Contract {
        address: CONTRACT.parse().unwrap(),
    };
    let moved = |motion| MotionRequest {
        from: ADMINISTRATOR,
        motion,
    };
    let step = StepRequest {
        from: ADMINISTRATOR,
    };
    Runtime::new().unwrap().block_on(async {
        network.level().await;
        assert_eq!(gateway.motion(1).await.unwrap(), *carried);
        let page = gateway.motions(None).await.unwrap();
        assert_eq!(
            (page.motions, page.next_before),
            (vec![carried.clone()], None)
        );
        let unknown = gateway.motion(2).await.unwrap_err();
        assert_eq!(unknown.code(), Some("motion_not_found"));

        let organization = PauseSubject::Organization {
            id: B256::repeat_byte(9),
        };
        for (motion, words) in [
            (
                ProposedMotion::Pause {
                    subject,
                    seconds: 0,
                },
                "InvalidDuration { duration: 0",
            ),
            (
                ProposedMotion::Pause {
                    subject: organization,
                    seconds: 1,
                },
                "InvalidSubject { scope: 2",
            ),
            (
                ProposedMotion::Lift {
                    subject: organization,
                },
                "InvalidSubject { scope: 2",
            ),
        ] {
            let said = refused(gateway.prepare_motion(&moved(motion)).await);
            assert!(said.contains(words), "{said}");
        }
        let stranger = MotionRequest {
            from: Address::repeat_byte(9),
            motion: ProposedMotion::Lift { subject },
        };
        assert!(refused(gateway.prepare_motion(&stranger).await).contains("NotVoter"));
        assert!(refused(gateway.prepare_approval(1, &step).await).contains("BallotNotOpen"));
        assert!(refused(gateway.prepare_approval(9, &step).await).contains("UnknownMotion"));

        let lift = moved(ProposedMotion::Lift { subject });
        let prepared = gateway.prepare_motion(&lift).await.unwrap();
        let done = gateway.decide(sign(prepared)).await.unwrap();
        assert_eq!((done.motion, done.proposal), (Some(2), None));
        network.level().await;
        approve(network, "1", "2").unwrap();
        approve(network, "2", "2").unwrap();
        network.level().await;
        let lifted = gateway.motion(2).await.unwrap();
        assert_eq!(lifted.motion, ProposedMotion::Lift { subject });
        assert_eq!(
            (lifted.state.as_str(), lifted.paused_until),
            ("carried", None)
        );
        assert_eq!(gateway.motion(1).await.unwrap().paused_until, None);

        // Another organization's, approved over the gateway.
        motion(network, "3", &["stop", "--for", "1day", "deployments"]).unwrap();
        network.level().await;
        let prepared = gateway.prepare_approval(3, &step).await.unwrap();
        gateway.decide(sign(prepared)).await.unwrap();
        let found = gateway.motion(3).await.unwrap();
        assert_eq!(found.vote.approved.len(), 2);
        assert_eq!(found.state, "open");
        let page = gateway.motions(Some(3)).await.unwrap();
        let numbers = page.motions.iter().map(|motion| motion.number);
        assert_eq!(numbers.collect::<Vec<_>>(), [2, 1]);
    });
}
