"""Compares streams of drawn networks with whole sequences, bit by bit: `python -m tests.streaming --count 30`."""

from __future__ import annotations

import argparse
import sys

from .bits import differences


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.streaming", description=__doc__)
    parser.add_argument("--count", type=int, default=30, help="how many networks")
    parser.add_argument("--start", type=int, default=0, help="the number of the first one")
    parser.add_argument("--steps", type=int, default=10_000, help="how long sequences are")
    parser.add_argument("--dtype", default="float32", choices=("float32", "float64"))
    options = parser.parse_args()
    failures = 0
    for number in range(options.start, options.start + options.count):
        found = differences(number, options.steps, options.dtype)
        failures += bool(found)
        print("\n".join(found) or f"{number}: equal bits", flush=True)
    print(f"{options.count} networks, {failures} differ")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
