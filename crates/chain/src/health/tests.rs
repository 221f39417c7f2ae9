use super::{
    Health, Progress, Validator,
    ear::Heard,
    stall::{Course, Notice, patience},
};
use commonware_cryptography::{Signer as _, ed25519};
use expect_test::{Expect, expect};
use std::time::{Duration, SystemTime};

fn at(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}

#[test]
fn people_are_told_once_a_minute_and_when_it_is_over() {
    let patience = Duration::from_secs(8);
    let mut course = Course::new(at(0), 5);
    let told: Vec<_> = (1..=140)
        .filter_map(|second| Some((second, course.step(at(second), 5, patience)?)))
        .collect();
    let stalled = Notice::Stalled;
    assert_eq!(told, [(9, stalled), (69, stalled), (129, stalled)]);
    assert!(course.is_stalled());
    assert_eq!(course.since(), at(0));
    let resumed = course.step(at(141), 6, patience);
    assert_eq!(resumed, Some(Notice::Resumed(Duration::from_secs(141))));
    assert!(!course.is_stalled());
    assert_eq!(course.step(at(149), 6, patience), None);
    assert_eq!(course.step(at(150), 6, patience), Some(stalled));
    // No block was to be expected: nobody is told that they come again.
    course.restart(at(151), 7);
    assert_eq!(course.step(at(152), 8, patience), None);
}

#[test]
fn a_clock_that_goes_back_is_no_stall() {
    let mut course = Course::new(at(100), 5);
    assert_eq!(course.step(at(10), 5, Duration::from_secs(8)), None);
}

#[test]
fn more_validators_may_take_longer() {
    let timeout = Duration::from_secs(2);
    let seconds = [0, 1, 4, 7, 32].map(|validators| patience(timeout, validators).as_secs());
    assert_eq!(seconds, [6, 6, 8, 10, 26]);
}

#[test]
fn who_is_heard_is_heard_for_a_while() {
    let key = ed25519::PrivateKey::from_seed(1).public_key();
    let heard = Heard::default();
    let within = Duration::from_secs(4);
    assert!(!heard.lately(&key, at(10), within));
    heard.note(&key, at(10));
    assert!(heard.lately(&key, at(14), within));
    assert!(!heard.lately(&key, at(15), within));
    heard.note(&key, at(20));
    assert!(heard.lately(&key, at(21), within));
}

/// Four validators that make no block; this node is the one with `me`, if any.
fn explain(reachable: [bool; 4], me: Option<usize>, expected: &Expect) {
    let key = |index: usize| ed25519::PrivateKey::from_seed(index as u64).public_key();
    let validator = |(index, reachable)| Validator {
        key: key(index),
        organization: (index != 3).then(|| format!("org-{index}")),
        reachable,
    };
    let health = Health {
        progress: Progress::Stalled,
        height: 7,
        since: at(100),
        at: at(112),
        epoch: 0,
        needed: 3,
        validators: (0..).zip(reachable).map(validator).collect(),
        node: Some(key(me.unwrap_or(9))),
        has_share: me.is_some(),
        may_sign: me.is_some(),
        upstreams: None,
    };
    expected.assert_eq(&health.explanation().unwrap());
    let fine = Health {
        progress: Progress::Finalizing,
        ..health
    };
    assert_eq!(fine.explanation(), None);
}

#[test]
fn a_stall_is_explained() {
    explain(
        [true, true, false, false],
        Some(0),
        &expect![
            "no block has become final for 12 s: 2 of 4 validators are reachable, 3 are needed; not reachable: org-2 (0x5925ba86e2189444a6c3b437b25d2ef35daecd1abf82c5fb36060f9fc0af428c), 0xec8924090e507c2d8371d2fb0bf965d553e6e5756aeec6c274df3801cf2b49b9. Finality comes back by itself when enough of them are: see whether they run, and the network to them"
        ],
    );
    explain(
        [true, false, false, false],
        Some(0),
        &expect![
            "no block has become final for 12 s: 1 of 4 validators are reachable, 3 are needed. This node hears none of the others: see first to its own network, and whether they can reach it at p2p.listen or p2p.advertise. Not reachable: org-1 (0x478b8e507e0bb2b18c0f9e0824769e8562d10df9abe2e774896f82b4b4405266), org-2 (0x5925ba86e2189444a6c3b437b25d2ef35daecd1abf82c5fb36060f9fc0af428c), 0xec8924090e507c2d8371d2fb0bf965d553e6e5756aeec6c274df3801cf2b49b9"
        ],
    );
    explain(
        [false; 4],
        None,
        &expect![
            "no block has become final for 12 s: 0 of 4 validators are reachable, 3 are needed. This node hears none of the others: see first to its own network, and whether they can reach it at p2p.listen or p2p.advertise. Not reachable: org-0 (0xedd0f6de342a1e6a7236d6244f23d83eedfcecd059a386c85055701498e77033), org-1 (0x478b8e507e0bb2b18c0f9e0824769e8562d10df9abe2e774896f82b4b4405266), org-2 (0x5925ba86e2189444a6c3b437b25d2ef35daecd1abf82c5fb36060f9fc0af428c), 0xec8924090e507c2d8371d2fb0bf965d553e6e5756aeec6c274df3801cf2b49b9"
        ],
    );
    explain(
        [true; 4],
        Some(1),
        &expect![
            "no block has become final for 12 s: 4 of 4 validators are reachable, 3 are needed. So enough are up: some of them may not hear one another or this node, or cannot vote. Finality comes back by itself when they can; ask each of them (ashlar doctor)"
        ],
    );
    explain(
        [true, false, true, true],
        Some(3),
        &expect![
            "no block has become final for 12 s: 3 of 4 validators are reachable, 3 are needed; not reachable: org-1 (0x478b8e507e0bb2b18c0f9e0824769e8562d10df9abe2e774896f82b4b4405266). So enough are up: some of them may not hear one another or this node, or cannot vote. Finality comes back by itself when they can; ask each of them (ashlar doctor)"
        ],
    );
}
