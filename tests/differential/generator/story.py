"""One test: a chain of random blocks in one world."""

import random

from ethereum import trace
from ethereum_types.bytes import Bytes20
from ethereum_types.numeric import U64, U256

from . import chain as chains
from . import coverage, draw, envelopes, fixtures, forks, invalid, predeploys
from .actions import Actions
from .world import World

TRANSACTIONS_MAX = 11
INVALID_PER_BLOCK = 2
FLAWS_PER_TEST = 10 * INVALID_PER_BLOCK  # with the usual ten blocks, the next test goes on where this one stopped
OUT_OF_REACH = {bytes.fromhex(predeploys.DEPOSITS)}  # a stray log of it makes the block invalid


class Story:
    """Writes one test. Everything random in it comes from the seed."""

    def __init__(self, network, seed, number):
        self.fork = forks.load(network)
        self.random = random.Random(f"{network}/{seed}/{number}")
        self.name = f"{network.lower()}_{seed}_{number:03}"
        self.about = {"seed": f"{network}/{seed}/{number}", "specification": "ethereum-execution"}
        self.coverage = coverage.Coverage()
        self.world = World(self.fork, self.random, number)
        self.envelopes = envelopes.Envelopes(self.world)
        self._flaws = draw.Turns(invalid.kinds(self.fork), FLAWS_PER_TEST * number)
        self.chain = chains.Chain(
            self.fork,
            self.world.accounts,
            gas_limit=self.random.choice([9_000_000, 16_000_000, 16_000_000, 36_000_000]),
            base_fee=self.random.choice([7, 1_000, 10**9, 10**9, 30 * 10**9]),
            excess_blob_gas=self.random.choice([0, 0, 393_216, 10_000_000, 50_000_000]),
            timestamp=self.random.choice([1_000, 1_800_000_000]),
        )

    def write(self, length, quiet):
        """(name, test, counters) with so many valid blocks, after `quiet` empty ones."""
        genesis = self.chain.head
        blocks = [self._empty_block() for _ in range(quiet)]
        for _ in range(length):
            blocks += self._next_blocks()
        self.coverage.counts["authorizations"].update(self.envelopes.authorizations_drawn)
        post = chains.dump(self.chain.state)
        test = fixtures.test(self.fork, genesis, self.world.accounts, blocks, self.chain.head, post, self.about)
        return self.name, test, self.coverage.counts

    def _empty_block(self):
        """For the blocks after it to have a past."""
        draft = chains.Draft(self.chain, self._surrounding())
        block = draft.finish(())
        self.chain.append(block)
        return fixtures.block(self.fork, block, [])

    def _next_blocks(self):
        """A valid block, and before it invalid ones in its place."""
        surrounding = self._surrounding()
        draft = chains.Draft(self.chain, surrounding)
        targets = [address for address in map(bytes, self.chain.state._main_trie._data) if address not in OUT_OF_REACH]
        actions = Actions(self.world, targets, draft.nonce_of)
        previous = trace.set_evm_trace(self.coverage)
        try:
            for _ in range(self.random.choice([0, *range(3, TRANSACTIONS_MAX + 1)])):
                self._add_transaction(draft, actions)
        finally:
            trace.set_evm_trace(previous)
        withdrawals = self._withdrawals()
        block = draft.finish(withdrawals)
        self.coverage.block(self.fork, draft.output, withdrawals)
        written = []
        for _ in range(INVALID_PER_BLOCK):
            written.append(self._invalid_block(block, surrounding))
        # The sealed block goes through the specification as a whole again: its own validation must agree.
        self.chain.append(block)
        written.append(fixtures.block(self.fork, block, draft.receipts()))
        return written

    def _surrounding(self):
        parent = self.chain.head.header
        step = int(parent.gas_limit) // 1024 - 1
        coinbase = self.random.choice(
            [self.random.randbytes(20), b"\xc0" * 20, bytes(self.world.keys[0].address), self.world.contracts[0]]
        )
        return chains.Surrounding(
            coinbase=coinbase,
            timestamp=int(parent.timestamp) + self.random.choice([1, 12, 12, 1000]),
            gas_limit=int(parent.gas_limit) + self.random.choice([0, 0, step, -step]),
            prev_randao=self.random.randbytes(32),
            beacon_root=self.random.randbytes(32),
            extra_data=self.random.randbytes(self.random.choice([0, 5, 32])),
        )

    def _add_transaction(self, draft, actions):
        transaction, kind = self.envelopes.wrap(actions.draw(), draft.nonce_of, int(draft.base_fee), int(draft.blob_fee))
        refusal = draft.refusal(transaction)
        if refusal is not None:
            self.coverage.counts["not sent"][type(refusal).__name__] += 1
            return
        before = int(draft.output.block_gas_used)
        receipt = draft.add(transaction)
        self.coverage.transaction(self.fork, kind, transaction, receipt, int(draft.output.block_gas_used) - before)

    def _withdrawals(self):
        """To accounts of all sorts; of nothing too, which must not create an account."""
        return tuple(
            self.fork.blocks.Withdrawal(
                index=U64(self.random.getrandbits(16)),
                validator_index=U64(self.random.getrandbits(16)),
                address=Bytes20(self.random.choice([self.random.randbytes(20), self.world.around.address()])),
                amount=U256(self.random.choice([0, 1, 32 * 10**9])),
            )
            for _ in range(self.random.choice([0, 0, 1, 3]))
        )

    def _invalid_block(self, block, surrounding):
        context = invalid.Context(self.world, self.chain, self.envelopes, block, chains.Draft(self.chain, surrounding))
        while True:
            kind = self._flaws.draw()
            made = invalid.make(kind, context)
            if made is not None:
                self.coverage.counts["invalid blocks"][f"{self.fork.network} {kind}"] += 1
                return fixtures.invalid_block(*made)
