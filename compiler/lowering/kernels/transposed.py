"""The tiles of kernels whose operands are contiguous along another axis than the result.

Lanes run along ``lane_axis`` of the iteration space, where operands are contiguous, and the rows of a tile along the
last axis, where the result is. Between reading and storing, the tile is transposed in registers (``merging``); what
follows the sums of a product is computed after that, as far as it can be (``result_order``).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from typing import Any

from netwright.specs.dims import DimLike, Shape, coefficient, dim, dim_min

from ...graph.node import Value
from ...loop.intrinsics.builder import LANE
from ...loop.ir import Expr
from ...machine import Machine
from ...plans.shapes import power_of_two
from ..reading.apart import divided_axes
from ..reading.epilogue import store
from ..reading.indices import Indices, is_linear
from ..reading.memory import NotVectorizable
from ..reading.places import IndexMap, Place, Target
from ..reading.reader import Reader
from ..tiles.tiling import Tiling
from .contract import contract
from .merging import merged, merges
from .result_order import ResultOrder


@dataclass(frozen=True)
class _Span:
    """Tiles along an axis: the loop over their first indices, their ``width``, and how much of a tile exists (None:
    all)."""

    loop: Callable[[], AbstractContextManager[DimLike]]
    width: int
    exist: Callable[[DimLike], DimLike | None]


class TransposedTiles:
    """Emits the loops over all tiles of a group's iteration space."""

    def __init__(
        self,
        reader: Reader,
        space: Shape,
        targets: Sequence[tuple[Value, Sequence[Target]]],
        tiling: Tiling,
        machine: Machine,
    ):
        assert tiling.lane_axis is not None
        self.reader, self.b, self.space, self.targets, self.tiling = reader, reader.b, space, targets, tiling
        self.machine = machine
        self.lane_axis, self.last = tiling.lane_axis, len(space) - 1
        order = [*(axis for axis in range(self.last) if axis != self.lane_axis), self.lane_axis, self.last]
        self.order = sorted(order, key=lambda axis: axis != tiling.parallel_axis)
        loops = itertools.takewhile(lambda axis: axis not in (self.lane_axis, self.last), self.order)
        numbers = [(axis, space[axis] // self._step(axis)) for axis in loops]
        self.divided = divided_axes(space, tiling.parallel_axis, numbers, targets)

    def _step(self, axis: int) -> int:
        """How many indices of an axis a tile has."""
        own = self.tiling
        if axis == self.lane_axis:
            return own.lanes * own.vectors
        return own.rows if axis == self.last else own.bands if axis == own.band_axis else 1

    def emit(self) -> None:
        """Emits all loops; the one that threads divide is outermost."""
        self._axes(self.order, {}, {})

    def _axes(
        self, order: Sequence[int], index: dict[int, DimLike], spans: dict[int, tuple[int, DimLike | None]]
    ) -> None:
        if not order:
            self._tile(
                tuple(index[axis] for axis in range(len(self.space))),
                *spans[self.lane_axis],
                *spans[self.last],
            )
            return
        axis, *rest = order
        for span in self._spans(axis, self._step(axis)):
            with span.loop() as start:
                self._axes(rest, {**index, axis: start}, {**spans, axis: (span.width, span.exist(start))})

    def _spans(self, axis: int, width: int) -> Iterator[_Span]:
        """The tiles of one axis. If the last one is not whole, all are masked, since code for a second tile would be
        long; on machines without masks it gets code of its own."""
        extent, kind = self.space[axis], "parallel" if axis in self.divided else "serial"
        if isinstance(extent, int) and extent <= width:
            yield _Span(lambda: self._loop(0, extent, extent, kind), extent, lambda start: None)
            return
        whole = extent // width * width
        if whole == extent or self.machine.masked or not is_linear(extent):
            exist = (lambda start: None) if whole == extent else (lambda start: extent - start)
            yield _Span(lambda: self._loop(0, extent, width, kind), width, exist)
            return
        yield _Span(lambda: self._loop(0, whole, width, kind), width, lambda start: None)
        rest = extent - whole
        if isinstance(rest, int):
            yield _Span(lambda: self._loop(whole, extent, rest, kind), rest, lambda start: None)
        else:
            yield _Span(lambda: self._loop(whole, extent, width, kind), width, lambda start: extent - start)

    def _loop(self, start: DimLike, stop: DimLike, step: int, kind: Any) -> AbstractContextManager[DimLike]:
        if stop == start + step and kind != "parallel":
            return _given(start)
        return self.b.loop("i", start, stop, step, kind)

    # -- one tile -----------------------------------------------------------------------------------------------

    def _tile(
        self, index: Indices, width: int, columns: DimLike | None, rows: int, exist: DimLike | None
    ) -> None:
        """Emits a tile: ``width`` elements along the axis of the lanes by ``rows`` along the last axis, of which
        ``columns`` and ``exist`` elements exist (None: all)."""
        reader, lanes = self.reader, max(power_of_two(min(width, self.tiling.lanes)), power_of_two(rows))
        left = width if columns is None else columns
        bands = range(self.tiling.bands)
        parts = [(band, offset, left - offset) for band in bands for offset in range(0, width, lanes)]
        # Rows that do not exist read the last row that does, and are not stored.
        own = [row if exist is None else dim_min(row, exist - 1) for row in range(rows)]
        with reader.scope():
            reader.accumulators = self._contracted(index, lanes, parts, own)
            for band, offset, count in parts:
                with reader.vector(lanes, count):
                    start = self._moved(index, offset, 0, band)
                    if self._finish_in_order(start, own, count):
                        continue
                    lane = dim(LANE) + offset
                    read = [
                        [reader.read(v, self._moved(index, lane, row, band)) for v, _ in self.targets]
                        for row in own
                    ]
                    # Read everything before storing anything: a buffer may be updated in place.
                    for position, (_, places) in enumerate(self.targets):
                        vectors = [row[position] for row in read]
                        for place, index_map in places:
                            self._store(vectors, place, index_map, start, count, exist)

    def _finish_in_order(self, index: Indices, rows: Sequence[DimLike], count: DimLike) -> bool:
        """Computes and stores the results of a tile that begins at ``index`` in their own order; False if sums are not
        what it computes, or it is not contiguous in all results. Raises NotVectorizable if an operand is not."""
        reader, lane = self.reader, self._moved(index, dim(LANE), 0)
        targets = [(value, place, to(lane)) for value, places in self.targets for place, to in places]
        whole = [self._as_flat(place, at, len(rows)) for _, place, at in targets]
        if not reader.accumulators or not all(whole):
            return False

        def across(value: Value) -> list[Expr]:
            return [reader.read(value, self._moved(index, dim(LANE), row)) for row in rows]

        def load(value: Value, number: int) -> Expr:
            place = reader.place(value)
            flat = self._as_flat(place, place.within(lane), len(rows))
            if flat is None:
                raise NotVectorizable
            start, left = self._vector_at(*flat, count, len(rows), number)
            return reader.b.load(reader.parameter(flat[0], "read"), start, reader.lanes, left)

        left = count * len(rows)
        number = min(len(rows), -(-left // reader.lanes)) if isinstance(left, int) else len(rows)
        order = ResultOrder(reader, number, across, load)
        for value, _, _ in targets:  # read everything before storing anything
            order.read(value)
        for (value, _, _), flat in zip(targets, whole, strict=True):
            assert flat is not None
            self._store_flat(order.read(value), *flat, count, len(rows))
        return True

    def _contracted(
        self,
        index: Indices,
        lanes: int,
        parts: Sequence[tuple[int, int, DimLike]],
        rows: Sequence[DimLike],
    ) -> dict[tuple[int, Indices], Expr]:
        """The results of contractions that the tile reads."""
        wanted: dict[tuple[int, Indices], DimLike | None] = {}
        values = [value for value, _ in self.targets]
        for row in rows:
            for band, offset, count in parts:
                at = self._moved(index, dim(LANE) + offset, row, band)
                for id, element in self.reader.contractions(values, at):
                    wanted.setdefault((id, element), count)
        return contract(self.reader, replace(self.tiling, lanes=lanes), wanted, self.machine)

    def _store(
        self,
        vectors: Sequence[Expr],
        place: Place,
        index_map: IndexMap,
        index: Indices,
        count: DimLike,
        exist: DimLike | None,
    ) -> None:
        flat = self._as_flat(place, index_map(self._moved(index, dim(LANE), 0)), len(vectors))
        if flat is not None:
            self._store_flat(merged(self.b, vectors), *flat, count, len(vectors))
        else:
            self._store_rows(vectors, place, index_map, index, count, exist)

    def _moved(self, index: Indices, lane: DimLike, row: DimLike, band: int = 0) -> Indices:
        moved = list(index)
        if self.tiling.band_axis is not None:
            moved[self.tiling.band_axis] = moved[self.tiling.band_axis] + band
        moved[self.lane_axis] = moved[self.lane_axis] + lane
        moved[self.last] = moved[self.last] + row
        return tuple(moved)

    def _as_flat(self, place: Place, at: Sequence[DimLike], rows: int) -> tuple[Place, Indices] | None:
        """The place with its last two axes merged, and the index there where the tile begins; None unless the tile is
        contiguous in it."""
        shape = place.type.shape
        if shape[-1] != rows or not merges(rows):
            return None
        if [coefficient(i, LANE) for i in at] != [0] * (len(at) - 2) + [1, 0]:
            return None
        if not is_linear(at[-2], shape[-2]):
            return None
        merged = place.reshaped((*shape[:-2], shape[-2] * rows))
        start = (*at[:-2], (at[-2] - dim(LANE)) * rows)
        return (merged, start) if self.reader.shape_is_free(merged) else None

    def _store_flat(
        self, vectors: Sequence[Expr], place: Place, at: Indices, count: DimLike, rows: int
    ) -> None:
        """Stores vectors in the order of the result, of which ``count`` times ``rows`` elements exist."""
        buffer = self.reader.parameter(place, "write")
        for number, vector in enumerate(vectors):
            start, left = self._vector_at(place, at, count, rows, number)
            if not (isinstance(left, int) and left <= 0):
                self.b.store(buffer, start, vector, left)

    def _vector_at(
        self, place: Place, at: Indices, count: DimLike, rows: int, number: int
    ) -> tuple[Indices, DimLike]:
        """Where the vector of the given number begins in a merged place, and how many of its elements exist."""
        skipped = number * self.reader.lanes
        start, _ = self.reader.address(place, (*at[:-1], at[-1] + dim(LANE)))
        return (*start[:-1], start[-1] + skipped), count * rows - skipped

    def _store_rows(
        self,
        vectors: Sequence[Expr],
        place: Place,
        index_map: IndexMap,
        index: Indices,
        count: DimLike,
        exist: DimLike | None,
    ) -> None:
        """One store per lane: that lane's elements along the last axis."""
        reader, b, lanes = self.reader, self.b, self.reader.lanes
        rows = power_of_two(len(vectors))
        empty = b.const(0, vectors[0].type.dtype, lanes)
        together = merged(b, [*vectors, *[empty] * (rows - len(vectors))])
        present = exist if exist is not None else len(vectors)
        for lane in range(lanes):
            number, start = divmod(lane * rows, lanes)
            row = together[number]
            if rows != lanes:
                row = b.shuffle(row, row, range(start, start + rows))
            reader.lanes, before = rows, reader.lanes
            with b.when(count - 1 - lane):
                store(reader, place, index_map(self._moved(index, lane, dim(LANE))), row, present)
            reader.lanes = before


@contextmanager
def _given(value: DimLike) -> Iterator[DimLike]:
    yield value
