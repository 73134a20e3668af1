"""`inference` and `training`: cases beside their peers."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from importlib.metadata import version
from typing import TypeVar

from . import report
from .cases import inference, select, training
from .peers import Peer, UnknownName, chosen
from .results import Results, keep, write
from .roofline import machine_facts, peak
from .rows import Row
from .running import run

Chosen = TypeVar("Chosen")

_CASES = {"inference": inference.cases, "training": training.cases}
#: With --quick: the peers, and seconds for the timing of each system.
QUICK_PEERS = {"inference": ("onnxruntime", "torch"), "training": ("torch",), "zoo": ("onnxruntime",)}
QUICK_SECONDS = 0.3


def compared(options: argparse.Namespace) -> int:
    """Measures the cases. Exit code 1 where a peer disagrees with us about an answer. Raises UnknownName."""
    cases = some(select(_CASES[options.command](), options.cases, options.quick), options.cases)
    if options.list:
        print("\n".join(case.name for case in cases))
        return 0
    names = options.peers or (QUICK_PEERS[options.command] if options.quick else ())
    peers, missing = chosen(options.command, names)
    print(*missing, sep="\n", end="\n" if missing else "")
    seconds = QUICK_SECONDS if options.quick else options.seconds
    rows = run(cases, peers, options.threads[0], seconds)
    return printed(options, peers, rows, [case.name for case in cases])


def some(chosen: list[Chosen], patterns: Sequence[str]) -> list[Chosen]:
    """What was chosen. Raises UnknownName if it is nothing."""
    if not chosen:
        raise UnknownName(f"no case is called {' or '.join(patterns)}: --list prints their names")
    return chosen


def printed(
    options: argparse.Namespace, peers: Sequence[Peer], rows: Iterable[Row], names: Sequence[str]
) -> int:
    """Prints the table while it is measured, and keeps each row that is to be kept, since a run may take hours; then
    as ``finished``."""
    threads = options.threads[0]
    print(report.header(threads, peak().flops, names), flush=True)
    made = []
    for row in rows:
        print(report.line(row, report.width(names)), *report.notes(row), sep="\n", flush=True)
        made.append(row)
        if options.write:
            keep(_results(options, peers, [row]))
    return finished(options, peers, made)


def finished(options: argparse.Namespace, peers: Sequence[Peer], rows: Sequence[Row]) -> int:
    """Prints the last lines, and writes the files that are asked for. Exit code 1 where a peer disagrees."""
    print(*report.closing(rows), sep="\n")
    results = _results(options, peers, rows)
    if options.json:
        write(options.json, results)
    if options.write:
        print(f"kept in {keep(results)}")
    return 1 if any(note.startswith("DISAGREES") for row in rows for note in row.notes.values()) else 0


def _results(options: argparse.Namespace, peers: Sequence[Peer], rows: Sequence[Row]) -> Results:
    versions = {"netwright": version("netwright"), **{peer.name: peer.version for peer in peers}}
    return Results(options.command, machine_facts(), versions, tuple(rows))
