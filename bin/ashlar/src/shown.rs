//! What people read: times, and what others chose.

use client::governance::Ballot;
use humantime::{format_duration, format_rfc3339_seconds};
use std::{
    fmt,
    time::{Duration, UNIX_EPOCH},
};

/// Text that others chose, without what a terminal would obey.
pub fn plain(text: &str) -> String {
    let escape = |letter: char| match letter {
        '"' | '\'' => letter.to_string(),
        other => other.escape_debug().to_string(),
    };
    text.chars().map(escape).collect()
}

/// Who did something.
pub fn by(names: &[String]) -> String {
    match names {
        [] => "nobody".to_owned(),
        names => plain(&names.join(", ")),
    }
}

/// How a vote stands, in two lines.
pub struct Votes<'a>(pub &'a Ballot);

impl fmt::Display for Votes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(ballot) = self;
        writeln!(
            f,
            "  approved by {}; rejected by {}",
            by(&ballot.approved),
            by(&ballot.rejected)
        )?;
        writeln!(
            f,
            "  {} of {} organizations must approve, until {}",
            ballot.required,
            ballot.electorate,
            time(ballot.closes)
        )
    }
}

/// A Unix time in UTC, if there is such a year.
pub fn time(second: u64) -> String {
    const YEAR_10000: u64 = 253_402_300_800;
    if second >= YEAR_10000 {
        return format!("second {second}");
    }
    format_rfc3339_seconds(UNIX_EPOCH + Duration::from_secs(second)).to_string()
}

/// So many seconds.
pub fn span(seconds: impl Into<u64>) -> impl fmt::Display {
    format_duration(Duration::from_secs(seconds.into()))
}

#[cfg(test)]
mod tests {
    use super::{plain, time};

    #[test]
    fn what_others_wrote_commands_no_terminal() {
        assert_eq!(plain("add \"Müller & Söhne\""), "add \"Müller & Söhne\"");
        assert_eq!(
            plain("a\u{1b}[2Jb\nc\u{202e}d"),
            "a\\u{1b}[2Jb\\nc\\u{202e}d"
        );
    }

    #[test]
    fn times_are_short() {
        assert_eq!(time(0), "1970-01-01T00:00:00Z");
        assert_eq!(time(u64::MAX), format!("second {}", u64::MAX));
    }
}
