//! Judges epochs: who may lead, who is named next, and that the key stays what it is.

use alloy_primitives::{B256, U256, keccak256};
use chain::{Calendar, Node};
use commonware_codec::{Copying, DecodeExt as _, Encode as _};
use commonware_glue::dkg::{ReshareBlock as _, types::EpochOutcome};
use commonware_utils::Participant;
use contracts::{SystemContract, governance::Parameter, member};
use std::collections::{BTreeMap, BTreeSet};
use types::{Block, Ceremony, ChainSpec, EpochInfo, PublicKey};

/// What epochs were seen.
pub struct Epochs {
    calendar: Calendar,
    by_epoch: BTreeMap<u64, EpochInfo>,
    /// What is worth noting, each once.
    marks: BTreeSet<&'static str>,
}

impl Epochs {
    /// Epoch 0 of the network with this spec.
    #[expect(clippy::expect_used, reason = "the simulation's own committee")]
    pub fn new(spec: &ChainSpec) -> Self {
        let first = spec.first_epoch().expect("a valid committee");
        Self {
            calendar: Calendar::new(spec.epoch_blocks),
            by_epoch: BTreeMap::from([(0, first)]),
            marks: BTreeSet::new(),
        }
    }

    /// Rare situations reached.
    pub fn marks(&self) -> impl Iterator<Item = &'static str> {
        self.marks.iter().copied()
    }

    /// The epoch of a height.
    pub fn epoch_of(&self, number: u64) -> u64 {
        self.calendar.epoch_of(number)
    }

    /// Judges the next block of the chain.
    pub fn block(&mut self, block: &Block) -> Vec<String> {
        let number = block.number();
        let epoch = self.calendar.epoch_of(number);
        let mut wrong = Vec::new();
        let context = &block.extension().context;
        if context.round.epoch().get() != epoch {
            wrong.push(format!("block {number} is of epoch {}", context.round));
        }
        let Some(info) = self.by_epoch.get(&epoch) else {
            return vec![format!("nobody was named for epoch {epoch}")];
        };
        let founders = self.by_epoch.get(&0).map(|first| first.output.players());
        if info.output.players().position(&context.leader).is_none() {
            wrong.push(format!(
                "block {number} was proposed by {}, who is not of epoch {epoch}'s committee",
                context.leader
            ));
        }
        if founders.is_some_and(|founders| founders.position(&context.leader).is_none()) {
            self.marks.insert("newcomer_led");
        }
        let payload = block.payload();
        if number != self.calendar.last(epoch) {
            if matches!(payload, Some(Ceremony::EpochInfo(_))) {
                wrong.push(format!("block {number} names an epoch too early"));
            }
            return wrong;
        }
        let Some(Ceremony::EpochInfo(next)) = payload else {
            wrong.push(format!(
                "block {number} is an epoch's last and names nobody"
            ));
            return wrong;
        };
        let key = |info: &EpochInfo| info.output.public().public().encode();
        if next.epoch.get() != epoch + 1 || key(&next) != key(info) {
            wrong.push(format!("block {number} changes the network's key or skips"));
        }
        let expected = match next.outcome {
            EpochOutcome::Success => {
                self.marks.insert("reshared");
                let publics = shares(&next);
                if self.by_epoch.values().any(|past| {
                    let past = shares(past);
                    past.iter().any(|share| publics.contains(share))
                }) {
                    wrong.push(format!(
                        "a share of an epoch before {} can still sign in it",
                        next.epoch
                    ));
                }
                &info.players
            }
            EpochOutcome::Failure => {
                self.marks.insert("resharing_failed");
                info.output.players()
            }
        };
        if next.output.players() != expected || next.players != info.next_players {
            wrong.push(format!("block {number} names others than were announced"));
        }
        if next.output.players() != info.output.players() {
            self.marks.insert("committee_changed");
        }
        self.by_epoch.insert(epoch + 1, next);
        wrong
    }

    /// Judges, with the states that a node keeps, that those were named whom `Members` had, or in a bonded network those with the
    /// highest bonds.
    pub async fn settle(&self, node: &Node) -> Vec<String> {
        let mut wrong = Vec::new();
        for (epoch, info) in self.by_epoch.iter().skip(1) {
            let height = self.calendar.reading(epoch - 1);
            let settings = slot(node, height, SystemContract::Members, member::SETTINGS).await;
            let named = if settings.byte(2) == 1 {
                Self::bonded(node, height).await
            } else {
                registered(node, height).await
            };
            let next = info.next_players.iter();
            let next: BTreeSet<_> = next.map(|key| B256::from_slice(key.as_ref())).collect();
            if named != next {
                wrong.push(format!(
                    "epoch {epoch} announces {next:?}, and the contract had {named:?}"
                ));
            }
        }
        wrong
    }

    /// Whom `Stake` had after a block: of the keys that can sign those with the highest bonds, the lower first of two equal ones.
    async fn bonded(node: &Node, height: u64) -> BTreeSet<B256> {
        let stake = SystemContract::Stake;
        let count = slot(node, height, stake, U256::ZERO).await;
        let first = U256::from_be_bytes(keccak256([0; 32]).0);
        let mut bonds = BTreeSet::new();
        for place in 0..count.saturating_to::<u64>() {
            let at = |slot: u64| first.wrapping_add(U256::from(3 * place + slot));
            let key = B256::from(slot(node, height, stake, at(0)).await);
            let bond = slot(node, height, stake, at(2)).await;
            if PublicKey::decode(Copying(key.as_slice())).is_ok() {
                bonds.insert((!bond, key));
            }
        }
        let parameters = SystemContract::Parameters;
        let wanted = U256::from(Parameter::StakeValidators as u8);
        let seats = slot(node, height, parameters, wanted).await;
        let seats = if seats.is_zero() { 32 } else { seats.to() };
        bonds.into_iter().take(seats).map(|(_, key)| key).collect()
    }
}

/// Whom `Members` had after a block.
async fn registered(node: &Node, height: u64) -> BTreeSet<B256> {
    let members = SystemContract::Members;
    let count = slot(node, height, members, member::VALIDATORS).await;
    let mut named = BTreeSet::new();
    for index in 0..count.saturating_to::<u64>() {
        let at = member::item(member::VALIDATORS, index);
        named.insert(B256::from(slot(node, height, members, at).await));
    }
    named
}

async fn slot(node: &Node, height: u64, contract: SystemContract, slot: U256) -> U256 {
    let value = node.slot_at(Some(height), contract.address(), slot).await;
    value.unwrap_or_default()
}

/// The public parts of an epoch's shares.
fn shares(info: &EpochInfo) -> BTreeSet<Vec<u8>> {
    let sharing = info.output.public();
    (0..info.output.players().len())
        .filter_map(|index| sharing.partial_public(Participant::from_usize(index)).ok())
        .map(|share| share.encode().to_vec())
        .collect()
}
