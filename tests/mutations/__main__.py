"""Breaks many specs: `python -m tests.mutations --count 10000 --seed 0`."""

from __future__ import annotations

import argparse
import resource
import signal
import sys
import time
import traceback
from collections import Counter
from random import Random

from .check import check
from .mutate import Mutator
from .text import Mutation
from .zoo import Subject, subjects

SECONDS = 60
MOST_BYTES = 8 << 30
NATIVE_SHARE = 0.01


def draw(number: int, seed: int) -> tuple[Subject, Mutation, Random]:
    """The mutation of a number: the same for the same seed, whatever came before."""
    random = Random(f"{seed}/{number}")
    while True:
        subject = random.choice(subjects())
        made = Mutator(subject.text, subject.file, random).mutate()
        if made is not None:
            return subject, made, random


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.mutations", description=__doc__)
    parser.add_argument("--count", type=int, default=10_000, help="how many mutations")
    parser.add_argument("--start", type=int, default=0, help="the number of the first")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--native", type=float, default=NATIVE_SHARE, help="the share that is compiled to the end"
    )
    parser.add_argument(
        "--show", action="store_true", help="print the mutated specs and what is said of them"
    )
    arguments = parser.parse_args()
    signal.signal(signal.SIGALRM, _late)
    resource.setrlimit(resource.RLIMIT_AS, (MOST_BYTES, MOST_BYTES))
    counts: Counter[str] = Counter()
    begun = time.perf_counter()
    for number in range(arguments.start, arguments.start + arguments.count):
        subject, mutation, random = draw(number, arguments.seed)
        try:
            signal.alarm(SECONDS)
            counts[check(subject, mutation, native=random.random() < arguments.native)] += 1
        except Exception:
            counts["FAILED"] += 1
            print(
                f"\n--- number {number}: {mutation.kind} in {subject.name}, lines {mutation.first}-{mutation.last}"
            )
            print(mutation.text)
            traceback.print_exc(limit=-4, file=sys.stdout)
            sys.stdout.flush()
        finally:
            signal.alarm(0)
    seconds = time.perf_counter() - begun
    shown = ", ".join(f"{count} {name}" for name, count in sorted(counts.items()))
    print(f"{arguments.count} mutations of {len(subjects())} specs in {seconds:.0f} s: {shown}")
    return 1 if counts["FAILED"] else 0


def _late(*_: object) -> None:
    raise TimeoutError(f"took longer than {SECONDS} s")


if __name__ == "__main__":
    sys.exit(main())
