"""Proves lower and upper bounds of a size."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from math import ceil, floor, lcm
from typing import TypeAlias

from .algebra import Atom, Call, Dim, DimLike, dim, from_terms, terms_of
from .extrema import without_floors
from .queries import dim_symbols, substitute

Range: TypeAlias = tuple[int | None, int | None]


def bounds(value: DimLike, ranges: Mapping[str, Range]) -> Range:
    """The best lower and upper bound of ``value`` that can be proved, None where unbounded. A dim that is not in
    ``ranges`` is at least 1.
    """
    if isinstance(value, int):
        return value, value
    if all(
        len(monomial) <= 1 and (not monomial or isinstance(monomial[0], str)) for monomial, _ in value.terms
    ):
        return _bounds_of_sum(value, ranges)
    if value.units:
        return _bounds_of_units(value, ranges)
    low, high = _bounds_of_terms(value, ranges)
    if any(type(atom) is Call for monomial, _ in value.terms if len(monomial) == 1 for atom in monomial):
        # Other bounds are found for a remainder such as T - 4*(T//4), which is 0 to 3 for any T.
        rest, least, most = without_floors(value)
        if any(isinstance(atom, Call) for monomial in rest for atom in monomial):
            return (
                low,
                high,
            )  # a second pass over nested calls gains nothing and costs time at every level
        scale = lcm(*(factor.denominator for factor in rest.values()))
        whole = from_terms({monomial: int(factor * scale) for monomial, factor in rest.items()})
        rest_low, rest_high = _bounds_of_terms(whole, ranges) if isinstance(whole, Dim) else (whole, whole)
        if rest_low is not None:
            bound = ceil(Fraction(rest_low, scale) + least)
            low = bound if low is None else max(low, bound)
        if rest_high is not None:
            bound = floor(Fraction(rest_high, scale) + most)
            high = bound if high is None else min(high, bound)
    return low, high


def _bounds_of_sum(value: Dim, ranges: Mapping[str, Range]) -> Range:
    """The bounds of a sum of dims times numbers, where each term contributes its own bounds."""
    low: int | None = 0
    high: int | None = 0
    for monomial, factor in value.terms:
        least, most = ranges.get(monomial[0], (1, None)) if monomial else (1, 1)  # pyright: ignore
        if factor < 0:
            least, most = most, least
        low = None if low is None or least is None else low + factor * least
        high = None if high is None or most is None else high + factor * most
    return low, high


def _bounds_of_units(value: Dim, ranges: Mapping[str, Range]) -> Range:
    """The bounds of a size that contains units, with the numbers of units as dims of their own."""
    sizes: dict[str, int] = {}
    for unit in value.units:
        sizes[unit.name] = lcm(sizes.get(unit.name, 1), unit.size)
    moved = dict(ranges)
    for name, size in sizes.items():
        low, high = ranges.get(name, (1, None))
        moved[f"{name}/{size}"] = (
            None if low is None else -(-low // size),
            None if high is None else high // size,
        )
    counts = {name: size * dim(f"{name}/{size}") for name, size in sizes.items()}
    return bounds(substitute(value, counts), moved)


def _bounds_of_terms(value: Dim, ranges: Mapping[str, Range]) -> Range:
    # Substitute x = x' + low: a polynomial in x' ≥ 0 whose coefficients are all ≥ 0 has its constant term as exact
    # minimum.
    names = [atom for monomial, _ in value.terms for atom in monomial if isinstance(atom, str)]
    lows = {name: ranges.get(name, (1, None))[0] for name in names}
    shift = {name: dim(name) + low for name, low in lows.items() if low}
    shifted = terms_of(substitute(value, shift)) if shift else value.terms
    low: int | None = 0
    high: int | None = 0
    for monomial, factor in shifted:
        term: Range = (factor, factor)
        for atom in monomial:
            term = _times(term, _atom_bounds(atom, ranges, lows, shift))
        low = None if low is None or term[0] is None else low + term[0]
        high = None if high is None or term[1] is None else high + term[1]
    return low, high


def _atom_bounds(
    atom: Atom, ranges: Mapping[str, Range], lows: Mapping[str, int | None], shift: Mapping[str, DimLike]
) -> Range:
    if isinstance(atom, str):
        low, high = ranges.get(atom, (1, None))
        if low is None:
            return None, high
        if atom in lows:
            return 0, None if high is None else high - low
        return low, high
    # The arguments of calls were shifted along with the polynomial; bound them over the shifted names to compensate.
    moved: dict[str, Range] = dict(ranges)
    for name in dim_symbols(atom):
        low, high = ranges.get(name, (1, None))
        if name in shift and low is not None:
            moved[name] = (0, None if high is None else high - low)
    parts = [bounds(argument, moved) for argument in atom.arguments]
    if atom.function == "floordiv":
        divisor = atom.arguments[1]
        assert isinstance(divisor, int)
        low, high = parts[0]
        return None if low is None else low // divisor, None if high is None else high // divisor
    lows_, highs = [p[0] for p in parts], [p[1] for p in parts]
    if atom.function == "min":
        known = [h for h in highs if h is not None]
        return _all(min, lows_), min(known) if known else None
    known = [b for b in lows_ if b is not None]
    return max(known) if known else None, _all(max, highs)


def _all(choose: Callable[[list[int]], int], values: list[int | None]) -> int | None:
    known = [v for v in values if v is not None]
    return choose(known) if len(known) == len(values) else None


def _times(a: Range, b: Range) -> Range:
    corners: list[int | None] = []
    for x in a:
        for y in b:
            corners.append(0 if x == 0 or y == 0 else None if x is None or y is None else x * y)
    if None not in corners:
        finite = [c for c in corners if c is not None]
        return min(finite), max(finite)
    (a_low, a_high), (b_low, b_high) = a, b
    if a_low is not None and b_low is not None and a_low >= 0 and b_low >= 0:
        return a_low * b_low, None if a_high is None or b_high is None else a_high * b_high
    if a_high is not None and b_low is not None and a_high <= 0 and b_low >= 0:
        return None if a_low is None or b_high is None else a_low * b_high, a_high * b_low
    return None, None
