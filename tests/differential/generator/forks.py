"""The specification's modules of one fork, under one name each."""

import dataclasses
import functools
import importlib
from types import ModuleType


@dataclasses.dataclass(frozen=True)
class Fork:
    """One fork of the specification. Later forks add fields and precompiles; `has` tells what this one knows."""

    network: str  # as the public test format spells it
    blocks: ModuleType
    fork: ModuleType
    fork_types: ModuleType
    state: ModuleType
    transactions: ModuleType
    trie: ModuleType
    vm: ModuleType
    gas: ModuleType
    instructions: ModuleType
    precompiles: dict
    requests: ModuleType | None  # None before Prague
    delegation: ModuleType | None  # None before Prague

    def has(self, feature):
        return {
            "set_code": self.delegation is not None,
            "requests": self.requests is not None,
            "history": hasattr(self.fork, "HISTORY_STORAGE_ADDRESS"),
            "floor": hasattr(self.transactions, "FLOOR_CALLDATA_COST"),
            "gas_cap": hasattr(self.transactions, "TX_MAX_GAS_LIMIT"),
            "blob_count_limit": hasattr(self.fork, "BLOB_COUNT_LIMIT"),
        }[feature]

    @functools.cached_property
    def opcodes(self):
        """Every opcode of this fork: byte to name."""
        return {op.value: op.name for op in self.instructions.Ops}

    @functools.cached_property
    def undefined_opcodes(self):
        return [byte for byte in range(256) if byte not in self.opcodes]

    @functools.cached_property
    def precompile_numbers(self):
        return sorted(int.from_bytes(address, "big") for address in self.precompiles)


@functools.cache
def load(network):
    """The fork named as in the public test format: Cancun, Prague, Osaka."""
    name = network.lower()

    def module(path):
        return importlib.import_module(f"ethereum.forks.{name}.{path}")

    after_cancun = name != "cancun"
    return Fork(
        network=network,
        blocks=module("blocks"),
        fork=module("fork"),
        fork_types=module("fork_types"),
        state=module("state"),
        transactions=module("transactions"),
        trie=module("trie"),
        vm=module("vm"),
        gas=module("vm.gas"),
        instructions=module("vm.instructions"),
        precompiles=module("vm.precompiled_contracts.mapping").PRE_COMPILED_CONTRACTS,
        requests=module("requests") if after_cancun else None,
        delegation=module("vm.eoa_delegation") if after_cancun else None,
    )
