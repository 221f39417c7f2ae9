//! The certificate check against arkworks, another implementation of the curve: both say yes, or both say no.

use crate::chain::{DST, Proposal, TestNetwork, varint};
use crate::points;
use alloy_primitives::{B256, keccak256};
use ark_bls12_381::{Bls12_381, G1Affine, G1Projective, G2Affine, g1};
use ark_ec::hashing::{
    HashToCurve, curve_maps::wb::WBMap, map_to_curve_hasher::MapToCurveBasedHasher,
};
use ark_ec::{AffineRepr, CurveGroup, pairing::Pairing};
use ark_ff::{Zero, field_hashers::DefaultFieldHasher};
use ark_serialize::CanonicalDeserialize;
use proof::{Finalization, Identity, Signature, namespace, verify_finalization};
use proptest::prelude::*;
use sha2_0_10::Sha256;

type Hasher =
    MapToCurveBasedHasher<G1Projective, DefaultFieldHasher<Sha256, 128>, WBMap<g1::Config>>;

fn oracle(
    identity: &Identity,
    namespace: &[u8],
    finalization: &Finalization,
    block_hash: B256,
) -> bool {
    let Finalization {
        epoch,
        view,
        parent_view,
        signature,
    } = *finalization;
    // arkworks reads the uncompressed form as well.
    if identity[0] & 0x80 == 0 || signature[0] & 0x80 == 0 {
        return false;
    }
    let Ok(key) = G2Affine::deserialize_compressed(identity.as_slice()) else {
        return false;
    };
    let Ok(signature) = G1Affine::deserialize_compressed(signature.as_slice()) else {
        return false;
    };
    if key.is_zero() || signature.is_zero() {
        return false;
    }
    let namespace = [namespace, b"_FINALIZE"].concat();
    let message = Proposal {
        epoch,
        view,
        parent_view,
    }
    .message(block_hash);
    let signed = [varint(namespace.len() as u64), namespace, message].concat();
    let point = Hasher::new(DST).unwrap().hash(&signed).unwrap();
    let generator = (-G2Affine::generator().into_group()).into_affine();
    Bls12_381::multi_pairing([point, signature], [key, generator]).is_zero()
}

fn agree(
    identity: &Identity,
    namespace: &[u8],
    finalization: &Finalization,
    block_hash: B256,
) -> bool {
    let ours = verify_finalization(identity, namespace, finalization, &block_hash).is_ok();
    assert_eq!(
        ours,
        oracle(identity, namespace, finalization, block_hash),
        "{identity} {finalization:?}"
    );
    ours
}

#[test]
fn hostile_points() {
    let network = TestNetwork::new("oracle");
    let (identity, base) = (network.identity(), network.namespace(""));
    let hash = keccak256("block");
    let finalization = network.finalize(
        Proposal {
            epoch: 1,
            view: 300,
            parent_view: 299,
        },
        hash,
    );
    assert!(agree(&identity, &base, &finalization, hash));
    let good = finalization.signature;
    for signature in [
        points::g1_infinity(),
        points::g1_outside_subgroup(),
        points::g1_not_on_curve(),
        points::g1_beyond_field(),
        points::with_torsion(&good),
        points::negated(&good),
        Signature::ZERO,
    ] {
        let finalization = Finalization {
            signature,
            ..finalization.clone()
        };
        assert!(!agree(&identity, &base, &finalization, hash));
        for identity in [
            points::g2_infinity(),
            points::g2_outside_subgroup(),
            Identity::ZERO,
        ] {
            assert!(!agree(&identity, &base, &finalization, hash));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn random_certificates(
        seed in any::<u64>(),
        chain_id in any::<u64>(),
        genesis in any::<[u8; 32]>(),
        (epoch, view, parent_view) in any::<(u64, u64, u64)>(),
        hash in any::<[u8; 32]>(),
        (signature_bit, key_bit, field) in (0..48 * 8usize, 0..96 * 8usize, 0..6usize),
    ) {
        let mut network = TestNetwork::new(&seed.to_string());
        (network.chain_id, network.genesis) = (chain_id, genesis.into());
        let identity = network.identity();
        let base = namespace(chain_id, &network.genesis);
        prop_assert_eq!(&base, &network.namespace(""));
        let valid = network.finalize(Proposal { epoch, view, parent_view }, hash.into());
        prop_assert!(agree(&identity, &base, &valid, hash.into()));

        let mut changed = valid.clone();
        let mut other = identity;
        match field {
            0 => changed.epoch ^= 1,
            1 => changed.view ^= 1,
            2 => changed.parent_view ^= 1,
            3 => changed.signature[signature_bit / 8] ^= 1 << (signature_bit % 8),
            4 => other[key_bit / 8] ^= 1 << (key_bit % 8),
            _ => other = TestNetwork::new("stranger").identity(),
        }
        prop_assert!(!agree(&other, &base, &changed, hash.into()));
        prop_assert!(!agree(&identity, &base[1..], &valid, hash.into()));
    }
}
