"""Index arithmetic: sizes of ``specs.dims`` become i64 values, each computed once and as far out as possible.

Every loop (and every checked index from data) opens a scope with a place for code at its start. A polynomial is
summed from the outermost scope inwards, so loop-invariant parts are computed before the loop, and accesses share
their common parts. LLVM's loop-invariant code motion would find nothing, and is not run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from netwright.specs.dims import Atom, DimLike, Range, bounds, dim_symbols, substitute

from ..text.writer import Place, Writer

Terms: TypeAlias = tuple[tuple[tuple[Atom, ...], int], ...]


@dataclass
class _Scope:
    place: Place
    regions: int
    known: dict[object, str] = field(default_factory=dict)
    names: list[str] = field(default_factory=list)
    proved: dict[object, Range] = field(default_factory=dict)


class Indices:
    """The named sizes in scope and the values computed from them.

    Where registers have 32 bits, ``narrow`` has minima, maxima and quotients computed in as many, if that is enough.
    """

    def __init__(self, writer: Writer, dims: Mapping[str, tuple[str, Range]], narrow: bool = False):
        self._writer = writer
        self.narrow = narrow
        self._scopes = [_Scope(writer.place(), 0)]
        self._values: dict[str, str] = {}
        self._depths: dict[str, int] = {}
        self._ranges: dict[str, Range] = {}
        self._constants: dict[str, int] = {}
        for name, (value, range_) in dims.items():
            self._bind(name, value, range_)

    # -- scopes --------------------------------------------------------------------------------------------

    @property
    def depth(self) -> int:
        return len(self._scopes)

    def open(self, name: str, value: str, range_: Range) -> None:
        """Opens a scope here, in which ``name`` is ``value``."""
        regions = self._writer.regions
        self._scopes.append(_Scope(self._writer.place(), regions))
        self._bind(name, value, range_)

    def close(self, depth: int) -> None:
        """Closes scopes until ``depth`` are open."""
        while len(self._scopes) > depth:
            scope = self._scopes.pop()
            self._writer.leave(scope.regions)
            for name in scope.names:
                del self._values[name], self._depths[name], self._ranges[name]

    def define(self, name: str, value: DimLike) -> bool:
        """Makes ``name`` stand, everywhere, for a size ≥ 0 of dims alone; returns False if the size has loop
        variables."""
        if self._depth_of(dim_symbols(value)):
            return False
        self._values[name], self._depths[name], self._ranges[name] = self.value(value), 0, (0, None)
        return True

    def fix(self, name: str, value: int) -> None:
        """Makes ``name`` stand for a constant (for an unrolled loop's variable) until ``unfix``."""
        self._constants[name] = value

    def unfix(self, name: str) -> None:
        del self._constants[name]

    def _bind(self, name: str, value: str, range_: Range) -> None:
        scope = self._scopes[-1]
        scope.names.append(name)
        self._values[name] = value
        self._depths[name] = len(self._scopes) - 1
        self._ranges[name] = range_

    # -- what can be proved --------------------------------------------------------------------------------

    def resolve(self, value: DimLike) -> DimLike:
        """``value`` with the variables of unrolled loops replaced."""
        if isinstance(value, int) or not self._constants:
            return value
        return substitute(value, self._constants)

    def bounds(self, value: DimLike) -> Range:
        """The range of a resolved size, as far as it can be proved here."""
        if isinstance(value, int):
            return value, value
        proved = self._scopes[self._depth_of(dim_symbols(value))].proved
        if value not in proved:
            proved[value] = bounds(value, self._ranges)
        return proved[value]

    # -- code ----------------------------------------------------------------------------------------------

    def once(self, symbols: Iterable[str], key: object, write: Callable[[], str]) -> str:
        """The value that ``write`` computes, written once, in the outermost scope that has all ``symbols``."""
        return self._at(self._depth_of(symbols), key, write)

    def value(self, value: DimLike) -> str:
        """The i64 operand for a size."""
        value = self.resolve(value)
        if isinstance(value, int):
            return str(value)
        total: str | None = None
        depth, so_far = 0, ()
        constant = 0
        for depth, terms in self._by_depth(value.terms):
            if depth < 0:
                constant = terms[0][1]
                depth = 0
                continue
            so_far += terms
            outer = total

            def write(outer: str | None = outer, terms: Terms = terms) -> str:
                return self._sum(outer, terms)

            total = self._at(depth, so_far, write)
        assert total is not None
        if not constant:
            return total
        return self._at(depth, (so_far, constant), lambda: self._writer.value(f"add i64 {total}, {constant}"))

    def pointer(self, base: str, element: str, offset: DimLike) -> str:
        """The address of ``base[offset]`` for elements of LLVM type ``element``."""
        offset = self.resolve(offset)
        pointer, constant, so_far, depth = base, 0, (), 0
        for depth, terms in self._by_depth(() if isinstance(offset, int) else offset.terms):
            if depth < 0:
                constant = terms[0][1]
                depth = 0
                continue
            so_far += terms
            outer = pointer

            def write(outer: str = outer, terms: Terms = terms) -> str:
                return self._writer.value(
                    f"getelementptr {element}, ptr {outer}, i64 {self._sum(None, terms)}"
                )

            pointer = self._at(depth, (base, element, so_far), write)
        if isinstance(offset, int):
            constant = offset
        return (
            self._writer.value(f"getelementptr {element}, ptr {pointer}, i64 {constant}")
            if constant
            else pointer
        )

    def _at(self, depth: int, key: object, write: Callable[[], str]) -> str:
        scope = self._scopes[depth]
        if key not in scope.known:
            with self._writer.at(scope.place):
                scope.known[key] = write()
        return scope.known[key]

    def _depth_of(self, symbols: Iterable[str]) -> int:
        return max((self._depths[name] for name in symbols), default=0)

    def _by_depth(self, terms: Terms) -> list[tuple[int, Terms]]:
        """Terms grouped by the scope that has all their names, outermost first; the constant has depth -1."""
        groups: dict[int, list[tuple[tuple[Atom, ...], int]]] = {}
        for monomial, factor in terms:
            depth = max((self._atom_depth(atom) for atom in monomial), default=-1)
            groups.setdefault(depth, []).append((monomial, factor))
        return [(depth, tuple(groups[depth])) for depth in sorted(groups)]

    def _atom_depth(self, atom: Atom) -> int:
        return self._depths[atom] if isinstance(atom, str) else self._depth_of(dim_symbols(atom))

    def _sum(self, total: str | None, terms: Terms) -> str:
        write = self._writer.value
        for monomial, factor in terms:
            product = self._product(monomial)
            if abs(factor) != 1:
                product = write(f"mul i64 {product}, {abs(factor)}")
            if total is None:
                total = product if factor > 0 else write(f"sub i64 0, {product}")
            else:
                total = write(f"{'add' if factor > 0 else 'sub'} i64 {total}, {product}")
        assert total is not None
        return total

    def _product(self, monomial: tuple[Atom, ...]) -> str:
        atoms = sorted(monomial, key=self._atom_depth)
        total = self._atom(atoms[0])
        for count, atom in enumerate(atoms[1:], 2):
            outer, key = total, ("product", *atoms[:count])

            def write(outer: str = outer, atom: Atom = atom) -> str:
                return self._writer.value(f"mul i64 {outer}, {self._atom(atom)}")

            total = self._at(self._atom_depth(atom), key, write)
        return total

    def _atom(self, atom: Atom) -> str:
        if isinstance(atom, str):
            return self._values[atom]
        return self._at(self._atom_depth(atom), atom, lambda: self._call(atom.function, atom.arguments))

    def _call(self, function: str, arguments: tuple[DimLike, ...]) -> str:
        if self.narrow and all(fits(self.bounds(argument)) for argument in arguments):
            lows = [self.bounds(argument)[0] or 0 for argument in arguments]
            result = self._computed(function, arguments, "i32")
            return self._writer.value(f"{'zext' if min(lows) >= 0 else 'sext'} i32 {result} to i64")
        return self._computed(function, arguments, "i64")

    def _computed(self, function: str, arguments: tuple[DimLike, ...], type: str) -> str:
        """A quotient, a minimum or a maximum in ``type``."""
        write = self._writer.value

        def operand(size: DimLike) -> str:
            return narrowed(self._writer, self.value(size), type)

        if function == "floordiv":
            numerator, divisor = arguments
            assert isinstance(divisor, int)
            x = operand(numerator)
            if divisor & (divisor - 1) == 0:  # an arithmetic shift is the floor, whatever the sign
                return write(f"ashr {type} {x}, {divisor.bit_length() - 1}")
            low, _ = self.bounds(numerator)
            if low is not None and low >= 0:
                return write(f"udiv {type} {x}, {divisor}")
            quotient = write(f"sdiv {type} {x}, {divisor}")
            remainder = write(f"srem {type} {x}, {divisor}")
            negative = write(f"ashr {type} {remainder}, {int(type[1:]) - 1}")
            return write(f"add {type} {quotient}, {negative}")
        total = operand(arguments[0])
        for argument in arguments[1:]:
            total = self._writer.call(
                type, f"llvm.s{function}.{type}", (type, total), (type, operand(argument))
            )
        return total


def fits(range_: Range) -> bool:
    """Whether 32 bits hold all values of a range."""
    low, high = range_
    return low is not None and high is not None and low >= -(1 << 31) and high < 1 << 31


def narrowed(writer: Writer, operand: str, type: str) -> str:
    """An operand of 64 bits in ``type``, which holds it."""
    constant = not operand.startswith("%")
    return operand if constant or type == "i64" else writer.value(f"trunc i64 {operand} to {type}")
