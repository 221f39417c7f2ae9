//! `ashlar gov`: what the organizations decide together.

mod proposal;
mod wallet;

use crate::cli::{GovArgs, GovCommand, SignerArgs};
use alloy_primitives::{B256, Bytes, U256};
use alloy_sol_types::SolCall;
use anyhow::{Context as _, Result, anyhow, bail};
use client::rpc::{Nodes, RpcError};
use contracts::{
    SystemContract,
    abi::{IGovernance, IMembers},
    governance::{Action, refusal},
};
use proposal::Proposal;
use serde::Serialize;
use serde_json::json;
use std::{collections::BTreeMap, fmt::Display, time::Duration};
use wallet::Wallet;

/// How long a node may take for one answer: longer than a transaction is waited for.
const TIMEOUT: Duration = Duration::from_secs(30);

/// `ashlar gov`.
pub fn govern(args: &GovArgs) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let network = Network(Nodes::new(std::slice::from_ref(&args.rpc), TIMEOUT)?);
        match &args.command {
            GovCommand::List { json } => list(&network, *json).await,
            GovCommand::Show { proposal, json } => {
                let found = Proposal::read(&network, *proposal).await?;
                print(&found, *json)
            }
            GovCommand::Propose {
                why,
                signer,
                action,
            } => propose(&network, signer, why, &action.clone().into()).await,
            GovCommand::Approve { proposal, signer } => {
                vote(&network, signer, *proposal, APPROVE).await
            }
            GovCommand::Reject { proposal, signer } => {
                vote(&network, signer, *proposal, REJECT).await
            }
            GovCommand::Cancel { proposal, signer } => {
                let call = IGovernance::cancelCall {
                    proposal: U256::from(*proposal),
                };
                decide(&network, signer, *proposal, &call).await
            }
            GovCommand::Execute { proposal, signer } => {
                let call = IGovernance::executeCall {
                    proposal: U256::from(*proposal),
                };
                decide(&network, signer, *proposal, &call).await
            }
        }
    })
}

/// Values of `IBallots.Choice`.
const APPROVE: u8 = 1;
const REJECT: u8 = 2;

async fn vote(network: &Network, signer: &SignerArgs, proposal: u64, choice: u8) -> Result<()> {
    let call = IGovernance::voteCall {
        proposal: U256::from(proposal),
        choice,
    };
    decide(network, signer, proposal, &call).await
}

/// Sends a transaction about a proposal, and shows how that stands then.
async fn decide<C: SolCall>(
    network: &Network,
    signer: &SignerArgs,
    proposal: u64,
    call: &C,
) -> Result<()> {
    let wallet = Wallet::open(signer)?;
    wallet.send(network, call).await?;
    print(&Proposal::read(network, proposal).await?, false)
}

async fn propose(network: &Network, signer: &SignerArgs, why: &str, action: &Action) -> Result<()> {
    let wallet = Wallet::open(signer)?;
    let actions = vec![action.encode()];
    // Said now rather than when the vote is over.
    network.outlook_after(actions.clone()).await?;
    let call = IGovernance::proposeCall {
        actions,
        description: why.to_owned(),
    };
    let logs = wallet.send(network, &call).await?;
    let number = logs
        .iter()
        .find_map(proposal::number)
        .context("the transaction made no proposal")?;
    print(&Proposal::read(network, number).await?, false)
}

async fn list(network: &Network, json: bool) -> Result<()> {
    let count = network
        .ask(SystemContract::Governance, &IGovernance::proposalsCall {})
        .await?;
    let count: u64 = count.saturating_to();
    if count == 0 && !json {
        println!("No proposal was ever made. Make one: ashlar gov propose --help");
        return Ok(());
    }
    for number in (1..=count).rev() {
        let found = Proposal::read(network, number).await?;
        if json {
            println!("{}", serde_json::to_string(&found)?);
        } else {
            println!("{}", found.line());
        }
    }
    Ok(())
}

fn print(found: &(impl Serialize + Display), json: bool) -> Result<()> {
    if json {
        println!("{}", serde_json::to_string(found)?);
    } else {
        println!("{found}");
    }
    Ok(())
}

/// The network, as one node tells of it.
struct Network(Nodes);

impl Network {
    /// Calls a view of a system contract.
    async fn ask<C: SolCall>(&self, contract: SystemContract, call: &C) -> Result<C::Return> {
        let data = self.call(contract, call).await.map_err(told)?;
        C::abi_decode_returns(&data).with_context(|| {
            format!("{contract:?} did not answer: does this network have the governing contracts?")
        })
    }

    async fn call<C: SolCall>(
        &self,
        contract: SystemContract,
        call: &C,
    ) -> Result<Bytes, RpcError> {
        let data = Bytes::from(call.abi_encode());
        let request = json!({ "to": contract.address(), "data": data });
        self.0.call("eth_call", (request, "latest")).await
    }

    /// What the network would look like after these actions.
    ///
    /// # Errors
    /// Why they cannot be done now.
    async fn outlook_after(
        &self,
        actions: Vec<IGovernance::Action>,
    ) -> Result<IGovernance::Outlook> {
        let call = IGovernance::simulateCall { actions };
        match self.call(SystemContract::Governance, &call).await {
            Err(RpcError::Refused {
                revert: Some(revert),
                ..
            }) => outlook(&revert).ok_or_else(|| anyhow!(said(&revert))),
            Err(error) => Err(error.into()),
            Ok(_) => bail!("Governance did not simulate: does this network have it?"),
        }
    }

    /// The names of all organizations.
    async fn names(&self) -> Result<BTreeMap<B256, String>> {
        let all = IMembers::organizationsCall {};
        let mut names = BTreeMap::new();
        for organization in self.ask(SystemContract::Members, &all).await? {
            let call = IMembers::organizationAtCall { organization };
            let found = self.ask(SystemContract::Members, &call).await?;
            names.insert(organization, found.name);
        }
        Ok(names)
    }
}

fn outlook(revert: &[u8]) -> Option<IGovernance::Outlook> {
    use alloy_sol_types::SolError as _;
    let simulated = IGovernance::Simulated::abi_decode(revert).ok()?;
    Some(simulated.outlook)
}

fn said(revert: &[u8]) -> String {
    let said = refusal(revert);
    let said = said.unwrap_or_else(|| format!("reverted with {}", Bytes::copy_from_slice(revert)));
    format!("refused: {said}")
}

/// An error in the words of the contract that refused, if it was one.
fn told(error: RpcError) -> anyhow::Error {
    match error {
        RpcError::Refused {
            revert: Some(revert),
            ..
        } => anyhow!(said(&revert)),
        other => other.into(),
    }
}
