"""An open number of rows, most of which fill no whole tiles: every row is computed, once, and by one thread."""

from __future__ import annotations

import numpy as np
import pytest

from netwright.compiler.graph.graph import Graph
from netwright.compiler.graph.types import TensorType
from netwright.compiler.loop.interpreter import run_entry
from netwright.compiler.loop.intrinsics.builder import KernelBuilder
from netwright.compiler.loop.text import function_text
from netwright.compiler.lowering.rows import Kind, row_tiles
from netwright.compiler.ops.dot import DotAttributes
from netwright.specs.dims import DimLike, dim

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


def loops(extent: DimLike, rows: int, kind: Kind, halves: bool) -> str:
    """A line per loop, condition and tile, with the tile's first row and number of rows."""
    b = KernelBuilder("kernel", {"N": 1})
    buffer = b.buffer("p", "float32", (dim("N") + 64, 64), "write")
    for begin, number in row_tiles(b, extent, rows, kind, halves):
        with begin() as i:
            b.store(buffer, (i, number), b.const(0, "float32", 1))
    lines = function_text(b.finish()).splitlines()[2:]
    return "\n".join(line[2:].replace("p[", "rows from [").partition(" = ")[0] for line in lines)


WHOLE = """\
for i in 0 .. 24 step 8:
  rows from [i, 8]"""
REST = f"""\
{WHOLE}
rows from [24, 2]"""
DIVIDED = """\
parallel for i in 0 .. 26 step 8:
  if -i + 18 >= 0:
    rows from [i, 8]
  else:
    rows from [i, 2]"""
OPEN = """\
for i in 0 .. 8*(N//8) step 8:
  rows from [i, 8]
for i_1 in 8*(N//8) .. N - 3 step 4:
  rows from [i_1, 4]
for i_2 in 4*(N//4) .. N - 1 step 2:
  rows from [i_2, 2]
for i_3 in 2*(N//2) .. N:
  rows from [i_3, 1]"""
ONE_BY_ONE = """\
for i in 0 .. 8*(N//8) step 8:
  rows from [i, 8]
for i_1 in 8*(N//8) .. N:
  rows from [i_1, 1]"""
OPEN_DIVIDED = """\
parallel for i in 0 .. N step 8:
  if N - i - 8 >= 0:
    rows from [i, 8]
  else:
    for i_1 in i .. N - 3 step 4:
      rows from [i_1, 4]
    for i_2 in i + 4*((N - i)//4) .. N - 1 step 2:
      rows from [i_2, 2]
    for i_3 in i + 2*((N - i)//2) .. N:
      rows from [i_3, 1]"""
ONE_BY_ONE_DIVIDED = """\
parallel for i in 0 .. N step 8:
  if N - i - 8 >= 0:
    rows from [i, 8]
  else:
    for i_1 in i .. N:
      rows from [i_1, 1]"""


@pytest.mark.parametrize(
    ("extent", "kind", "halves", "expected"),
    [
        (24, "serial", True, WHOLE),
        (24, "parallel", True, f"parallel {WHOLE}"),
        (26, "serial", False, REST),
        (26, "parallel", False, DIVIDED),
        (dim("N"), "serial", True, OPEN),
        (dim("N"), "serial", False, ONE_BY_ONE),
        (dim("N"), "parallel", True, OPEN_DIVIDED),
        (dim("N"), "parallel", False, ONE_BY_ONE_DIVIDED),
    ],
)
def test_tiles_of_eight_rows(extent: DimLike, kind: Kind, halves: bool, expected: str) -> None:
    assert loops(extent, 8, kind, halves) == expected
