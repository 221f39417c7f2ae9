//! What does not change while a node runs: which network this is, and what software.

use crate::{
    dispatch::{Reply, reply},
    method::{Api, METHODS},
    parameter::Params,
    wallet,
};
use alloy_primitives::{B256, Bytes, FixedBytes, U64, keccak256};
use chain::Node;
use client::node::Identity;
use commonware_codec::Encode as _;
use serde::Serialize;
use std::collections::BTreeMap;
use types::SpecError;

/// The software, as `web3_clientVersion` and `ashlar_getIdentity` name it.
pub(crate) const CLIENT_VERSION: &str = concat!("ashlar/", env!("CARGO_PKG_VERSION"));

/// The network this node belongs to.
#[derive(Debug)]
pub(crate) struct Network {
    pub chain_id: u64,
    pub genesis_hash: B256,
    pub identity: FixedBytes<96>,
    committee: Committee,
}

/// `ashlar_validators`: who may validate now.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Committee {
    epoch: U64,
    /// Votes that make a certificate.
    quorum: U64,
    validators: Vec<Validator>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Validator {
    index: U64,
    /// The ed25519 key by which the other validators know it.
    public_key: B256,
}

impl Network {
    /// Reads what the node's chain spec says.
    pub(crate) fn new(node: &Node) -> Result<Self, SpecError> {
        let spec = node.spec();
        let committee = spec.committee()?;
        let validators = (0_u64..)
            .zip(committee.validators().iter())
            .map(|(index, key)| Validator {
                index: U64::from(index),
                public_key: B256::from_slice(&key.encode()),
            })
            .collect();
        Ok(Self {
            chain_id: spec.chain_id,
            genesis_hash: node.genesis().hash(),
            identity: committee.identity().into(),
            committee: Committee {
                epoch: U64::ZERO,
                quorum: U64::from(committee.quorum()),
                validators,
            },
        })
    }
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

/// `net_peerCount`: the validators this one speaks with. It is not known here which are up.
pub(crate) fn peer_count(api: &Api, params: &Params<'_>) -> Reply {
    params.end()?;
    reply(&U64::from(
        api.network.committee.validators.len().saturating_sub(1),
    ))
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

/// `eth_syncing`: what is read here is final, however far other nodes are.
pub(crate) fn syncing(params: &Params<'_>) -> Reply {
    params.end()?;
    reply(&false)
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
pub(crate) fn validators(api: &Api, params: &Params<'_>) -> Reply {
    params.end()?;
    reply(&api.network.committee)
}
