//! Reading bonds from one of several nodes. They are believed.

use super::{Candidate, Stake, Unbonding};
use crate::{
    governance::{EpochStart, Governance, GovernanceError},
    members::read::signs,
    node::{self, Committee},
    rpc::Nodes,
};
use alloy_primitives::{Address, B256, U256};
use contracts::{
    SystemContract,
    abi::{IMembers, IParameters, IStake},
    governance::Parameter,
    member::BONDED,
    stake::{self, ranked},
};

impl Stake {
    /// Reads whose bonds there are.
    ///
    /// # Errors
    /// [`GovernanceError`].
    pub async fn read(nodes: &Nodes) -> Result<Self, GovernanceError> {
        let governance = Governance(nodes);
        let nothing: [u8; 0] = [];
        let committee: Committee = nodes.call(node::VALIDATORS, nothing).await?;
        let policy = IMembers::policyCall {};
        let policy = governance.ask(SystemContract::Members, &policy).await?;
        let totals = IStake::totalsCall {};
        let totals = governance.ask(SystemContract::Stake, &totals).await?;
        let candidates = governance.candidates().await?.into_iter();
        let changes_from = committee.changes_sign_from.to();
        Ok(Self {
            bonded: policy == BONDED,
            seats: value(&governance, Parameter::StakeValidators)
                .await?
                .saturating_to(),
            minimum: value(&governance, Parameter::StakeMinimum).await?,
            unbonding_period: value(&governance, Parameter::UnbondingPeriod)
                .await?
                .saturating_to(),
            bonded_total: totals.bonded,
            unbonding_total: totals.unbonding,
            candidates: candidates
                .map(|found| Candidate {
                    key: found.key,
                    owner: found.owner,
                    bond: found.bond,
                    elected: committee.elected.contains(&found.key),
                    signs: signs(&committee, found.key),
                })
                .collect(),
            changes_from: EpochStart {
                epoch: changes_from,
                block: committee.first_block_of(changes_from),
            },
        })
    }

    /// The bond of a candidate; zero if there is no such candidate.
    ///
    /// # Errors
    /// [`GovernanceError`].
    pub async fn bond_of(nodes: &Nodes, key: B256) -> Result<U256, GovernanceError> {
        let call = IStake::candidateAtCall { key };
        let found = Governance(nodes).ask(SystemContract::Stake, &call).await?;
        Ok(found.bond)
    }

    /// What an account has unbonded and not withdrawn.
    ///
    /// # Errors
    /// [`GovernanceError`].
    pub async fn unbonding_of(
        nodes: &Nodes,
        account: Address,
    ) -> Result<Unbonding, GovernanceError> {
        let call = IStake::unbondingOfCall { account };
        let found = Governance(nodes).ask(SystemContract::Stake, &call).await?;
        Ok(Unbonding {
            amount: found.amount,
            released_at: found.releasedAt.saturating_to(),
        })
    }
}

impl Governance<'_> {
    /// All candidates in their order.
    pub(crate) async fn candidates(&self) -> Result<Vec<stake::Candidate>, GovernanceError> {
        let call = IStake::candidatesCall {};
        let found = self.ask(SystemContract::Stake, &call).await?.into_iter();
        let candidates = found.map(|found| stake::Candidate {
            key: found.key,
            owner: found.owner,
            bond: found.bond,
        });
        Ok(ranked(candidates.collect()))
    }
}

async fn value(governance: &Governance<'_>, parameter: Parameter) -> Result<U256, GovernanceError> {
    let call = IParameters::valueOfCall {
        parameter: parameter as u8,
    };
    governance.ask(SystemContract::Parameters, &call).await
}
