"""Keys that sign transactions and authorizations."""

import coincurve
from ethereum.crypto.hash import keccak256
from ethereum_rlp import rlp
from ethereum_types.bytes import Bytes20
from ethereum_types.numeric import U8, U64, U256

SECP256K1_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


class Key:
    """A secp256k1 key and the address it controls."""

    def __init__(self, secret):
        self._key = coincurve.PrivateKey(secret)
        public = self._key.public_key.format(compressed=False)[1:]
        self.address = Bytes20(keccak256(public)[12:])

    @classmethod
    def random(cls, random):
        return cls(random.randbytes(32))

    def sign(self, digest):
        """(parity, r, s) with a low s."""
        signature = self._key.sign_recoverable(digest, hasher=None)
        return signature[64], int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:64], "big")


def sign_authorization(fork, key, chain_id, address, nonce):
    """An EIP-7702 authorization."""
    digest = keccak256(b"\x05" + rlp.encode((U256(chain_id), address, U64(nonce))))
    parity, r, s = key.sign(digest)
    return fork.fork_types.Authorization(
        chain_id=U256(chain_id), address=address, nonce=U64(nonce), y_parity=U8(parity), r=U256(r), s=U256(s)
    )


def sign_transaction(fork, key, kind, fields, chain_id, protected=True):
    """A transaction of class `kind` with the signature filled in."""
    transactions = fork.transactions
    legacy = kind is transactions.LegacyTransaction
    blank = {"r": U256(0), "s": U256(0), "v" if legacy else "y_parity": U256(0)}
    unsigned = kind(**fields, **blank)
    if legacy:
        digest = (
            transactions.signing_hash_155(unsigned, U64(chain_id)) if protected else transactions.signing_hash_pre155(unsigned)
        )
    else:
        digest = {
            "AccessListTransaction": "signing_hash_2930",
            "FeeMarketTransaction": "signing_hash_1559",
            "BlobTransaction": "signing_hash_4844",
            "SetCodeTransaction": "signing_hash_7702",
        }[kind.__name__]
        digest = getattr(transactions, digest)(unsigned)
    parity, r, s = key.sign(digest)
    signed = {"r": U256(r), "s": U256(s)}
    if legacy:
        signed["v"] = U256(parity + (35 + 2 * chain_id if protected else 27))
    else:
        signed["y_parity"] = U256(parity)
    return kind(**fields, **signed)
