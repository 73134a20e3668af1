"""Ticks of axes are round, evenly spaced, inside the range, and neither too few nor too many."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netwright.drawing.ticks import round_ticks


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1]),
        (0.013, 0.0342, [0.015, 0.02, 0.025, 0.03]),
        (-3, 12, [0, 5, 10]),
        (95, 1210, [200, 400, 600, 800, 1000, 1200]),
        (2, 2, [2]),
        (float("nan"), 1, [pytest.approx(float("nan"), nan_ok=True)]),
    ],
)
def test_round_numbers(low: float, high: float, ticks: list[float]) -> None:
    assert round_ticks(low, high) == ticks


@given(st.floats(-1e9, 1e9), st.floats(1e-6, 1e9), st.integers(3, 12))
def test_any_range(low: float, width: float, most: int) -> None:
    high = low + width
    ticks = round_ticks(low, high, most)
    assert 2 <= len(ticks) <= most
    slack = 1e-6 * width + 1e-9 * abs(low)
    assert low - slack <= ticks[0]
    assert ticks[-1] <= high + slack
    steps = [b - a for a, b in pairwise(ticks)]
    assert max(steps) - min(steps) <= 1e-9 * max(1.0, *map(abs, ticks))
