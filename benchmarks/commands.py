"""What the commands do."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence

from . import report
from .cases import Case, inference, select, training
from .peers import Peer, chosen
from .roofline import peak
from .rows import Row
from .running import run

_CASES = {"inference": inference.cases, "training": training.cases}
#: With --quick: the peers, and seconds for the timing of each system.
_QUICK_PEERS = {"inference": ("onnxruntime", "torch"), "training": ("torch",)}
_QUICK_SECONDS = 0.3


def compared(options: argparse.Namespace) -> int:
    """`inference` and `training`."""
    cases = select(_CASES[options.command](), options.cases, options.quick)
    if options.list:
        print("\n".join(case.name for case in cases))
        return 0
    names = options.peers or (_QUICK_PEERS[options.command] if options.quick else ())
    peers, missing = chosen(options.command, names)
    print(*missing, sep="\n", end="\n" if missing else "")
    rows = _table(cases, peers, int(options.threads), _QUICK_SECONDS if options.quick else options.seconds)
    print(*report.closing(rows), sep="\n")
    return 1 if any("DISAGREES" in note for row in rows for note in row.notes.values()) else 0


def _table(cases: Sequence[Case], peers: Sequence[Peer], threads: int, seconds: float) -> list[Row]:
    print(report.header(threads, peak().flops))
    rows = []
    for row in run(cases, peers, threads, seconds):
        print(report.line(row), *report.notes(row), sep="\n", flush=True)
        rows.append(row)
    return rows


COMMANDS: dict[str, Callable[[argparse.Namespace], int]] = {"inference": compared, "training": compared}
