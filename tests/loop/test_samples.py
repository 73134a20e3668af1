"""Which kernels compute samples by themselves, and in which tiles; what changes that."""

from __future__ import annotations

import pytest

from netwright.compiler.loop.checks.samples import tile_of_samples
from netwright.compiler.loop.checks.verify import verify_function
from netwright.compiler.loop.text.parsing import parse_function

PRODUCT = """kernel product(N >= 1)
  read x: float32[N, 8]
  read w: float32[3, 8, 8]
  write y: float32[N, 24]
  for j in 0 .. 3:
    parallel for i in 0 .. N step 4:
      if N - i - 4 >= 0:
        unrolled for r in 0 .. 4:
          let acc = 0.0:float32x8
          for k in 0 .. 8:
            acc = fma(broadcast<8>(x[i + r, k]), w[j, k, 0]{8}, acc)
          y[i + r, 8*j] = acc
      else:
        for i_1 in i .. N - 1 step 2:
          y[i_1, 8*j] = add(x[i_1, 0]{8}, w[j, 0, 0]{8})
          y[i_1 + 1, 8*j] = x[i_1 + 1, 0]{8}
        for i_2 in i + 2*((N - i)//2) .. N:
          y[i_2, 8*j] = x[i_2, 0]{8}
"""
NUMBERS = """kernel numbers(N >= 1, C >= 1)
  read last: int64[N]
  read scale: float32[]
  read table: float32[C, 4]
  readwrite y: float32[N, 4]
  write z: float32[4*N]
  local readwrite kept: float32[4]
  parallel for i in 0 .. N:
    index row = last[i] in 0 .. C else 1
    kept[0] = table[row, 0]{4}
    y[i, 0] = mul(kept[0]{4}, broadcast<4>(scale[]))
    z[4*i] = neg(y[i, 0]{4})
"""
FLAT = """kernel flat(N >= 1, C >= 1)
  read x: float32[N]
  write y: float32[N]
  parallel for i in 0 .. N step 8:
    y[i]{count N - i} = neg(x[i]{8, count N - i})
"""
CELLS = """kernel cells(N >= 1, C >= 1)
  read x: float32[6*N, 2]
  read w: float32[4, 2]
  write y: float32[6*N, 2]
  parallel for i in 0 .. 6*N step 4:
    if 6*N - i - 4 >= 0:
      for r in 0 .. 4:
        y[i + r, 0] = x[i + 3 - r, 1]
    else:
      for r in 0 .. C:
        pass
"""
PAIRS = """kernel pairs(N >= 1)
  write y: float32[N, 2]
  parallel for i in 0 .. N:
    parallel for i_1 in 0 .. N:
      y[i_1, 0] = 1.0:float32
"""
REST = """kernel rest(N >= 1)
  read x: float32[N, 4]
  read w: float32[4, 4]
  write y: float32[N, 4]
  for j in 0 .. 3:
    parallel for i in 0 .. N step 4:
      if N - i - 4 >= 0:
        y[i, j] = x[i + 3, j]
      else:
        if j - 1 >= 0:
          pass
        for i_1 in i .. N:
          if N - i_1 - 2 >= 0:
            y[i_1, j] = add(x[i_1, j], w[N - i - 1, j])
"""


@pytest.mark.parametrize(("text", "tile"), [(PRODUCT, 4), (NUMBERS, 1), (FLAT, 8), (CELLS, 2), (REST, 4)])
def test_tiles(text: str, tile: int) -> None:
    kernel = parse_function(text)
    verify_function(kernel)
    assert tile_of_samples(kernel, "N") == tile


@pytest.mark.parametrize(
    ("text", "before", "after"),
    [
        (PRODUCT, "parallel for i", "for i"),  # an iteration might go on from the one before
        (PRODUCT, "N - i - 4 >= 0", "N - i - 5 >= 0"),  # which the last whole tile of a share is not
        (PRODUCT, "N - i - 4 >= 0", "N - 4 >= 0"),
        (PRODUCT, "N - i - 4 >= 0", "N - i - 4 >= 0 & j - 1 >= 0"),  # some whole tiles are not
        (PRODUCT, "x[i + r, k]", "x[i + r + 1, k]"),  # another tile's row
        (PRODUCT, "x[i + r, k]", "x[i + r - 1, k]"),
        (PRODUCT, "x[i + r, k]", "x[i + j, k]{if N - 8 >= 0}"),
        (PRODUCT, "x[i + r, k]", "x[i + r*r, k]"),
        (PRODUCT, "x[i + r, k]", "x[N - i - 1, k]"),
        (PRODUCT, "x[i + r, k]", "x[k, k]"),
        (PRODUCT, "0.0:float32x8", "index(i):float32x8"),
        (PRODUCT, "0.0:float32x8", "index(N):float32x8"),
        (PRODUCT, "k in 0 .. 8", "k in 0 .. min(8, N - i)"),
        (PRODUCT, "w[j, k, 0]{8}", "w[min(2, i), k, 0]{8}"),
        (PRODUCT, "w: float32[3, 8, 8]", "w: float32[3, 8, 8*N]"),
        (PRODUCT, "w: float32[3, 8, 8]", "w: float32[N*N, 8, 8]"),
        (PRODUCT, "in i + 2*((N - i)//2) .. N", "in 2*((N - i)//2) .. N"),  # rows of tiles before it
        (PRODUCT, "in i + 2*((N - i)//2) .. N", "in i - 1 .. N"),
        (PRODUCT, "in i .. N - 1 step 2", "in 0 .. N - 1 step 2"),
        (PRODUCT, "in i .. N - 1 step 2", "in i .. 5 step 2"),
        (PRODUCT, "in i .. N - 1 step 2", "in i .. N + 1 step 2"),
        (PRODUCT, "  for j in 0 .. 3:", "  if N - 4 >= 0:\n    pass\n  for j in 0 .. 3:"),
        (PRODUCT, "  for j in 0 .. 3:", "  let v = x[0, 0]\n  for j in 0 .. 3:"),
        (NUMBERS, "in 0 .. N:", "in 1 .. N:"),
        (NUMBERS, "= last[i]", "= last[0]"),
        (NUMBERS, "y[i, 0] = mul", "y[row, 0] = mul"),
        (NUMBERS, "y[i, 0] = mul", "y[i + row, 0] = mul"),
        (NUMBERS, "y[i, 0]{4}", "y[i, 0]{4, if i - 1 >= 0}"),
        (NUMBERS, "write z: float32[4*N]", "write z: float32[4]"),
        (NUMBERS, "read table: ", "readwrite table: "),
        (NUMBERS, "z[4*i] = ", "z[4*i + 1] = "),  # four numbers, of which one is the next sample's
        (NUMBERS, "z[4*i] = ", "z[4*N - 4*i - 4] = "),
        (NUMBERS, "in 0 .. C else", "in 0 .. min(C, N) else"),
        (FLAT, "y[i]{count N - i}", "y[i]{count N - i - 1}"),  # so far into each share's last tile, too
        (FLAT, "x[i]{8, count N - i}", "x[i + 7]{8, stride -1}"),
        (FLAT, "x[i]{8, count N - i}", "x[i]{8, stride C}"),
        (FLAT, "step 8", "step 7"),
        (PRODUCT, "if N - i - 4 >= 0", "if j - 1 >= 0"),  # what follows is for tiles that are not whole
        (CELLS, "6*N - i - 4 >= 0", "6*N - i - 5 >= 0"),
        (CELLS, "6*N - i - 4 >= 0", "i - 4 >= 0"),
        (CELLS, "x[i + 3 - r, 1]", "x[i + 4 - r, 1]"),
        (CELLS, "x[i + 3 - r, 1]", "x[i + 2 - r, 1]"),
        (CELLS, "in 0 .. 4:", "in C - 1 .. 4:"),
        (CELLS.replace("x: float32[6*N, 2]", "x: float32[N, 2]"), "x[i + 3 - r, 1]", "x[0, 1]"),
        (CELLS, "x: float32[6*N, 2]", "x: float32[N, 2]"),
        (CELLS, "x[i + 3 - r, 1]", "x[0, 1]"),
        (CELLS, "x: float32[6*N, 2]", "x: float32[7*N, 2]"),
        (PAIRS, "", ""),  # each sample writes to all
        (CELLS, "      for r in 0 .. C:\n        pass", "      for r in 0 .. C:\n        y[i + r, 1] = x[i, 0]"),
        (CELLS, "      for r in 0 .. C:\n        pass", "      for r in i .. 6*N:\n        y[r, 1] = x[r, 0]"),
        (REST, "w[N - i - 1, j]", "w[N - 1, j]"),
        (REST, "w[N - i - 1, j]", "w[min(3, i), j]"),
        (REST, "x[i + 3, j]", "x[i + N - i - 1, j]"),
        (REST, "x[i + 3, j]", "w[N - i - 1, j]"),
        (REST, "x[i_1, j]", "x[i_1 + 4, j]"),
        (REST, "          pass\n", "          pass\n        else:\n          for i_2 in 0 .. N:\n            pass\n"),
        (REST, "if N - i - 4 >= 0", "if j - 1 >= 0"),
    ],
)  # fmt: skip
def test_what_makes_samples_depend_on_each_other(text: str, before: str, after: str) -> None:
    assert before in text
    assert tile_of_samples(parse_function(text.replace(before, after, 1)), "N") is None


def test_a_rest_may_have_conditions() -> None:
    other = REST.replace(
        "          pass\n", "          pass\n        else:\n          y[i, j] = w[N - i - 1, j]\n", 1
    )
    assert tile_of_samples(parse_function(other), "N") == 4
    nested = REST.replace(
        "if j - 1 >= 0:\n          pass", "if N - i - 2 >= 0:\n          y[i, j] = x[i, j]", 1
    )
    assert tile_of_samples(parse_function(nested), "N") == 4


def test_along_another_dim() -> None:
    assert tile_of_samples(parse_function(NUMBERS), "C") is None
