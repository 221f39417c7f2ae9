//! What `Governance` can be asked to do, and what it says when it refuses.

use crate::{
    abi::{IGovernance, IMembers, IParameters, ISuccession, IUpgrades},
    dispute,
    system::SystemContract,
};
use alloc::{format, string::String};
use alloy_primitives::{Address, B256, FixedBytes, U256};
use alloy_sol_types::{SolCall, SolInterface};
use core::{fmt, str::FromStr};

/// One thing that a proposal does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Let an organization in.
    AddOrganization {
        /// Its id.
        organization: B256,
        /// Its name, 1 to 31 bytes.
        name: String,
        /// Its first account.
        administrator: Address,
        /// How many validators it may have.
        validator_limit: u16,
    },
    /// Take an organization's vote and rights.
    SuspendOrganization(B256),
    /// End that.
    ReinstateOrganization(B256),
    /// Remove an organization for ever.
    RemoveOrganization(B256),
    /// Say how many validators an organization may have.
    SetValidatorLimit {
        /// Its id.
        organization: B256,
        /// How many.
        limit: u16,
    },
    /// Give an account every permission of an organization.
    AppointAdministrator {
        /// Its id.
        organization: B256,
        /// The account.
        account: Address,
    },
    /// Set a parameter: by an ordinary decision a limit, by a critical one a rule of voting.
    SetParameter {
        /// Which one.
        parameter: Parameter,
        /// What it shall be.
        value: U256,
    },
    /// Let a fork activate.
    ScheduleFork {
        /// Its id.
        fork: B256,
        /// The first block under its rules.
        height: u64,
    },
    /// Call that off.
    CancelFork(B256),
    /// Demand a protocol version of nodes.
    SetMinimumVersion {
        /// The version.
        version: u32,
        /// The first block that needs it.
        height: u64,
    },
    /// Execute nothing but governing any more.
    CloseNetwork,
    /// End that.
    ReopenNetwork,
    /// Say, once and for all, which network goes on with the state.
    NameSuccessor {
        /// Its public key, compressed.
        identity: FixedBytes<96>,
        /// Its chain id.
        chain_id: u64,
        /// The hash of its block 0.
        genesis: B256,
    },
}

/// A number that governance may change, in the order of `IParameters.Parameter`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
#[expect(missing_docs, reason = "documented in IParameters.sol")]
pub enum Parameter {
    BlockGas,
    AccountGas,
    OrganizationGas,
    IdleInterval,
    BlockGap,
    SettleInterval,
    UpgradeNotice,
    StakeValidators,
    StakeMinimum,
    UnbondingPeriod,
    AnswerPeriod,
    CompensationPeriod,
    VotingPeriod,
    Timelock,
    ExecutionWindow,
    Threshold,
}

impl Parameter {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 16] = [
        Self::BlockGas,
        Self::AccountGas,
        Self::OrganizationGas,
        Self::IdleInterval,
        Self::BlockGap,
        Self::SettleInterval,
        Self::UpgradeNotice,
        Self::StakeValidators,
        Self::StakeMinimum,
        Self::UnbondingPeriod,
        Self::AnswerPeriod,
        Self::CompensationPeriod,
        Self::VotingPeriod,
        Self::Timelock,
        Self::ExecutionWindow,
        Self::Threshold,
    ];

    fn is_voting_rule(self) -> bool {
        self >= Self::VotingPeriod
    }

    /// What its value counts.
    pub const fn unit(self) -> &'static str {
        match self {
            Self::BlockGas | Self::AccountGas | Self::OrganizationGas => "gas",
            Self::IdleInterval | Self::BlockGap | Self::SettleInterval => "ms",
            Self::UpgradeNotice => "blocks",
            Self::StakeValidators => "validators",
            Self::StakeMinimum => "wei",
            Self::Threshold => "ten-thousandths",
            _ => "s",
        }
    }
}

impl fmt::Display for Parameter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// There is no parameter of this name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no parameter {0:?}; `IParameters.Parameter` lists them, BlockGas to Threshold")]
pub struct UnknownParameter(String);

impl FromStr for Parameter {
    type Err = UnknownParameter;

    fn from_str(name: &str) -> Result<Self, UnknownParameter> {
        let named = |parameter: &Self| format!("{parameter}").eq_ignore_ascii_case(name);
        let unknown = || UnknownParameter(name.into());
        Self::ALL.into_iter().find(named).ok_or_else(unknown)
    }
}

/// An action that this version does not know, or whose arguments do not decode.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an action of kind {kind} that this version cannot read")]
pub struct UnknownAction {
    /// Its `IGovernance.Kind`.
    pub kind: u8,
}

impl Action {
    /// The action as `Governance` takes it.
    #[must_use]
    pub fn encode(&self) -> IGovernance::Action {
        match self.clone() {
            Self::AddOrganization {
                organization,
                name,
                administrator,
                validator_limit,
            } => action(
                0,
                &IMembers::addOrganizationCall {
                    organization,
                    name,
                    administrator,
                    validatorLimit: validator_limit,
                },
            ),
            Self::SuspendOrganization(organization) => {
                action(1, &IMembers::suspendOrganizationCall { organization })
            }
            Self::ReinstateOrganization(organization) => {
                action(2, &IMembers::reinstateOrganizationCall { organization })
            }
            Self::RemoveOrganization(organization) => {
                action(3, &IMembers::removeOrganizationCall { organization })
            }
            Self::SetValidatorLimit {
                organization,
                limit,
            } => action(
                4,
                &IMembers::setValidatorLimitCall {
                    organization,
                    limit,
                },
            ),
            Self::AppointAdministrator {
                organization,
                account,
            } => action(
                5,
                &IMembers::appointAdministratorCall {
                    organization,
                    account,
                },
            ),
            Self::SetParameter { parameter, value } if parameter.is_voting_rule() => {
                let parameter = parameter as u8;
                action(7, &IParameters::setVotingRuleCall { parameter, value })
            }
            Self::SetParameter { parameter, value } => {
                let parameter = parameter as u8;
                action(6, &IParameters::setLimitCall { parameter, value })
            }
            Self::ScheduleFork { fork, height } => {
                let height = U256::from(height);
                action(8, &IUpgrades::scheduleForkCall { fork, height })
            }
            Self::CancelFork(fork) => action(9, &IUpgrades::cancelForkCall { fork }),
            Self::SetMinimumVersion { version, height } => {
                let height = U256::from(height);
                action(10, &IUpgrades::setMinimumVersionCall { version, height })
            }
            Self::CloseNetwork => action(11, &ISuccession::closeCall {}),
            Self::ReopenNetwork => action(12, &ISuccession::reopenCall {}),
            Self::NameSuccessor {
                identity,
                chain_id,
                genesis,
            } => action(
                13,
                &ISuccession::nameSuccessorCall {
                    identity: identity.into(),
                    chainId: U256::from(chain_id),
                    genesis,
                },
            ),
        }
    }

    /// Reads an action of `Governance`.
    ///
    /// # Errors
    /// [`UnknownAction`].
    pub fn decode(action: &IGovernance::Action) -> Result<Self, UnknownAction> {
        let kind = action.kind;
        let unknown = || UnknownAction { kind };
        let parameter = |number: u8| Parameter::ALL.get(usize::from(number)).copied();
        let decoded = match kind {
            0 => {
                let call: IMembers::addOrganizationCall = arguments(action)?;
                Self::AddOrganization {
                    organization: call.organization,
                    name: call.name,
                    administrator: call.administrator,
                    validator_limit: call.validatorLimit,
                }
            }
            1 => Self::SuspendOrganization(
                arguments::<IMembers::suspendOrganizationCall>(action)?.organization,
            ),
            2 => Self::ReinstateOrganization(
                arguments::<IMembers::reinstateOrganizationCall>(action)?.organization,
            ),
            3 => Self::RemoveOrganization(
                arguments::<IMembers::removeOrganizationCall>(action)?.organization,
            ),
            4 => {
                let call: IMembers::setValidatorLimitCall = arguments(action)?;
                Self::SetValidatorLimit {
                    organization: call.organization,
                    limit: call.limit,
                }
            }
            5 => {
                let call: IMembers::appointAdministratorCall = arguments(action)?;
                Self::AppointAdministrator {
                    organization: call.organization,
                    account: call.account,
                }
            }
            6 => {
                let call: IParameters::setLimitCall = arguments(action)?;
                Self::SetParameter {
                    parameter: parameter(call.parameter).ok_or_else(unknown)?,
                    value: call.value,
                }
            }
            7 => {
                let call: IParameters::setVotingRuleCall = arguments(action)?;
                Self::SetParameter {
                    parameter: parameter(call.parameter).ok_or_else(unknown)?,
                    value: call.value,
                }
            }
            8 => {
                let call: IUpgrades::scheduleForkCall = arguments(action)?;
                Self::ScheduleFork {
                    fork: call.fork,
                    height: call.height.saturating_to(),
                }
            }
            9 => Self::CancelFork(arguments::<IUpgrades::cancelForkCall>(action)?.fork),
            10 => {
                let call: IUpgrades::setMinimumVersionCall = arguments(action)?;
                Self::SetMinimumVersion {
                    version: call.version,
                    height: call.height.saturating_to(),
                }
            }
            11 => Self::CloseNetwork,
            12 => Self::ReopenNetwork,
            13 => {
                let call: ISuccession::nameSuccessorCall = arguments(action)?;
                Self::NameSuccessor {
                    identity: call.identity.as_ref().try_into().map_err(|_| unknown())?,
                    chain_id: call.chainId.saturating_to(),
                    genesis: call.genesis,
                }
            }
            _ => return Err(unknown()),
        };
        Ok(decoded)
    }
}

fn action<C: SolCall>(kind: u8, call: &C) -> IGovernance::Action {
    let mut arguments = alloc::vec::Vec::with_capacity(call.abi_encoded_size());
    call.abi_encode_raw(&mut arguments);
    IGovernance::Action {
        kind,
        arguments: arguments.into(),
    }
}

fn arguments<C: SolCall>(action: &IGovernance::Action) -> Result<C, UnknownAction> {
    let kind = action.kind;
    C::abi_decode_raw_validate(&action.arguments).map_err(|_| UnknownAction { kind })
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AddOrganization {
                organization,
                name,
                administrator,
                validator_limit,
            } => write!(
                f,
                "add the organization {name:?} ({organization}), administered by {administrator}, with at most {validator_limit} validators"
            ),
            Self::SuspendOrganization(organization) => write!(f, "suspend {organization}"),
            Self::ReinstateOrganization(organization) => write!(f, "reinstate {organization}"),
            Self::RemoveOrganization(organization) => {
                write!(f, "remove {organization} for ever")
            }
            Self::SetValidatorLimit {
                organization,
                limit,
            } => write!(f, "let {organization} have at most {limit} validators"),
            Self::AppointAdministrator {
                organization,
                account,
            } => write!(f, "let {account} administer {organization}"),
            Self::SetParameter { parameter, value } => {
                write!(f, "set {parameter} to {value} {}", parameter.unit())
            }
            Self::ScheduleFork { fork, height } => {
                write!(f, "activate the fork {fork} at height {height}")
            }
            Self::CancelFork(fork) => write!(f, "do not activate the fork {fork}"),
            Self::SetMinimumVersion { version, height } => write!(
                f,
                "demand protocol version {version} of nodes from height {height} on"
            ),
            Self::CloseNetwork => f.write_str("execute nothing but governing any more"),
            Self::ReopenNetwork => f.write_str("execute all transactions again"),
            Self::NameSuccessor {
                identity,
                chain_id,
                genesis,
            } => write!(
                f,
                "name as successor, once and for all, the network with the identity {identity}, chain id {chain_id}, genesis {genesis}"
            ),
        }
    }
}

/// What an organization may say, as `IBallots.Choice`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Choice {
    /// Yes.
    Approve = 1,
    /// No.
    Reject,
}

impl Choice {
    /// What somebody says who approves, or else rejects.
    pub const fn of(approve: bool) -> Self {
        if approve { Self::Approve } else { Self::Reject }
    }
}

/// The name of an `IGovernance.State`, in lower case.
pub fn state(state: u8) -> &'static str {
    const NAMES: [&str; 8] = [
        "none",
        "voting",
        "canceled",
        "defeated",
        "waiting",
        "executable",
        "executed",
        "expired",
    ];
    NAMES.get(usize::from(state)).copied().unwrap_or("unknown")
}

/// What a governing contract said when it refused, in its own words: the error's name and arguments. None for what is no error
/// of theirs.
pub fn refusal(contract: SystemContract, revert: &[u8]) -> Option<String> {
    use crate::abi::{
        IDisputes::IDisputesErrors as Disputes, IGovernance::IGovernanceErrors as Governance,
        IMembers::IMembersErrors as Members, IParameters::IParametersErrors as Parameters,
        IPause::IPauseErrors as Pause, IStake::IStakeErrors as Stake,
        ISuccession::ISuccessionErrors as Succession, IUpgrades::IUpgradesErrors as Upgrades,
    };
    match contract {
        SystemContract::Governance => match Governance::abi_decode(revert).ok()? {
            Governance::ActionFailed(failed) => {
                let mut decided = DECIDED.into_iter();
                let reason = decided.find_map(|contract| refusal(contract, &failed.reason));
                let reason = reason.unwrap_or_else(|| format!("{}", failed.reason));
                let number = failed.index.saturating_add(U256::ONE);
                Some(format!("action {number}: {reason}"))
            }
            Governance::WrongState(wrong) => {
                let state = state(wrong.state);
                Some(format!("proposal {} is {state}", wrong.proposal))
            }
            other => Some(unwrapped(format!("{other:?}"))),
        },
        SystemContract::Disputes => match Disputes::abi_decode(revert).ok()? {
            Disputes::WrongState(wrong) => {
                let state = dispute::state(wrong.state);
                Some(format!("dispute {} is {state}", wrong.dispute))
            }
            other => Some(unwrapped(format!("{other:?}"))),
        },
        SystemContract::Members => words(Members::abi_decode(revert)),
        SystemContract::Parameters => words(Parameters::abi_decode(revert)),
        SystemContract::Pause => words(Pause::abi_decode(revert)),
        SystemContract::Stake => words(Stake::abi_decode(revert)),
        SystemContract::Succession => words(Succession::abi_decode(revert)),
        SystemContract::Upgrades => words(Upgrades::abi_decode(revert)),
        // They are called by applications, and no part of governance.
        SystemContract::Records | SystemContract::Operations => None,
    }
}

/// Whose functions `Governance` calls when a proposal is executed.
const DECIDED: [SystemContract; 4] = [
    SystemContract::Members,
    SystemContract::Parameters,
    SystemContract::Upgrades,
    SystemContract::Succession,
];

fn words<E: fmt::Debug, D>(error: Result<E, D>) -> Option<String> {
    error.ok().map(|error| unwrapped(format!("{error:?}")))
}

/// `Name(Name { … })` as `Name { … }`.
fn unwrapped(text: String) -> String {
    let inner = text
        .split_once('(')
        .and_then(|(_, inner)| inner.strip_suffix(')'));
    inner.map(Into::into).unwrap_or(text)
}
