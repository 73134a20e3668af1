"""Every primitive, lowered alone, computes what its NumPy evaluation computes."""

import numpy as np
import pytest

from netwright.compiler.interpreter import evaluate
from netwright.compiler.machine import Machine
from netwright.compiler.ops.base import Primitive, Sample

from ..graph.drawing import CASES, NAMES, operands, sample_graph
from ..machines import AVX512, SSE
from .engines import run_loops, run_native


@pytest.mark.alike(2)
@pytest.mark.parametrize("machine", [AVX512, SSE], ids=["avx512", "sse"])
@pytest.mark.parametrize(("primitive", "sample"), CASES, ids=NAMES)
def test_lowered_equals_reference(primitive: Primitive, sample: Sample, machine: Machine) -> None:
    graph, _ = sample_graph(primitive, sample)
    inputs = {f"x{i}": array for i, array in enumerate(operands(sample))}
    expected = evaluate(graph, inputs)
    found = run_loops(graph, inputs, {}, machine, nthreads=2 if machine.vector_bytes == 16 else 1)
    for name, array in expected.items():
        np.testing.assert_allclose(found[name], array, rtol=1e-9, atol=1e-12)


@pytest.mark.alike(4)
@pytest.mark.parametrize(("primitive", "sample"), CASES, ids=NAMES)
def test_native_equals_reference(primitive: Primitive, sample: Sample) -> None:
    graph, _ = sample_graph(primitive, sample)
    inputs = {f"x{i}": array for i, array in enumerate(operands(sample))}
    expected = evaluate(graph, inputs)
    found = run_native(graph, inputs, {}, threads=2)
    for name, array in expected.items():
        np.testing.assert_allclose(found[name], array, rtol=1e-9, atol=1e-12)
