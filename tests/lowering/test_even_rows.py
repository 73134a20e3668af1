"""Tiles along a batch: two threads divide 32 rows evenly where that costs one thread nothing."""

from __future__ import annotations

import pytest

from netwright.compiler.lowering.tiles.even_rows import LEAST_PRODUCTS, even_tile, is_long_batch
from netwright.specs.dims import dim

from ..machines import AVX512

N, T = dim("N"), dim("T")


def test_a_batch_is_one_open_size_with_much_to_do() -> None:
    batches = [is_long_batch(extent, LEAST_PRODUCTS) for extent in (N, N * T, 32, 2 * N)]
    assert batches == [True, False, False, False]
    assert not is_long_batch(N, LEAST_PRODUCTS - 1)


@pytest.mark.parametrize(
    ("given", "vectors", "chosen"),
    [
        ((6, 4), 32, (8, 3)),  # 18 and 14 rows
        ((8, 3), 32, (8, 3)),  # 16 and 16
        ((6, 4), 4, (6, 4)),  # three of four vectors, and then one alone, take longer
        ((8, 1), 8, (8, 1)),
        ((6, 2), 32, (6, 2)),  # twelve rows are three tiles, of which one thread has two
    ],
)
def test_threads_get_as_many_rows(given: tuple[int, int], vectors: int, chosen: tuple[int, int]) -> None:
    assert even_tile(*given, vectors, 1, 1, AVX512) == chosen
