//! Building and signing the transactions of batches and relays, and what accounts sign for relays.

use alloy_consensus::{SignableTransaction as _, TxEip1559, TxEip7702, TxEnvelope};
use alloy_eips::{
    eip2718::Encodable2718 as _,
    eip7702::{Authorization, SignedAuthorization},
};
use alloy_primitives::{Address, B256, Bytes, TxKind, U256};
use alloy_signer::SignerSync as _;
use alloy_signer_local::PrivateKeySigner;
use contracts::{
    BatchError, Entry, RECORDS_ADDRESS, encode_record,
    operation::{Operation, Signed, encode_relay},
};

/// Gas of a call apart from its entries: 21,000 and the events, with room.
const GAS_BASE: u64 = 100_000;

/// Gas of one entry: a new storage slot (22,100), its calldata and hashing, with a fifth of room.
const GAS_ENTRY: u64 = 30_000;

/// Gas of an authorization (EIP-7702: `PER_EMPTY_ACCOUNT_COST`).
const GAS_AUTHORIZATION: u64 = 25_000;

/// No transaction may ask for more (EIP-7825).
pub(crate) const GAS_MAX: u64 = 16_777_216;

/// A batch that could not become a transaction.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The contract would refuse it.
    #[error(transparent)]
    Batch(#[from] BatchError),
    /// The signer failed.
    #[error("the relayer key could not sign")]
    Signer(#[from] alloy_signer::Error),
}

/// A signed transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedBatch {
    /// Its hash.
    pub hash: B256,
    /// Its EIP-2718 encoding.
    pub raw: Bytes,
}

/// Builds and signs the call of `Records` with `entries`. The same arguments always give the same bytes (RFC 6979).
pub fn sign(
    signer: &PrivateKeySigner,
    chain_id: u64,
    nonce: u64,
    max_fee_per_gas: u128,
    entries: &[Entry],
) -> Result<SignedBatch, Error> {
    let transaction = TxEip1559 {
        chain_id,
        nonce,
        gas_limit: gas_limit(entries.len()),
        max_fee_per_gas,
        // Inclusion is not for sale here: with base fee 0 nobody pays anything.
        max_priority_fee_per_gas: 0,
        to: TxKind::Call(RECORDS_ADDRESS),
        value: U256::ZERO,
        access_list: Default::default(),
        input: encode_record(entries)?,
    };
    let signature = signer.sign_hash_sync(&transaction.signature_hash())?;
    let envelope = TxEnvelope::from(transaction.into_signed(signature));
    Ok(SignedBatch {
        hash: *envelope.tx_hash(),
        raw: envelope.encoded_2718().into(),
    })
}

/// Signs an operation in the name of its account: 65 bytes, as the contract takes them.
pub fn sign_operation(
    account: &PrivateKeySigner,
    chain_id: u64,
    operation: &Operation,
) -> Result<Bytes, Error> {
    let digest = operation.digest(chain_id, account.address());
    Ok(account.sign_hash_sync(&digest)?.as_bytes().into())
}

/// Lets an account have the code that runs operations (EIP-7702). `nonce`: the account's next.
pub fn authorize(
    account: &PrivateKeySigner,
    chain_id: u64,
    code: Address,
    nonce: u64,
) -> Result<SignedAuthorization, Error> {
    let authorization = Authorization {
        chain_id: U256::from(chain_id),
        address: code,
        nonce,
    };
    let signature = account.sign_hash_sync(&authorization.signature_hash())?;
    Ok(authorization.into_signed(signature))
}

/// A transaction that brings operations.
#[derive(Debug, Clone)]
pub struct Relay {
    /// The chain it is for.
    pub chain_id: u64,
    /// The relayer's nonce.
    pub nonce: u64,
    /// The fee cap.
    pub max_fee_per_gas: u128,
    /// The gas limit, without what the authorizations cost.
    pub gas_limit: u64,
    /// The contract that runs operations.
    pub code: Address,
    /// What it brings, in this order.
    pub operations: Vec<Signed>,
    /// Accounts that get the code by it.
    pub authorizations: Vec<SignedAuthorization>,
}

/// Signs a relay. The same arguments always give the same bytes (RFC 6979).
pub fn sign_relay(signer: &PrivateKeySigner, relay: Relay) -> Result<SignedBatch, Error> {
    let Relay {
        chain_id,
        nonce,
        max_fee_per_gas,
        gas_limit,
        code,
        operations,
        authorizations,
    } = relay;
    let input = encode_relay(operations);
    let envelope: TxEnvelope = if authorizations.is_empty() {
        let transaction = TxEip1559 {
            chain_id,
            nonce,
            gas_limit,
            max_fee_per_gas,
            to: TxKind::Call(code),
            input,
            ..TxEip1559::default()
        };
        let signature = signer.sign_hash_sync(&transaction.signature_hash())?;
        transaction.into_signed(signature).into()
    } else {
        let more = GAS_AUTHORIZATION.saturating_mul(authorizations.len() as u64);
        let transaction = TxEip7702 {
            chain_id,
            nonce,
            gas_limit: gas_limit.saturating_add(more).min(GAS_MAX),
            max_fee_per_gas,
            to: code,
            input,
            authorization_list: authorizations,
            ..TxEip7702::default()
        };
        let signature = signer.sign_hash_sync(&transaction.signature_hash())?;
        transaction.into_signed(signature).into()
    };
    Ok(SignedBatch {
        hash: *envelope.tx_hash(),
        raw: envelope.encoded_2718().into(),
    })
}

/// Gas enough for a call with that many new records.
pub const fn gas_limit(entries: usize) -> u64 {
    let wanted = GAS_BASE.saturating_add(GAS_ENTRY.saturating_mul(entries as u64));
    if wanted < GAS_MAX { wanted } else { GAS_MAX }
}

#[cfg(test)]
mod tests {
    use alloy_consensus::{Transaction as _, transaction::SignerRecoverable as _};
    use alloy_eips::eip2718::Decodable2718 as _;

    use super::*;

    #[test]
    fn a_batch_is_signed_the_same_way_twice() {
        let signer = PrivateKeySigner::from_bytes(&B256::repeat_byte(7)).unwrap();
        let entries = [Entry {
            key: B256::repeat_byte(1),
            commitment: B256::repeat_byte(2),
        }];
        let signed = sign(&signer, 4242, 3, 0, &entries).unwrap();
        assert_eq!(sign(&signer, 4242, 3, 0, &entries).unwrap(), signed);
        let decoded = TxEnvelope::decode_2718(&mut signed.raw.as_ref()).unwrap();
        assert_eq!(
            (decoded.nonce(), decoded.chain_id(), decoded.to()),
            (3, Some(4242), Some(RECORDS_ADDRESS))
        );
        assert_eq!(decoded.recover_signer().unwrap(), signer.address());
        assert_eq!(*decoded.tx_hash(), signed.hash);
        assert!(sign(&signer, 4242, 3, 0, &[]).is_err());
    }

    #[test]
    fn the_largest_batch_fits_a_transaction() {
        assert_eq!(gas_limit(1), 130_000);
        // The contract's tests measure 12.4 million for 512 new records.
        assert!(gas_limit(contracts::MAX_BATCH) <= GAS_MAX);
        assert!(gas_limit(contracts::MAX_BATCH) > 12_400_000 * 115 / 100);
        assert_eq!(gas_limit(10_000), GAS_MAX);
    }
}
