"""Sums of outer products from which something else is computed, such as the weights that a gradient updates.

The result cannot hold the sums of the blocks that are added so far, since it may be the very weights that are updated.
So the product gets memory for its sums, as if it were stored, and the last block's tiles go on from their registers.
Sums that would leave the second cache have no memory of their own: a buffer of the kernel holds those of some rows and
of a tile's columns.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from netwright.specs.dims import DimLike, Shape, dim, dim_min

from ..graph.node import Value
from ..loop import ir
from ..loop.intrinsics.builder import LANE
from ..loop.ir import Expr
from .indices import Indices
from .outer import Column, OuterTiles
from .outer_tiling import OuterTiling
from .places import Target, same_index
from .reader import NotVectorizable, Reader
from .roles import ContractionPart


class HeldTiles(OuterTiles):
    """Emits the loops over blocks of the sum and over all tiles in each. Where not all sums are held, the loops over
    some rows, and over tiles of columns, stand outside of them, and threads divide these."""

    def __init__(
        self,
        reader: Reader,
        part: ContractionPart,
        space: Shape,
        targets: Sequence[tuple[Value, Sequence[Target]]],
        tiling: OuterTiling,
    ):
        super().__init__(reader, part, space, (), tiling)
        self.results = targets
        self.first_row: DimLike = 0
        self.sums: ir.Buffer | None = None
        if tiling.held:
            shape = (tiling.held, tiling.vectors * tiling.lanes)
            self.sums = self.b.buffer("sums", self.dtype, shape, "readwrite", local=True)
        elif tiling.cut is not None:
            self.targets = [(reader.place(part.node.values[0]), same_index)]

    def emit(self) -> None:
        if not self.tiling.held:
            super().emit()
            return
        rows, columns = self.sizes
        width = self.tiling.lanes * self.tiling.vectors
        whole = columns // width * width
        for start, stop in ((0, whole), (whole, columns)):
            if start == stop:
                continue
            offsets = range(0, min(width, stop - start), self.tiling.lanes)
            vectors: list[Column] = [(at, None if start < whole else columns - whole - at) for at in offsets]
            with (
                self.b.loop("i", 0, rows, self.tiling.held, "parallel") as self.first_row,
                self.b.loop("j", start, stop, width, "parallel") as j,
                self._block() as starts,
            ):
                self._panel(starts, j, vectors)

    def _row_tiles(self) -> Iterator[tuple[Indices, int]]:
        if not self.tiling.held:
            yield from super()._row_tiles()
            return
        (extent, _), rows, held = self.sizes, self.tiling.rows, self.tiling.held
        rest = extent % rows
        with self.b.loop("i", 0, held, rows) as own:
            i = self.first_row + own
            with self.b.when(*([] if extent % held == 0 else [extent - rows - i])):
                yield (own,), rows
            if rest:
                with self.b.when(i - extent + rest, extent - rest - i):
                    yield (own,), rest

    def _rows(self, first: Indices, rows: int) -> Iterator[Indices]:
        if self.tiling.held:
            last = rows < self.tiling.rows
            first = (self.sizes[0] - rows if last else self.first_row + first[0],)
        yield from super()._rows(first, rows)

    def _tile(
        self, starts: Indices, first: Indices, rows: int, j: DimLike, columns: Sequence[Column]
    ) -> None:
        reader, several = self.reader, self.tiling.cut is not None
        cells = [(*row, j + offset) for row in self._rows(first, rows) for offset, _ in columns]
        counts = [count for _ in range(rows) for _, count in columns]
        held = [(first[0] + number, offset) for number in range(rows) for offset, _ in columns]
        registers = [self._begun(index, count) for index, count in zip(cells, counts, strict=True)]
        if several:
            with self.b.when(sum(starts, start=0) - 1):
                for register, index, at, count in zip(registers, cells, held, counts, strict=True):
                    self.b.assign(register, self._held(index, at, count))
        for at, number in self._terms(starts, len(cells)):
            self._add(at, number, cells, counts, registers, columns, j)
        moved = [(*index[:-1], index[-1] + dim(LANE)) for index in cells]
        reader.accumulators = {
            (self.part.node.id, index): register for index, register in zip(moved, registers, strict=True)
        }
        with self.b.when(self._is_last(starts)):
            for index, count in zip(moved, counts, strict=True):
                self._finish(index, count)
        if several:
            with self.b.otherwise():
                for register, index, at, count in zip(registers, cells, held, counts, strict=True):
                    self._hold(register, index, at, count)

    def _held(self, index: Indices, at: Indices, count: DimLike | None) -> Expr:
        """The sum so far at ``index`` of the result, which is ``at`` in the kernel's own buffer."""
        return (
            self._load(index, count) if self.sums is None else self.b.load(self.sums, at, self.tiling.lanes)
        )

    def _hold(self, register: Expr, index: Indices, at: Indices, count: DimLike | None) -> None:
        if self.sums is None:
            self._store(register, index, count)
        else:
            self.b.store(self.sums, at, register)

    def _begun(self, index: Indices, count: DimLike | None) -> ir.Read:
        """A register with what the sum at ``index`` starts from."""
        start, lanes = self.part.start, self.tiling.lanes
        if start is None:
            return self.b.register("acc", self.b.const(0, self.dtype, lanes))
        with self.reader.vector(lanes, count):
            return self.b.register("acc", self.reader.read(start, (*index[:-1], index[-1] + dim(LANE))))

    def _is_last(self, starts: Indices) -> DimLike:
        """Not negative in the last block."""
        if not starts:
            return 0
        extents, cut = self.part.extents, len(starts) - 1
        left: DimLike = starts[cut] + self.tiling.block - extents[cut]
        before = sum((starts[axis] - (extents[axis] - 1) for axis in range(cut)), start=0)
        return left if cut == 0 else dim_min(left, 0) + before

    def _finish(self, index: Indices, count: DimLike | None) -> None:
        """Computes the results at ``index`` from the sums, and stores them."""
        reader = self.reader
        with reader.scope(), reader.vector(self.tiling.lanes, count):
            # Read everything before storing anything: a buffer may be updated in place.
            values = [reader.read(value, index) for value, _ in self.results]
            for (_, places), value in zip(self.results, values, strict=True):
                for place, index_map in places:
                    base, stride = reader.address(place, index_map(index))
                    if self.tiling.lanes > 1 and stride != 1:
                        raise NotVectorizable
                    self.b.store(reader.parameter(place, "write"), base, value, count)
