//! Accounts, in the last final state or, where it is kept, in an earlier one.

use crate::{
    dispatch::{Reply, reply},
    error::Error,
    method::Api,
    parameter::Params,
};
use alloy_eips::{BlockId, BlockNumberOrTag};
use alloy_primitives::{Address, B256, Bytes, U64, U256};
use chain::{Node, NodeError};
use serde::Serialize;
use std::collections::BTreeMap;
use types::{StateKey, StateValue};

/// `eth_accounts`: nodes hold no account keys, but for those that everybody knows on development networks.
pub(crate) fn list(api: &Api, params: &Params<'_>) -> Reply {
    params.end()?;
    reply(&api.wallet.accounts())
}

/// `eth_getBalance`.
pub(crate) async fn balance(api: &Api, mut params: Params<'_>) -> Reply {
    let address: Address = params.required()?;
    let block: Option<BlockId> = params.optional()?;
    params.end()?;
    let at = state_at(&api.node, block).await?;
    reply(&api.node.account_at(at, address).await?.balance)
}

/// `eth_getCode`.
pub(crate) async fn code(api: &Api, mut params: Params<'_>) -> Reply {
    let address: Address = params.required()?;
    let block: Option<BlockId> = params.optional()?;
    params.end()?;
    let at = state_at(&api.node, block).await?;
    reply(&api.node.code_at(at, address).await?)
}

/// `eth_getStorageAt`.
pub(crate) async fn storage(api: &Api, mut params: Params<'_>) -> Reply {
    let address: Address = params.required()?;
    let slot = slot(params.required()?)?;
    let block: Option<BlockId> = params.optional()?;
    params.end()?;
    let at = state_at(&api.node, block).await?;
    reply(&B256::from(api.node.slot_at(at, address, slot).await?))
}

/// A slot, which may be written without leading zeros, as web3.py does, and as in geth without 0x: it is never decimal.
fn slot(key: &str) -> Result<U256, Error> {
    let invalid = |what: &str| Error::InvalidParams(format!("{what}: {key:?}"));
    let digits = key.strip_prefix("0x").unwrap_or(key);
    if digits.len() > 64 {
        return Err(invalid("storage key too long (want at most 32 bytes)"));
    }
    if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return Err(invalid("invalid hex in storage key"));
    }
    U256::from_str_radix(digits, 16).map_err(|_| invalid("invalid hex in storage key"))
}

/// Slots of one question, as in geth.
const SLOTS_MAX: usize = 1024;

/// `eth_getStorageValues`: slots of several accounts at once.
pub(crate) async fn storage_values(api: &Api, mut params: Params<'_>) -> Reply {
    let wanted: BTreeMap<Address, Vec<U256>> = params.required()?;
    let block: Option<BlockId> = params.optional()?;
    params.end()?;
    let count: usize = wanted.values().map(Vec::len).sum();
    if count == 0 {
        return Err(Error::InvalidParams("empty request".to_owned()));
    }
    if count > SLOTS_MAX {
        return Err(Error::InvalidParams(format!(
            "too many slots (max {SLOTS_MAX})"
        )));
    }
    let at = state_at(&api.node, block).await?;
    let slots = wanted.iter();
    let keys =
        slots.flat_map(|(address, slots)| slots.iter().map(|slot| StateKey::Slot(*address, *slot)));
    let values = api.node.read_at(at, keys.collect()).await?;
    let mut values = values.into_iter().map(|value| match value {
        StateValue::Slot(value) => B256::from(value),
        _ => B256::ZERO,
    });
    let of_each = wanted.into_iter().map(|(address, slots)| {
        let values: Vec<B256> = values.by_ref().take(slots.len()).collect();
        (address, values)
    });
    reply(&of_each.collect::<BTreeMap<_, _>>())
}

/// The answer of `eth_getAccountInfo`.
#[derive(Debug, Serialize)]
struct Info {
    balance: U256,
    nonce: U64,
    code: Bytes,
}

/// `eth_getAccountInfo`: balance, nonce and code at once.
pub(crate) async fn info(api: &Api, mut params: Params<'_>) -> Reply {
    let address: Address = params.required()?;
    let block: Option<BlockId> = params.optional()?;
    params.end()?;
    let at = state_at(&api.node, block).await?;
    let account = api.node.account_at(at, address).await?;
    reply(&Info {
        balance: account.balance,
        nonce: U64::from(account.nonce),
        code: api.node.code_of(&account).await?,
    })
}

/// `eth_getTransactionCount`: for `pending` it counts what waits in this node's mempool.
pub(crate) async fn nonce(api: &Api, mut params: Params<'_>) -> Reply {
    let address: Address = params.required()?;
    let block: Option<BlockId> = params.optional()?;
    params.end()?;
    let nonce = if block == Some(BlockId::Number(BlockNumberOrTag::Pending)) {
        api.node.next_nonce(address).await?
    } else {
        let at = state_at(&api.node, block).await?;
        api.node.account_at(at, address).await?.nonce
    };
    reply(&U64::from(nonce))
}

/// Blocks back to which it is looked whether the state has changed: those at hand in memory.
const UNCHANGED_BLOCKS_MAX: u64 = 100;

/// Where the state after a block is read: none for the last one. A node that does not keep the state of an earlier block
/// still has it if no transaction came after it (but for the block hashes of EIP-2935): tools that fork the chain pin a
/// block and read on.
pub(crate) async fn state_at(node: &Node, id: Option<BlockId>) -> Result<Option<u64>, Error> {
    let asked = match id {
        Some(BlockId::Number(BlockNumberOrTag::Number(number))) => number,
        Some(BlockId::Number(BlockNumberOrTag::Earliest)) => 0,
        None | Some(BlockId::Number(_)) => return Ok(None),
        Some(BlockId::Hash(hash)) => match node.block_by_hash(hash.block_hash).await {
            Some(block) => block.number(),
            None => return Err(Error::Failed("header not found".to_owned())),
        },
    };
    let head = node.latest().number();
    if asked > head {
        return Err(Error::Failed("header not found".to_owned()));
    }
    match node.state_at(asked).await {
        Err(NodeError::StatePruned { .. }) if unchanged_since(node, asked, head).await => Ok(None),
        at => Ok(at?),
    }
}

async fn unchanged_since(node: &Node, asked: u64, head: u64) -> bool {
    let upgrades = node.upgrades();
    // Under other rules the same state answers otherwise.
    if head - asked > UNCHANGED_BLOCKS_MAX || upgrades.fork_at(asked) != upgrades.fork_at(head) {
        return false;
    }
    for number in asked + 1..=head {
        let block = node.body(number).await;
        if block.is_none_or(|block| !block.transactions().is_empty()) {
            return false;
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_hexadecimal() {
        for (key, want) in [("0x", 0), ("0x0", 0), ("0x010", 16), ("10", 16)] {
            assert_eq!(slot(key), Ok(U256::from(want)), "{key}");
        }
        let most = format!("0x{}", "f".repeat(64));
        assert_eq!(slot(&most), Ok(U256::MAX));
        for (key, text) in [
            (
                "0xasdf".to_owned(),
                r#"invalid hex in storage key: "0xasdf""#,
            ),
            ("+1".to_owned(), r#"invalid hex in storage key: "+1""#),
            (
                format!("{most}f"),
                "storage key too long (want at most 32 bytes)",
            ),
        ] {
            let error = slot(&key).unwrap_err().to_string();
            assert!(error.starts_with(text), "{error}");
        }
    }
}
