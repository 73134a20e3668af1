"""Sums of outer products from which something else is computed, such as the weights that a gradient updates.

The result cannot hold the sums of the blocks that are added so far, since it may be the very weights that are updated.
So the product gets memory for its sums, as if it were stored, and the last block's tiles go on from their registers.
Sums that would leave the second cache are computed share by share: some rows of some columns, and all blocks of these.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from netwright.specs.dims import DimLike, Shape, dim, dim_min

from ...graph.node import Value
from ...loop import ir
from ...loop.intrinsics.builder import LANE
from ..grouping.roles import ContractionPart
from ..reading.epilogue import finish
from ..reading.indices import Indices
from ..reading.places import Target, same_index
from ..reading.reader import Reader
from ..tiles.tiling import Column
from .kernel import OuterTiles
from .tiling import OuterTiling


class HeldTiles(OuterTiles):
    """Emits the loops over shares of the result, which threads divide, over blocks of the sum, and over the tiles in
    each. Threads divide the rows of a single share."""

    def __init__(
        self,
        reader: Reader,
        part: ContractionPart,
        space: Shape,
        targets: Sequence[tuple[Value, Sequence[Target]]],
        tiling: OuterTiling,
    ):
        sums = [] if tiling.cut is None else [(reader.place(part.node.values[0]), same_index)]
        super().__init__(reader, part, space, sums, tiling)
        self.results = targets

    def emit(self) -> None:
        if self.tiling.held is None:
            super().emit()
            return
        (rows, columns), (high, wide) = self.sizes, self.tiling.held
        width = self.tiling.lanes * self.tiling.vectors
        whole = columns // width * width
        vectors: list[Column] = [(at, None) for at in range(0, width, self.tiling.lanes)]
        rest: list[Column] = [(at, columns - whole - at) for at, _ in vectors if at < columns - whole]
        for start, stop, step, own in ((0, whole, wide, vectors), (whole, columns, width, rest)):
            if start == stop:
                continue
            with (
                self._rows_from(0, rows, high, "parallel") as self.first_row,
                self.b.loop("j", start, stop, step, "parallel") as share,
                self._block() as starts,
                self._span("j", 0, step, width, "serial") as panel,
                self.b.when(
                    *([] if (stop - start) % step == 0 or own is rest else [stop - width - share - panel])
                ),
            ):
                self.columns = share, share + step
                self._panel(starts, share + panel, own)

    def _row_tiles(self) -> Iterator[tuple[Indices, int]]:
        if self.tiling.held is None:
            yield from super()._row_tiles()
            return
        (extent, _), rows, (high, _) = self.sizes, self.tiling.rows, self.tiling.held
        rest = extent % rows
        with self._rows_from(0, high, rows, "serial") as own:
            i = self.first_row + own
            with self.b.when(*([] if extent % high == 0 else [extent - rows - i])):
                yield (i,), rows
            if rest:
                with self.b.when(i - extent + rest, extent - rest - i):
                    yield (extent - rest,), rest

    def _tile(
        self, starts: Indices, first: Indices, rows: int, j: DimLike, columns: Sequence[Column]
    ) -> None:
        cells = [(*row, j + offset) for row in self._rows(first, rows) for offset, _ in columns]
        counts = [count for _ in range(rows) for _, count in columns]
        registers = [self._begun(index, count) for index, count in zip(cells, counts, strict=True)]
        if starts:
            with self.b.when(sum(starts, start=0) - 1):
                for register, index, count in zip(registers, cells, counts, strict=True):
                    self.b.assign(register, self._load(index, count))
        self._ahead(starts, first, j)
        for at, number in self._terms(starts, len(cells)):
            self._add(at, number, cells, counts, registers, columns, j)
        moved = [(*index[:-1], index[-1] + dim(LANE)) for index in cells]
        self.reader.accumulators = {
            (self.part.node.id, index): register for index, register in zip(moved, registers, strict=True)
        }
        with self.b.when(self._is_last(starts)):
            for index, count in zip(moved, counts, strict=True):
                self._finish(index, count)
        if starts:
            with self.b.otherwise():
                for register, index, count in zip(registers, cells, counts, strict=True):
                    self._store(register, index, count)

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
            finish(reader, self.results, index, count)
