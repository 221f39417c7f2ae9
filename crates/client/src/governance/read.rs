//! Reading what was proposed, from one of several nodes. They are believed.

use super::{Ballot, EpochStart, Outlook, Proposal, Vote};
use crate::{
    node::{self, Committee, Upgrades},
    rpc::{Nodes, RpcError},
};
use alloy_primitives::{Address, B256, Bytes, U64, U256};
use alloy_sol_types::{SolCall, SolError as _, SolEvent as _};
use contracts::{
    SystemContract,
    abi::{IGovernance, IMembers, IParameters},
    governance::{Action, Choice, refusal, state as state_name},
    member::{BONDED, VALIDATORS_MAX},
};
use serde::Deserialize;
use serde_json::json;
use std::collections::BTreeMap;

/// Why something about governance is not known, or not done.
#[derive(Debug, thiserror::Error)]
pub enum GovernanceError {
    /// No node answered.
    #[error(transparent)]
    Rpc(#[from] RpcError),
    /// A contract refused, in its words.
    #[error("refused: {0}")]
    Refused(String),
    /// There is no proposal with this number.
    #[error("there is no proposal {0}")]
    NoProposal(u64),
    /// There is no motion with this number.
    #[error("there is no motion {0}")]
    NoMotion(u64),
    /// There is no dispute with this number.
    #[error("there is no dispute {0}")]
    NoDispute(u64),
    /// The network has no such contract, or another one than ours.
    #[error("{0:?} did not answer as it should: this network has no governing contracts")]
    NotGoverned(SystemContract),
}

impl GovernanceError {
    /// The words of the contract that was called, if it was that which refused.
    pub(super) fn by(contract: SystemContract, error: RpcError) -> Self {
        match error {
            RpcError::Refused {
                revert: Some(revert),
                ..
            } => Self::Refused(said(contract, &revert)),
            other => Self::Rpc(other),
        }
    }
}

fn said(contract: SystemContract, revert: &Bytes) -> String {
    refusal(contract, revert).unwrap_or_else(|| format!("reverted with {revert}"))
}

/// The governing contracts of a network.
#[derive(Clone, Copy, Debug)]
pub struct Governance<'a>(pub &'a Nodes);

/// States in which a proposal's actions may still be done.
const AHEAD: [&str; 3] = ["voting", "waiting", "executable"];
const APPROVED: u8 = Choice::Approve as u8;
const REJECTED: u8 = Choice::Reject as u8;

#[derive(Deserialize)]
struct Logged {
    topics: Vec<B256>,
    data: Bytes,
}

#[derive(Deserialize)]
struct Latest {
    timestamp: U64,
}

impl Governance<'_> {
    /// How many proposals were ever made.
    ///
    /// # Errors
    /// [`GovernanceError`].
    pub async fn count(&self) -> Result<u64, GovernanceError> {
        let count = self
            .ask(SystemContract::Governance, &IGovernance::proposalsCall {})
            .await?;
        Ok(count.saturating_to())
    }

    /// A proposal, and what it would lead to.
    ///
    /// # Errors
    /// [`GovernanceError`].
    pub async fn proposal(&self, number: u64) -> Result<Proposal, GovernanceError> {
        let governance = SystemContract::Governance;
        let proposal = U256::from(number);
        let state = self
            .ask(governance, &IGovernance::stateOfCall { proposal })
            .await?;
        let state = state_name(state);
        if state == "none" {
            return Err(GovernanceError::NoProposal(number));
        }
        let names = self.names().await?;
        let found = self
            .ask(governance, &IGovernance::proposalAtCall { proposal })
            .await?;
        let tally = self
            .ask(governance, &IGovernance::tallyOfCall { proposal })
            .await?;
        let encoded = self
            .ask(governance, &IGovernance::actionsOfCall { proposal })
            .await?;
        let choice = |organization| IGovernance::choiceOfCall {
            proposal,
            organization,
        };
        let ballot = self.ballot(governance, &names, &tally, choice).await?;
        let mut actions = Vec::with_capacity(encoded.len());
        for action in &encoded {
            actions.push(self.describe(&names, action).await?);
        }
        let now = self.ask(governance, &IGovernance::outlookCall {}).await?;
        let seen = Seen {
            names: &names,
            holders: self.holders(&names).await?,
        };
        let (mut after, mut impossible) = (None, None);
        if AHEAD.contains(&state) {
            match self.outlook_after(encoded).await {
                Ok(outlook) => after = Some(seen.outlook(outlook)),
                Err(GovernanceError::Refused(reason)) => impossible = Some(reason),
                Err(error) => return Err(error),
            }
        }
        let now = seen.outlook(now);
        let changes = |after: &Outlook| after.validators != now.validators;
        let validators_change = if after.as_ref().is_some_and(changes) {
            Some(self.validators_change().await?)
        } else {
            None
        };
        let executable_from: u64 = found.executableFrom.to();
        Ok(Proposal {
            number,
            state: state.to_owned(),
            proposer: names.of(found.proposer),
            description: self.description(proposal, tally.snapshot.to()).await?,
            actions,
            vote: Vote {
                ballot,
                executable_from: (executable_from > 0).then_some(executable_from),
                timelock: found.timelock,
                window: found.window,
            },
            now,
            after,
            validators_change,
            impossible,
        })
    }

    /// Tries actions out, as if they were decided.
    ///
    /// # Errors
    /// [`GovernanceError::Refused`] when they cannot be done now.
    pub async fn try_out(&self, actions: &[Action]) -> Result<(), GovernanceError> {
        let actions = actions.iter().map(Action::encode).collect();
        self.outlook_after(actions).await.map(drop)
    }

    /// From when on validators sign that `Members` has now.
    async fn validators_change(&self) -> Result<EpochStart, GovernanceError> {
        let nothing: [u8; 0] = [];
        let committee: Committee = self.0.call(node::VALIDATORS, nothing).await?;
        let epoch = committee.changes_sign_from.to();
        Ok(EpochStart {
            epoch,
            block: committee.first_block_of(epoch),
        })
    }

    /// Which rules are decided, and what the node's program knows.
    async fn upgrades(&self) -> Result<Upgrades, GovernanceError> {
        let nothing: [u8; 0] = [];
        Ok(self.0.call(node::UPGRADES, nothing).await?)
    }

    /// Calls a view of a system contract.
    pub(crate) async fn ask<C: SolCall>(
        &self,
        contract: SystemContract,
        call: &C,
    ) -> Result<C::Return, GovernanceError> {
        let data = self.call(contract, call).await;
        let data = data.map_err(|error| GovernanceError::by(contract, error))?;
        C::abi_decode_returns(&data).map_err(|_| GovernanceError::NotGoverned(contract))
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

    async fn outlook_after(
        &self,
        actions: Vec<IGovernance::Action>,
    ) -> Result<IGovernance::Outlook, GovernanceError> {
        let call = IGovernance::simulateCall { actions };
        let contract = SystemContract::Governance;
        match self.call(contract, &call).await {
            Err(RpcError::Refused {
                revert: Some(revert),
                ..
            }) => match IGovernance::Simulated::abi_decode(&revert) {
                Ok(simulated) => Ok(simulated.outlook),
                Err(_) => Err(GovernanceError::Refused(said(contract, &revert))),
            },
            Err(error) => Err(error.into()),
            // It always reverts.
            Ok(_) => Err(GovernanceError::NotGoverned(contract)),
        }
    }

    /// What the organizations said, of which `choice` asks.
    pub(crate) async fn ballot<C: SolCall<Return = u8>>(
        &self,
        contract: SystemContract,
        names: &Names,
        tally: &IGovernance::Tally,
        choice: impl Fn(B256) -> C,
    ) -> Result<Ballot, GovernanceError> {
        let (mut approved, mut rejected) = (Vec::new(), Vec::new());
        for (organization, name) in &names.0 {
            match self.ask(contract, &choice(*organization)).await? {
                APPROVED => approved.push(name.clone()),
                REJECTED => rejected.push(name.clone()),
                _ => {}
            }
        }
        Ok(Ballot {
            electorate: tally.electorate,
            required: tally.required,
            approved,
            rejected,
            closes: tally.closes.to(),
        })
    }

    /// The names of all organizations.
    pub(crate) async fn names(&self) -> Result<Names, GovernanceError> {
        let all = IMembers::organizationsCall {};
        let mut names = BTreeMap::new();
        for organization in self.ask(SystemContract::Members, &all).await? {
            let call = IMembers::organizationAtCall { organization };
            let found = self.ask(SystemContract::Members, &call).await?;
            names.insert(organization, found.name);
        }
        Ok(Names(names))
    }

    /// In a bonded network whose the candidates' bonds are, in their order, as many as can have a seat: the organization that the
    /// owner is of, or the owner itself. None in a network whose members decide who validates.
    async fn holders(&self, names: &Names) -> Result<Option<Vec<String>>, GovernanceError> {
        let members = SystemContract::Members;
        if self.ask(members, &IMembers::policyCall {}).await? != BONDED {
            return Ok(None);
        }
        let mut known: BTreeMap<Address, String> = BTreeMap::new();
        let mut holders = Vec::new();
        for candidate in self.candidates().await?.iter().take(VALIDATORS_MAX) {
            let account = candidate.owner;
            let holder = if let Some(known) = known.get(&account) {
                known.clone()
            } else {
                let call = IMembers::organizationOfCall { account };
                let organization = self.ask(members, &call).await?;
                let named = names.0.get(&organization).cloned();
                named.unwrap_or_else(|| account.to_string())
            };
            known.insert(account, holder.clone());
            holders.push(holder);
        }
        Ok(Some(holders))
    }

    /// An action in words, with the names of organizations; of a parameter also its value now.
    async fn describe(
        &self,
        names: &Names,
        action: &IGovernance::Action,
    ) -> Result<String, GovernanceError> {
        let action = match Action::decode(action) {
            Ok(action) => action,
            Err(unknown) => return Ok(unknown.to_string()),
        };
        match &action {
            Action::ScheduleFork { fork, .. } => {
                let known = self.upgrades().await?.known_forks;
                let known = known.into_iter().find(|known| known.id == *fork);
                let known = known.map_or("DOES NOT KNOW IT".to_owned(), |known| {
                    format!("knows it: {}", known.name)
                });
                return Ok(format!("{action} (the node asked {known})"));
            }
            Action::SetMinimumVersion { .. } => {
                let own: u64 = self.upgrades().await?.protocol_version.to();
                return Ok(format!("{action} (the node asked has {own})"));
            }
            _ => {}
        }
        let Action::SetParameter { parameter, .. } = &action else {
            return Ok(names.within(&action));
        };
        let call = IParameters::valueOfCall {
            parameter: *parameter as u8,
        };
        let now = self.ask(SystemContract::Parameters, &call).await?;
        Ok(format!("{action} (now {now})"))
    }

    /// What its proposer said, from the log of its making: in the block after the one whose end decides who has a vote.
    async fn description(&self, proposal: U256, snapshot: u64) -> Result<String, GovernanceError> {
        let made = snapshot.saturating_add(1);
        let topics = [IGovernance::Proposed::SIGNATURE_HASH, proposal.into()];
        let contract = SystemContract::Governance;
        let logs = self.logs(contract, (made, made), &topics).await?;
        let made = logs
            .into_iter()
            .find_map(|(topics, data)| IGovernance::Proposed::decode_raw_log(topics, &data).ok());
        Ok(made.map(|made| made.description).unwrap_or_default())
    }

    /// Topics and data of a contract's logs in some blocks, from the first to the last of them.
    pub(crate) async fn logs(
        &self,
        contract: SystemContract,
        (first, last): (u64, u64),
        topics: &[B256],
    ) -> Result<Vec<(Vec<B256>, Bytes)>, RpcError> {
        let filter = json!({
            "fromBlock": U64::from(first),
            "toBlock": U64::from(last),
            "address": contract.address(),
            "topics": topics,
        });
        let logs: Vec<Logged> = self.0.call("eth_getLogs", [filter]).await?;
        Ok(logs.into_iter().map(|log| (log.topics, log.data)).collect())
    }

    /// The chain's time: that of its latest block, in seconds.
    pub(crate) async fn time(&self) -> Result<u64, GovernanceError> {
        let latest = ("latest", false);
        let block: Latest = self.0.call("eth_getBlockByNumber", latest).await?;
        Ok(block.timestamp.to())
    }
}

/// What the organizations are called.
pub(crate) struct Names(BTreeMap<B256, String>);

impl Names {
    /// The name of one; of who never was one, its id.
    pub(crate) fn of(&self, organization: B256) -> String {
        let known = self.0.get(&organization).cloned();
        known.unwrap_or_else(|| organization.to_string())
    }

    /// Something in words, with the names before the ids in it.
    pub(crate) fn within(&self, words: &impl ToString) -> String {
        let names = self.0.iter();
        names.fold(words.to_string(), |text, (id, name)| {
            text.replace(&id.to_string(), &format!("{name} ({id})"))
        })
    }
}

/// Who there is, to say an outlook in words.
struct Seen<'a> {
    names: &'a Names,
    /// As [`Governance::holders`].
    holders: Option<Vec<String>>,
}

impl Seen<'_> {
    fn outlook(&self, seen: IGovernance::Outlook) -> Outlook {
        let validators: u64 = seen.validators.saturating_to();
        let faults: u64 = seen.faults.saturating_to();
        let can_halt = match &self.holders {
            // The contract does not know whose validators those are.
            Some(holders) => halting(holders, validators, faults),
            None => seen.halting.iter().map(|id| self.names.of(*id)).collect(),
        };
        Outlook {
            organizations: seen.organizations.saturating_to(),
            ordinary: seen.ordinary.saturating_to(),
            critical: seen.critical.saturating_to(),
            validators,
            quorum: validators.saturating_sub(faults),
            faults,
            can_halt,
        }
    }
}

/// Who of the holders of candidates, the first in rank first, has more of those with a seat than may fail.
fn halting(holders: &[String], validators: u64, faults: u64) -> Vec<String> {
    let mut held: BTreeMap<&String, u64> = BTreeMap::new();
    for (_, holder) in (0..validators).zip(holders) {
        *held.entry(holder).or_default() += 1;
    }
    let halting = held.into_iter().filter(|(_, count)| *count > faults);
    halting.map(|(holder, _)| holder.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::halting;

    #[test]
    fn whoever_holds_more_seats_than_may_fail_can_halt() {
        let holders = ["a", "b", "a", "c", "d", "b", "b"].map(str::to_owned);
        assert_eq!(halting(&holders, 7, 2), ["b"]);
        assert_eq!(halting(&holders, 4, 1), ["a"]);
        assert_eq!(halting(&holders, 5, 2), Vec::<String>::new());
        assert_eq!(halting(&holders[..1], 1, 0), ["a"]);
    }
}
