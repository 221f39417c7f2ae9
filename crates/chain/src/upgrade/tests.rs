use super::*;
use expect_test::{Expect, expect};
use std::collections::BTreeMap;

const UNKNOWN: B256 = B256::repeat_byte(0xaa);

fn with(forks: &[(B256, u64)], versions: Versions) -> Schedule {
    Schedule {
        versions,
        forks: BTreeMap::from_iter(forks.iter().copied()),
    }
}

#[track_caller]
fn check(schedule: &Schedule, first: Fork, height: u64, expected: Expect) {
    let said = match Program::default().rules(first, schedule, height) {
        Ok(fork) => fork.to_string(),
        Err(outdated) => outdated.to_string(),
    };
    expected.assert_eq(&said);
}

#[test]
fn a_fork_holds_from_its_height_on() {
    let schedule = with(&[(id(Fork::Osaka), 100)], Versions::default());
    check(&schedule, Fork::Prague, 99, expect!["prague"]);
    check(&schedule, Fork::Prague, 100, expect!["osaka"]);
    check(&schedule, Fork::Prague, u64::MAX, expect!["osaka"]);
}

#[test]
fn rules_do_not_grow_older() {
    let forks = [(id(Fork::Osaka), 10), (id(Fork::Prague), 20)];
    let schedule = with(&forks, Versions::default());
    check(&schedule, Fork::Prague, 20, expect!["osaka"]);
    check(&schedule, Fork::Osaka, 5, expect!["osaka"]);
    let transitions = |first| Program::default().transitions(first, &schedule);
    let both = vec![(0, Fork::Prague), (10, Fork::Osaka)];
    assert_eq!(transitions(Fork::Prague), both);
    assert_eq!(transitions(Fork::Osaka), vec![(0, Fork::Osaka)]);
}

#[test]
fn what_is_not_known_ends_the_node_at_its_height() {
    let forks = [(id(Fork::Osaka), 10), (UNKNOWN, 50)];
    let schedule = with(&forks, Versions::default());
    check(&schedule, Fork::Prague, 49, expect!["osaka"]);
    check(
        &schedule,
        Fork::Prague,
        50,
        expect![
            "from block 50 on the rules of the fork 0xaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa hold, and this program (protocol version 1, forks prague, osaka) does not know them. Install a version that does, and start it on the same data directory: every block before is kept"
        ],
    );
}

#[test]
fn a_version_is_needed_from_its_height_on() {
    let versions = Versions {
        current: 1,
        next: 2,
        height: 30,
    };
    let schedule = with(&[(UNKNOWN, 31)], versions);
    check(&schedule, Fork::Osaka, 29, expect!["osaka"]);
    check(
        &schedule,
        Fork::Osaka,
        31,
        expect![
            "from block 30 on nodes need protocol version 2, and this program has less (protocol version 1, forks prague, osaka). Install a newer version, and start it on the same data directory: every block before is kept"
        ],
    );
    let beyond = Program::default().beyond(&schedule);
    assert_eq!(beyond.len(), 2);
}

#[test]
fn warnings_come_more_often_towards_the_end() {
    let due: Vec<_> = (0..5_000).rev().filter(|left| is_due(*left)).collect();
    let expected: Vec<_> = [4_000, 3_000, 2_000]
        .into_iter()
        .chain((1..=10).rev().map(|hundreds| hundreds * 100))
        .chain((2..10).rev().map(|tens| tens * 10))
        .chain((0..=10).rev())
        .collect();
    assert_eq!(due, expected);
}
