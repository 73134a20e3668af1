"""Fills the accumulators of a tile: emits the reduction loops of its contractions.

Every (contraction, index) pair has one accumulator register. Where a tile has too few of them to hide the latency of
a fused multiply-add, each gets several partial sums, which are added at the end, unless the order of terms is given.
Contractions that reduce over the same extents share their loops, and an operand that two terms read is loaded once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from netwright.specs.dims import DimLike, Shape, dim, product, substitute

from ...graph.node import Value
from ...graph.types import FLOATS
from ...loop import ir
from ...loop.intrinsics.builder import LANE
from ...loop.ir import Expr
from ...machine import Machine
from ...ops.protocols import Order, neutral
from ..grouping.roles import ContractionPart
from ..reading.indices import Indices
from ..reading.reader import Reader
from ..tiles.ahead import Ahead
from ..tiles.rows_ahead import RowsAhead
from ..tiles.sliding import in_order_of_elements
from ..tiles.sum_steps import partial_sums, sum_steps
from ..tiles.tiling import Tiling
from .lane_sums import Wanted, lane_results


@dataclass(frozen=True)
class Term:
    """One result vector (or scalar) of a contraction at an index; ``count`` of its lanes exist (None: all)."""

    part: ContractionPart
    index: Indices
    count: DimLike | None


def contract(
    reader: Reader,
    tiling: Tiling,
    wanted: Mapping[Wanted, DimLike | None],
    machine: Machine,
    ahead: Ahead | None = None,
    together: Mapping[Wanted, Sequence[Wanted]] | None = None,
    larger: Fraction = Fraction(1),
    rows: RowsAhead | None = None,
) -> dict[Wanted, Expr]:
    """Emits the loops that compute each wanted (node id, index); returns the expression that holds each result.
    ``ahead``: which weights they prefetch, ``rows``: which rows. ``together``: the sums along lanes that become one
    vector, by the wanted result that this vector is. Sums have the order that they have in a tile ``larger`` times as
    large."""
    results: dict[Wanted, Expr] = {}
    for family in families_of(reader, tiling, wanted, machine, ahead, larger, rows):
        totals = dict(zip(family.keys, family.emit(), strict=True))
        if tiling.inner:
            totals = lane_results(reader.b, family.combine, totals, together or {})
        results |= totals
    return results


def families_of(
    reader: Reader,
    tiling: Tiling,
    wanted: Mapping[Wanted, DimLike | None],
    machine: Machine,
    ahead: Ahead | None = None,
    larger: Fraction = Fraction(1),
    rows: RowsAhead | None = None,
) -> list[Family]:
    """The wanted (node id, index) in families that share loops, with registers that hold what sums begin with.
    ``larger``: as in ``contract``."""
    families: dict[tuple[str, Shape, Order, bool], list[Term]] = {}
    for (id, index), count in wanted.items():
        part = reader.roles.parts[id]
        assert isinstance(part, ContractionPart)
        families.setdefault((part.combine, part.extents, part.order, part.op.multiplies_bytes), []).append(
            Term(part, index, count)
        )
    return [
        Family(reader, tiling, combine, extents, order, terms, machine, ahead, larger, rows)
        for (combine, extents, order, _), terms in families.items()
    ]


class Family:
    """Terms with the same reduction extents, combining operation and order."""

    def __init__(
        self,
        reader: Reader,
        tiling: Tiling,
        combine: str,
        extents: Shape,
        order: Order,
        terms: Sequence[Term],
        machine: Machine,
        ahead: Ahead | None,
        larger: Fraction,
        rows: RowsAhead | None = None,
    ):
        self.ahead = ahead
        self.rows = None if rows is None else rows.stream(reader, terms[0].part, terms[0].index)
        self.reader, self.b, self.tiling = reader, reader.b, tiling
        self.combine, self.extents, self.terms = combine, extents, terms
        number = int(len(terms) * larger)
        if tiling.steps is not None and number == tiling.accumulators:
            self.copies = tiling.steps
        else:
            whole = number >= tiling.bands * tiling.rows * tiling.vectors
            role = terms[0].part.role
            axes = () if tiling.inner else extents
            self.copies = sum_steps(axes, number, role, machine, whole)
        partial = 1 if tiling.terms else partial_sums(self.copies, number, order, machine)
        self.multiplies_bytes = terms[0].part.op.multiplies_bytes
        self.registers = [
            [self.b.register("acc", self._first(term)) for term in terms] for _ in range(partial)
        ]
        self.turn = 0
        self.bytes: dict[tuple[Value, Indices], Expr] = {}  # that one step has read

    @property
    def keys(self) -> list[Wanted]:
        """What each term's sum is, in the order of the registers."""
        return [(term.part.node.id, term.index) for term in self.terms]

    def emit(self) -> list[Expr]:
        """Emits all loops; returns the expression of each term's sum."""
        if self.rows is not None:
            self.rows.begin(self.reader)
        if self.tiling.slides and len(self.registers) == 1:
            self._slide((), self.tiling.steps or 1)
        else:
            self._loops(())
        combine = getattr(self.b, self.combine)
        results: list[Expr] = []
        for position in range(len(self.terms)):
            total: Expr = self.registers[0][position]
            for partial in self.registers[1:]:
                total = combine(total, partial[position])
            results.append(total if self.tiling.inner else self.b.let("s", total))
        return results

    def _first(self, term: Term) -> Expr:
        """What an accumulator holds before the first term."""
        if term.part.start is not None:
            with self.reader.vector(self.tiling.lanes, term.count):
                return self.reader.read(term.part.start, term.index)
        dtype = term.part.node.types[0].dtype
        return self.b.const(neutral(self.combine, dtype), dtype, self.tiling.lanes)

    def _loops(self, at: Indices, copy: int = 0) -> None:
        """Emits the loops over the axes after ``at``, which is in the ``copy``-th step of an unrolled loop."""
        axis, b = len(at), self.b
        if axis == len(self.extents):
            self.accumulate(at, None, copy)
            return
        extent = self.extents[axis]
        innermost = product(self.extents[axis + 1 :]) == 1
        if self.tiling.inner and axis == len(self.extents) - 1:
            self._along_lanes(at, extent)
        elif extent == 1:
            self._loops((*at, 0), copy)
        elif innermost and self.copies == extent:
            for k in range(self.copies):
                self._loops((*at, k))
        else:
            copies = self.copies if innermost else 1
            with b.loop("k", 0, extent, step=copies) as k:
                for copy in range(copies):
                    self._loops((*at, k + copy), copy)

    def _slide(self, at: Indices, steps: int) -> None:
        """Emits the loops over the axes after ``at``, where the innermost one has so many ``steps`` of channels, each
        with all taps of a filter's row."""
        *outer, taps, channels = self.extents
        assert isinstance(taps, int)
        if len(at) == len(outer):
            with self.b.loop("k", 0, channels, step=steps) as k:
                for copy in range(steps):
                    self._accumulate_taps(at, taps, k + copy, copy)
        elif outer[len(at)] == 1:
            self._slide((*at, 0), steps)
        else:
            with self.b.loop("k", 0, outer[len(at)]) as k:
                self._slide((*at, k), steps)

    def _accumulate_taps(self, at: Indices, taps: int, channel: DimLike, copy: int) -> None:
        """Emits the steps of one channel and all taps for all terms."""
        reader, row_axis = self.reader, self.tiling.row_axis
        assert row_axis is not None
        before = reader.lanes, reader.count
        with reader.scope():
            reader.lanes = self.tiling.lanes
            for number, tap in in_order_of_elements([term.index for term in self.terms], taps, row_axis):
                term, register = self.terms[number], self.registers[0][number]
                reader.count = term.count
                self.b.assign(register, self._combined(self._places(term, (*at, tap, channel)), register))
            if self.ahead is not None:
                for tap in range(taps):
                    self._fetch(self.ahead, (*at, tap, channel), copy)
        reader.lanes, reader.count = before

    def _along_lanes(self, at: Indices, extent: DimLike) -> None:
        lanes, b = self.tiling.lanes, self.b
        whole = (extent // lanes) * lanes
        if whole == lanes:
            self.accumulate((*at, dim(LANE)), None)
        elif whole != 0:
            with b.loop("k", 0, whole, lanes) as k:
                self.accumulate((*at, k + dim(LANE)), None)
        rest = extent - whole
        if rest != 0:
            with b.when(rest - 1):
                self.accumulate((*at, whole + dim(LANE)), rest)

    def accumulate(self, at: Indices, count: DimLike | None, copy: int = 0) -> None:
        """Emits one reduction step of all terms. Where lanes run along the reduction, ``count`` of them exist (None:
        all)."""
        b, reader, lanes = self.b, self.reader, self.tiling.lanes
        registers = self.registers[self.turn % len(self.registers)]
        self.turn += 1
        self.bytes.clear()
        before = reader.lanes, reader.count
        with reader.scope():
            for term, register in zip(self.terms, registers, strict=True):
                reader.lanes, reader.count = lanes, count if self.tiling.inner else term.count
                places = self._places(term, at)
                total = (self._of_bytes if self.multiplies_bytes else self._combined)(places, register)
                if count is not None and not self._vanishes(places):
                    left = b.broadcast(b.index_value(count, "int64"), lanes)
                    total = b.select(b.lt(b.ramp("int64", lanes), left), total, register)
                b.assign(register, total)
            if self.ahead is not None:
                self._fetch(self.ahead, at, copy)
            if self.rows is not None:
                self.rows.step(reader, self.extents, at, copy)
        reader.lanes, reader.count = before

    def _fetch(self, ahead: Ahead, at: Indices, copy: int) -> None:
        """Prefetches a step's part of the weights of each product, once however many rows and vectors read it."""
        fetched: set[Value] = set()
        for term in self.terms:
            weights = term.part.operands[1]
            if term.count is None and weights not in fetched:
                fetched.add(weights)
                ahead.fetch(self.reader, term.part, term.index, at, copy)

    def _places(self, term: Term, at: Indices) -> list[tuple[Value, Indices]]:
        """The values that a term reads in one reduction step, each with its index."""
        factors = term.part.factors(term.index, term.part.term(at))
        return [(term.part.operands[p], self.reader.settled(index)) for p, index in factors]

    def _combined(self, places: Sequence[tuple[Value, Indices]], register: ir.Read) -> Expr:
        """The register combined with the factors of one reduction step."""
        dtype = register.type.dtype  # wider than the factors' where these are bytes
        factors = [self.b.cast(self.reader.read(value, index), dtype) for value, index in places]
        if len(factors) == 2 and dtype in FLOATS:
            return self.b.fma(factors[0], factors[1], register)
        if len(factors) == 2:
            return self.b.add(register, self.b.mul(factors[0], factors[1]))
        return getattr(self.b, self.combine)(register, factors[0])

    def _of_bytes(self, places: Sequence[tuple[Value, Indices]], register: ir.Read) -> Expr:
        """The register plus four products of bytes per lane: four elements of data in all lanes, by four weights of
        each."""
        b, reader, lanes = self.b, self.reader, self.tiling.lanes
        count = None if reader.count is None else 4 * reader.count
        factors: list[Expr] = []
        for width, rest, (value, index) in zip((4, 4 * lanes), (None, count), places, strict=True):
            *outer, last = (substitute(i, {LANE: 0}) for i in index)
            key = (value, (*outer, last + dim(LANE)))
            if key not in self.bytes:
                with reader.vector(width, rest):
                    self.bytes[key] = reader.read(*key)
            factors.append(self.bytes[key])
        left, right = factors
        return b.dot4(left, right, register)

    def _vanishes(self, places: Sequence[tuple[Value, Indices]]) -> bool:
        """Whether lanes past ``count`` add nothing to the sum, because a load fills them with 0."""
        return self.combine == "add" and any(self.reader.is_masked(value, index) for value, index in places)
