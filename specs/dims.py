"""Dimensions: exact integer arithmetic over named sizes.

A size in Netwright is an ``int`` or a ``Dim``: a polynomial with integer coefficients over *atoms*, which are named
dims (``N``, ``T``), floor divisions by a positive constant, minima and maxima. Everything is kept in one canonical
form, so that two sizes are equal when they compare equal, and a size that turns out constant is an ``int`` again.
The same algebra serves shapes (graph), loop bounds and buffer indices (loop IR) and buffer sizes (manifest).
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Mapping
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
            alone = magnitude == 1 and len(monomial) == 1
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
        totals = dict(self.terms)
        for monomial, coefficient in _terms(other):
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
        totals: dict[Monomial, int] = {}
        for left, a in self.terms:
            for right, b in _terms(other):
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


def _terms(value: DimLike) -> tuple[tuple[Monomial, int], ...]:
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
    return Dim(tuple(sorted(kept, key=_monomial_key)))


def dim(name: str) -> Dim:
    """The named dim ``name``."""
    return Dim((((name,), 1),))


def constant_term(value: DimLike) -> int:
    """The part of ``value`` that does not depend on any dim."""
    return value if isinstance(value, int) else dict(value.terms).get((), 0)


def coefficient(value: DimLike, name: str) -> int | None:
    """The factor of ``name`` in ``value`` where ``value`` is affine in it with a constant factor, else None."""
    if isinstance(value, int) or name not in value.symbols:
        return 0
    found = 0
    for monomial, factor in value.terms:
        if monomial == (name,):
            found = factor
        elif any(atom == name or (isinstance(atom, Call) and name in dim_symbols(atom)) for atom in monomial):
            return None
    return found


def dim_symbols(value: DimLike | Call) -> frozenset[str]:
    """The named dims that ``value`` depends on."""
    if isinstance(value, Dim):
        return value.symbols
    if isinstance(value, Call):
        return frozenset().union(*(dim_symbols(argument) for argument in value.arguments))
    return frozenset()


def ceil_div(value: DimLike, divisor: int) -> DimLike:
    """⌈value / divisor⌉."""
    return (value + divisor - 1) // divisor


def dim_min(*values: DimLike) -> DimLike:
    """The smallest of ``values``."""
    return _extremum("min", values)


def dim_max(*values: DimLike) -> DimLike:
    """The largest of ``values``."""
    return _extremum("max", values)


def _extremum(function: str, values: Iterable[DimLike]) -> DimLike:
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
    divisor_terms = _terms(divisor)
    if len(divisor_terms) != 1:
        return 1 if value == divisor else None
    (monomial, factor), *_ = divisor_terms
    quotient: dict[Monomial, int] = {}
    for own, own_factor in _terms(value):
        rest = list(own)
        for atom in monomial:
            if atom not in rest:
                return None
            rest.remove(atom)
        if own_factor % factor:
            return None
        quotient[tuple(rest)] = own_factor // factor
    return from_terms(quotient)


def substitute(value: DimLike, binding: Mapping[str, DimLike]) -> DimLike:
    """``value`` with names replaced; an ``int`` when every name is bound to one."""
    if isinstance(value, int) or not (value.symbols & binding.keys()):
        return value
    total: DimLike = 0
    for monomial, factor in value.terms:
        term: DimLike = factor
        for atom in monomial:
            term = term * _substitute_atom(atom, binding)
        total = total + term
    return total


def _substitute_atom(atom: Atom, binding: Mapping[str, DimLike]) -> DimLike:
    if isinstance(atom, str):
        return binding[atom] if atom in binding else dim(atom)
    arguments = [substitute(argument, binding) for argument in atom.arguments]
    if atom.function == "floordiv":
        numerator, divisor = arguments
        assert isinstance(divisor, int)
        return numerator // divisor
    return _extremum(atom.function, arguments)


def evaluate(value: DimLike, binding: Mapping[str, int]) -> int:
    """The number that ``value`` is under ``binding``. Raises KeyError naming a dim that is not bound."""
    result = substitute(value, binding)
    if isinstance(result, Dim):
        raise KeyError(", ".join(sorted(result.symbols)))
    return result


Range: TypeAlias = tuple[int | None, int | None]


def bounds(value: DimLike, ranges: Mapping[str, Range]) -> Range:
    """Least and greatest value that can be proved, None where unbounded; a dim not in ``ranges`` is at least 1."""
    if isinstance(value, int):
        return value, value
    # Written over x = x' + low, a polynomial whose coefficients are all ≥ 0 has its constant term as exact minimum.
    names = [atom for monomial, _ in value.terms for atom in monomial if isinstance(atom, str)]
    lows = {name: ranges.get(name, (1, None))[0] for name in names}
    shift = {name: dim(name) + low for name, low in lows.items() if low}
    shifted = _terms(substitute(value, shift)) if shift else value.terms
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
    # Arguments were shifted along with the polynomial: undo it by bounding over the shifted names.
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


def parse_dim(text: str) -> DimLike:
    """Reads what ``str`` prints: names, integers, ``+ - * //``, ``min(…)``, ``max(…)``. Raises ValueError."""
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise ValueError(f"{text!r} is not a dimension") from error
    return _from_tree(tree, text)


def _from_tree(tree: ast.expr, text: str) -> DimLike:
    match tree:
        case ast.Constant(value=int() as number) if not isinstance(number, bool):
            return number
        case ast.Name(id=name):
            return dim(name)
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_from_tree(operand, text)
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return _from_tree(left, text) + _from_tree(right, text)
        case ast.BinOp(left=left, op=ast.Sub(), right=right):
            return _from_tree(left, text) - _from_tree(right, text)
        case ast.BinOp(left=left, op=ast.Mult(), right=right):
            return _from_tree(left, text) * _from_tree(right, text)
        case ast.BinOp(left=left, op=ast.FloorDiv(), right=right):
            divisor = _from_tree(right, text)
            if not isinstance(divisor, int) or divisor <= 0:
                raise ValueError(f"in {text!r}: a dimension can only be divided by a positive constant")
            return _from_tree(left, text) // divisor
        case ast.Call(func=ast.Name(id="min" | "max" as function), args=arguments, keywords=[]) if arguments:
            return _extremum(function, [_from_tree(argument, text) for argument in arguments])
    raise ValueError(f"{text!r} is not a dimension: use names, integers, + - * //, min and max")
