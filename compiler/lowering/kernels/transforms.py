"""The kernel of a group that transforms tiles: all results of a tile in registers, then the epilogue for each.

A tile is computed for one vector along the last axis at a time. Where the last tiles reach beyond the result, the
epilogue runs for the cells that exist.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product as combinations
from typing import Any

from netwright.specs.dims import DimLike, dim

from ...graph.node import Value
from ...loop import ir
from ...loop.intrinsics.builder import LANE
from ...machine import Machine
from ...plans.shapes import power_of_two
from ..grouping.groups import Group
from ..reading.apart import divided_axes
from ..reading.epilogue import finish
from ..reading.indices import Indices
from ..reading.places import Target
from ..reading.reader import Reader
from ..tiles.tiling import parallel_axis


@dataclass(frozen=True)
class Block:
    """Some rows of tiles of one image: ``rows`` of them from ``first`` on, of ``image``.

    ``names`` are the dims of its kernels that these depend on.
    """

    names: tuple[str, ...]
    image: DimLike
    first: DimLike
    rows: int

    def within(self, tile: Sequence[DimLike]) -> Indices:
        """Where the tile (image, row, column, …) is in the memory that holds this block alone."""
        _, row, *rest = tile
        return (0, row - self.first, *rest)


class TransformTiles:
    """Emits the loops over the tiles of a group's transform: over all of them, or those of ``block``. Then either its
    operand or its result is in memory that holds a block alone.
    """

    def __init__(
        self,
        reader: Reader,
        group: Group,
        targets: Sequence[tuple[Value, Sequence[Target]]],
        machine: Machine,
        block: Block | None = None,
    ):
        part, space = group.transform(), group.space
        assert part is not None
        self.reader, self.b, self.part, self.space, self.targets = reader, reader.b, part, space, targets
        self.block = block
        # What is transformed back has the cells of a tile on another axis; its tiles are those of the result.
        self.reads_block = len(part.op.tile(part.node.attrs)) < part.types[0].rank - 1
        native, columns = machine.lanes(part.node.types[0].dtype), space[-1]
        self.lanes = native if not isinstance(columns, int) else min(native, power_of_two(columns))
        self.counts = tuple(part.op.tiles(part.node.attrs, part.types))
        self.extents = part.op.tile(part.node.attrs)
        # Of a pool, a tile has as many elements as windows.
        pitch = next((window.pitch for window in group.windows()), None) or (1,) * len(space)
        self.stored = tuple(extent // step for extent, step in zip(self.extents, pitch, strict=False))
        counts = self.counts
        if block is not None:
            counts = (*counts[:-3], 1, block.rows, counts[-1])
        self.divided = divided_axes(space, parallel_axis(counts), list(enumerate(counts)), targets)

    def __str__(self) -> str:
        """The tile in words: `tiles of 4×4, vectors of 16`."""
        extents = "×".join(str(extent) for extent in self.extents if extent != 1)
        return f"tiles of {extents}, vectors of {self.lanes}"

    def emit(self) -> None:
        """Emits all loops."""
        if self.divided:
            self._axes(())
        else:
            with self.b.loop("one", 0, 1, kind="parallel"):  # nothing to divide: one thread runs the kernel
                self._axes(())

    def _axes(self, tile: Indices) -> None:
        axis, block = len(tile), self.block
        kind: Any = "parallel" if axis in self.divided else "serial"
        if axis == len(self.counts):
            self._columns(lambda column, count: self._tile(tile, column, count))
        elif block is not None and axis == len(self.counts) - 3:
            self._axes((*tile, block.image))
        elif block is not None and axis == len(self.counts) - 2:
            with self.b.loop("i", 0, block.rows, kind=kind) as i:
                self._axes((*tile, block.first + i))
        elif self.counts[axis] == 1 and axis not in self.divided:
            self._axes((*tile, 0))
        else:
            with self.b.loop("i", 0, self.counts[axis], kind=kind) as i:
                self._axes((*tile, i))

    def _columns(self, emit: Callable[[DimLike, DimLike | None], None]) -> None:
        size, lanes = self.space[-1], self.lanes
        if size == lanes:
            emit(0, None)
            return
        with self.b.loop("j", 0, size, lanes) as j:
            emit(j, None if isinstance(size, int) and size % lanes == 0 else size - j)

    def _tile(self, tile: Indices, column: DimLike, count: DimLike | None) -> None:
        """One tile, for the vector that begins at ``column``, of which ``count`` lanes exist (None: all)."""
        reader, part = self.reader, self.part
        (operand,), lane = part.operands, column + dim(LANE) if self.lanes > 1 else column

        def read(index: Sequence[DimLike], guards: Sequence[DimLike]) -> ir.Expr:
            if self.reads_block and self.block is not None:
                index = (index[0], *self.block.within(index[1:]))
            return reader.read(operand, (*index, lane), tuple(guards))

        with reader.scope(), reader.vector(self.lanes, count):
            results = part.op.emit_tile(self.b, part.node.attrs, part.types, read, tile)
            for cell, result in zip(_cells(tile, self.extents), results, strict=True):
                reader.accumulators[part.node.id, (*cell, lane)] = result
            offsets = combinations(*map(range, self.stored))
            for cell, offset in zip(_cells(tile, self.stored), offsets, strict=True):
                with self.b.when(*self._beyond(cell, offset)), reader.scope():
                    self._store(cell, column, count)

    def _beyond(self, cell: Indices, offsets: Sequence[int]) -> Indices:
        """What must not be negative for ``cell`` to exist, but for axes along which all tiles have that cell."""
        axes = zip(cell, offsets, self.space[:-1], self.counts, self.stored, strict=True)
        return tuple(
            size - 1 - index
            for index, offset, size, count, extent in axes
            if not _exists(offset, size, count, extent)
        )

    def _store(self, cell: Indices, column: DimLike, count: DimLike | None) -> None:
        reader, lane = self.reader, column + dim(LANE) if self.lanes > 1 else column
        finish(reader, self.targets, (*cell, lane), count)


def _cells(tile: Indices, extents: Sequence[int]) -> Iterator[Indices]:
    """The indices of a tile's elements, in row-major order."""
    starts = [number * extent for number, extent in zip(tile, extents, strict=True)]
    for offsets in combinations(*map(range, extents)):
        yield tuple(start + offset for start, offset in zip(starts, offsets, strict=True))


def _exists(offset: int, size: DimLike, count: DimLike, extent: int) -> bool:
    """Whether all ``count`` tiles of ``extent`` have the element at ``offset`` along an axis of ``size``."""
    if extent == 1:
        return count == size
    return isinstance(size, int) and isinstance(count, int) and (count - 1) * extent + offset < size
