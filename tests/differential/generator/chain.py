"""A chain of the specification, and blocks built on it transaction by transaction."""

import dataclasses

from ethereum.crypto.hash import keccak256
from ethereum.exceptions import EthereumException
from ethereum_rlp import rlp
from ethereum_rlp.exceptions import RLPException
from ethereum_types.bytes import Bytes, Bytes8, Bytes32
from ethereum_types.numeric import U64, U256, Uint

from .world import CHAIN_ID

EMPTY_OMMERS = keccak256(rlp.encode([]))


def copy_state(fork, state):
    """A state of its own, for trials."""
    copy = fork.state.copy_trie
    return fork.state.State(
        _main_trie=copy(state._main_trie),
        _storage_tries={address: copy(trie) for address, trie in state._storage_tries.items()},
    )


def dump(state):
    """The state in the shape of `World.accounts`."""
    return {
        address: {
            "balance": int(account.balance),
            "nonce": int(account.nonce),
            "code": bytes(account.code),
            "storage": {
                int.from_bytes(slot, "big"): int(value)
                for slot, value in (state._storage_tries[address]._data if address in state._storage_tries else {}).items()
            },
        }
        for address, account in state._main_trie._data.items()
    }


def load(fork, accounts):
    """A state with these accounts."""
    state = fork.state.State()
    for address, account in accounts.items():
        fork.state.set_account(
            state,
            address,
            fork.fork_types.Account(nonce=Uint(account["nonce"]), balance=U256(account["balance"]), code=Bytes(account["code"])),
        )
        for slot, value in account["storage"].items():
            fork.state.set_storage(state, address, Bytes32(slot.to_bytes(32, "big")), U256(value))
    return state


class Chain:
    """The specification's chain from block 0."""

    def __init__(self, fork, accounts, gas_limit, base_fee, excess_blob_gas, timestamp):
        self.fork = fork
        state = load(fork, accounts)
        empty_trie = fork.trie.root(fork.trie.Trie(secured=False, default=None))
        later = {"requests_hash": fork.requests.compute_requests_hash([])} if fork.has("requests") else {}
        header = fork.blocks.Header(
            parent_hash=Bytes32(bytes(32)),
            ommers_hash=EMPTY_OMMERS,
            coinbase=fork.fork_types.Address(bytes(20)),
            state_root=fork.state.state_root(state),
            transactions_root=empty_trie,
            receipt_root=empty_trie,
            bloom=fork.fork_types.Bloom(bytes(256)),
            difficulty=Uint(0),
            number=Uint(0),
            gas_limit=Uint(gas_limit),
            gas_used=Uint(0),
            timestamp=U256(timestamp),
            extra_data=b"",
            prev_randao=Bytes32(bytes(32)),
            nonce=Bytes8(bytes(8)),
            base_fee_per_gas=Uint(base_fee),
            withdrawals_root=empty_trie,
            blob_gas_used=U64(0),
            excess_blob_gas=U64(excess_blob_gas),
            parent_beacon_block_root=Bytes32(bytes(32)),
            **later,
        )
        genesis = fork.blocks.Block(header=header, transactions=(), ommers=(), withdrawals=())
        self._chain = fork.fork.BlockChain(blocks=[genesis], state=state, chain_id=U64(CHAIN_ID))

    @property
    def head(self):
        return self._chain.blocks[-1]

    @property
    def state(self):
        return self._chain.state

    def append(self, block):
        """Validates the block as a node would, and keeps it."""
        self.fork.fork.state_transition(self._chain, block)

    def rejection(self, block):
        """The error for which the specification refuses the block, or None if it takes it. The chain stays as it is."""
        trial = self.fork.fork.BlockChain(
            blocks=list(self._chain.blocks), state=copy_state(self.fork, self.state), chain_id=self._chain.chain_id
        )
        try:
            self.fork.fork.state_transition(trial, block)
        except (EthereumException, RLPException) as error:
            return error
        return None

    def hashes(self):
        return self.fork.fork.get_last_256_block_hashes(self._chain)


@dataclasses.dataclass(frozen=True)
class Surrounding:
    """What a block's proposer chooses freely."""

    coinbase: bytes
    timestamp: int
    gas_limit: int
    prev_randao: bytes
    beacon_root: bytes
    extra_data: bytes


class Draft:
    """A block that is being executed on a copy of the chain's state."""

    def __init__(self, chain, surrounding):
        fork = self.fork = chain.fork
        self.chain = chain
        self.surrounding = surrounding
        self.transactions = []
        parent = chain.head.header
        self.base_fee = fork.fork.calculate_base_fee_per_gas(
            Uint(surrounding.gas_limit), parent.gas_limit, parent.gas_used, parent.base_fee_per_gas
        )
        self.excess_blob_gas = fork.gas.calculate_excess_blob_gas(parent)
        self.blob_fee = fork.gas.calculate_blob_gas_price(self.excess_blob_gas)
        self.state = copy_state(fork, chain.state)
        self.output = fork.vm.BlockOutput()
        self.environment = fork.vm.BlockEnvironment(
            chain_id=U64(CHAIN_ID),
            state=self.state,
            block_gas_limit=Uint(surrounding.gas_limit),
            block_hashes=chain.hashes(),
            coinbase=fork.fork_types.Address(surrounding.coinbase),
            number=parent.number + Uint(1),
            base_fee_per_gas=self.base_fee,
            time=U256(surrounding.timestamp),
            prev_randao=Bytes32(surrounding.prev_randao),
            excess_blob_gas=self.excess_blob_gas,
            parent_beacon_block_root=Bytes32(surrounding.beacon_root),
        )
        self._tell_contract(fork.fork.BEACON_ROOTS_ADDRESS, surrounding.beacon_root)
        if fork.has("history"):
            self._tell_contract(fork.fork.HISTORY_STORAGE_ADDRESS, self.environment.block_hashes[-1])

    def _tell_contract(self, address, data):
        self.fork.fork.process_unchecked_system_transaction(
            block_env=self.environment, target_address=address, data=Bytes32(data)
        )

    def nonce_of(self, address):
        return self.fork.state.get_account(self.state, address).nonce

    def refusal(self, transaction):
        """Why the transaction cannot be the next one, or None."""
        try:
            self.fork.transactions.validate_transaction(transaction)
            self.fork.fork.check_transaction(block_env=self.environment, block_output=self.output, tx=transaction)
        except EthereumException as error:
            return error
        return None

    def add(self, transaction):
        """Executes the transaction, which `refusal` has nothing against; its receipt."""
        index = len(self.transactions)
        self.fork.fork.process_transaction(self.environment, self.output, transaction, Uint(index))
        self.transactions.append(self.fork.transactions.encode_transaction(transaction))
        return self.receipts()[-1]

    def receipts(self):
        found = (
            self.fork.trie.trie_get(self.output.receipts_trie, rlp.encode(Uint(index))) for index in range(len(self.transactions))
        )
        return [self.fork.blocks.decode_receipt(receipt) for receipt in found]

    def finish(self, withdrawals):
        """The sealed block."""
        fork = self.fork
        fork.fork.process_withdrawals(self.environment, self.output, withdrawals)
        later = {}
        if fork.has("requests"):
            fork.fork.process_general_purpose_requests(block_env=self.environment, block_output=self.output)
            later["requests_hash"] = Bytes32(fork.requests.compute_requests_hash(self.output.requests))
        header = fork.blocks.Header(
            parent_hash=keccak256(rlp.encode(self.chain.head.header)),
            ommers_hash=EMPTY_OMMERS,
            coinbase=self.environment.coinbase,
            state_root=fork.state.state_root(self.state),
            transactions_root=fork.trie.root(self.output.transactions_trie),
            receipt_root=fork.trie.root(self.output.receipts_trie),
            bloom=fork.fork.logs_bloom(self.output.block_logs),
            difficulty=Uint(0),
            number=self.environment.number,
            gas_limit=Uint(self.surrounding.gas_limit),
            gas_used=self.output.block_gas_used,
            timestamp=self.environment.time,
            extra_data=self.surrounding.extra_data,
            prev_randao=self.environment.prev_randao,
            nonce=Bytes8(bytes(8)),
            base_fee_per_gas=self.base_fee,
            withdrawals_root=fork.trie.root(self.output.withdrawals_trie),
            blob_gas_used=self.output.blob_gas_used,
            excess_blob_gas=self.excess_blob_gas,
            parent_beacon_block_root=self.environment.parent_beacon_block_root,
            **later,
        )
        return fork.blocks.Block(header=header, transactions=tuple(self.transactions), ommers=(), withdrawals=tuple(withdrawals))
