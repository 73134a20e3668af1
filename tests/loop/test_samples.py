"""Which kernels compute samples by themselves, and in which tiles; what changes that."""

from __future__ import annotations

import pytest

from netwright.compiler.loop.parse import parse_function
from netwright.compiler.loop.samples import tile_of_samples
from netwright.compiler.loop.verify import verify_function

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
  read table: float32[C, 4]
  readwrite y: float32[N, 4]
  write z: float32[4*N]
  parallel for i in 0 .. N:
    index row = last[i] in 0 .. C else 1
    y[i, 0] = table[row, 0]{4}
    z[4*i] = neg(y[i, 0]{4})
"""
FLAT = """kernel flat(N >= 1)
  read x: float32[N]
  write y: float32[N]
  parallel for i in 0 .. N step 8:
    y[i]{count N - i} = neg(x[i]{8, count N - i})
"""
CELLS = """kernel cells(N >= 1)
  read x: float32[6*N, 2]
  write y: float32[6*N, 2]
  parallel for i in 0 .. 6*N step 4:
    if 6*N - i - 4 >= 0:
      for r in 0 .. 4:
        y[i + r, 0] = x[i + 3 - r, 1]
"""


@pytest.mark.parametrize(("text", "tile"), [(PRODUCT, 4), (NUMBERS, 1), (FLAT, 8), (CELLS, 2)])
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
        (PRODUCT, "x[i + r, k]", "x[i + r + 1, k]{if N - i - r - 2 >= 0}"),  # another tile's row
        (PRODUCT, "x[i + r, k]", "x[i + r - 1, k]{if i + r - 1 >= 0}"),
        (PRODUCT, "x[i + r, k]", "x[k, k]{if N - 8 >= 0}"),
        (PRODUCT, "0.0:float32x8", "index(i):float32x8"),
        (PRODUCT, "0.0:float32x8", "index(N):float32x8"),
        (PRODUCT, "k in 0 .. 8", "k in 0 .. min(8, N - i)"),
        (PRODUCT, "w[j, k, 0]{8}", "w[min(2, i), k, 0]{8}"),
        (PRODUCT, "w: float32[3, 8, 8]", "w: float32[3, 8, 8*N]"),
        (PRODUCT, "in i + 2*((N - i)//2) .. N", "in 2*((N - i)//2) .. N"),  # rows of tiles before it
        (PRODUCT, "in i .. N - 1 step 2", "in 0 .. N - 1 step 2"),
        (NUMBERS, "y[i, 0] = table", "y[row, 0] = table"),
        (NUMBERS, "z: float32[4*N]", "z: float32[4]"),
        (NUMBERS, "z[4*i] = ", "z[4*N - 4*i - 4] = "),
        (NUMBERS, "in 0 .. C else", "in 0 .. min(C, N) else"),
        (FLAT, "y[i]{count N - i}", "y[i]{count N - i - 1}"),  # so far into each share's last tile, too
        (FLAT, "step 8", "step 7"),
        (CELLS, "x[i + 3 - r, 1]", "x[i + 4 - r, 1]{if 6*N - i - 5 + r >= 0}"),
        (CELLS, "step 4", "step 3"),
    ],
)
def test_what_makes_samples_depend_on_each_other(text: str, before: str, after: str) -> None:
    assert before in text
    assert tile_of_samples(parse_function(text.replace(before, after, 1)), "N") is None


def test_along_another_dim() -> None:
    assert tile_of_samples(parse_function(NUMBERS), "C") is None
