"""Sizes whose minima and maxima are decided by what their dims can be."""

from __future__ import annotations

from collections.abc import Mapping

from .algebra import Call, Dim, DimLike, Unit, dim
from .bounds import Range, bounds
from .extrema import extremum


def settled(value: DimLike, ranges: Mapping[str, Range]) -> DimLike:
    """``value`` without the arguments of minima and maxima that do not matter while its dims are in ``ranges``:
    `min(4, N)` is 4 where N ≥ 4. A dim not in ``ranges`` is at least 1."""
    atoms = [] if isinstance(value, int) else [atom for monomial, _ in value.terms for atom in monomial]
    if isinstance(value, int) or not any(isinstance(atom, Call) for atom in atoms):
        return value
    total: DimLike = 0
    for monomial, factor in value.terms:
        term: DimLike = factor
        for atom in monomial:
            term = term * (_settled_call(atom, ranges) if isinstance(atom, Call) else dim(atom))
        total = total + term
    return total


def _settled_call(atom: Call, ranges: Mapping[str, Range]) -> DimLike:
    if isinstance(atom, Unit):
        return Dim((((atom,), 1),))
    arguments = [settled(argument, ranges) for argument in atom.arguments]
    if atom.function == "floordiv":
        numerator, divisor = arguments
        assert isinstance(divisor, int)
        return numerator // divisor

    def order(a: DimLike, b: DimLike) -> int | None:
        low, high = bounds(a - b, ranges)
        if low is not None and low >= 0:
            return 1 if high != 0 else 0
        return -1 if high is not None and high <= 0 else None

    return extremum(atom.function, arguments, order)
