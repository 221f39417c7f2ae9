//! Proofs of state, value or absence, with the finality of the block whose state it is.

use crate::{
    block,
    dispatch::Reply,
    error::Error,
    finality::{covering, network, wire},
    method::Api,
    parameter::Params,
};
use alloy_eips::BlockId;
use alloy_primitives::{Address, U256};
use chain::{Finality, ProvedState};
use proof::state::{Entry, STORAGE_MAX, Snapshot};
use serde_json::value::RawValue;

/// `ashlar_getProof(address, slots, block?)`. The state tree holds the state after the last final block only, so that is
/// the one block that can be asked for.
pub(crate) async fn get(api: &Api, mut params: Params<'_>) -> Reply {
    let address: Address = params.required()?;
    let slots: Vec<U256> = params.optional()?.unwrap_or_default();
    let id: Option<BlockId> = params.optional()?;
    params.end()?;
    if slots.len() > STORAGE_MAX {
        return Err(Error::InvalidParams(format!(
            "too many keys (got {}, max {STORAGE_MAX})",
            slots.len()
        )));
    }
    let node = &api.node;
    let asked = match id {
        Some(BlockId::Number(tag)) => match tag.as_number() {
            Some(number) => Some(number),
            None if tag.is_earliest() => Some(0),
            None => None,
        },
        Some(BlockId::Hash(hash)) => {
            let block = node.block_by_hash(hash.block_hash).await;
            let unknown = || Error::Failed("header not found".to_owned());
            Some(block.ok_or_else(unknown)?.number())
        }
        None => None,
    };
    if asked.is_some_and(|asked| asked > node.latest().number()) {
        return Err(Error::Failed("header not found".to_owned()));
    }
    let ProvedState {
        block,
        snapshot,
        entries,
    } = node.prove(address, &slots).await?;
    if let Some(asked) = asked
        && asked != block.number()
    {
        return Err(Error::Failed(format!(
            "state proof of block {asked} is not available: the state tree is that of the latest block ({})",
            block.number()
        )));
    }
    let Finality {
        headers,
        certificate,
    } = covering(node, block.number()).await?;
    let network = network(&api.network);
    let finalization = wire(&certificate)?.into();
    block::offload(entries.len(), move || {
        let mut entries = entries.into_iter().map(entry);
        let missing = || Error::Internal("an entry of the proof is missing".to_owned());
        let proof = proof::StateProof {
            network,
            finalization,
            headers,
            snapshot: Snapshot {
                leaves: snapshot.leaves,
                inactive_peaks: snapshot.inactive_peaks,
                ops_root: snapshot.ops_root,
                pending: snapshot.pending,
                partial: snapshot.partial,
            },
            address,
            account: entries.next().ok_or_else(missing)?,
            storage: slots.into_iter().zip(entries).collect(),
        };
        RawValue::from_string(proof.to_json()).map_err(|error| Error::Internal(error.to_string()))
    })
    .await
}

fn entry(entry: chain::StateEntry) -> Entry {
    Entry {
        location: entry.location,
        chunk: entry.chunk.into(),
        key: entry.key,
        value: entry.value.into(),
        next_key: entry.next_key,
        digests: entry.digests,
    }
}
