"""An open number of rows, most of which fill no whole tiles: every row is computed, once, and by one thread."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from netwright.compiler.graph.graph import Graph
from netwright.compiler.graph.types import TensorType
from netwright.compiler.loop.checks.verify import verify_function
from netwright.compiler.loop.interpreter.run import run_entry, run_function
from netwright.compiler.loop.intrinsics.builder import KernelBuilder
from netwright.compiler.loop.text.printing import function_text
from netwright.compiler.lowering.tiles.rows import Kind, row_tiles
from netwright.compiler.ops.products.dot import DotAttributes
from netwright.compiler.plans.cuts import Left, cut
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


def loops(extent: DimLike, rows: int, kind: Kind, left: Left) -> str:
    """A line per loop, condition and tile, with the tile's first row and number of rows, 61 for a row that is alone."""
    b = KernelBuilder("kernel", {"N": 1})
    buffer = b.buffer("p", "float32", (dim("N") + 64, 64), "write")
    for own in row_tiles(b, extent, rows, kind, left):
        with own.begin() as i:
            b.store(buffer, (i, 60 + own.number if own.alone else own.number), b.const(0, "float32", 1))
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


ONCE_DIVIDED = """\
parallel for i in 0 .. N step 8:
  if N - i - 8 >= 0:
    rows from [i, 8]
  else:
    for i_1 in i .. N - 3 step 4:
      rows from [i_1, 4]
    if N - i - 4*((N - i)//4) - 3 >= 0:
      rows from [i + 4*((N - i)//4), 3]
    else:
      if N - i - 4*((N - i)//4) - 2 >= 0:
        rows from [i + 4*((N - i)//4), 2]
      else:
        if N - i - 4*((N - i)//4) - 1 >= 0:
          rows from [i + 4*((N - i)//4), 1]"""
ALONE_DIVIDED = ONCE_DIVIDED.replace(
    """\
        if N - i - 4*((N - i)//4) - 1 >= 0:
          rows from [i + 4*((N - i)//4), 1]""",
    """\
        if -N + 1 >= 0:
          if N - i - 4*((N - i)//4) - 1 >= 0:
            rows from [i + 4*((N - i)//4), 61]
        else:
          if N - i - 4*((N - i)//4) - 1 >= 0:
            rows from [i + 4*((N - i)//4), 1]""",
)
EVEN = """\
for i in 0 .. 5*max(0, N - 4*((N + 4)//5)) step 5:
  rows from [i, 5]
for i_1 in 5*max(0, N - 4*((N + 4)//5)) .. N step 4:
  if N - i_1 - 4 >= 0:
    rows from [i_1, 4]
  else:
    if N - i_1 - 3 >= 0:
      rows from [i_1, 3]
    else:
      if N - i_1 - 2 >= 0:
        rows from [i_1, 2]
      else:
        if N - i_1 - 1 >= 0:
          rows from [i_1, 1]"""
EVEN_ALONE = EVEN.replace(
    """\
        if N - i_1 - 1 >= 0:
          rows from [i_1, 1]""",
    """\
        if -N + 1 >= 0:
          if N - i_1 - 1 >= 0:
            rows from [i_1, 61]""",
).replace("for i", "parallel for i")
FOUR = """\
for i in 0 .. N step 4:
  if N - i - 4 >= 0:
    rows from [i, 4]
  else:
    if N - i - 3 >= 0:
      rows from [i, 3]
    else:
      if N - i - 2 >= 0:
        rows from [i, 2]
      else:
        if N - i - 1 >= 0:
          rows from [i, 1]"""


@pytest.mark.parametrize(
    ("extent", "rows", "kind", "left", "expected"),
    [
        (24, 8, "serial", "halves", WHOLE),
        (24, 8, "parallel", "halves", f"parallel {WHOLE}"),
        (8, 8, "parallel", "halves", f"parallel {WHOLE.replace('24', '8')}"),
        (26, 8, "serial", "ones", REST),
        (26, 8, "parallel", "ones", DIVIDED),
        (26, 8, "serial", "once", REST),
        (dim("N"), 8, "serial", "halves", OPEN),
        (dim("N"), 8, "serial", "ones", ONE_BY_ONE),
        (dim("N"), 8, "parallel", "halves", OPEN_DIVIDED),
        (dim("N"), 8, "parallel", "ones", ONE_BY_ONE_DIVIDED),
        (dim("N"), 8, "parallel", "once", ONCE_DIVIDED),
        (dim("N"), 8, "serial", "once", ONCE_DIVIDED.removeprefix("parallel ")),
        (dim("N"), 8, "parallel", "once or alone", ALONE_DIVIDED),
        (dim("N"), 5, "serial", "once", EVEN),
        (dim("N"), 5, "parallel", "once or alone", EVEN_ALONE),
        (dim("N"), 4, "serial", "once", FOUR),
        (8 * dim("N"), 8, "serial", "once", "for i in 0 .. 8*N step 8:\n  rows from [i, 8]"),
    ],
)
def test_tiles_of_so_many_rows(extent: DimLike, rows: int, kind: Kind, left: Left, expected: str) -> None:
    assert loops(extent, rows, kind, left) == expected


def cut_by_loops(number: int, rows: int, left: Left) -> list[int]:
    """The numbers of rows of the tiles that loops over so many rows have, in order."""
    b = KernelBuilder("kernel", {"N": 1})
    buffer = b.buffer("p", "float32", (dim("N"), 64), "write")
    for own in row_tiles(b, dim("N"), rows, "parallel", left):
        with own.begin() as i:
            b.store(buffer, (i, 0), b.const(own.number, "float32", 1))
    p = np.zeros((number, 64), np.float32)
    run_function(b.finish(), {"p": p}, {"N": number})
    return [int(size) for size in p[:, 0] if size]


@pytest.mark.parametrize("left", ["halves", "ones", "once", "once or alone"])
def test_tiles_are_counted_as_loops_cut_them(left: Left) -> None:
    for rows in (1, 4, 5, 6, 8, 11):
        for number in (1, 3, 7, 11, 19, 32):
            assert cut(number, rows, left) == Counter(cut_by_loops(number, rows, left)), (rows, number)


def test_tiles_of_what_is_left() -> None:
    assert [cut(number, 5, None) for number in (0, 3, 10, 14)] == [{}, {3: 1}, {5: 2}, {5: 2, 4: 1}]
    assert cut(15, 8, "once") == {8: 1, 4: 1, 3: 1}


@pytest.mark.parametrize(
    ("most", "expected"),
    [
        (
            5,
            {
                1: [1],
                2: [2],
                3: [3],
                6: [4, 2],
                7: [4, 3],
                8: [4, 4],
                11: [4, 4, 3],
                16: [4] * 4,
                17: [5, 4, 4, 4],
            },
        ),
        (
            6,
            {
                1: [1],
                4: [4],
                7: [5, 2],
                8: [5, 3],
                9: [5, 4],
                11: [6, 5],
                14: [5, 5, 4],
                16: [6, 5, 5],
                19: [5, 5, 5, 4],
                32: [6, 6, 5, 5, 5, 5],
            },
        ),
    ],
)
def test_which_tiles_are_made_of_many_rows(most: int, expected: dict[int, list[int]]) -> None:
    """As many tiles of the most rows as leave a multiple of one row fewer, if there is such a number."""
    b = KernelBuilder("kernel", {"N": 1})
    buffer = b.buffer("p", "float32", (dim("N"), 64), "write")
    for own in row_tiles(b, dim("N"), most, "parallel", "once or alone"):
        with own.begin() as i:
            for row in range(own.number):
                b.store(buffer, (i + row, 0), b.const(own.number, "float32", 1))
    kernel = b.finish()
    verify_function(kernel)
    for rows, tiles in expected.items():
        p = np.zeros((rows, 64), np.float32)
        run_function(kernel, {"p": p}, {"N": rows})
        assert p[:, 0].tolist() == [number for number in tiles for _ in range(number)]
