//! The chain spec: everything the members of a network agree on before block 0.

use crate::{
    block::{Block, Ceremony, Context, Digest, EpochInfo, Extension, Family},
    committee::{Committee, CommitteeError},
    state::{StateKey, StateValue},
};
use alloy_primitives::{Address, B256, Bytes, U256, hex, keccak256};
use commonware_codec::Encode as _;
use commonware_consensus::types::{Epoch, Round, View};
use commonware_cryptography::Digest as _;
use commonware_glue::dkg::types::EpochOutcome;
use commonware_storage::merkle::Location;
use commonware_utils::{range::NonEmptyRange, sequence::Unit};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, fmt, num::NonZeroU64};

/// Blocks of an epoch for each validator, at least: half of them are for dealers' logs, each of which needs its dealer's turn to
/// lead, and turns are lost when a leader is.
pub const TURNS_PER_EPOCH: u64 = 8;

/// A network's constitution, kept as `genesis.json` in every data directory.
///
/// Two nodes whose specs differ in any field have different genesis hashes and so different
/// signature namespaces: they cannot talk by mistake.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChainSpec {
    /// A name for people.
    pub name: String,
    /// EIP-155 chain id.
    pub chain_id: u64,
    /// The EVM rules from block 0 on. Newer ones hold from where `Upgrades` says.
    pub fork: Fork,
    /// Whether this is a development network: well-known keys are funded and accepted.
    pub dev: bool,
    /// Genesis time in milliseconds since the Unix epoch.
    pub time_ms: u64,
    /// How gas is priced.
    pub fees: Fees,
    /// Bounds on blocks.
    pub limits: Limits,
    /// When blocks are made.
    pub pacing: Pacing,
    /// Blocks in an epoch. In each the key is shared anew, among the validators that `Members`, or in a bonded network `Stake`,
    /// names for the next.
    pub epoch_blocks: NonZeroU64,
    /// The committee of epoch 0, from the key ceremony, in the engine's encoding.
    pub committee: Bytes,
    /// Accounts and contracts that exist at block 0. None if there is an `origin`.
    pub accounts: BTreeMap<Address, GenesisAccount>,
    /// The state of another network that block 0 begins with, if it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
}

/// Another network's state, which this one goes on with under a new key.
///
/// It says what the state of block 0 is, so that block 0 is known without the export. Contracts go on counting blocks where
/// that network stopped, since what they stored speaks of its blocks (ADR 0034).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Origin {
    /// Digest of the export (`docs/export.md`).
    pub export: B256,
    /// That network's identity, 96 bytes.
    pub identity: Bytes,
    /// Its chain id.
    pub chain_id: u64,
    /// The hash of its block 0.
    pub genesis: B256,
    /// Height of the block whose state it is.
    pub height: u64,
    /// The hash of this block.
    pub block: B256,
    /// Storage that was written over what was exported, by account and slot: the founders' nodes in `Members`, and nothing in
    /// `Succession`. Zero empties a slot.
    pub changes: BTreeMap<Address, BTreeMap<U256, U256>>,
    /// `stateRoot` of block 0.
    pub state_root: B256,
    /// Root of the log of operations in block 0.
    pub ops_root: B256,
    /// The first operation that it covers, and the first one after them.
    pub ops_range: (u64, u64),
}

impl Origin {
    /// The changes, in the order in which they are written.
    pub fn changes(&self) -> Vec<(StateKey, StateValue)> {
        let slots = self.changes.iter().flat_map(|(account, slots)| {
            let slot = |(slot, value): (&U256, &U256)| {
                let value = if value.is_zero() {
                    StateValue::Absent
                } else {
                    StateValue::Slot(*value)
                };
                (StateKey::Slot(*account, *slot), value)
            };
            slots.iter().map(slot)
        });
        slots.collect()
    }

    /// The operations that the root covers.
    ///
    /// # Errors
    /// [`SpecError::Invalid`] if there are none.
    pub fn operations(&self) -> Result<NonEmptyRange<Location<Family>>, SpecError> {
        let (start, end) = self.ops_range;
        NonEmptyRange::new(Location::new(start)..Location::new(end)).map_err(|_| {
            SpecError::Invalid {
                field: "origin.ops_range",
                value: start,
                reason: "a state has operations",
            }
        })
    }
}

/// The newest Ethereum hard fork whose rules hold, in the order of their age.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Fork {
    /// Prague (Pectra), May 2025.
    Prague,
    /// Osaka (Fusaka), December 2025.
    Osaka,
}

impl Fork {
    /// All of them, the oldest first.
    pub const ALL: [Self; 2] = [Self::Prague, Self::Osaka];

    /// Its name, of which the hash is its id in `Upgrades`. It never changes.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Prague => "prague",
            Self::Osaka => "osaka",
        }
    }
}

impl fmt::Display for Fork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How gas is priced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Fees {
    /// The base fee is zero in every block: members pay by membership, quotas bound use.
    Free,
    /// Ethereum's fee market (EIP-1559) starting at this base fee in wei. It is burned.
    Market {
        /// Base fee of block 1 in wei.
        initial_base_fee: u64,
    },
}

/// Bounds on blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Gas a block may use. Too high and a full block outlasts the leader timeout.
    pub block_gas: u64,
}

/// When blocks are made: at once while there is work, seldom while there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pacing {
    /// Milliseconds an idle chain waits before an empty block. A dead leader costs this much plus
    /// one second, so keep it at or below 1000.
    pub idle_interval_ms: u64,
    /// Least milliseconds between two blocks: gives transactions time to gather.
    pub min_gap_ms: u64,
    /// Milliseconds to wait while an ancestor with transactions is not final: its finality may
    /// need one more block.
    pub settle_interval_ms: u64,
}

/// An account or contract at block 0.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GenesisAccount {
    /// Balance in wei.
    #[serde(default)]
    pub balance: U256,
    /// Nonce; 1 for contracts, as EIP-161 creates them.
    #[serde(default)]
    pub nonce: u64,
    /// Runtime code.
    #[serde(default, skip_serializing_if = "is_empty")]
    pub code: Bytes,
    /// Non-zero storage slots.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub storage: BTreeMap<U256, U256>,
}

/// What is wrong with a chain spec.
#[derive(Debug, thiserror::Error)]
pub enum SpecError {
    /// Not JSON of the right shape.
    #[error("not a chain spec: {0}")]
    Malformed(#[from] serde_json::Error),
    /// The committee does not decode.
    #[error(transparent)]
    Committee(#[from] CommitteeError),
    /// A value that no working network can have.
    #[error("chain spec: {field} is {value}: {reason}")]
    Invalid {
        /// The offending field.
        field: &'static str,
        /// Its value.
        value: u64,
        /// What would go wrong.
        reason: &'static str,
    },
}

impl ChainSpec {
    /// Parses and checks a spec.
    pub fn from_json(json: &str) -> Result<Self, SpecError> {
        let spec: Self = serde_json::from_str(json)?;
        spec.check()?;
        Ok(spec)
    }

    /// The spec as people read it.
    pub fn to_json(&self) -> Result<String, SpecError> {
        Ok(serde_json::to_string_pretty(self)?)
    }

    /// Whether a contract may stand at this address since block 0: it was written there, or may have been in the state that the
    /// network began with.
    pub fn stands(&self, address: &Address) -> bool {
        self.origin.is_some() || self.accounts.contains_key(address)
    }

    /// How many blocks there were before this network's block 0, as contracts count: `block.number` is that many more than the
    /// number in the header. 0 without an origin.
    pub fn blocks_before(&self) -> u64 {
        self.origin.as_ref().map_or(0, |origin| origin.height)
    }

    /// The committee of epoch 0.
    pub fn committee(&self) -> Result<Committee, SpecError> {
        Ok(Committee::decode(&self.committee)?)
    }

    fn check(&self) -> Result<(), SpecError> {
        let invalid = |field, value, reason| {
            Err(SpecError::Invalid {
                field,
                value,
                reason,
            })
        };
        if self.chain_id == 0 || self.chain_id > u64::MAX / 2 - 36 {
            return invalid(
                "chain_id",
                self.chain_id,
                "EIP-155 signatures cannot carry it",
            );
        }
        if self.limits.block_gas < 30_000_000 {
            return invalid(
                "limits.block_gas",
                self.limits.block_gas,
                "system contracts need 30000000",
            );
        }
        if !(20..=60_000).contains(&self.pacing.idle_interval_ms) {
            return invalid(
                "pacing.idle_interval_ms",
                self.pacing.idle_interval_ms,
                "choose 20 to 60000: a dead leader costs this much plus a second",
            );
        }
        if self.pacing.min_gap_ms > self.pacing.idle_interval_ms {
            return invalid(
                "pacing.min_gap_ms",
                self.pacing.min_gap_ms,
                "must not exceed pacing.idle_interval_ms",
            );
        }
        if self.pacing.settle_interval_ms > self.pacing.idle_interval_ms {
            return invalid(
                "pacing.settle_interval_ms",
                self.pacing.settle_interval_ms,
                "must not exceed pacing.idle_interval_ms",
            );
        }
        if let Some(origin) = &self.origin {
            origin.operations()?;
            if !self.accounts.is_empty() {
                return invalid(
                    "accounts",
                    self.accounts.len() as u64,
                    "a network with an origin has the accounts that were exported",
                );
            }
        }
        let committee = self.committee()?;
        if !self.dev && committee.validators().len() < 4 {
            return invalid(
                "committee",
                committee.validators().len() as u64,
                "fewer than 4 validators tolerate no fault; only development networks may",
            );
        }
        let validators = committee.validators().len() as u64;
        if self.epoch_blocks.get() < validators.saturating_mul(TURNS_PER_EPOCH) {
            return invalid(
                "epoch_blocks",
                self.epoch_blocks.get(),
                "every validator needs turns to deal: choose at least 8 blocks for each",
            );
        }
        Ok(())
    }

    /// Who signs in epoch 0 and in the next two: the committee of genesis.
    ///
    /// # Errors
    /// The committee does not decode.
    pub fn first_epoch(&self) -> Result<EpochInfo, SpecError> {
        let committee = self.committee()?;
        Ok(EpochInfo {
            outcome: EpochOutcome::Success,
            epoch: Epoch::zero(),
            output: committee.output().clone(),
            players: committee.validators().clone(),
            next_players: committee.validators().clone(),
            directory: Unit,
        })
    }

    /// Block 0, given the commitments of the state made from [`Self::accounts`].
    ///
    /// Its key ceremony payload is the hash of the whole spec followed by the first epoch, so the
    /// genesis hash, and with it every signature, commits to each field of the spec.
    pub fn genesis(
        &self,
        state_root: Digest,
        ops_root: Digest,
        ops_range: NonEmptyRange<Location<Family>>,
    ) -> Result<Block, SpecError> {
        let committee = self.committee()?;
        let first = committee
            .validators()
            .iter()
            .next()
            .cloned()
            .ok_or(SpecError::Invalid {
                field: "committee",
                value: 0,
                reason: "a network needs a validator",
            })?;
        let spec_hash = keccak256(serde_json::to_vec(self)?);
        let ceremony = Ceremony::EpochInfo(self.first_epoch()?).encode();
        let extension = Extension {
            context: Context {
                round: Round::new(Epoch::zero(), View::zero()),
                leader: first,
                parent: (View::zero(), Digest::EMPTY),
            },
            ops_root,
            ops_range,
            millis: u16::try_from(self.time_ms % 1000).unwrap_or_default(),
            dkg: [spec_hash.as_slice(), &ceremony].concat().into(),
        };
        let header = alloy_consensus::Header {
            state_root: B256::from_slice(state_root.as_ref()),
            transactions_root: alloy_trie::EMPTY_ROOT_HASH,
            receipts_root: alloy_trie::EMPTY_ROOT_HASH,
            gas_limit: self.limits.block_gas,
            timestamp: self.time_ms / 1000,
            extra_data: extension.hash().into(),
            base_fee_per_gas: Some(self.fees.initial_base_fee()),
            ..Block::header_template()
        };
        Block::new(header, extension, Vec::new()).map_err(|_| SpecError::Invalid {
            field: "committee",
            value: self.committee.len() as u64,
            reason: "too large for a block",
        })
    }

    /// The network identity in lower-case hex.
    pub fn identity_hex(&self) -> Result<String, SpecError> {
        Ok(hex::encode_prefixed(self.committee()?.identity()))
    }
}

fn is_empty(code: &Bytes) -> bool {
    code.0.is_empty()
}

impl Fees {
    /// Base fee of the first blocks in wei.
    pub const fn initial_base_fee(&self) -> u64 {
        match self {
            Self::Free => 0,
            Self::Market { initial_base_fee } => *initial_base_fee,
        }
    }

    /// Base fee of a child of `parent` in wei (EIP-1559).
    pub fn next_base_fee(&self, parent: &alloy_consensus::Header) -> u64 {
        match self {
            Self::Free => 0,
            Self::Market { .. } => parent
                .next_block_base_fee(alloy_eips::eip1559::BaseFeeParams::ethereum())
                .unwrap_or_default(),
        }
    }
}
