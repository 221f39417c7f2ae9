//! Whether blocks become final, and if not, why: what a node knows of itself, of its network, and of who does not answer.
//!
//! ```text
//!  channels ──► Ear ──► Heard (who was heard when)
//!                            │
//!  feed (the last block) ──► Monitor ──► Node::health, and the log
//! ```
//!
//! A validator is *reachable* if a message of it arrived lately: in a chain that goes on each votes in every view, and in one
//! that does not each says so again twice a second. That tells more than an open connection, which a machine without power
//! leaves behind, and it tells it of each direction apart.
//!
//! In reading order: [`Health`], `ear` (who is heard), `stall` (when it counts as a stall, and when people are told), `actor`.

mod actor;
mod ear;
mod stall;

pub(crate) use actor::Monitor;
pub(crate) use ear::{Ear, Heard};
pub(crate) use stall::{Course, Notice, patience};

use crate::{follow::UpstreamStatus, upgrade::Outdated};
use alloy_primitives::hex;
use std::{
    fmt,
    time::{Duration, SystemTime},
};
use types::PublicKey;

/// What a node knows of how its network goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    /// In one word.
    pub progress: Progress,
    /// Height of the last block that is final here.
    pub height: u64,
    /// When it became final here, or when this node started if it had it already.
    pub since: SystemTime,
    /// When this was looked at.
    pub at: SystemTime,
    /// The epoch of the next block.
    pub epoch: u64,
    /// Votes that make a block final.
    pub needed: usize,
    /// Who validates in this epoch, in the engine's order. Nobody if that is not known here, as while the state is taken from
    /// others, and at a follower, which hears none of them.
    pub validators: Vec<Validator>,
    /// The key of this node. A follower has none.
    pub node: Option<PublicKey>,
    /// Whether this node has a share of the network's key in this epoch, without which it cannot vote.
    pub has_share: bool,
    /// Whether enough of the others grant this node its key now. It holds its votes back while they do not.
    pub may_sign: bool,
    /// Whom a follower takes blocks from; none on any other node.
    pub upstreams: Option<Vec<UpstreamStatus>>,
}

/// How a chain goes on, as a node sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Blocks become final.
    Finalizing,
    /// No block has become final for longer than a few views take that time out.
    Stalled,
    /// The node takes the state from others, and follows no chain yet; or it is a follower, and executes blocks that there
    /// were before.
    Syncing,
    /// The node's program does not know the rules of the next block, and ends.
    Outdated(Outdated),
}

/// One that validates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Validator {
    /// Its network key.
    pub key: PublicKey,
    /// The name of its organization, if `Members` knows it.
    pub organization: Option<String>,
    /// Whether a message of it arrived lately; always true of this node itself.
    pub reachable: bool,
}

impl fmt::Display for Validator {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = hex::encode_prefixed(self.key.as_ref());
        match &self.organization {
            Some(name) => write!(formatter, "{} ({key})", name.escape_debug()),
            None => formatter.write_str(&key),
        }
    }
}

impl Health {
    /// How long no block has become final here.
    pub fn lasted(&self) -> Duration {
        self.at.duration_since(self.since).unwrap_or_default()
    }

    /// How many validators are reachable, this node among them if it validates.
    pub fn reachable(&self) -> usize {
        let reachable = |validator: &&Validator| validator.reachable;
        self.validators.iter().filter(reachable).count()
    }

    /// The validators that are not.
    pub fn unreachable(&self) -> impl Iterator<Item = &Validator> {
        self.validators
            .iter()
            .filter(|validator| !validator.reachable)
    }

    /// Whether this node validates in this epoch.
    pub fn validates(&self) -> bool {
        self.validators
            .iter()
            .any(|validator| Some(&validator.key) == self.node.as_ref())
    }

    /// What is wrong, and what comes next or is to be done. None if all is well, or only some are away that are not needed.
    pub fn explanation(&self) -> Option<String> {
        match &self.progress {
            Progress::Finalizing => None,
            Progress::Syncing if self.upstreams.is_some() => Some(format!(
                "this node executes the blocks that there are already, and is at {}: wait; {}",
                self.height,
                self.upstreams()
            )),
            Progress::Syncing => Some(
                "this node takes the state from other nodes, and follows the chain when it has it: wait".to_owned(),
            ),
            Progress::Outdated(outdated) => Some(outdated.to_string()),
            Progress::Stalled => Some(self.stall()),
        }
    }

    /// The upstreams in words.
    fn upstreams(&self) -> String {
        let upstreams = self.upstreams.as_deref().unwrap_or_default();
        let answering = upstreams.iter().filter(|each| each.complaint.is_none());
        let mut text = format!(
            "{} of {} upstreams answer",
            answering.filter(|each| each.height.is_some()).count(),
            upstreams.len()
        );
        for each in upstreams {
            if let Some(complaint) = &each.complaint {
                text = format!("{text}; {}: {complaint}", each.name);
            }
        }
        text
    }

    fn stall(&self) -> String {
        if let Some(upstreams) = &self.upstreams {
            let next = if upstreams.iter().any(|each| each.complaint.is_none()) {
                "Ask those that answer why there is none (ashlar doctor --rpc URL)"
            } else {
                "See to them, or to the network in between; --upstream names others"
            };
            return format!(
                "no block has arrived for {} s: {}. {next}",
                self.lasted().as_secs(),
                self.upstreams()
            );
        }
        let (reachable, all) = (self.reachable(), self.validators.len());
        let begin = format!(
            "no block has become final for {} s: {reachable} of {all} validators are reachable, {} are needed",
            self.lasted().as_secs(),
            self.needed
        );
        let away: Vec<_> = self.unreachable().map(ToString::to_string).collect();
        let away = away.join(", ");
        let heard = reachable > usize::from(self.validates());
        if all == 0 {
            return format!("{begin}; who validates is not known here");
        }
        if reachable >= self.needed {
            let away = match away.as_str() {
                "" => String::new(),
                away => format!("; not reachable: {away}"),
            };
            return format!(
                "{begin}{away}. So enough are up: some of them may not hear one another or this node, or cannot vote. Finality \
                 comes back by itself when they can; ask each of them (ashlar doctor)"
            );
        }
        if heard {
            return format!(
                "{begin}; not reachable: {away}. Finality comes back by itself when enough of them are: see whether they run, \
                 and the network to them"
            );
        }
        format!(
            "{begin}. This node hears none of the others: see first to its own network, and whether they can reach it at \
             p2p.listen or p2p.advertise. Not reachable: {away}"
        )
    }
}

#[cfg(test)]
mod tests;
