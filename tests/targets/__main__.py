"""Drawn networks on every target: `python -m tests.targets aarch64-linux-musl wasm32-wasi --count 50`.

Each network is compiled for each target and run there on drawn inputs: by this computer, under qemu, in wasmtime, in
headless Chromium, on an emulated Cortex-M4. The answers must be the interpreter's, up to rounding.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from netwright.compiler.codegen.files.platforms import NAMES

from .suite import check_target


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.targets", description=__doc__)
    known = ("native", *NAMES)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"{', '.join(known)} (default: all)")
    parser.add_argument("--count", type=int, default=20, help="how many networks")
    parser.add_argument("--start", type=int, default=0, help="the number of the first")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--cpu", help="the CPU, or several versions (default: the target's least one)")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="leave programs and inputs there")
    given = parser.parse_args()
    if unknown := [name for name in given.targets if name not in known]:
        parser.error(f"there is no target {', '.join(unknown)}; there is {', '.join(known)}")
    bad = 0
    for target in given.targets or known:
        begun = time.perf_counter()
        with tempfile.TemporaryDirectory(prefix="netwright-targets-") as folder:
            numbers = range(given.start, given.start + given.count)
            result = check_target(
                target, numbers, given.seed, (given.keep or Path(folder)) / target, given.cpu
            )
        if result.skipped:
            print(f"{target}: not here: {result.skipped}", flush=True)
            continue
        counts = ", ".join(f"{count} {what}" for what, count in sorted(result.counts.items()))
        print(f"{target}: {counts}, in {time.perf_counter() - begun:.0f} s", flush=True)
        for number, what in result.failed.items():
            print(
                f"  python -m tests.targets {target} --seed {given.seed} --start {number} --count 1: {what}"
            )
        bad += len(result.failed)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
