//! Why a block is refused, and what vectors call that.

use alloy_primitives::{B256, U256};
use evm::Invalid;
use types::TransactionError;

/// Why a block is not valid.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("the block is no RLP of a block: {0}")]
    Rlp(alloy_rlp::Error),
    #[error("{0} bytes of RLP are more than a block may have (EIP-7934)")]
    TooLarge(usize),
    #[error("the parent {0} is not known")]
    UnknownParent(B256),
    #[error("block {have} follows block {parent}")]
    Number { have: u64, parent: u64 },
    #[error("timestamp {have} is not after the parent's, {parent}")]
    Timestamp { have: u64, parent: u64 },
    #[error("gas limit {have} is too far from the parent's, {parent}, or below 5000")]
    GasLimit { have: u64, parent: u64 },
    #[error("gas limit {0} is above 2^63 - 1")]
    GasLimitHuge(u64),
    #[error("gas used {used} is above the limit {limit}")]
    GasUsedAboveLimit { used: u64, limit: u64 },
    #[error("extra data of {0} bytes is longer than 32")]
    ExtraData(usize),
    #[error("the extra data is not the DAO fork's")]
    DaoExtraData,
    #[error("difficulty {have}, want {want}")]
    Difficulty { have: U256, want: U256 },
    #[error("the nonce is not zero after the merge")]
    Nonce,
    #[error("the fork does not have `{0}`, or must have it")]
    Field(&'static str),
    #[error("base fee {have}, want {want}")]
    BaseFee { have: u64, want: u64 },
    #[error("excess blob gas {have}, want {want}")]
    ExcessBlobGas { have: u64, want: u64 },
    #[error("blob gas used {have}, want {want}")]
    BlobGasUsed { have: u64, want: u64 },
    #[error("blob gas used {used} is above the limit {limit}")]
    BlobGasAboveLimit { used: u64, limit: u64 },
    #[error("uncles: {0}")]
    Uncles(&'static str),
    #[error("uncle: {0}")]
    Uncle(Box<Self>),
    #[error("uncles after the merge")]
    UnclesAfterMerge,
    #[error("transaction {index}: {error}")]
    Undecodable {
        index: usize,
        error: TransactionError,
    },
    #[error("transaction {index}: {reason}")]
    Transaction { index: usize, reason: Invalid },
    #[error("the transactions hash to another root")]
    TransactionsRoot,
    #[error("the uncles hash to another hash")]
    UnclesHash,
    #[error("the withdrawals hash to another root")]
    WithdrawalsRoot,
    #[error("gas used {have}, want {want}")]
    GasUsed { have: u64, want: u64 },
    #[error("the receipts hash to {want}")]
    ReceiptsRoot { want: B256 },
    #[error("the logs have another bloom")]
    Bloom,
    #[error("the state hashes to {want}")]
    StateRoot { want: B256 },
    #[error("the requests hash to {want}")]
    RequestsHash { want: B256 },
    #[error("the deposit contract logged no deposit")]
    DepositLayout,
    #[error("system contract {0} is not there or failed")]
    SystemContract(&'static str),
    #[error("database: {0}")]
    Database(String),
}

impl Refusal {
    /// Whether a vector that expects this exception means this refusal. `A|B` allows both; of an
    /// exception of an unknown name nothing is known, so any refusal will do.
    pub(crate) fn is(&self, expected: &str) -> bool {
        expected.split('|').any(|name| {
            let name = name.rsplit_once('.').map_or(name, |(_, name)| name);
            let known = NAMES.contains(&name);
            !known || self.names().contains(&name)
        })
    }

    /// What vectors may call it.
    fn names(&self) -> &'static [&'static str] {
        match self {
            Self::Rlp(_) => &[
                "RLP_STRUCTURES_ENCODING",
                "INCORRECT_BLOCK_FORMAT",
                "TYPE_3_TX_CONTRACT_CREATION",
                "TYPE_3_TX_WITH_FULL_BLOBS",
                "RLP_INVALID_VALUE",
                "GASLIMIT_TOO_BIG",
            ],
            Self::TooLarge(_) => &["RLP_BLOCK_LIMIT_EXCEEDED"],
            Self::UnknownParent(_) => &["UNKNOWN_PARENT", "UNKNOWN_PARENT_ZERO"],
            Self::Number { .. } => &["INVALID_BLOCK_NUMBER"],
            Self::Timestamp { .. } => &["INVALID_BLOCK_TIMESTAMP_OLDER_THAN_PARENT"],
            Self::GasLimit { .. } => &["INVALID_GASLIMIT"],
            Self::GasLimitHuge(_) => &["GASLIMIT_TOO_BIG", "INVALID_GASLIMIT"],
            Self::GasUsedAboveLimit { .. } => {
                &["GAS_USED_OVERFLOW", "INVALID_GAS_USED", "INVALID_GASLIMIT"]
            }
            Self::ExtraData(_) => &["EXTRA_DATA_TOO_BIG"],
            Self::DaoExtraData => &["EXTRA_DATA_INVALID_DAO"],
            Self::Difficulty { .. } => &["INVALID_DIFFICULTY"],
            Self::Nonce | Self::Field(_) => &[
                "INCORRECT_BLOCK_FORMAT",
                "INVALID_BASEFEE_PER_GAS",
                "INCORRECT_BLOB_GAS_USED",
                "INCORRECT_EXCESS_BLOB_GAS",
                "INVALID_REQUESTS",
                "INVALID_WITHDRAWALS_ROOT",
            ],
            Self::BaseFee { .. } => &["INVALID_BASEFEE_PER_GAS"],
            Self::ExcessBlobGas { .. } => &["INCORRECT_EXCESS_BLOB_GAS"],
            Self::BlobGasUsed { .. } => &["INCORRECT_BLOB_GAS_USED"],
            Self::BlobGasAboveLimit { .. } => &[
                "BLOB_GAS_USED_ABOVE_LIMIT",
                "TYPE_3_TX_MAX_BLOB_GAS_ALLOWANCE_EXCEEDED",
                "TYPE_3_TX_BLOB_COUNT_EXCEEDED",
            ],
            Self::Uncles(_) => &[
                "TOO_MANY_UNCLES",
                "UNCLE_IN_CHAIN",
                "UNCLE_IS_ANCESTOR",
                "UNCLE_IS_BROTHER",
                "UNCLE_PARENT_INCORRECT",
                "UNCLE_UNKNOWN_PARENT",
            ],
            Self::Uncle(_) => &[
                "UNCLE_PARENT_INCORRECT",
                "INVALID_UNCLE",
                "EXTRA_DATA_TOO_BIG",
                "INVALID_GASLIMIT",
                "INVALID_DIFFICULTY",
                "INVALID_BASEFEE_PER_GAS",
                "INVALID_BLOCK_NUMBER",
                "INVALID_BLOCK_TIMESTAMP_OLDER_THAN_PARENT",
                "GAS_USED_OVERFLOW",
                "EXTRA_DATA_INVALID_DAO",
            ],
            Self::UnclesAfterMerge => &["IMPORT_IMPOSSIBLE_UNCLES_OVER_PARIS"],
            Self::Undecodable { error, .. } => undecodable(error),
            Self::Transaction { reason, .. } => transaction(reason),
            Self::TransactionsRoot => &["INVALID_TRANSACTIONS_ROOT"],
            Self::UnclesHash => &["INVALID_UNCLES_HASH"],
            Self::WithdrawalsRoot => &["INVALID_WITHDRAWALS_ROOT"],
            Self::GasUsed { .. } => &["INVALID_GAS_USED"],
            Self::ReceiptsRoot { .. } => &["INVALID_RECEIPTS_ROOT"],
            Self::Bloom => &["INVALID_LOG_BLOOM"],
            Self::StateRoot { .. } => &["INVALID_STATE_ROOT"],
            Self::RequestsHash { .. } => &["INVALID_REQUESTS"],
            Self::DepositLayout => &["INVALID_DEPOSIT_EVENT_LAYOUT"],
            Self::SystemContract(_) => &["SYSTEM_CONTRACT_EMPTY", "SYSTEM_CONTRACT_CALL_FAILED"],
            Self::Database(_) => &[],
        }
    }
}

/// What vectors may call a transaction that cannot be decoded.
fn undecodable(error: &TransactionError) -> &'static [&'static str] {
    match error {
        TransactionError::ChainId { .. } => &["INVALID_CHAINID", "INVALID_SIGNATURE_VRS"],
        TransactionError::Signature => &[
            "INVALID_SIGNATURE_VRS",
            "RLP_INVALID_SIGNATURE_R",
            "RLP_INVALID_SIGNATURE_S",
        ],
        _ => &[
            "RLP_STRUCTURES_ENCODING",
            "INCORRECT_BLOCK_FORMAT",
            "TYPE_NOT_SUPPORTED",
            "TYPE_3_TX_CONTRACT_CREATION",
            "TYPE_3_TX_WITH_FULL_BLOBS",
            "RLP_INVALID_VALUE",
            "GASLIMIT_PRICE_PRODUCT_OVERFLOW",
            "TYPE_4_TX_CONTRACT_CREATION",
            "TYPE_4_INVALID_AUTHORIZATION_FORMAT",
            "INSUFFICIENT_ACCOUNT_FUNDS",
        ],
    }
}

/// What vectors may call a transaction that cannot be executed.
pub(crate) fn transaction(reason: &Invalid) -> &'static [&'static str] {
    match reason {
        Invalid::NonceTooLow { .. } => &["NONCE_MISMATCH_TOO_LOW", "NONCE_IS_MAX"],
        Invalid::NonceTooHigh { .. } => &["NONCE_MISMATCH_TOO_HIGH"],
        Invalid::InsufficientFunds { .. } => &[
            "INSUFFICIENT_ACCOUNT_FUNDS",
            "GASLIMIT_PRICE_PRODUCT_OVERFLOW",
        ],
        Invalid::IntrinsicGas { .. } => &[
            "INTRINSIC_GAS_TOO_LOW",
            "INTRINSIC_GAS_BELOW_FLOOR_GAS_COST",
        ],
        Invalid::GasLimit { .. } => &["GAS_ALLOWANCE_EXCEEDED", "GAS_LIMIT_EXCEEDS_MAXIMUM"],
        Invalid::FeeTooLow => &["INSUFFICIENT_MAX_FEE_PER_GAS"],
        Invalid::TipAboveFee => &["PRIORITY_GREATER_THAN_MAX_FEE_PER_GAS"],
        Invalid::SenderNotEoa => &["SENDER_NOT_EOA"],
        Invalid::InitCode => &["INITCODE_SIZE_EXCEEDED"],
        Invalid::Denied(_) | Invalid::Quota { .. } => &[],
        Invalid::Other(_) => &[
            "TYPE_NOT_SUPPORTED",
            "TYPE_1_TX_PRE_FORK",
            "TYPE_2_TX_PRE_FORK",
            "TYPE_3_TX_PRE_FORK",
            "TYPE_4_TX_PRE_FORK",
            "TYPE_3_TX_ZERO_BLOBS",
            "TYPE_3_TX_BLOB_COUNT_EXCEEDED",
            "TYPE_3_TX_INVALID_BLOB_VERSIONED_HASH",
            "TYPE_3_TX_MAX_BLOB_GAS_ALLOWANCE_EXCEEDED",
            "INSUFFICIENT_MAX_FEE_PER_BLOB_GAS",
            "TYPE_4_EMPTY_AUTHORIZATION_LIST",
            "NONCE_IS_MAX",
            "INVALID_CHAINID",
            "GASLIMIT_PRICE_PRODUCT_OVERFLOW",
        ],
    }
}

/// All names above.
const NAMES: [&str; 69] = [
    "BLOB_GAS_USED_ABOVE_LIMIT",
    "EXTRA_DATA_INVALID_DAO",
    "EXTRA_DATA_TOO_BIG",
    "GASLIMIT_PRICE_PRODUCT_OVERFLOW",
    "GASLIMIT_TOO_BIG",
    "GAS_ALLOWANCE_EXCEEDED",
    "GAS_LIMIT_EXCEEDS_MAXIMUM",
    "GAS_USED_OVERFLOW",
    "IMPORT_IMPOSSIBLE_UNCLES_OVER_PARIS",
    "INCORRECT_BLOB_GAS_USED",
    "INCORRECT_BLOCK_FORMAT",
    "INCORRECT_EXCESS_BLOB_GAS",
    "INITCODE_SIZE_EXCEEDED",
    "INSUFFICIENT_ACCOUNT_FUNDS",
    "INSUFFICIENT_MAX_FEE_PER_BLOB_GAS",
    "INSUFFICIENT_MAX_FEE_PER_GAS",
    "INTRINSIC_GAS_BELOW_FLOOR_GAS_COST",
    "INTRINSIC_GAS_TOO_LOW",
    "INVALID_BASEFEE_PER_GAS",
    "INVALID_BLOCK_NUMBER",
    "INVALID_BLOCK_TIMESTAMP_OLDER_THAN_PARENT",
    "INVALID_CHAINID",
    "INVALID_DEPOSIT_EVENT_LAYOUT",
    "INVALID_DIFFICULTY",
    "INVALID_GASLIMIT",
    "INVALID_GAS_USED",
    "INVALID_LOG_BLOOM",
    "INVALID_RECEIPTS_ROOT",
    "INVALID_REQUESTS",
    "INVALID_SIGNATURE_VRS",
    "INVALID_STATE_ROOT",
    "INVALID_TRANSACTIONS_ROOT",
    "INVALID_UNCLE",
    "INVALID_UNCLES_HASH",
    "INVALID_WITHDRAWALS_ROOT",
    "NONCE_IS_MAX",
    "NONCE_MISMATCH_TOO_HIGH",
    "NONCE_MISMATCH_TOO_LOW",
    "PRIORITY_GREATER_THAN_MAX_FEE_PER_GAS",
    "RLP_BLOCK_LIMIT_EXCEEDED",
    "RLP_INVALID_SIGNATURE_R",
    "RLP_INVALID_SIGNATURE_S",
    "RLP_INVALID_VALUE",
    "RLP_STRUCTURES_ENCODING",
    "SENDER_NOT_EOA",
    "SYSTEM_CONTRACT_CALL_FAILED",
    "SYSTEM_CONTRACT_EMPTY",
    "TOO_MANY_UNCLES",
    "TYPE_1_TX_PRE_FORK",
    "TYPE_2_TX_PRE_FORK",
    "TYPE_3_TX_BLOB_COUNT_EXCEEDED",
    "TYPE_3_TX_CONTRACT_CREATION",
    "TYPE_3_TX_INVALID_BLOB_VERSIONED_HASH",
    "TYPE_3_TX_MAX_BLOB_GAS_ALLOWANCE_EXCEEDED",
    "TYPE_3_TX_PRE_FORK",
    "TYPE_3_TX_WITH_FULL_BLOBS",
    "TYPE_3_TX_ZERO_BLOBS",
    "TYPE_4_EMPTY_AUTHORIZATION_LIST",
    "TYPE_4_INVALID_AUTHORIZATION_FORMAT",
    "TYPE_4_TX_CONTRACT_CREATION",
    "TYPE_4_TX_PRE_FORK",
    "TYPE_NOT_SUPPORTED",
    "UNCLE_IN_CHAIN",
    "UNCLE_IS_ANCESTOR",
    "UNCLE_IS_BROTHER",
    "UNCLE_PARENT_INCORRECT",
    "UNCLE_UNKNOWN_PARENT",
    "UNKNOWN_PARENT",
    "UNKNOWN_PARENT_ZERO",
];
