//! `ashlar dispute` and `/v1/disputes`, on a network of four organizations.

use crate::{
    governance::{ADMINISTRATOR, gateway, refused, sign},
    network::{Network, ashlar, run, said},
};
use alloy_primitives::{Address, B256, b256};
use client::{
    dispute::{
        AnswerRequest, ClaimRequest, CompensationRequest, Dispute, DisputeSubject, EvidenceRequest,
    },
    gateway::Gateway,
    governance::{StepRequest, VoteRequest},
    members::Members,
};
use tokio::runtime::Runtime;

const TRANSACTION: &str = "0x00000000000000000000000000000000000000000000000000000000000000aa";
const DOCUMENT: &str = "0x00000000000000000000000000000000000000000000000000000000000000bb";
const ANSWER: B256 = B256::repeat_byte(0xcc);
const COMPENSATION: B256 = B256::repeat_byte(0xdd);
/// SHA-256 of "broken seal", by `sha256sum`.
const BROKEN_SEAL: B256 = b256!("6a201debcca866a1aa27940a3c6294851f29eeaaee5971ca3b314439716e67f6");

fn dispute(network: &Network, args: &[&str]) -> Result<String, String> {
    let rpc = network.status["validators"][0]["rpc"].as_str().unwrap();
    run(ashlar(&["dispute", "--rpc", rpc]).args(args))
}

/// As `dispute`, signed by the administrator of an organization.
fn signed(network: &Network, account: &str, args: &[&str]) -> Result<String, String> {
    let (command, rest) = args.split_first().unwrap();
    dispute(
        network,
        &[&[*command, "--dev-account", account], rest].concat(),
    )
}

fn show(network: &Network, number: u64) -> Dispute {
    let json = dispute(network, &["show", &number.to_string(), "--json"]).unwrap();
    serde_json::from_str(&json).unwrap()
}

#[track_caller]
fn says(said: Result<String, String>, expected: &str) {
    let said = said.unwrap_err();
    assert!(said.contains(expected), "{expected:?} is not in: {said}");
}

/// The ids of the organizations, in the order of their names.
fn organizations(network: &Network) -> [String; 4] {
    let rpc = network.status["validators"][0]["rpc"].as_str().unwrap();
    let json = run(&mut ashlar(&["member", "list", "--json", "--rpc", rpc])).unwrap();
    let members: Members = serde_json::from_str(&json).unwrap();
    ["org-1", "org-2", "org-3", "org-4"].map(|name| {
        let mut all = members.organizations.iter();
        all.find(|found| found.name == name).unwrap().id.to_string()
    })
}

#[test]
fn a_claim_is_made_answered_upheld_and_compensated() {
    let network = Network::start_with(&["--validators", "4"]);
    let [first, second, ..] = organizations(&network);
    let none = "No claim was ever made. Make one: ashlar dispute claim --help";
    assert_eq!(dispute(&network, &["list"]).unwrap(), none);
    let claim = |against: &str, subject: [&str; 2]| {
        let about = ["claim", "--against", against, "--evidence", DOCUMENT];
        signed(&network, "0", &[about.as_slice(), &subject].concat())
    };
    let transaction = ["transaction", TRANSACTION];
    says(claim(&first, transaction), "refused: InvalidRespondent");
    says(claim(DOCUMENT, transaction), "refused: InvalidRespondent");
    says(
        claim(&second, ["record", TRANSACTION]),
        "refused: UnknownSubject",
    );
    says(
        dispute(&network, &["show", "1"]),
        "there is no dispute 1. What there is: ashlar dispute list",
    );
    let no_document = ["add-evidence", "1", "letter.pdf", "--dev-account", "0"];
    let (code, text) = said(ashlar(&["dispute"]).args(no_document));
    assert!(
        code == 2 && text.contains("as @FILE for the SHA-256 of a file"),
        "{text}"
    );
    let no_file = ["add-evidence", "1", "@no/such", "--dev-account", "0"];
    let (code, text) = said(ashlar(&["dispute"]).args(no_file));
    assert!(
        code == 2 && text.contains("no/such cannot be read"),
        "{text}"
    );

    let shown = claim(&second, transaction).unwrap();
    for line in [
        "dispute 1 of org-1 against org-2: answering".to_owned(),
        format!("about the transaction {TRANSACTION}"),
        format!("evidence {DOCUMENT}"),
        "no answer; it opens the vote, as does 20".to_owned(),
        "2 of 2 organizations must approve, until 20".to_owned(),
    ] {
        assert!(shown.contains(&line), "{line:?} is not in\n{shown}");
    }
    let file = network.path("seal.txt");
    std::fs::write(&file, "broken seal").unwrap();
    let file = format!("@{}", file.display());
    for (account, args, words) in [
        (
            "2",
            &["add-evidence", "1", DOCUMENT] as &[&str],
            "refused: NotParty",
        ),
        ("0", &["answer", "1", DOCUMENT], "refused: NotParty"),
        ("2", &["uphold", "1"], "refused: dispute 1 is answering"),
        ("2", &["dismiss", "1"], "refused: dispute 1 is answering"),
        ("1", &["withdraw", "1"], "refused: NotParty"),
        (
            "1",
            &["compensate", "1", TRANSACTION],
            "refused: dispute 1 is answering",
        ),
        ("5", &["answer", "1", DOCUMENT], "refused: NotVoter"),
    ] {
        says(signed(&network, account, args), words);
    }
    let shown = signed(&network, "1", &["add-evidence", "1", &file]).unwrap();
    let added = format!("evidence {BROKEN_SEAL} by org-2");
    assert!(shown.contains(&added), "{added:?} is not in\n{shown}");
    let shown = signed(&network, "1", &["answer", "1", &ANSWER.to_string()]).unwrap();
    assert!(shown.contains("org-2: voting"), "{shown}");
    says(
        signed(&network, "0", &["uphold", "1"]),
        "refused: NotEligible",
    );
    says(
        signed(&network, "1", &["dismiss", "1"]),
        "refused: NotEligible",
    );
    signed(&network, "2", &["uphold", "1"]).unwrap();
    says(
        signed(&network, "2", &["dismiss", "1"]),
        "refused: AlreadyVoted",
    );
    let shown = signed(&network, "3", &["uphold", "1"]).unwrap();
    for line in [
        "dispute 1 of org-1 against org-2: upheld",
        "approved by org-4, org-3; rejected by nobody",
        "to be compensated until 20",
    ] {
        let other = line.replace("org-4, org-3", "org-3, org-4");
        assert!(
            shown.contains(line) || shown.contains(&other),
            "{line:?} is not in\n{shown}"
        );
    }
    says(
        signed(&network, "0", &["withdraw", "1"]),
        "refused: dispute 1 is upheld",
    );
    let compensate = ["compensate", "1", TRANSACTION];
    says(signed(&network, "0", &compensate), "refused: NotParty");
    let shown = signed(&network, "1", &compensate).unwrap();
    let line = format!("compensated by the transaction {TRANSACTION}");
    assert!(shown.contains(&line), "{line:?} is not in\n{shown}");
    says(
        signed(&network, "1", &compensate),
        "refused: dispute 1 is compensated",
    );

    let listed = dispute(&network, &["list"]).unwrap();
    let line = format!("1  compensated  org-1 against org-2, about the transaction {TRANSACTION}");
    assert_eq!(listed, line);
    Runtime::new()
        .unwrap()
        .block_on(the_gateway_does_the_same(&network, &gateway(&network)));
}

async fn the_gateway_does_the_same(network: &Network, gateway: &Gateway) {
    let [first, second, third, _] = organizations(network);
    let from = ADMINISTRATOR;
    let stranger = Address::repeat_byte(9);
    network.level().await;
    assert_eq!(gateway.dispute(1).await.unwrap(), show(network, 1));
    let unknown = gateway.dispute(2).await.unwrap_err();
    assert_eq!(unknown.code(), Some("dispute_not_found"));

    // The second dispute: ours, added to, and withdrawn.
    let claim = ClaimRequest {
        from,
        respondent: second.parse().unwrap(),
        subject: DisputeSubject::Transaction {
            hash: TRANSACTION.parse().unwrap(),
        },
        evidence: DOCUMENT.parse().unwrap(),
    };
    let unrecorded = ClaimRequest {
        subject: DisputeSubject::Record { id: ANSWER },
        ..claim.clone()
    };
    let said = refused(gateway.prepare_claim(&unrecorded).await);
    assert!(said.contains("UnknownSubject"), "{said}");
    let prepared = gateway.prepare_claim(&claim).await.unwrap();
    let done = gateway.decide(sign(prepared)).await.unwrap();
    assert_eq!(done.dispute, Some(2));
    let mut evidence = EvidenceRequest {
        from,
        evidence: BROKEN_SEAL,
    };
    let prepared = gateway.prepare_evidence(2, &evidence).await.unwrap();
    gateway.decide(sign(prepared)).await.unwrap();
    let added = gateway.dispute(2).await.unwrap().further_evidence.unwrap();
    let added: Vec<_> = added
        .iter()
        .map(|added| (added.organization.as_str(), added.evidence))
        .collect();
    assert_eq!(added, [("org-1", BROKEN_SEAL)]);
    evidence.from = stranger;
    assert!(refused(gateway.prepare_evidence(2, &evidence).await).contains("NotVoter"));
    let mut answer = AnswerRequest {
        from,
        answer: ANSWER,
    };
    assert!(refused(gateway.prepare_answer(2, &answer).await).contains("NotParty"));
    let mut vote = VoteRequest {
        from,
        approve: true,
    };
    assert!(refused(gateway.prepare_ruling(2, &vote).await).contains("dispute 2 is answering"));
    let compensation = CompensationRequest {
        from,
        transaction: COMPENSATION,
    };
    let said = refused(gateway.prepare_compensation(2, &compensation).await);
    assert!(said.contains("dispute 2 is answering"), "{said}");
    let step = StepRequest { from };
    let prepared = gateway.prepare_claim_withdrawal(2, &step).await.unwrap();
    gateway.decide(sign(prepared)).await.unwrap();
    assert_eq!(gateway.dispute(2).await.unwrap().state, "withdrawn");
    let said = refused(gateway.prepare_claim_withdrawal(2, &step).await);
    assert!(said.contains("dispute 2 is withdrawn"), "{said}");

    // The third: against us, answered, upheld, compensated.
    network.level().await;
    let against = ["claim", "--against", &first, "--evidence", DOCUMENT];
    let about = ["transaction", TRANSACTION];
    signed(network, "1", &[against.as_slice(), &about].concat()).unwrap();
    network.level().await;
    let prepared = gateway.prepare_answer(3, &answer).await.unwrap();
    gateway.decide(sign(prepared)).await.unwrap();
    answer.answer = COMPENSATION;
    assert!(refused(gateway.prepare_answer(3, &answer).await).contains("dispute 3 is voting"));
    assert!(refused(gateway.prepare_ruling(3, &vote).await).contains("NotEligible"));
    network.level().await;
    for judge in ["2", "3"] {
        signed(network, judge, &["uphold", "3"]).unwrap();
    }
    network.level().await;
    let prepared = gateway
        .prepare_compensation(3, &compensation)
        .await
        .unwrap();
    gateway.decide(sign(prepared)).await.unwrap();
    let found = gateway.dispute(3).await.unwrap();
    assert_eq!(found.state, "compensated");
    assert_eq!(found.answer, Some(ANSWER));
    assert_eq!(found.compensation, Some(COMPENSATION));

    // The fourth: of others, which we dismiss.
    network.level().await;
    let against = ["claim", "--against", &third, "--evidence", DOCUMENT];
    signed(network, "1", &[against.as_slice(), &about].concat()).unwrap();
    signed(network, "2", &["answer", "4", DOCUMENT]).unwrap();
    network.level().await;
    vote.approve = false;
    let prepared = gateway.prepare_ruling(4, &vote).await.unwrap();
    gateway.decide(sign(prepared)).await.unwrap();
    let found = gateway.dispute(4).await.unwrap();
    assert_eq!(
        (found.state.as_str(), found.vote.rejected),
        ("dismissed", vec!["org-1".to_owned()])
    );
    assert!(refused(gateway.prepare_ruling(4, &vote).await).contains("dispute 4 is dismissed"));

    let page = gateway.disputes(Some(4)).await.unwrap();
    let numbers = page.disputes.iter().map(|dispute| dispute.number);
    assert_eq!(numbers.collect::<Vec<_>>(), [3, 2, 1]);
}
