"""Operands for a primitive's samples, drawn as the sample says."""

from __future__ import annotations

import numpy as np

from netwright.compiler.graph.graph import Graph
from netwright.compiler.graph.node import Value
from netwright.compiler.graph.types import FLOATS, TensorType
from netwright.compiler.ops.base import Primitive, Sample
from netwright.compiler.ops.registry import primitives

CASES = [(primitive, sample) for primitive in primitives() for sample in primitive.samples()]
NAMES = [f"{primitive.name}-{position}" for position, (primitive, _) in enumerate(CASES)]


def draw(rng: np.random.Generator, how: str, type: TensorType) -> np.ndarray:
    shape = tuple(size for size in type.shape if isinstance(size, int))
    assert len(shape) == type.rank, "samples have fixed sizes"
    if how == "normal":
        values = rng.normal(size=shape)
    elif how == "positive":
        values = rng.uniform(0.5, 2, shape)
    elif how == "unit":
        values = rng.uniform(0, 1, shape)
    elif how == "distinct":
        values = (rng.permutation(int(np.prod(shape))).reshape(shape) + rng.uniform(0.2, 0.4)) / 3 - 1
    elif how == "bool":
        values = rng.integers(0, 2, shape)
    elif how == "any":  # integers
        info = np.iinfo(type.dtype)
        values = rng.integers(info.min, info.max + 1, shape)
    else:
        kind, _, limit = how.partition(":")
        assert kind == "index"
        values = rng.integers(0, int(limit), shape)
    return np.asarray(values).astype(type.dtype)


def operands(sample: Sample, seed: int = 0) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    how = sample.draw or ("normal",) * len(sample.operands)
    return [draw(rng, h, type) for h, type in zip(how, sample.operands, strict=True)]


def sample_graph(primitive: Primitive, sample: Sample) -> tuple[Graph, list[Value]]:
    """A graph of the one operation, with inputs x0, x1, … and outputs y0, y1, …; and the operation's
    results.
    """
    graph = Graph(primitive.name)
    inputs = [graph.input(f"x{i}", type) for i, type in enumerate(sample.operands)]
    node = graph.add(primitive.name, inputs, sample.attrs)
    for i, value in enumerate(node.values):
        graph.set_output(f"y{i}", value)
    return graph, list(node.values)


def float_positions(sample: Sample) -> list[int]:
    positions = range(len(sample.operands)) if sample.differentiable is None else sample.differentiable
    return [i for i in positions if sample.operands[i].dtype in FLOATS]
