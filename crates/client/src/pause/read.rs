//! Reading motions from one of several nodes, and preparing them. The nodes are believed.

use super::{Motion, PauseSubject, ProposedMotion};
use crate::{
    governance::{Governance, GovernanceError, Unsigned},
    rpc::Nodes,
};
use alloy_primitives::{Address, U256};
use contracts::{SystemContract, abi::IPause, pause::Subject};

const PAUSE: SystemContract = SystemContract::Pause;

impl Motion {
    /// How many were ever made.
    ///
    /// # Errors
    /// [`GovernanceError`].
    pub async fn count(nodes: &Nodes) -> Result<u64, GovernanceError> {
        let count = Governance(nodes).ask(PAUSE, &IPause::motionsCall {}).await;
        count.map(|count| count.saturating_to())
    }

    /// Reads a motion.
    ///
    /// # Errors
    /// [`GovernanceError::NoMotion`] if there is none with this number.
    pub async fn read(nodes: &Nodes, number: u64) -> Result<Self, GovernanceError> {
        let governance = Governance(nodes);
        let motion = U256::from(number);
        let call = IPause::motionAtCall { motion };
        let found = governance.ask(PAUSE, &call).await?;
        if found.proposer.is_zero() {
            return Err(GovernanceError::NoMotion(number));
        }
        let subject = Subject::decode(found.scope, found.subject);
        let subject = subject.ok_or(GovernanceError::NotGoverned(PAUSE))?;
        let names = governance.names().await?;
        let tally = IPause::tallyOfCall { motion };
        let tally = governance.ask(PAUSE, &tally).await?;
        let choice = |organization| IPause::choiceOfCall {
            motion,
            organization,
        };
        let vote = governance.ballot(PAUSE, &names, &tally, choice).await?;
        let until = IPause::pausedUntilCall {
            scope: found.scope,
            subject: found.subject,
        };
        let until: u64 = governance.ask(PAUSE, &until).await?.saturating_to();
        let now = governance.time().await?;
        let state = match found.carried {
            true => "carried",
            false if now < vote.closes => "open",
            false => "lapsed",
        };
        let (motion, description) = match found.duration {
            0 => (
                ProposedMotion::Lift {
                    subject: subject.into(),
                },
                format!("allow {subject} again"),
            ),
            seconds => (
                ProposedMotion::Pause {
                    subject: subject.into(),
                    seconds,
                },
                format!("stop {subject} for {seconds} s"),
            ),
        };
        Ok(Self {
            number,
            state: state.to_owned(),
            proposer: names.of(found.proposer),
            motion,
            description: names.within(&description),
            vote,
            paused_until: (until > now).then_some(until),
        })
    }
}

impl ProposedMotion {
    /// The transaction with which an account makes the motion. It is tried out.
    ///
    /// # Errors
    /// As [`Governance::prepare`].
    pub async fn prepare(&self, nodes: &Nodes, from: Address) -> Result<Unsigned, GovernanceError> {
        let governance = Governance(nodes);
        match *self {
            Self::Pause { subject, seconds } => {
                let (scope, subject) = Subject::from(subject).encode();
                let call = IPause::movePauseCall {
                    scope,
                    subject,
                    duration: U256::from(seconds),
                };
                governance.prepare(from, PAUSE, &call).await
            }
            Self::Lift { subject } => {
                let (scope, subject) = Subject::from(subject).encode();
                let call = IPause::moveLiftCall { scope, subject };
                governance.prepare(from, PAUSE, &call).await
            }
        }
    }
}

impl From<Subject> for PauseSubject {
    fn from(subject: Subject) -> Self {
        match subject {
            Subject::Deployments => Self::Deployments {},
            Subject::Contract(address) => Self::Contract { address },
            Subject::Organization(id) => Self::Organization { id },
        }
    }
}

impl From<PauseSubject> for Subject {
    fn from(subject: PauseSubject) -> Self {
        match subject {
            PauseSubject::Deployments {} => Self::Deployments,
            PauseSubject::Contract { address } => Self::Contract(address),
            PauseSubject::Organization { id } => Self::Organization(id),
        }
    }
}
