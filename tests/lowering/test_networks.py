"""Whole networks through lowering: fusion, padding into place, in-place updates, symbolic batch."""

from collections.abc import Iterator, Sequence

import numpy as np
import pytest

from netwright.compiler.graph.graph import Graph
from netwright.compiler.graph.types import TensorType
from netwright.compiler.interpreter import evaluate
from netwright.compiler.loop import ir
from netwright.compiler.loop.text.printing import function_text
from netwright.compiler.lowering.grouping.roles import ContractionPart
from netwright.compiler.lowering.reading import reader
from netwright.compiler.lowering.reading.reader import cells_of
from netwright.compiler.machine import Machine
from netwright.compiler.ops.views.slice_pad import PadAttributes
from netwright.compiler.ops.windows.conv import ConvAttributes
from netwright.compiler.ops.windows.reduce_window import ReduceWindowAttributes
from netwright.specs.dims import DimLike

from ..engines.harness import Model
from ..machines import AVX512, SSE
from .engines import lowered, run_loops, run_native
from .networks import N, classifier, draw_inputs, with_training


@pytest.mark.parametrize("batch", [1, 9])
def test_inference(batch: int) -> None:
    graph = classifier()
    inputs = draw_inputs(graph, {"N": batch})
    found = run_loops(graph, inputs, {"N": batch})
    np.testing.assert_allclose(found["logits"], evaluate(graph, inputs)["logits"], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("batch", "machine", "nthreads"), [(3, AVX512, 1), (2, SSE, 2)])
def test_training_step(batch: int, machine: Machine, nthreads: int) -> None:
    graph = with_training(classifier(dtype="float64"))
    inputs = draw_inputs(graph, {"N": batch})
    found = run_loops(graph, inputs, {"N": batch}, machine, nthreads)
    for name, expected in evaluate(graph, inputs).items():
        np.testing.assert_allclose(found[name], expected, rtol=1e-9, atol=1e-11, err_msg=name)


def test_convolution_activation_and_pool_are_one_kernel() -> None:
    """pad input, conv + bias + relu + pool, conv + bias + relu + pool, dense: the pads' borders are filled apart."""
    program, _ = lowered(classifier())
    calls = [s for s in program.entries["main"].function.body if isinstance(s, ir.Call)]
    assert len(calls) == 6
    written = {program.kernels[c.function].buffers[-1].name for c in calls}
    assert written  # every kernel writes its last buffer
    convs = [c for c in calls if any(b.buffer.endswith("kernel") for b in c.buffers)]
    assert len(convs) == 3


@pytest.mark.parametrize(("batch", "threads"), [(1, 1), (33, 1), (33, 2)])
def test_native_training_step(batch: int, threads: int) -> None:
    graph = with_training(classifier(12, dtype="float64"))
    inputs = draw_inputs(graph, {"N": batch})
    found = run_native(graph, inputs, {"N": batch}, threads)
    for name, expected in evaluate(graph, inputs).items():
        np.testing.assert_allclose(found[name], expected, rtol=1e-9, atol=1e-11, err_msg=name)


def test_a_window_cut_at_the_border_under_a_convolution() -> None:
    """7 cells in windows of 2: the last one reads a cell of the pad, where there is no convolution to compute."""
    g = Graph("cut")
    x = g.input("x", TensorType("float64", (N, 7, 6, 3)))
    w = g.input("w", TensorType("float64", (1, 1, 3, 4)), "parameter")
    y = g.apply("conv", x, w, attrs=ConvAttributes((1, 1), (1, 1)))
    padding = PadAttributes((0, 0, 0, 0), (0, 1, 0, 0), (0, 0, 0, 0), float("-inf"))
    window = ReduceWindowAttributes("max", (1, 2, 2, 1), (1, 2, 2, 1))
    g.set_output("y", g.apply("reduce_window", g.apply("pad", y, attrs=padding), attrs=window))
    inputs = draw_inputs(g, {"N": 2})
    np.testing.assert_allclose(run_native(g, inputs, {"N": 2})["y"], evaluate(g, inputs)["y"], rtol=1e-12)


@pytest.mark.parametrize(("groups", "channels"), [(3, 20), (2, 4)])
def test_convolutions_in_groups_have_as_many_lanes_as_a_group_has_channels(
    groups: int, channels: int
) -> None:
    g = Graph("groups")
    x = g.input("x", TensorType("float32", (N, 5, 4, 2 * groups)))
    w = g.input("w", TensorType("float32", (3, 3, 2, channels * groups)))
    g.set_output("y", g.apply("conv", x, w, attrs=ConvAttributes((1, 1), (1, 1), groups)))
    program, _ = lowered(g)
    text = "".join(function_text(kernel) for kernel in program.kernels.values())
    assert f"float32x{min(16, channels)}" in text
    inputs = draw_inputs(g, {"N": 2})
    np.testing.assert_allclose(
        run_native(g, inputs, {"N": 2})["y"], evaluate(g, inputs)["y"], rtol=1e-4, atol=1e-5
    )


def test_cells_that_are_padding_are_not_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three windows on top of each other reach 27³ cells, most of which are known to lie in the padding of short axes:
    the search for what a tile reads goes the way of what exists."""
    visited = 0

    def counted(part: ContractionPart, index: Sequence[DimLike]) -> Iterator[tuple[DimLike, ...]]:
        nonlocal visited
        for cell in cells_of(part, index):
            visited += 1
            yield cell

    spec = {
        "netwright": 1,
        "model": "windows",
        "dims": {"N": "batch", "T": {"role": "size", "min": 2, "multiple_of": 4}},
        "inputs": {"x": {"shape": ["N", "T", 2, 4, 2]}},
        "layers": [
            {"name": "p", "type": "lp_pool3d", "pool_size": 3, "padding": "same", "p": 1, "repeat": 3},
            {"name": "d", "type": "dense", "units": 3},
        ],
        "outputs": {"y": "d"},
    }
    monkeypatch.setattr(reader, "cells_of", counted)
    assert Model(spec, AVX512).lowered
    assert 0 < visited < 10_000, visited
