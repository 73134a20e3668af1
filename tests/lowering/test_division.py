"""Which loops over steps threads divide by samples, how many at a time, and why not others."""

from __future__ import annotations

import pytest

from netwright.compiler.loop import ir
from netwright.compiler.loop.checks.calls import statements_of
from netwright.compiler.loop.text.parsing import parse_program
from netwright.compiler.lowering.division import divided

PROGRAM = """program p(T >= 1, N >= 1)
table
  read x: float32[T, N, 4]
  readwrite h: float32[2, N, 4]
  readwrite g: float32[N, 4]
  read w: float32[4, 4]

kernel flat(size >= 1)
  read x: float32[4*size]
  write y: float32[4*size]
  parallel for i in 0 .. size step 8:
    if size - i - 8 >= 0:
      for r in 0 .. 8:
        y[4*i + 4*r] = x[4*i + 4*r]{4}

kernel rows(N >= 1, M >= 1)
  read x: float32[N, 4]
  write y: float32[N, 4]
  parallel for i in 0 .. N step 4:
    if N - i - 4 >= 0:
      for r in 0 .. 4:
        y[i + r, 0] = x[i + r, 0]{4}

kernel clear()
  write y: float32[4, 4]
  parallel for i in 0 .. 4:
    y[i, 0] = 0.0:float32x4

entry predict
  kernel predict(T >= 1, N >= 1)
    read x: float32[T, N, 4]
    readwrite h: float32[2, N, 4]
    readwrite g: float32[N, 4]
    read w: float32[4, 4]
    for t in 0 .. T:
      call rows(x at [t], g; N, 4)
      barrier
      call flat(g, h at [1]; N)
      barrier
"""


def found(*changes: tuple[str, str]) -> ir.Divide | str:
    """What becomes of the loop after these changes of the program's text."""
    text = PROGRAM
    for before, after in changes:
        assert before in text
        text = text.replace(before, after)
    program = parse_program(text)
    entry = program.entries["predict"].function
    loop = next(each for each in statements_of(entry.body) if isinstance(each, ir.For))
    made = divided(loop, entry.dims, {buffer.name: buffer.shape for buffer in entry.buffers}, program.kernels)
    assert isinstance(made, str) or made.body == (loop,)
    return made


@pytest.mark.parametrize(
    ("changes", "rows"),
    [
        ([], 8),
        ([("4*size", "2*size"), ("4*i + 4*r", "2*i + 2*r"), ("{4}\n\nk", "{2}\n\nk"), ("1]; N", "1]; 2*N")], 4),
        ([("step 8", "step 2"), ("- 8 >=", "- 2 >="), ("0 .. 8", "0 .. 2")], 4),
    ],
)  # fmt: skip
def test_rows_of_the_largest_tile(changes: list[tuple[str, str]], rows: int) -> None:
    divide = found(*changes)
    assert isinstance(divide, ir.Divide)
    assert (divide.dim, divide.rows) == ("N", rows)


TILES = PROGRAM[PROGRAM.index("kernel rows") : PROGRAM.index("kernel clear")]
ALIKE = """kernel rows(N >= 1, M >= 1)
  read x: float32[N, 4]
  write y: float32[N, 4]
  parallel for i in 0 .. N step 2:
    if N - i - 2 >= 0:
      y[i, 0] = x[i, 0]{4}
      y[i + 1, 0] = x[i + 1, 0]{4}
    else:
      y[i, 0] = x[i, 0]{4}

"""
ALONE = ALIKE.replace(
    "else:\n      y[i, 0] =",
    "else:\n      if -N + 1 >= 0:\n        y[i, 0] = neg(x[i, 0]{4})\n      y[i, 0] =",
)
ONE = [("step 8", "step 1"), ("- 8 >=", "- 1 >="), ("0 .. 8", "0 .. 1")]
TWO_EACH = [
    ("h at [1]; N", "h as [2, 2*N, 2] at [1]; N"),
    ("rows(x at [t], g; N", "rows(x as [T, 2*N, 2] at [t], g as [2*N, 2]; 2*N"),
    ("flat(g,", "flat(g as [2*N, 2],"),
]


def filled(size: str) -> list[tuple[str, str]]:
    """Changes that add a buffer whose first elements, so many of them, are filled in each step."""
    fill = """kernel fill(size >= 0)
  write y: float32[size]
  parallel for i in 0 .. size step 8:
    y[i]{count size - i} = 0.0:float32x8

"""
    return [
        ("\n  read w: float32[4, 4]\n", "\n  read w: float32[4, 4]\n  readwrite y: float32[N, T]\n"),
        ("kernel clear", f"{fill}kernel clear"),
        ("    for t in", "    readwrite y: float32[N, T]\n    for t in"),
        ("      call rows", f"      call fill(y; {size})\n      call rows"),
    ]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ([(TILES, ALIKE), *ONE], (1, 2)),
        ([(TILES, ALONE), *ONE], (1, 2)),
        ([(TILES, ALIKE)], (8, 1)),  # the other one's tiles of eight are not shown to be alike
        ([(TILES, ALONE)], None),  # nor would a share of one row be
        ([(TILES, ALIKE), *ONE, *filled("T*N")], (1, 2)),
        ([*ONE, *filled("T*N")], (4, 1)),
        ([(TILES, ALIKE), *ONE, *filled("T*N - 1")], None),
        ([(TILES, ALIKE), *ONE, *filled("N*N")], None),
        ([(TILES, ALIKE), *ONE, *TWO_EACH], (1, 1)),  # two rows for each sample, a tile
        ([(TILES, ALONE), *ONE, *TWO_EACH], None),
    ],
)  # fmt: skip
def test_rows_that_are_alike_are_divided_anywhere(
    changes: list[tuple[str, str]], expected: tuple[int, int] | None
) -> None:
    made = found(*changes)
    if expected is None:
        assert isinstance(made, str)
    else:
        assert isinstance(made, ir.Divide)
        assert (made.rows, made.least) == expected


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ([("step 8", "step 6"), ("- 8 >=", "- 6 >="), ("0 .. 8", "0 .. 6")], "tiles of 4, 6 samples do not fit"),
        ([("rows(x at [t], g; N, 4)", "rows(x at [t], g; N, N)")], "not shown to compute samples along N"),
        ([("flat(g, h at [1]; N)", "flat(g, h at [1]; N + 1)")], "not shown to compute samples along N"),
        ([("y[i + r, 0] = x[i + r, 0]", "y[i + r, 0] = x[0, 0]")], "not shown to compute samples along N"),
        ([("flat(g, h at [1]; N)", "flat(g, h at [1]; N)\n      call clear(w)")], "not shown to compute"),
        ([("x at [t], g;", "x as [T, 4*N] at [t], g;")], None),
        ([("h at [1]; N", "h as [1, 2, N, 4] at [0, 1]; N")], None),
        ([("h at [1]; N", "h at [1]; N"), ("rows(x at [t], g;", "rows(h at [0], g;")], None),
        ([("rows(x at [t], g;", "rows(h as [2, 4, N] at [0], g;")], "N is not the first axis"),
        ([("rows(x at [t], g;", "rows(x as [N, T, 4] at [0], g;")], "N is not the first axis"),
        ([("rows(x at [t], g;", "rows(h as [1, 2, N, 4] at [0, 0], g;")], "different elements of h"),
        ([("N >= 1)\n    read x", "N >= 2)\n    read x")], "no dim that may be 1"),
        ([("; N, 4)", "; 8, 4)"), ("; N)", "; 8)")], "all sizes are settled"),
    ],
)  # fmt: skip
def test_reasons(changes: list[tuple[str, str]], why: str | None) -> None:
    """``why`` is None where the loop is divided all the same."""
    made = found(*changes)
    if why is None:
        assert isinstance(made, ir.Divide)
    else:
        assert isinstance(made, str)
        assert why in made


def test_samples_that_are_alike_do_not_make_tiles_before_them_alike() -> None:
    flat = PROGRAM[PROGRAM.index("kernel flat") : PROGRAM.index("kernel rows")]
    divide = found((flat, ALIKE.replace("rows(N >= 1, M >= 1)", "flat(N >= 1)")))
    assert isinstance(divide, ir.Divide)
    assert (divide.rows, divide.least) == (4, 1)
