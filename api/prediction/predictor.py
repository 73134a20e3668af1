"""Runs a network on batches of samples, and gives the answers sample by sample."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from netwright.compiler.frontend.network import Network
from netwright.runtime.batches import read_ahead
from netwright.runtime.data.inputs import InputBatch, Inputs, Place, Unreadable, each_alone
from netwright.runtime.errors import DataError, ExecutionError, InputError
from netwright.specs.manifest import DimInfo

from ..errors import RequestError
from ..program import Program

#: The batch of a network that fixes none, unless another is asked for.
USUAL_BATCH = 64


@dataclass(frozen=True)
class Prediction:
    """Some samples: their places and texts, and the inputs and outputs ``[samples, …]`` by name."""

    places: Sequence[Place]
    texts: Sequence[str]
    inputs: Mapping[str, NDArray]
    outputs: Mapping[str, NDArray]

    def __len__(self) -> int:
        return len(self.places)


class BatchSizes:
    """The sizes that a batch of a network may have. Raises RequestError if an input or output has no axis of
    samples.
    """

    def __init__(self, network: Network):
        types = {**network.inputs, **{name: output.type for name, output in network.outputs.items()}}
        firsts = {name: str(type.shape[0]) if type.rank else "" for name, type in types.items()}
        samples = firsts[next(iter(network.inputs))]
        if other := next((name for name, first in firsts.items() if first != samples or not first), None):
            raise RequestError(f"{other} has no axis that counts samples: netwright run takes whole arrays")
        fixed = int(samples) if samples.isdigit() else None
        self._dim = network.dims.get(samples, DimInfo(name=samples, min=fixed or 1, max=fixed))

    def most(self, wanted: int) -> int:
        """How many samples a batch should have, if ``wanted`` is the most."""
        return wanted if self._dim.max is None else min(wanted, self._dim.max)

    def takes(self, samples: int) -> bool:
        """Whether a batch may have exactly so many samples."""
        dim = self._dim
        return dim.min <= samples <= (dim.max or samples) and samples % dim.multiple_of == 0

    def padded(self, batch: InputBatch) -> Mapping[str, NDArray]:
        """The arrays of a batch; its last sample is repeated if the network takes no batch of this size."""
        unit = self._dim.multiple_of
        missing = max(self._dim.min, -(-len(batch) // unit) * unit) - len(batch)
        if missing <= 0:
            return batch.arrays
        return {
            name: np.concatenate([array, np.repeat(array[-1:], missing, axis=0)])
            for name, array in batch.arrays.items()
        }


def predictions(program: Program, inputs: Inputs, sizes: BatchSizes) -> Iterator[Prediction | Unreadable]:
    """The answers to all samples, in their order. While a batch is computed, the next one is read."""
    with read_ahead(inputs) as items:
        for item in items:
            if isinstance(item, Unreadable):
                yield item
                continue
            rows = range(len(item))
            yield from each_alone(
                rows, lambda rows, item=item: _predicted(program, item.take(rows[0], rows[-1] + 1), sizes)
            )


def _predicted(program: Program, batch: InputBatch, sizes: BatchSizes) -> Prediction:
    try:
        outputs = program.predicted(sizes.padded(batch))
    except (ExecutionError, InputError) as error:
        raise DataError(f"{batch.places[0]}: {error}") from error
    cut = {name: array[: len(batch)] for name, array in outputs.items()}
    return Prediction(batch.places, batch.texts, batch.arrays, cut)
