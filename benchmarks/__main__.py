"""The command line: `python -m benchmarks COMMAND …`."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

COMMANDS = ("inference", "training")


def main() -> int:
    """Runs one command. Exit code 1 where a peer disagrees with us about an answer."""
    options = _parsed()
    threads = [int(count) for count in options.threads.split(",")]
    if len(threads) > 1:
        return in_turn(threads)
    set_threads(threads[0])
    from . import commands  # loads NumPy

    return commands.COMMANDS[options.command](options)


def set_threads(count: int) -> None:
    """Sets what NumPy, PyTorch and XLA read once, when they are loaded."""
    os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = str(count)
    wide = "true" if count > 1 else "false"
    flags = f"--xla_cpu_multi_thread_eigen={wide} intra_op_parallelism_threads={count}"
    os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {flags}".strip()
    os.environ.setdefault("JAX_PLATFORMS", "cpu")


def _parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Netwright beside its peers")
    parser.add_argument("command", choices=COMMANDS)
    parser.add_argument(
        "--threads", default="1", metavar="N[,N]", help="numbers of threads, one after the other"
    )
    parser.add_argument("--cases", nargs="+", default=[], metavar="GLOB", help="only cases whose names match")
    parser.add_argument("--peers", nargs="+", default=[], metavar="NAME", help="only these peers")
    parser.add_argument("--seconds", type=float, default=1.0, help="how long each system is timed per case")
    parser.add_argument("--quick", action="store_true", help="a small slice, in less than a minute")
    parser.add_argument("--list", action="store_true", help="print the names of the cases only")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the numbers as JSON, too")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
