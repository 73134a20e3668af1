"""Exact quotients of sizes, for what exporters compute with floats, such as `floor(float(H) * 0.5)`.

A float in the file means the simplest fraction whose nearest float it is: 0.7 is 7/10, not 11744051/2**24.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from math import gcd, isfinite
from typing import Any

import numpy as np

from netwright.specs.dims import Dim, DimLike, Range, bounds, dim_max, dim_min, evaluate, exact_div
from netwright.specs.dims.algebra import terms_of

from ..errors import Refusal

Ranges = Mapping[str, Range]


class Ratio:
    """One size divided by another. Equal ones have the same text."""

    __slots__ = ("denominator", "numerator")

    def __init__(self, numerator: DimLike, denominator: DimLike = 1):
        exact = exact_div(numerator, denominator) if denominator != 0 else None
        if exact is not None:
            numerator, denominator = exact, 1
        common = gcd(*(factor for size in (numerator, denominator) for _, factor in terms_of(size)))
        if isinstance(denominator, int) and denominator < 0:
            common = -common
        if common not in (0, 1):
            numerator, denominator = _over(numerator, common), _over(denominator, common)
        self.numerator, self.denominator = numerator, denominator

    @property
    def is_open(self) -> bool:
        """Whether it depends on open sizes."""
        return isinstance(self.numerator, Dim) or isinstance(self.denominator, Dim)

    def __add__(self, other: Any) -> Ratio:
        other = ratio(other)
        numerator = self.numerator * other.denominator + other.numerator * self.denominator
        return Ratio(numerator, self.denominator * other.denominator)

    def __mul__(self, other: Any) -> Ratio:
        other = ratio(other)
        a, b = Ratio(self.numerator, other.denominator), Ratio(other.numerator, self.denominator)
        return Ratio(a.numerator * b.numerator, a.denominator * b.denominator)

    __radd__, __rmul__ = __add__, __mul__

    def __neg__(self) -> Ratio:
        return Ratio(-self.numerator, self.denominator)

    def __sub__(self, other: Any) -> Ratio:
        return self + -ratio(other)

    def __rsub__(self, other: Any) -> Ratio:
        return -self + other

    def __truediv__(self, other: Any) -> Ratio:
        other = ratio(other)
        return self * Ratio(other.denominator, other.numerator)

    def __rtruediv__(self, other: Any) -> Ratio:
        return ratio(other) / self

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Ratio):
            return NotImplemented
        return (self.numerator, self.denominator) == (other.numerator, other.denominator)

    def __hash__(self) -> int:
        return hash((self.numerator, self.denominator))

    def __float__(self) -> float:
        if self.is_open:
            raise TypeError(f"{self} is an open size")
        with np.errstate(all="ignore"):
            return float(
                np.float64(evaluate(self.numerator, {})) / np.float64(evaluate(self.denominator, {}))
            )

    def __str__(self) -> str:
        return f"({self.numerator}) / ({self.denominator})" if self.denominator != 1 else str(self.numerator)

    __repr__ = __str__

    # Rounding.

    def floor(self) -> DimLike:
        """The next whole number below. Raises Refusal for division by an open size."""
        return self.numerator // self._divisor()

    def ceil(self) -> DimLike:
        """The next whole number above."""
        return -(-self.numerator // self._divisor())

    def rint(self) -> DimLike:
        """The nearest whole number, half to even."""
        # ⌊x + 1/2⌋, less 1 if x + 1/2 is odd.
        a, b = 2 * self.numerator + self._divisor(), 2 * self._divisor()
        return a // b - (a - b) // (2 * b) + (a - b - 1) // (2 * b) if b > 2 else self.numerator

    def trunc(self, ranges: Ranges) -> DimLike:
        """The next whole number towards zero."""
        return truncated(self.numerator, self._divisor(), ranges)

    def _divisor(self) -> int:
        if isinstance(self.denominator, Dim) or self.denominator == 0:
            raise Refusal(f"{self} is rounded: open sizes only divide where nothing remains")
        return self.denominator


def ratio(value: Any) -> Ratio:
    """A number as a ratio. Raises Refusal for infinity and NaN."""
    if isinstance(value, Ratio):
        return value
    if isinstance(value, Dim | int | np.integer | np.bool_):
        return Ratio(value if isinstance(value, Dim) else int(value))
    if not isfinite(value):
        raise Refusal(f"{value} is computed with an open size")
    fraction = simplest(value)
    return Ratio(fraction.numerator, fraction.denominator)


def simplest(value: Any) -> Fraction:
    """The fraction with the smallest denominator that rounds to this float."""
    exact, kind = Fraction(float(value)), type(value)
    for limit in (1, 10, 100, 1000, 10_000, 100_000):
        fraction = exact.limit_denominator(limit)
        if kind(fraction.numerator / fraction.denominator) == value:
            return fraction
    return exact


def truncated(numerator: DimLike, divisor: int, ranges: Ranges) -> DimLike:
    """A quotient rounded towards zero, as in integer division and casts."""
    if divisor < 0:
        numerator, divisor = -numerator, -divisor
    low, high = bounds(numerator, ranges)
    down, up = numerator // divisor, -(-numerator // divisor)
    if divisor == 1 or (low is not None and low >= 0):
        return down
    if high is not None and high <= 0:
        return up
    # The indicator of numerator ≥ 0 selects one of both.
    return up + at_least(numerator, 0, ranges) * (down - up)


def at_least(a: DimLike, b: DimLike, ranges: Ranges) -> DimLike:
    """1 if a ≥ b, else 0: a number if that is the same for all sizes in the ranges, otherwise itself a size."""
    difference = a - b + 1
    low, high = bounds(difference, ranges)
    if low is not None and low >= 1:
        return 1
    if high is not None and high <= 0:
        return 0
    return dim_min(1, dim_max(0, difference))


def _over(size: DimLike, divisor: int) -> DimLike:
    quotient = exact_div(size, divisor)
    assert quotient is not None
    return quotient
