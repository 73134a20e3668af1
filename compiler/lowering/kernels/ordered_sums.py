"""Reductions that read memory in its order: some terms of all columns, and then the next terms.

A tile of columns that adds up all of its terms reads a piece of every row of memory, and the tiles after it read the
rest, pass by pass. So the sums of all columns are held in memory, which stays in the first cache, and every tile goes
on from there. The order of each sum's terms is the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from typing import TypeAlias

from netwright.specs.dims import DimLike, dim

from ...graph.node import Value
from ...loop import ir
from ...loop.intrinsics.builder import LANE
from ...loop.ir import Expr
from ...machine import Machine
from ..grouping.groups import Group
from ..reading.epilogue import finish
from ..reading.indices import Indices
from ..reading.places import Target
from ..reading.reader import Reader
from ..tiles.tiling import Tiling
from .columns import column_tiles
from .contract import Family, families_of
from .lane_sums import Wanted

#: A vector of results: its index, its first column, and how many of its lanes exist (None: all).
Cell: TypeAlias = tuple[Indices, DimLike, DimLike | None]
#: The memory of a vector of sums, and its first column there.
Held: TypeAlias = tuple[ir.Buffer, DimLike]


class OrderedSums:
    """The sums of all columns at one index of the other axes of a group's space."""

    def __init__(
        self,
        reader: Reader,
        group: Group,
        targets: Sequence[tuple[Value, Sequence[Target]]],
        tiling: Tiling,
        machine: Machine,
    ):
        assert tiling.terms is not None
        self.reader, self.b, self.targets, self.tiling, self.machine = (
            reader,
            reader.b,
            targets,
            tiling,
            machine,
        )
        self.terms, self.values = tiling.terms, [value for value, _ in targets]
        self.part, *_ = group.contractions()
        columns = group.space[-1]
        assert isinstance(columns, int)
        self.columns = columns
        self.sums: list[ir.Buffer] = []

    def emit(self, index: Mapping[int, DimLike]) -> None:
        """Emits the loops over terms and columns at ``index`` of the other axes, and those that finish the sums."""
        extents = self.part.extents
        *outer, innermost = [axis for axis, extent in enumerate(extents) if extent != 1]
        with ExitStack() as stack:
            at: list[DimLike] = [0] * len(extents)
            for axis in outer:
                at[axis] = stack.enter_context(self.b.loop("k", 0, extents[axis]))
            if extents[innermost] != self.terms:
                loop = self.b.loop("k", 0, extents[innermost], self.terms)
                at[innermost] = stack.enter_context(loop)
            blocks = [
                tuple(k + term * (axis == innermost) for axis, k in enumerate(at))
                for term in range(self.terms)
            ]
            for cells in self._tiles(index):
                self._add(blocks, cells)
        for cells in self._tiles(index):
            self._finish(cells)

    def _tiles(self, index: Mapping[int, DimLike]) -> Iterator[list[Cell]]:
        """Column tiles: their vectors."""
        for start, columns in column_tiles(self.b, self.tiling, self.columns, "serial"):
            with start() as j:
                yield [(self._index(index, j + offset), j + offset, count) for offset, count in columns(j)]

    def _index(self, index: Mapping[int, DimLike], column: DimLike) -> Indices:
        """The index of a vector that begins at ``column``."""
        return (*(index[axis] for axis in range(len(index))), column + dim(LANE))

    def _add(self, block: Sequence[Indices], cells: Sequence[Cell]) -> None:
        """Adds the terms of a block to the sums of some columns."""
        with self.reader.scope():
            for family, held in self._families(cells):
                (registers,) = family.registers
                with self.b.when(sum(block[0], start=0) - 1):
                    for register, place in zip(registers, held, strict=True):
                        self.b.assign(register, self._load(place))
                for at in block:
                    family.accumulate(at, None)
                for register, (buffer, column) in zip(registers, held, strict=True):
                    self.b.store(buffer, (column,), register)

    def _families(self, cells: Sequence[Cell]) -> Iterator[tuple[Family, list[Held]]]:
        """The sums of some columns, and where each is held."""
        wanted: dict[Wanted, DimLike | None] = {}
        held: dict[Wanted, Held] = {}
        for index, column, count in cells:
            for key, place in self._held(index, column):
                wanted[key], held[key] = count, place
        for family in families_of(self.reader, self.tiling, wanted, self.machine):
            yield family, [held[key] for key in family.keys]

    def _held(self, index: Indices, column: DimLike) -> Iterator[tuple[Wanted, Held]]:
        """The sums that the results at ``index`` need, and where each is held."""
        for number, key in enumerate(self.reader.contractions(self.values, index)):
            if number == len(self.sums):
                size = -(-self.columns // self.tiling.lanes) * self.tiling.lanes
                dtype = self.part.node.types[0].dtype
                self.sums.append(self.b.buffer(f"sums{number}", dtype, (size,), "readwrite", local=True))
            yield key, (self.sums[number], column)

    def _load(self, held: Held) -> Expr:
        buffer, column = held
        return self.b.load(buffer, (column,), self.tiling.lanes)

    def _finish(self, cells: Sequence[Cell]) -> None:
        """Computes and stores the results of some columns."""
        reader = self.reader
        with reader.scope():
            for index, column, count in cells:
                reader.accumulators = {
                    key: self.b.let("s", self._load(place)) for key, place in self._held(index, column)
                }
                with reader.vector(self.tiling.lanes, count):
                    finish(reader, self.targets, index, count)
