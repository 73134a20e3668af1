"""Draws many networks over the whole language: `python -m tests.draw --count 1000 --seed 0`.

Each goes through a child process: compiled, compared with the interpreter in predict, loss and five steps of training
on one, two and three threads; half of them also to ONNX and back. What fails is made smaller and printed.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections import Counter
from dataclasses import asdict
from typing import Any

from .networks import draw
from .pool import SECONDS, Pool
from .shrink import SECONDS as SHRINKING
from .shrink import shrink


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.draw", description=__doc__)
    parser.add_argument("--count", type=int, default=1000, help="how many networks")
    parser.add_argument("--start", type=int, default=0, help="the number of the first")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=1, help="child processes at once")
    parser.add_argument("--minutes", type=float, default=1e9, help="stop drawing after so long")
    parser.add_argument(
        "--onnx", choices=("some", "all", "none"), default="some", help="which go to ONNX and back"
    )
    parser.add_argument(
        "--shrink", type=float, default=SHRINKING, metavar="SECONDS", help="for each kind of failure"
    )
    parser.add_argument("--show", action="store_true", help="print every network")
    arguments = parser.parse_args()
    begun = time.perf_counter()
    counts: Counter[str] = Counter()
    kinds: Counter[str] = Counter()
    slowest = 0.0
    trip = {"some": None, "all": True, "none": False}[arguments.onnx]
    numbers = range(arguments.start, arguments.start + arguments.count)
    jobs = ({"number": number, "seed": arguments.seed, "trip": trip} for number in numbers)

    def late() -> bool:
        return time.perf_counter() - begun > 60 * arguments.minutes

    with (
        tempfile.TemporaryDirectory(prefix="netwright-draw-") as cache,
        Pool(arguments.jobs, SECONDS) as pool,
    ):
        os.environ["NETWRIGHT_CACHE_DIR"] = cache  # small kernels come up again and again
        for found in pool.map(jobs, late):
            counts[found["outcome"]] += 1
            counts[f"ONNX {found.get('trip')}"] += found.get("trip", "none") != "none"
            slowest = max(slowest, found["seconds"])
            if arguments.show:
                print(
                    f"{found['number']}: {found['outcome']}\n{json.dumps(found.get('case', {}).get('spec'))}"
                )
            if found["outcome"] == "FAILED":
                kinds[found["what"]] += 1
                report(found, pool, arguments.shrink if kinds[found["what"]] == 1 else 0)
    seconds = time.perf_counter() - begun
    drawn = sum(counts[one] for one in ("agree", "sensitive", "FAILED"))
    shown = ", ".join(f"{count} {name}" for name, count in sorted(counts.items()) if count)
    print(f"{drawn} networks in {seconds:.0f} s, the slowest {slowest:.1f} s: {shown}")
    for kind, count in kinds.most_common():
        print(f"  {count} × {kind}")
    return 1 if counts["FAILED"] else 0


def report(found: dict[str, Any], pool: Pool, seconds: float) -> None:
    again = f"python -m tests.draw --seed {found['seed']} --start {found['number']} --count 1"
    print(f"\n--- {found['what']}\n{again}\n{found['traceback']}", flush=True)
    case = found.get("case")
    if not seconds or (case is None and found["traceback"]):
        return
    if case is None:  # the process ended before it could say what it drew
        case = asdict(draw(found["number"], found["seed"]))

    def fails(spec: dict[str, Any]) -> bool:
        job = {key: found[key] for key in ("number", "seed")} | {
            "trip": found.get("tripped"),
            "case": {**case, "spec": spec},
        }
        return pool.run(job).get("what") == found["what"]

    print(json.dumps(shrink(case["spec"], fails, seconds)), flush=True)


if __name__ == "__main__":
    sys.exit(main())
