//! From a network to the one that goes on with its state: how trust in one identity leads to another.
//!
//! A network that ends names its successor in a log of its contract `Succession`, once and for all. A receipt of the transaction
//! that did it proves that, like any other: the old key signs for the new one. Whoever trusts the old identity trusts the new
//! one then, and the one that this names in turn.

use crate::{
    inclusion::{Log, TransactionReceipt},
    receipt::{Identity, Network, Receipt},
    verify::{BlockProof, Failure, rfc3339, verify_effect},
};
use alloc::{boxed::Box, vec::Vec};
use alloy_primitives::{Address, B256, FixedBytes, U256, address, b256};
use core::fmt;

/// The system contract `Succession`, present from genesis in every Ashlar network.
pub const SUCCESSION: Address = address!("0x4153484c41520000000000000000000000000009");

/// keccak256 of `SuccessorNamed(bytes,uint256,bytes32)`.
pub const SUCCESSOR_NAMED_TOPIC: B256 =
    b256!("0x9954a5468f612469f27e74e3c84ceba99d6c4f88b00357f86b28aed398fb12fd");

/// Successions that one after the other can be followed.
pub const SUCCESSIONS_MAX: usize = 64;

/// That one network named another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Succession {
    /// The one that ended.
    pub predecessor: Network,
    /// The one that goes on.
    pub successor: Network,
    /// The block in which it was named.
    pub block: BlockProof,
}

impl Succession {
    /// Reads it from a receipt of the network that ended, which is checked against that network's identity.
    ///
    /// # Errors
    /// [`SuccessionError`].
    pub fn verify(receipt: &Receipt, predecessor: &Identity) -> Result<Self, SuccessionError> {
        let (verdict, effect) = verify_effect(receipt, Some(predecessor))?;
        let TransactionReceipt { succeeded, logs } = effect;
        let named = logs.iter().filter(|_| succeeded).find(|log| names(log));
        let named = named.ok_or(SuccessionError::NotNamed)?;
        Ok(Self {
            predecessor: receipt.network.clone(),
            successor: network(&named.data).ok_or(SuccessionError::Event)?,
            block: verdict.block,
        })
    }
}

impl fmt::Display for Succession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            predecessor,
            successor,
            block,
        } = self;
        writeln!(f, "predecessor   {}", predecessor.identity)?;
        writeln!(
            f,
            "named         {} (chain {}, genesis {})",
            successor.identity, successor.chain_id, successor.genesis
        )?;
        let time = rfc3339(block.timestamp);
        write!(
            f,
            "in its block  {} of {time}, {}",
            block.height, block.hash
        )
    }
}

/// The networks whose word counts for somebody who trusts one identity: that one, and what it led to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lineage {
    first: Identity,
    successions: Vec<Succession>,
}

impl Lineage {
    /// Only the identity that is trusted.
    pub const fn new(trusted: Identity) -> Self {
        Self {
            first: trusted,
            successions: Vec::new(),
        }
    }

    /// Follows the last network to its successor, by a receipt of the last.
    ///
    /// # Errors
    /// [`SuccessionError`]; the lineage is then what it was.
    pub fn follow(&mut self, receipt: &Receipt) -> Result<&Succession, SuccessionError> {
        let last = match self.successions.last() {
            None => self.first,
            Some(Succession { successor, .. }) if *successor == receipt.network => {
                successor.identity
            }
            Some(Succession { successor, .. }) => {
                return Err(SuccessionError::Other {
                    last: Box::new(successor.clone()),
                    found: Box::new(receipt.network.clone()),
                });
            }
        };
        if self.successions.len() == SUCCESSIONS_MAX {
            return Err(SuccessionError::TooMany);
        }
        let succession = Succession::verify(receipt, &last)?;
        self.successions.push(succession);
        Ok(&self.successions[self.successions.len() - 1])
    }

    /// What was followed, the oldest first.
    pub fn successions(&self) -> &[Succession] {
        &self.successions
    }

    /// The steps that lead to this network: none if it is the first one, or not in the lineage.
    pub fn path(&self, network: &Network) -> &[Succession] {
        let mut successors = self.successions.iter();
        let at = successors.position(|found| found.successor == *network);
        at.map_or(&[], |at| &self.successions[..=at])
    }

    /// The identity to check a document of this network against. For a network that is not in the lineage it is the first
    /// one's, which it will not have.
    pub fn pin(&self, network: &Network) -> Identity {
        let last = self.path(network).last();
        last.map_or(self.first, |found| found.successor.identity)
    }
}

fn names(log: &Log) -> bool {
    log.address == SUCCESSION && log.topics == [SUCCESSOR_NAMED_TOPIC]
}

/// Reads the event's data: the one ABI encoding of `(bytes of 96, chain id, genesis)` and no other.
fn network(data: &[u8]) -> Option<Network> {
    let data: &[u8; 224] = data.try_into().ok()?;
    let word = |index: usize| {
        data[index * 32..]
            .first_chunk()
            .map(B256::from)
            .unwrap_or_default()
    };
    let number = |index| U256::from_be_bytes(word(index).0);
    if number(0) != U256::from(0x60) || number(3) != U256::from(96) {
        return None;
    }
    Some(Network {
        chain_id: number(1).try_into().ok()?,
        genesis: word(2),
        identity: FixedBytes::from_slice(&data[128..]),
    })
}

/// Why a receipt does not lead from one network to another.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SuccessionError {
    /// It proves nothing, or is of another network than the one that is trusted.
    #[error("it is not valid, at step {step}: {0}", step = .0.step())]
    Receipt(#[from] Failure),
    /// It is valid, but says something else.
    #[error("its transaction names no successor: there is no SuccessorNamed of {SUCCESSION} in it")]
    NotNamed,
    /// The event's data is not what the contract encodes.
    #[error("its SuccessorNamed is not the ABI encoding of (identity, chain id, genesis)")]
    Event,
    /// It does not go on where the one before ended.
    #[error(
        "it is of the network {} (chain {}, genesis {}), but the last successor is {} (chain {}, genesis {}): give them in the order in which the networks were founded",
        .found.identity, .found.chain_id, .found.genesis, .last.identity, .last.chain_id, .last.genesis
    )]
    Other {
        /// The network it should be of.
        last: Box<Network>,
        /// The one it is of.
        found: Box<Network>,
    },
    /// There is an end to everything.
    #[error("more than {SUCCESSIONS_MAX} successions are not followed")]
    TooMany,
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_primitives::keccak256;

    #[test]
    fn topic_is_the_hash_of_the_signature() {
        let signature = "SuccessorNamed(bytes,uint256,bytes32)";
        assert_eq!(SUCCESSOR_NAMED_TOPIC, keccak256(signature));
    }
}
