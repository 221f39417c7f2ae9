//! The block environment of execution: the only facts about "now" a contract can see.

use crate::quota::Quotas;
use alloy_eips::eip7825::MAX_TX_GAS_LIMIT_OSAKA;
use alloy_primitives::{Address, B256, U256};
use revm::{
    context::{BlockEnv, CfgEnv},
    context_interface::block::BlobExcessGasAndPrice,
    primitives::hardfork::SpecId,
};
use types::Fork;

/// Everything execution of a block depends on besides parent state and transactions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Environment {
    /// EIP-155 chain id.
    pub chain_id: u64,
    /// The EVM rules.
    pub fork: Fork,
    /// Block number, as it is in the header.
    pub number: u64,
    /// What contracts see more: the blocks of a network before this one, whose state it began with. 0 on most.
    pub blocks_before: u64,
    /// Block time in whole seconds since the Unix epoch. Not strictly increasing: blocks may come
    /// several times a second.
    pub timestamp: u64,
    /// Hash of the parent block; stored for `BLOCKHASH` as EIP-2935 says.
    pub parent_hash: B256,
    /// Gas the block may use.
    pub gas_limit: u64,
    /// Base fee per gas in wei.
    pub base_fee: u64,
    /// Receiver of priority fees.
    pub beneficiary: Address,
    /// What `PREVRANDAO` gives. **Not random**: see ARCHITECTURE.md.
    pub prev_randao: B256,
    /// How much gas each may use where `Members` and `Pause` decide who may transact. None: anybody may, as much as there is.
    pub governed: Option<Quotas>,
}

impl Environment {
    pub(crate) const fn spec_of(fork: Fork) -> SpecId {
        match fork {
            Fork::Prague => SpecId::PRAGUE,
            Fork::Osaka => SpecId::OSAKA,
        }
    }

    /// The block's number as contracts see it.
    pub const fn counted(&self) -> u64 {
        self.number.saturating_add(self.blocks_before)
    }

    /// The number of the block before, as contracts see it; none for block 0.
    pub(crate) const fn counted_parent(&self) -> Option<u64> {
        match self.number {
            0 => None,
            _ => self.counted().checked_sub(1),
        }
    }

    /// The most gas that one transaction may ask for in any block under a fork's rules (EIP-7825).
    pub const fn transaction_gas_max(fork: Fork) -> u64 {
        match fork {
            Fork::Prague => u64::MAX,
            Fork::Osaka => MAX_TX_GAS_LIMIT_OSAKA,
        }
    }

    pub(crate) fn cfg(&self) -> CfgEnv {
        let mut cfg = CfgEnv::new_with_spec(Self::spec_of(self.fork));
        cfg.chain_id = self.chain_id;
        // A blob transaction is refused before it gets here (`Transaction::recover`); and here.
        cfg.max_blobs_per_tx = Some(0);
        cfg
    }

    pub(crate) fn block(&self) -> BlockEnv {
        BlockEnv {
            number: U256::from(self.counted()),
            beneficiary: self.beneficiary,
            timestamp: U256::from(self.timestamp),
            gas_limit: self.gas_limit,
            basefee: self.base_fee,
            difficulty: U256::ZERO,
            prevrandao: Some(self.prev_randao),
            // No blobs on this chain: the blob base fee stays at its minimum of one wei.
            blob_excess_gas_and_price: Some(BlobExcessGasAndPrice {
                excess_blob_gas: 0,
                blob_gasprice: 1,
            }),
            ..BlockEnv::default()
        }
    }
}
