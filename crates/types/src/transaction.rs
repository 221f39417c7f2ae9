//! Transactions by stages: raw bytes become a decoded, recovered [`Transaction`] once per node.

use alloy_consensus::{
    Transaction as _, TxEip4844Variant, TxEnvelope, transaction::SignerRecoverable as _,
};
use alloy_eips::eip2718::Decodable2718 as _;
use alloy_primitives::{Address, B256, Bytes, keccak256};

/// Largest raw transaction accepted, in bytes; geth's pool has the same bound.
pub const MAX_TRANSACTION_BYTES: usize = 128 * 1024;

/// A transaction whose bytes were decoded and whose signer was recovered.
///
/// There is no other way to make one, so whoever holds it need not check a signature again. That it
/// is one of our chain is known of [`recover`](Self::recover) only.
/// Nonce, balance and gas are *not* checked: they depend on the state it meets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transaction {
    envelope: TxEnvelope,
    signer: Address,
    authorities: Vec<Address>,
    hash: B256,
    raw: Bytes,
}

/// Why raw bytes are no transaction of this chain. All of them are the sender's fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TransactionError {
    /// More than [`MAX_TRANSACTION_BYTES`].
    #[error("oversized data: transaction size {0}, limit {MAX_TRANSACTION_BYTES}")]
    Oversized(usize),
    /// Not an EIP-2718 envelope.
    #[error("{0}")]
    Malformed(String),
    /// EIP-4844: blobs need a data availability layer, which a final chain does not have.
    #[error(
        "transaction type not supported: blob transactions (EIP-4844) have no place on this chain"
    )]
    Blob,
    /// Signed before EIP-155: it could be replayed on any other chain.
    #[error("only replay-protected (EIP-155) transactions allowed over RPC")]
    NotReplayProtected,
    /// Signed for another chain.
    #[error("invalid chain id for signer: have {have} want {want}")]
    ChainId {
        /// The chain id that was signed.
        have: u64,
        /// This chain's.
        want: u64,
    },
    /// No public key gives this signature (EIP-2 refuses high `s`, too).
    #[error("invalid sender: the signature recovers to no account")]
    Signature,
}

impl AsRef<Self> for Transaction {
    fn as_ref(&self) -> &Self {
        self
    }
}

impl Transaction {
    /// Decodes EIP-2718 bytes, checks chain id and type, and recovers the signer.
    ///
    /// Costs about 40 µs for its signature and each authorization's: call it once per node and keep the result.
    pub fn recover(raw: Bytes, chain_id: u64) -> Result<Self, TransactionError> {
        if raw.len() > MAX_TRANSACTION_BYTES {
            return Err(TransactionError::Oversized(raw.len()));
        }
        let envelope = TxEnvelope::decode_2718_exact(&raw)
            .map_err(|error| TransactionError::Malformed(error.to_string()))?;
        if envelope.is_eip4844() {
            return Err(TransactionError::Blob);
        }
        match envelope.chain_id() {
            None => return Err(TransactionError::NotReplayProtected),
            Some(have) if have != chain_id => {
                return Err(TransactionError::ChainId {
                    have,
                    want: chain_id,
                });
            }
            Some(_) => {}
        }
        let signer = envelope
            .recover_signer()
            .map_err(|_| TransactionError::Signature)?;
        Ok(Self::assemble(envelope, signer, raw))
    }

    /// Decodes and recovers a transaction of *another* Ethereum chain, for test vectors and imports:
    /// of any chain or none, of any size, with blobs, and with a high `s` if `high_s_allowed` (before
    /// Homestead it was).
    ///
    /// No node may take a transaction this way.
    pub fn recover_foreign(raw: Bytes, high_s_allowed: bool) -> Result<Self, TransactionError> {
        let envelope = TxEnvelope::decode_2718_exact(&raw)
            .map_err(|error| TransactionError::Malformed(error.to_string()))?;
        if let TxEnvelope::Eip4844(signed) = &envelope
            && matches!(signed.tx(), TxEip4844Variant::TxEip4844WithSidecar(_))
        {
            return Err(TransactionError::Malformed(
                "blobs belong beside a block, not in it".to_owned(),
            ));
        }
        let signer = if high_s_allowed {
            envelope.recover_signer_unchecked()
        } else {
            envelope.recover_signer()
        }
        .map_err(|_| TransactionError::Signature)?;
        Ok(Self::assemble(envelope, signer, raw))
    }

    fn assemble(envelope: TxEnvelope, signer: Address, raw: Bytes) -> Self {
        // An authorization whose signature recovers to nobody is skipped by execution, too.
        let authorities = envelope
            .authorization_list()
            .unwrap_or_default()
            .iter()
            .filter_map(|authorization| authorization.recover_authority().ok())
            .collect();
        let hash = keccak256(&raw);
        Self {
            envelope,
            signer,
            authorities,
            hash,
            raw,
        }
    }

    /// The decoded envelope.
    pub const fn envelope(&self) -> &TxEnvelope {
        &self.envelope
    }

    /// The account that signed it and pays for it.
    pub const fn signer(&self) -> Address {
        self.signer
    }

    /// The accounts whose code it may delegate (EIP-7702), by the signatures in its authorization list.
    pub fn authorities(&self) -> &[Address] {
        &self.authorities
    }

    /// keccak256 of the raw bytes: Ethereum's transaction hash.
    pub const fn hash(&self) -> B256 {
        self.hash
    }

    /// The EIP-2718 bytes as they came.
    pub const fn raw(&self) -> &Bytes {
        &self.raw
    }
}
