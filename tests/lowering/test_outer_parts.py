"""Gradients of filters in parts: how many there are, and that they add up to the whole on any number of threads."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from netwright.compiler.graph.graph import Graph
from netwright.compiler.graph.types import TensorType
from netwright.compiler.interpreter import evaluate
from netwright.compiler.loop import ir
from netwright.compiler.lowering.grouping.groups import Grouping
from netwright.compiler.lowering.grouping.roles import Roles
from netwright.compiler.lowering.outer.parts import parts_of
from netwright.compiler.ops.products.dot import DotAttributes
from netwright.compiler.ops.views.concat import ConcatAttributes
from netwright.specs.dims import dim

from ..machines import AVX512, NEON
from .engines import lowered, run_loops, run_native
from .test_outer import N, convolution, dense, drawn

T = dim("T")


def steps() -> Graph:
    """The gradient of a dense layer's weights, over the steps of sequences."""
    graph = Graph()
    x = graph.input("x", TensorType("float32", (T, N, 40)))
    dy = graph.input("dy", TensorType("float32", (N, T, 20)))
    graph.set_output("dw", graph.apply("dot", x, dy, attrs=DotAttributes((1, 0), (0, 1), 0)))
    return graph


def moved() -> Graph:
    """A gradient that is stored beside other values."""
    graph = convolution((6, 7), 10, 20, 2)
    dw, other = graph.outputs["dw"], graph.input("other", TensorType("float32", (2, 2, 10, 3)))
    graph.drop_output("dw")
    graph.set_output("dw", graph.apply("concat", dw, other, attrs=ConcatAttributes(3)))
    return graph


@pytest.mark.parametrize(
    ("graph", "parts"),
    [
        (convolution((32, 32), 16, 16, 3), (8, 4)),  # enough cells for parts of a sample
        (convolution((8, 8), 64, 64, 3), (4, 1)),  # more sums would leave the second cache
        (convolution((3, 3), 128, 128, 1), (2, 1)),  # more parts would have few terms
        (convolution((1, 1), 64, 64, 1), None),
        (convolution((8, 8), 512, 512, 3), None),
        (dense(128, 512), None),
        (steps(), (8, 1)),
    ],
)
def test_number_of_parts(graph: Graph, parts: tuple[int, int] | None) -> None:
    groups = Grouping(Roles(graph))
    (group,) = groups.groups
    machine = replace(AVX512, l2_bytes=2**21)
    chosen = parts_of(groups.roles, group, {"N": 1, "T": 1}, machine)
    assert (chosen and (chosen.samples, chosen.rows)) == parts


@pytest.mark.parametrize("samples", [1, 2, 9, 19])
@pytest.mark.parametrize("graph", [convolution((32, 18), 3, 17, 3), moved()])
def test_parts_add_up_to_the_whole(graph: Graph, samples: int) -> None:
    """For any number of threads, to the bit."""
    inputs, dims = drawn(graph, samples), {"N": samples}
    expected = evaluate(graph, inputs, dims)["dw"]
    results = [run_native(graph, inputs, dims, threads)["dw"] for threads in (1, 2, 3)]
    np.testing.assert_allclose(results[0], expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max())
    assert all(np.array_equal(results[0], other) for other in results[1:])


@pytest.mark.parametrize("dims", [{"N": 3, "T": 1}, {"N": 2, "T": 70}])
def test_parts_of_steps(dims: dict[str, int]) -> None:
    graph, random = steps(), np.random.default_rng(0)
    inputs = {
        "x": random.standard_normal((dims["T"], dims["N"], 40)).astype(np.float32),
        "dy": random.standard_normal((dims["N"], dims["T"], 20)).astype(np.float32),
    }
    expected = evaluate(graph, inputs, dims)["dw"]
    results = [run_native(graph, inputs, dims, threads)["dw"] for threads in (1, 3)]
    np.testing.assert_allclose(results[0], expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max())
    assert np.array_equal(results[0], results[1])


def test_threads_share_nothing() -> None:
    """Parts store to memory of their own, which the loop interpreter watches."""
    graph = convolution((16, 32), 1, 5, 1)
    for samples, machine in ((1, AVX512), (2, NEON)):
        inputs = drawn(graph, samples)
        expected = evaluate(graph, inputs, {"N": samples})["dw"]
        result = run_loops(graph, inputs, {"N": samples}, machine, nthreads=3)["dw"]
        np.testing.assert_allclose(result, expected, rtol=1e-4, atol=1e-3)


def test_a_single_part_is_stored_at_once() -> None:
    """A sample alone costs no more than before."""
    program, _ = lowered(convolution((9, 9), 40, 40, 3))
    body = [
        statement
        for statement in program.entries["main"].function.body
        if not isinstance(statement, ir.Barrier)
    ]
    choice, adding = body
    assert isinstance(choice, ir.If)
    assert isinstance(adding, ir.Call)
    several, single = ([s for s in each if isinstance(s, ir.Call)] for each in (choice.body, choice.orelse))
    assert [call.function for call in several] == [call.function for call in single]
    stores = [any(place.buffer == "dw" for place in call.buffers) for call in (*several, *single, adding)]
    assert stores == [False, True, True]
