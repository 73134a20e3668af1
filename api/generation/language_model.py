"""A network that predicts next tokens, as something that gives the scores of the token after a sequence."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from netwright.runtime.data.vocabulary import Vocabulary
from netwright.specs.manifest import DimInfo
from netwright.specs.models.data import SequenceData
from netwright.specs.models.losses import SoftmaxCrossEntropy
from netwright.specs.models.spec import ModelSpec

from ..errors import RequestError
from ..program import Program


class LanguageModel:
    """Reads what a program predicts as scores of next tokens.

    ``more`` are the arrays of further inputs `[1, …]`, such as what an encoder reads. Raises RequestError for a network
    that was not trained to predict next tokens, or that lacks an input.
    """

    def __init__(self, program: Program, more: Mapping[str, NDArray] | None = None):
        assert program.load.model is not None
        self._program, self._more, self._spec = program, dict(more or {}), program.load.model
        self.input = _generated(self._spec, program, self._more)
        self._lengths = self._spec.inputs[self.input].lengths
        self.output = _scored(self._spec, program, self.input)
        self.vocabulary: Vocabulary | None = program.vocabularies.get(self.input)
        shape = program.network.inputs[self.input].shape
        self._batch, self._time = (_sizes(program, str(size)) for size in shape)
        own = {self.input, self._lengths}
        if lacking := [name for name in program.network.inputs if name not in {*own, *self._more}]:
            raise RequestError(
                f"{self._spec.model} also reads {', '.join(lacking)}: give it with -i {lacking[0]}=FILE"
            )

    @property
    def size(self) -> int:
        """How many tokens have a score."""
        size = self._program.network.outputs[self.output].type.shape[-1]
        assert isinstance(size, int)
        return size

    @property
    def never(self) -> list[int]:
        """The tokens that no text has: padding, unknown pieces, and numbers beyond the vocabulary."""
        if self.vocabulary is None:
            return []
        special = (self.vocabulary.padding, self.vocabulary.unknown)
        numbers = [self.vocabulary.numbers[entry] for entry in special if entry is not None]
        return [*numbers, *range(len(self.vocabulary), self.size)]

    def scores(self, tokens: NDArray[np.int64]) -> NDArray:
        """The scores `[B, V]` of what follows sequences `[B, t]`; of sequences longer than the network reads, the last
        tokens count. Raises RequestError for too few."""
        if self._time.max is not None:
            tokens = tokens[:, -self._time.fitted(self._time.max) :]
        steps = tokens.shape[1]
        if not self._time.admits(steps):
            what = f"{self._time.name} is {self._time.admitted}, and the text has {steps} tokens so far"
            raise RequestError(f"{self._spec.model}: {what}")
        most = self._batch.max or len(tokens)
        parts = [self._some(tokens[start : start + most]) for start in range(0, len(tokens), most)]
        return np.concatenate(parts)

    def _some(self, tokens: NDArray[np.int64]) -> NDArray:
        count, unit = len(tokens), self._batch.multiple_of
        missing = max(self._batch.min, -(-count // unit) * unit) - count
        if missing > 0:
            tokens = np.concatenate([tokens, np.repeat(tokens[-1:], missing, axis=0)])
        arrays = {name: np.repeat(array, len(tokens), axis=0) for name, array in self._more.items()}
        if self._lengths is not None:
            arrays[self._lengths] = np.full(len(tokens), tokens.shape[1])
        arrays[self.input] = tokens.astype(self._program.network.inputs[self.input].dtype)
        return self._program.predict(**arrays)[self.output][:count, -1]


def _generated(spec: ModelSpec, program: Program, more: Mapping[str, NDArray]) -> str:
    """The input that holds the tokens so far. Raises RequestError."""
    sets = spec.train.data.values() if spec.train else ()
    declared = [data for data in sets if isinstance(data, SequenceData) and data.next_token]
    if not declared:
        raise RequestError(f"{spec.model} does not predict next tokens: no data set says next_token: true")
    if declared[0].input is not None:
        return declared[0].input
    others = {*more, *(input.lengths for input in spec.inputs.values())}
    fitting = [
        name
        for name, type in program.network.inputs.items()
        if type.rank == 2 and type.dtype in ("int32", "int64", "uint8") and name not in others
    ]
    if len(fitting) != 1:
        what = f"{' and '.join(fitting)} hold tokens" if fitting else "no input holds tokens [N, T]"
        raise RequestError(
            f"{spec.model}: {what}; name the one that is generated in the data set: input: NAME"
        )
    return fitting[0]


def _scored(spec: ModelSpec, program: Program, input: str) -> str:
    """The output with the scores of next tokens: what a softmax_cross_entropy compares, a row per step. Raises
    RequestError."""
    steps = program.network.inputs[input].shape
    for loss in spec.train.comparisons if spec.train else ():
        if isinstance(loss, SoftmaxCrossEntropy):
            shape = program.network.outputs[loss.output].type.shape
            if len(shape) == 3 and shape[:2] == steps and isinstance(shape[2], int):
                return loss.output
    raise RequestError(
        f"{spec.model} has no output [N, T, V] of scores that a softmax_cross_entropy compares"
    )


def _sizes(program: Program, size: str) -> DimInfo:
    """The numbers that an axis may have."""
    fixed = int(size) if size.isdigit() else None
    known = program.network.dims.get(size)
    return known or DimInfo(name="the number of tokens", min=fixed or 1, max=fixed)
