"""What a transaction does, whatever its type: target, value, calldata and gas to execute with."""

import dataclasses

from ethereum.crypto.hash import keccak256
from ethereum_rlp import rlp
from ethereum_types.bytes import Bytes20
from ethereum_types.numeric import Uint

from . import draw, predeploys, programs
from .world import RELAY_CALLS


@dataclasses.dataclass(frozen=True)
class Action:
    """A transaction without its envelope."""

    to: bytes | None  # None creates a contract
    data: bytes = b""
    value: int = 0
    gas: int = 0  # on top of what the transaction costs before it executes anything
    all_gas: int | None = None  # instead: of the whole transaction


class Actions:
    """Draws actions in one world."""

    def __init__(self, world, targets, nonce_of):
        self.world = world
        self.random = world.random
        self.targets = targets  # what exists by now, as 20 bytes
        self._nonce_of = nonce_of
        self._kinds = {
            self.transfer: 2,
            self.call: 8,
            self.relay_precompile: 4,
            self.call_precompile: 2.5,
            self.create: 3,
            self.create_fuzzed: 1,
            self.request: 1.2,
            self.carry_data: 0.7,
            self.create_too_much: 0.15,
            self.fund_future_contract: 0.3,
            self.bring_all_gas: 0.15,
            self.deploy_largest: 0.15,
        }

    def draw(self):
        return draw.weighted(self.random, self._kinds)()

    def _value(self):
        return self.random.choice([0, 0, 0, 1, 10**15])

    def _gas(self):
        """Enough for most programs, and at times too little."""
        if self.random.random() < 0.1:
            return self.random.choice([0, 700, 5_000, 20_000])
        return self.random.choice([60_000, 250_000, 500_000, 1_000_000, 1_000_000, 2_000_000])

    def transfer(self):
        to = self.random.choice(
            [
                self.random.choice(self.world.signers()).address,
                self.random.randbytes(20),
                self.random.choice(self.world.fork.precompile_numbers).to_bytes(20, "big"),
                self.random.choice(self.targets),
            ]
        )
        return Action(bytes(to), value=self.random.choice([0, 1, 10**15]), gas=self.random.choice([0, 0, 5_000, 100_000]))

    def call(self):
        to = self.random.choice([self.random.choice(self.world.contracts), self.random.choice(self.targets)])
        return Action(to, draw.blob(self.random, 150), self._value(), self._gas())

    def relay_precompile(self):
        address, data = self.world.around.precompile(self.world.precompile_turns)
        to = self.world.relays[self.random.randrange(len(RELAY_CALLS))]
        return Action(to, address.rjust(32, b"\0") + data, gas=self.random.choice([20_000, 600_000, 600_000, 600_000]))

    def call_precompile(self):
        """Directly; with nothing left for the precompile every third time."""
        address, data = self.world.around.precompile(self.world.precompile_turns)
        return Action(address, data, self.random.choice([0, 1]), self.random.choice([0, 400_000, 400_000]))

    def create(self):
        gas = self.random.choice([self._gas(), 1_000_000, 2_000_000])
        return Action(None, programs.creation(self.world.around), self._value(), gas)

    def create_fuzzed(self):
        """Bytes at random are the constructor."""
        return Action(None, programs.fuzz(self.world.around), self._value(), self._gas())

    def request(self):
        if not self.world.fork.has("requests"):
            return self.call()
        address, data, value = predeploys.request(self.random)
        return Action(bytes.fromhex(address), data, value, 250_000)

    def carry_data(self):
        """Much calldata and little work: EIP-7623's floor."""
        data = self.random.choice([bytes, self.random.randbytes])(self.random.randint(100, 2_500))
        to = self.random.choice([self.random.choice(self.world.keys).address, self.random.choice(self.world.contracts)])
        return Action(bytes(to), data, self._value(), self.random.choice([0, 0, 30_000]))

    def create_too_much(self):
        return Action(self.world.oversized_creator, gas=300_000)

    def fund_future_contract(self):
        """A contract may be created where ether already is."""
        creator = self.random.choice([*(key.address for key in self.world.keys), *self.world.contracts])
        nonce = self._nonce_of(Bytes20(creator)) + Uint(self.random.randrange(2))
        return Action(keccak256(rlp.encode([bytes(creator), nonce]))[12:], value=1)

    def bring_all_gas(self):
        """As much gas as one transaction may have (EIP-7825), for nearly nothing."""
        fork = self.world.fork
        cap = int(fork.transactions.TX_MAX_GAS_LIMIT) if fork.has("gas_cap") else 8_000_000
        return Action(self.random.randbytes(20), value=1, all_gas=cap)

    def deploy_largest(self):
        """As much code as a contract may have (EIP-170), or a byte more, with gas to pay for it."""
        return Action(None, programs.largest(self.random), gas=6_000_000)
