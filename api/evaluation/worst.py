"""The samples of a data set that a network is worst at: their losses, what it answers and what was meant."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass
from math import inf, isfinite, isnan
from typing import Any

import numpy as np
from numpy.typing import NDArray

from netwright.runtime.batches import read_ahead
from netwright.runtime.data.inputs import Place
from netwright.runtime.data.samples import Samples
from netwright.runtime.totals import Totals
from netwright.runtime.training.feeding import plain_batches

from ..data.needs import wanted
from ..errors import RequestError
from ..model import Model
from ..prediction.answers import Answer, Labels, Numbers
from ..prediction.meaning import answers_of, steps_of
from ..prediction.predictor import BatchSizes, Prediction
from ..prediction.samples import Shown
from ..program import Program


@dataclass(frozen=True)
class WorstSample:
    """A sample: its number in the data set, its place in the file, its loss, the answers and the targets as cells."""

    sample: int
    place: str
    loss: float
    answers: tuple[tuple[str, str], ...]
    targets: tuple[tuple[str, str], ...]
    values: dict[str, Any]

    def to_json(self) -> dict[str, Any]:
        """All of it; a loss that is not finite is null."""
        loss = self.loss if isfinite(self.loss) else None
        return {"sample": self.sample, "place": self.place, "loss": loss, **self.values}


def worst_samples(model: Model, program: Program, data: Samples, count: int) -> list[WorstSample]:
    """The ``count`` samples with the largest losses, the largest first, of a data set that fits the model. ``program``
    has the entries predict and loss. Samples in which nothing counts are left out; a loss that is not finite is the
    largest.

    Each sample is a batch by itself, so that any loss can be told apart. Raises RequestError for a network that takes
    no batch of a single sample, and DataError.
    """
    if not BatchSizes(model.network).takes(1):
        raise RequestError(f"{model.name} takes no batch of a single sample, whose loss could be told")
    losses = _losses(program, data)
    rows = heapq.nlargest(count, losses, key=lambda pair: (pair[1], -pair[0]))
    describe = _Described(model, program)
    return [describe.sample(data, row, loss) for row, loss in rows]


def _losses(program: Program, data: Samples) -> Iterator[tuple[int, float]]:
    session = program.session
    made = plain_batches(session, data, 1, group_by_length=False)
    with read_ahead(made.epoch(0), made.ahead) as batches:
        for batch in batches:
            totals = Totals(session.manifest.scores[:1])
            totals.add(session.run("loss", batch.arrays))
            loss = totals.means()["loss"]
            if isnan(loss):
                counts = totals.sums["loss"][1::2]
                if not any(float(part) for part in counts):
                    continue
                loss = inf
            yield batch.index, loss


class _Described:
    """What is told about samples."""

    def __init__(self, model: Model, program: Program):
        load, network = model.load, model.network
        self._program, self._network = program, network
        self._shown = Shown(answers_of(load, network, program.classes, 1), steps_of(load, network))
        taken = wanted(load, network).knowing(program.classes)
        self._targets: list[Answer] = [
            Labels(name, type, taken.spellings[name].names or ())
            if name in taken.spellings
            else Numbers(name, type, taken.classes.get(name) or program.classes.get(name) or ())
            for name, type in network.targets.items()
        ]
        inputs = {name: input.lengths for name, input in model.spec.inputs.items() if input.lengths}
        self._lengths = {str(network.inputs[name].shape[1]): lengths for name, lengths in inputs.items()}

    def sample(self, data: Samples, row: int, loss: float) -> WorstSample:
        network = self._network
        names = [*network.inputs, *(name for name in network.targets if name in data.headers)]
        arrays = data.read(np.array([row]), names)
        inputs = {name: arrays[name] for name in network.inputs}
        prediction = Prediction([Place(data.name)], [], inputs, self._program.predicted(inputs))
        (values,) = self._shown.values(prediction)
        answers = list(zip(self._shown.answers, values, strict=True))
        targets = [(answer, self._cut(answer, arrays)) for answer in self._targets if answer.output in arrays]
        return WorstSample(
            row,
            data.place(row),
            loss,
            tuple(
                pair
                for answer, value in answers
                for pair in zip(answer.headings, answer.cells(value), strict=True)
            ),
            tuple((answer.output, answer.cells(value)[0]) for answer, value in targets),
            {
                "answers": {answer.output: answer.to_json(value) for answer, value in answers},
                "targets": {answer.output: answer.to_json(value) for answer, value in targets},
            },
        )

    def _cut(self, answer: Answer, arrays: dict[str, NDArray]) -> NDArray:
        """A sample's target without the steps that do not exist."""
        value, shape = arrays[answer.output][0], self._network.targets[answer.output].shape
        lengths = self._lengths.get(str(shape[1])) if len(shape) > 1 else None
        return value if lengths is None else value[: int(arrays[lengths][0])]
