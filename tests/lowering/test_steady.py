"""In steady programs, an element of a product has the same bits however many rows are computed with it."""

from __future__ import annotations

import numpy as np
import pytest

from netwright.compiler.graph.graph import Graph
from netwright.compiler.graph.types import TensorType
from netwright.compiler.ops.products.dot import DotAttributes
from netwright.specs.dims import dim

from .engines import lowered, run_loops


def product(columns: int) -> Graph:
    """An open number of rows times a matrix."""
    graph = Graph("rows")
    x = graph.input("x", TensorType("float32", (dim("N"), 40)), "input")
    w = graph.input("w", TensorType("float32", (40, columns)), "parameter")
    graph.set_output("y", graph.add("dot", [x, w], DotAttributes((1,), (0,))).values[0])
    return graph


@pytest.mark.parametrize("columns", [3, 16, 40])
def test_rows_have_the_same_bits_in_any_number(columns: int) -> None:
    numbers = np.random.default_rng(columns)
    x, w = (numbers.normal(size=shape).astype(np.float32) for shape in ((11, 40), (40, columns)))
    whole = run_loops(product(columns), {"x": x, "w": w}, {"N": 11}, steady=True)["y"]
    for rows in (1, 3, 7, 8, 9):
        part = run_loops(product(columns), {"x": x[:rows], "w": w}, {"N": rows}, steady=True)["y"]
        np.testing.assert_array_equal(part, whole[:rows])


def test_others_add_up_as_is_fastest() -> None:
    graph = product(16)
    x = np.random.default_rng(1).normal(size=(9, 40)).astype(np.float32)
    w = np.random.default_rng(2).normal(size=(40, 16)).astype(np.float32)
    whole = run_loops(graph, {"x": x, "w": w}, {"N": 9})["y"]  # a tile of eight rows, and one row
    again = run_loops(graph, {"x": x[8:], "w": w}, {"N": 1})["y"]
    np.testing.assert_array_equal(again, whole[8:])
    steady = run_loops(graph, {"x": x, "w": w}, {"N": 9}, steady=True)["y"]
    np.testing.assert_array_equal(steady[:8], whole[:8])
    assert not np.array_equal(steady[8], whole[8])  # several partial sums
    assert lowered(graph)[0].kernels.keys() != lowered(graph, steady=True)[0].kernels.keys()
