"""`inference` and `training`: cases beside their peers."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from importlib.metadata import version

from . import report
from .cases import inference, select, training
from .peers import Peer, chosen
from .results import Results, keep, write
from .roofline import machine_facts, peak
from .rows import Row
from .running import run

_CASES = {"inference": inference.cases, "training": training.cases}
#: With --quick: the peers, and seconds for the timing of each system.
QUICK_PEERS = {"inference": ("onnxruntime", "torch"), "training": ("torch",), "zoo": ("onnxruntime",)}
QUICK_SECONDS = 0.3


def compared(options: argparse.Namespace) -> int:
    """Measures the cases. Exit code 1 where a peer disagrees with us about an answer, 2 for an unknown peer."""
    cases = select(_CASES[options.command](), options.cases, options.quick)
    if options.list:
        print("\n".join(case.name for case in cases))
        return 0
    names = options.peers or (QUICK_PEERS[options.command] if options.quick else ())
    peers, missing = chosen(options.command, names)
    print(*missing, sep="\n", end="\n" if missing else "")
    seconds = QUICK_SECONDS if options.quick else options.seconds
    rows = run(cases, peers, options.threads[0], seconds)
    return finished(options, peers, printed(rows, options.threads[0], [case.name for case in cases]))


def printed(rows: Iterable[Row], threads: int, names: Sequence[str]) -> list[Row]:
    """Prints the table while it is measured."""
    print(report.header(threads, peak().flops, names), flush=True)
    made = []
    for row in rows:
        print(report.line(row, report.width(names)), *report.notes(row), sep="\n", flush=True)
        made.append(row)
    return made


def finished(options: argparse.Namespace, peers: Sequence[Peer], rows: Sequence[Row]) -> int:
    """Prints the last lines, and writes the files that are asked for."""
    print(*report.closing(rows), sep="\n")
    versions = {"netwright": version("netwright"), **{peer.name: peer.version for peer in peers}}
    results = Results(options.command, machine_facts(), versions, tuple(rows))
    if options.json:
        write(options.json, results)
    if options.write:
        print(f"kept in {keep(results)}")
    return 1 if any(note.startswith("DISAGREES") for row in rows for note in row.notes.values()) else 0
