//! What a run showed, for people and programs.

use super::{
    faults::{Recovery, Struck},
    plan::Kind,
};
use crate::scenario::judge::Judged;
use serde::Serialize;
use std::{collections::BTreeMap, fmt, time::Duration};

/// Longest time to the next final record after the kill of one validator that nothing else disturbed.
const RECOVERY_MAX: Duration = Duration::from_secs(5);

/// The figures of a run.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    /// Whether every promise was kept.
    pub ok: bool,
    seed: u64,
    seconds: f64,
    kills: BTreeMap<&'static str, usize>,
    kills_total: usize,
    processes_killed: u64,
    posted: usize,
    acknowledged: usize,
    #[serde(rename = "final")]
    finalized: usize,
    lost: usize,
    doubled: usize,
    stray: usize,
    retries: u64,
    contended_keys: u64,
    other_bodies_refused: u64,
    height: u64,
    transactions: u64,
    claims: usize,
    recovery: BTreeMap<&'static str, Times>,
    recovery_disturbed: Times,
    violations: Vec<String>,
}

/// Times from a kill until a record posted after it was final, in milliseconds.
#[derive(Debug, Default, PartialEq, Serialize)]
struct Times {
    count: usize,
    p50_ms: u64,
    p99_ms: u64,
    max_ms: u64,
}

impl Times {
    fn of<'a>(recoveries: impl Iterator<Item = &'a Recovery>) -> Self {
        let mut times: Vec<u64> = recoveries
            .filter_map(|recovery| recovery.took)
            .map(|took| u64::try_from(took.as_millis()).unwrap_or(u64::MAX))
            .collect();
        times.sort_unstable();
        // Nearest rank: the least time that so many percent do not exceed.
        let rank = |percent: usize| {
            let place = (times.len() * percent).div_ceil(100);
            times
                .get(place.saturating_sub(1))
                .copied()
                .unwrap_or_default()
        };
        Self {
            count: times.len(),
            p50_ms: rank(50),
            p99_ms: rank(99),
            max_ms: rank(100),
        }
    }
}

impl Report {
    pub(crate) fn new(seed: u64, seconds: f64, struck: Struck, judged: Judged) -> Self {
        let Judged {
            book,
            ledger,
            mut violations,
            ..
        } = judged;
        violations.extend(struck.violations);
        let recoveries = &struck.recoveries;
        let of_kind = |kind| {
            recoveries
                .iter()
                .filter(move |recovery| recovery.kill.kind == kind)
        };
        // One that never came is among the violations already.
        for (number, recovery) in recoveries.iter().enumerate() {
            let alone = recovery.kill.kind == Kind::Validator && !recovery.disturbed;
            if let Some(took) = recovery.took.filter(|took| alone && *took > RECOVERY_MAX) {
                violations.push(format!(
                    "after kill {number}, of validator {}, the next record was final after {took:?}, not within {RECOVERY_MAX:?}",
                    recovery.kill.validator,
                ));
            }
        }
        Self {
            ok: violations.is_empty(),
            seed,
            seconds,
            kills: Kind::ALL
                .map(|kind| (kind.name(), of_kind(kind).count()))
                .into(),
            kills_total: recoveries.len(),
            processes_killed: struck.processes,
            posted: judged.posted,
            acknowledged: judged.acknowledged,
            finalized: judged.finalized,
            lost: judged.lost,
            doubled: judged.doubled,
            stray: judged.stray,
            retries: book.retries,
            contended_keys: book.contended,
            other_bodies_refused: book.other_bodies_refused,
            height: ledger.height,
            transactions: ledger.transactions,
            claims: ledger.claims.values().map(Vec::len).sum(),
            recovery: Kind::ALL
                .map(|kind| {
                    let alone = of_kind(kind).filter(|recovery| !recovery.disturbed);
                    (kind.name(), Times::of(alone))
                })
                .into(),
            recovery_disturbed: Times::of(recoveries.iter().filter(|recovery| recovery.disturbed)),
            violations,
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            seed,
            seconds,
            posted,
            acknowledged,
            finalized,
            lost,
            doubled,
            stray,
            ..
        } = self;
        let kills: Vec<String> = self
            .kills
            .iter()
            .map(|(kind, count)| format!("{kind} {count}"))
            .collect();
        writeln!(f, "seed            {seed}")?;
        writeln!(
            f,
            "kills           {} in {seconds:.0} s ({}); {} processes",
            self.kills_total,
            kills.join(", "),
            self.processes_killed
        )?;
        writeln!(
            f,
            "records         {posted} posted, {acknowledged} acknowledged, {finalized} final; {} retries, {} keys posted by two at once, {} other bodies refused",
            self.retries, self.contended_keys, self.other_bodies_refused
        )?;
        writeln!(
            f,
            "chain           {} blocks, {} transactions, {} claims",
            self.height, self.transactions, self.claims
        )?;
        for (kind, times) in &self.recovery {
            writeln!(f, "next final      {times} after {kind}")?;
        }
        writeln!(
            f,
            "next final      {} with another kill in between",
            self.recovery_disturbed
        )?;
        for violation in self.violations.iter().take(20) {
            writeln!(f, "VIOLATION       {violation}")?;
        }
        write!(
            f,
            "verdict         lost {lost}, doubled {doubled}, stray {stray}, violations {}",
            self.violations.len()
        )
    }
}

impl fmt::Display for Times {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            count,
            p50_ms,
            p99_ms,
            max_ms,
        } = self;
        write!(
            f,
            "p50 {p50_ms} ms, p99 {p99_ms} ms, max {max_ms} ms ({count})"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::kills::plan::Kill;

    #[test]
    fn ranks_are_the_nearest() {
        let recoveries: Vec<Recovery> = (1..=200)
            .map(|ms| Recovery {
                kill: Kill {
                    kind: Kind::Gateway,
                    validator: 0,
                    pause: Duration::ZERO,
                    alone: true,
                },
                took: Some(Duration::from_millis(ms)),
                disturbed: false,
            })
            .collect();
        let times = |count: usize| Times::of(recoveries.iter().take(count));
        assert_eq!(
            times(200),
            Times {
                count: 200,
                p50_ms: 100,
                p99_ms: 198,
                max_ms: 200
            }
        );
        assert_eq!(
            times(1),
            Times {
                count: 1,
                p50_ms: 1,
                p99_ms: 1,
                max_ms: 1
            }
        );
        assert_eq!(times(0), Times::default());
    }
}
