"""The matrices of fast convolutions, in exact arithmetic."""

from __future__ import annotations

import random
from fractions import Fraction

import pytest

from netwright.compiler.ops.winograd import (
    POINTS,
    TAPS,
    Matrix,
    data_matrix,
    filter_matrix,
    result_matrix,
)


def times(matrix: Matrix, vector: list[Fraction]) -> list[Fraction]:
    return [sum((a * b for a, b in zip(row, vector, strict=True)), Fraction(0)) for row in matrix]


@pytest.mark.parametrize("tile", POINTS)
def test_products_at_points_give_the_filtered_signal(tile: int) -> None:
    draw = random.Random(tile)
    signal = [Fraction(draw.randint(-9, 9), draw.randint(1, 9)) for _ in range(tile + TAPS - 1)]
    taps = [Fraction(draw.randint(-9, 9), draw.randint(1, 9)) for _ in range(TAPS)]
    products = [
        a * b for a, b in zip(times(filter_matrix(tile), taps), times(data_matrix(tile), signal), strict=True)
    ]
    filtered = [sum(signal[i + k] * taps[k] for k in range(TAPS)) for i in range(tile)]
    assert times(result_matrix(tile), products) == filtered


def test_two_results_are_those_of_the_known_matrices() -> None:
    """F(2, 3) as Lavin and Gray print it, but for the signs of rows, which cancel out."""
    assert result_matrix(2) == ((1, 1, 1, 0), (0, 1, -1, 1))
    assert data_matrix(2) == ((-1, 0, 1, 0), (0, 1, 1, 0), (0, -1, 1, 0), (0, -1, 0, 1))
    half = Fraction(1, 2)
    assert filter_matrix(2) == ((-1, 0, 0), (half, half, half), (half, -half, half), (0, 0, 1))
