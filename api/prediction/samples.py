"""Predictions sample by sample: what each output says of a sample, and what a sample is called."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from netwright.runtime.data.inputs import Place

from .answers import Answer
from .predictor import Prediction


@dataclass(frozen=True)
class Shown:
    """The outputs that are shown, and the inputs that hold the number of steps of some."""

    answers: Sequence[Answer]
    steps: Mapping[str, str]

    def values(self, prediction: Prediction) -> Iterator[list[NDArray]]:
        """For each sample, the value of each answer."""
        lengths = {output: prediction.inputs[name] for output, name in self.steps.items()}
        for row in range(len(prediction)):
            values = []
            for answer in self.answers:
                value = prediction.outputs[answer.output][row]
                if answer.output in lengths:
                    value = value[: max(int(lengths[answer.output][row]), int(answer.last))]
                values.append(value[-1] if answer.last else value)
            yield values

    def arrays(self, prediction: Prediction) -> dict[str, NDArray]:
        """All outputs, what the answers make of them, and how many steps they have."""
        arrays = dict(prediction.outputs)
        for answer in self.answers:
            values = prediction.outputs[answer.output]
            if answer.last:
                steps = np.full(len(values), values.shape[1])
                if answer.output in self.steps:
                    steps = np.maximum(prediction.inputs[self.steps[answer.output]], 1)
                values = values[np.arange(len(values)), steps - 1]
            arrays |= answer.arrays(values)
        return arrays | {f"{output}.steps": prediction.inputs[name] for output, name in self.steps.items()}


class PlaceColumns:
    """The columns that say where a sample is, as the first place has it; none for texts that were given themselves.
    ``one_file``: all samples are of one file, which need not be named.
    """

    def __init__(self, first: Place, *, one_file: bool = False):
        self._kind = first.kind
        named = ("" if one_file and first.kind else "file", first.kind) if first.file else ()
        self.names = tuple(filter(None, named))

    def cells(self, place: Place) -> tuple[str, ...]:
        """What is in these columns."""
        if not self.names:
            return ()
        numbered = [] if place.kind != self._kind or place.number is None else [str(place.number)]
        if "file" in self.names:
            named = place.file if place.kind == self._kind else str(place)
            return (named, *(numbered or [""] * (len(self.names) - 1)))
        return tuple(numbered or [str(place)])
