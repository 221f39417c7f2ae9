//! A proposal, with what it would lead to.

use super::Network;
use alloy_primitives::{B256, Log, U64, U256};
use alloy_sol_types::SolEvent as _;
use anyhow::{Result, bail};
use contracts::{
    SystemContract,
    abi::{IGovernance, IParameters},
    governance::{Action, state as state_name},
};
use humantime::{format_duration, format_rfc3339_seconds};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::{
    collections::BTreeMap,
    fmt,
    time::{Duration, UNIX_EPOCH},
};

/// What there is to know before a vote.
#[derive(Debug, Serialize)]
pub(super) struct Proposal {
    number: u64,
    state: &'static str,
    proposer: String,
    description: String,
    actions: Vec<String>,
    vote: Vote,
    /// What the network looks like.
    now: Outlook,
    /// What it would look like after the proposal; none if that is over.
    #[serde(skip_serializing_if = "Option::is_none")]
    after: Option<Outlook>,
    /// Why its actions could not be done now.
    #[serde(skip_serializing_if = "Option::is_none")]
    impossible: Option<String>,
}

/// How a vote stands.
#[derive(Debug, Serialize)]
struct Vote {
    /// Organizations that have a vote.
    electorate: u16,
    /// How many must approve.
    required: u16,
    approved: Vec<String>,
    rejected: Vec<String>,
    /// Unix time when it closes.
    closes: u64,
    /// Unix time from which on it can be executed, once it is accepted.
    #[serde(skip_serializing_if = "Option::is_none")]
    executable_from: Option<u64>,
    /// Seconds from acceptance to execution.
    timelock: u32,
    /// Seconds during which it can be executed.
    window: u32,
}

/// A network at a glance.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Outlook {
    organizations: u64,
    /// Organizations that an ordinary decision takes.
    ordinary: u64,
    /// Organizations that a critical decision takes.
    critical: u64,
    validators: u64,
    /// Validators that must sign a block.
    quorum: u64,
    /// Validators that may fail.
    faults: u64,
    /// Organizations any of which can halt the network alone.
    can_halt: Vec<String>,
}

/// Those in which its actions may still be done.
const AHEAD: [&str; 3] = ["voting", "waiting", "executable"];
/// Values of `IBallots.Choice`.
const APPROVED: u8 = 1;
const REJECTED: u8 = 2;

#[derive(Deserialize)]
struct Logged {
    topics: Vec<B256>,
    data: alloy_primitives::Bytes,
}

/// The number of the proposal that a log tells of.
pub(super) fn number(log: &Log) -> Option<u64> {
    let made = IGovernance::Proposed::decode_log(log).ok()?;
    Some(made.proposal.saturating_to())
}

impl Proposal {
    pub(super) async fn read(network: &Network, number: u64) -> Result<Self> {
        let governance = SystemContract::Governance;
        let proposal = U256::from(number);
        let state = network
            .ask(governance, &IGovernance::stateOfCall { proposal })
            .await?;
        let state = state_name(state);
        if state == "none" {
            bail!("there is no proposal {number}. What there is: ashlar gov list");
        }
        let names = network.names().await?;
        let found = network
            .ask(governance, &IGovernance::proposalAtCall { proposal })
            .await?;
        let tally = network
            .ask(governance, &IGovernance::tallyOfCall { proposal })
            .await?;
        let encoded = network
            .ask(governance, &IGovernance::actionsOfCall { proposal })
            .await?;
        let (mut approved, mut rejected) = (Vec::new(), Vec::new());
        for organization in names.keys().copied() {
            let call = IGovernance::choiceOfCall {
                proposal,
                organization,
            };
            match network.ask(governance, &call).await? {
                APPROVED => approved.push(name(&names, organization)),
                REJECTED => rejected.push(name(&names, organization)),
                _ => {}
            }
        }
        let mut actions = Vec::with_capacity(encoded.len());
        for action in &encoded {
            actions.push(describe(network, &names, action).await?);
        }
        let now = network
            .ask(governance, &IGovernance::outlookCall {})
            .await?;
        let (mut after, mut impossible) = (None, None);
        if AHEAD.contains(&state) {
            match network.outlook_after(encoded).await {
                Ok(outlook) => after = Some(Outlook::new(outlook, &names)),
                Err(error) => impossible = Some(format!("{error:#}")),
            }
        }
        let executable_from: u64 = found.executableFrom.to();
        Ok(Self {
            number,
            state,
            proposer: name(&names, found.proposer),
            description: description(network, proposal).await?,
            actions,
            vote: Vote {
                electorate: tally.electorate,
                required: tally.required,
                approved,
                rejected,
                closes: tally.closes.to(),
                executable_from: (executable_from > 0).then_some(executable_from),
                timelock: found.timelock,
                window: found.window,
            },
            now: Outlook::new(now, &names),
            after,
            impossible,
        })
    }

    /// The proposal in a line.
    pub(super) fn line(&self) -> String {
        format!(
            "{:>4}  {:<10}  {} of {} approve, {} reject  {}",
            self.number,
            self.state,
            self.vote.approved.len(),
            self.vote.required,
            self.vote.rejected.len(),
            self.actions.join("; "),
        )
    }
}

/// An action in words, with the names of organizations; of a parameter also its value now.
async fn describe(
    network: &Network,
    names: &BTreeMap<B256, String>,
    action: &IGovernance::Action,
) -> Result<String> {
    let action = match Action::decode(action) {
        Ok(action) => action,
        Err(unknown) => return Ok(unknown.to_string()),
    };
    let Action::SetParameter { parameter, .. } = &action else {
        let named = names.iter().fold(action.to_string(), |text, (id, name)| {
            text.replace(&id.to_string(), &format!("{name} ({id})"))
        });
        return Ok(named);
    };
    let call = IParameters::valueOfCall {
        parameter: *parameter as u8,
    };
    let now = network.ask(SystemContract::Parameters, &call).await?;
    Ok(format!("{action} (now {now})"))
}

/// What its proposer said, from the log of its making.
async fn description(network: &Network, proposal: U256) -> Result<String> {
    let filter = json!({
        "fromBlock": U64::ZERO,
        "address": SystemContract::Governance.address(),
        "topics": [IGovernance::Proposed::SIGNATURE_HASH, B256::from(proposal)],
    });
    let logs: Vec<Logged> = network.0.call("eth_getLogs", [filter]).await?;
    let made = logs
        .into_iter()
        .find_map(|log| IGovernance::Proposed::decode_raw_log(log.topics, &log.data).ok());
    Ok(made.map(|made| made.description).unwrap_or_default())
}

fn name(names: &BTreeMap<B256, String>, organization: B256) -> String {
    let known = names.get(&organization).cloned();
    known.unwrap_or_else(|| organization.to_string())
}

impl Outlook {
    fn new(seen: IGovernance::Outlook, names: &BTreeMap<B256, String>) -> Self {
        let validators: u64 = seen.validators.saturating_to();
        let faults: u64 = seen.faults.saturating_to();
        Self {
            organizations: seen.organizations.saturating_to(),
            ordinary: seen.ordinary.saturating_to(),
            critical: seen.critical.saturating_to(),
            validators,
            quorum: validators.saturating_sub(faults),
            faults,
            can_halt: seen.halting.into_iter().map(|id| name(names, id)).collect(),
        }
    }
}

impl fmt::Display for Proposal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "proposal {} of {}: {}",
            self.number, self.proposer, self.state
        )?;
        if !self.description.is_empty() {
            writeln!(f, "  {:?}", self.description)?;
        }
        writeln!(f, "\nit would")?;
        for action in &self.actions {
            writeln!(f, "  {action}")?;
        }
        let vote = &self.vote;
        let by = |names: &[String]| match names {
            [] => "nobody".to_owned(),
            names => names.join(", "),
        };
        writeln!(f, "\nvote")?;
        writeln!(
            f,
            "  approved by {}; rejected by {}",
            by(&vote.approved),
            by(&vote.rejected)
        )?;
        writeln!(
            f,
            "  {} of {} organizations must approve, until {}",
            vote.required,
            vote.electorate,
            time(vote.closes)
        )?;
        match vote.executable_from {
            Some(from) => writeln!(
                f,
                "  can be executed from {} to {}",
                time(from),
                time(from.saturating_add(vote.window.into()))
            )?,
            None => writeln!(
                f,
                "  can be executed {} after it is accepted, for {}",
                span(vote.timelock),
                span(vote.window)
            )?,
        }
        writeln!(f, "\nthe network")?;
        writeln!(f, "  {:<28} {:>8} {:>8}", "", "now", "after it")?;
        let mut row = |label: &str, value: fn(&Outlook) -> u64| {
            let after = self.after.as_ref().map(value);
            let after = after.map_or("-".to_owned(), |after| after.to_string());
            writeln!(f, "  {label:<28} {:>8} {after:>8}", value(&self.now))
        };
        row("organizations", |seen| seen.organizations)?;
        row("  for an ordinary decision", |seen| seen.ordinary)?;
        row("  for a critical decision", |seen| seen.critical)?;
        row("validators", |seen| seen.validators)?;
        row("  that must sign a block", |seen| seen.quorum)?;
        row("  that may fail (f)", |seen| seen.faults)?;
        write!(f, "  can halt it alone now: {}", by(&self.now.can_halt))?;
        if let Some(after) = &self.after {
            write!(f, "; after it: {}", by(&after.can_halt))?;
        }
        if self
            .after
            .as_ref()
            .is_some_and(|after| after.validators != self.now.validators)
        {
            write!(
                f,
                "\n\nNodes of this version go on with the validators of genesis, whatever Members says."
            )?;
        }
        if let Some(impossible) = &self.impossible {
            write!(f, "\n\nIT CANNOT BE DONE AS THINGS ARE: {impossible}")?;
        }
        Ok(())
    }
}

/// A Unix time in UTC.
fn time(second: u64) -> impl fmt::Display {
    format_rfc3339_seconds(UNIX_EPOCH + Duration::from_secs(second))
}

fn span(seconds: u32) -> impl fmt::Display {
    format_duration(Duration::from_secs(seconds.into()))
}
