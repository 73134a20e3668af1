"""`compile`: how long networks take to compile, without the cache and with it, and for T = 1000 beside T = 32.

Times are those of the process's CPU, from the spec to a program that can be called. Both compiles happen in one
process, after one of another network, so that no import counts. The first call of a program without weights also draws
them: `weights` is how long that takes.
"""

from __future__ import annotations

import argparse
import gc
import json
import time
from collections.abc import Iterator, Mapping

import netwright

from .cases import Case, inference, select, training
from .coldness import cold_cache
from .commands import finished, some
from .problem import ENTRIES
from .rows import Row

#: Lengths of sequences that are compared.
SHORT, LONG = 32, 1000


def measured(options: argparse.Namespace) -> int:
    """Measures each network once for `predict` and once for `train_step`."""
    chosen = select([*inference.cases(), *training.cases()], options.cases, options.quick)
    cases = some(distinct(chosen), options.cases)
    if options.list:
        print("\n".join(case.name for case in cases))
        return 0
    with cold_cache():
        seconds(cases[0], {})
    print(
        f"{'network':30} {'entry':11} {'cold, s':>8} {'cached, s':>10} {'weights, s':>10} {f'T={LONG} / T={SHORT}':>16}"
    )
    rows = []
    for row in _rows(cases, options.threads[0]):
        print(_line(row), flush=True)
        rows.append(row)
    slowest = max(rows, key=lambda row: row.ours)
    print(f"slowest {slowest.case}: {slowest.ours:.2f} s cold")
    return finished(options, [], rows)


def distinct(cases: list[Case]) -> list[Case]:
    """One case per network and entry: sizes are open, so batches and lengths share a program."""
    kept: dict[str, Case] = {}
    for case in cases:
        if case.kind != "step":
            kept.setdefault(json.dumps([ENTRIES[case.kind], case.network().spec], sort_keys=True), case)
    return list(kept.values())


def _rows(cases: list[Case], threads: int) -> Iterator[Row]:
    for case in cases:
        with cold_cache():
            cold = seconds(case, {}, threads)
            extra = {"cached": seconds(case, {}, threads), "weights": drawing_seconds(case, threads)}
        if "T" in case.network().spec["dims"]:
            for length in (SHORT, LONG):
                with cold_cache():
                    extra[f"T={length}"] = seconds(case, {"T": length}, threads)
        yield Row(case.name, threads, {"netwright": cold}, extra=extra)
        gc.collect()


def seconds(case: Case, dims: Mapping[str, int], threads: int = 1) -> float:
    """CPU seconds from the spec to a program."""
    spec = case.network().spec
    gc.collect()
    start = time.process_time()
    netwright.load(spec, dims=dict(dims)).compile(entries=[ENTRIES[case.kind]], threads=threads)
    return time.process_time() - start


def drawing_seconds(case: Case, threads: int = 1) -> float:
    """CPU seconds in which a program's first weights are drawn."""
    program = netwright.load(case.network().spec).compile(entries=[ENTRIES[case.kind]], threads=threads)
    start = time.process_time()
    program.session.draw()
    return time.process_time() - start


def _line(row: Row) -> str:
    name, entry = row.case, "train_step" if row.case.count("/") > 1 else "predict"
    longer = f"{row.extra[f'T={LONG}'] / row.extra[f'T={SHORT}']:.2f}" if f"T={LONG}" in row.extra else ""
    times = f"{row.ours:8.2f} {row.extra['cached']:10.2f} {row.extra['weights']:10.2f}"
    return f"{name:30} {entry:11} {times} {longer:>16}"
