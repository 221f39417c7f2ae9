"""Writes random blocks with what the executable specification (EELS) makes of them, for another implementation to agree with.

The files are in the public BlockchainTests format. A run is repeated by its seed. The last line printed is a JSON object:
how many blocks, how long it took, and what they covered. The exit code is not 0 when something a full run must cover was not.
"""

import argparse
import concurrent.futures
import json
import pathlib
import sys
import time

from generator import coverage, story

# EVM frames nest in the interpreter's own: 1024 of them, some 12 calls each.
RECURSION_LIMIT = 20_000


QUIET_BLOCKS = 258  # more than BLOCKHASH remembers


FORKS = ("Cancun", "Prague", "Osaka")


def shares(text):
    """osaka=7,prague=2 as {"Osaka": 7, "Prague": 2}."""
    try:
        pairs = [item.split("=") for item in text.split(",")]
        found = {name.strip().capitalize(): int(share) for name, share in pairs}
    except ValueError:
        raise argparse.ArgumentTypeError("write NAME=SHARE,NAME=SHARE") from None
    if not set(found) <= set(FORKS) or min(found.values()) < 1:
        raise argparse.ArgumentTypeError(f"forks are {', '.join(FORKS)}, shares at least 1")
    return found


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, required=True, help="everything random follows from it")
    parser.add_argument("--blocks", type=int, required=True, help="how many valid blocks; invalid and empty ones come on top")
    parser.add_argument("--out", type=pathlib.Path, required=True, help="folder to write to; it must not hold tests yet")
    parser.add_argument("--per-file", type=int, default=10, metavar="N", help="valid blocks in one test (default 10)")
    parser.add_argument(
        "--forks",
        type=shares,
        default="osaka=7,prague=2,cancun=1",
        metavar="LIST",
        help="forks and their shares (default %(default)s)",
    )
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="processes (default 1); the result is the same")
    parser.add_argument("--deep", action="store_true", help=f"let {QUIET_BLOCKS} empty blocks go before the last test's")
    parser.add_argument("--gaps", action="store_true", help="report what was not covered, but do not fail for it")
    parser.add_argument("--only", metavar="NAME", help="write only the test of this name, as a report of a difference gives it")
    return parser.parse_args()


def plan(options):
    """(fork, seed, number, length, quiet) of every test: forks take turns by their shares."""
    # Those with few turns first: a short run has them too.
    turns = [network for network, share in sorted(options.forks.items(), key=lambda item: item[1]) for _ in range(share)]
    left, numbers, tests = options.blocks, dict.fromkeys(turns, 0), []
    while left > 0:
        network = turns[len(tests) % len(turns)]
        number, length = numbers[network], min(options.per_file, left)
        tests.append((network, options.seed, number, length, 0))
        numbers[network] += 1
        left -= length
    if options.deep:
        tests[-1] = (*tests[-1][:4], QUIET_BLOCKS)
    return tests


def write(out, only, network, seed, number, length, quiet):
    """Writes one test; its counters."""
    sys.setrecursionlimit(RECURSION_LIMIT)
    told = story.Story(network, seed, number)
    if only not in (None, told.name):
        return {}
    name, test, counts = told.write(length, quiet)
    (out / f"{name}.json").write_text(json.dumps({name: test}, indent=1))
    return {topic: dict(counter) for topic, counter in counts.items()}


def main():
    options = arguments()
    options.out.mkdir(parents=True, exist_ok=True)
    if next(options.out.glob("*.json"), None):
        sys.exit(f"{options.out} holds tests already: name another folder")
    began = time.monotonic()
    total = coverage.Coverage()
    with concurrent.futures.ProcessPoolExecutor(options.jobs) as pool:
        for written in [pool.submit(write, options.out, options.only, *test) for test in plan(options)]:
            total.add(written.result())
    missing = [] if options.only else total.missing(options.forks)
    print(
        json.dumps(
            {
                "seed": options.seed,
                "blocks": sum(total.counts["blocks"].values()),
                "invalid_blocks": sum(total.counts["invalid blocks"].values()),
                "seconds": round(time.monotonic() - began, 1),
                "missing": missing,
                "coverage": total.table(),
            }
        )
    )
    if not total.counts["blocks"]:
        sys.exit(f"generate.py: this run has no test named {options.only}")
    if missing and not options.gaps:
        sys.exit(f"generate.py: not covered: {', '.join(missing)}")


if __name__ == "__main__":
    main()
