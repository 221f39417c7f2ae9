//! The rules that a header keeps against its parent, before anything is executed.

use crate::{
    dao,
    difficulty::difficulty,
    fork::{Fork, Network},
    refusal::Refusal,
};
use alloy_consensus::Header;
use alloy_eips::{eip1559::BaseFeeParams, eip7840::BlobParams};
use alloy_primitives::{B64, U256};

/// A gas limit moves by less than one part in this many of its parent's.
const GAS_LIMIT_DIVISOR: u64 = 1024;
/// No block may have less.
const GAS_LIMIT_MIN: u64 = 5000;
/// Base fee of the first block of London, in wei (EIP-1559).
const BASE_FEE_INITIAL: u64 = 1_000_000_000;
/// London doubles the gas limit once: it becomes twice the target.
const ELASTICITY: u64 = 2;

/// Checks a header against its parent's. Its seal is not looked at: vectors are not mined.
pub(crate) fn check(
    network: &Network,
    fork: Fork,
    header: &Header,
    parent: &Header,
) -> Result<(), Refusal> {
    if parent.number.checked_add(1) != Some(header.number) {
        let (have, parent) = (header.number, parent.number);
        return Err(Refusal::Number { have, parent });
    }
    if header.timestamp <= parent.timestamp {
        let (have, parent) = (header.timestamp, parent.timestamp);
        return Err(Refusal::Timestamp { have, parent });
    }
    if header.extra_data.len() > 32 {
        return Err(Refusal::ExtraData(header.extra_data.len()));
    }
    let since_dao = network.since_dao(header.number);
    if since_dao.is_some_and(|blocks| blocks < dao::EXTRA_DATA_BLOCKS)
        && header.extra_data.as_ref() != dao::EXTRA_DATA
    {
        return Err(Refusal::DaoExtraData);
    }
    check_gas(fork, header, parent)?;
    check_fields(fork, header)?;
    check_work(fork, header, parent)?;
    if fork >= Fork::Cancun {
        check_blobs(&network.blobs(fork), header, parent)?;
    }
    Ok(())
}

/// The fields that came with forks are there from then on, and not before.
fn check_fields(fork: Fork, header: &Header) -> Result<(), Refusal> {
    for (name, since, there) in [
        (
            "baseFeePerGas",
            Fork::London,
            header.base_fee_per_gas.is_some(),
        ),
        (
            "withdrawalsRoot",
            Fork::Shanghai,
            header.withdrawals_root.is_some(),
        ),
        ("blobGasUsed", Fork::Cancun, header.blob_gas_used.is_some()),
        (
            "excessBlobGas",
            Fork::Cancun,
            header.excess_blob_gas.is_some(),
        ),
        (
            "parentBeaconBlockRoot",
            Fork::Cancun,
            header.parent_beacon_block_root.is_some(),
        ),
        ("requestsHash", Fork::Prague, header.requests_hash.is_some()),
    ] {
        if there != (fork >= since) {
            return Err(Refusal::Field(name));
        }
    }
    if header.block_access_list_hash.is_some() || header.slot_number.is_some() {
        return Err(Refusal::Field("blockAccessListHash"));
    }
    Ok(())
}

fn check_work(fork: Fork, header: &Header, parent: &Header) -> Result<(), Refusal> {
    let want = if fork >= Fork::Paris {
        U256::ZERO
    } else {
        difficulty(fork, header.timestamp, parent)
    };
    if header.difficulty != want {
        let have = header.difficulty;
        return Err(Refusal::Difficulty { have, want });
    }
    if fork >= Fork::Paris && header.nonce != B64::ZERO {
        return Err(Refusal::Nonce);
    }
    Ok(())
}

fn check_gas(fork: Fork, header: &Header, parent: &Header) -> Result<(), Refusal> {
    let (have, used) = (header.gas_limit, header.gas_used);
    if i64::try_from(have).is_err() {
        return Err(Refusal::GasLimitHuge(have));
    }
    if used > have {
        return Err(Refusal::GasUsedAboveLimit { used, limit: have });
    }
    let first_of_london = fork >= Fork::London && parent.base_fee_per_gas.is_none();
    let before = if first_of_london {
        parent.gas_limit.saturating_mul(ELASTICITY)
    } else {
        parent.gas_limit
    };
    if have.abs_diff(before) >= before / GAS_LIMIT_DIVISOR || have < GAS_LIMIT_MIN {
        let parent = parent.gas_limit;
        return Err(Refusal::GasLimit { have, parent });
    }
    let Some(have) = header.base_fee_per_gas else {
        return Ok(());
    };
    let want = parent
        .next_block_base_fee(BaseFeeParams::ethereum())
        .unwrap_or(BASE_FEE_INITIAL);
    if have != want {
        return Err(Refusal::BaseFee { have, want });
    }
    Ok(())
}

fn check_blobs(blobs: &BlobParams, header: &Header, parent: &Header) -> Result<(), Refusal> {
    let used = header.blob_gas_used.unwrap_or_default();
    let limit = blobs.max_blob_gas_per_block();
    if used > limit {
        return Err(Refusal::BlobGasAboveLimit { used, limit });
    }
    let want = blobs.next_block_excess_blob_gas_osaka(
        parent.excess_blob_gas.unwrap_or_default(),
        parent.blob_gas_used.unwrap_or_default(),
        parent.base_fee_per_gas.unwrap_or_default(),
    );
    let have = header.excess_blob_gas.unwrap_or_default();
    if have != want {
        return Err(Refusal::ExcessBlobGas { have, want });
    }
    Ok(())
}

#[cfg(test)]
mod tests;
