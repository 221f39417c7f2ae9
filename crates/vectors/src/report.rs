//! What came of a run.

use crate::suite::{Case, Verdict};
use serde::Serialize;

/// Counts, and whatever did not pass, in the order of files and names.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Cases that passed.
    pub passed: usize,
    /// Cases that failed.
    pub failed: Vec<Named>,
    /// Cases that were not run, or whose failure is expected, each with a written reason.
    pub excluded: Vec<Named>,
}

/// A case with a reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Named {
    /// `file.json::name [fork]`.
    pub case: String,
    /// Why it failed or is excluded.
    pub reason: String,
}

impl Report {
    pub(crate) fn add(&mut self, path: &str, case: Case) {
        let named = |reason: String| Named {
            case: if case.fork.is_empty() {
                format!("{path}::{}", case.name)
            } else {
                format!("{path}::{} [{}]", case.name, case.fork)
            },
            reason,
        };
        match case.verdict {
            Verdict::Passed => self.passed = self.passed.saturating_add(1),
            Verdict::Failed(reason) => match crate::exclusion::reason(path, &case.name, &case.fork)
            {
                Some(excluded) => self.excluded.push(named(excluded.to_owned())),
                None => self.failed.push(named(reason)),
            },
            Verdict::Excluded(reason) => self.excluded.push(named(reason.to_owned())),
        }
    }
}
