//! What goes wrong, and when: a pure function of the seed.

use rand::{
    RngExt as _, SeedableRng as _,
    rngs::StdRng,
    seq::{IteratorRandom as _, SliceRandom as _},
};
use std::{collections::BTreeSet, time::Duration};

/// A fault at a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A validator's process ends; unsynced writes are lost. It is started again after the pause.
    Crash {
        /// Which validator.
        validator: usize,
        /// How long it is down.
        down: Duration,
    },
    /// A validator's process ends, and what it kept secret is gone when it is started again after the pause.
    Amnesia {
        /// Which validator.
        validator: usize,
        /// How long it is down.
        down: Duration,
    },
    /// A validator's machine is lost with all that it kept. After the pause another one takes its place, with the network key
    /// and no data: it takes the state from the others, and signs again when it has got another share.
    Replacement {
        /// Which validator.
        validator: usize,
        /// How long it is down.
        down: Duration,
        /// A validator that damages what it answers the newcomer.
        liar: usize,
    },
    /// A validator's process ends, and after the pause a backup takes its place that was made when it had just been set up: it
    /// has the share of epoch 0, and nothing of what was signed with it.
    Restore {
        /// Which validator.
        validator: usize,
        /// How long it is down.
        down: Duration,
    },
    /// The network splits: this many validators on one side, the others on the other.
    Partition {
        /// Validators on the first side.
        side: Vec<usize>,
        /// How long.
        lasts: Duration,
    },
    /// Messages get lost between all validators.
    Loss {
        /// Percent of messages that arrive.
        delivered: u64,
        /// How long.
        lasts: Duration,
    },
    /// Disks fail writes and syncs at random, tearing some; every node is then started again.
    Storage {
        /// How long.
        lasts: Duration,
    },
    /// A gateway's process ends between any two steps and is started again after the pause.
    Gateway {
        /// Which gateway, if there are that many.
        gateway: usize,
        /// How long it is down.
        down: Duration,
    },
}

/// A node becomes a validator, or is none any more, because its organization says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Move {
    /// Which node.
    pub node: usize,
    /// Whether it validates from now on.
    pub validates: bool,
}

/// A node crashes when it has come so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stumble {
    /// The height.
    pub height: u64,
    /// Which node.
    pub node: usize,
    /// How long it is down.
    pub down: Duration,
}

/// How a validator misbehaves whenever the key is shared anew. Its consensus is honest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dealing {
    /// It says nothing: no shares, no acknowledgements.
    Silent,
    /// What it says is damaged now and then: some get a share that is none, and speak with it no more.
    False,
}

/// How unreliable the way is between clients, gateways and validators.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Weather {
    /// Longest usual delay of a request or a reply, in milliseconds.
    pub delay_ms_max: u64,
    /// Percent of requests and replies that take seconds, and may arrive after whoever sent them has died.
    pub slow: u32,
    /// Percent of requests that are lost.
    pub lost_requests: u32,
    /// Percent of replies that are lost.
    pub lost_replies: u32,
    /// Percent of requests that arrive twice.
    pub doubled: u32,
}

impl Weather {
    /// After healing.
    pub const GOOD: Self = Self {
        delay_ms_max: 20,
        slow: 0,
        lost_requests: 0,
        lost_replies: 0,
        doubled: 0,
    };
}

/// The service side of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Services {
    /// Gateways, each with an account and a journal of its own.
    pub gateways: usize,
    /// How calls fare.
    pub weather: Weather,
    /// Before how many of a thousand effects a gateway dies by itself.
    pub crashes: u32,
    /// How many of a thousand writes to a journal fail.
    pub failed_writes: u32,
    /// How many of a thousand signatures fail.
    pub failed_signatures: u32,
    /// A validator whose answers to gateways are partly lies. Its consensus is honest.
    pub liar: Option<usize>,
    /// Records posted at once, besides the steady ones.
    pub burst: usize,
    /// Milliseconds after which a gateway sends a transaction again; its other times are multiples of it.
    pub resend_ms: u64,
    /// Transactions a gateway has in flight at most.
    pub in_flight_max: usize,
}

/// All faults of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The seed it came from.
    pub seed: u64,
    /// Faults with the time they strike after the start of their power cycle.
    pub cycles: Vec<Vec<(Duration, Fault)>>,
    /// How members change who validates, with the time after the start of the power cycle.
    pub moves: Vec<Vec<(Duration, Move)>>,
    /// Crashes in given phases of an epoch, the last one first.
    pub stumbles: Vec<Stumble>,
    /// The validator that misbehaves as a dealer, and how.
    pub dealer: Option<(usize, Dealing)>,
    /// How long faults go on in one power cycle.
    pub phase: Duration,
    /// Nodes that do not validate at first.
    pub spare: usize,
    /// How many seats there are, if validators are chosen by bond: then moves are bonds, and the end of bonds.
    pub seats: Option<usize>,
    /// Mean latency of a message.
    pub latency: Duration,
    /// Its deviation.
    pub jitter: Duration,
    /// Percent of messages that arrive when nothing is wrong.
    pub delivered: u64,
    /// The service side.
    pub services: Services,
}

/// Validators in a run: the least that tolerate a fault.
pub const VALIDATORS: usize = 4;
/// Gateways in a run at most.
pub const GATEWAYS_MAX: usize = 2;
/// How long faults go on in one power cycle.
const FAULT_PHASE: Duration = Duration::from_secs(5);
/// How long they do when members change who validates, which takes epochs.
const LIFE_PHASE: Duration = Duration::from_secs(20);
/// Nodes to spare then.
const SPARE: usize = 3;

impl Plan {
    /// The plan of a seed.
    pub fn new(seed: u64) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        // A third of the runs lose power once or twice: all nodes at once, with torn writes.
        let cycles = match rng.random_range(0..9_u32) {
            0 => 3,
            1 | 2 => 2,
            _ => 1,
        };
        // In a quarter of the runs validators come and go.
        let lives = rng.random_range(0..4_u32) == 0;
        let (phase, spare) = if lives {
            (LIFE_PHASE, SPARE)
        } else {
            (FAULT_PHASE, 0)
        };
        let mut validators: BTreeSet<usize> = (0..VALIDATORS).collect();
        let moves = (0..cycles)
            .map(|_| moves(&mut rng, &mut validators, phase, spare))
            .collect();
        let mut plan = Self {
            seed,
            moves,
            cycles: cycles_of(&mut rng, cycles, phase),
            phase,
            spare,
            seats: seats(seed, spare),
            latency: Duration::from_millis(rng.random_range(1..40)),
            jitter: Duration::from_millis(rng.random_range(0..20)),
            delivered: rng.random_range(95..=100),
            services: services(&mut rng),
            stumbles: stumbles(&mut rng, spare),
            dealer: (lives && rng.random_bool(0.6)).then(|| {
                let dealing = if rng.random() {
                    Dealing::Silent
                } else {
                    Dealing::False
                };
                (rng.random_range(0..VALIDATORS), dealing)
            }),
        };
        if plan.outcast().is_some() {
            // It is the one that may fail: beside it nobody may be without a share.
            for faults in &mut plan.cycles {
                faults.retain(|(_, fault)| {
                    !matches!(
                        fault,
                        Fault::Amnesia { .. } | Fault::Restore { .. } | Fault::Replacement { .. }
                    )
                });
            }
        }
        plan
    }

    /// The validator that the others do not speak with once it has sent them what cannot be.
    pub fn outcast(&self) -> Option<usize> {
        let (dealer, dealing) = self.dealer?;
        (dealing == Dealing::False).then_some(dealer)
    }
}

/// In a third of the runs in which validators come and go they do so by bond. Drawn apart from all else, so that the other runs
/// are what they were before there were bonds; those that every build runs by their seeds are among these.
fn seats(seed: u64, spare: usize) -> Option<usize> {
    let mut rng = StdRng::seed_from_u64(seed ^ 0x0073_7461_6b8a);
    let bonded = spare > 0 && rng.random_range(0..3_u32) == 0;
    bonded.then(|| rng.random_range(VALIDATORS..=VALIDATORS + spare))
}

fn services(rng: &mut StdRng) -> Services {
    let weather = Weather {
        delay_ms_max: rng.random_range(2..60),
        slow: rng.random_range(0..5),
        lost_requests: rng.random_range(0..15),
        lost_replies: rng.random_range(0..15),
        doubled: rng.random_range(0..15),
    };
    Services {
        gateways: rng.random_range(1..=GATEWAYS_MAX),
        weather,
        crashes: rng.random_range(0..40),
        failed_writes: rng.random_range(0..20),
        failed_signatures: rng.random_range(0..100),
        liar: rng
            .random_bool(0.3)
            .then(|| rng.random_range(0..VALIDATORS)),
        // More than two transactions take, so that a gateway has several in flight.
        burst: if rng.random_range(0..16_u32) == 0 {
            1_200
        } else {
            0
        },
        resend_ms: rng.random_range(200..2_000),
        in_flight_max: rng.random_range(1..=4),
    }
}

/// Crashes in all phases of epochs, in runs that are long enough for some.
fn stumbles(rng: &mut StdRng, spare: usize) -> Vec<Stumble> {
    if spare == 0 {
        return Vec::new();
    }
    let count = rng.random_range(0..=6_usize);
    let mut all: Vec<_> = (0..count)
        .map(|_| Stumble {
            height: rng.random_range(1..200),
            node: rng.random_range(0..VALIDATORS + spare),
            down: Duration::from_millis(rng.random_range(50..1_500)),
        })
        .collect();
    all.sort_by_key(|stumble| std::cmp::Reverse(stumble.height));
    all
}

/// The faults of each power cycle. In most runs one validator loses its share, which as many as f may at a time: by itself, with
/// all else, or because of a backup that is too old.
fn cycles_of(rng: &mut StdRng, cycles: usize, phase: Duration) -> Vec<Vec<(Duration, Fault)>> {
    let mut all: Vec<_> = (0..cycles).map(|_| faults(rng, phase)).collect();
    let loss = rng.random_range(0..5_u32);
    if loss < 3
        && let Some(cycle) = all.iter_mut().choose(rng)
    {
        let at = phase.mul_f64(rng.random_range(0.1..0.7));
        let validator = rng.random_range(0..VALIDATORS);
        let down = Duration::from_millis(rng.random_range(50..1_000));
        let fault = match loss {
            0 => Fault::Amnesia { validator, down },
            1 => Fault::Restore { validator, down },
            _ => Fault::Replacement {
                validator,
                down,
                liar: (validator + rng.random_range(1..VALIDATORS)) % VALIDATORS,
            },
        };
        cycle.push((at, fault));
        cycle.sort_by_key(|(at, _)| *at);
    }
    all
}

/// Who comes and who goes, such that there are never fewer than at first.
fn moves(
    rng: &mut StdRng,
    validators: &mut BTreeSet<usize>,
    phase: Duration,
    spare: usize,
) -> Vec<(Duration, Move)> {
    if spare == 0 {
        return Vec::new();
    }
    let all = VALIDATORS + spare;
    let mut times: Vec<_> = (0..rng.random_range(1..=4_usize))
        .map(|_| phase.mul_f64(rng.random_range(0.0..0.8)))
        .collect();
    times.sort();
    let mut moves = Vec::with_capacity(times.len());
    for at in times {
        let least = validators.len() == VALIDATORS;
        let validates = least || (validators.len() < all && rng.random_bool(0.5));
        let can = (0..all).filter(|node| validators.contains(node) != validates);
        let Some(node) = can.choose(rng) else {
            continue;
        };
        if validates {
            validators.insert(node);
        } else {
            validators.remove(&node);
        }
        moves.push((at, Move { node, validates }));
    }
    moves
}

fn faults(rng: &mut StdRng, phase: Duration) -> Vec<(Duration, Fault)> {
    let millis = |rng: &mut StdRng, low, high| Duration::from_millis(rng.random_range(low..high));
    let count = rng.random_range(1..=5_usize);
    let mut faults = Vec::with_capacity(count);
    for _ in 0..count {
        let phase = u64::try_from(phase.as_millis()).unwrap_or(u64::MAX);
        let at = millis(rng, 200, phase);
        let fault = match rng.random_range(0..12_u32) {
            0..=4 => Fault::Crash {
                validator: rng.random_range(0..VALIDATORS),
                down: millis(rng, 50, 2_000),
            },
            5 | 6 => {
                let mut all: Vec<usize> = (0..VALIDATORS).collect();
                all.shuffle(rng);
                all.truncate(rng.random_range(1..=VALIDATORS / 2));
                Fault::Partition {
                    side: all,
                    lasts: millis(rng, 200, 3_000),
                }
            }
            7 | 8 => Fault::Loss {
                delivered: rng.random_range(40..90),
                lasts: millis(rng, 200, 2_000),
            },
            9 => Fault::Storage {
                lasts: millis(rng, 100, 800),
            },
            _ => Fault::Gateway {
                gateway: rng.random_range(0..GATEWAYS_MAX),
                down: millis(rng, 20, 1_500),
            },
        };
        faults.push((at, fault));
    }
    faults.sort_by_key(|(at, _)| *at);
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_depends_on_its_seed_alone() {
        assert_eq!(Plan::new(7), Plan::new(7));
        assert_ne!(Plan::new(7), Plan::new(8));
    }

    #[test]
    fn some_runs_in_which_validators_come_and_go_are_bonded() {
        let plans: Vec<_> = (0..400).map(Plan::new).collect();
        let seats = |plan: &Plan| plan.seats;
        let drawn: BTreeSet<_> = plans.iter().filter_map(seats).collect();
        assert_eq!(drawn, (VALIDATORS..=VALIDATORS + SPARE).collect());
        let lives = plans.iter().filter(|plan| plan.spare > 0);
        assert!(lives.clone().any(|plan| plan.seats.is_none()));
        assert!(
            plans
                .iter()
                .all(|plan| plan.spare > 0 || plan.seats.is_none())
        );
    }

    #[test]
    fn every_kind_of_fault_is_drawn() {
        let mut kinds = [false; 8];
        for seed in 0..200 {
            for (_, fault) in Plan::new(seed).cycles.iter().flatten() {
                let kind = match fault {
                    Fault::Crash { .. } => 0,
                    Fault::Partition { .. } => 1,
                    Fault::Loss { .. } => 2,
                    Fault::Storage { .. } => 3,
                    Fault::Gateway { .. } => 4,
                    Fault::Amnesia { .. } => 5,
                    Fault::Replacement { .. } => 6,
                    Fault::Restore { .. } => 7,
                };
                kinds[kind] = true;
            }
        }
        assert_eq!(kinds, [true; 8]);
    }
}
