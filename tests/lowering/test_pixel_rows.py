"""Which rows of an image a product with one tap takes as one, and where each pixel of them is."""

from __future__ import annotations

import pytest

from netwright.compiler.graph.graph import Graph
from netwright.compiler.graph.types import TensorType
from netwright.compiler.lowering.grouping.roles import ContractionPart, Roles
from netwright.compiler.lowering.tiles.pixel_rows import PixelRows, pixel_rows
from netwright.compiler.machine import Machine
from netwright.compiler.ops.products.dot import DotAttributes
from netwright.specs.dims import Shape, dim

from ..machines import AVX2, AVX512, SMALL_CACHES

N, H = dim("N"), dim("H")


def chosen(space: Shape, machine: Machine = AVX2, dense: bool = True) -> PixelRows | None:
    """The rows of pixels for a product of 64 channels, whose result has this shape."""
    graph = Graph("pixels")
    x = graph.input("x", TensorType("float32", (*space[:-1], 64)))
    w = graph.input("w", TensorType("float32", (64, space[-1])), "parameter")
    product = graph.apply("dot", x, w, attrs=DotAttributes((len(space) - 1,), (0,)))
    graph.set_output("y", product)
    part = Roles(graph).part(product)
    assert isinstance(part, ContractionPart)
    return pixel_rows(space, [part], dense, machine)


@pytest.mark.parametrize(
    ("space", "dense", "machine", "lead"),
    [
        ((N, 10, 5, 16), True, AVX512, (N, 2, 25)),
        ((N, 10, 5, 16), True, AVX2, None),  # rows of five fill tiles
        ((N, 10, 5, N), True, AVX512, None),
        ((N, 10, H, 16), True, AVX512, None),
        ((N, H, 5, 16), True, AVX512, None),
        # Where threads have no loop over other axes to divide, only if results are dense.
        ((1, 3, 3, 16), True, AVX2, (1, 1, 9)),
        ((1, 3, 3, 16), False, AVX2, None),
        ((1, 10, 5, 16), False, AVX512, (1, 2, 25)),
        ((N, 12, 9, 1), True, AVX512, None),  # lanes run along the cells
        # All images together, if results are dense and weights leave the first cache.
        ((N, 3, 3, 64), True, SMALL_CACHES, (1, 1, 9 * N)),
        ((N, 3, 3, 64), False, SMALL_CACHES, (N, 1, 9)),
        ((N, 3, 3, 64), True, AVX2, (N, 1, 9)),
    ],
)
def test_rows(space: Shape, dense: bool, machine: Machine, lead: Shape | None) -> None:
    found = chosen(space, machine, dense)
    assert (None if found is None else found.lead) == lead


def test_where_pixels_are_in_their_image() -> None:
    """In rows of two of the image's, and in one of all images."""
    rows = PixelRows((4, 6, 3, 8), 1, 2)
    assert rows.lead == (4, 3, 6)
    assert rows.apart((1, 2, 4, 7)) == (1, 5, 1, 7)
    rows = PixelRows((N, 2, 3, 8), 0, None)
    assert rows.lead == (1, 1, 6 * N)
    assert rows.apart((0, 0, 10, 7)) == (1, 1, 1, 7)
