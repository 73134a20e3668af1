"""Reads runs: how they stand, and how they went."""

from __future__ import annotations

import os
from functools import cached_property
from pathlib import Path
from typing import Any

from netwright.runtime.training.metrics.records import Record, read_records
from netwright.runtime.training.metrics.writer import METRICS

from ..errors import RequestError
from ..live.words import number_text, sparkline
from ..markup import escape
from ..notebook import table_html
from .info import RUNS, is_run, is_running, read_info

#: So many bars and rows are shown in notebooks.
_BARS, _ROWS = 40, 12
#: How deep runs are looked for: those of a sweep or of folds have a folder of their own.
_DEPTH = 2


class Run:
    """A run as its folder tells it. ``info`` is what its `run.json` holds.

    Raises RequestError if there is none that this version can read.
    """

    def __init__(self, path: str | os.PathLike[str], name: str | None = None):
        self.path = Path(path)
        self.info: dict[str, Any] = read_info(self.path)
        #: Its folder's path below the folder of all runs.
        self.name = name or str(self.info.get("name", self.path.name))

    @property
    def state(self) -> str:
        """`running`, `finished`, `stopped` (by a signal), `failed`, or `killed`: it ended without a word."""
        state = str(self.info.get("state"))
        if state == "running" and not is_running(self.path):
            return "killed"
        return state

    @cached_property
    def records(self) -> list[Record]:
        """The records of steps and epochs in order, as `metrics.jsonl` has them; none if it can't be read."""
        try:
            return read_records(self.path / METRICS)
        except OSError:
            return []

    @property
    def history(self) -> list[Record]:
        """The records of the epochs."""
        return [record for record in self.records if record["kind"] == "epoch"]

    @property
    def steps(self) -> list[Record]:
        """The records of steps."""
        return [record for record in self.records if record["kind"] == "step"]

    @property
    def best(self) -> Record | None:
        """The record of the epoch whose weights are kept: the best one, or the last one if none were compared."""
        history = self.history
        best = [record for record in history if record.get("best")]
        return (best or history or [None])[-1]  # type: ignore[list-item]

    @property
    def metric(self) -> str:
        """The number that decides which epoch is best; `train_loss` if none does."""
        monitor = self.info.get("monitor")
        return str(monitor["name"]) if isinstance(monitor, dict) else "train_loss"

    def kept(self, name: str, epochs: int | None = None) -> float | None:
        """The number called `valid_accuracy`, … in the best of the first ``epochs``, by default of all."""
        history = self.history[:epochs]
        best = [record for record in history if record.get("best")]
        return value_of((best or history or [None])[-1], name)  # type: ignore[list-item]

    @property
    def value(self) -> float | None:
        """That number in the best epoch."""
        return value_of(self.best, self.metric)

    @property
    def weights(self) -> Path:
        """The file of weights, or the checkpoint while there is none."""
        weights = self.path / str(self.info.get("weights"))
        return weights if weights.exists() else self.path / str(self.info.get("checkpoint"))

    @property
    def spec(self) -> Path:
        """The spec that it was trained by."""
        return self.path / str(self.info.get("spec"))

    def _repr_html_(self) -> str:
        """How it stands, the curve of its loss, and its last epochs, for notebooks."""
        history = self.history
        if not history:
            return f"<p><b>{escape(self.name)}</b> {escape(self.state)}, no epoch is done</p>"
        names = [(part, name) for part in ("train", "valid") for name in history[0].get(part) or {}]
        curve = [value_of(record, self.metric) for record in history]
        shown = sparkline([value for value in curve if value is not None], _BARS)
        said = f"{self.state}, {len(history)} of {self.info.get('epochs')} epochs, {self.metric} {shown}"
        rows = [
            [
                str(record["epoch"]),
                *(_cell(record, part, name) for part, name in names),
                "*" if record.get("best") else "",
            ]
            for record in history[-_ROWS:]
        ]
        head = ["epoch", *(f"{part} {name}" for part, name in names), "best"]
        return f"<p><b>{escape(self.name)}</b> {escape(said)}</p>{table_html(head, rows, left=0)}"

    def __repr__(self) -> str:
        return f"<Run {self.name}: {self.state}, {len(self.history)} of {self.info.get('epochs')} epochs>"


def _cell(record: Record, part: str, name: str) -> str:
    value = value_of(record, f"{part}_{name}")
    return "" if value is None else number_text(value)


def value_of(record: Record | None, name: str) -> float | None:
    """The number called `valid_loss`, `train_accuracy`, … of an epoch; None if it has none."""
    part, _, number = name.partition("_")
    return ((record or {}).get(part) or {}).get(number)


def runs(folder: str | os.PathLike[str] = RUNS) -> list[Run]:
    """The runs in a folder, and in folders of sweeps and folds in it, by when they began; none if there is no such
    folder. Folders of other things are left out.
    """
    base = Path(folder)
    listed = []
    for path in _folders(base, _DEPTH):
        try:
            listed.append(Run(path, path.relative_to(base).as_posix()))
        except RequestError:
            continue
    return sorted(listed, key=lambda run: (str(run.info.get("started") or ""), run.name))


def _folders(base: Path, depth: int) -> list[Path]:
    try:
        inside = sorted(path for path in base.iterdir() if path.is_dir())
    except OSError:
        return []
    below = [
        path for folder in inside if depth > 1 and not is_run(folder) for path in _folders(folder, depth - 1)
    ]
    return [path for path in inside if is_run(path)] + below
