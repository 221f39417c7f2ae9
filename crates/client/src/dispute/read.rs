//! Reading disputes from one of several nodes. They are believed.

use super::{Dispute, DisputeSubject, Evidence};
use crate::{
    governance::{Governance, GovernanceError, read::Names},
    rpc::{Nodes, RpcError},
};
use alloy_primitives::{B256, U256};
use alloy_sol_types::SolEvent as _;
use contracts::{
    SystemContract,
    abi::IDisputes,
    dispute::{Subject, state},
};

const DISPUTES: SystemContract = SystemContract::Disputes;
/// Blocks in which evidence is looked for, from the claim on: as many as a node searches at a time.
const EVIDENCE_BLOCKS: u64 = 1_000_000;

impl Dispute {
    /// How many claims were ever made.
    ///
    /// # Errors
    /// [`GovernanceError`].
    pub async fn count(nodes: &Nodes) -> Result<u64, GovernanceError> {
        let governance = Governance(nodes);
        let count = governance.ask(DISPUTES, &IDisputes::disputesCall {}).await;
        count.map(|count| count.saturating_to())
    }

    /// Reads a dispute.
    ///
    /// # Errors
    /// [`GovernanceError::NoDispute`] if there is none with this number.
    pub async fn read(nodes: &Nodes, number: u64) -> Result<Self, GovernanceError> {
        let governance = Governance(nodes);
        let dispute = U256::from(number);
        let standing = IDisputes::stateOfCall { dispute };
        let standing = state(governance.ask(DISPUTES, &standing).await?);
        if standing == "none" {
            return Err(GovernanceError::NoDispute(number));
        }
        let found = IDisputes::disputeAtCall { dispute };
        let found = governance.ask(DISPUTES, &found).await?;
        let subject = Subject::decode(found.kind, found.subject);
        let subject = subject.ok_or(GovernanceError::NotGoverned(DISPUTES))?;
        let names = governance.names().await?;
        let tally = IDisputes::tallyOfCall { dispute };
        let tally = governance.ask(DISPUTES, &tally).await?;
        let choice = |organization| IDisputes::choiceOfCall {
            dispute,
            organization,
        };
        let further = evidence(&governance, &names, dispute, tally.snapshot.to()).await?;
        let set = |hash: B256| (!hash.is_zero()).then_some(hash);
        let compensation_ends: u64 = found.compensationEnds.to();
        Ok(Self {
            number,
            state: standing.to_owned(),
            claimant: names.of(found.claimant),
            respondent: names.of(found.respondent),
            subject: subject.into(),
            evidence: found.evidence,
            further_evidence: further,
            answer: set(found.answer),
            voting_from: found.votingFrom.to(),
            vote: governance.ballot(DISPUTES, &names, &tally, choice).await?,
            compensation_ends: (compensation_ends > 0).then_some(compensation_ends),
            compensation: set(found.compensation),
        })
    }
}

/// What was added to a claim, by the logs from the block after `snapshot` on. None if the node has them no more.
async fn evidence(
    governance: &Governance<'_>,
    names: &Names,
    dispute: U256,
    snapshot: u64,
) -> Result<Option<Vec<Evidence>>, GovernanceError> {
    let from = snapshot.saturating_add(1);
    let range = (from, from.saturating_add(EVIDENCE_BLOCKS - 1));
    let topics = [IDisputes::EvidenceAdded::SIGNATURE_HASH, dispute.into()];
    let logs = match governance.logs(DISPUTES, range, &topics).await {
        Ok(logs) => logs.into_iter(),
        Err(RpcError::Refused { .. }) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let added = logs.filter_map(|(topics, data)| {
        let added = IDisputes::EvidenceAdded::decode_raw_log(topics, &data).ok()?;
        Some(Evidence {
            organization: names.of(added.organization),
            evidence: added.evidence,
        })
    });
    Ok(Some(added.collect()))
}

impl From<Subject> for DisputeSubject {
    fn from(subject: Subject) -> Self {
        match subject {
            Subject::Record(id) => Self::Record { id },
            Subject::Transaction(hash) => Self::Transaction { hash },
        }
    }
}

impl From<DisputeSubject> for Subject {
    fn from(subject: DisputeSubject) -> Self {
        match subject {
            DisputeSubject::Record { id } => Self::Record(id),
            DisputeSubject::Transaction { hash } => Self::Transaction(hash),
        }
    }
}
