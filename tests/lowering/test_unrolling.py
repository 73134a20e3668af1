"""How many steps of a reduction stand in the body of its loop."""

from __future__ import annotations

import pytest

from netwright.compiler.lowering.tiles.sum_steps import unrolling
from netwright.specs.dims import DimLike, dim


@pytest.mark.parametrize(
    ("extent", "accumulators", "expected"),
    [
        (8, 12, 8),  # all: eight at most, and 96 in all accumulators together
        (8, 13, 2),
        (9, 1, 1),
        (7, 14, 1),
        (16, 6, 8),  # else a part, of 48 together
        (16, 7, 4),
        (16, 12, 4),
        (16, 13, 2),
        (16, 25, 1),
        (12, 4, 4),
        (14, 4, 2),
        (dim("K"), 1, 1),
    ],
)
def test_steps(extent: DimLike, accumulators: int, expected: int) -> None:
    assert unrolling(extent, accumulators, 32) == expected
