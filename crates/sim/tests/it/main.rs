//! Seeds that every build runs. `ashlar sim` runs more.

use std::collections::BTreeSet;

/// What the fixed seeds must inject. A fault that never strikes shows nothing.
const FAULTS: [&str; 18] = [
    "crash",
    "doubled_request",
    "gateway_crash",
    "gateway_crash_at_reply",
    "gateway_crash_between_effects",
    "journal_full",
    "lie",
    "lost_reply",
    "lost_request",
    "lost_share",
    "message_loss",
    "partition",
    "power_loss",
    "replacement",
    "signature",
    "slow_call",
    "storage",
    "sync_lie",
];

/// Situations the fixed seeds must reach: those in which promises get broken.
const MARKS: [&str; 12] = [
    "committee_changed",
    "lie_caught",
    "mismatch",
    "newcomer_led",
    "recovered_in_flight",
    "removed",
    "replayed",
    "reshared",
    "send_refused",
    "sent_again",
    "several_in_flight",
    "signature_failed",
];

#[test]
fn fixed_seeds_keep_every_promise() {
    let mut reached = BTreeSet::new();
    for seed in 141..156 {
        let report = sim::run(seed);
        assert!(report.violations.is_empty(), "{report:#?}");
        assert!(report.height > 0 && report.records > 0, "{report:#?}");
        reached.extend(report.faults.keys().chain(report.marks.keys()).copied());
        println!("{}", serde_json::to_string(&report).unwrap());
    }
    let missing: Vec<_> = FAULTS
        .iter()
        .chain(&MARKS)
        .filter(|kind| !reached.contains(*kind))
        .collect();
    assert!(
        missing.is_empty(),
        "choose other seeds: {missing:?} never happened"
    );
}

#[test]
fn a_seed_always_gives_the_same_digest() {
    for seed in [3, 5] {
        assert_eq!(sim::run(seed), sim::run(seed));
    }
}
