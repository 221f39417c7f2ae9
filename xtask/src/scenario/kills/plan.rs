//! What is killed, in which order: a pure function of the seed.

use crate::scenario::network::VALIDATORS;
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng, seq::SliceRandom as _};
use serde::Serialize;
use std::time::Duration;

/// What one kill ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    /// A validator, which at that moment may be the leader.
    Validator,
    /// The gateway.
    Gateway,
    /// A validator and the gateway, at once.
    ValidatorAndGateway,
    /// The supervisor and every process under it; then all is started again.
    Everything,
}

impl Kind {
    /// All kinds.
    pub(crate) const ALL: [Self; 4] = [
        Self::Validator,
        Self::Gateway,
        Self::ValidatorAndGateway,
        Self::Everything,
    ];

    /// The name in reports.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Validator => "validator",
            Self::Gateway => "gateway",
            Self::ValidatorAndGateway => "validator_and_gateway",
            Self::Everything => "everything",
        }
    }
}

/// One kill.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Kill {
    /// What it ends.
    pub kind: Kind,
    /// Which validator, if one.
    pub validator: u16,
    /// Time between the moment it is allowed and the kill.
    pub pause: Duration,
    /// Whether the next record must be final before the next kill. Without it, kills meet a network that still
    /// recovers.
    pub alone: bool,
}

/// All kills of a run, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Plan(pub Vec<Kill>);

impl Plan {
    /// The plan of a seed: `kills` kills, of which each kind has its share.
    pub(crate) fn new(seed: u64, kills: u32) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        // A kill of everything takes longest, so there are few; but one in twenty-five, or one.
        let everything = (kills / 25).max(1);
        let both = kills.saturating_sub(everything) / 6;
        let gateway = kills.saturating_sub(everything + both) / 3;
        let mut kinds: Vec<Kind> = (0..kills)
            .map(|index| match index {
                index if index < everything => Kind::Everything,
                index if index < everything + both => Kind::ValidatorAndGateway,
                index if index < everything + both + gateway => Kind::Gateway,
                _ => Kind::Validator,
            })
            .collect();
        kinds.shuffle(&mut rng);
        let kill = |kind| Kill {
            kind,
            validator: rng.random_range(0..VALIDATORS),
            pause: Duration::from_millis(rng.random_range(0..800)),
            alone: rng.random_bool(0.5),
        };
        Self(kinds.into_iter().map(kill).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_depends_on_its_seed_alone() {
        assert_eq!(Plan::new(7, 50), Plan::new(7, 50));
        assert_ne!(Plan::new(7, 50), Plan::new(8, 50));
    }

    #[test]
    fn each_kind_has_its_share() {
        let counts = |kills| {
            let plan = Plan::new(1, kills).0;
            Kind::ALL.map(|kind| plan.iter().filter(|kill| kill.kind == kind).count())
        };
        assert_eq!(counts(100), [54, 26, 16, 4]);
        assert_eq!(counts(10), [6, 2, 1, 1]);
        assert_eq!(counts(1), [0, 0, 0, 1]);
    }
}
