//! The stream of final blocks: the real follower, which believes nobody, on simulated calls.

use super::wire::Wire;
use crate::{
    plan::{Services, VALIDATORS},
    witness::Witness,
};
use client::{
    Head, VerifiedBlock,
    follow::{Fault, Follower, Network},
};
use commonware_runtime::{Clock as _, deterministic::Context};
use commonware_utils::channel::mpsc;
use rand::RngExt as _;
use std::{
    collections::BTreeSet,
    time::{Duration, SystemTime},
};

/// How often a validator is asked for more.
const POLL: Duration = Duration::from_millis(40);
/// How long a validator may have nothing new.
const STALL: Duration = Duration::from_millis(1_500);

/// Follows from `start` until nobody takes the blocks any more.
pub async fn follow(
    mut context: Context,
    wire: Wire,
    services: Services,
    witness: Witness,
    network: Network,
    start: Head,
    blocks: mpsc::Sender<VerifiedBlock>,
) {
    let mut follower = Follower::new(network, start);
    let mut liars = BTreeSet::new();
    loop {
        let node = context.random_range(0..VALIDATORS);
        if liars.contains(&node) {
            context.sleep(POLL).await;
            continue;
        }
        match read(&context, &wire, node, &mut follower, &blocks).await {
            Left::Unwanted => return,
            Left::Useless => context.sleep(POLL).await,
            Left::Lied(fault) => {
                if services.liar == Some(node) {
                    witness.mark("lie_caught");
                } else {
                    witness.violation(format!(
                        "honest validator {node} was taken for a liar: {fault}"
                    ));
                }
                liars.insert(node);
            }
        }
    }
}

/// Why a validator was left.
enum Left {
    /// The gateway needs no more blocks.
    Unwanted,
    /// It does not answer, or has nothing new.
    Useless,
    /// It sent what an honest one does not.
    Lied(Fault),
}

/// Reads one validator's blocks.
async fn read(
    context: &Context,
    wire: &Wire,
    node: usize,
    follower: &mut Follower,
    blocks: &mpsc::Sender<VerifiedBlock>,
) -> Left {
    follower.restart();
    let mut next = follower.trusted().height + 1;
    let mut news: SystemTime = context.current();
    while context.current() < news + STALL {
        let Some(batch) = wire.blocks(node, next).await else {
            return Left::Useless;
        };
        if batch.is_empty() {
            context.sleep(POLL).await;
            continue;
        }
        for block in batch {
            let verified = match follower.push(block) {
                Ok(verified) => verified,
                Err(fault) => return Left::Lied(fault),
            };
            next += 1;
            for block in verified {
                news = context.current();
                if blocks.send(block).await.is_err() {
                    return Left::Unwanted;
                }
            }
        }
    }
    Left::Useless
}
