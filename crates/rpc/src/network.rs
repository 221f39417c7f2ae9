//! Which network this is, who signs in it, and what software answers.

use crate::{
    dispatch::{Reply, reply},
    method::{Api, METHODS},
    parameter::Params,
    wallet,
};
use alloy_primitives::{B256, Bytes, FixedBytes, U64, keccak256};
use chain::{Calendar, Node, NodeError};
use client::node::{Committee, Identity, Validator};
use serde::Serialize;
use std::collections::BTreeMap;
use types::{PublicKey, SpecError};

/// The software, as `web3_clientVersion` and `ashlar_getIdentity` name it.
pub(crate) const CLIENT_VERSION: &str = concat!("ashlar/", env!("CARGO_PKG_VERSION"));

/// The network this node belongs to.
#[derive(Debug)]
pub(crate) struct Network {
    pub chain_id: u64,
    pub genesis_hash: B256,
    pub identity: FixedBytes<96>,
}

impl Network {
    /// Reads what the node's chain spec says.
    pub(crate) fn new(node: &Node) -> Result<Self, SpecError> {
        let spec = node.spec();
        Ok(Self {
            chain_id: spec.chain_id,
            genesis_hash: node.genesis().hash(),
            identity: spec.committee()?.identity().into(),
        })
    }
}

fn keys<'a>(validators: impl IntoIterator<Item = &'a PublicKey>) -> Vec<B256> {
    validators
        .into_iter()
        .map(|key| B256::from_slice(key.as_ref()))
        .collect()
}

pub(crate) fn client_version(params: &Params<'_>) -> Reply {
    params.end()?;
    reply(CLIENT_VERSION)
}

/// `web3_sha3`.
pub(crate) fn sha3(mut params: Params<'_>) -> Reply {
    let data: Bytes = params.required()?;
    params.end()?;
    reply(&keccak256(data))
}

pub(crate) fn chain_id(api: &Api, params: &Params<'_>) -> Reply {
    params.end()?;
    reply(&U64::from(api.network.chain_id))
}

/// `net_version`: the chain id in decimal.
pub(crate) fn version(api: &Api, params: &Params<'_>) -> Reply {
    params.end()?;
    reply(&api.network.chain_id.to_string())
}

pub(crate) fn listening(params: &Params<'_>) -> Reply {
    params.end()?;
    reply(&true)
}

/// `net_peerCount`: the nodes this one speaks with. It is not known here which are up, but at a follower: it counts the upstreams
/// that answer.
pub(crate) fn peer_count(api: &Api, params: &Params<'_>) -> Reply {
    params.end()?;
    reply(&U64::from(api.node.peers()))
}

/// `rpc_modules`: the first parts of the names of all methods served.
pub(crate) fn modules(api: &Api, params: &Params<'_>) -> Reply {
    params.end()?;
    let served = |name: &&&str| !api.wallet.is_empty() || !wallet::METHODS.contains(name);
    let served = METHODS.iter().filter(served);
    let names = served.filter_map(|name| name.split_once('_'));
    let modules: BTreeMap<_, _> = names.map(|(module, _)| (module, "1.0")).collect();
    reply(&modules)
}

/// How far a node is that takes the state from others, as geth tells it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SyncStatus {
    starting_block: U64,
    current_block: U64,
    highest_block: U64,
}

/// None unless the node is taking the state from others, or is a follower and executes the blocks that there are already. Of the
/// former there is no way in between: the height it begins at is reached at once. Which that is, is 0 as long as nobody has
/// named it.
pub(crate) fn sync_status(node: &Node) -> Option<SyncStatus> {
    let highest = node.syncing().or_else(|| node.catching_up())?;
    Some(SyncStatus {
        starting_block: U64::ZERO,
        current_block: U64::from(node.latest().number()),
        highest_block: U64::from(highest),
    })
}

/// `eth_syncing`: false once there is a state; what is read here then is final, however far other nodes are. A follower says so
/// when it is level with them.
pub(crate) fn syncing(api: &Api, params: &Params<'_>) -> Reply {
    params.end()?;
    match sync_status(&api.node) {
        Some(status) => reply(&status),
        None => reply(&false),
    }
}

/// `ashlar_getIdentity`.
pub(crate) fn identity(api: &Api, params: &Params<'_>) -> Reply {
    params.end()?;
    reply(&Identity {
        chain_id: U64::from(api.network.chain_id),
        genesis_hash: api.network.genesis_hash,
        identity: api.network.identity,
        client_version: CLIENT_VERSION.to_owned(),
    })
}

/// `ashlar_validators`.
pub(crate) async fn validators(api: &Api, params: &Params<'_>) -> Reply {
    params.end()?;
    let info = api.node.epoch().await.ok_or(NodeError::Unavailable)?;
    let calendar = Calendar::new(api.node.spec().epoch_blocks);
    let epoch = info.epoch.get();
    let committee = types::Committee::new(info.output);
    let elected = match api.node.syncing() {
        // Its state may be long in coming.
        Some(_) => Vec::new(),
        None => keys(&api.node.elected().await?),
    };
    let validators = (0_u64..)
        .zip(keys(committee.validators()))
        .map(|(index, public_key)| Validator {
            index: U64::from(index),
            public_key,
        });
    reply(&Committee {
        epoch: U64::from(epoch),
        first_block: U64::from(calendar.first(epoch)),
        last_block: U64::from(calendar.last(epoch)),
        quorum: U64::from(committee.quorum()),
        validators: validators.collect(),
        next: keys(&info.players),
        after_next: keys(&info.next_players),
        elected,
        changes_sign_from: U64::from(calendar.signs_from(api.node.latest().number() + 1)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    #[test]
    fn how_far_a_newcomer_is_reads_as_geths() {
        let status = SyncStatus {
            starting_block: U64::ZERO,
            current_block: U64::ZERO,
            highest_block: U64::from(42),
        };
        expect![[r#"{"startingBlock":"0x0","currentBlock":"0x0","highestBlock":"0x2a"}"#]]
            .assert_eq(&serde_json::to_string(&status).unwrap());
    }
}
