"""The kernel of a product whose sums are long and whose results are few: the gradient of weights.

Rows of the data and of the cotangent are read again for every tile of the result. So the sums are cut into blocks
whose operands stay in the caches: all tiles add the terms of one block before any adds those of the next one, and hold
their sums in memory meanwhile. The order of terms is the same on any number of threads, which divide tiles.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from math import prod
from typing import Any

from netwright.specs.dims import DimLike, Shape, dim, dim_min, product

from ...loop import ir
from ...loop.intrinsics.builder import LANE
from ...loop.ir import Expr
from ..grouping.roles import ContractionPart
from ..reading.epilogue import store
from ..reading.indices import Indices
from ..reading.memory import NotVectorizable
from ..reading.places import Target
from ..reading.reader import Reader
from ..tiles.sum_steps import unrolling
from ..tiles.tiling import Column
from .ahead import fetch_block, fetch_rows, fetch_vectors
from .tiling import OuterTiling


class OuterTiles:
    """Emits the loops over blocks of the sum, and over all tiles in each."""

    def __init__(
        self,
        reader: Reader,
        part: ContractionPart,
        space: Shape,
        targets: Sequence[Target],
        tiling: OuterTiling,
    ):
        self.reader, self.b, self.part, self.targets, self.tiling = reader, reader.b, part, targets, tiling
        self.sizes = [size for size in space if isinstance(size, int)]
        self.dtype = part.node.types[0].dtype
        row_axis = tiling.row_axis
        tiled = [*self.sizes[:row_axis], -(-self.sizes[row_axis] // tiling.rows)]
        self.one_row_tile = product(tiled) == 1
        self.panel: ir.Buffer | None = None
        self.steps: tuple[int, ...] = ()
        #: The first term along each axis of the sum, and the end of the terms.
        self.first: Indices = (0,) * len(part.extents)
        self.stop: Indices = tuple(part.extents)
        #: The first row, the first column and the end of the columns of the tiles that share blocks.
        self.first_row: DimLike = 0
        self.columns: tuple[DimLike, DimLike] = (0, self.sizes[-1])
        #: The kind of the loops over tiles.
        self.kind: Any = "parallel"

    def emit(self) -> None:
        """Emits all loops."""
        if self.tiling.columns_outermost:
            for loop, columns in self._columns():
                with loop() as j, self._block() as starts:
                    self._panel(starts, j, columns)
            return
        with self._block() as starts:
            for loop, columns in self._columns():
                with loop() as j:
                    self._panel(starts, j, columns)

    # -- loops --------------------------------------------------------------------------------------------------

    @contextmanager
    def _block(self) -> Iterator[Indices]:
        """The first indices of a block, along the axes of the sum up to the one that is cut."""
        if self.tiling.cut is None:
            yield ()
            return
        with ExitStack() as stack:
            starts: list[DimLike] = []
            for axis in range(self.tiling.cut + 1):
                step = self.tiling.block if axis == self.tiling.cut else 1
                first, stop = self.first[axis], self.stop[axis]
                whole = stop - first == 1
                starts.append(first if whole else stack.enter_context(self.b.loop("k", first, stop, step)))
            yield tuple(starts)

    def _columns(self) -> Iterator[tuple[Callable[[], Any], Sequence[Column]]]:
        """Column tiles: a loop over their first columns, and their vectors."""
        lanes, extent = self.tiling.lanes, self.sizes[-1]
        width = lanes * self.tiling.vectors
        whole = extent // width * width
        kind = self.kind if self.one_row_tile else "serial"
        if whole:
            offsets: list[Column] = [(v * lanes, None) for v in range(self.tiling.vectors)]
            yield lambda: self._span("j", 0, whole, width, kind), offsets
        if whole < extent:
            rest = extent - whole
            tail: list[Column] = [(at, rest - at) for at in range(0, rest, lanes)]
            yield lambda: self._span("j", whole, extent, width, kind), tail

    def _row_tiles(self) -> Iterator[tuple[Indices, int]]:
        """Row tiles: the first index on each axis but the last, and the number of rows along the row axis."""
        axis, rows = self.tiling.row_axis, self.tiling.rows
        extent, behind = self.sizes[axis], (0,) * (len(self.sizes) - 2 - axis)
        if self.one_row_tile:
            yield (*(0 for _ in range(axis)), 0, *behind), rows
            return
        with ExitStack() as stack:
            outer: list[DimLike] = []
            for size in self.sizes[:axis]:
                outer.append(
                    0 if size == 1 else stack.enter_context(self.b.loop("i", 0, size, kind=self.kind))
                )
            if rows == extent:
                yield (*outer, 0, *behind), rows
                return
            # One loop also for the remaining rows: threads would divide two loops separately.
            i = stack.enter_context(self._rows_from(0, extent, rows, self.kind))
            if extent % rows == 0:
                yield (*outer, i, *behind), rows
                return
            with self.b.when(extent - rows - i):
                yield (*outer, i, *behind), rows
            with self.b.otherwise():
                yield (*outer, extent - extent % rows, *behind), extent % rows

    @contextmanager
    def _rows_from(self, start: int, stop: int, step: int, kind: Any) -> Iterator[DimLike]:
        """A loop over first rows. In panels they are multiples of ``step`` to the eye, too, so that indices into these
        are affine."""
        if not self.tiling.panels:
            with self._span("i", start, stop, step, kind) as at:
                yield at
        else:
            with self._span("i", start, -(-stop // step), 1, kind) as at:
                yield at * step

    @contextmanager
    def _span(self, stem: str, start: int, stop: int, step: int, kind: Any) -> Iterator[DimLike]:
        if stop <= start + step and kind != "parallel":
            yield start
            return
        with self.b.loop(stem, start, stop, step, kind) as at:
            yield at

    def _panel(self, starts: Indices, j: DimLike, columns: Sequence[Column]) -> None:
        """Adds the terms of a block to all tiles of some columns."""
        if self.tiling.packs:
            self._pack(starts, j, columns)
        for index, rows in self._row_tiles():
            self._tile(starts, index, rows, j, columns)

    # -- a block of the sum -------------------------------------------------------------------------------------

    def _terms(self, starts: Indices, accumulators: int) -> Iterator[tuple[Indices, DimLike]]:
        """Loops over the terms of a block: each one's indices of the sum, and its number in the block."""
        cut = self.tiling.cut
        sizes: list[DimLike] = [stop - first for first, stop in zip(self.first, self.stop, strict=True)]
        for axis in range(0 if cut is None else cut):
            sizes[axis] = 1
        if cut is not None and sizes[cut] != 1:
            left = self.stop[cut] - starts[cut]
            block = self.tiling.block
            extent = sizes[cut]
            even = block == 1 or (isinstance(extent, int) and extent % block == 0)
            sizes[cut] = block if even else dim_min(block, left)
        first = (*starts, *self.first[len(starts) :])
        yield from self._nested(first, sizes, (), 0, accumulators)

    def _nested(
        self, first: Indices, sizes: Sequence[DimLike], at: Indices, number: DimLike, accumulators: int
    ) -> Iterator[tuple[Indices, DimLike]]:
        axis = len(at)
        if axis == len(sizes):
            yield tuple(start + step for start, step in zip(first, at, strict=True)), number
            return
        size = sizes[axis]
        static = self.part.extents[axis] if axis != self.tiling.cut else self.tiling.block
        innermost = product(sizes[axis + 1 :]) == 1
        copies = unrolling(size, accumulators) if innermost and self.tiling.unrolls else 1
        if size == 1:
            yield from self._nested(first, sizes, (*at, 0), number * static, accumulators)
        elif size == copies:
            for k in range(copies):
                yield from self._nested(first, sizes, (*at, k), number * static + k, accumulators)
        else:
            with self.b.loop("k", 0, size, step=copies) as k:
                for copy in range(copies):
                    yield from self._nested(
                        first, sizes, (*at, k + copy), number * static + k + copy, accumulators
                    )

    def _pack(self, starts: Indices, j: DimLike, columns: Sequence[Column]) -> None:
        """Copies the vectors of the block's terms to the panel, one term after the other."""
        assert self.tiling.cut is not None
        if self.panel is None:
            terms = self.tiling.block * product(self.part.extents[self.tiling.cut + 1 :])
            width = self.tiling.lanes * self.tiling.vectors
            self.panel = self.b.buffer("panel", self.dtype, (terms, width), "readwrite", local=True)
        for at, number in self._terms(starts, len(columns)):
            for (offset, _), vector in zip(columns, self._vectors(at, j, columns), strict=True):
                self.b.store(self.panel, (number, offset), vector)

    def _vectors(self, at: Indices, j: DimLike, columns: Sequence[Column]) -> list[Expr]:
        """The vectors of one term, as its operand has them."""
        vectors: list[Expr] = []
        index = (*(0 for _ in self.sizes[:-1]), j + dim(LANE))
        with self.reader.scope():
            for offset, count in columns:
                vectors.append(
                    self._read(1 - self.tiling.factor, (*index[:-1], index[-1] + offset), at, count)
                )
        return vectors

    def _read(self, factor: int, index: Indices, at: Indices, count: DimLike | None) -> Expr:
        reader, (position, where) = self.reader, self.part.factors(index, self.part.term(at))[factor]
        reader.lanes, reader.count = self.tiling.lanes, count
        value = reader.read(self.part.operands[position], reader.settled(where))
        reader.lanes, reader.count = 1, None
        return value

    # -- one tile -----------------------------------------------------------------------------------------------

    def _tile(
        self, starts: Indices, first: Indices, rows: int, j: DimLike, columns: Sequence[Column]
    ) -> None:
        """Adds the terms of a block to the tile that begins at row ``first`` and column ``j``."""
        lanes = self.tiling.lanes
        cells = [(*row, j + offset) for row in self._rows(first, rows) for offset, _ in columns]
        counts = [count for _ in range(len(cells) // len(columns)) for _, count in columns]
        zero = self.b.const(0, self.dtype, lanes)
        sums = [self.b.register("acc", zero) for _ in cells]
        begun = sum((at - start for at, start in zip(starts, self.first, strict=False)), start=0) - 1
        if self.tiling.cut is not None:
            with self.b.when(begun):
                for register, index, count in zip(sums, cells, counts, strict=True):
                    self.b.assign(register, self._load(index, count))
        self._ahead(starts, first, j)
        for at, number in self._terms(starts, len(cells)):
            self._add(at, number, cells, counts, sums, columns, j)
        for register, index, count in zip(sums, cells, counts, strict=True):
            self._store(register, index, count)

    def _ahead(self, starts: Indices, first: Indices, j: DimLike) -> None:
        """Asks for a share of what comes next, in the tile that begins at row ``first`` and column ``j``."""
        if not self.tiling.fetches or self.tiling.cut is None:
            return
        if not self.tiling.packs:
            self._fetch(starts, self.tiling.cut, j)
            return
        tiling, axis, (left, right) = self.tiling, self.tiling.row_axis, self.columns
        width = tiling.lanes * tiling.vectors
        following = (*starts[:-1], starts[-1] + tiling.block)
        tile = (first[axis] - self.first_row) // tiling.rows
        tiles = -(-(tiling.held[0] if tiling.held else self.sizes[axis]) // tiling.rows)
        more = right - width - 1 - j
        if tiling.columns_outermost:
            self._fetch_columns(following, j, tile, tiles)
        elif isinstance(more, int):
            self._fetch_columns(following, left, tile, tiles)
        else:
            with self.b.when(more):
                self._fetch_columns(starts, j + width, tile, tiles)
            with self.b.otherwise():
                self._fetch_columns(following, left, tile, tiles)
        if not tiling.columns_outermost:
            panels = -(-(tiling.held[1] if tiling.held else self.sizes[-1]) // width)
            number = (j - left) // width * tiles + tile
            fetch_rows(self.reader, self.part, tiling.factor, following, tiling.block, number, tiles * panels)

    def _fetch_columns(self, starts: Indices, j: DimLike, tile: DimLike, tiles: int) -> None:
        """Asks for the ``tile``-th of ``tiles`` shares of what a block's panel is packed from."""
        steps, width = -(-self.tiling.block // tiles), self.tiling.lanes * self.tiling.vectors
        at, index = (*starts[:-1], starts[-1] + tile * steps), (*(0 for _ in self.sizes[:-1]), j)
        fetch_vectors(self.reader, self.part, 1 - self.tiling.factor, index, at, steps, width)

    def _fetch(self, starts: Indices, cut: int, j: DimLike) -> None:
        """Asks for a share of the next block's operands."""
        block, width = self.tiling.block, self.tiling.lanes * self.tiling.vectors
        at = (*starts[:cut], starts[cut] + block, *self.first[cut + 1 :])
        fetch_block(self.reader, self.part, self.sizes, at, cut, block, j, width)

    def _rows(self, first: Indices, rows: int) -> Iterator[Indices]:
        axis = self.tiling.row_axis
        behind = self.sizes[axis + 1 : -1]
        for number in range(rows * prod(behind)):
            at: list[DimLike] = []
            for size in reversed(behind):
                number, own = divmod(number, size)
                at.insert(0, own)
            yield (*first[:axis], first[axis] + number, *at)

    def _add(
        self,
        at: Indices,
        number: DimLike,
        cells: Sequence[Indices],
        counts: Sequence[DimLike | None],
        sums: Sequence[ir.Read],
        columns: Sequence[Column],
        j: DimLike,
    ) -> None:
        """Adds one term to all sums of a tile."""
        reader, lanes = self.reader, self.tiling.lanes
        if self.panel is None:
            vectors = self._vectors(at, j, columns)
        else:
            vectors = [
                self.b.let("v", self.b.load(self.panel, (number, offset), lanes)) for offset, _ in columns
            ]
        with reader.scope():
            for cell, (register, index, count) in enumerate(zip(sums, cells, counts, strict=True)):
                row = self._read(self.tiling.factor, (*index[:-1], index[-1] + dim(LANE)), at, count)
                self.b.assign(register, self.b.fma(row, vectors[cell % len(columns)], register))

    def _load(self, index: Indices, count: DimLike | None) -> Expr:
        """The sum at ``index`` of the blocks before."""
        (place, index_map), reader, lanes = self.targets[0], self.reader, self.tiling.lanes
        with reader.vector(lanes, count):
            base, stride = reader.address(place, index_map((*index[:-1], index[-1] + dim(LANE))))
            if lanes > 1 and stride != 1:
                raise NotVectorizable
            return self.b.load(reader.parameter(place, "read"), base, lanes, count)

    def _store(self, register: Expr, index: Indices, count: DimLike | None) -> None:
        with self.reader.vector(self.tiling.lanes, count):
            for place, index_map in self.targets:
                at = index_map((*index[:-1], index[-1] + dim(LANE)))
                store(self.reader, place, at, register, count)
