//! What a block must look like next to its parent. Pure; the same for who builds and who checks.

use alloy_consensus::Header;
use alloy_primitives::{Address, B256, U256};
use contracts::{SystemContract, parameter::Parameters};
use evm::{Environment, Outcome, Quotas};
use state::{Commitment, StateError, StateRead};
use types::{
    Block, BlockError, Ceremony, ChainSpec, Context, Digest, Extension, Fork, StateKey, StateValue,
    receipts_root, transactions_root,
};

/// Most milliseconds a block's time may be ahead of its parent's. It bounds how long a leader with
/// a fast clock can make others wait; after an outage the chain's clock catches up in such steps.
const STEP_MS_MAX: u64 = 60 * 60 * 1000;
/// Milliseconds a block's time may be ahead of a checker's clock before it waits.
pub const DRIFT_MS_MAX: u64 = 500;

/// Why a block is not a valid child of its parent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// It does not continue the parent.
    #[error("number or parent hash does not follow the parent")]
    Lineage,
    /// Its time does not increase, or jumps.
    #[error("block time {child} ms after parent time {parent} ms")]
    Time {
        /// Parent's time, milliseconds since the epoch.
        parent: u64,
        /// The block's.
        child: u64,
    },
    /// A header field that follows from parent and spec has another value.
    #[error("header field {0} does not follow from parent and chain spec")]
    Field(&'static str),
    /// Executing it gives something else than its header says.
    #[error("execution gives another {0}")]
    Effect(&'static str),
}

/// Whether `Members` decides who may transact: it stands since genesis or never.
pub fn is_governed(spec: &ChainSpec) -> bool {
    spec.stands(&SystemContract::Members.address())
}

/// What nodes do, as governance has set it in the state before a block; what was never set, or where nobody governs, as the spec
/// says.
///
/// # Errors
/// As [`StateRead::read_many`].
pub async fn parameters(
    spec: &ChainSpec,
    before: &impl StateRead,
) -> Result<Parameters, StateError> {
    let mut set = Parameters::default();
    if is_governed(spec) {
        let keys = Parameters::SLOTS.map(|(address, slot)| StateKey::Slot(address, slot));
        let mut slots = [U256::ZERO; Parameters::SLOTS.len()];
        for (slot, value) in slots.iter_mut().zip(before.read_many(&keys).await?) {
            if let StateValue::Slot(value) = value {
                *slot = value;
            }
        }
        set = Parameters::from_slots(slots);
    }
    let or = |value: u64, spec: u64| if value == 0 { spec } else { value };
    let pacing = &spec.pacing;
    Ok(Parameters {
        block_gas: or(set.block_gas, spec.limits.block_gas),
        account_gas: or(set.account_gas, u64::MAX),
        organization_gas: or(set.organization_gas, u64::MAX),
        // The others' patience is set by the spec.
        idle_interval_ms: or(set.idle_interval_ms, pacing.idle_interval_ms)
            .min(pacing.idle_interval_ms),
        block_gap_ms: or(set.block_gap_ms, pacing.min_gap_ms),
        settle_interval_ms: or(set.settle_interval_ms, pacing.settle_interval_ms),
    })
}

/// The environment of the child of `parent` with the given time, under the rules of `fork`.
pub fn environment(
    spec: &ChainSpec,
    fork: Fork,
    parameters: &Parameters,
    parent: &Block,
    time_ms: u64,
) -> Environment {
    let parent_hash = parent.hash();
    Environment {
        chain_id: spec.chain_id,
        fork,
        number: parent.number().saturating_add(1),
        blocks_before: spec.blocks_before(),
        timestamp: time_ms / 1000,
        parent_hash,
        gas_limit: parameters.block_gas,
        base_fee: spec.fees.next_base_fee(parent.header()),
        // Tips would reward whoever leads; members are not paid by block, so they go nowhere.
        beneficiary: Address::ZERO,
        // Known to everyone beforehand and chosen in part by the leader: not random.
        prev_randao: parent_hash,
        governed: is_governed(spec).then_some(Quotas {
            account_gas: parameters.account_gas,
            organization_gas: parameters.organization_gas,
        }),
    }
}

/// The environment of a block that is there, under the rules of its fork: what its transactions saw, and what calls on its
/// state see.
pub fn environment_of(spec: &ChainSpec, fork: Fork, block: &Block) -> Environment {
    let header = block.header();
    Environment {
        chain_id: spec.chain_id,
        fork,
        number: header.number,
        blocks_before: spec.blocks_before(),
        timestamp: header.timestamp,
        parent_hash: header.parent_hash,
        gas_limit: header.gas_limit,
        base_fee: header.base_fee_per_gas.unwrap_or_default(),
        beneficiary: header.beneficiary,
        prev_randao: header.mix_hash,
        // Whether it kept the quotas was seen when it was checked.
        governed: is_governed(spec).then_some(Quotas::UNLIMITED),
    }
}

/// The environment of the block after `block`, under the rules of its own fork. Its time is not known yet: at the time of
/// `block`, with its gas limit.
pub fn pending_environment(spec: &ChainSpec, fork: Fork, block: &Block) -> Environment {
    let parent_hash = block.hash();
    Environment {
        number: block.number().saturating_add(1),
        parent_hash,
        base_fee: spec.fees.next_base_fee(block.header()),
        prev_randao: parent_hash,
        ..environment_of(spec, fork, block)
    }
}

/// The time of a block proposed now, in milliseconds: the clock, but after the parent and not too
/// far after it.
pub fn block_time(parent: &Block, now_ms: u64) -> u64 {
    let parent_ms = parent.time_ms();
    now_ms.clamp(
        parent_ms.saturating_add(1),
        parent_ms.saturating_add(STEP_MS_MAX),
    )
}

/// What a block has beside its transactions and what they did.
#[derive(Clone)]
pub struct Beside<'a> {
    /// The consensus context it is proposed in.
    pub context: Context,
    /// Its time in milliseconds.
    pub time_ms: u64,
    /// What it carries of the key ceremony.
    pub ceremony: Option<&'a Ceremony>,
}

/// Builds the header of a block with this effect and puts the block together.
///
/// # Errors
/// [`BlockError`] if the parts do not make a block (too large a body).
pub fn seal(
    environment: &Environment,
    beside: Beside<'_>,
    transactions: Vec<alloy_primitives::Bytes>,
    outcome: &Outcome,
    commitment: &Commitment,
) -> Result<Block, BlockError> {
    let Beside {
        context,
        time_ms,
        ceremony,
    } = beside;
    let extension = Extension {
        context,
        ops_root: commitment.ops_root,
        ops_range: commitment.ops_range.clone(),
        millis: u16::try_from(time_ms % 1000).unwrap_or_default(),
        dkg: Extension::encode_ceremony(ceremony),
    };
    let header = Header {
        parent_hash: environment.parent_hash,
        beneficiary: environment.beneficiary,
        state_root: B256::from_slice(commitment.root.as_ref()),
        transactions_root: transactions_root(&transactions),
        receipts_root: receipts_root(&outcome.receipts),
        logs_bloom: outcome.logs_bloom,
        number: environment.number,
        gas_limit: environment.gas_limit,
        gas_used: outcome.gas_used,
        timestamp: environment.timestamp,
        extra_data: extension.hash().into(),
        mix_hash: environment.prev_randao,
        base_fee_per_gas: Some(environment.base_fee),
        ..Block::header_template()
    };
    Block::new(header, extension, transactions)
}

/// Checks everything about a block that needs no execution, and gives the environment for it. What it carries of the key
/// ceremony is the engine's to check.
///
/// # Errors
/// The rule it breaks. Permanent: the same block breaks it for ever.
pub fn check_header(
    spec: &ChainSpec,
    fork: Fork,
    parameters: &Parameters,
    parent: &Block,
    block: &Block,
) -> Result<Environment, Violation> {
    let expected = environment(spec, fork, parameters, parent, block.time_ms());
    let header = block.header();
    if header.number != expected.number || header.parent_hash != expected.parent_hash {
        return Err(Violation::Lineage);
    }
    let (parent_ms, child_ms) = (parent.time_ms(), block.time_ms());
    if child_ms <= parent_ms || child_ms > parent_ms.saturating_add(STEP_MS_MAX) {
        return Err(Violation::Time {
            parent: parent_ms,
            child: child_ms,
        });
    }
    let fields = [
        ("gasLimit", header.gas_limit == expected.gas_limit),
        (
            "baseFeePerGas",
            header.base_fee_per_gas == Some(expected.base_fee),
        ),
        ("miner", header.beneficiary == expected.beneficiary),
        ("mixHash", header.mix_hash == expected.prev_randao),
    ];
    match fields.iter().find(|(_, holds)| !holds) {
        Some((field, _)) => Err(Violation::Field(field)),
        None => Ok(expected),
    }
}

/// Checks a block against what executing it gave.
///
/// # Errors
/// [`Violation::Effect`] naming what differs.
pub fn check_effect(block: &Block, outcome: &Outcome) -> Result<(), Violation> {
    let header = block.header();
    let fields: [(&'static str, bool); 3] = [
        ("gasUsed", header.gas_used == outcome.gas_used),
        ("logsBloom", header.logs_bloom == outcome.logs_bloom),
        (
            "receiptsRoot",
            header.receipts_root == receipts_root(&outcome.receipts),
        ),
    ];
    match fields.iter().find(|(_, holds)| !holds) {
        Some((field, _)) => Err(Violation::Effect(field)),
        None => Ok(()),
    }
}

/// Checks a block against the state its execution led to.
///
/// # Errors
/// [`Violation::Effect`] naming what differs.
pub fn check_commitment(block: &Block, commitment: &Commitment) -> Result<(), Violation> {
    let extension = block.extension();
    if Digest::from(block.header().state_root.0) != commitment.root {
        return Err(Violation::Effect("stateRoot"));
    }
    if extension.ops_root != commitment.ops_root || extension.ops_range != commitment.ops_range {
        return Err(Violation::Effect("extension.opsRoot"));
    }
    Ok(())
}
