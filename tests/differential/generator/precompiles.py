"""Inputs for the precompiles: valid ones from real curve points, and what each must refuse."""

import functools
import hashlib

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils
from py_ecc import optimized_bls12_381 as bls
from py_ecc import optimized_bn128 as bn
from py_ecc.bls.g2_primitives import G1_to_pubkey

from . import draw
from .wallet import SECP256K1_ORDER, Key

P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
BLS_INFINITY = b"\xc0" + bytes(47)


def _word(value, length=32):
    return int(value).to_bytes(length, "big")


def _corrupt(random, data):
    """One bit flipped, or a byte more or less."""
    kind = random.randrange(4)
    if kind == 0 or not data:
        return data + b"\0"
    if kind == 1:
        return data[:-1]
    flipped = bytearray(data)
    flipped[random.randrange(len(data))] ^= 1 << random.randrange(8)
    return bytes(flipped)


# --- secp256k1 and hashes ----------------------------------------------------------------------------------------------------


def ecrecover(random):
    digest = random.randbytes(32)
    parity, r, s = Key.random(random).sign(digest)
    kind = random.randrange(16)
    if kind == 0:  # a high s is fine here, unlike in transactions
        parity, s = 1 - parity, SECP256K1_ORDER - s
    if kind == 1:
        r = random.choice([0, SECP256K1_ORDER, 2**256 - 1, 5])
    if kind == 2:
        s = random.choice([0, SECP256K1_ORDER, 2**256 - 1])
    v = random.choice([0, 26, 29, 27 + 2**8, 2**255]) if kind == 3 else 27 + parity
    data = digest + _word(v) + _word(r) + _word(s)
    return data[: random.randrange(128)] if kind == 4 else data + random.randbytes(kind == 5)


def hashing(random):
    return draw.blob(random, 200)


# --- modexp ------------------------------------------------------------------------------------------------------------------


def modexp(random):
    lengths = [random.choice([0, 1, 2, 7, 8, 31, 32, 33, 64, 65, 96]) for _ in range(3)]
    parts = [random.choice([bytes, random.randbytes])(length) for length in lengths]
    if random.random() < 0.3 and lengths[2]:
        parts[2] = _word(random.choice([0, 1, 2]), lengths[2])
    kind = random.randrange(12)
    if kind == 0:  # around Osaka's bound of 1024 bytes, with most of it beyond the input
        lengths[random.randrange(3)] = random.choice([1023, 1024, 1025, 2**32, 2**64, 2**255])
    data = b"".join(map(_word, lengths)) + b"".join(parts)
    if kind == 1:
        data = data[: random.randrange(len(data))]
    return data


# --- bn254 -------------------------------------------------------------------------------------------------------------------


def _bn_g1(random):
    scalar = random.choice([0, 1, 2, bn.curve_order - 1, random.getrandbits(64)])
    if scalar % bn.curve_order == 0:
        return bytes(64)
    return b"".join(map(_word, bn.normalize(bn.multiply(bn.G1, scalar))))


def _bn_g2_bytes(point):
    x, y = bn.normalize(point)
    return b"".join(_word(value) for value in (x.coeffs[1], x.coeffs[0], y.coeffs[1], y.coeffs[0]))


@functools.cache
def _bn_outside_subgroup():
    """A point on the twist whose order is not the group's."""
    x = 1
    while True:
        square = bn.FQ2([x, 0]) ** 3 + bn.b2
        root = _square_root_fq2(square, bn.FQ2, bn.field_modulus)
        if root is not None:
            point = (bn.FQ2([x, 0]), root, bn.FQ2.one())
            if not bn.is_inf(bn.multiply(point, bn.curve_order)):
                return point
        x += 1


def _square_root_fq2(value, field, modulus):
    """The complex method, for a modulus of 3 mod 4."""
    a, b = (int(coefficient) for coefficient in value.coeffs)

    def root_of(number):
        root = pow(number, (modulus + 1) // 4, modulus)
        return root if root * root % modulus == number % modulus else None

    norm = root_of((a * a + b * b) % modulus)
    if norm is None:
        return None
    half = pow(2, -1, modulus)
    for sign in (norm, -norm):
        real = root_of((a + sign) * half % modulus)
        if real:
            root = field([real, b * pow(2 * real, -1, modulus) % modulus])
            if root * root == value:
                return root
    return None


def _bn_flaws(random, data):
    kind = random.randrange(12)
    if kind == 0:
        return _word(bn.field_modulus) + data[32:]
    if kind == 1:
        return _corrupt(random, data)
    if kind == 2:
        return data[: random.randrange(len(data) + 1)]
    return data


def bn_add(random):
    return _bn_flaws(random, _bn_g1(random) + _bn_g1(random)) + random.randbytes(random.choice([0, 0, 3]))


def bn_mul(random):
    return _bn_flaws(random, _bn_g1(random) + _word(draw.word(random)))


def bn_pairing(random):
    kind = random.randrange(8)
    if kind == 0:
        return b""
    if kind == 1:  # infinity on either side
        return bytes(64) + _bn_g2_bytes(bn.G2) + bytes(192)
    if kind == 2:
        return b"".join(map(_word, bn.normalize(bn.G1))) + _bn_g2_bytes(_bn_outside_subgroup())
    a = random.getrandbits(32) + 1
    first = b"".join(map(_word, bn.normalize(bn.multiply(bn.G1, a)))) + _bn_g2_bytes(bn.G2)
    if kind == 3:
        return _corrupt(random, first)
    if kind == 4:
        return first  # one pair: the product is not one
    negative = bn.normalize(bn.neg(bn.G1))
    return first + b"".join(map(_word, negative)) + _bn_g2_bytes(bn.multiply(bn.G2, a))


# --- blake2f and KZG ---------------------------------------------------------------------------------------------------------


def blake2f(random):
    kind = random.randrange(12)
    rounds = random.choice([0, 1, 12, 30, 200]) if kind else 2**32 - 1
    final = random.choice([2, 255]) if kind == 1 else random.randrange(2)
    data = _word(rounds, 4) + random.randbytes(208) + bytes([final])
    return _corrupt(random, data) if kind == 2 else data


def point_evaluation(random):
    """Polynomials of degree 0: p(z) is a constant y, its commitment y*G1, and the proof infinity."""
    y = random.choice([0, random.getrandbits(64)])
    commitment = bytes(G1_to_pubkey(bls.multiply(bls.G1, y))) if y else BLS_INFINITY
    z = random.randrange(bls.curve_order)
    kind = random.randrange(12)
    if kind == 0:
        y += 1
    if kind == 1:
        z = bls.curve_order + random.randrange(3)
    versioned_hash = b"\x01" + hashlib.sha256(commitment).digest()[1:]
    if kind == 2:
        versioned_hash = b"\x02" + versioned_hash[1:]
    proof = bytes(G1_to_pubkey(bls.multiply(bls.G1, 1 + random.getrandbits(8)))) if kind == 4 else BLS_INFINITY
    data = versioned_hash + _word(z) + _word(y) + commitment + proof
    return _corrupt(random, data) if kind == 3 else data


# --- BLS12-381 ---------------------------------------------------------------------------------------------------------------


def _bls_g1_bytes(point):
    return b"".join(_word(value, 64) for value in bls.normalize(point)) if not bls.is_inf(point) else bytes(128)


def _bls_g2_bytes(point):
    if bls.is_inf(point):
        return bytes(256)
    x, y = bls.normalize(point)
    return b"".join(_word(value, 64) for value in (*x.coeffs, *y.coeffs))


def _scalar(random):
    return random.choice([0, 1, bls.curve_order - 1, bls.curve_order, random.getrandbits(32), random.getrandbits(256)])


def _bls_g1(random):
    return _bls_g1_bytes(bls.multiply(bls.G1, random.choice([0, 1, 2, random.getrandbits(16)])))


def _bls_g2(random):
    return _bls_g2_bytes(bls.multiply(bls.G2, random.choice([0, 1, 2, random.getrandbits(16)])))


@functools.cache
def _bls_g1_outside_subgroup():
    modulus, x = bls.field_modulus, 1
    while True:
        square = (x**3 + 4) % modulus
        y = pow(square, (modulus + 1) // 4, modulus)
        point = (bls.FQ(x), bls.FQ(y), bls.FQ(1))
        if y * y % modulus == square and not bls.is_inf(bls.multiply(point, bls.curve_order)):
            return _bls_g1_bytes(point)
        x += 1


@functools.cache
def _bls_g2_outside_subgroup():
    x = 1
    while True:
        y = _square_root_fq2(bls.FQ2([x, 0]) ** 3 + bls.b2, bls.FQ2, bls.field_modulus)
        if y is not None:
            point = (bls.FQ2([x, 0]), y, bls.FQ2.one())
            if not bls.is_inf(bls.multiply(point, bls.curve_order)):
                return _bls_g2_bytes(point)
        x += 1


def _bls_flaws(random, data):
    kind = random.randrange(16)
    if kind == 0:  # not reduced
        return _word(bls.field_modulus + random.randrange(2), 64) + data[64:]
    if kind == 1:  # the 16 bytes of padding must be zero
        return b"\1" + data[1:]
    if kind == 2:
        return _corrupt(random, data)
    if kind == 3:
        return random.choice([b"", data[:-1], data + b"\0"])
    return data


def _sometimes(random, point, flaw):
    """The point, or one outside the subgroup: additions allow those, multiplications and pairings do not."""
    return flaw() if random.random() < 0.1 else point


def bls_g1_add(random):
    return _bls_flaws(random, _bls_g1(random) + _sometimes(random, _bls_g1(random), _bls_g1_outside_subgroup))


def bls_g2_add(random):
    return _bls_flaws(random, _bls_g2(random) + _sometimes(random, _bls_g2(random), _bls_g2_outside_subgroup))


def bls_g1_msm(random):
    pairs = [
        _sometimes(random, _bls_g1(random), _bls_g1_outside_subgroup) + _word(_scalar(random))
        for _ in range(random.choice([1, 1, 2, 3]))
    ]
    return _bls_flaws(random, b"".join(pairs))


def bls_g2_msm(random):
    pairs = [
        _sometimes(random, _bls_g2(random), _bls_g2_outside_subgroup) + _word(_scalar(random))
        for _ in range(random.choice([1, 1, 2]))
    ]
    return _bls_flaws(random, b"".join(pairs))


def bls_pairing(random):
    kind = random.randrange(8)
    if kind == 0:
        return b""
    if kind == 1:
        return _bls_g1_outside_subgroup() + _bls_g2_bytes(bls.G2)
    if kind == 2:
        return _bls_g1_bytes(bls.G1) + _bls_g2_outside_subgroup()
    if kind == 3:  # infinity on either side
        return bytes(128) + _bls_g2_bytes(bls.G2) + _bls_g1_bytes(bls.G1) + bytes(256)
    a = random.getrandbits(16) + 1
    first = _bls_g1_bytes(bls.multiply(bls.G1, a)) + _bls_g2_bytes(bls.G2)
    if kind == 4:
        return _bls_flaws(random, first)
    if kind == 5:
        return first  # one pair: the product is not one
    return first + _bls_g1_bytes(bls.neg(bls.G1)) + _bls_g2_bytes(bls.multiply(bls.G2, a))


def _field_element(random):
    return _word(random.choice([0, 1, bls.field_modulus - 1, random.randrange(bls.field_modulus)]), 64)


def bls_map_fp(random):
    return _bls_flaws(random, _field_element(random))


def bls_map_fp2(random):
    return _bls_flaws(random, _field_element(random) + _field_element(random))


# --- secp256r1 ---------------------------------------------------------------------------------------------------------------


def p256verify(random):
    digest = random.randbytes(32)
    # The signature's nonce is the only randomness that is not ours: deterministic signing (RFC 6979) keeps runs repeatable.
    key = ec.derive_private_key(random.randrange(1, P256_ORDER), ec.SECP256R1())
    algorithm = ec.ECDSA(utils.Prehashed(hashes.SHA256()), deterministic_signing=True)
    r, s = utils.decode_dss_signature(key.sign(digest, algorithm))
    public = key.public_key().public_numbers()
    kind = random.randrange(12)
    if kind == 0:  # the other s is as good: no malleability rule
        s = P256_ORDER - s
    if kind == 1:
        r = random.choice([0, P256_ORDER, r + 1])
    if kind == 2:
        s = random.choice([0, P256_ORDER, 2**256 - 1])
    data = digest + _word(r) + _word(s) + _word(public.x) + _word(public.y)
    if kind == 3:
        data = _corrupt(random, data)
    if kind == 4:
        data = data[:96] + random.choice([bytes(64), random.randbytes(64)])
    return data


MAKERS = {
    0x01: ecrecover,
    0x02: hashing,
    0x03: hashing,
    0x04: hashing,
    0x05: modexp,
    0x06: bn_add,
    0x07: bn_mul,
    0x08: bn_pairing,
    0x09: blake2f,
    0x0A: point_evaluation,
    0x0B: bls_g1_add,
    0x0C: bls_g1_msm,
    0x0D: bls_g2_add,
    0x0E: bls_g2_msm,
    0x0F: bls_pairing,
    0x10: bls_map_fp,
    0x11: bls_map_fp2,
    0x100: p256verify,
}
