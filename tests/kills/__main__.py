"""Ends trainings by signals at random moments and resumes them: `python -m tests.kills --count 500`."""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from .killing import KillError, disturb, undisturbed

#: Trainings by number: each is disturbed again and again.
TRAININGS = 60


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.kills", description=__doc__)
    parser.add_argument(
        "--count", type=int, default=500, help="how many signals that came while a training ran"
    )
    parser.add_argument("--start", type=int, default=0, help="the number of the first training to disturb")
    parser.add_argument("--trainings", type=int, default=TRAININGS, help="how many different trainings")
    parser.add_argument("--cases", type=int, help="how many trainings to disturb, whatever came of it")
    arguments = parser.parse_args()
    counts: Counter[str] = Counter()
    began, number, failed = time.monotonic(), arguments.start, 0
    with tempfile.TemporaryDirectory(prefix="kills-") as base:
        while (
            sum(counts.values()) - counts["late"] < arguments.count
            if arguments.cases is None
            else number < arguments.start + arguments.cases
        ):
            drawn = number % arguments.trainings
            folder = Path(base) / f"{drawn}"
            try:
                spec, whole, seconds = undisturbed(drawn, folder)
                counts.update(disturb(number, folder, spec, whole, seconds))
            except KillError as error:
                failed += 1
                print(
                    f"\n--- number {number} (--start {number} --cases 1), training {drawn}:\n{error}",
                    flush=True,
                )
            shutil.rmtree(folder / f"killed-{number}", ignore_errors=True)
            number += 1
            if number % 20 == 0:
                shown = ", ".join(f"{count} {name}" for name, count in sorted(counts.items()))
                print(
                    f"{number} trainings, {shown}, {failed} failed, {time.monotonic() - began:.0f} s",
                    flush=True,
                )
    shown = ", ".join(f"{count} {name}" for name, count in sorted(counts.items()))
    print(f"{number - arguments.start} trainings, {shown}: {failed} failed, {time.monotonic() - began:.0f} s")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
