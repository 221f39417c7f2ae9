"""The accounts and contracts every generated chain starts with."""

from ethereum_types.bytes import Bytes20

from . import draw, predeploys, programs
from .assembler import Code
from .wallet import Key

CHAIN_ID = 1  # as in the public tests

KEYS = 10
PROGRAMS = 14
FUZZED = 3
LAST_NONCE = 2**64 - 1  # with it, nothing can be created (EIP-2681)
RELAY_CALLS = ["CALL", "CALLCODE", "DELEGATECALL", "STATICCALL"]

# A pairing takes the specification up to a second, these next to nothing.
SLOW_PRECOMPILES = {0x08, 0x0E, 0x0F, 0x11}


def _relay(opcode):
    """Calls the address in the first word of its calldata with the rest, and logs what came back and what it cost."""
    code = Code().push(32).op("CALLDATASIZE", "SUB").push(0, 32).op("CALLDATACOPY")
    code.push(0, 0).push(32).op("CALLDATASIZE", "SUB").push(0)
    if opcode in ("CALL", "CALLCODE"):
        code.op("CALLVALUE")
    code.push(0).op("CALLDATALOAD", "GAS", opcode)
    code.push(0).op("SSTORE", "RETURNDATASIZE").push(0, 0).op("RETURNDATACOPY")
    return code.op("GAS", "RETURNDATASIZE").push(0).op("LOG1", "STOP").build()


class World:
    """Keys to sign with, and the state of block 0 in the public test format's shape (but with numbers and bytes)."""

    def __init__(self, fork, random, number):
        self.fork = fork
        self.random = random
        self.keys = [Key.random(random) for _ in range(KEYS)]
        self.poor = Key.random(random)
        self.contract_key = Key.random(random)  # of an account with code, which cannot send (EIP-3607)
        self.delegated = [Key.random(random) for _ in range(5)] if fork.has("set_code") else []
        self.relays = [random.randbytes(20) for _ in RELAY_CALLS]
        programs_at = [random.randbytes(20) for _ in range(PROGRAMS)]
        fuzzed_at = [random.randbytes(20) for _ in range(FUZZED)]
        self.oversized_creator = random.randbytes(20)
        self.contracts = programs_at + fuzzed_at + [self.oversized_creator]
        # Of the world's own contracts many are never called, so what transactions do to precompiles has turns of its own.
        quick = [address for address in fork.precompile_numbers if address not in SLOW_PRECOMPILES]
        slow = [address for address in fork.precompile_numbers if address in SLOW_PRECOMPILES]
        turns = [*quick, *slow, *quick]
        self.precompile_turns = draw.Turns(turns, number * len(turns) // 2)
        self.around = programs.Surroundings(
            fork=fork,
            random=random,
            # Contracts often: calls between them are what is rich.
            addresses=self.contracts * 3
            + [bytes(key.address) for key in self.signers()]
            + [bytes.fromhex(predeploys.BEACON_ROOTS)],
            inputs=draw.Deck(random, turns),
        )
        self.accounts = {}
        for address, code in predeploys.codes(fork).items():
            self._account(bytes.fromhex(address), nonce=1, code=code)
        for key in self.keys:
            self._account(key.address, balance=10**24, nonce=random.choice([0, 0, 1, 300]))
        self._account(self.poor.address, balance=10**13)
        self._account(self.contract_key.address, balance=10**24, nonce=1, code=b"\x00")
        self._delegate(programs_at)
        for address, opcode in zip(self.relays, RELAY_CALLS, strict=True):
            self._account(address, nonce=1, balance=10**18, code=_relay(opcode))
        for address in programs_at:
            self._contract(address, programs.Program(self.around).write())
        for address in fuzzed_at:
            self._contract(address, programs.fuzz(self.around))
        self._contract(self.oversized_creator, programs.oversized_creator(random))

    def signers(self):
        return [*self.keys, self.poor, *self.delegated]

    def _account(self, address, balance=0, nonce=0, code=b"", storage=None):
        self.accounts[Bytes20(address)] = {"balance": balance, "nonce": nonce, "code": code, "storage": storage or {}}

    def _contract(self, address, code):
        storage = {
            slot: self.random.choice([1, draw.word(self.random)]) or 1
            for slot in range(programs.SLOTS)
            if self.random.random() < 0.5
        }
        self._account(
            address,
            balance=self.random.choice([0, 1, 10**18]),
            nonce=self.random.choice([1, 1, 1, 1, 7, LAST_NONCE - 1, LAST_NONCE]),
            code=code,
            storage=storage,
        )

    def _delegate(self, programs_at):
        """Accounts that are delegated from the start: to contracts, to a precompile, in a chain, to themselves."""
        if not self.delegated:
            return
        one, two, three, four, five = (bytes(key.address) for key in self.delegated)
        to = {
            one: programs_at[0],
            two: self.random.choice(programs_at),
            three: self.random.choice(self.fork.precompile_numbers).to_bytes(20, "big"),
            four: one,
            five: five,
        }
        for address, target in to.items():
            self._account(address, balance=10**22, nonce=self.random.choice([1, 2]), code=b"\xef\x01\x00" + target)
