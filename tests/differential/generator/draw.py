"""Random choices: all from one seeded source, with the odd values where implementations break."""

EDGES = [
    0,
    1,
    2,
    31,
    32,
    33,
    255,
    256,
    257,
    2**31,
    2**32 - 1,
    2**64 - 1,
    2**64,
    2**128,
    2**160 - 1,
    2**255 - 1,
    2**255,
    2**256 - 1,
]


class Deck:
    """Draws items in random order and none again before all were drawn: covers everything in few draws."""

    def __init__(self, random, items):
        self._random = random
        self._items = list(items)
        self._left = []

    def draw(self):
        if not self._left:
            self._left = self._random.sample(self._items, len(self._items))
        return self._left.pop()


class Turns:
    """Gives the items in their order, from `start` on, again and again: tests that start apart share the work."""

    def __init__(self, items, start):
        self._items = list(items)
        self._next = start

    def draw(self):
        self._next += 1
        return self._items[(self._next - 1) % len(self._items)]


def word(random):
    """A 256-bit number, edges often."""
    kind = random.randrange(4)
    if kind == 0:
        return random.choice(EDGES)
    if kind == 1:
        return random.getrandbits(random.choice([8, 16, 64, 160, 256]))
    if kind == 2:
        return (random.choice(EDGES) + random.randint(-2, 2)) % 2**256
    return random.getrandbits(256)


def blob(random, longest):
    """Bytes, zeros often: calldata prices them differently."""
    length = random.choice([0, 1, 4, 31, 32, 33, 64, random.randint(0, longest)])
    if random.random() < 0.2:
        return bytes(length)
    return random.randbytes(length)


def weighted(random, weights):
    """One key of a dictionary of weights."""
    return random.choices(list(weights), list(weights.values()))[0]
