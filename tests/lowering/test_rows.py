"""An open number of rows, most of which fill no whole tiles: every row is computed, once, and by one thread."""

from __future__ import annotations

import numpy as np
import pytest

from netwright.compiler.graph.graph import Graph
from netwright.compiler.graph.types import TensorType
from netwright.compiler.loop.interpreter import run_entry
from netwright.compiler.ops.dot import DotAttributes
from netwright.specs.dims import dim

from .engines import lowered, zeros


def products(columns: int) -> Graph:
    """Matrices with an open number of rows, which threads divide, and one whose rows are inside of a loop of theirs."""
    graph = Graph("rows")
    x = graph.input("x", TensorType("float32", (dim("N"), 5)), "input")
    s = graph.input("s", TensorType("float32", (2, dim("N"), 5)), "input")
    w = graph.input("w", TensorType("float32", (5, columns)), "parameter")
    graph.set_output("y", graph.add("dot", [x, w], DotAttributes((1,), (0,))).values[0])
    graph.set_output("z", graph.add("dot", [s, w], DotAttributes((2,), (0,))).values[0])
    return graph


@pytest.mark.parametrize(
    ("columns", "numbers"), [(16, (1, 7, 8, 14)), (48, (2, 5, 7, 11))], ids=["8 rows", "7 rows"]
)
def test_every_row_is_computed(columns: int, numbers: tuple[int, ...]) -> None:
    random = np.random.default_rng(columns)
    graph, w = products(columns), random.integers(-4, 5, (5, columns)).astype(np.float32)
    program, _ = lowered(graph)
    for rows in numbers:
        x, s = (random.integers(-4, 5, shape).astype(np.float32) for shape in ((rows, 5), (2, rows, 5)))
        results = {name: zeros(graph.type(value), {"N": rows}) for name, value in graph.outputs.items()}
        run_entry(program, "main", {"x": x, "s": s, "w": w, **results}, {"N": rows}, nthreads=2)
        np.testing.assert_array_equal(results["y"], x @ w)
        np.testing.assert_array_equal(results["z"], s @ w)
