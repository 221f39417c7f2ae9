"""Counts what the specification was led through, and says what is missing."""

import collections

from ethereum import trace

from . import envelopes, forks, invalid

CREATES = {0xF0: "CREATE", 0xF5: "CREATE2"}
HALTS = [
    "InvalidOpcode", "OutOfGasError", "StackUnderflowError", "StackOverflowError", "InvalidJumpDestError", "WriteInStaticContext",
    "OutOfBoundsRead", "InvalidContractPrefix", "InvalidParameter", "KZGProofError",
]  # fmt: skip
OUTCOMES = [
    "succeeded", "failed", "reverted frames", "destroyed accounts", "refunded", "refund capped", "paid the floor",
    "frames below 10", "logs", "withdrawals",
]  # fmt: skip
REQUESTS = {0: "deposits", 1: "withdrawals", 2: "consolidations"}


class Coverage:
    """Counters by topic. As a tracer of the specification it counts opcodes, frames and precompiles."""

    def __init__(self):
        self.counts = collections.defaultdict(collections.Counter)
        self._end = None  # the last message call that ended

    def __call__(self, evm, event):
        kind = type(event)
        counts = self.counts
        if kind is trace.OpStart:
            counts["opcodes"][event.op.name] += 1
        elif kind is trace.PrecompileEnd:
            name = hex(int.from_bytes(evm.message.code_address, "big"))
            counts["precompiles"][f"{name} {'gave output' if evm.output else 'gave nothing'}"] += 1
        elif kind is trace.OpException:
            self._exception(evm, event.error)
        elif kind is trace.EvmStop:
            if evm.message.target == b"":
                parent = evm.message.parent_evm
                by = CREATES[parent.code[int(parent.pc)]] if parent else "transaction"
                counts["created by"][by] += 1
            if int(evm.message.depth) >= 10:
                counts["outcomes"]["frames below 10"] += 1
        elif kind is trace.TransactionEnd:
            self._end = evm

    def _exception(self, evm, error):
        name = type(error).__name__
        address = evm.message.code_address
        if address and not evm.code and int.from_bytes(address, "big") <= 0x100:
            self.counts["precompiles"][f"{hex(int.from_bytes(address, 'big'))} failed"] += 1
        if name == "Revert":
            self.counts["outcomes"]["reverted frames"] += 1
        else:
            self.counts["halts"][name] += 1

    def transaction(self, fork, kind, transaction, receipt, gas_used):
        """Notes a transaction right after it was executed."""
        outcomes = self.counts["outcomes"]
        status = "succeeded" if receipt.succeeded else "failed"
        outcomes[status] += 1
        outcomes["logs"] += len(receipt.logs)
        self.counts["transactions"][f"{fork.network} {kind} {status}"] += 1
        evm, self._end = self._end, None
        # Found after the constructor's frame ended, so no event tells of it.
        if evm and type(evm.error).__name__ == "InvalidContractPrefix":
            self.counts["halts"]["InvalidContractPrefix"] += 1
        if receipt.succeeded:
            outcomes["destroyed accounts"] += len(evm.accounts_to_delete)
            spent = int(transaction.gas) - int(evm.gas_left)
            outcomes["refunded"] += evm.refund_counter > 0
            outcomes["refund capped"] += evm.refund_counter > spent // 5
        if fork.has("floor"):
            floor = int(fork.transactions.calculate_intrinsic_cost(transaction)[1])
            outcomes["paid the floor"] += gas_used == floor > 21_000

    def block(self, fork, output, withdrawals):
        """Notes a finished block."""
        self.counts["blocks"][fork.network] += 1
        self.counts["outcomes"]["withdrawals"] += len(withdrawals)
        for request in getattr(output, "requests", ()):
            self.counts["requests"][REQUESTS[request[0]]] += 1

    def add(self, counts):
        """Adds another run's counters."""
        for topic, counter in counts.items():
            self.counts[topic].update(counter)

    def missing(self, networks):
        """Everything a full run must have reached and this one has not."""
        wanted = set()
        for fork in map(forks.load, networks):
            for kind in envelopes.kinds(fork):
                wanted |= {("transactions", f"{fork.network} {kind} {status}") for status in ("succeeded", "failed")}
            wanted |= {("opcodes", name) for name in fork.opcodes.values()}
            for number in fork.precompile_numbers:
                good, bad = (f"{hex(number)} {result}" for result in ("gave output", "failed"))
                wanted.add(("precompiles", good))
                # Only their price can fail these two, and they answer bad input with nothing.
                wanted.add(("precompiles", f"{hex(number)} gave nothing" if number in (0x01, 0x100) else bad))
            if fork.has("set_code"):
                wanted |= {("authorizations", kind) for kind in envelopes.AUTHORIZATIONS}
            if fork.has("requests"):
                wanted |= {("requests", kind) for kind in REQUESTS.values()}
            wanted |= {("invalid blocks", f"{fork.network} {kind}") for kind in invalid.kinds(fork)}
        wanted |= {("created by", by) for by in ("transaction", *CREATES.values())}
        wanted |= {("halts", name) for name in HALTS}
        wanted |= {("outcomes", name) for name in OUTCOMES}
        return sorted(f"{topic}: {name}" for topic, name in wanted if not self.counts[topic][name])

    def table(self):
        """For people and JSON: sorted."""
        return {topic: dict(sorted(counter.items())) for topic, counter in sorted(self.counts.items())}
