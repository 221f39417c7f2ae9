"""Random contracts made of meaningful statements.

What a statement computes goes to memory, storage or a log, so that a difference anywhere reaches the state root or the
receipts root.
"""

import dataclasses

from . import draw, precompiles
from .assembler import INVALID, Code, push, returning

SCRATCH_WORDS = 12  # memory where results are kept
SLOTS = 6  # few, so that statements meet each other's writes

# Operands each opcode takes; all leave one result.
COMPUTATIONS = {
    "ADD": 2, "MUL": 2, "SUB": 2, "DIV": 2, "SDIV": 2, "MOD": 2, "SMOD": 2, "ADDMOD": 3, "MULMOD": 3, "EXP": 2, "SIGNEXTEND": 2,
    "LT": 2, "GT": 2, "SLT": 2, "SGT": 2, "EQ": 2, "ISZERO": 1, "AND": 2, "OR": 2, "XOR": 2, "NOT": 1, "BYTE": 2, "SHL": 2,
    "SHR": 2, "SAR": 2, "CLZ": 1,
}  # fmt: skip
SMALL_FIRST = {"SIGNEXTEND", "BYTE", "SHL", "SHR", "SAR"}  # whose first operand is an index or a shift
ENVIRONMENT = [
    "ADDRESS", "ORIGIN", "CALLER", "CALLVALUE", "CALLDATASIZE", "CODESIZE", "GASPRICE", "RETURNDATASIZE", "COINBASE", "TIMESTAMP",
    "NUMBER", "PREVRANDAO", "GASLIMIT", "CHAINID", "SELFBALANCE", "BASEFEE", "BLOBBASEFEE", "PC", "MSIZE", "GAS",
]  # fmt: skip


@dataclasses.dataclass
class Surroundings:
    """What programs may refer to."""

    fork: object
    random: object
    addresses: list  # accounts of all sorts, as 20 bytes
    inputs: draw.Deck  # precompiles, so that all are called

    def __post_init__(self):
        opcodes = self.fork.opcodes.values()
        self.computations = draw.Deck(self.random, [name for name in COMPUTATIONS if name in opcodes])
        self.environment = draw.Deck(self.random, ENVIRONMENT)

    def address(self):
        """An account, a precompile, or nobody."""
        kind = self.random.random()
        if kind < 0.8:
            return self.random.choice(self.addresses)
        if kind < 0.9:
            return self.random.choice(self.fork.precompile_numbers).to_bytes(20, "big")
        return self.random.randint(0x12, 0x1234).to_bytes(20, "big")

    def precompile(self, inputs=None):
        """(address, input) of a precompile."""
        number = (inputs or self.inputs).draw()
        return number.to_bytes(20, "big"), precompiles.MAKERS[number](self.random)


class Program:
    """Writes one contract."""

    def __init__(self, around, depth=0):
        self.around = around
        self.random = around.random
        self.depth = depth  # contracts that create contracts that create contracts
        self.code = Code()
        self._statements = {
            self.compute: 6,
            self.observe_environment: 4,
            self.observe_account: 2,
            self.observe_calldata: 2,
            self.observe_history: 1,
            self.observe_code: 1,
            self.hash_memory: 1,
            self.store: 6,
            self.store_repeatedly: 2,
            self.load: 3,
            self.store_transiently: 2,
            self.log: 2,
            self.move_memory: 2,
            self.shuffle_stack: 1,
            self.loop: 1,
            self.branch: 2,
            self.call: 6,
            self.call_precompile: 1.5,
            self.call_self: 1,
            self.copy_returned: 2,
        }
        if depth < 2:
            self._statements[self.create] = 3

    def write(self, length=None):
        """The whole contract."""
        for _ in range(self.random.randint(1, 9) if length is None else length):
            draw.weighted(self.random, self._statements)()
        self.end()
        return self.code.build()

    # --- places results go to ------------------------------------------------------------------------------------------------

    def keep(self):
        """Takes the top of the stack where it is seen."""
        kind = self.random.random()
        if kind < 0.75:
            self.code.push(32 * self.random.randrange(SCRATCH_WORDS)).op("MSTORE")
        elif kind < 0.9:
            self.code.push(self.slot()).op("SSTORE")
        elif kind < 0.95:
            self.code.push(self.random.randrange(400)).op("MSTORE8")
        else:
            self.code.op("POP")

    def slot(self):
        return self.random.choice([self.random.randrange(SLOTS), self.random.randrange(SLOTS), 2**256 - 1])

    def stored(self):
        """A value to store: zero often, for refunds."""
        return self.random.choice([0, 0, 1, 2, draw.word(self.random)])

    def region(self, longest=96):
        """(offset, length) of memory, small mostly."""
        return self.random.randrange(0, 32 * SCRATCH_WORDS), self.random.choice([0, 1, 32, self.random.randint(0, longest)])

    # --- statements that observe ---------------------------------------------------------------------------------------------

    def compute(self):
        for _ in range(self.random.randint(3, 8)):
            name = self.around.computations.draw()
            operands = [draw.word(self.random) for _ in range(COMPUTATIONS[name])]
            if name in SMALL_FIRST and self.random.random() < 0.8:
                operands[0] = self.random.randrange(260)
            if name == "EXP" and self.random.random() < 0.5:
                operands[1] = self.random.randrange(70)
            self.code.push(*operands).op(name)
            self.keep()

    def observe_environment(self):
        for _ in range(self.random.randint(2, 6)):
            self.code.op(self.around.environment.draw())
            self.keep()

    def observe_account(self):
        """Twice at times: cold, then warm."""
        address = int.from_bytes(self.around.address(), "big")
        for _ in range(self.random.choice([1, 2])):
            name = self.random.choice(["BALANCE", "EXTCODESIZE", "EXTCODEHASH", "EXTCODECOPY"])
            if name == "EXTCODECOPY":
                offset, length = self.region()
                self.code.push(address, offset, self.random.choice([0, 5, 2**256 - 1]), length).op(name)
            else:
                # Dirt above the 160 bits of the address must be ignored.
                self.code.push(address + (self.random.choice([0, 0, 1 << 160, 0xFF << 248]))).op(name)
                self.keep()
        self.code.op("GAS")
        self.keep()

    def observe_calldata(self):
        self.code.push(self.random.choice([0, 4, 31, 64, 2**64, 2**256 - 1])).op("CALLDATALOAD")
        self.keep()
        offset, length = self.region()
        self.code.push(offset, self.random.choice([0, 3, 2**256 - 1]), length).op("CALLDATACOPY")

    def observe_history(self):
        """Hashes of blocks, recent, this one, too old; and of blobs."""
        self.code.push(self.random.choice([0, 1, 2, 3, 255, 256, 257, 300])).op("NUMBER", "SUB", "BLOCKHASH")
        self.keep()
        self.code.push(self.random.choice([0, 1, 2, 6, 2**64, 2**256 - 1])).op("BLOBHASH")
        self.keep()

    def observe_code(self):
        offset, length = self.region()
        self.code.push(offset, self.random.choice([0, 7, 2**20, 2**256 - 1]), length).op("CODECOPY")

    def hash_memory(self):
        self.code.push(*self.region(longest=300)).op("KECCAK")
        self.keep()

    # --- statements on storage, memory and stack -----------------------------------------------------------------------------

    def store(self):
        self.code.push(self.slot(), self.stored()).op("SSTORE")

    def store_repeatedly(self):
        """The paths of EIP-2200: original, dirty, reset to original, cleared."""
        slot = self.slot()
        original = self.random.random() < 0.5
        if original:
            self.code.push(slot).op("SLOAD")  # stays on the stack, to be put back
        for _ in range(self.random.randint(2, 4)):
            self.code.push(slot, self.stored()).op("SSTORE")
        if original:
            self.code.push(slot).op("SSTORE")
        self.code.op("GAS")
        self.keep()

    def load(self):
        slot = self.slot()
        for _ in range(self.random.choice([1, 2])):
            self.code.push(slot).op("SLOAD")
            self.keep()

    def store_transiently(self):
        slot = self.random.randrange(3)
        self.code.push(slot).op("TLOAD")
        self.keep()
        self.code.push(slot, draw.word(self.random)).op("TSTORE")
        self.code.push(slot).op("TLOAD")
        self.keep()

    def log(self):
        topics = self.random.randrange(5)
        self.code.push(*self.region(longest=200), *(draw.word(self.random) for _ in range(topics))).op(f"LOG{topics}")

    def move_memory(self):
        (to, length), (source, _) = self.region(), self.region()
        self.code.push(to, source, length).op("MCOPY")
        self.code.push(self.random.choice([0, 1, 33, 500, 5000])).op("MLOAD")
        self.keep()

    def shuffle_stack(self):
        """Some of all DUPs and SWAPs, over 17 values."""
        for _ in range(17):
            size = self.random.randint(1, 32)
            self.code.raw(push(self.random.getrandbits(8 * size), size))
        for _ in range(6):
            kind = self.random.choice(["DUP", "SWAP"])
            self.code.op(f"{kind}{self.random.randint(1, 16)}")
            self.keep()
            if kind == "SWAP":
                self.code.op("GAS")  # in place of the one that was taken
        for _ in range(16):
            self.code.op("XOR" if self.random.random() < 0.7 else "ADD")
        self.keep()

    def loop(self):
        """Counts down, with a body that is cheap for the specification."""
        label = self.code.fresh()
        self.code.push(self.random.randint(1, 12)).label(label)
        for _ in range(self.random.randint(1, 2)):
            self.random.choice([self.load, self.store, self.log, self.compute, self.hash_memory])()
        self.code.push(1).op("SWAP1", "SUB", "DUP1").push_label(label).op("JUMPI", "POP")

    def branch(self):
        """On something that differs between calls."""
        label = self.code.fresh()
        self.code.push(self.random.randrange(32)).op("CALLDATALOAD").push(1).op("AND").push_label(label).op("JUMPI")
        self.random.choice([self.store, self.call, self.log, self.compute])()
        self.code.label(label)

    # --- statements that leave the contract ----------------------------------------------------------------------------------

    def call(self, address=None):
        """Any call to anybody, observed: success, what was returned, what it cost."""
        name = self.random.choice(["CALL", "CALL", "CALLCODE", "DELEGATECALL", "STATICCALL"])
        if address is None:
            address = int.from_bytes(self.around.address(), "big")
        self._call(name, address, self.region(), self.region())

    def _call(self, name, address, given, returned):
        self.code.push(*given, *returned)
        if name in ("CALL", "CALLCODE"):
            value = self.random.choice([0, 0, 0, 0, 1, 1, 10**9, 10**30])
            self.code.push(value)
        if address is None:
            self.code.op("ADDRESS")
        else:
            self.code.push(address)
        gas = self.random.choice([None] * 6 + [0, 2300, 5000, 30_000, 100_000, 2**256 - 1])
        if gas is None:
            self.code.op("GAS")
        else:
            self.code.push(gas)
        self.code.op(name)
        self.keep()
        self.code.op("RETURNDATASIZE")
        self.keep()
        self.code.op("GAS")
        self.keep()

    def call_self(self):
        """Recursion, as deep as the gas lets it."""
        self._call(self.random.choice(["CALL", "DELEGATECALL", "STATICCALL"]), None, self.region(), self.region())

    def call_precompile(self):
        address, data = self.around.precompile()
        self.code.load_data(data, 0)
        name = self.random.choice(["CALL", "CALLCODE", "DELEGATECALL", "STATICCALL"])
        self._call(name, int.from_bytes(address, "big"), (0, len(data)), (0, self.random.choice([0, 32, 64, 256])))

    def copy_returned(self):
        """Within bounds mostly; out of bounds ends the frame."""
        if self.random.random() < 0.07:
            self.code.push(0, self.random.choice([1, 2**64, 2**256 - 1]), self.random.choice([1, 500]))
        else:
            self.code.op("RETURNDATASIZE").push(0, 32 * self.random.randrange(SCRATCH_WORDS))
        self.code.op("RETURNDATACOPY")

    def create(self):
        """CREATE or CREATE2, then a look at what came of it; the same salt twice collides."""
        creation_code = creation(self.around, self.depth + 1)
        name = self.random.choice(["CREATE", "CREATE2"])
        base = 32 * SCRATCH_WORDS
        self.code.load_data(creation_code, base)
        salt = self.random.choice([0, 1, draw.word(self.random)])
        value = self.random.choice([0, 0, 0, 0, 1, 10**30])
        for _ in range(2 if name == "CREATE2" and self.random.random() < 0.4 else 1):
            if name == "CREATE2":
                self.code.push(salt)
            self.code.push(value, base, len(creation_code)).op(name, "DUP1")
            self.keep()
            if self.random.random() < 0.6:
                # Calls the new contract, whose address is below the five operands.
                self.code.push(self.random.choice([0, 1]), 0, 0, 0, 0).op("DUP6", "GAS", "CALL")
                self.keep()
            self.code.op(self.random.choice(["EXTCODEHASH", "EXTCODESIZE", "BALANCE"]))
            self.keep()

    # --- ends ----------------------------------------------------------------------------------------------------------------

    def end(self):
        kinds = {
            self.end_returning: 10,
            self.end_stopping: 4,
            self.end_reverting: 3,
            self.end_destroying: 2,
            self.end_halting: 2.5,
            self.end_falling_off: 1,
        }
        draw.weighted(self.random, kinds)()

    def end_returning(self):
        self.code.push(*self.region(longest=300)).op("LOG0")
        self.code.push(*self.region(longest=300)).op("RETURN")

    def end_stopping(self):
        self.code.push(0, 32 * SCRATCH_WORDS).op("KECCAK").push(self.slot()).op("SSTORE", "STOP")

    def end_falling_off(self):
        """The end of the code is a STOP."""

    def end_reverting(self):
        self.code.push(*self.region()).op("REVERT")

    def end_destroying(self):
        if self.random.random() < 0.3:
            self.code.op("ADDRESS")
        else:
            self.code.push(int.from_bytes(self.around.address(), "big"))
        self.code.op("SELFDESTRUCT")

    def end_halting(self):
        """Everything that takes all gas."""
        random = self.random
        kind = random.randrange(8)
        if kind == 0:
            self.code.raw(bytes([random.choice([INVALID, *self.around.fork.undefined_opcodes])]))
        elif kind == 1:  # memory nobody can pay
            self.code.push(random.choice([2**32, 2**64, 2**256 - 1])).op("MLOAD")
        elif kind == 2:  # a jump into a push's data, or to no JUMPDEST
            inside = len(self.code) + 1
            self.code.raw(push(0x5B5B, 2)).push(random.choice([inside, 2**64, 2**256 - 1])).op("JUMP")
        elif kind == 3:
            self.code.op(*["POP"] * 40)
        elif kind == 4:  # a stack that never ends
            label = self.code.fresh()
            self.code.label(label).op(*["PUSH0"] * 40).push_label(label).op("JUMP")
        elif kind == 5:
            self.code.push(0, 2**256 - 1, 1).op("RETURNDATACOPY")
        elif kind == 6:  # a return nobody can pay
            self.code.push(2**255, 1).op("RETURN")
        else:
            self.code.op("SSTORE")  # an empty stack, most of the time


def creation(around, depth=0):
    """Creation code: it deploys a program mostly, or does one of the things that must fail or leave nothing."""
    random = around.random
    kinds = {
        "program": 8, "empty": 1, "reverts": 1, "reserved": 1, "delegation": 0.5, "destroys": 1.5, "destroyable": 2,
        "largest": 0.5, "halts": 0.5, "runs": 3,
    }  # fmt: skip
    kind = draw.weighted(random, kinds)
    if kind == "program":
        return returning(Program(around, depth + 1).write(random.randint(1, 3) if depth == 0 else 1))
    if kind == "runs":  # the constructor is a program itself
        return Program(around, depth + 1).write(random.randint(1, 4) if depth == 0 else 1)
    if kind == "reverts":
        return Code().push(random.randbytes(1)[0], 0).op("MSTORE").push(0, random.randrange(64)).op("REVERT").build()
    if kind == "reserved":  # EIP-3541
        return returning(b"\xef" + random.randbytes(random.randrange(3)))
    if kind == "delegation":  # looks like EIP-7702's, and must not be deployable
        return returning(b"\xef\x01\x00" + around.address())
    if kind == "destroys":  # in the constructor: EIP-6780 lets it vanish
        code = Code().push(1, 1).op("SSTORE")
        return code.push(int.from_bytes(around.address(), "big")).op("SELFDESTRUCT").build()
    if kind == "destroyable":
        return returning(Code().push(int.from_bytes(around.address(), "big")).op("SELFDESTRUCT").build())
    if kind == "largest":
        return largest(random)
    if kind == "halts":
        return bytes([INVALID])
    return b""


def largest(random):
    """Creation code of a contract with all the code that is allowed (EIP-170), or one byte more."""
    return Code().push(0, 0x6000 + random.randrange(2)).op("RETURN").build()


def oversized_creator(random):
    """A contract whose CREATE exceeds EIP-3860's limit on creation code, by one byte or not."""
    size = 0xC000 + random.randrange(2)
    return Code().push(0, 0, size).op("CREATE").push(0).op("SSTORE", "GAS").push(1).op("SSTORE", "STOP").build()


def fuzz(around):
    """Bytes that are not meant: opcodes at random, with enough pushes to get somewhere."""
    random = around.random
    code = bytearray(b"".join(push(random.randrange(64), 1) for _ in range(8)))
    opcodes = list(around.fork.opcodes)
    for _ in range(random.randint(5, 120)):
        kind = random.random()
        if kind < 0.5:
            size = random.choice([0, 1, 1, 1, 1, 1, 2, 20, 32])
            value = random.getrandbits(8 * size) if size else 0
            code += push(value % 64 if size == 1 else value, size)
        elif kind < 0.99:
            code.append(random.choice(opcodes))
        else:
            code.append(random.randrange(256))
    return bytes(code)
