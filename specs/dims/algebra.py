"""Sizes as polynomials, in one canonical form: equal when they compare equal, an ``int`` again when constant."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property, reduce
from math import gcd
from typing import TypeAlias, Union

DimLike: TypeAlias = Union[int, "Dim"]
Shape: TypeAlias = tuple[DimLike, ...]


@dataclass(frozen=True, slots=True)
class Call:
    """An atom that is not a name: ``floordiv(x, k)``, ``min(a, b, …)`` or ``max(a, b, …)``."""

    function: str
    arguments: tuple[DimLike, ...]

    def __str__(self) -> str:
        if self.function == "floordiv":
            numerator, divisor = self.arguments
            text = str(numerator)
            return f"({text})//{divisor}" if not text.isidentifier() else f"{text}//{divisor}"
        return f"{self.function}({', '.join(map(str, self.arguments))})"


Atom: TypeAlias = str | Call
Monomial: TypeAlias = tuple[Atom, ...]  # a product of atoms, sorted by text; () is the constant term


class Dim:
    """A canonical polynomial that is not constant; build it with ``dim``, ``parse_dim`` and the operators."""

    __slots__ = ("__dict__", "terms")

    terms: tuple[tuple[Monomial, int], ...]

    def __init__(self, terms: tuple[tuple[Monomial, int], ...]):
        self.terms = terms

    @cached_property
    def text(self) -> str:
        parts: list[str] = []
        for monomial, coefficient in self.terms:
            magnitude = abs(coefficient)
            # -N//2 reads as (-N)//2.
            alone = magnitude == 1 and len(monomial) == 1 and (coefficient > 0 or bool(parts))
            factors = [
                str(atom) if alone or isinstance(atom, str) else _factor_text(atom) for atom in monomial
            ]
            if not monomial or magnitude != 1:
                factors.insert(0, str(magnitude))
            sign = "-" if coefficient < 0 else "+"
            parts.append(("-" if sign == "-" else "") if not parts else f" {sign} ")
            parts.append("*".join(factors))
        return "".join(parts)

    @cached_property
    def _hash(self) -> int:
        return hash(self.terms)

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Dim) and (self is other or self.terms == other.terms)

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return f"Dim({self.text})"

    def __add__(self, other: DimLike) -> DimLike:
        if isinstance(other, int):  # the constant term comes last
            constant, rest = (0, self.terms) if self.terms[-1][0] else (self.terms[-1][1], self.terms[:-1])
            total = constant + other
            return Dim((*rest, ((), total)) if total else rest)
        totals = dict(self.terms)
        for monomial, coefficient in terms_of(other):
            totals[monomial] = totals.get(monomial, 0) + coefficient
        return from_terms(totals)

    __radd__ = __add__

    def __neg__(self) -> DimLike:
        return Dim(tuple((monomial, -coefficient) for monomial, coefficient in self.terms))

    def __sub__(self, other: DimLike) -> DimLike:
        return self + (-other)

    def __rsub__(self, other: DimLike) -> DimLike:
        return (-self) + other

    def __mul__(self, other: DimLike) -> DimLike:
        if isinstance(other, int):
            return Dim(tuple((monomial, factor * other) for monomial, factor in self.terms)) if other else 0
        totals: dict[Monomial, int] = {}
        for left, a in self.terms:
            for right, b in terms_of(other):
                product = tuple(sorted(left + right, key=_atom_key))
                totals[product] = totals.get(product, 0) + a * b
        return from_terms(totals)

    __rmul__ = __mul__

    def __floordiv__(self, divisor: int) -> DimLike:
        if not isinstance(divisor, int) or divisor <= 0:
            raise ValueError(f"a dimension can only be divided by a positive constant, not by {divisor}")
        if divisor == 1:
            return self
        # Terms divisible by the divisor leave the floor exactly.
        whole = {m: c // divisor for m, c in self.terms if c % divisor == 0}
        rest = from_terms({m: c for m, c in self.terms if c % divisor})
        if isinstance(rest, int):
            return from_terms(whole) + rest // divisor
        offset = dict(rest.terms).get((), 0)
        if not 0 <= offset < divisor:
            whole[()] = whole.get((), 0) + offset // divisor
            rest = rest - (offset // divisor) * divisor
            assert isinstance(rest, Dim)
        common = reduce(gcd, (c for m, c in rest.terms if m), divisor)
        if common > 1:  # ⌊(c·x + r) / (c·k)⌋ = ⌊(x + ⌊r/c⌋) / k⌋
            reduced = from_terms({m: c // common for m, c in rest.terms})
            return from_terms(whole) + reduced // (divisor // common)
        if len(rest.terms) == 1 and rest.terms[0][1] == 1 and len(rest.terms[0][0]) == 1:
            inner = rest.terms[0][0][0]
            if isinstance(inner, Call) and inner.function == "floordiv":
                numerator, first = inner.arguments
                assert isinstance(first, int)
                return from_terms(whole) + numerator // (first * divisor)
        return from_terms(whole) + Dim((((Call("floordiv", (rest, divisor)),), 1),))

    @cached_property
    def symbols(self) -> frozenset[str]:
        """The named dims that occur anywhere in the expression."""
        found: set[str] = set()
        for monomial, _ in self.terms:
            for atom in monomial:
                if isinstance(atom, str):
                    found.add(atom)
                else:
                    for argument in atom.arguments:
                        if isinstance(argument, Dim):
                            found |= argument.symbols
        return frozenset(found)


def _factor_text(atom: Call) -> str:
    return f"({atom})" if atom.function == "floordiv" else str(atom)


def _atom_key(atom: Atom) -> tuple[int, str]:
    return (0, atom) if isinstance(atom, str) else (1, str(atom))


def _monomial_key(item: tuple[Monomial, int]) -> tuple[int, list[tuple[int, str]]]:
    monomial = item[0]
    return (-len(monomial), [_atom_key(atom) for atom in monomial])


def terms_of(value: DimLike) -> tuple[tuple[Monomial, int], ...]:
    """The monomials of ``value`` with their factors."""
    if isinstance(value, Dim):
        return value.terms
    return (((), value),) if value else ()


def from_terms(totals: Mapping[Monomial, int]) -> DimLike:
    """The sum of the monomials, each times its factor."""
    kept = [(monomial, coefficient) for monomial, coefficient in totals.items() if coefficient]
    if not kept:
        return 0
    if len(kept) == 1 and not kept[0][0]:
        return kept[0][1]
    return Dim(tuple(sorted(kept, key=_monomial_key)) if len(kept) > 1 else tuple(kept))


def dim(name: str) -> Dim:
    """The named dim ``name``."""
    return Dim((((name,), 1),))


def ceil_div(value: DimLike, divisor: int) -> DimLike:
    """⌈value / divisor⌉."""
    return (value + divisor - 1) // divisor


def dim_min(*values: DimLike) -> DimLike:
    """The smallest of ``values``."""
    return extremum("min", values)


def dim_max(*values: DimLike) -> DimLike:
    """The largest of ``values``."""
    return extremum("max", values)


def extremum(function: str, values: Iterable[DimLike]) -> DimLike:
    """``dim_min`` or ``dim_max``, by the name of the function: "min" or "max"."""
    better = (lambda a, b: a < b) if function == "min" else (lambda a, b: a > b)
    kept: list[DimLike] = []
    for value in values:
        # Nested calls of the same kind are flattened.
        if isinstance(value, Dim) and len(value.terms) == 1 and value.terms[0][1] == 1:
            (monomial, _), *_ = value.terms
            if len(monomial) == 1 and isinstance(monomial[0], Call) and monomial[0].function == function:
                arguments = monomial[0].arguments
            else:
                arguments = (value,)
        else:
            arguments = (value,)
        for argument in arguments:
            for position, other in enumerate(kept):
                difference = argument - other
                if isinstance(difference, int):  # comparable: keep the better one
                    if better(difference, 0):
                        kept[position] = argument
                    break
            else:
                kept.append(argument)
    if len(kept) == 1:
        return kept[0]
    kept.sort(key=str)
    return Dim((((Call(function, tuple(kept)),), 1),))


def product(values: Iterable[DimLike]) -> DimLike:
    """The product of ``values``; 1 for none (the number of elements of a shape)."""
    total: DimLike = 1
    for value in values:
        total = total * value
    return total


def exact_div(value: DimLike, divisor: DimLike) -> DimLike | None:
    """``value / divisor`` where it is exact for every binding, else None. The divisor has one term."""
    divisor_terms = terms_of(divisor)
    if len(divisor_terms) != 1:
        return 1 if value == divisor else None
    (monomial, factor), *_ = divisor_terms
    quotient: dict[Monomial, int] = {}
    for own, own_factor in terms_of(value):
        rest = list(own)
        for atom in monomial:
            if atom not in rest:
                return None
            rest.remove(atom)
        if own_factor % factor:
            return None
        quotient[tuple(rest)] = own_factor // factor
    return from_terms(quotient)
