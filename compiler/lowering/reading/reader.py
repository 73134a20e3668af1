"""Reads graph values as loop IR expressions, inside one kernel.

A kernel gets at data through ``Reader.read(value, index)`` only: views move the index, elementwise members compute,
contractions return their accumulators, small windows combine their cells, and a value in memory is loaded. An index
consists of sizes over loop variables; LANE in it says how the element moves from one lane of a vector to the next.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import product as combinations
from typing import Any, TypeAlias

from netwright.specs.descent import Descent, descend
from netwright.specs.dims import (
    Dim,
    DimLike,
    Range,
    coefficient,
    dim_symbols,
    from_terms,
)

from ...graph.node import Value
from ...loop import ir
from ...loop.intrinsics.builder import LANE, KernelBuilder
from ...loop.ir import Expr, ValueType
from ...ops.protocols import Source
from ..grouping.groups import Group
from ..grouping.roles import ContractionPart, ElementwisePart, GeneratorPart, Roles, ViewPart
from .indices import Indices, vanishes
from .memory import Memory, NotVectorizable, moves
from .places import Place

#: An expression, or the computation that yields it.
Reading: TypeAlias = Expr | Descent[Expr]


class Reader(Memory):
    """Evaluates values of a graph for the kernel of ``group``."""

    def __init__(
        self,
        builder: KernelBuilder,
        roles: Roles,
        group: Group,
        place: Callable[[Value], Place],
    ):
        super().__init__(builder)
        self.roles = roles
        self.place = place
        self.members = {part.node.id for part in group.members}
        self.accumulators: dict[tuple[int, Indices], Expr] = {}
        self._memo: list[dict[Any, Expr]] = [{}]

    # -- scopes -------------------------------------------------------------------------------------------------

    @contextmanager
    def scope(self) -> Iterator[None]:
        """Expressions named inside are forgotten at the end of the scope; those from outside stay known."""
        self._memo.append({})
        yield
        self._memo.pop()

    @contextmanager
    def vector(self, lanes: int, count: DimLike | None = None) -> Iterator[None]:
        """Reads ``lanes`` elements at a time, of which ``count`` exist (None, or more than ``lanes``: all)."""
        before = self.lanes, self.count, self._memo
        self.lanes, self.count, self._memo = lanes, count, [{}]
        yield
        self.lanes, self.count, self._memo = before

    # -- memory -------------------------------------------------------------------------------------------------

    def panel(self, value: Value, index: Sequence[DimLike]) -> tuple[Place, Indices] | None:
        """The place of weights in panels as wide as a vector, and the index there of lane 0 of ``value`` at ``index``;
        None if they do not lie so."""
        memory = self.memory(value, index)
        if memory is None:
            return None
        place, base, stride = memory
        shape = [size for size in place.type.shape if size != 1]
        return (place, base) if stride == 1 and len(shape) > 2 and shape[-1] == self.lanes else None

    def memory(self, value: Value, index: Sequence[DimLike]) -> tuple[Place, Indices, DimLike] | None:
        """Where reading ``value`` at ``index`` loads from: the place, the index there of lane 0, and the stride between
        lanes; None if it is computed."""
        loaded = self._loaded(value, index)
        if loaded is None:
            return None
        value, index = loaded
        place = self.place(value)
        return place, *self.address(place, place.within(index))

    def factor(
        self, part: ContractionPart, number: int, index: Sequence[DimLike], at: Sequence[DimLike]
    ) -> tuple[Place, Indices] | None:
        """The place of a product's factor for a result and the ``at``-th term, and the index there of lane 0; None if
        it is computed."""
        position, where = part.factors(index, part.term(at))[number]
        memory = self.memory(part.operands[position], self.settled(where))
        return None if memory is None else memory[:2]

    def is_masked(self, value: Value, index: Sequence[DimLike]) -> bool:
        """Whether reading ``value`` at ``index`` loads a vector, in which lanes past ``count`` are 0."""
        loaded = self._loaded(value, index)
        if loaded is None:
            return False
        value, index = loaded
        pairs = zip(index, self.roles.type(value).shape, strict=True)
        return any(coefficient(i, LANE) != 0 for i, size in pairs if size != 1)

    def _loaded(self, value: Value, index: Sequence[DimLike]) -> tuple[Value, Sequence[DimLike]] | None:
        """The value in memory, and the index there, that reading ``value`` at ``index`` loads; None if it is computed,
        or not the same one everywhere."""
        while not self.in_memory(value):
            part = self.roles.part(value)
            if not isinstance(part, ViewPart):
                return None
            sources = part.read(index)
            if len(sources) != 1:
                return None
            (source,) = sources
            assert source.operand is not None
            value, index = part.operands[source.operand], self.settled(source.index)
        return value, index

    def settled(self, index: Sequence[DimLike]) -> Indices:
        """``index`` without the quotients that are 0 in all lanes that exist, whatever the loop variables."""
        return tuple([self._settled(i) if moves(i) else i for i in index])

    def _settled(self, index: Dim) -> DimLike:
        if all(isinstance(atom, str) for monomial, _ in index.terms for atom in monomial):
            return index
        last = (min(self.count, self.lanes) if isinstance(self.count, int) else self.lanes) - 1
        ranges: dict[str, Range] = {**self.b.ranges, LANE: (0, last)}
        return from_terms(
            {m: factor for m, factor in index.terms if not any(vanishes(atom, ranges) for atom in m)}
        )

    # -- values -------------------------------------------------------------------------------------------------

    def read(self, value: Value, index: Sequence[DimLike], guards: Indices = (), fill: Any = 0) -> Expr:
        """``lanes`` elements of ``value`` at ``index``; ``fill`` where a guard is negative."""
        return descend(self._reading(value, tuple(index), guards, fill))

    # Most values are in memory or already known. Only the others take a step of the descent, which saves time.

    def _reading(self, value: Value, index: Indices, guards: Indices = (), fill: Any = 0) -> Reading:
        """Names each value, so that it is computed once per element however often it is read."""
        key = (value, index, guards, fill)
        for memo in reversed(self._memo):
            if key in memo:
                return memo[key]
        if self.in_memory(value):
            return self._named(key, self.load(self.place(value), index, guards, fill))
        return self._made(key)

    def _made(self, key: tuple[Value, Indices, Indices, Any]) -> Descent[Expr]:
        return self._named(key, (yield self._read(*key)))

    def _named(self, key: tuple[Value, Indices, Indices, Any], result: Expr) -> Expr:
        result = self.b.let("v", result)
        self._memo[-1][key] = result
        return result

    def _read(self, value: Value, index: Indices, guards: Indices, fill: Any) -> Reading:
        match self.roles.part(value):
            case ViewPart() as part:
                return self._through(part, index, guards, fill)
            case GeneratorPart() as part:
                return self._generated(part, index)
            case ElementwisePart() as part:
                return self._computed(part, index, guards)
            case ContractionPart(role="window") as part:
                return self._window(part, index, guards)
        return self.b.broadcast(self.accumulators[value.node, index], self.lanes)

    def _generated(self, part: GeneratorPart, index: Indices) -> Descent[Expr]:
        with_scalars: list[Expr] = []
        for operand in part.operands:
            with self.vector(1):
                with_scalars.append((yield self._reading(operand, ())))
        (type,) = part.node.types
        if self.flat is not None:
            type = type.with_shape(self.flat)
        return part.op.emit_at(self.b, part.node.attrs, with_scalars, type, index, self.lanes)

    def _computed(self, part: ElementwisePart, index: Indices, guards: Indices) -> Descent[Expr]:
        operands: list[Expr] = []
        for operand in part.operands:
            operands.append((yield self._reading(operand, index, guards)))
        return part.op.emit(self.b, part.node.attrs, operands)

    def _through(self, part: ViewPart, index: Indices, guards: Indices, fill: Any) -> Reading:
        if self.flat is not None:  # a flattened kernel broadcasts only scalars
            return self._reading(part.operands[0], (0,) * part.types[0].rank, guards, fill)
        return self._choose(part.operands, part.read(index), guards, fill)

    def _choose(
        self, operands: Sequence[Value], sources: Sequence[Source], guards: Indices, fill: Any
    ) -> Reading:
        source, *others = sources
        index = self.settled(source.index)
        conditions = tuple(c for c in source.conditions if not (isinstance(c, int) and c >= 0))
        if never(conditions):
            return self._choose(operands, others, guards, fill)
        if any(LANE in dim_symbols(c) for c in conditions):
            raise NotVectorizable
        if source.operand is None:
            return self.b.const(source.fill, self._dtype(operands), self.lanes)
        operand = operands[source.operand]
        if not conditions:
            return self._reading(operand, index, guards, fill)
        if self.in_memory(operand) and not guards:
            assert others[0].operand is None
            return self._reading(operand, index, conditions, others[0].fill)
        return self._selected(
            operands, replace(source, index=index, conditions=conditions), others, guards, fill
        )

    def _selected(
        self,
        operands: Sequence[Value],
        source: Source,
        others: Sequence[Source],
        guards: Indices,
        fill: Any,
    ) -> Descent[Expr]:
        """``source`` where its conditions hold, elsewhere the first of ``others`` that applies."""
        assert source.operand is not None
        conditions = tuple(source.conditions)
        inside = yield self._reading(operands[source.operand], source.index, (*guards, *conditions))
        outside = yield self._choose(operands, others, guards, fill)
        return self.b.select(self._all(conditions), inside, outside)

    def _dtype(self, operands: Sequence[Value]) -> str:
        return self.roles.type(operands[0]).dtype

    def in_memory(self, value: Value) -> bool:
        return value.node not in self.members and self.roles.part(value).role != "index"

    def _all(self, conditions: Indices) -> Expr:
        zero = ir.Const(0, ValueType("int64"))
        tests = [self.b.ge(self.b.index_value(c, "int64"), zero) for c in conditions]
        result = tests[0]
        for test in tests[1:]:
            result = self.b.logical_and(result, test)
        return self.b.broadcast(result, self.lanes)

    def _window(self, part: ContractionPart, index: Indices, guards: Indices) -> Descent[Expr]:
        (operand,) = part.operands
        combine = getattr(self.b, part.combine)
        result: Expr | None = None
        for at in cells_of(part, index):
            term = yield self._reading(operand, at, guards)
            result = term if result is None else combine(result, term)
        assert result is not None
        return result

    # -- contractions -------------------------------------------------------------------------------------------

    def contractions(
        self, values: Sequence[Value], index: Sequence[DimLike]
    ) -> Iterator[tuple[int, Indices]]:
        """The results in accumulators that reading ``values`` at ``index`` needs: (node, index), each once."""
        stack: list[tuple[Value, Indices]] = [(value, tuple(index)) for value in reversed(values)]
        seen: set[tuple[Value, Indices]] = set()
        while stack:
            value, at = stack.pop()
            if (value, at) in seen:
                continue
            seen.add((value, at))
            if self.in_memory(value):
                continue
            below: list[tuple[Value, Indices]] = []
            match self.roles.part(value):
                case ViewPart() as part:
                    for source in part.read(at):
                        if source.operand is not None and not never(source.conditions):
                            below.append((part.operands[source.operand], tuple(source.index)))
                case ElementwisePart() as part:
                    below = [(operand, at) for operand in part.operands]
                case ContractionPart(role="window") as part:
                    below = [(part.operands[0], cell) for cell in cells_of(part, at)]
                case ContractionPart():
                    yield value.node, at
            stack += reversed(below)


def never(conditions: Indices) -> bool:
    """Whether one of the conditions, each of which says that it is not negative, is known not to hold."""
    return any(isinstance(condition, int) and condition < 0 for condition in conditions)


def cells_of(part: ContractionPart, index: Sequence[DimLike]) -> Iterator[Indices]:
    """The operand's indices at the cells of a small window, in row-major order."""
    for cell in combinations(*(range(extent) for extent in part.window)):
        ((_, at),) = part.factors(index, cell)
        yield tuple(at)
