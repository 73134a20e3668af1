"""Every primitive, lowered alone, computes what its NumPy evaluation computes."""

import numpy as np
import pytest

from netwright.compiler.interpreter import evaluate
from netwright.compiler.ops.base import Primitive, Sample

from ..graph.drawing import CASES, NAMES, operands, sample_graph
from .engines import run_loops, run_native


@pytest.mark.parametrize("vector_bytes", [64, 16])
@pytest.mark.parametrize(("primitive", "sample"), CASES, ids=NAMES)
def test_lowered_equals_reference(primitive: Primitive, sample: Sample, vector_bytes: int) -> None:
    graph, _ = sample_graph(primitive, sample)
    inputs = {f"x{i}": array for i, array in enumerate(operands(sample))}
    expected = evaluate(graph, inputs)
    found = run_loops(graph, inputs, {}, vector_bytes, nthreads=2 if vector_bytes == 16 else 1)
    for name, array in expected.items():
        np.testing.assert_allclose(found[name], array, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(("primitive", "sample"), CASES, ids=NAMES)
def test_native_equals_reference(primitive: Primitive, sample: Sample) -> None:
    graph, _ = sample_graph(primitive, sample)
    inputs = {f"x{i}": array for i, array in enumerate(operands(sample))}
    expected = evaluate(graph, inputs)
    found = run_native(graph, inputs, {}, threads=2)
    for name, array in expected.items():
        np.testing.assert_allclose(found[name], array, rtol=1e-9, atol=1e-12)
