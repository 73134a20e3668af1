"""The interpreter with other roundings: moves every number that an operation computes by one or two of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from netwright.compiler.graph.graph import Graph
from netwright.compiler.interpreter import bind_dims
from netwright.compiler.ops.base import primitive
from netwright.compiler.ops.protocols import Generator, View

Arrays = Mapping[str, NDArray]


def moved(array: NDArray, roundings: float, rng: np.random.Generator) -> NDArray:
    """Each number moved by up to so many roundings; what is not a float stays."""
    if array.dtype.kind != "f":
        return array
    by = 1 + roundings * np.finfo(array.dtype).eps * rng.uniform(-1, 1, array.shape)
    return np.asarray(array * by.astype(array.dtype))


def evaluate_moved(graph: Graph, inputs: Arrays, dims: Mapping[str, int], seed: int) -> dict[str, NDArray]:
    """The graph's outputs where every result of an operation that computes something is moved by up to two
    roundings: so numbers that only a rounding keeps apart, or equal, come in another order."""
    binding = bind_dims(graph, {name: array.shape for name, array in inputs.items()}, dims)
    rounding = _Rounding(binding, np.random.default_rng(seed))
    with np.errstate(all="ignore"):
        results = rounding.evaluate(graph, [inputs[name] for name in graph.inputs])
    return dict(zip(graph.outputs, results, strict=True))


class _Rounding:
    """A context of evaluations, as the interpreter is one."""

    def __init__(self, dims: Mapping[str, int], rng: np.random.Generator):
        self.dims, self.rng = dims, rng

    def evaluate(self, body: Graph, arguments: Sequence[NDArray]) -> list[NDArray]:
        values = dict(zip(body.inputs.values(), arguments, strict=True))
        for node in body:
            if node.op == "input":
                continue
            one = primitive(node.op)
            results = one.evaluate(self, node.attrs, [values[value] for value in body.operands(node)])
            arrays = [np.asarray(array) for array in results]
            if not isinstance(one, View | Generator):
                arrays = [moved(array, 2, self.rng) for array in arrays]
            values.update(zip(node.values, arrays, strict=True))
        return [values[value] for value in body.outputs.values()]
