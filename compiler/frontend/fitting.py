"""Constants that come from the training data: the mean and deviation of fitted ``standardize`` layers.

The entry `fit` gives, for each such layer, the sums over one batch; two rounds over the data make a mean and a
deviation without cancellation, whatever the size of the data.
"""

from __future__ import annotations

from ..graph.graph import Graph
from .expander import Expander


def fit_graph(expander: Expander) -> Graph:
    """An expanded network with, for each fitted layer, `fit.LAYER.count` [], `.sum` [C] and `.squares` [C] (of
    the distances from the present mean) as its outputs."""
    graph = expander.graph
    for layer, signal in expander.fitted.items():
        values = signal.tensor
        axes = range(signal.rank - 1)
        mean = expander.mean_of(layer)
        valid = signal.valid_like()
        ones = values * 0 + 1 if valid is None else valid.cast(values.dtype)
        kept = values * ones
        distances = (values - mean) * ones
        results = {
            "count": ones.sum(axes).take(0, 0),
            "sum": kept.sum(axes),
            "squares": (distances * distances).sum(axes),
        }
        for name, result in results.items():
            graph.set_output(f"fit.{layer}.{name}", result.value)
    return graph
