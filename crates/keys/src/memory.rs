//! A key whose private part is in this process.

use std::{fmt, path::Path};

use alloy_primitives::{Address, B256, U256, hex};
use k256::ecdsa::{Signature, SigningKey, signature::hazmat::PrehashSigner as _};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use crate::{FileError, file};

/// Longest text of a key: 64 digits, `0x`, and line ends.
const TEXT_BYTES_MAX: usize = 70;

/// These are not the bytes of a key.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidKey {
    /// It is not 32 bytes in hexadecimal.
    #[error("it is no private key: a key is 64 hexadecimal digits (32 bytes)")]
    NotHex,
    /// It is zero, or not below the order of the curve.
    #[error("it is no private key of secp256k1: zero, or beyond the order of the curve")]
    OutOfRange,
    /// Its file could not be read.
    #[error(transparent)]
    File(#[from] FileError),
}

/// A private key of secp256k1. It is wiped when dropped, and cannot be printed.
pub struct SecretKey(SigningKey);

impl SecretKey {
    /// A new key.
    pub fn random(rng: &mut impl CryptoRng) -> Self {
        let mut bytes = Zeroizing::new([0; 32]);
        // Once, but for one time in 2^128.
        loop {
            rng.fill_bytes(bytes.as_mut_slice());
            if let Ok(key) = Self::from_bytes(&bytes) {
                return key;
            }
        }
    }

    /// Takes the key from its bytes, big-endian.
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self, InvalidKey> {
        let key = SigningKey::from_bytes(bytes.into());
        key.map(Self).map_err(|_| InvalidKey::OutOfRange)
    }

    /// Reads it from a file that only its owner may read: 64 hexadecimal digits, with or without `0x`.
    pub fn read_hex(path: &Path) -> Result<Self, InvalidKey> {
        let text = file::read(path, TEXT_BYTES_MAX).map_err(|error| match error {
            FileError::TooLarge { .. } => InvalidKey::NotHex,
            error => error.into(),
        })?;
        let digits = text.trim_ascii();
        let mut bytes = Zeroizing::new([0; 32]);
        hex::decode_to_slice(digits, bytes.as_mut_slice()).map_err(|_| InvalidKey::NotHex)?;
        Self::from_bytes(&bytes)
    }

    /// The account it signs for.
    pub fn address(&self) -> Address {
        Address::from_public_key(self.0.verifying_key())
    }

    /// `r` and `s` of the deterministic signature (RFC 6979); zeros if there is none, which no digest is known to lead to.
    pub(crate) fn sign(&self, digest: &B256) -> (U256, U256) {
        let signed: Result<Signature, _> = self.0.sign_prehash(digest.as_slice());
        signed.map_or_else(
            |_| Default::default(),
            |signature| {
                let (r, s) = signature.split_bytes();
                (U256::from_be_bytes(r.into()), U256::from_be_bytes(s.into()))
            },
        )
    }

    pub(crate) fn to_bytes(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.0.to_bytes().into())
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SecretKey").field(&self.address()).finish()
    }
}
