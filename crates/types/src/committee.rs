//! The validators of an epoch and the public key they sign with.

use crate::block::{Digest, PublicKey};
use alloy_primitives::{Bytes, hex};
use commonware_codec::{Decode as _, Encode as _};
use commonware_cryptography::bls12381::{
    dkg::feldman_desmedt::Output,
    primitives::{sharing::ModeVersion, variant::MinSig},
};
use commonware_utils::{N3f1, NZU32, ordered::Set};
use std::num::NonZeroU32;

/// Upper bound on validators in one committee, as in `Members`; a parameter of the codec, so fixed for ever.
pub const MAX_VALIDATORS: NonZeroU32 = NZU32!(32);

/// The result of a key ceremony: who holds shares, and the public polynomial they add up to.
///
/// The network identity is the polynomial's constant term: one 96-byte BLS12-381 G2 key that
/// resharing keeps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Committee(Output<MinSig, PublicKey>);

/// Why the bytes in a chain spec are no committee.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the committee in the chain spec does not decode: {0}")]
pub struct CommitteeError(String);

impl Committee {
    /// Wraps the output of a ceremony.
    pub const fn new(output: Output<MinSig, PublicKey>) -> Self {
        Self(output)
    }

    /// Decodes what [`Self::encode`] gave.
    pub fn decode(bytes: &[u8]) -> Result<Self, CommitteeError> {
        let buf = bytes::Bytes::copy_from_slice(bytes);
        Output::decode_cfg(buf, &(MAX_VALIDATORS, ModeVersion::v1()))
            .map(Self)
            .map_err(|error| CommitteeError(error.to_string()))
    }

    /// The engine's encoding of the ceremony's output.
    pub fn encode(&self) -> Bytes {
        self.0.encode().into()
    }

    /// The ceremony's output, as the engine takes it.
    pub const fn output(&self) -> &Output<MinSig, PublicKey> {
        &self.0
    }

    /// Validators in the engine's order: a validator's index is its place here.
    pub const fn validators(&self) -> &Set<PublicKey> {
        self.0.players()
    }

    /// Votes a certificate stands for: n − ⌊(n − 1) / 3⌋.
    pub fn quorum(&self) -> u32 {
        self.0.quorum::<N3f1>()
    }

    /// The network identity: the compressed 96-byte group key.
    pub fn identity(&self) -> [u8; 96] {
        let encoded = self.0.public().public().encode();
        let mut identity = [0; 96];
        identity.copy_from_slice(&encoded);
        identity
    }

    /// The network identity in lower-case hex with `0x`.
    pub fn identity_hex(&self) -> String {
        hex::encode_prefixed(self.identity())
    }
}

/// What every signature of a network is bound to, so that none is valid on another network.
///
/// `"ashlar/1" ‖ chain id (u64, big endian) ‖ genesis block hash (32)`; the engine appends the
/// kind of vote (`_NOTARIZE`, `_NULLIFY`, `_FINALIZE`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Namespace([u8; 48]);

impl Namespace {
    /// The namespace of the network with this chain id and genesis block.
    pub fn new(chain_id: u64, genesis: &Digest) -> Self {
        let mut bytes = [0; 48];
        let (prefix, rest) = bytes.split_at_mut(8);
        let (chain, hash) = rest.split_at_mut(8);
        prefix.copy_from_slice(b"ashlar/1");
        chain.copy_from_slice(&chain_id.to_be_bytes());
        hash.copy_from_slice(genesis.as_ref());
        Self(bytes)
    }

    /// The bytes the engine prefixes its vote kinds to.
    pub const fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}
