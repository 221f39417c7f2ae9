//! From our transaction to revm's, and from revm's refusals to Ethereum's words.

use alloy_consensus::Transaction as _;
use alloy_eips::Typed2718 as _;
use revm::{
    context::{TxEnv, either::Either},
    context_interface::result::InvalidTransaction,
};
use types::Transaction;

/// Why a transaction cannot be executed on the state it meets. It leaves no trace in the block.
///
/// The display texts are geth's: clients recognise errors by them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    /// Its nonce was used before. It can never become valid.
    #[error("nonce too low: next nonce {state}, tx nonce {tx}")]
    NonceTooLow {
        /// The transaction's nonce.
        tx: u64,
        /// The account's next nonce.
        state: u64,
    },
    /// Earlier nonces of the sender are missing. It may become valid.
    #[error("nonce too high: address next nonce {state}, tx nonce {tx}")]
    NonceTooHigh {
        /// The transaction's nonce.
        tx: u64,
        /// The account's next nonce.
        state: u64,
    },
    /// The sender cannot pay gas and value.
    #[error("insufficient funds for gas * price + value: have {have} want {want}")]
    InsufficientFunds {
        /// The sender's balance in wei.
        have: alloy_primitives::U256,
        /// What the transaction may cost in wei.
        want: alloy_primitives::U256,
    },
    /// The gas limit does not cover what every such transaction costs.
    #[error("intrinsic gas too low: have {have}, want {want}")]
    IntrinsicGas {
        /// The gas limit.
        have: u64,
        /// Least gas needed.
        want: u64,
    },
    /// The gas limit exceeds what one transaction (EIP-7825) or the block may use.
    #[error("exceeds block gas limit: gas limit reached: transaction wants {want}, limit {limit}")]
    GasLimit {
        /// The gas limit asked for.
        want: u64,
        /// What is left or allowed.
        limit: u64,
    },
    /// The fee cap is below the block's base fee.
    #[error("max fee per gas less than block base fee")]
    FeeTooLow,
    /// The tip exceeds the fee cap.
    #[error("max priority fee per gas higher than max fee per gas")]
    TipAboveFee,
    /// The sender is a contract (EIP-3607).
    #[error("sender not an eoa")]
    SenderNotEoa,
    /// Init code above the limit of EIP-3860.
    #[error("max initcode size exceeded")]
    InitCode,
    /// The rule of who may transact refuses it.
    #[error("{0}")]
    Denied(contracts::permission::Denied),
    /// The sender or its organization has used up what it may in this block. The next has room again.
    #[error(
        "gas quota reached: transaction wants {want}, its sender or organization may use {left} more in this block"
    )]
    Quota {
        /// The gas limit asked for.
        want: u64,
        /// What is left.
        left: u64,
    },
    /// Anything else the EVM refuses.
    #[error("{0}")]
    Other(String),
}

impl Invalid {
    /// Whether the same transaction may be valid later without anything about it changing.
    pub const fn is_retryable(&self) -> bool {
        matches!(
            self,
            Self::NonceTooHigh { .. }
                | Self::InsufficientFunds { .. }
                | Self::FeeTooLow
                | Self::Quota { .. }
        )
    }
}

impl From<InvalidTransaction> for Invalid {
    fn from(error: InvalidTransaction) -> Self {
        use InvalidTransaction as E;
        match error {
            E::NonceTooLow { tx, state } => Self::NonceTooLow { tx, state },
            E::NonceTooHigh { tx, state } => Self::NonceTooHigh { tx, state },
            E::LackOfFundForMaxFee { fee, balance } => Self::InsufficientFunds {
                have: *balance,
                want: *fee,
            },
            E::CallGasCostMoreThanGasLimit {
                initial_gas,
                gas_limit,
            } => Self::IntrinsicGas {
                have: gas_limit,
                want: initial_gas,
            },
            E::GasFloorMoreThanGasLimit {
                gas_floor,
                gas_limit,
            } => Self::IntrinsicGas {
                have: gas_limit,
                want: gas_floor,
            },
            E::TxGasLimitGreaterThanCap { gas_limit, cap } => Self::GasLimit {
                want: gas_limit,
                limit: cap,
            },
            E::GasPriceLessThanBasefee => Self::FeeTooLow,
            E::PriorityFeeGreaterThanMaxFee => Self::TipAboveFee,
            E::RejectCallerWithCode => Self::SenderNotEoa,
            E::CreateInitCodeSizeLimit => Self::InitCode,
            other => Self::Other(other.to_string()),
        }
    }
}

/// The transaction as revm takes it.
pub(crate) fn tx_env(transaction: &Transaction) -> TxEnv {
    let envelope = transaction.envelope();
    TxEnv {
        tx_type: envelope.ty(),
        caller: transaction.signer(),
        gas_limit: envelope.gas_limit(),
        gas_price: envelope.max_fee_per_gas(),
        kind: envelope.kind(),
        value: envelope.value(),
        data: envelope.input().clone(),
        nonce: envelope.nonce(),
        chain_id: envelope.chain_id(),
        access_list: envelope.access_list().cloned().unwrap_or_default(),
        gas_priority_fee: envelope.max_priority_fee_per_gas(),
        blob_hashes: envelope
            .blob_versioned_hashes()
            .unwrap_or_default()
            .to_vec(),
        max_fee_per_blob_gas: envelope.max_fee_per_blob_gas().unwrap_or_default(),
        authorization_list: envelope
            .authorization_list()
            .unwrap_or_default()
            .iter()
            .cloned()
            .map(Either::Left)
            .collect(),
    }
}
