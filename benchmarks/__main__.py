"""The command line: `python -m benchmarks COMMAND …`."""

from __future__ import annotations

import argparse
import importlib
import os
import subprocess
import sys
from pathlib import Path

#: The module of each command, and its function.
COMMANDS = {
    "inference": ("commands", "compared"),
    "training": ("commands", "compared"),
    "zoo": ("zoo.running", "compared"),
    "compile": ("compiling", "measured"),
    "goal": ("goal.running", "reached"),
    "board": ("board.running", "measured"),
    "tables": ("tables", "written"),
}


def main() -> int:
    """Runs one command. Exit code 2 for names that mean nothing."""
    arguments = sys.argv[1:]
    options = _parsed(arguments)
    if len(options.threads) > 1:
        return _in_turn(options, arguments)
    _set_threads(options.threads[0])
    module, function = COMMANDS[options.command]
    from .peers import UnknownName  # loads NumPy

    try:
        return getattr(importlib.import_module(f"{__package__}.{module}"), function)(options)
    except UnknownName as error:
        print(f"python -m benchmarks: {error}", file=sys.stderr)
        return 2


def _parsed(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Netwright beside its peers")
    parser.add_argument("command", choices=COMMANDS)
    parser.add_argument(
        "--threads",
        type=_counts,
        default=[1],
        metavar="N[,N]",
        help="numbers of threads, one after the other",
    )
    parser.add_argument("--cases", nargs="+", default=[], metavar="GLOB", help="only cases whose names match")
    parser.add_argument("--peers", nargs="+", default=[], metavar="NAME", help="only these peers")
    parser.add_argument(
        "--seconds", type=float, default=1.0, help="how long each system is timed per case (default: 1)"
    )
    parser.add_argument("--quick", action="store_true", help="a small slice, in less than a minute")
    parser.add_argument("--list", action="store_true", help="print the names of the cases only")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the numbers as JSON, too")
    parser.add_argument("--write", action="store_true", help="keep the numbers in benchmarks/results")
    parser.add_argument(
        "--layout", choices=["onnx", "native"], default="onnx", help="zoo: the order of our images' axes"
    )
    return parser.parse_args(arguments)


def _counts(text: str) -> list[int]:
    return [int(count) for count in text.split(",")]


def _in_turn(options: argparse.Namespace, arguments: list[str]) -> int:
    """A process for each number of threads, since libraries read it once; then what several threads gain."""
    import tempfile

    from . import report, results

    rows, code = [], 0
    with tempfile.TemporaryDirectory() as folder:
        for count in options.threads:
            path = Path(folder, f"{count}.json")
            own = [*_without(arguments, "--threads", "--json"), "--threads", str(count), "--json", str(path)]
            code = max(code, subprocess.run([sys.executable, "-m", __package__, *own]).returncode)
            if path.exists():
                made = results.read(path)
                rows += made.rows
    if rows:
        print(*report.closing(rows), sep="\n")
        if options.json:
            results.write(
                options.json, results.Results(made.command, made.machine, made.versions, tuple(rows))
            )
    return code


def _without(arguments: list[str], *names: str) -> list[str]:
    """The arguments without these options and their values."""
    kept, skip = [], False
    for argument in arguments:
        if skip:
            skip = False
        elif argument in names:
            skip = True
        elif argument.partition("=")[0] not in names:
            kept.append(argument)
    return kept


def _set_threads(count: int) -> None:
    """Sets what NumPy, PyTorch and XLA read once, when they are loaded."""
    os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = str(count)
    wide = "true" if count > 1 else "false"
    flags = f"--xla_cpu_multi_thread_eigen={wide} intra_op_parallelism_threads={count}"
    os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {flags}".strip()
    os.environ.setdefault("JAX_PLATFORMS", "cpu")


if __name__ == "__main__":
    sys.exit(main())
