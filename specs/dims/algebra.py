"""Sizes as polynomials in a canonical form: equal sizes compare equal, and a constant size is an ``int`` again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache, reduce
from math import gcd, prod
from typing import TYPE_CHECKING, TypeAlias, Union

DimLike: TypeAlias = Union[int, "Dim"]
Shape: TypeAlias = tuple[DimLike, ...]


@dataclass(frozen=True, slots=True)
class Call:
    """An atom that is not a name: ``floordiv(x, k)``, ``min(a, b, …)`` or ``max(a, b, …)``."""

    function: str
    arguments: tuple[DimLike, ...]
    _hash: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_hash", hash((self.function, self.arguments)))

    def __hash__(self) -> int:
        return self._hash

    def __str__(self) -> str:
        if self.function == "floordiv":
            numerator, divisor = self.arguments
            text = str(numerator)
            return f"({text})//{divisor}" if not text.isidentifier() else f"{text}//{divisor}"
        return f"{self.function}({', '.join(map(str, self.arguments))})"


class Unit(Call):
    """``floordiv(name, k)`` of a dim that is always a multiple of k: the number of units of k cells in it.

    Written in units, a size is a polynomial that divides exactly: with H in units of 32 cells, H is 32 units, ⌊H/2⌋ is
    16 units, and twice that is H again. Text shows the dim, not its units: `H//2`, `H`.
    """

    __slots__ = ()

    @property
    def name(self) -> str:
        """The dim that is counted."""
        return str(self.arguments[0])

    @property
    def size(self) -> int:
        """The number of cells in one unit."""
        divisor = self.arguments[1]
        assert isinstance(divisor, int)
        return divisor


@lru_cache(maxsize=1 << 16)
def atom_of(kind: type[Call], function: str, arguments: tuple[DimLike, ...]) -> Call:
    """The atom of these arguments. Equal ones are mostly the same object, so that sizes which hold them compare fast,
    however deeply they are nested.
    """
    return kind(function, arguments)


Atom: TypeAlias = str | Call
Monomial: TypeAlias = tuple[Atom, ...]  # a product of atoms, sorted by text; () is the constant term


class Dim:
    """A polynomial in canonical form that is not constant. Make one with ``dim``, ``parse_dim`` and the operators."""

    __slots__ = ("_hash", "symbols", "terms", "text", "units")

    terms: tuple[tuple[Monomial, int], ...]
    text: str
    symbols: frozenset[str]
    """The named dims that occur anywhere in the expression."""
    units: frozenset[Unit]
    """The units that occur anywhere in the expression."""
    _hash: int

    def __init__(self, terms: tuple[tuple[Monomial, int], ...]):
        self.terms = terms

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> object:
            """Computes what follows from the terms when it is first asked for. Slots are read faster than properties,
            and sizes without a dictionary are made faster: compilations make hundreds of thousands."""
            derived = _DERIVED.get(name)
            if derived is None:
                raise AttributeError(f"a size has no attribute {name!r}")
            value = derived(self)
            setattr(self, name, value)
            return value

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
        for monomial, coefficient in other.terms:
            totals[monomial] = totals.get(monomial, 0) + coefficient
        return from_terms(totals)

    __radd__ = __add__

    def __neg__(self) -> DimLike:
        return Dim(tuple((monomial, -coefficient) for monomial, coefficient in self.terms))

    def __sub__(self, other: DimLike) -> DimLike:
        if isinstance(other, int):
            return self + (-other)
        totals = dict(self.terms)
        for monomial, coefficient in other.terms:
            totals[monomial] = totals.get(monomial, 0) - coefficient
        return from_terms(totals)

    def __rsub__(self, other: DimLike) -> DimLike:
        return (-self) + other

    def __mul__(self, other: DimLike) -> DimLike:
        if isinstance(other, int):
            if other == 1:
                return self
            return Dim(tuple([(monomial, factor * other) for monomial, factor in self.terms])) if other else 0
        totals: dict[Monomial, int] = {}
        for left, a in self.terms:
            for right, b in other.terms:
                product = tuple(sorted(left + right, key=atom_key)) if left and right else left or right
                totals[product] = totals.get(product, 0) + a * b
        return from_terms(totals)

    __rmul__ = __mul__

    def __floordiv__(self, divisor: int) -> DimLike:
        if not isinstance(divisor, int) or divisor <= 0:
            raise ValueError(f"a dimension can only be divided by a positive constant, not by {divisor}")
        if divisor == 1:
            return self
        # Terms divisible by the divisor can be taken out of the floor.
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
        # ⌊(⌊x/k⌋ + c) / d⌋ = ⌊(x + k·c) / (k·d)⌋
        (monomial, factor), *others = rest.terms
        inner = monomial[0] if len(monomial) == factor == 1 and len(others) <= 1 else None
        if type(inner) is Call and inner.function == "floordiv" and all(m == () for m, _ in others):
            numerator, first = inner.arguments
            assert isinstance(first, int)
            added = others[0][1] if others else 0
            return from_terms(whole) + (numerator + first * added) // (first * divisor)
        return from_terms(whole) + Dim((((atom_of(Call, "floordiv", (rest, divisor)),), 1),))


def _text(value: Dim) -> str:
    parts: list[str] = []
    for monomial, coefficient in value.terms:
        magnitude, factors = _factors_text(monomial, abs(coefficient), alone=coefficient > 0 or bool(parts))
        if not factors or magnitude != 1:
            factors.insert(0, str(magnitude))
        sign = "-" if coefficient < 0 else "+"
        parts.append(("-" if sign == "-" else "") if not parts else f" {sign} ")
        parts.append("*".join(factors))
    return "".join(parts)


def _hash(value: Dim) -> int:
    return hash(value.terms)


def _units(value: Dim) -> frozenset[Unit]:
    units: set[Unit] = set()
    for monomial, _ in value.terms:
        for atom in monomial:
            if isinstance(atom, Unit):
                units.add(atom)
            elif isinstance(atom, Call):
                units.update(*(argument.units for argument in atom.arguments if isinstance(argument, Dim)))
    return frozenset(units)


def _symbols(value: Dim) -> frozenset[str]:
    symbols: set[str] = set()
    for monomial, _ in value.terms:
        for atom in monomial:
            if isinstance(atom, str):
                symbols.add(atom)
            else:
                for argument in atom.arguments:
                    if isinstance(argument, Dim):
                        symbols |= argument.symbols
    return frozenset(symbols)


_DERIVED: dict[str, Callable[[Dim], object]] = {
    "text": _text,
    "symbols": _symbols,
    "units": _units,
    "_hash": _hash,
}


def _factors_text(monomial: Monomial, magnitude: int, *, alone: bool) -> tuple[int, list[str]]:
    """The text of a product: the number in front, and its factors.

    ``alone``: nothing in front binds more tightly, so the first factor needs no parentheses (but -N//2 would mean
    (-N)//2).
    """
    names = [atom for atom in monomial if isinstance(atom, str)]
    if len(names) == len(monomial):
        return magnitude, names  # the names of a monomial are sorted already
    counted = [atom.name for atom in monomial if isinstance(atom, Unit)]
    calls = [atom for atom in monomial if isinstance(atom, Call) and not isinstance(atom, Unit)]
    divisor = prod(atom.size for atom in monomial if isinstance(atom, Unit))
    common = gcd(magnitude, divisor)
    magnitude, divisor = magnitude // common, divisor // common
    if divisor == 1:
        bare = alone and magnitude == 1 and len(monomial) == 1
        return magnitude, [*sorted(names + counted), *(str(c) if bare else _factor_text(c) for c in calls)]
    quotient = "*".join([str(magnitude)] * (magnitude != 1) + counted)
    quotient = f"({quotient})//{divisor}" if "*" in quotient else f"{quotient}//{divisor}"
    bare = alone and not names and not calls
    return 1, [*names, quotient if bare else f"({quotient})", *map(_factor_text, calls)]


def _factor_text(atom: Call) -> str:
    return f"({atom})" if atom.function == "floordiv" else str(atom)


def atom_key(atom: Atom) -> tuple[int, str]:
    return (0, atom) if isinstance(atom, str) else (1, str(atom))


@lru_cache(maxsize=1 << 14)  # few monomials are asked for again and again
def _monomial_key(monomial: Monomial) -> tuple[int, list[tuple[int, str]]]:
    return (-len(monomial), [atom_key(atom) for atom in monomial])


def _term_key(term: tuple[Monomial, int]) -> tuple[int, list[tuple[int, str]]]:
    return _monomial_key(term[0])


def terms_of(value: DimLike) -> tuple[tuple[Monomial, int], ...]:
    """The monomials of ``value`` with their coefficients."""
    if isinstance(value, Dim):
        return value.terms
    return (((), value),) if value else ()


def from_terms(totals: Mapping[Monomial, int]) -> DimLike:
    """The polynomial with these coefficients by monomial."""
    kept = [term for term in totals.items() if term[1]]
    if not kept:
        return 0
    if len(kept) == 1 and not kept[0][0]:
        return kept[0][1]
    if len(kept) > 1:
        kept.sort(key=_term_key)
    return Dim(tuple(kept))


def dim(name: str) -> Dim:
    """The named dim ``name``."""
    return Dim((((name,), 1),))


def ceil_div(value: DimLike, divisor: int) -> DimLike:
    """⌈value / divisor⌉."""
    return (value + divisor - 1) // divisor


def multiple(name: str, of: int) -> Dim:
    """The dim ``name``, known to be always a multiple of ``of``."""
    return dim(name) if of == 1 else Dim((((atom_of(Unit, "floordiv", (dim(name), of)),), of),))


def product(values: Iterable[DimLike]) -> DimLike:
    """The product of ``values``; 1 for none (the number of elements of a shape)."""
    total: DimLike = 1
    for value in values:
        total = total * value
    return total


def total(values: Iterable[DimLike]) -> DimLike:
    """The sum of ``values``; 0 for none. It takes less time than adding them one by one."""
    totals: dict[Monomial, int] = {}
    for value in values:
        for monomial, coefficient in terms_of(value):
            totals[monomial] = totals.get(monomial, 0) + coefficient
    return from_terms(totals)
