//! Whether blocks become final, and if not, why.

use crate::{
    dispatch::{Reply, reply},
    method::Api,
    parameter::Params,
};
use alloy_primitives::{B256, U64};
use chain::{NodeError, Progress, UpstreamStatus};
use client::node::{Health, HealthState, UpstreamHealth, ValidatorHealth};
use types::PublicKey;

/// `ashlar_health`.
pub(crate) fn health(api: &Api, params: &Params<'_>) -> Reply {
    params.end()?;
    let health = api.node.health().ok_or(NodeError::Unavailable)?;
    reply(&wire(&health))
}

fn wire(health: &chain::Health) -> Health {
    let validators = health.validators.iter().map(|each| ValidatorHealth {
        public_key: key(&each.key),
        organization: each.organization.clone(),
        reachable: each.reachable,
    });
    Health {
        state: match health.progress {
            Progress::Finalizing => HealthState::Finalizing,
            Progress::Stalled => HealthState::Stalled,
            Progress::Syncing => HealthState::Syncing,
            Progress::Outdated(_) => HealthState::Outdated,
        },
        height: U64::from(health.height),
        without_block_ms: U64::from(health.lasted().as_millis()),
        epoch: U64::from(health.epoch),
        quorum: U64::from(health.needed),
        reachable: U64::from(health.reachable()),
        validators: validators.collect(),
        node: health.node.as_ref().map(key),
        validates: health.validates(),
        has_share: health.has_share,
        may_sign: health.may_sign,
        explanation: health.explanation(),
        upstreams: health
            .upstreams
            .as_ref()
            .map(|upstreams| upstreams.iter().map(upstream).collect()),
    }
}

fn key(key: &PublicKey) -> B256 {
    B256::from_slice(key.as_ref())
}

fn upstream(status: &UpstreamStatus) -> UpstreamHealth {
    UpstreamHealth {
        name: status.name.clone(),
        height: status.height.map(U64::from),
        complaint: status.complaint.clone(),
    }
}
