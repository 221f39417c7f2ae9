//! A proposal as people read it.

use client::governance::{EpochStart, Outlook, Proposal};
use humantime::{format_duration, format_rfc3339_seconds};
use std::{
    fmt,
    time::{Duration, UNIX_EPOCH},
};

/// A proposal with its vote, and the network before and after it.
pub(super) struct Shown<'a>(pub &'a Proposal);

/// A proposal in a line.
pub(super) fn line(proposal: &Proposal) -> String {
    format!(
        "{:>4}  {:<10}  {} of {} approve, {} reject  {}",
        proposal.number,
        proposal.state,
        proposal.vote.approved.len(),
        proposal.vote.required,
        proposal.vote.rejected.len(),
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
        let by = |names: &[String]| match names {
            [] => "nobody".to_owned(),
            names => plain(&names.join(", ")),
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

/// Text that others chose, without what a terminal would obey.
fn plain(text: &str) -> String {
    let escape = |letter: char| match letter {
        '"' | '\'' => letter.to_string(),
        other => other.escape_debug().to_string(),
    };
    text.chars().map(escape).collect()
}

/// A Unix time in UTC.
fn time(second: u64) -> impl fmt::Display {
    format_rfc3339_seconds(UNIX_EPOCH + Duration::from_secs(second))
}

fn span(seconds: u32) -> impl fmt::Display {
    format_duration(Duration::from_secs(seconds.into()))
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn what_others_wrote_commands_no_terminal() {
        assert_eq!(plain("add \"Müller & Söhne\""), "add \"Müller & Söhne\"");
        assert_eq!(
            plain("a\u{1b}[2Jb\nc\u{202e}d"),
            "a\\u{1b}[2Jb\\nc\\u{202e}d"
        );
    }
}
