"""What the operations of a fast convolution share: points, matrices, and one-dimensional transforms.

Winograd's F(m, 3) gives m results of a filter with 3 taps by α = m + 2 products: y = Aᵀ[(G g) ⊙ (Bᵀ d)], for the taps g
and α elements d (S. Winograd, 1980; for images A. Lavin and S. Gray, 2016, where both axes are transformed, with α²
products). The matrices follow from α − 1 points by the construction of Toom and Cook: each product is the value of a
polynomial at a point, the last one at infinity. The points 0, ±1, ½ and −2 have half the rounding errors of 0, ±1
and ±2 (B. Barabasz and others, 2020).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any, TypeAlias

import numpy as np

from netwright.specs.dims import DimLike, ceil_div

#: How many taps a filter has along an axis.
TAPS = 3
#: The points of F(m, 3), by m; the last point, infinity, is left out.
POINTS: dict[int, tuple[Fraction, ...]] = {
    2: (Fraction(0), Fraction(1), Fraction(-1)),
    4: (Fraction(0), Fraction(1), Fraction(-1), Fraction(1, 2), Fraction(-2)),
}

Matrix: TypeAlias = tuple[tuple[Fraction, ...], ...]
#: A transform of one row or column: from a builder, the size of a tile, and expressions.
Transform: TypeAlias = Callable[[Any, int, Sequence[Any]], list[Any]]


def tile_count(size: DimLike, tile: int) -> DimLike:
    """How many tiles hold the ``size − 2`` results of filters along an axis of ``size``."""
    return ceil_div(size - (TAPS - 1), tile)


def data_matrix(tile: int) -> Matrix:
    """Bᵀ [α, α]: row p has the coefficients of the product of all (x − q) but that of the point p itself."""
    points = POINTS[tile]
    rows = [_product([q for q in points if q != p]) for p in points]
    return (*((*row, Fraction(0)) for row in rows), _product(points))


def filter_matrix(tile: int) -> Matrix:
    """G [α, 3]: the filter's polynomial at each point, divided by the product of the distances to the others."""
    points, rows = POINTS[tile], []
    for p in points:
        distance = Fraction(1)
        for q in points:
            distance *= p - q if q != p else 1
        rows.append(tuple(p**k / distance for k in range(TAPS)))
    return (*rows, tuple(Fraction(int(k == TAPS - 1)) for k in range(TAPS)))


def result_matrix(tile: int) -> Matrix:
    """Aᵀ [m, α]: row i has the powers i of the points."""
    return tuple((*(point**i for point in POINTS[tile]), Fraction(int(i == tile - 1))) for i in range(tile))


def in_floats(matrix: Matrix) -> np.ndarray:
    """The matrix in float64."""
    return np.array([[float(number) for number in row] for row in matrix])


def _product(points: Sequence[Fraction]) -> tuple[Fraction, ...]:
    """The coefficients of the product of all (x − point), lowest power first."""
    result = [Fraction(1)]
    for point in points:
        shifted = [Fraction(0), *result]
        result = [a - point * b for a, b in zip(shifted, [*result, Fraction(0)], strict=True)]
    return tuple(result)


# -- in registers ------------------------------------------------------------------------------------------------
#
# The same matrices, with sums that several rows have in common computed once. ``plus(c, a, b)`` is b + c·a.

#: Additions and multiplications of a transform along one axis, by the size of a tile: of data, and of results.
DATA_WORK = {2: 4, 4: 16}
RESULT_WORK = {2: 4, 4: 12}


def data_transform(b: Any, tile: int, d: Sequence[Any]) -> list[Any]:
    """Bᵀ d for the α elements ``d`` of a row or column."""

    def plus(factor: float, x: Any, y: Any) -> Any:
        return b.let("d", b.fma(b.like(factor, x), x, y))

    def add(x: Any, y: Any) -> Any:
        return b.let("d", b.add(x, y))

    def sub(x: Any, y: Any) -> Any:
        return b.let("d", b.sub(x, y))

    if tile == 2:
        d0, d1, d2, d3 = d
        return [sub(d2, d0), add(d1, d2), sub(d2, d1), sub(d3, d1)]
    d0, d1, d2, d3, d4, d5 = d
    even, odd = sub(d4, d2), sub(d3, d1)
    return [
        plus(1.5, odd, add(even, sub(d0, d2))),
        plus(1.5, add(d2, d3), add(even, odd)),
        plus(1.5, sub(d3, d2), sub(even, odd)),
        plus(2.0, odd, even),
        plus(-0.5, odd, even),
        plus(1.5, even, sub(sub(d5, d3), odd)),
    ]


def result_transform(b: Any, tile: int, m: Sequence[Any]) -> list[Any]:
    """Aᵀ m for the α products ``m`` of a row or column."""

    def plus(factor: float, x: Any, y: Any) -> Any:
        return b.let("m", b.fma(b.like(factor, x), x, y))

    def add(x: Any, y: Any) -> Any:
        return b.let("m", b.add(x, y))

    total, difference = add(m[1], m[2]), b.let("m", b.sub(m[1], m[2]))
    if tile == 2:
        return [add(m[0], total), add(difference, m[3])]
    return [
        add(add(m[0], total), add(m[3], m[4])),
        plus(-2.0, m[4], plus(0.5, m[3], difference)),
        plus(4.0, m[4], plus(0.25, m[3], total)),
        plus(-8.0, m[4], plus(0.125, m[3], add(difference, m[5]))),
    ]


def both_axes(b: Any, tile: int, transform: Transform, cells: Sequence[Sequence[Any]]) -> list[list[Any]]:
    """``transform`` of the columns of ``cells``, and then of the rows of what that gives."""
    columns = [transform(b, tile, list(column)) for column in zip(*cells, strict=True)]
    return [transform(b, tile, list(row)) for row in zip(*columns, strict=True)]
