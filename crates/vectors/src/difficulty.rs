//! The difficulty of proof-of-work blocks.

use crate::fork::Fork;
use alloy_consensus::{EMPTY_OMMER_ROOT_HASH, Header};
use alloy_primitives::U256;

/// No block is easier than this.
const DIFFICULTY_MIN: u64 = 131_072;
/// A parent's difficulty moves by steps of one part in this many.
const STEP_DIVISOR: u64 = 2048;
/// Blocks in which the ice age doubles its share.
const PERIOD_BLOCKS: u64 = 100_000;

/// What the difficulty of a child of `parent` at this time must be.
pub(crate) fn difficulty(fork: Fork, timestamp: u64, parent: &Header) -> U256 {
    let elapsed = timestamp.saturating_sub(parent.timestamp);
    let step = parent.difficulty / U256::from(STEP_DIVISOR);
    // How many steps up; or down.
    let (up, down) = match fork {
        Fork::Frontier => {
            if elapsed < 13 {
                (1, 0)
            } else {
                (0, 1)
            }
        }
        Fork::Homestead | Fork::Dao | Fork::TangerineWhistle | Fork::SpuriousDragon => {
            steps(1, elapsed / 10)
        }
        // EIP-100: a parent with uncles stands for more work.
        _ if parent.ommers_hash != EMPTY_OMMER_ROOT_HASH => steps(2, elapsed / 9),
        _ => steps(1, elapsed / 9),
    };
    let base = (parent.difficulty + step * U256::from(up))
        .saturating_sub(step * U256::from(down))
        .max(U256::from(DIFFICULTY_MIN));
    base + ice_age(fork, parent.number.saturating_add(1))
}

/// `max(base - back, -99)` as steps up and steps down.
const fn steps(base: u64, back: u64) -> (u64, u64) {
    if back <= base {
        return (base - back, 0);
    }
    let down = back - base;
    (0, if down < 99 { down } else { 99 })
}

/// The share that grows exponentially, to make people move on to the next fork.
fn ice_age(fork: Fork, number: u64) -> U256 {
    let delay = match fork {
        fork if fork >= Fork::GrayGlacier => 11_400_000,
        Fork::ArrowGlacier => 10_700_000,
        Fork::London => 9_700_000,
        fork if fork >= Fork::MuirGlacier => 9_000_000,
        fork if fork >= Fork::Constantinople => 5_000_000,
        fork if fork >= Fork::Byzantium => 3_000_000,
        _ => 0,
    };
    let periods = number.saturating_sub(delay) / PERIOD_BLOCKS;
    match periods.checked_sub(2) {
        Some(doublings) if doublings < 256 => U256::ONE << doublings,
        Some(_) => U256::MAX,
        None => U256::ZERO,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_primitives::B256;

    fn check(fork: Fork, number: u64, elapsed: u64, uncles: bool, expected: u64) {
        let parent = Header {
            number: number - 1,
            timestamp: 1000,
            difficulty: U256::from(2_048_000),
            ommers_hash: if uncles {
                B256::repeat_byte(1)
            } else {
                EMPTY_OMMER_ROOT_HASH
            },
            ..Header::default()
        };
        let found = difficulty(fork, 1000 + elapsed, &parent);
        assert_eq!(found, U256::from(expected), "{fork:?} {number} {elapsed}");
    }

    #[test]
    fn each_fork_moves_it_its_own_way() {
        check(Fork::Frontier, 1, 12, false, 2_049_000);
        check(Fork::Frontier, 1, 13, false, 2_047_000);
        check(Fork::Homestead, 1, 9, false, 2_049_000);
        check(Fork::Homestead, 1, 19, false, 2_048_000);
        check(Fork::Homestead, 1, 35, false, 2_046_000);
        check(Fork::Homestead, 1, 1_000_000, false, 2_048_000 - 99_000);
        check(Fork::Byzantium, 1, 8, false, 2_049_000);
        check(Fork::Byzantium, 1, 8, true, 2_050_000);
        check(Fork::Byzantium, 1, 27, true, 2_047_000);
    }

    #[test]
    fn the_ice_age_comes_later_with_each_delay() {
        check(Fork::Homestead, 199_999, 19, false, 2_048_000);
        check(Fork::Homestead, 200_000, 19, false, 2_048_001);
        check(Fork::Homestead, 500_000, 19, false, 2_048_008);
        check(Fork::Byzantium, 3_199_999, 17, false, 2_048_000);
        check(Fork::Byzantium, 3_300_000, 17, false, 2_048_002);
        check(Fork::Petersburg, 5_300_000, 17, false, 2_048_002);
        check(Fork::Berlin, 9_300_000, 17, false, 2_048_002);
        check(Fork::London, 10_000_000, 17, false, 2_048_002);
        check(Fork::ArrowGlacier, 11_000_000, 17, false, 2_048_002);
        check(Fork::GrayGlacier, 11_700_000, 17, false, 2_048_002);
    }

    #[test]
    fn it_never_falls_below_the_minimum() {
        let parent = Header {
            difficulty: U256::from(DIFFICULTY_MIN),
            ..Header::default()
        };
        let found = difficulty(Fork::Homestead, 10_000, &parent);
        assert_eq!(found, U256::from(DIFFICULTY_MIN));
    }
}
