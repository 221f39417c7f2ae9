"""A small EVM assembler: opcodes by name, labels, and data behind the code."""

from ethereum.forks.osaka.vm.instructions import Ops

BYTES = {op.name: op.value for op in Ops}
INVALID = 0xFE  # the designated invalid opcode, which the specification does not name


def push(value, size=None):
    """The shortest PUSH of a number, or one of `size` bytes."""
    if size is None:
        size = (value.bit_length() + 7) // 8
    return bytes([BYTES["PUSH0"] + size]) + value.to_bytes(size, "big")


class Code:
    """Bytecode under construction. Every method returns the code itself, to be chained."""

    def __init__(self):
        self._bytes = bytearray()
        self._labels = {}
        self._references = []  # (position of two bytes, label)
        self._data = []  # (label, bytes) that `build` puts behind the code
        self._fresh = 0

    def __len__(self):
        return len(self._bytes)

    def op(self, *names):
        self._bytes += bytes(BYTES[name] for name in names)
        return self

    def push(self, *values):
        """Pushes the values so that the first ends on top, as the opcodes list their operands."""
        for value in reversed(values):
            self._bytes += push(value)
        return self

    def raw(self, data):
        self._bytes += data
        return self

    def fresh(self):
        """A label nobody else uses."""
        self._fresh += 1
        return f"_{self._fresh}"

    def label(self, name):
        """A jump destination here."""
        self._labels[name] = len(self._bytes)
        return self.op("JUMPDEST")

    def push_label(self, name):
        self._bytes.append(BYTES["PUSH2"])
        self._references.append((len(self._bytes), name))
        self._bytes += bytes(2)
        return self

    def load_data(self, data, offset):
        """Copies constant bytes to memory at `offset`."""
        if len(data) <= 32 and data:
            value = int.from_bytes(data.ljust(32, b"\0"), "big")
            return self.push(offset, value).op("MSTORE")
        label = self.fresh()
        self._data.append((label, bytes(data)))
        self.push(len(data)).push_label(label).push(offset)
        return self.op("CODECOPY")

    def build(self):
        """The finished bytecode."""
        code = bytearray(self._bytes)
        if self._data:
            code.append(INVALID)  # running into the data must stop
        labels = dict(self._labels)
        for label, data in self._data:
            labels[label] = len(code)
            code += data
        for position, name in self._references:
            code[position : position + 2] = labels[name].to_bytes(2, "big")
        return bytes(code)


def returning(runtime):
    """Creation code that deploys `runtime`."""
    return Code().load_data(runtime, 0).push(0, len(runtime)).op("RETURN").build()
