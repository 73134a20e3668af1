"""Least and greatest values of sizes, from the ranges of the names in them: what a proof tries before it searches."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

from netwright.specs.dims import Atom, Call, DimLike, Monomial, dim_symbols

Polynomial: TypeAlias = dict[Monomial, int]


class Limits:
    """The constant ranges of declared names, and of the calls (divisions, minima, maxima) over them."""

    def __init__(self) -> None:
        self._least: dict[Atom, int | None] = {}
        self._greatest: dict[Atom, int | None] = {}

    def declare(self, name: str, low: DimLike, high: DimLike | None) -> None:
        """Adds a name with low ≤ name ≤ high."""
        self._least[name] = self.least_of(polynomial(low))
        self._greatest[name] = None if high is None else self.greatest(high)

    def forget(self, names: Iterable[str]) -> None:
        """Removes names, and what was derived from them."""
        gone = frozenset(names)
        for derived in (self._least, self._greatest):
            for atom in [atom for atom in derived if isinstance(atom, Call) and dim_symbols(atom) & gone]:
                del derived[atom]
            for name in gone:
                del derived[name]

    def least(self, value: DimLike) -> int | None:
        """A number that ``value`` is never below, by the ranges of its atoms taken one by one; None if they do not
        tell. It is cheap, and proves most accesses of kernels with constant sizes."""
        if isinstance(value, int):
            return value
        total = 0
        for monomial, coefficient in value.terms:
            limit = coefficient
            for atom in monomial:
                end = self.least_atom(atom)
                if len(monomial) > 1 and (end is None or end < 0):
                    return None  # factors may differ in sign
                if coefficient < 0:
                    end = self._greatest_atom(atom)
                if end is None:
                    return None
                limit *= end
            total += limit
        return total

    def greatest(self, value: DimLike) -> int | None:
        """A number that ``value`` is never above; None as for `least`."""
        least = self.least(-value)
        return None if least is None else -least

    def least_of(self, goal: Polynomial) -> int | None:
        """The value of ``goal`` where its atoms are at the ends of their ranges, which is its least value if every term
        grows with their distances from there; None if a term may not, or an atom has no end.

        An atom's end is its least value; where it has none, its greatest: a factor such as −(−H//2) is never negative.
        """
        total = 0
        products: Polynomial = {}
        for monomial, coefficient in goal.items():
            if not monomial:
                total += coefficient
                continue
            ends = [(self.least_atom(atom), 1) for atom in monomial]
            if any(end is None for end, _ in ends):
                ends = [
                    end if end[0] is not None else (self._greatest_atom(atom), -1)
                    for atom, end in zip(monomial, ends, strict=True)
                ]
                if any(end is None for end, _ in ends):
                    return None
            elif len(monomial) == 1 or not any(end for end, _ in ends):
                add_term(products, monomial, coefficient)
                if ends[0][0] and len(monomial) == 1:
                    total += coefficient * ends[0][0]
                continue
            terms: Polynomial = {(): coefficient}
            for atom, (end, sign) in zip(monomial, ends, strict=True):
                assert end is not None
                grown: Polynomial = {}
                for other, factor in terms.items():
                    add_term(grown, (*other, atom), factor * sign)
                    if end:
                        add_term(grown, other, factor * end)
                terms = grown
            total += terms.pop((), 0)
            for other, factor in terms.items():
                add_term(products, other, factor)
        return total if all(coefficient >= 0 for coefficient in products.values()) else None

    def least_atom(self, atom: Atom) -> int | None:
        """The least value of an atom, None if it has none or is not known."""
        if atom not in self._least:
            assert isinstance(atom, Call)
            self._least[atom] = self._least_call(atom)
        return self._least[atom]

    def _least_call(self, atom: Call) -> int | None:
        parts = [self.least_of(polynomial(argument)) for argument in atom.arguments]
        if atom.function == "floordiv":
            divisor = atom.arguments[1]
            assert isinstance(divisor, int)
            return None if parts[0] is None else parts[0] // divisor
        lows = [part for part in parts if part is not None]
        if atom.function == "min":
            return min(lows) if len(lows) == len(parts) else None
        return max(lows, default=None)

    def _greatest_atom(self, atom: Atom) -> int | None:
        if atom not in self._greatest:
            assert isinstance(atom, Call)
            self._greatest[atom] = self._greatest_call(atom)
        return self._greatest[atom]

    def _greatest_call(self, atom: Call) -> int | None:
        if atom.function == "floordiv":
            numerator, divisor = atom.arguments
            assert isinstance(divisor, int)
            most = self.greatest(numerator)
            return None if most is None else most // divisor
        parts = [self.greatest(argument) for argument in atom.arguments]
        highs = [part for part in parts if part is not None]
        if atom.function == "max":
            return max(highs) if len(highs) == len(parts) else None
        return min(highs, default=None)


def polynomial(value: DimLike) -> Polynomial:
    if isinstance(value, int):
        return {(): value} if value else {}
    return dict(value.terms)


def add_term(terms: Polynomial, monomial: Monomial, coefficient: int) -> None:
    total = terms.get(monomial, 0) + coefficient
    if total:
        terms[monomial] = total
    else:
        terms.pop(monomial, None)
