"""Blocks that must be refused, each for one reason, which the specification confirms."""

import dataclasses

from ethereum.crypto.hash import keccak256
from ethereum_rlp import rlp
from ethereum_types.bytes import Bytes8, Bytes20, Bytes32
from ethereum_types.numeric import U64, U256, Uint

from . import predeploys
from .actions import Action
from .envelopes import ACCESS_LIST, BLOB, FEE_MARKET, LEGACY, SET_CODE
from .wallet import SECP256K1_ORDER
from .world import CHAIN_ID

replace = dataclasses.replace


class Context:
    """What a flaw is made from: a good block not yet on the chain, and the means to make transactions."""

    def __init__(self, world, chain, envelopes, block, draft):
        self.world = world
        self.fork = world.fork
        self.chain = chain
        self.envelopes = envelopes
        self.block = block
        self.header = block.header
        self.draft = draft  # of an empty block in the same place
        self.key = max(world.keys, key=self.nonce)  # has sent before, so that its nonce can be too low

    def nonce(self, key):
        return int(self.fork.state.get_account(self.chain.state, key.address).nonce)

    def transaction(self, kind, action=None, key=None, nonce=0, **changes):
        """A transfer that would be fine but for the changes; `nonce` is relative to the right one."""
        key = key or self.key
        action = action or Action(bytes(self.world.keys[0].address), value=1)
        return self.envelopes.make(
            kind, key, action, self.nonce(key) + nonce, int(self.draft.base_fee), int(self.draft.blob_fee), **changes
        )

    def with_header(self, **changes):
        return replace(self.block, header=replace(self.header, **changes))

    def with_transaction(self, transaction):
        """An otherwise empty block with this transaction in it."""
        encoded = transaction if isinstance(transaction, bytes) else self.fork.transactions.encode_transaction(transaction)
        empty = self.draft.finish(())
        trie = self.fork.trie.Trie(secured=False, default=None)
        self.fork.trie.trie_set(trie, rlp.encode(Uint(0)), encoded)
        header = replace(empty.header, transactions_root=self.fork.trie.root(trie))
        return replace(empty, header=header, transactions=(encoded,))


def _other(digest):
    """The hash with its last bit flipped."""
    return type(digest)(bytes(digest[:-1]) + bytes([digest[-1] ^ 1]))


# --- flaws in the header or body -----------------------------------------------------------------------------------------------


def _bloom(context):
    bloom = bytearray(context.header.bloom)
    bloom[7] ^= 0x10
    return context.with_header(bloom=context.fork.fork_types.Bloom(bytes(bloom)))


def _gas_limit(context, direction):
    """One step further than a block may move its gas limit; the base fee fits."""
    parent = context.chain.head.header
    step = int(parent.gas_limit) // 1024
    return context.with_header(gas_limit=Uint(int(parent.gas_limit) + direction * step))


def _without_last(context):
    """Nothing, if there is no transaction to drop."""
    return replace(context.block, transactions=context.block.transactions[:-1]) if context.block.transactions else None


def _extra_withdrawal(context):
    more = context.fork.blocks.Withdrawal(index=U64(99), validator_index=U64(1), address=Bytes20(b"\1" * 20), amount=U256(1))
    return replace(context.block, withdrawals=(*context.block.withdrawals, more))


# --- flaws in a transaction ----------------------------------------------------------------------------------------------------


def _resigned(transaction, **signature):
    """With another signature."""
    return replace(transaction, **signature)


def _high_s(context):
    good = context.transaction(FEE_MARKET)
    return _resigned(good, s=U256(SECP256K1_ORDER - int(good.s)), y_parity=U256(1 - int(good.y_parity)))


def _below_floor(context):
    """Gas for what EIP-2028 asks for the calldata but not for EIP-7623's floor."""
    action = Action(bytes(context.world.keys[0].address), data=b"\1" * 1000)
    return context.transaction(FEE_MARKET, action, gas=Uint(21_000 + 16 * 1000))


def _above_block(context):
    """Gas for more than the block has; where one transaction's gas is capped lower, nothing."""
    gas = int(context.header.gas_limit) + 1
    if context.fork.has("gas_cap") and gas > int(context.fork.transactions.TX_MAX_GAS_LIMIT):
        return None
    return context.transaction(LEGACY, gas=Uint(gas))


def _blobs(count, version=1):
    return tuple(Bytes32(bytes([version]) + bytes([number]) * 31) for number in range(count))


def _blobs_in_block(fork):
    return int(fork.fork.MAX_BLOB_GAS_PER_BLOCK) // int(fork.gas.GAS_PER_BLOB)


def _creating(context, kind, **changes):
    return context.transaction(kind, Action(None), gas=Uint(200_000), **changes)


def _authorizations(context):
    return context.envelopes.authorize(context.key, context.draft.nonce_of)


def _deposit(context):
    """A deposit event that is cut short makes the block invalid (EIP-6110)."""
    data = predeploys.deposit(context.world.random)[:-32]
    return context.transaction(FEE_MARKET, Action(bytes.fromhex(predeploys.DEPOSITS), data, gas=200_000))


# Kind: (the public format's names for the error, what makes the block). More names than one where a block breaks more rules than
# one, and may be found out by any. The specification says InvalidBlock to all.
_OF_BLOCKS = {
    "state root": ("INVALID_STATE_ROOT", lambda c: c.with_header(state_root=_other(c.header.state_root))),
    "receipts root": ("INVALID_RECEIPTS_ROOT", lambda c: c.with_header(receipt_root=_other(c.header.receipt_root))),
    "transactions root": (
        "INVALID_TRANSACTIONS_ROOT",
        lambda c: c.with_header(transactions_root=_other(c.header.transactions_root)),
    ),
    "withdrawals root": ("INVALID_WITHDRAWALS_ROOT", lambda c: c.with_header(withdrawals_root=_other(c.header.withdrawals_root))),
    "bloom": ("INVALID_LOG_BLOOM", _bloom),
    "gas used": ("INVALID_GAS_USED", lambda c: c.with_header(gas_used=c.header.gas_used + Uint(1))),
    "gas used above limit": ("GAS_USED_OVERFLOW", lambda c: c.with_header(gas_used=c.header.gas_limit + Uint(1))),
    "blob gas used": (
        "INCORRECT_BLOB_GAS_USED|BLOB_GAS_USED_ABOVE_LIMIT",
        lambda c: c.with_header(blob_gas_used=c.header.blob_gas_used + c.fork.gas.GAS_PER_BLOB),
    ),
    "excess blob gas": ("INCORRECT_EXCESS_BLOB_GAS", lambda c: c.with_header(excess_blob_gas=c.header.excess_blob_gas + U64(1))),
    "base fee": ("INVALID_BASEFEE_PER_GAS", lambda c: c.with_header(base_fee_per_gas=c.header.base_fee_per_gas + Uint(1))),
    "gas limit too high": ("INVALID_GASLIMIT", lambda c: _gas_limit(c, 1)),
    "gas limit too low": ("INVALID_GASLIMIT", lambda c: _gas_limit(c, -1)),
    "timestamp": (
        "INVALID_BLOCK_TIMESTAMP_OLDER_THAN_PARENT",
        lambda c: c.with_header(timestamp=c.chain.head.header.timestamp),
    ),
    "number": ("INVALID_BLOCK_NUMBER", lambda c: c.with_header(number=c.header.number + Uint(1))),
    "parent": ("UNKNOWN_PARENT", lambda c: c.with_header(parent_hash=_other(c.header.parent_hash))),
    "difficulty": ("IMPORT_IMPOSSIBLE_DIFFICULTY_OVER_PARIS", lambda c: c.with_header(difficulty=Uint(1))),
    "header nonce": ("INVALID_HEADER_NONCE", lambda c: c.with_header(nonce=Bytes8(b"\0" * 7 + b"\1"))),
    "ommers hash": (
        "INVALID_UNCLES_HASH|IMPORT_IMPOSSIBLE_UNCLES_OVER_PARIS",
        lambda c: c.with_header(ommers_hash=keccak256(b"")),
    ),
    "ommer": ("IMPORT_IMPOSSIBLE_UNCLES_OVER_PARIS", lambda c: replace(c.block, ommers=(c.chain.head.header,))),
    "extra data": ("EXTRA_DATA_TOO_BIG", lambda c: c.with_header(extra_data=bytes(33))),
    "transaction dropped": ("INVALID_TRANSACTIONS_ROOT|INVALID_GAS_USED|INCORRECT_BLOB_GAS_USED", _without_last),
    "withdrawal added": ("INVALID_WITHDRAWALS_ROOT", _extra_withdrawal),
}
_OF_REQUESTS = {"requests hash": ("INVALID_REQUESTS", lambda c: c.with_header(requests_hash=_other(c.header.requests_hash)))}
# Kind: (the specification's error, the public format's name for it, what makes the transaction).
_OF_TRANSACTIONS = {
    "nonce too low": ("NonceMismatchError", "NONCE_MISMATCH_TOO_LOW", lambda c: c.transaction(FEE_MARKET, nonce=-1)),
    "nonce too high": ("NonceMismatchError", "NONCE_MISMATCH_TOO_HIGH", lambda c: c.transaction(ACCESS_LIST, nonce=1)),
    "nonce at its end": ("NonceOverflowError", "NONCE_IS_MAX", lambda c: c.transaction(LEGACY, nonce=2**64 - 1 - c.nonce(c.key))),
    "funds": (
        "InsufficientBalanceError",
        "INSUFFICIENT_ACCOUNT_FUNDS",
        lambda c: c.transaction(
            FEE_MARKET, Action(bytes(20), value=int(c.fork.state.get_account(c.chain.state, c.key.address).balance))
        ),
    ),
    "gas above block": ("GasUsedExceedsLimitError", "GAS_ALLOWANCE_EXCEEDED", _above_block),
    "intrinsic gas": (
        "InsufficientTransactionGasError",
        "INTRINSIC_GAS_TOO_LOW",
        lambda c: c.transaction(LEGACY, gas=Uint(20_999)),
    ),
    "fee below base fee": (
        "InsufficientMaxFeePerGasError",
        "INSUFFICIENT_MAX_FEE_PER_GAS",
        lambda c: c.transaction(FEE_MARKET, max_fee_per_gas=c.draft.base_fee - Uint(1), max_priority_fee_per_gas=Uint(0)),
    ),
    "price below base fee": (
        "InvalidBlock",
        "INSUFFICIENT_MAX_FEE_PER_GAS",
        lambda c: c.transaction(LEGACY, gas_price=c.draft.base_fee - Uint(1)),
    ),
    "tip above fee": (
        "PriorityFeeGreaterThanMaxFeeError",
        "PRIORITY_GREATER_THAN_MAX_FEE_PER_GAS",
        lambda c: c.transaction(
            FEE_MARKET, max_fee_per_gas=c.draft.base_fee, max_priority_fee_per_gas=c.draft.base_fee + Uint(1)
        ),
    ),
    "chain": ("InvalidSignatureError", "INVALID_CHAINID", lambda c: c.transaction(LEGACY, chain_id=CHAIN_ID + 1)),
    "high s": ("InvalidSignatureError", "INVALID_SIGNATURE_VRS", _high_s),
    "parity": (
        "InvalidSignatureError",
        "INVALID_SIGNATURE_VRS|RLP_STRUCTURES_ENCODING",
        lambda c: _resigned(c.transaction(ACCESS_LIST), y_parity=U256(2)),
    ),
    "zero r": ("InvalidSignatureError", "INVALID_SIGNATURE_VRS", lambda c: _resigned(c.transaction(LEGACY), r=U256(0))),
    "creation code": (
        "InitCodeTooLargeError",
        "INITCODE_SIZE_EXCEEDED",
        lambda c: c.transaction(FEE_MARKET, Action(None, bytes(0xC001)), gas=Uint(1_000_000)),
    ),
    "sender is a contract": (
        "InvalidSenderError",
        "SENDER_NOT_EOA",
        lambda c: c.transaction(FEE_MARKET, key=c.world.contract_key),
    ),
    "no blobs": ("NoBlobDataError", "TYPE_3_TX_ZERO_BLOBS", lambda c: c.transaction(BLOB, blob_versioned_hashes=())),
    "blob version": (
        "InvalidBlobVersionedHashError",
        "TYPE_3_TX_INVALID_BLOB_VERSIONED_HASH",
        lambda c: c.transaction(BLOB, blob_versioned_hashes=_blobs(2, version=2)),
    ),
    "blobs above block": (
        "BlobGasLimitExceededError",
        "TYPE_3_TX_MAX_BLOB_GAS_ALLOWANCE_EXCEEDED",
        lambda c: c.transaction(BLOB, blob_versioned_hashes=_blobs(_blobs_in_block(c.fork) + 1)),
    ),
    "blob fee": (
        "InsufficientMaxFeePerBlobGasError",
        "INSUFFICIENT_MAX_FEE_PER_BLOB_GAS",
        lambda c: c.transaction(BLOB, max_fee_per_blob_gas=U256(int(c.draft.blob_fee) - 1)),
    ),
    "blobs creating": ("DecodingError", "TYPE_3_TX_CONTRACT_CREATION", lambda c: _creating(c, BLOB)),
    "unknown type": ("TransactionTypeError", "TYPE_NOT_SUPPORTED", lambda c: b"\x06" + rlp.encode([b"\1"])),
}
_OF_SET_CODE = {
    "no authorizations": (
        "EmptyAuthorizationListError",
        "TYPE_4_EMPTY_AUTHORIZATION_LIST",
        lambda c: c.transaction(SET_CODE, authorizations=()),
    ),
    "set code creating": (
        "DecodingError",
        "TYPE_4_TX_CONTRACT_CREATION",
        lambda c: _creating(c, SET_CODE, authorizations=_authorizations(c)),
    ),
}
_OF_FLOOR = {"below floor": ("InsufficientTransactionGasError", "INTRINSIC_GAS_BELOW_FLOOR_GAS_COST", _below_floor)}
_OF_GAS_CAP = {
    "gas above cap": (
        "TransactionGasLimitExceededError",
        "GAS_LIMIT_EXCEEDS_MAXIMUM",
        lambda c: c.transaction(FEE_MARKET, gas=c.fork.transactions.TX_MAX_GAS_LIMIT + Uint(1)),
    )
}
_OF_BLOB_COUNT = {
    "blobs above count": (
        "BlobCountExceededError",
        "TYPE_3_TX_BLOB_COUNT_EXCEEDED",
        lambda c: c.transaction(BLOB, blob_versioned_hashes=_blobs(int(c.fork.fork.BLOB_COUNT_LIMIT) + 1)),
    )
}
_OPTIONAL = {"set_code": _OF_SET_CODE, "floor": _OF_FLOOR, "gas_cap": _OF_GAS_CAP, "blob_count_limit": _OF_BLOB_COUNT}


def _flaws(fork):
    """Kind to (error, public names, maker, whether the maker gives a transaction)."""
    blocks = _OF_BLOCKS | (_OF_REQUESTS if fork.has("requests") else {})
    found = {kind: ("InvalidBlock", _scoped("BlockException", names), make, False) for kind, (names, make) in blocks.items()}
    transactions = dict(_OF_TRANSACTIONS)
    for feature, flaws in _OPTIONAL.items():
        if fork.has(feature):
            transactions |= flaws
    for kind, (error, names, make) in transactions.items():
        found[kind] = (error, _scoped("TransactionException", names), make, True)
    if fork.has("requests"):
        found["deposit"] = ("InvalidBlock", "BlockException.INVALID_DEPOSIT_EVENT_LAYOUT", _deposit, True)
    return found


def _scoped(scope, names):
    return "|".join(f"{scope}.{name}" for name in names.split("|"))


def kinds(fork):
    return list(_flaws(fork))


def make(kind, context):
    """(block, public name of the error), checked with the specification; None where this flaw cannot be had here."""
    error, name, maker, is_transaction = _flaws(context.fork)[kind]
    made = maker(context)
    if made is None:
        return None
    block = context.with_transaction(made) if is_transaction else made
    found = context.chain.rejection(block)
    if type(found).__name__ != error:
        raise AssertionError(f"{context.fork.network}, {kind}: expected {error}, the specification says {found!r}")
    return block, name
