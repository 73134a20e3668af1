"""Every primitive, from its samples: shape rule against evaluation, gradient against central differences."""

from __future__ import annotations

import numpy as np
import pytest

from netwright.compiler.autodiff import gradients
from netwright.compiler.graph.graph import Graph
from netwright.compiler.graph.node import Value
from netwright.compiler.interpreter import evaluate
from netwright.compiler.ops.base import Primitive, Sample
from netwright.compiler.ops.products.dot import DotAttributes
from netwright.compiler.ops.values.constant import constant

from .drawing import CASES, NAMES, float_positions, operands, sample_graph


@pytest.mark.parametrize(("primitive", "sample"), CASES, ids=NAMES)
def test_shape_rule_says_what_evaluation_gives(primitive: Primitive, sample: Sample):
    graph, values = sample_graph(primitive, sample)
    arrays = operands(sample)
    results = evaluate(graph, {f"x{i}": array for i, array in enumerate(arrays)})
    for i, value in enumerate(values):
        assert results[f"y{i}"].shape == graph.type(value).shape
        assert results[f"y{i}"].dtype == graph.type(value).dtype


DIFFERENTIABLE = [
    pytest.param(primitive, sample, id=name)
    for (primitive, sample), name in zip(CASES, NAMES, strict=True)
    if float_positions(sample)
    and any(type.dtype == "float64" for type in primitive.infer(sample.attrs, sample.operands))
]


def projected(primitive: Primitive, sample: Sample, rng: np.random.Generator) -> Graph:
    """The operation, its float results projected on a random direction and summed: a scalar to
    differentiate.
    """
    graph, values = sample_graph(primitive, sample)
    total: Value | None = None
    for value in values:
        type = graph.type(value)
        if type.dtype != "float64":
            continue
        direction = constant(graph, rng.normal(size=tuple(int(str(n)) for n in type.shape)))
        axes = tuple(range(type.rank))
        term = graph.apply("dot", value, direction, attrs=DotAttributes(axes, axes))
        total = term if total is None else graph.apply("add", total, term)
    assert total is not None
    graph.set_output("loss", total)
    return graph


@pytest.mark.parametrize(("primitive", "sample"), DIFFERENTIABLE)
def test_gradient_is_that_of_central_differences(primitive: Primitive, sample: Sample):
    rng = np.random.default_rng(1)
    arrays = operands(sample)
    graph = projected(primitive, sample, rng)
    positions = float_positions(sample)
    differentiated, values = gradients(graph, "loss", [f"x{i}" for i in positions])
    for name, value in values.items():
        differentiated.set_output(f"d{name}", value)
    inputs = {f"x{i}": array for i, array in enumerate(arrays)}
    results = evaluate(differentiated, inputs)
    step = 1e-5
    for i in positions:
        x = arrays[i]
        expected = np.zeros_like(x)
        for index in np.ndindex(x.shape):
            sides = []
            for sign in (1, -1):
                moved = x.copy()
                moved[index] += sign * step
                sides.append(evaluate(graph, {**inputs, f"x{i}": moved})["loss"])
            expected[index] = (sides[0] - sides[1]) / (2 * step)
        np.testing.assert_allclose(results[f"dx{i}"], expected, rtol=1e-6, atol=1e-7)
