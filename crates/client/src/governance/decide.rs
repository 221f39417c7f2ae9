//! Deciding: transactions that call system contracts, made ready for whoever signs them, and sent once they are signed.

use super::{Final, Governance, GovernanceError, ProposedAction, Unsigned};
use alloy_primitives::{Address, B256, Bytes, U64, U128, U256};
use alloy_sol_types::{SolCall, SolEvent as _};
use contracts::{
    SystemContract,
    abi::{IDisputes, IGovernance, IPause},
    governance::{Action, UnknownParameter},
};
use serde::Deserialize;
use serde_json::json;

/// Milliseconds a node waits with its answer until a transaction is final.
const PATIENCE_MS: u64 = 20_000;

impl TryFrom<ProposedAction> for Action {
    type Error = UnknownParameter;

    fn try_from(action: ProposedAction) -> Result<Self, UnknownParameter> {
        use ProposedAction as P;
        Ok(match action {
            P::AddOrganization {
                organization,
                name,
                administrator,
                validator_limit,
            } => Self::AddOrganization {
                organization,
                name,
                administrator,
                validator_limit,
            },
            P::SuspendOrganization { organization } => Self::SuspendOrganization(organization),
            P::ReinstateOrganization { organization } => Self::ReinstateOrganization(organization),
            P::RemoveOrganization { organization } => Self::RemoveOrganization(organization),
            P::SetValidatorLimit {
                organization,
                limit,
            } => Self::SetValidatorLimit {
                organization,
                limit,
            },
            P::AppointAdministrator {
                organization,
                account,
            } => Self::AppointAdministrator {
                organization,
                account,
            },
            P::SetParameter { parameter, value } => Self::SetParameter {
                parameter: parameter.parse()?,
                value,
            },
            P::ScheduleFork { fork, height } => Self::ScheduleFork { fork, height },
            P::CancelFork { fork } => Self::CancelFork(fork),
            P::SetMinimumVersion { version, height } => Self::SetMinimumVersion { version, height },
            P::CloseNetwork => Self::CloseNetwork,
            P::ReopenNetwork => Self::ReopenNetwork,
            P::NameSuccessor {
                identity,
                chain_id,
                genesis,
            } => Self::NameSuccessor {
                identity,
                chain_id,
                genesis,
            },
        })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Block {
    base_fee_per_gas: U128,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Receipt {
    transaction_hash: B256,
    block_number: U64,
    status: U64,
    logs: Vec<Logged>,
}

#[derive(Deserialize)]
struct Logged {
    address: Address,
    topics: Vec<B256>,
    data: Bytes,
}

/// What became of a signed transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decided {
    /// It is final and did what it says.
    Done(Final),
    /// It is final, and failed in its block though it would have passed just before: somebody was faster.
    Overtaken(B256),
}

impl Governance<'_> {
    /// The transaction with which an account calls a system contract. It is tried out.
    ///
    /// # Errors
    /// [`GovernanceError::Refused`] with the contract's words when it would fail now.
    pub async fn prepare<C: SolCall>(
        &self,
        from: Address,
        contract: SystemContract,
        call: &C,
    ) -> Result<Unsigned, GovernanceError> {
        self.prepare_paying(from, contract, U256::ZERO, call).await
    }

    /// As [`Self::prepare`], with so many wei of the account.
    ///
    /// # Errors
    /// As [`Self::prepare`], and when the account has not so much.
    pub async fn prepare_paying<C: SolCall>(
        &self,
        from: Address,
        contract: SystemContract,
        value: U256,
        call: &C,
    ) -> Result<Unsigned, GovernanceError> {
        let (to, data) = (contract.address(), Bytes::from(call.abi_encode()));
        let request = json!({ "from": from, "to": to, "value": value, "data": data });
        let gas = self.0.call("eth_estimateGas", [request]).await;
        let gas: U64 = gas.map_err(|error| GovernanceError::by(contract, error))?;
        let chain_id: U64 = self.0.call("eth_chainId", [(); 0]).await?;
        let pending = (from, "pending");
        let nonce: U64 = self.0.call("eth_getTransactionCount", pending).await?;
        let latest = ("latest", false);
        let block: Block = self.0.call("eth_getBlockByNumber", latest).await?;
        Ok(Unsigned {
            from,
            to,
            value,
            data,
            chain_id,
            nonce,
            // The state may be another by then.
            gas: gas.saturating_mul(U64::from(2)),
            max_fee_per_gas: block.base_fee_per_gas.saturating_mul(U128::from(2)),
            max_priority_fee_per_gas: U128::ZERO,
        })
    }

    /// Sends a signed transaction, and waits until it is final.
    ///
    /// # Errors
    /// When no node takes it.
    pub async fn submit(&self, raw: &Bytes) -> Result<Decided, GovernanceError> {
        let params = (raw, PATIENCE_MS);
        let receipt: Receipt = self.0.call("eth_sendRawTransactionSync", params).await?;
        if receipt.status != U64::ONE {
            return Ok(Decided::Overtaken(receipt.transaction_hash));
        }
        let mut done = Final {
            transaction_hash: receipt.transaction_hash,
            block: receipt.block_number.to(),
            proposal: None,
            motion: None,
            dispute: None,
        };
        for log in receipt.logs {
            note(&mut done, log);
        }
        Ok(Decided::Done(done))
    }
}

/// Notes the number of what a transaction made, if this log says it.
fn note(done: &mut Final, log: Logged) {
    let Logged {
        address,
        topics,
        data,
    } = log;
    if address == SystemContract::Governance.address() {
        if let Ok(made) = IGovernance::Proposed::decode_raw_log(topics, &data) {
            done.proposal = Some(made.proposal.saturating_to());
        }
    } else if address == SystemContract::Pause.address() {
        if let Ok(made) = IPause::MotionMade::decode_raw_log(topics, &data) {
            done.motion = Some(made.motion.saturating_to());
        }
    } else if address == SystemContract::Disputes.address()
        && let Ok(made) = IDisputes::Claimed::decode_raw_log(topics, &data)
    {
        done.dispute = Some(made.dispute.saturating_to());
    }
}
