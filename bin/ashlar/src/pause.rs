//! `ashlar pause`: what is stopped for a time.

use crate::{
    ask::ask,
    cli::{PauseArgs, PauseCommand, SignerArgs},
    shown::{Votes, plain, time},
    wallet::Wallet,
};
use alloy_primitives::U256;
use anyhow::{Context as _, Result};
use client::{
    governance::GovernanceError,
    pause::{Motion, ProposedMotion},
    rpc::Nodes,
};
use contracts::{SystemContract, abi::IPause};

/// `ashlar pause`.
pub fn pause(args: &PauseArgs) -> Result<()> {
    ask(&args.node, async |nodes| match &args.command {
        PauseCommand::List { json } => list(nodes, *json).await,
        PauseCommand::Show { motion, json } => show(nodes, *motion, *json).await,
        PauseCommand::Stop {
            seconds,
            signer,
            subject,
        } => {
            let pause = ProposedMotion::Pause {
                subject: (*subject).into(),
                seconds: *seconds,
            };
            propose(nodes, signer, pause).await
        }
        PauseCommand::Lift { signer, subject } => {
            let lift = ProposedMotion::Lift {
                subject: (*subject).into(),
            };
            propose(nodes, signer, lift).await
        }
        PauseCommand::Approve { motion, signer } => approve(nodes, signer, *motion).await,
    })
}

async fn propose(nodes: &Nodes, signer: &SignerArgs, motion: ProposedMotion) -> Result<()> {
    let wallet = Wallet::open(signer)?;
    let prepared = motion.prepare(nodes, wallet.address()).await?;
    let done = wallet.submit(nodes, prepared).await?;
    let number = done.motion.context("the transaction made no motion")?;
    show(nodes, number, false).await
}

async fn approve(nodes: &Nodes, signer: &SignerArgs, number: u64) -> Result<()> {
    let call = IPause::approveCall {
        motion: U256::from(number),
    };
    let wallet = Wallet::open(signer)?;
    wallet.send(nodes, SystemContract::Pause, &call).await?;
    show(nodes, number, false).await
}

async fn list(nodes: &Nodes, json: bool) -> Result<()> {
    let count = Motion::count(nodes).await?;
    if count == 0 && !json {
        println!("No motion was ever made. Make one: ashlar pause stop --help");
        return Ok(());
    }
    for number in (1..=count).rev() {
        let found = Motion::read(nodes, number).await?;
        if json {
            println!("{}", serde_json::to_string(&found)?);
            continue;
        }
        let until = found.paused_until.map(time);
        let until = until.map_or(String::new(), |until| format!("; stopped until {until}"));
        println!(
            "{number:>4}  {:<7}  {} of {} approve  {}{until}",
            found.state,
            found.vote.approved.len(),
            found.vote.required,
            plain(&found.description)
        );
    }
    Ok(())
}

async fn show(nodes: &Nodes, number: u64, json: bool) -> Result<()> {
    let found = Motion::read(nodes, number).await;
    let found = found.map_err(|error| match error {
        GovernanceError::NoMotion(_) => {
            anyhow::anyhow!("{error}. What there is: ashlar pause list")
        }
        other => other.into(),
    })?;
    if json {
        println!("{}", serde_json::to_string(&found)?);
        return Ok(());
    }
    let (proposer, state) = (plain(&found.proposer), &found.state);
    println!("motion {number} of {proposer}: {state}");
    println!("  {}", plain(&found.description));
    print!("{}", Votes(&found.vote));
    if let Some(until) = found.paused_until {
        println!("  stopped until {}", time(until));
    }
    Ok(())
}
