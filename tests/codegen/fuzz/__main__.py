"""Looks for bytes that crash a parser: `python -m tests.codegen.fuzz --seconds 600 npz checkpoint`. Needs clang."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from .building import TARGETS, build, pack, unpack


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.codegen.fuzz", description=__doc__)
    parser.add_argument("targets", nargs="*", help=f"by default all: {', '.join(TARGETS)}")
    parser.add_argument("--seconds", type=int, default=600, help="how long to try each target")
    parser.add_argument("--compiler", default="clang", help="a clang with libFuzzer")
    parser.add_argument(
        "--keep", action="store_true", help="add what was new to the corpus, as few files as possible"
    )
    arguments = parser.parse_args()
    failed: list[str] = []
    with tempfile.TemporaryDirectory(prefix="fuzz-") as name:
        folder, program = Path(name), Path(name) / "fuzz"
        build(
            [arguments.compiler],
            program,
            ["-fsanitize=fuzzer,address,undefined", "-fno-sanitize-recover=all"],
        )
        for target in arguments.targets or TARGETS:
            environment = {**os.environ, "FUZZ": target}
            grown, known = folder / f"{target}-new", folder / target
            grown.mkdir()
            unpack(target, known)
            options = [
                f"-max_total_time={arguments.seconds}",
                "-max_len=4096",
                "-timeout=60",  # a computer that does much else may stall for longer than a parser ever takes
                "-rss_limit_mb=2048",
            ]
            options += ["-print_final_stats=1", "-verbosity=1", f"-artifact_prefix={Path.cwd()}/{target}-"]
            done = subprocess.run(
                [program, str(grown), str(known), *options],
                env=environment, cwd=folder, capture_output=True, text=True,
            )  # fmt: skip
            stats = [line for line in done.stderr.splitlines() if line.startswith("stat::number_of_executed")]
            print(f"{target}: {done.returncode} {' '.join(stats)}", flush=True)
            if done.returncode:
                failed.append(target)
                print(done.stderr[-4000:], flush=True)
            elif arguments.keep:
                merge = [program, "-merge=1", str(known), str(grown)]
                subprocess.run(merge, env=environment, cwd=folder, check=True, capture_output=True)
                pack(target, {path.name: path.read_bytes() for path in known.iterdir()})
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
