//! A key, wherever its private part is.

use std::fmt;

use alloy_primitives::{Address, B256, Signature, U256, keccak256, uint};

use crate::{
    SecretKey,
    pkcs11::{self, DeviceError},
    remote::{self, RemoteError},
};

/// The order of secp256k1 (SEC 2, section 2.4.1).
pub(crate) const ORDER: U256 =
    uint!(0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141_U256);

/// What is signed: 32 bytes, and what they are the keccak256 of, where that is known. Signers that hash by themselves need to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    digest: B256,
    preimage: Option<Vec<u8>>,
}

impl Message {
    /// The bytes whose keccak256 is signed; any key can.
    pub fn preimage(bytes: impl Into<Vec<u8>>) -> Self {
        let bytes = bytes.into();
        Self {
            digest: keccak256(&bytes),
            preimage: Some(bytes),
        }
    }

    /// 32 bytes that are signed as they are; a remote signer cannot.
    pub const fn digest(digest: B256) -> Self {
        Self {
            digest,
            preimage: None,
        }
    }

    /// The 32 bytes that are signed.
    pub const fn hash(&self) -> B256 {
        self.digest
    }
}

/// Where a key's private part is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// In this process, from a keystore file.
    Memory,
    /// In a device.
    Pkcs11,
    /// In another program.
    Remote,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Memory => "memory",
            Self::Pkcs11 => "pkcs11",
            Self::Remote => "remote",
        })
    }
}

/// Why there is no signature. What was asked for may be asked for again: a second signature of one message does no harm.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SignError {
    /// What came is no signature of this message by this key. It was not handed out.
    #[error(
        "what the {kind} signer of {address} gave is no signature of it, and was not used: see whether it still has the key of this account"
    )]
    WrongSignature {
        /// Where the key is.
        kind: Kind,
        /// Whose signature it should be.
        address: Address,
    },
    /// The device did not sign.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// The remote signer did not sign.
    #[error(transparent)]
    Remote(#[from] RemoteError),
}

impl SignError {
    /// Whether the same may work soon, with nothing changed.
    pub const fn is_retryable(&self) -> bool {
        match self {
            Self::WrongSignature { .. } => false,
            Self::Device(error) => error.is_retryable(),
            Self::Remote(error) => error.is_retryable(),
        }
    }
}

pub(crate) enum Place {
    Memory(SecretKey),
    Device(pkcs11::Device),
    Remote(remote::Signer),
}

/// A key that signs for one account. Every signature is checked before it is handed out, wherever it was made.
pub struct Key {
    address: Address,
    pub(crate) place: Place,
}

impl Key {
    pub(crate) const fn device(address: Address, device: pkcs11::Device) -> Self {
        Self {
            address,
            place: Place::Device(device),
        }
    }

    pub(crate) const fn remote(address: Address, signer: remote::Signer) -> Self {
        Self {
            address,
            place: Place::Remote(signer),
        }
    }

    /// The account.
    pub const fn address(&self) -> Address {
        self.address
    }

    /// Where its private part is.
    pub const fn kind(&self) -> Kind {
        match self.place {
            Place::Memory(_) => Kind::Memory,
            Place::Device(_) => Kind::Pkcs11,
            Place::Remote(_) => Kind::Remote,
        }
    }

    /// Signs. The signature is the one of its two forms that Ethereum takes (`s` in the lower half, EIP-2), with its parity, and the
    /// address of this key is what it recovers to.
    pub async fn sign(&self, message: &Message) -> Result<Signature, SignError> {
        let (r, s) = match &self.place {
            Place::Memory(key) => key.sign(&message.digest),
            Place::Device(device) => device.sign(&message.digest).await?,
            Place::Remote(signer) => signer.sign(message.preimage.as_deref()).await?,
        };
        recoverable(self.address, &message.digest, r, s).ok_or(SignError::WrongSignature {
            kind: self.kind(),
            address: self.address,
        })
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key")
            .field("kind", &self.kind())
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

impl From<SecretKey> for Key {
    fn from(key: SecretKey) -> Self {
        Self {
            address: key.address(),
            place: Place::Memory(key),
        }
    }
}

/// The signature with low `s` and the parity with which it recovers to `address`, if there is one. Devices give `r` and `s` only, and
/// what anybody else says of parity need not be believed.
fn recoverable(address: Address, digest: &B256, r: U256, s: U256) -> Option<Signature> {
    if s >= ORDER {
        return None;
    }
    let s = if s > ORDER >> 1 { ORDER - s } else { s };
    [false, true]
        .map(|parity| Signature::new(r, s, parity))
        .into_iter()
        .find(|signature| signature.recover_address_from_prehash(digest).ok() == Some(address))
}

#[cfg(test)]
mod tests;
