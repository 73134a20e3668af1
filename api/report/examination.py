"""Runs a trained network on data for its report: the classes it confuses, the samples it is worst at, its activity."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from netwright.runtime.data.samples import Part, Samples
from netwright.specs.models.losses import BY_CLASS

from ..evaluation.class_scores import ClassCounter, ClassScores
from ..evaluation.worst import WorstSample, worst_samples
from ..inspection.activity import Activity, activities
from ..model import Model
from ..prediction.predictor import BatchSizes
from ..program import EngineName, Program

#: How many of the worst samples are shown, and the most samples that are looked at for them, one at a time.
_WORST, _MOST_SAMPLES = 24, 2000


@dataclass(frozen=True)
class Examination:
    """What came out, on the samples of ``data``. The worst are those of the first ``looked_at`` samples, the activities
    those of the first ``active`` ones.
    """

    data: Samples
    scores: tuple[ClassScores, ...] = ()
    worst: tuple[WorstSample, ...] = ()
    looked_at: int = 0
    activities: tuple[Activity, ...] = ()
    active: int = 0

    @property
    def source(self) -> str:
        """What the data are called, without detours in paths."""
        return os.path.normpath(self.data.name)


def examine(
    model: Model,
    program: Program,
    data: Samples,
    *,
    engine: EngineName = "native",
    threads: int | None = None,
) -> Examination:
    """Runs a model with a `train` section on a data set that fits it. ``program`` has the entries predict and loss, and
    the trained weights. Raises DataError.
    """
    train = model.spec.train
    assert train is not None
    weights: Mapping[str, NDArray] = program.weights
    scores: list[ClassScores] = []
    if any(isinstance(loss, BY_CLASS) for loss in train.losses):
        counter = ClassCounter(model, weights, program.classes, engine=engine, threads=threads)
        scores = counter.count(data, train.batch_size, group_by_length=train.group_by_length)
    looked_at, worst = 0, list[WorstSample]()
    if BatchSizes(model.network).takes(1):
        looked_at = min(len(data), _MOST_SAMPLES)
        part = data if looked_at == len(data) else Part(data, np.arange(looked_at))
        worst = worst_samples(model, program, part, _WORST)
    active, count = activities(model, weights, data)
    return Examination(data, tuple(scores), tuple(worst), looked_at, tuple(active), count)
