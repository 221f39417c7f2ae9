//! Where epochs begin and end.

use std::num::NonZeroU64;

/// The heights of epochs. Block 0 is the first of epoch 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Calendar {
    blocks: NonZeroU64,
}

impl Calendar {
    /// Epochs of this many blocks.
    pub const fn new(blocks: NonZeroU64) -> Self {
        Self { blocks }
    }

    /// Blocks in an epoch.
    pub const fn blocks(&self) -> NonZeroU64 {
        self.blocks
    }

    /// The epoch of the block at a height.
    pub fn epoch_of(&self, height: u64) -> u64 {
        height / self.blocks
    }

    /// The height of an epoch's first block.
    pub const fn first(&self, epoch: u64) -> u64 {
        epoch.saturating_mul(self.blocks.get())
    }

    /// The height of an epoch's last block, which names who comes after.
    pub const fn last(&self, epoch: u64) -> u64 {
        self.first(epoch).saturating_add(self.blocks.get() - 1)
    }

    /// The block after which `Members` or `Stake` is read in an epoch: the last before its middle, which every node has that works on the
    /// epoch's last block.
    pub fn reading(&self, epoch: u64) -> u64 {
        self.first(epoch)
            .saturating_add(self.blocks.get() / 2)
            .saturating_sub(1)
    }

    /// Whether the block at a height comes before its epoch's middle, while shares are dealt.
    pub fn is_early(&self, height: u64) -> bool {
        height <= self.reading(self.epoch_of(height))
    }

    /// The epoch for which `Members` or `Stake` is read after the block at a height, if it is.
    pub fn read_for(&self, height: u64) -> Option<u64> {
        let epoch = self.epoch_of(height);
        (height == self.reading(epoch)).then(|| epoch.saturating_add(2))
    }

    /// From which epoch on a validator signs that `Members` or `Stake` has since the block at a height, provided that it is there to get
    /// its share.
    pub fn signs_from(&self, height: u64) -> u64 {
        let epoch = self.epoch_of(height);
        let late = u64::from(height > self.reading(epoch));
        epoch.saturating_add(3).saturating_add(late)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use commonware_consensus::types::{Epoch, Epocher as _, FixedEpocher, Height};
    use commonware_utils::NZU64;

    #[test]
    fn epochs_are_the_engines() {
        for blocks in [NZU64!(8), NZU64!(9), NZU64!(600)] {
            let calendar = Calendar::new(blocks);
            let engine = FixedEpocher::new(blocks);
            for height in 0..3 * blocks.get() {
                let containing = engine.containing(Height::new(height)).unwrap();
                assert_eq!(containing.epoch().get(), calendar.epoch_of(height));
            }
            for epoch in 0..3 {
                let (first, last) = (calendar.first(epoch), calendar.last(epoch));
                let engines = |height: Option<Height>| height.unwrap().get();
                assert_eq!(engines(engine.first(Epoch::new(epoch))), first);
                assert_eq!(engines(engine.last(Epoch::new(epoch))), last);
                let middle = engines(engine.midpoint(Epoch::new(epoch)));
                assert_eq!(calendar.reading(epoch), middle - 1);
            }
        }
    }

    #[test]
    fn a_change_signs_three_or_four_epochs_later() {
        let calendar = Calendar::new(NZU64!(10));
        assert_eq!(calendar.read_for(24), Some(4));
        assert_eq!(calendar.read_for(25), None);
        assert!(calendar.is_early(24) && !calendar.is_early(25));
        assert_eq!(calendar.signs_from(24), 5);
        assert_eq!(calendar.signs_from(25), 6);
    }
}
