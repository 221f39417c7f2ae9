"""Transactions of every type around actions."""

import dataclasses

from ethereum_types.bytes import Bytes0, Bytes20, Bytes32
from ethereum_types.numeric import U8, U64, U256, Uint

from . import draw
from .wallet import SECP256K1_ORDER, Key, sign_authorization, sign_transaction
from .world import CHAIN_ID

LEGACY, UNPROTECTED, ACCESS_LIST, FEE_MARKET, BLOB, SET_CODE = (
    "legacy", "unprotected", "access list", "fee market", "blob", "set code",
)  # fmt: skip

AUTHORIZATIONS = [
    "contract", "contract", "any chain", "fresh key", "sender", "wrong chain", "wrong nonce", "last nonce", "cleared",
    "precompile", "chained", "itself", "high s", "odd parity", "zero r", "repeated",
]  # fmt: skip


def kinds(fork):
    return [LEGACY, UNPROTECTED, ACCESS_LIST, FEE_MARKET, BLOB] + [SET_CODE] * fork.has("set_code")


class Envelopes:
    """Wraps actions in one world."""

    def __init__(self, world):
        self.world = world
        self.fork = world.fork
        self.random = world.random
        self._kinds = draw.Deck(self.random, kinds(self.fork))
        self._authorizations = draw.Deck(self.random, AUTHORIZATIONS)
        self.authorizations_drawn = []
        self._authorities = []  # of the transaction authorized last

    def wrap(self, action, nonce_of, base_fee, blob_fee):
        """(transaction, kind): signed, with gas as the action wants it."""
        kind = self._kinds.draw()
        while action.to is None and kind in (BLOB, SET_CODE):
            kind = self._kinds.draw()
        key = self.random.choice(self.world.signers())
        changes = {}
        if kind == SET_CODE:
            changes["authorizations"] = self.authorize(key, nonce_of)
            if self.random.random() < 0.4:
                action = self._to_an_authority(action)
        return self.make(kind, key, action, int(nonce_of(key.address)), base_fee, blob_fee, **changes), kind

    def make(self, kind, key, action, nonce, base_fee, blob_fee, chain_id=CHAIN_ID, **changes):
        """A signed transaction; `changes` overrides fields, `gas` too."""
        transactions = self.fork.transactions
        fields = {
            "nonce": U64(nonce) if kind == SET_CODE else U256(nonce),
            "gas": Uint(0),
            "to": Bytes0() if action.to is None else Bytes20(action.to),
            "value": U256(action.value),
            "data": bytes(action.data),
        }
        tip = self.random.choice([0, 1, 10**9])
        if kind in (LEGACY, UNPROTECTED, ACCESS_LIST):
            fields["gas_price"] = Uint(base_fee + tip)
        else:
            most = base_fee + self.random.choice([0, tip, 2 * tip])
            fields["max_fee_per_gas"] = Uint(most)
            fields["max_priority_fee_per_gas"] = Uint(min(tip, most))
        if kind not in (LEGACY, UNPROTECTED):
            fields["chain_id"] = U64(chain_id)
            fields["access_list"] = self._access_list(action)
        if kind == BLOB:
            fields["max_fee_per_blob_gas"] = U256(blob_fee * self.random.choice([1, 1, 2]))
            fields["blob_versioned_hashes"] = tuple(
                Bytes32(b"\x01" + self.random.randbytes(31)) for _ in range(self.random.choice([1, 1, 2, 3, 6]))
            )
        class_ = {
            LEGACY: "LegacyTransaction",
            UNPROTECTED: "LegacyTransaction",
            ACCESS_LIST: "AccessListTransaction",
            FEE_MARKET: "FeeMarketTransaction",
            BLOB: "BlobTransaction",
            SET_CODE: "SetCodeTransaction",
        }[kind]
        class_ = getattr(transactions, class_)
        fields.update(changes)
        if "gas" not in changes:
            fields["gas"] = Uint(action.all_gas or self.least_gas(class_, fields) + action.gas)
        return sign_transaction(self.fork, key, class_, fields, chain_id, protected=kind != UNPROTECTED)

    def least_gas(self, class_, fields):
        """What such a transaction must bring."""
        parity = "v" if "v" in class_.__annotations__ else "y_parity"
        unsigned = class_(**fields, **{parity: U256(0)}, r=U256(0), s=U256(0))
        cost = self.fork.transactions.calculate_intrinsic_cost(unsigned)
        return int(max(cost)) if self.fork.has("floor") else int(cost)

    def _access_list(self, action):
        """The target's first slots, others, and some twice: all are paid for."""
        transactions = self.fork.transactions
        if self.random.random() < 0.4:
            return ()
        entries = []
        for _ in range(self.random.randint(1, 3)):
            address = action.to if action.to and self.random.random() < 0.5 else self.world.around.address()
            slots = tuple(Bytes32(self.random.randrange(4).to_bytes(32, "big")) for _ in range(self.random.randint(0, 3)))
            entries.append(transactions.Access(account=Bytes20(address), slots=slots))
        return tuple(entries)

    # --- EIP-7702 ------------------------------------------------------------------------------------------------------------

    def authorize(self, sender, nonce_of):
        """Authorizations, good and bad, applied to nonces in order as the chain will."""
        nonces = {sender.address: int(nonce_of(sender.address)) + 1}
        authorizations = []
        for _ in range(self.random.choice([1, 1, 2, 3])):
            kind = self._authorizations.draw()
            self.authorizations_drawn.append(kind)
            authorizations.append(self._authorization(kind, sender, nonces, nonce_of))
            if kind == "repeated":
                authorizations.append(authorizations[-1])
        self._authorities = list(nonces)
        return tuple(authorizations)

    def _authorization(self, kind, sender, nonces, nonce_of):
        random, world = self.random, self.world
        key = random.choice(world.keys + world.delegated)
        if kind == "fresh key":
            key = Key.random(random)
        if kind == "sender":
            key = sender
        chain_id = {"any chain": 0, "wrong chain": random.choice([2, 2**256 - 1])}.get(kind, CHAIN_ID)
        nonce = right_nonce = nonces.setdefault(key.address, int(nonce_of(key.address)))
        if kind == "wrong nonce":
            nonce = random.choice([right_nonce + 1, max(right_nonce - 1, 0) if right_nonce else 7])
        if kind == "last nonce":
            nonce = 2**64 - 1
        address = {
            "cleared": bytes(20),
            "precompile": random.choice(self.fork.precompile_numbers).to_bytes(20, "big"),
            "chained": bytes(random.choice(world.delegated).address),
            "itself": bytes(key.address),
        }.get(kind, random.choice(world.contracts))
        authorization = sign_authorization(self.fork, key, chain_id, Bytes20(address), nonce)
        parity, r, s = int(authorization.y_parity), int(authorization.r), int(authorization.s)
        if kind == "high s":
            parity, s = 1 - parity, SECP256K1_ORDER - s
        elif kind == "odd parity":
            parity = random.choice([2, 27, 255])
        elif kind == "zero r":
            r = 0
        elif kind not in ("wrong chain", "wrong nonce", "last nonce"):
            nonces[key.address] += 1
            return authorization
        return self.fork.fork_types.Authorization(
            chain_id=authorization.chain_id,
            address=authorization.address,
            nonce=authorization.nonce,
            y_parity=U8(parity),
            r=U256(r),
            s=U256(s),
        )

    def _to_an_authority(self, action):
        return dataclasses.replace(action, to=bytes(self.random.choice(self._authorities)))
