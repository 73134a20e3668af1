"""Records the norms of gradients by layer after each epoch of a training, for its report."""

from __future__ import annotations

import json
import math
from pathlib import Path

from netwright.runtime.data.samples import Samples
from netwright.runtime.totals import Totals
from netwright.runtime.training.plan import EpochRecord, TrainingPlan, TrainingResult
from netwright.runtime.training.progress import Observer
from netwright.specs.appending import AppendedFile

from ..model import Model
from ..program import Program
from .slopes import SlopeMeter

#: Trainings that take fewer seconds are not measured: compiling the measurement would take a good part of them.
SHORTEST = 60.0


class SlopeRecorder:
    """An observer that tells ``inner`` all it hears. In trainings that take a minute or more, it appends a line of JSON
    to the file ``path`` after each epoch. Raises DataError and OSError.
    """

    def __init__(self, inner: Observer, model: Model, program: Program, data: Samples, path: Path):
        self._inner, self._model, self._program, self._data, self._path = inner, model, program, data, path
        self._epochs = 0
        self._meter: SlopeMeter | None = None

    def start(self, plan: TrainingPlan, batches: int, epoch: int, batch: int) -> None:
        self._epochs = plan.epochs
        self._inner.start(plan, batches, epoch, batch)

    def step(self, epoch: int, batch: int, samples: int, totals: Totals) -> None:
        self._inner.step(epoch, batch, samples, totals)

    def epoch(self, record: EpochRecord, best: bool) -> None:
        self._inner.epoch(record, best)
        if self._meter is None and record.seconds * self._epochs < SHORTEST:
            return
        self._meter = self._meter or SlopeMeter(self._model, self._data)
        norms = self._meter.measure(self._program.weights)
        known = {layer: float(f"{norm:.6g}") for layer, norm in norms.items() if math.isfinite(norm)}
        line = json.dumps({"epoch": record.epoch, "norms": known}, ensure_ascii=False)
        size = self._path.stat().st_size if self._path.exists() else 0
        file = AppendedFile(self._path, size)
        try:
            file.append(f"{line}\n".encode())
        finally:
            file.close()

    def notice(self, message: str) -> None:
        self._inner.notice(message)

    def end(self, result: TrainingResult | None) -> None:
        self._inner.end(result)
