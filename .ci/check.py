"""Judges the output of `ashlar` for .ci/run, with nothing but Python's standard library.

  check.py sim COUNT FILE...            so many runs, no violation; prints what was injected
  check.py same FILE FILE               the same seeds with the same digests
  check.py demo SUMMARY RECEIPT ASHLAR  the demo showed what it must, and its receipt verifies
"""

import collections
import json
import pathlib
import subprocess
import sys


def fail(message):
    sys.exit(f"check.py: {message}")


def lines(*paths):
    return [json.loads(line) for path in paths for line in pathlib.Path(path).read_text().splitlines()]


def sim(count, *paths):
    runs = lines(*paths)
    bad = [run for run in runs if run["violations"]]
    for run in bad:
        print(f"seed {run['seed']}: {run['violations']}")
    faults = collections.Counter()
    for run in runs:
        faults.update(run["faults"])
    print(f"{len(runs)} runs, {sum(faults.values())} faults {dict(sorted(faults.items()))}, {len(bad)} with violations")
    if bad:
        fail(f"violations with seeds {[run['seed'] for run in bad]}; repeat with `ashlar sim --seed S`")
    if len({run["seed"] for run in runs}) < int(count):
        fail(f"only {len(runs)} of {count} seeds were run in time")
    if not all(run["digest"] for run in runs) or not faults:
        fail("a run without a digest, or no fault in any run")


def same(one, other):
    digests = [[(run["seed"], run["digest"]) for run in lines(path)] for path in (one, other)]
    if not digests[0] or digests[0] != digests[1]:
        fail(f"digests differ:\n{digests[0]}\n{digests[1]}")
    print(f"the same digests for {len(digests[0])} seeds")


def demo(summary_path, receipt_path, ashlar):
    (summary,) = lines(summary_path)
    expected = {
        "ok": summary["ok"],
        "four validators": summary["validators"] == 4,
        "first receipt within 5 s": summary["first_receipt_ms"] < 5_000,
        "done within 60 s": summary["total_ms"] < 60_000,
        "the same receipt after a kill": summary["receipt"]["identical"]
        and summary["receipt"]["sha256_before"] == summary["receipt"]["sha256_after"],
        "verified in another process": summary["verification"]["valid"] and summary["verification"]["exit_code"] == 0,
        "another identity refused": summary["verification"]["other_identity_refused"],
        "content erased": summary["erasure"]["content_gone"] and summary["erasure"]["attachment_gone"],
        "receipt verifies after erasure": summary["erasure"]["receipt_still_verifies"],
    }
    missing = [name for name, shown in expected.items() if not shown]
    if missing:
        fail(f"the demo did not show: {', '.join(missing)}")

    def verify(path, identity):
        return subprocess.run([ashlar, "verify", path, "--identity", identity], stdout=subprocess.DEVNULL).returncode

    if verify(receipt_path, summary["identity"]) != 0:
        fail("receipt.json does not verify")
    receipt = json.loads(pathlib.Path(receipt_path).read_text())
    receipt["path"]["leaf_index"] += 1
    pathlib.Path("forged.json").write_text(json.dumps(receipt))
    if verify("forged.json", summary["identity"]) != 1:
        fail("a forged receipt was not refused")
    print(f"the demo showed everything in {summary['total_ms']} ms, the first receipt after {summary['first_receipt_ms']} ms")


if __name__ == "__main__":
    {"sim": sim, "same": same, "demo": demo}[sys.argv[1]](*sys.argv[2:])
