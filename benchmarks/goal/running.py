"""Runs each system from nothing to the goal, in turns, in processes of their own, and counts their CPU time."""

from __future__ import annotations

import argparse
import fnmatch
import importlib.util
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from ..commands import finished, some
from ..peers import PEERS
from ..report import duration
from ..rows import Row
from .tasks import TASKS

ROOT = Path(__file__).parents[2]
#: Runs of each system, of which the median counts.
RUNS, QUICK_RUNS = 5, 1


def reached(options: argparse.Namespace) -> int:
    """Measures all tasks. Exit code 1 where a system does not reach its goal."""
    matching = [
        name for name in TASKS if any(fnmatch.fnmatchcase(name, each) for each in options.cases or ["*"])
    ]
    tasks = [TASKS[name] for name in some(matching, options.cases)]
    if options.list:
        print("\n".join(task.name for task in tasks))
        return 0
    systems = ["netwright", *(["torch"] if importlib.util.find_spec("torch") else [])]
    if "torch" not in systems:
        print("torch is left out: pip install torch")
    rows, missed = [], False
    print(f"{'task':10} {'goal':16} {'ours':>10} {'PyTorch':>10} {'ratio':>6}   epochs, and time on the wall")
    for task in tasks:
        runs: dict[str, list[dict[str, Any]]] = {system: [] for system in systems}
        for _ in range(QUICK_RUNS if options.quick else RUNS):
            for system in systems:
                runs[system].append(run(system, task.name))
        missed |= not all(each["reached"] for own in runs.values() for each in own)
        seconds = {system: statistics.median(each["seconds"] for each in own) for system, own in runs.items()}
        extra = {
            f"{system} {key}": statistics.median(each[key] for each in own)
            for system, own in runs.items()
            for key in ("epochs", "wall")
        }
        row = Row(task.name, 1, seconds, extra=extra)
        rows.append(row)
        sign = "≤" if task.metric == "loss" else "≥"
        words = ", ".join(
            f"{system} {extra[f'{system} epochs']:.0f}, {extra[f'{system} wall']:.1f} s" for system in systems
        )
        theirs, ratio = (duration(seconds["torch"]), f"{row.ratio:.2f}×") if row.ratio else ("", "")
        goal = f"{task.metric} {sign} {task.goal:g}"
        print(
            f"{task.name:10} {goal:16} {duration(row.ours):>10} {theirs:>10} {ratio:>6}   {words}", flush=True
        )
    return max(finished(options, [peer for peer in PEERS if peer.name in systems], rows), int(missed))


def run(system: str, task: str) -> dict[str, Any]:
    """One process with an empty cache: what it prints, with the seconds of its CPU, and those on the wall from start
    to end. Raises CalledProcessError if it fails."""
    with tempfile.TemporaryDirectory() as folder:
        environment = os.environ | {"NETWRIGHT_CACHE_DIR": folder}
        before, start = os.times(), time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.goal.worker", system, task],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        wall, after = time.perf_counter() - start, os.times()
    seconds = after.children_user - before.children_user + after.children_system - before.children_system
    return {**json.loads(done.stdout.splitlines()[-1]), "seconds": seconds, "wall": wall}
