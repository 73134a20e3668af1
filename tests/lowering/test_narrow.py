"""Slices move through windows into less padding, and nothing else changes."""

import numpy as np
import pytest

from netwright.compiler.autodiff import gradients
from netwright.compiler.graph.graph import Graph
from netwright.compiler.graph.types import TensorType
from netwright.compiler.interpreter import evaluate
from netwright.compiler.ops.values.reduce import ReduceAttributes
from netwright.compiler.ops.views.interleave import InterleaveAttributes
from netwright.compiler.ops.views.slice_pad import PadAttributes, SliceAttributes
from netwright.compiler.ops.windows.conv import ConvAttributes
from netwright.compiler.passes.windows.narrow import narrow_windows
from netwright.compiler.pipeline import GRAPH, eliminate_dead

from .networks import N, draw_inputs


def padded_convolution(size: tuple[int, int] = (5, 6), stride: tuple[int, int] = (1, 2)) -> Graph:
    g = Graph("padded")
    x = g.input("x", TensorType("float64", (N, *size, 2)))
    w = g.input("w", TensorType("float64", (3, 3, 2, 4)), "parameter")
    edge = (0, 1, 1, 0)
    y = g.apply(
        "conv",
        g.apply("pad", x, attrs=PadAttributes(edge, edge, (0, 0, 0, 0))),
        w,
        attrs=ConvAttributes(stride, (1, 1)),
    )
    g.set_output("loss", g.apply("reduce", g.apply("sin", y), attrs=ReduceAttributes("sum", (0, 1, 2, 3))))
    g, found = gradients(g, "loss", ["x", "w"])
    for name, value in found.items():
        g.set_output(f"d_{name}", value)
    return eliminate_dead(g)


def test_the_gradient_of_a_padded_convolution_is_cut_to_its_cells() -> None:
    graph = padded_convolution()
    narrowed = eliminate_dead(narrow_windows(graph))
    sizes = [n.types[0].shape[1:3] for n in narrowed if n.op == "conv"]
    assert (
        sizes == [(5, 3)] * 3
    )  # forward, and the two phases of 5 × 6 cells: none of them of the 7 × 8 with padding
    sliced = {narrowed.producer(narrowed.operands(n)[0]).op for n in narrowed if n.op == "slice"}
    assert not sliced & {"conv", "interleave"}
    inputs = draw_inputs(graph, {"N": 2})
    expected = evaluate(graph, inputs)
    for name, found in evaluate(narrowed, inputs).items():
        np.testing.assert_allclose(found, expected[name], rtol=1e-12, atol=1e-12)


def test_a_small_images_gradient_is_not_split_for_cells_that_are_cut_away() -> None:
    """Of the 6×6 cells with padding most products are of padding, of the 4×4 cells that are left less than a third."""
    graph = padded_convolution((4, 4), (1, 1))
    whole = GRAPH.run(graph)
    assert [n.types[0].shape[1:3] for n in whole if n.op == "conv"] == [(4, 4)] * 2  # forward and gradient
    inputs = draw_inputs(graph, {"N": 2})
    expected = evaluate(graph, inputs)
    for name, value in evaluate(whole, inputs).items():
        np.testing.assert_allclose(value, expected[name], rtol=1e-12, atol=1e-12)


def test_nothing_to_narrow_is_the_same_graph() -> None:
    graph = eliminate_dead(narrow_windows(padded_convolution()))
    assert narrow_windows(graph) is graph


@pytest.mark.parametrize("op", ["pad", "interleave"])
def test_a_slice_moves_through_a_long_chain(op: str) -> None:
    """2,000 operations deep, which is more than Python's stack holds."""
    count = 2000
    g = Graph("chain")
    value = g.input("x", TensorType("float64", (4,)))
    for _ in range(count):
        if op == "pad":
            value = g.apply("pad", value, attrs=PadAttributes((1,), (1,), (0,)))
        else:
            value = g.apply("interleave", value, attrs=InterleaveAttributes((1,)))
    (cells,) = g.type(value).shape
    if op == "pad":
        start, limit = (count // 2,), (cells - count // 2,)
    else:
        start, limit = (1,), (3,)
    g.set_output("y", g.apply("slice", value, attrs=SliceAttributes(start, limit, (1,))))
    narrowed = eliminate_dead(narrow_windows(g))
    assert sum(n.op == op for n in narrowed) == (count // 2 if op == "pad" else count)
    x = {"x": np.arange(1.0, 5.0)}
    np.testing.assert_array_equal(evaluate(narrowed, x)["y"], evaluate(g, x)["y"])
