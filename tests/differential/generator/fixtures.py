"""The public BlockchainTests format."""

from ethereum.crypto.hash import keccak256
from ethereum_rlp import rlp
from ethereum_types.numeric import U64

from .world import CHAIN_ID

HEADER = {
    "parent_hash": "parentHash",
    "ommers_hash": "uncleHash",
    "coinbase": "coinbase",
    "state_root": "stateRoot",
    "transactions_root": "transactionsTrie",
    "receipt_root": "receiptTrie",
    "bloom": "bloom",
    "difficulty": "difficulty",
    "number": "number",
    "gas_limit": "gasLimit",
    "gas_used": "gasUsed",
    "timestamp": "timestamp",
    "extra_data": "extraData",
    "prev_randao": "mixHash",
    "nonce": "nonce",
    "base_fee_per_gas": "baseFeePerGas",
    "withdrawals_root": "withdrawalsRoot",
    "blob_gas_used": "blobGasUsed",
    "excess_blob_gas": "excessBlobGas",
    "parent_beacon_block_root": "parentBeaconBlockRoot",
    "requests_hash": "requestsHash",
}
TRANSACTION = {
    "chain_id": "chainId",
    "nonce": "nonce",
    "gas_price": "gasPrice",
    "max_priority_fee_per_gas": "maxPriorityFeePerGas",
    "max_fee_per_gas": "maxFeePerGas",
    "max_fee_per_blob_gas": "maxFeePerBlobGas",
    "gas": "gasLimit",
    "to": "to",
    "value": "value",
    "data": "data",
    "v": "v",
    "y_parity": "v",
    "r": "r",
    "s": "s",
}


def _hex(value):
    """Bytes as they are, numbers in whole bytes as the public files have them."""
    if isinstance(value, bytes | bytearray):
        return "0x" + bytes(value).hex()
    number = int(value)
    return "0x" + number.to_bytes(max(1, (number.bit_length() + 7) // 8), "big").hex()


def header(value):
    fields = {name: _hex(getattr(value, field)) for field, name in HEADER.items() if hasattr(value, field)}
    return fields | {"hash": _hex(keccak256(rlp.encode(value)))}


def transaction(fork, encoded):
    value = fork.transactions.decode_transaction(encoded)
    fields = {name: _hex(getattr(value, field)) for field, name in TRANSACTION.items() if hasattr(value, field)}
    fields["type"] = _hex(encoded[0] if isinstance(encoded, bytes) else 0)
    fields["sender"] = _hex(fork.transactions.recover_sender(U64(CHAIN_ID), value))
    if hasattr(value, "access_list"):
        fields["accessList"] = [
            {"address": _hex(entry.account), "storageKeys": [_hex(slot) for slot in entry.slots]} for entry in value.access_list
        ]
    if hasattr(value, "blob_versioned_hashes"):
        fields["blobVersionedHashes"] = [_hex(item) for item in value.blob_versioned_hashes]
    if hasattr(value, "authorizations"):
        fields["authorizationList"] = [
            {
                "chainId": _hex(item.chain_id),
                "address": _hex(item.address),
                "nonce": _hex(item.nonce),
                "v": _hex(item.y_parity),
                "r": _hex(item.r),
                "s": _hex(item.s),
            }
            for item in value.authorizations
        ]
    return fields


def receipts(values):
    """Not in the public format: what to look at when a receipts root differs."""
    return [
        {
            "status": _hex(int(value.succeeded)),
            "cumulativeGasUsed": _hex(value.cumulative_gas_used),
            "logs": [
                {"address": _hex(log.address), "topics": [_hex(topic) for topic in log.topics], "data": _hex(log.data)}
                for log in value.logs
            ],
        }
        for value in values
    ]


def block(fork, value, block_receipts):
    """A block every implementation must take."""
    return {
        "rlp": _hex(rlp.encode(value)),
        "blockHeader": header(value.header),
        "blocknumber": str(int(value.header.number)),
        "transactions": [transaction(fork, encoded) for encoded in value.transactions],
        "uncleHeaders": [],
        "withdrawals": [
            {
                "index": _hex(item.index),
                "validatorIndex": _hex(item.validator_index),
                "address": _hex(item.address),
                "amount": _hex(item.amount),
            }
            for item in value.withdrawals
        ],
        "receipts": receipts(block_receipts),
    }


def invalid_block(value, exception):
    """A block every implementation must refuse."""
    return {"rlp": _hex(rlp.encode(value)), "expectException": exception, "blocknumber": str(int(value.header.number))}


def accounts(values):
    return {
        _hex(address): {
            "nonce": _hex(account["nonce"]),
            "balance": _hex(account["balance"]),
            "code": _hex(account["code"]),
            "storage": {_hex(slot): _hex(value) for slot, value in sorted(account["storage"].items()) if value},
        }
        for address, account in sorted(values.items())
    }


def test(fork, genesis, pre, blocks, head, post, about):
    """One whole test."""
    schedule = {
        "target": _hex(int(fork.gas.TARGET_BLOB_GAS_PER_BLOCK) // int(fork.gas.GAS_PER_BLOB)),
        "max": _hex(int(fork.fork.MAX_BLOB_GAS_PER_BLOCK) // int(fork.gas.GAS_PER_BLOB)),
        "baseFeeUpdateFraction": _hex(fork.gas.BLOB_BASE_FEE_UPDATE_FRACTION),
    }
    return {
        "_info": about,
        "network": fork.network,
        "sealEngine": "NoProof",
        "config": {"network": fork.network, "chainid": "0x01", "blobSchedule": {fork.network: schedule}},
        "genesisBlockHeader": header(genesis.header),
        "genesisRLP": _hex(rlp.encode(genesis)),
        "pre": accounts(pre),
        "blocks": blocks,
        "lastblockhash": _hex(keccak256(rlp.encode(head.header))),
        "postState": accounts(post),
    }
