//! `ashlar dispute`: claims of one organization against another.

use crate::{
    ask::ask,
    cli::{DisputeArgs, DisputeCommand, SignerArgs},
    shown::{Votes, plain, time},
    wallet::Wallet,
};
use alloy_primitives::{B256, U256};
use alloy_sol_types::SolCall;
use anyhow::{Context as _, Result};
use client::{
    dispute::{Dispute, DisputeSubject},
    governance::GovernanceError,
    rpc::Nodes,
};
use contracts::{SystemContract, abi::IDisputes, dispute::Subject, governance::Choice};

const DISPUTES: SystemContract = SystemContract::Disputes;

/// `ashlar dispute`.
pub fn dispute(args: &DisputeArgs) -> Result<()> {
    ask(&args.node, async |nodes| match &args.command {
        DisputeCommand::List { json } => list(nodes, *json).await,
        DisputeCommand::Show { dispute, json } => show(nodes, *dispute, *json).await,
        DisputeCommand::Claim {
            against,
            evidence,
            signer,
            subject,
        } => claim(nodes, signer, *against, (*subject).into(), *evidence).await,
        DisputeCommand::AddEvidence {
            dispute,
            document,
            signer,
        } => {
            let call = |dispute| IDisputes::addEvidenceCall {
                dispute,
                evidence: *document,
            };
            step(nodes, signer, *dispute, call).await
        }
        DisputeCommand::Answer {
            dispute,
            document,
            signer,
        } => {
            let call = |dispute| IDisputes::answerCall {
                dispute,
                answer_: *document,
            };
            step(nodes, signer, *dispute, call).await
        }
        DisputeCommand::Uphold { dispute, signer } => {
            vote(nodes, signer, *dispute, Choice::Approve).await
        }
        DisputeCommand::Dismiss { dispute, signer } => {
            vote(nodes, signer, *dispute, Choice::Reject).await
        }
        DisputeCommand::Withdraw { dispute, signer } => {
            let call = |dispute| IDisputes::withdrawCall { dispute };
            step(nodes, signer, *dispute, call).await
        }
        DisputeCommand::Compensate {
            dispute,
            transaction,
            signer,
        } => {
            let call = |dispute| IDisputes::compensateCall {
                dispute,
                transaction: *transaction,
            };
            step(nodes, signer, *dispute, call).await
        }
    })
}

async fn claim(
    nodes: &Nodes,
    signer: &SignerArgs,
    respondent: B256,
    subject: DisputeSubject,
    evidence: B256,
) -> Result<()> {
    let (kind, subject) = Subject::from(subject).encode();
    let call = IDisputes::claimCall {
        respondent,
        kind,
        subject,
        evidence,
    };
    let done = Wallet::open(signer)?.send(nodes, DISPUTES, &call).await?;
    let number = done.dispute.context("the transaction made no claim")?;
    show(nodes, number, false).await
}

async fn vote(nodes: &Nodes, signer: &SignerArgs, number: u64, choice: Choice) -> Result<()> {
    let call = |dispute| IDisputes::voteCall {
        dispute,
        choice: choice as u8,
    };
    step(nodes, signer, number, call).await
}

/// Sends a transaction about a dispute, and shows how that stands then.
async fn step<C: SolCall>(
    nodes: &Nodes,
    signer: &SignerArgs,
    number: u64,
    call: impl FnOnce(U256) -> C,
) -> Result<()> {
    let call = call(U256::from(number));
    Wallet::open(signer)?.send(nodes, DISPUTES, &call).await?;
    show(nodes, number, false).await
}

async fn list(nodes: &Nodes, json: bool) -> Result<()> {
    let count = Dispute::count(nodes).await?;
    if count == 0 && !json {
        println!("No claim was ever made. Make one: ashlar dispute claim --help");
        return Ok(());
    }
    for number in (1..=count).rev() {
        let found = Dispute::read(nodes, number).await?;
        if json {
            println!("{}", serde_json::to_string(&found)?);
            continue;
        }
        println!(
            "{number:>4}  {:<11}  {} against {}, about {}",
            found.state,
            plain(&found.claimant),
            plain(&found.respondent),
            Subject::from(found.subject)
        );
    }
    Ok(())
}

async fn show(nodes: &Nodes, number: u64, json: bool) -> Result<()> {
    let found = Dispute::read(nodes, number).await;
    let found = found.map_err(|error| match error {
        GovernanceError::NoDispute(_) => {
            anyhow::anyhow!("{error}. What there is: ashlar dispute list")
        }
        other => other.into(),
    })?;
    if json {
        println!("{}", serde_json::to_string(&found)?);
        return Ok(());
    }
    println!(
        "dispute {number} of {} against {}: {}",
        plain(&found.claimant),
        plain(&found.respondent),
        found.state
    );
    println!("  about {}", Subject::from(found.subject));
    println!("  evidence {}", found.evidence);
    match &found.further_evidence {
        Some(added) => {
            for evidence in added {
                let by = plain(&evidence.organization);
                println!("  evidence {} by {by}", evidence.evidence);
            }
        }
        None => println!(
            "  what evidence was added this node has no more: ask one that keeps all blocks"
        ),
    }
    match found.answer {
        Some(answer) => println!("  answer {answer}"),
        None => println!(
            "  no answer; it opens the vote, as does {}",
            time(found.voting_from)
        ),
    }
    println!("\nvote: to approve is to uphold the claim");
    print!("{}", Votes(&found.vote));
    match (found.compensation, found.compensation_ends) {
        (Some(transaction), _) => println!("\ncompensated by the transaction {transaction}"),
        (None, Some(ends)) => println!("\nto be compensated until {}", time(ends)),
        (None, None) => {}
    }
    Ok(())
}
