//! A proposal as people read it.

use crate::shown::{Votes, by, plain, span, time};
use client::governance::{EpochStart, Outlook, Proposal};
use std::fmt;

/// A proposal with its vote, and the network before and after it.
pub(super) struct Shown<'a>(pub &'a Proposal);

/// A proposal in a line.
pub(super) fn line(proposal: &Proposal) -> String {
    format!(
        "{:>4}  {:<10}  {} of {} approve, {} reject  {}",
        proposal.number,
        proposal.state,
        proposal.vote.ballot.approved.len(),
        proposal.vote.ballot.required,
        proposal.vote.ballot.rejected.len(),
        plain(&proposal.actions.join("; ")),
    )
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(proposal) = self;
        writeln!(
            f,
            "proposal {} of {}: {}",
            proposal.number,
            plain(&proposal.proposer),
            proposal.state
        )?;
        if !proposal.description.is_empty() {
            writeln!(f, "  {:?}", proposal.description)?;
        }
        writeln!(f, "\nit would")?;
        for action in &proposal.actions {
            writeln!(f, "  {}", plain(action))?;
        }
        let vote = &proposal.vote;
        writeln!(f, "\nvote")?;
        write!(f, "{}", Votes(&vote.ballot))?;
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
            let after = proposal.after.as_ref().map(value);
            let after = after.map_or("-".to_owned(), |after| after.to_string());
            writeln!(f, "  {label:<28} {:>8} {after:>8}", value(&proposal.now))
        };
        row("organizations", |seen| seen.organizations)?;
        row("  for an ordinary decision", |seen| seen.ordinary)?;
        row("  for a critical decision", |seen| seen.critical)?;
        row("validators", |seen| seen.validators)?;
        row("  that must sign a block", |seen| seen.quorum)?;
        row("  that may fail (f)", |seen| seen.faults)?;
        write!(f, "  can halt it alone now: {}", by(&proposal.now.can_halt))?;
        if let Some(after) = &proposal.after {
            write!(f, "; after it: {}", by(&after.can_halt))?;
        }
        if let Some(EpochStart { epoch, block }) = proposal.validators_change {
            write!(
                f,
                "\n\nExecuted now, other validators would sign from epoch {epoch} on, that is from block {block}."
            )?;
        }
        if let Some(impossible) = &proposal.impossible {
            write!(f, "\n\nIT CANNOT BE DONE AS THINGS ARE: {impossible}")?;
        }
        Ok(())
    }
}
