"""What the layers of a network answer to some samples: how their values are spread, and which units are always zero."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from netwright.compiler.frontend.build import layer_graph
from netwright.compiler.graph.types import FLOATS
from netwright.compiler.interpreter import evaluate
from netwright.runtime.data.samples import Samples
from netwright.specs.dims import evaluate as evaluate_size

from ..data.needs import expected_arrays
from ..model import Model

#: The most samples that are looked at, and the most floating-point operations that the interpreter is asked for.
SAMPLES, MOST_FLOPS = 64, 3e9
_BINS = 40


@dataclass(frozen=True)
class Histogram:
    """How often values are in each of equally wide bins between ``low`` and ``high``."""

    low: float
    high: float
    counts: tuple[int, ...]

    @property
    def points(self) -> tuple[list[float], list[int]]:
        """The middles of the bins and the counts, with an empty bin at either end."""
        width = (self.high - self.low) / len(self.counts)
        return [self.low + (i - 0.5) * width for i in range(len(self.counts) + 2)], [0, *self.counts, 0]


@dataclass(frozen=True)
class Activity:
    """The values of a layer over some samples: their mean, deviation, share of zeros, and histogram; how many of its
    ``units`` (the last axis) are zero for all samples.
    """

    layer: str
    mean: float
    deviation: float
    zeros: float
    units: int
    silent: int
    histogram: Histogram


def histogram(*arrays: NDArray, bins: int = _BINS) -> list[Histogram]:
    """Histograms of the finite values of arrays over their common range."""
    values = [array[np.isfinite(array)].astype(np.float64).reshape(-1) for array in arrays]
    low = min((float(array.min()) for array in values if array.size), default=0.0)
    high = max((float(array.max()) for array in values if array.size), default=0.0)
    if not high > low:
        low, high = low - 0.5, high + 0.5
    return [
        Histogram(low, high, tuple(np.histogram(array, bins, (low, high))[0].tolist())) for array in values
    ]


def activities(model: Model, weights: Mapping[str, NDArray], data: Samples) -> tuple[list[Activity], int]:
    """The activity of each layer with float values, in prediction, on the first samples of ``data``; and how many they
    were: as many as the interpreter computes in a few seconds, 0 if that is none. Raises DataError.
    """
    network = model.network
    inputs = [info for info in expected_arrays(network) if info.name in network.inputs]
    # Sequences are taken as long as 100 steps: this is only about how many samples to look at.
    sizes = {name: info.fitted(100) for name, info in network.dims.items() if not info.longest_of}
    flops = evaluate_size(model.summary().flops, sizes)
    count = min(SAMPLES, len(data), int(MOST_FLOPS // max(flops, 1)))
    if count < 1:
        return [], 0
    read = data.read(slice(0, count), [info.name for info in inputs])
    given = {info.name: read[info.name].astype(info.dtype, copy=False) for info in inputs}
    graph = layer_graph(model.load)
    known = {**weights, **given}
    values = evaluate(graph, {name: known[name] for name in graph.inputs})
    shown = []
    for layer in network.layers:
        value = values.get(layer.name)
        if value is None or value.dtype.name not in FLOATS or value.ndim < 2:
            continue
        flat = value.reshape(-1, value.shape[-1])
        (bars,) = histogram(value)
        shown.append(
            Activity(
                layer.name,
                float(value.mean(dtype=np.float64)),
                float(value.std(dtype=np.float64)),
                float((value == 0).mean()),
                flat.shape[1],
                int((flat == 0).all(0).sum()),
                bars,
            )
        )
    return shown, count
