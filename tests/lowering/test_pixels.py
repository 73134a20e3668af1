"""Products with one tap run over pixels: results are those of the interpreter, and bits do not depend on threads."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from netwright.compiler.graph.graph import Graph
from netwright.compiler.graph.node import Value
from netwright.compiler.graph.types import TensorType
from netwright.compiler.interpreter import evaluate
from netwright.compiler.ops.base import BroadcastAttributes
from netwright.compiler.ops.views.concat import ConcatAttributes
from netwright.compiler.ops.views.slice_pad import PadAttributes
from netwright.compiler.ops.windows.conv import ConvAttributes
from netwright.specs.dims import DimLike

from ..machines import AVX2, SMALL_CACHES
from .engines import run_loops, run_native
from .networks import N, add_bias, draw_inputs, relu


def product(g: Graph, x: Value, name: str, filters: DimLike) -> Value:
    """A convolution with one tap."""
    type = g.type(x)
    rank = type.rank - 2
    w = g.input(
        name, TensorType(type.dtype, (*(1 for _ in range(rank)), type.shape[-1], filters)), "parameter"
    )
    return g.apply("conv", x, w, attrs=ConvAttributes((1,) * rank, (1,) * rank))


def plain(g: Graph, x: Value) -> Value:
    return product(g, x, "w", 24)


def with_bias_and_sum(g: Graph, x: Value) -> Value:
    """A bias, an activation, and what the product is added to."""
    y = relu(
        g,
        add_bias(
            g,
            product(g, x, "w", g.type(x).shape[-1]),
            g.input("b", TensorType(g.type(x).dtype, g.type(x).shape[-1:])),
        ),
    )
    return g.apply("add", y, x)


def scaled_by_image(g: Graph, x: Value) -> Value:
    """A number per image and channel, as squeezing and exciting have."""
    y = product(g, x, "w", 12)
    shape = g.type(y).shape
    s = g.input("s", TensorType(g.type(x).dtype, (shape[0], 12)))
    return g.apply("mul", y, g.apply("broadcast", s, attrs=BroadcastAttributes(shape, (0, len(shape) - 1))))


def between_margins(g: Graph, x: Value) -> Value:
    rank = g.type(x).rank - 2
    edge = (0, *(1 for _ in range(rank)), 0)
    return g.apply("pad", product(g, x, "w", 16), attrs=PadAttributes(edge, edge, (0,) * (rank + 2)))


def inside_a_concat(g: Graph, x: Value) -> Value:
    """Both products are stored in it; the second one reads the first one there."""
    y = product(g, x, "w", 16)
    z = product(g, y, "v", 16)
    return g.apply("concat", x, y, z, attrs=ConcatAttributes(g.type(x).rank - 1))


GRAPHS: dict[str, Callable[[Graph, Value], Value]] = {
    function.__name__: function
    for function in (plain, with_bias_and_sum, scaled_by_image, between_margins, inside_a_concat)
}
IMAGES: list[tuple[DimLike, ...]] = [
    (N, 10, 5),
    (N, 3, 3),
    (N, 7),
    (N, 2, 3, 7),
    (1, 6, 6),
    (1, 7, 7),
    (4, 3, 3),
]


def graph_of(name: str, image: tuple[DimLike, ...], dtype: str = "float32") -> Graph:
    g = Graph(name)
    x = g.input("x", TensorType(dtype, (*image, 16)))
    g.set_output("y", GRAPHS[name](g, x))
    return g


@pytest.mark.alike(4)
@pytest.mark.parametrize("image", IMAGES, ids=str)
@pytest.mark.parametrize("name", GRAPHS)
def test_pixels_are_computed_alike(name: str, image: tuple[DimLike, ...]) -> None:
    graph = graph_of(name, image)
    dims = {"N": 3}
    inputs = draw_inputs(graph, dims)
    expected = evaluate(graph, inputs)["y"]
    for machine in (AVX2, SMALL_CACHES):
        found = run_loops(graph, inputs, dims, machine, nthreads=2)["y"]
        np.testing.assert_allclose(found, expected, rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize("name", GRAPHS)
def test_compiled_pixels_have_the_same_bits_for_all_threads(name: str) -> None:
    """Images in rows of 25 pixels, and small ones all together."""
    for image, machine in (((N, 10, 5), AVX2), ((N, 3, 3), SMALL_CACHES)):
        graph = graph_of(name, image)
        for n in (1, 5):
            inputs = draw_inputs(graph, {"N": n})
            one, three = (run_native(graph, inputs, {"N": n}, threads, machine)["y"] for threads in (1, 3))
            np.testing.assert_allclose(one, evaluate(graph, inputs)["y"], rtol=2e-5, atol=2e-5)
            np.testing.assert_array_equal(one, three)
