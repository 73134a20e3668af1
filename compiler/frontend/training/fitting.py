"""Constants computed from the training data: mean and deviation of fitted ``standardize`` layers.

The entry `fit` returns the sums over one batch for each such layer. Two rounds over the data give mean and deviation
without cancellation, whatever the magnitude of the data.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from ...graph.graph import Graph
from ...interpreter import evaluate
from ...pipeline import eliminate_dead
from ..expander import Expander
from ..network import Network
from ..tensor import full, where

Arrays = Mapping[str, NDArray]


def fit_graph(expander: Expander) -> Graph:
    """An expanded network whose outputs are, for each fitted layer, `fit.LAYER.count` [], `.sum` [C] and `.squares`
    [C] (of the distances from the present mean)."""
    graph = expander.graph
    for layer, signal in expander.fitted.items():
        values = signal.tensor
        axes = range(signal.rank - 1)
        valid = signal.valid_like()
        distances = values - expander.mean_of(layer)
        ones = full(graph, 1, values.type) if valid is None else valid.cast(values.dtype)
        kept = values if valid is None else where(valid, values, 0)
        distances = distances if valid is None else where(valid, distances, 0)
        results = {
            "count": ones.sum(axes).take(0, 0),
            "sum": kept.sum(axes),
            "squares": (distances * distances).sum(axes),
        }
        for name, result in results.items():
            graph.set_output(f"fit.{layer}.{name}", result.value)
    return eliminate_dead(graph)


def fit_statistics(
    network: Network,
    values: Arrays,
    batches: Callable[[], Iterable[Arrays]],
    run: Callable[[Arrays], Arrays] | None = None,
) -> dict[str, NDArray]:
    """The statistics of all fitted layers, by name; empty if there are none.

    ``values`` holds the present parameters and statistics, ``batches()`` iterates over the training inputs from the
    start, ``run`` evaluates the entry `fit` (in the interpreter if None). Layers are fitted in order, each on the
    results of those before it. A deviation of 0 counts as 1. Raises ValueError if there are no data.
    """
    statistics: dict[str, NDArray] = {}
    if not network.fitted:
        return statistics
    graph = network.graphs["fit"]

    def interpret(arrays: Arrays) -> Arrays:
        return evaluate(graph, {name: arrays[name] for name in graph.inputs})

    def total(layer: str, *kinds: str) -> list[NDArray]:
        sums = [np.zeros(()) for _ in kinds]
        for batch in batches():
            results = (run or interpret)({**values, **statistics, **batch})
            sums = [
                old + results[f"fit.{layer}.{kind}"].astype(np.float64)
                for old, kind in zip(sums, kinds, strict=True)
            ]
        return sums

    for layer in network.fitted:
        dtype = network.parameters[f"{layer}.mean"].type.dtype
        count, sums = total(layer, "count", "sum")
        if not count:
            raise ValueError(f"there are no data to fit {layer} on")
        statistics[f"{layer}.mean"] = (sums / count).astype(dtype)
        (squares,) = total(layer, "squares")
        deviation = np.sqrt(squares / count)
        statistics[f"{layer}.stddev"] = np.where(deviation > 0, deviation, 1).astype(dtype)
    return statistics
