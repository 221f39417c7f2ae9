//! What was found.

use serde::Serialize;
use std::fmt;

/// How good or bad something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// As it should be.
    Ok,
    /// It works, and somebody should know.
    Warning,
    /// It does not work.
    Problem,
    /// It cannot be told.
    Unknown,
}

/// One thing that was looked at.
#[derive(Clone, Debug, Serialize)]
struct Finding {
    /// What was looked at, in one word.
    check: &'static str,
    verdict: Verdict,
    finding: String,
    /// What to do.
    next: Option<String>,
}

/// All that was found, in the order in which it was looked at.
#[derive(Clone, Debug, Default)]
pub struct Report(Vec<Finding>);

impl Report {
    /// Notes a finding.
    pub fn add(
        &mut self,
        check: &'static str,
        verdict: Verdict,
        finding: impl Into<String>,
        next: Option<&str>,
    ) {
        self.0.push(Finding {
            check,
            verdict,
            finding: finding.into(),
            next: next.map(str::to_owned),
        });
    }

    /// Something is as it should be.
    pub fn ok(&mut self, check: &'static str, finding: impl Into<String>) {
        self.add(check, Verdict::Ok, finding, None);
    }

    /// It works, and somebody should know.
    pub fn warning(&mut self, check: &'static str, finding: impl Into<String>, next: &str) {
        self.add(check, Verdict::Warning, finding, Some(next));
    }

    /// It does not work.
    pub fn problem(&mut self, check: &'static str, finding: impl Into<String>, next: &str) {
        self.add(check, Verdict::Problem, finding, Some(next));
    }

    /// A check that failed with an error, which says itself what to do, or passed.
    pub fn check<T>(
        &mut self,
        check: &'static str,
        done: anyhow::Result<T>,
        passed: impl FnOnce(&T) -> String,
    ) -> Option<T> {
        match done {
            Ok(value) => {
                self.ok(check, passed(&value));
                Some(value)
            }
            Err(error) => {
                self.add(check, Verdict::Problem, format!("{error:#}"), None);
                None
            }
        }
    }

    /// The worst: a problem, else what cannot be told, else all is well enough.
    fn verdict(&self) -> Verdict {
        let has = |verdict| self.0.iter().any(|finding| finding.verdict == verdict);
        [Verdict::Problem, Verdict::Unknown, Verdict::Warning]
            .into_iter()
            .find(|verdict| has(*verdict))
            .unwrap_or(Verdict::Ok)
    }

    /// 0 without a problem, 1 with one, 2 if it cannot be told.
    pub fn exit_code(&self) -> u8 {
        match self.verdict() {
            Verdict::Ok | Verdict::Warning => 0,
            Verdict::Problem => 1,
            Verdict::Unknown => 2,
        }
    }

    /// For programs.
    pub fn json(&self) -> serde_json::Value {
        serde_json::json!({ "verdict": self.verdict(), "findings": self.0 })
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Problem => "PROBLEM",
            Self::Unknown => "unknown",
        })
    }
}

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for finding in &self.0 {
            let Finding {
                check,
                verdict,
                finding,
                next,
            } = finding;
            writeln!(formatter, "{verdict:<8} {check:<14} {finding}")?;
            if let Some(next) = next {
                writeln!(formatter, "{:<8} {:<14} → {next}", "", "")?;
            }
        }
        formatter.write_str(match self.verdict() {
            Verdict::Ok => "All is well.",
            Verdict::Warning => "No problem; see the warnings.",
            Verdict::Problem => "There is a problem.",
            Verdict::Unknown => "It cannot be told whether there is a problem.",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_counts() {
        let mut report = Report::default();
        assert_eq!(report.exit_code(), 0);
        report.ok("a", "fine");
        report.warning("b", "odd", "look at it");
        assert_eq!(report.exit_code(), 0);
        report.add("c", Verdict::Unknown, "dark", None);
        assert_eq!(report.exit_code(), 2);
        report.problem("d", "broken", "mend it");
        assert_eq!(report.exit_code(), 1);
        let text = report.to_string();
        assert!(text.contains("PROBLEM  d              broken\n"), "{text}");
        assert!(text.contains("→ mend it"), "{text}");
    }
}
