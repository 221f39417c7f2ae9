//! `ashlar gov`: what the organizations decide together.

mod shown;

use crate::{
    ask::ask,
    cli::{GovArgs, GovCommand, SignerArgs},
    wallet::Wallet,
};
use alloy_primitives::U256;
use alloy_sol_types::SolCall;
use anyhow::{Context as _, Result};
use client::{
    governance::{Governance, GovernanceError, Proposal},
    rpc::Nodes,
};
use contracts::{
    SystemContract,
    abi::IGovernance,
    governance::{Action, Choice},
};
use shown::{Shown, line};

/// `ashlar gov`.
pub fn govern(args: &GovArgs) -> Result<()> {
    ask(&args.node, async |nodes| match &args.command {
        GovCommand::List { json } => list(nodes, *json).await,
        GovCommand::Show { proposal, json } => {
            let found = read(nodes, *proposal).await?;
            print(&found, *json)
        }
        GovCommand::Propose {
            why,
            signer,
            action,
        } => propose(nodes, signer, why, &action.clone().into()).await,
        GovCommand::Approve { proposal, signer } => {
            vote(nodes, signer, *proposal, Choice::Approve).await
        }
        GovCommand::Reject { proposal, signer } => {
            vote(nodes, signer, *proposal, Choice::Reject).await
        }
        GovCommand::Cancel { proposal, signer } => {
            let call = IGovernance::cancelCall {
                proposal: U256::from(*proposal),
            };
            decide(nodes, signer, *proposal, &call).await
        }
        GovCommand::Execute { proposal, signer } => {
            let call = IGovernance::executeCall {
                proposal: U256::from(*proposal),
            };
            decide(nodes, signer, *proposal, &call).await
        }
    })
}

async fn vote(nodes: &Nodes, signer: &SignerArgs, proposal: u64, choice: Choice) -> Result<()> {
    let call = IGovernance::voteCall {
        proposal: U256::from(proposal),
        choice: choice as u8,
    };
    decide(nodes, signer, proposal, &call).await
}

/// Sends a transaction about a proposal, and shows how that stands then.
async fn decide<C: SolCall>(
    nodes: &Nodes,
    signer: &SignerArgs,
    proposal: u64,
    call: &C,
) -> Result<()> {
    let wallet = Wallet::open(signer)?;
    wallet.send(nodes, SystemContract::Governance, call).await?;
    print(&read(nodes, proposal).await?, false)
}

async fn propose(nodes: &Nodes, signer: &SignerArgs, why: &str, action: &Action) -> Result<()> {
    let wallet = Wallet::open(signer)?;
    // Said now rather than when the vote is over.
    Governance(nodes)
        .try_out(std::slice::from_ref(action))
        .await?;
    let call = IGovernance::proposeCall {
        actions: vec![action.encode()],
        description: why.to_owned(),
    };
    let done = wallet
        .send(nodes, SystemContract::Governance, &call)
        .await?;
    let number = done.proposal.context("the transaction made no proposal")?;
    print(&read(nodes, number).await?, false)
}

async fn list(nodes: &Nodes, json: bool) -> Result<()> {
    let governance = Governance(nodes);
    let count = governance.count().await?;
    if count == 0 && !json {
        println!("No proposal was ever made. Make one: ashlar gov propose --help");
        return Ok(());
    }
    for number in (1..=count).rev() {
        let found = governance.proposal(number).await?;
        if json {
            println!("{}", serde_json::to_string(&found)?);
        } else {
            println!("{}", line(&found));
        }
    }
    Ok(())
}

async fn read(nodes: &Nodes, number: u64) -> Result<Proposal> {
    let found = Governance(nodes).proposal(number).await;
    found.map_err(|error| match error {
        GovernanceError::NoProposal(_) => {
            anyhow::anyhow!("{error}. What there is: ashlar gov list")
        }
        other => other.into(),
    })
}

fn print(found: &Proposal, json: bool) -> Result<()> {
    if json {
        println!("{}", serde_json::to_string(found)?);
    } else {
        println!("{}", Shown(found));
    }
    Ok(())
}
