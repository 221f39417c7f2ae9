//! Step `finalization`, and the building block every follower of the chain uses: is this block hash final under this
//! identity?
//!
//! The signed bytes are those of commonware's simplex consensus (`bls12381_threshold::standard`, variant `MinSig`):
//!
//! ```text
//! base   = "ashlar/1" ‖ chain_id (u64, big endian) ‖ genesis block hash (32)
//! ns     = base ‖ "_FINALIZE"
//! msg    = varint(epoch) ‖ varint(view) ‖ varint(parent_view) ‖ block hash (32)
//! signed = varint(len(ns)) ‖ ns ‖ msg
//! ```
//!
//! `varint` is LEB128 of a `u64` in its shortest form. A notarization, which is not final, differs in the suffix of `ns`
//! alone, so the suffix is not optional detail.

use crate::receipt::{Finalization, Identity};
use alloc::vec::Vec;
use alloy_primitives::B256;
use blst::{
    BLST_ERROR,
    min_sig::{PublicKey, Signature},
};

/// The hash-to-curve domain (RFC 9380, proof-of-possession ciphersuite) of the validators' signatures.
pub const DST: &[u8] = b"BLS_SIG_BLS12381G1_XMD:SHA-256_SSWU_RO_POP_";

const NAMESPACE: &[u8] = b"ashlar/1";
const FINALIZE: &[u8] = b"_FINALIZE";

/// What every signature of a network begins with, so that none means anything in another network.
pub fn namespace(chain_id: u64, genesis: &B256) -> Vec<u8> {
    [NAMESPACE, &chain_id.to_be_bytes(), genesis.as_slice()].concat()
}

/// Checks `finalization` of the block `block_hash` under `identity`.
///
/// Whoever checks many certificates of one network makes an [`IdentityKey`] once.
pub fn verify_finalization(
    identity: &Identity,
    namespace: &[u8],
    finalization: &Finalization,
    block_hash: &B256,
) -> Result<(), CertificateError> {
    IdentityKey::new(identity)?.verify(namespace, finalization, block_hash)?;
    Ok(())
}

/// An identity that was checked to be a usable public key: on the curve, in the right subgroup, not infinity.
#[derive(Debug, Clone, Copy)]
pub struct IdentityKey(PublicKey);

impl IdentityKey {
    /// Decodes and checks `identity`.
    pub fn new(identity: &Identity) -> Result<Self, KeyError> {
        PublicKey::key_validate(identity.as_slice())
            .map(Self)
            .map_err(|error| KeyError(point_fault(error)))
    }

    /// Checks `finalization` of the block `block_hash`; `namespace` is the network's, from [`namespace`].
    pub fn verify(
        &self,
        namespace: &[u8],
        finalization: &Finalization,
        block_hash: &B256,
    ) -> Result<(), FinalizationError> {
        // Points outside the subgroup, and infinity, can satisfy a pairing equation without anyone's key: they are
        // refused before the pairing, for the key in `new` and for the signature here.
        let signature = Signature::sig_validate(finalization.signature.as_slice(), true)
            .map_err(|error| FinalizationError::Point(point_fault(error)))?;
        let signed = signed_bytes(namespace, finalization, block_hash);
        match signature.verify(false, &signed, DST, &[], &self.0, false) {
            BLST_ERROR::BLST_SUCCESS => Ok(()),
            _ => Err(FinalizationError::Signature {
                block_hash: *block_hash,
                view: finalization.view,
            }),
        }
    }
}

/// The bytes under the signature.
pub fn signed_bytes(namespace: &[u8], finalization: &Finalization, block_hash: &B256) -> Vec<u8> {
    let mut out = Vec::with_capacity(namespace.len() + 96);
    write_varint((namespace.len() + FINALIZE.len()) as u64, &mut out);
    out.extend_from_slice(namespace);
    out.extend_from_slice(FINALIZE);
    write_varint(finalization.epoch, &mut out);
    write_varint(finalization.view, &mut out);
    write_varint(finalization.parent_view, &mut out);
    out.extend_from_slice(block_hash.as_slice());
    out
}

/// LEB128, shortest form.
fn write_varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// The identity cannot be anyone's public key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the identity is not a usable public key: {0}")]
pub struct KeyError(pub PointFault);

/// The signature does not make the block final.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FinalizationError {
    /// The signature's bytes are no usable point.
    #[error("the signature is not usable: {0}")]
    Point(PointFault),
    /// A well-formed signature, but not one of this network's validators over this block as final.
    #[error(
        "the signature does not make block {block_hash} final in view {view}: it is not the identity's over this \
         epoch, view, parent view, block, chain id and genesis"
    )]
    Signature {
        /// The block that was to be shown final.
        block_hash: B256,
        /// The view of the proposal.
        view: u64,
    },
}

/// What [`verify_finalization`] found wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// With the identity it was given.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// With the certificate.
    #[error(transparent)]
    Finalization(#[from] FinalizationError),
}

/// Why 48 or 96 bytes are not an acceptable curve point.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PointFault {
    /// Flags or coordinate outside the compressed encoding (a coordinate not below the field modulus, no compression
    /// flag, …).
    #[error("not a compressed point")]
    Encoding,
    /// The coordinate belongs to no point of the curve.
    #[error("not on the curve")]
    NotOnCurve,
    /// A point of the curve outside the group of prime order.
    #[error("not in the prime-order subgroup")]
    NotInSubgroup,
    /// The neutral element.
    #[error("the point at infinity")]
    Infinity,
}

const fn point_fault(error: BLST_ERROR) -> PointFault {
    match error {
        BLST_ERROR::BLST_POINT_NOT_ON_CURVE => PointFault::NotOnCurve,
        BLST_ERROR::BLST_POINT_NOT_IN_GROUP => PointFault::NotInSubgroup,
        BLST_ERROR::BLST_PK_IS_INFINITY => PointFault::Infinity,
        _ => PointFault::Encoding,
    }
}
