"""The norms of the loss's gradients by layer while a network is trained: where they vanish, and where they explode.

They are computed on one small batch after each epoch, in an entry of its own: training steps stay as they are, and no
number of the training depends on it. It costs compiling the entry once, and about a step per epoch.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from numpy.typing import NDArray

from netwright.compiler.codegen.targets.target import named_target
from netwright.compiler.frontend.build import slope_graph
from netwright.compiler.graph.graph import Graph
from netwright.compiler.ops.values.reduce import ReduceAttributes
from netwright.runtime.data.samples import Samples
from netwright.runtime.sessions.session import Session
from netwright.runtime.training.loop import plain_batches

from ..build import build
from ..model import Model

_SAMPLES = 16
_ENTRY, _SQUARES = "slopes", "squares."


class SlopeMeter:
    """Measures the norm of ∂L/∂θ over each layer's parameters, in training mode, on the first samples of ``data``."""

    def __init__(self, model: Model, data: Samples):
        network = model.network
        self._owner = {name: info.layer for name, info in network.parameters.items() if info.trained}
        graph = _with_squares(slope_graph(model.load), list(self._owner))
        engine = build(network, {_ENTRY: graph}, named_target("native")).engine(1, False)
        self._known = {buffer.name for buffer in engine.manifest.buffers}
        self._engine, self._data = engine, data

    def measure(self, weights: Mapping[str, NDArray]) -> dict[str, float]:
        """The norms by layer, in the order of the layers, with these weights by name."""
        read = {name: array for name, array in weights.items() if name in self._known}
        session = Session(self._engine, read, {n: array for n, array in weights.items() if n not in read})
        batches = plain_batches(session, self._data, min(_SAMPLES, len(self._data)), False, entry=_ENTRY)
        outputs = session.run(_ENTRY, next(iter(batches.epoch(0))).arrays)
        squares: dict[str, float] = {}
        for name, layer in self._owner.items():
            squares[layer] = squares.get(layer, 0.0) + float(outputs[f"{_SQUARES}{name}"])
        return {layer: math.sqrt(square) for layer, square in squares.items()}


def _with_squares(graph: Graph, names: list[str]) -> Graph:
    """The graph with the sums of the squares of these outputs in their place."""
    for name in names:
        slope = graph.outputs[name]
        square = graph.apply("mul", slope, slope)
        if rank := graph.type(slope).rank:
            square = graph.apply("reduce", square, attrs=ReduceAttributes("sum", tuple(range(rank))))
        graph.drop_output(name)
        graph.set_output(f"{_SQUARES}{name}", square)
    return graph
