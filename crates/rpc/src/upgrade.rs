//! Which rules hold from which height on, and what this node's program knows.

use crate::{
    dispatch::{Reply, reply},
    method::Api,
    parameter::Params,
};
use alloy_primitives::U64;
use chain::{Outdated, upgrade};
use client::node::{KnownFork, NextVersion, ScheduledFork, Upgrades};

/// `ashlar_upgrades`.
pub(crate) fn upgrades(api: &Api, params: &Params<'_>) -> Reply {
    params.end()?;
    let upgrades = api.node.upgrades();
    let program = upgrades.program();
    let (block, schedule) = upgrades.decided();
    let left = |height: u64| U64::from(height.saturating_sub(block));
    let known = program.forks.iter().map(|fork| KnownFork {
        name: fork.name().to_owned(),
        id: upgrade::id(*fork),
    });
    let mut scheduled: Vec<_> = schedule
        .forks
        .iter()
        .map(|(id, height)| ScheduledFork {
            id: *id,
            name: program.fork(*id).map(|fork| fork.name().to_owned()),
            height: U64::from(*height),
            blocks_left: left(*height),
        })
        .collect();
    scheduled.sort_by_key(|fork| (fork.height, fork.id));
    let versions = schedule.versions;
    let ahead = versions.next != 0 && versions.height > block;
    reply(&Upgrades {
        block: U64::from(block),
        fork: upgrades.next_fork().name().to_owned(),
        protocol_version: U64::from(program.protocol),
        known_forks: known.collect(),
        scheduled_forks: scheduled,
        minimum_version: U64::from(versions.at(block)),
        next_version: ahead.then(|| NextVersion {
            version: U64::from(versions.next),
            height: U64::from(versions.height),
            blocks_left: left(versions.height),
        }),
        stops_before: program
            .beyond(&schedule)
            .first()
            .map(|outdated: &Outdated| U64::from(outdated.height())),
    })
}
