//! Curve points that a careless verifier accepts, made with arkworks.

use ark_bls12_381::{Fq, G1Affine, G2Affine, g1};
use ark_ec::{AffineRepr, CurveGroup, short_weierstrass::SWCurveConfig};
use ark_ff::{BigInteger, PrimeField};
use ark_serialize::{CanonicalDeserialize, CanonicalSerialize};
use proof::{Identity, Signature};

/// The order of the prime subgroups.
fn order() -> impl AsRef<[u64]> {
    ark_bls12_381::Fr::MODULUS
}

fn compress_g1(point: G1Affine) -> Signature {
    let mut out = Vec::new();
    point.serialize_compressed(&mut out).unwrap();
    Signature::from_slice(&out)
}

/// On the curve, outside the subgroup: the first such x coordinate counted from 1.
pub fn g1_outside_subgroup() -> Signature {
    compress_g1(stray_g1())
}

fn stray_g1() -> G1Affine {
    let points = (1u64..).filter_map(|x| G1Affine::get_point_from_x_unchecked(x.into(), false));
    points
        .into_iter()
        .find(|point| !point.is_in_correct_subgroup_assuming_on_curve())
        .unwrap()
}

pub fn g2_outside_subgroup() -> Identity {
    let points = (1u64..).filter_map(|x| {
        G2Affine::get_point_from_x_unchecked(ark_bls12_381::Fq2::new(x.into(), 0u64.into()), false)
    });
    let stray = points
        .into_iter()
        .find(|p| !p.is_in_correct_subgroup_assuming_on_curve())
        .unwrap();
    let mut out = Vec::new();
    stray.serialize_compressed(&mut out).unwrap();
    Identity::from_slice(&out)
}

/// `signature` plus a point of small order: the pairing equation does not see the difference unless the subgroup is
/// checked.
pub fn with_torsion(signature: &Signature) -> Signature {
    let signature = G1Affine::deserialize_compressed(signature.as_slice()).unwrap();
    let torsion = g1::Config::mul_affine(&stray_g1(), order().as_ref());
    compress_g1((torsion + signature).into_affine())
}

pub fn negated(signature: &Signature) -> Signature {
    let signature = G1Affine::deserialize_compressed(signature.as_slice()).unwrap();
    compress_g1(-signature)
}

pub fn g1_infinity() -> Signature {
    let mut out = Signature::ZERO;
    out[0] = 0xc0;
    out
}

pub fn g2_infinity() -> Identity {
    let mut out = Identity::ZERO;
    out[0] = 0xc0;
    out
}

/// The smallest x that belongs to no point of the curve.
pub fn g1_not_on_curve() -> Signature {
    let no_point = |x: &u64| G1Affine::get_point_from_x_unchecked((*x).into(), false).is_none();
    let x = (1u64..).find(no_point).unwrap();
    let mut out = Signature::left_padding_from(&x.to_be_bytes());
    out[0] |= 0x80;
    out
}

/// x = p, which is 0 modulo p, and 0 belongs to a point: the encoding must still be refused.
pub fn g1_beyond_field() -> Signature {
    let mut out = Signature::from_slice(&Fq::MODULUS.to_bytes_be());
    out[0] |= 0x80;
    out
}

#[test]
fn the_points_are_what_they_are_called() {
    let unchecked =
        |bytes: &Signature| G1Affine::deserialize_compressed_unchecked(bytes.as_slice());
    let stray = unchecked(&g1_outside_subgroup()).unwrap();
    assert!(stray.is_on_curve() && !stray.is_in_correct_subgroup_assuming_on_curve());
    let identity = g2_outside_subgroup();
    let stray = G2Affine::deserialize_compressed_unchecked(identity.as_slice()).unwrap();
    assert!(stray.is_on_curve() && !stray.is_in_correct_subgroup_assuming_on_curve());
    assert!(unchecked(&g1_infinity()).unwrap().is_zero());
    assert!(unchecked(&g1_not_on_curve()).is_err());
}
