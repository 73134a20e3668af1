"""A normal form of a cell's equations that does not depend on how they are written.

Each element of a vector is a polynomial of the values read, of products with matrices, and of functions. Factors and
summands have no order, and products are multiplied out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from .elements import Elements, Ids


class Unlike(Exception):
    """Raised for equations that no layer of the language has."""


#: The variables of a monomial: the numbers of its atoms in order.
Monomial = tuple[int, ...]
#: Monomials with their coefficients, in order.
Poly = tuple[tuple[Monomial, float], ...]
#: A vector's pieces, each with its size; None if one number is the same for all elements.
Vector = tuple[tuple[int | None, Poly], ...]


@dataclass(frozen=True, slots=True)
class Read:
    """Elements of an input, or of a state: its value from the step before, or the new one."""

    kind: Literal["input", "old", "new"]
    name: str
    low: int
    high: int


@dataclass(frozen=True, slots=True)
class Weights:
    """Elements of parameters."""

    ids: bytes


@dataclass(frozen=True, slots=True)
class Product:
    """A vector times a matrix with this number of columns."""

    vector: Vector
    columns: int
    ids: bytes


@dataclass(frozen=True, slots=True)
class Function:
    """An elementwise function."""

    name: str
    operands: tuple[Poly, ...]
    numbers: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Whole:
    """Elements of a function of whole vectors; if ``high`` is None, one number for all of them."""

    name: str
    operands: tuple[Vector, ...]
    options: tuple
    low: int
    high: int | None


Atom = Read | Weights | Product | Function | Whole

#: No layer has a polynomial with more terms.
_MOST = 64
#: The largest distance from a factor to the whole number that it means, since the file stores it in its own precision.
_CLOSE = {"float32": 2e-7, "float64": 1e-15}


def matrix(ids: bytes, columns: int) -> Ids:
    """The elements of a matrix."""
    return np.frombuffer(ids, np.int32).reshape(-1, columns)


class Forms:
    """Polynomials over atoms, which are numbered here."""

    def __init__(self, dtype: str) -> None:
        self.elements = Elements()
        self._close, self._dtype = _CLOSE[dtype], np.dtype(dtype).type
        self._atoms: list[Atom] = []
        self._numbers: dict[Atom, int] = {}

    def atom(self, number: int) -> Atom:
        """The atom with this number."""
        return self._atoms[number]

    def of(self, atom: Atom) -> Poly:
        """A polynomial of one atom."""
        if atom not in self._numbers:
            self._numbers[atom] = len(self._atoms)
            self._atoms.append(atom)
        return (((self._numbers[atom],), 1.0),)

    def number(self, value: float) -> Poly:
        """A constant."""
        return (((), float(value)),) if value else ()

    def weights(self, ids: Ids) -> Poly:
        """Elements of parameters; if they all are the same number, a constant."""
        if not ids.any():
            return ()
        rest, number = self.elements.without_number(ids)
        sign = _sign(rest)
        if not sign:
            return self.number(number)
        weights = self.of(Weights((rest * np.int32(sign)).tobytes()))
        return self.add(self.times(weights, sign), self.number(number))

    def product(self, vector: Vector, ids: Ids) -> Poly:
        """A vector times a matrix."""
        sign = _sign(ids)
        if not sign:
            return ()
        positive = np.ascontiguousarray(ids * np.int32(sign), np.int32)
        return self.times(self.of(Product(vector, ids.shape[1], positive.tobytes())), sign)

    # Arithmetic.

    def add(self, *polys: Poly) -> Poly:
        """A sum. Summands that are weights alone are added up to one vector of weights."""
        factors: dict[Monomial, float] = {}
        for poly in polys:
            for monomial, factor in poly:
                factors[monomial] = factors.get(monomial, 0.0) + factor
        plain = [key for key, factor in factors.items() if self._is_weights(key) and abs(factor) == 1]
        if len(plain) > 1:
            arrays = [self._ids(monomial) * np.int32(factors.pop(monomial)) for monomial in plain]
            total = arrays[0]
            for array in arrays[1:]:
                total = self.elements.added(total, array)
            return self.add(self._ordered(factors), self.weights(total))
        return self._ordered(factors)

    def times(self, poly: Poly, number: float) -> Poly:
        """A polynomial times a number."""
        return self._ordered({monomial: factor * number for monomial, factor in poly})

    def _ordered(self, factors: Mapping[Monomial, float]) -> Poly:
        kept = []
        for monomial, factor in factors.items():
            whole = round(factor)
            meant = whole if whole and abs(factor - whole) <= self._close * abs(whole) else factor
            kept += [(monomial, float(meant))] if meant else []
        if len(kept) > _MOST:
            raise Unlike
        return tuple(sorted(kept))

    def multiply(self, first: Poly, second: Poly) -> Poly:
        """A product, multiplied out."""
        factors: dict[Monomial, float] = {}
        for a, x in first:
            for b, y in second:
                key = tuple(sorted((*a, *b)))
                factors[key] = factors.get(key, 0.0) + x * y
        return self._ordered(factors)

    def _is_weights(self, monomial: Monomial) -> bool:
        return len(monomial) == 1 and isinstance(self.atom(monomial[0]), Weights)

    def _ids(self, monomial: Monomial) -> Ids:
        atom = self.atom(monomial[0])
        assert isinstance(atom, Weights)
        return np.frombuffer(atom.ids, np.int32)

    # Functions.

    def function(self, name: str, operands: tuple[Poly, ...], numbers: tuple[float, ...] = ()) -> Poly:
        """An elementwise function, in one form for all ways to write it."""
        first = operands[0]
        constants = [_constant(operand) for operand in operands]
        if name in ("maximum", "minimum") and len(operands) == 2 and None not in constants[1:]:
            return self._bounded(name, first, float(constants[1] or 0))
        if name in ("maximum", "minimum") and len(operands) == 2 and constants[0] is not None:
            return self._bounded(name, operands[1], float(constants[0]))
        if name == "clip" and len(operands) == 3 and None not in constants[1:]:
            low, high = (float(constant or 0) for constant in constants[1:])
            return self._bounded("minimum", self._bounded("maximum", first, low), high)
        if name in ("sigmoid", "tanh") and first and first[0][1] < 0:
            opposite = self.times(self.of(Function(name, (self.times(first, -1),))), -1)
            return self.add(self.number(1), opposite) if name == "sigmoid" else opposite
        # A file stores numbers in the network's own precision.
        return self.of(Function(name, operands, tuple(float(self._dtype(number)) for number in numbers)))

    def _bounded(self, name: str, poly: Poly, bound: float) -> Poly:
        if name == "maximum":
            return self.of(Function("relu" if bound == 0 else "maximum", (poly,), (bound,) if bound else ()))
        inner = self.alone(poly)
        if not isinstance(inner, Function) or inner.name not in ("relu", "maximum"):
            return self.of(Function("minimum", (poly,), (bound,)))
        low = inner.numbers[0] if inner.numbers else 0.0
        if low != 0 or bound <= 0:
            return self.of(Function("clip", inner.operands, (low, bound)))
        # Clipping to 0 and a number is that number times a line clipped to 0 and 1.
        parts = [term for term in inner.operands[0] if term[0]]
        offset = sum(factor for monomial, factor in inner.operands[0] if not monomial)
        scales = {factor for _, factor in parts}
        scale = scales.pop() if len(scales) == 1 and min(scales) > 0 else 1.0
        line = self._ordered({monomial: factor / scale for monomial, factor in parts})
        return self.times(self.function("hard_sigmoid", (line,), (scale / bound, offset / bound)), bound)

    def alone(self, poly: Poly) -> Atom | None:
        """The atom, if the polynomial is a single one."""
        return (
            self.atom(poly[0][0][0]) if len(poly) == 1 and poly[0][1] == 1 and len(poly[0][0]) == 1 else None
        )

    # Parts.

    def sliced(self, poly: Poly, low: int, high: int) -> Poly:
        """Some elements of a polynomial of vectors."""
        result: Poly = ()
        for monomial, factor in poly:
            part = self.number(factor)
            for number in monomial:
                part = self.multiply(part, self._part(self.atom(number), low, high))
            result = self.add(result, part)
        return result

    def _part(self, atom: Atom, low: int, high: int) -> Poly:
        match atom:
            case Read():
                return self.of(Read(atom.kind, atom.name, atom.low + low, atom.low + high))
            case Weights():
                return self.weights(np.frombuffer(atom.ids, np.int32)[low:high])
            case Product():
                return self.product(atom.vector, matrix(atom.ids, atom.columns)[:, low:high])
            case Function():
                parts = tuple(self.sliced(operand, low, high) for operand in atom.operands)
                return self.function(atom.name, parts, atom.numbers)
            case Whole():
                if atom.high is None:
                    return self.of(atom)
                return self.of(Whole(atom.name, atom.operands, atom.options, atom.low + low, atom.low + high))

    def reads(self, poly: Poly) -> set[Read]:
        """All atoms of a polynomial, at any depth."""
        reads: set[Read] = set()
        seen: set[int] = set()
        waiting = [number for monomial, _ in poly for number in monomial]
        while waiting:
            number = waiting.pop()
            if number in seen:
                continue
            seen.add(number)
            match atom := self.atom(number):
                case Read():
                    reads.add(atom)
                case Product(vector=vector):
                    waiting += _numbers(poly for _, poly in vector)
                case Function(operands=operands):
                    waiting += _numbers(operands)
                case Whole(operands=vectors):
                    waiting += _numbers(poly for vector in vectors for _, poly in vector)
        return reads


def _numbers(polys: Iterable[Poly]) -> list[int]:
    return [number for poly in polys for monomial, _ in poly for number in monomial]


def _sign(ids: Ids) -> int:
    """The sign of the first element; 0 if there is none."""
    flat = ids.reshape(-1)
    first = flat[np.argmax(flat != 0)] if flat.size else 0
    return int(np.sign(first))


def _constant(poly: Poly) -> float | None:
    """The number, if the polynomial is constant."""
    if not poly:
        return 0.0
    return poly[0][1] if len(poly) == 1 and not poly[0][0] else None
