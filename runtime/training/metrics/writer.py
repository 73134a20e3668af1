"""Writes the metrics of a training while it runs: `metrics.jsonl`, and from it `metrics.csv` and TensorBoard's events.

The lines of JSON are what counts: when a training is resumed, they are cut back to its checkpoint, and the other files
are made of them again.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from netwright.specs.appending import AppendedFile, is_appended_to

from .records import Record, csv_line, epoch_record, kept_records, line_of, scalars, table_header, table_row
from .tensorboard import first_event, scalars_event

if TYPE_CHECKING:
    from ..plan import EpochRecord

METRICS, TABLE = "metrics.jsonl", "metrics.csv"
#: TensorBoard looks for `tfevents` in a name, and reads files in the order of their names.
_EVENTS = "events.out.tfevents.{time}.netwright"


def is_recorded(folder: str | Path) -> bool:
    """Whether a training writes its metrics to ``folder`` at this moment."""
    return is_appended_to(Path(folder) / METRICS)


class MetricsWriter:
    """Appends records to the files in ``folder``, which has to be there. Raises FileInUseError while another training
    does, and OSError, here and below.
    """

    def __init__(self, folder: str | Path):
        self._folder = Path(folder)
        path = self._folder / METRICS
        # The lock comes first: a training that runs must not lose its files to one that can't.
        self._lines = AppendedFile(path, path.stat().st_size if path.exists() else 0)
        self._files: list[AppendedFile] = [self._lines]
        self._header: list[str] | None = None
        self._rate_at = -1  # the step that a learning rate was last told for

    def begin(self, history: Sequence[EpochRecord], best_epochs: Sequence[int], steps: int) -> None:
        """Begins, or goes on after the epochs of ``history`` and so many ``steps``: what was written of later ones is
        removed, what is missing of earlier epochs is added.
        """
        path = self._folder / METRICS
        kept, size = kept_records(path, len(history), steps)
        self._lines.cut(size)
        for old in self._folder.glob(_EVENTS.format(time="*")):
            old.unlink()
        self._table = self._opened(TABLE)
        self._events = self._opened(_EVENTS.format(time=time.time_ns() // 1000))
        self._events.append(first_event(time.time()))
        for record in kept:
            self._derive(record)
        known = {record["epoch"] for record in kept if record["kind"] == "epoch"}
        for record in history:
            if record.epoch not in known:
                self.write(epoch_record(record, record.epoch in best_epochs, time.time()))

    def write(self, record: Record) -> None:
        """Appends a record to all files."""
        self._lines.append(line_of(record))
        self._derive(record)

    def close(self) -> None:
        """Closes the files."""
        for file in self._files:
            file.close()

    def _opened(self, name: str) -> AppendedFile:
        file = AppendedFile(self._folder / name)
        self._files.append(file)
        return file

    def _derive(self, record: Record) -> None:
        """Appends a record to the files that are made of the lines."""
        numbers = scalars(record)
        if record["step"] == self._rate_at:
            numbers.pop("learning_rate", None)
        self._rate_at = record["step"]
        self._events.append(scalars_event(record.get("time") or 0.0, record["step"], numbers))
        if record["kind"] == "epoch":
            if self._header is None:
                self._header = table_header(record)
                self._table.append(csv_line(self._header))
            self._table.append(csv_line(table_row(record, self._header)))
