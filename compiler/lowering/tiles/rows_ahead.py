"""Brings the rows that the next tile of a product reads into the cache while this one is computed.

A tile reads its rows side by side, each from the first term to the last. Processors fetch ahead what is read in one
long stream. Of six short ones, which end with the tile, they fetch little, so a product with few columns waits for rows
from behind the L2 cache. But the rows of a tile lie together in memory, and so do those of the next: each step of this
tile's sum fetches a part of them. With many tiles of columns to the same rows, each begins with a part.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import ceil

import numpy as np

from netwright.specs.dims import DimLike, Shape, dim_symbols, product, typical

from ...machine import Machine
from ..grouping.roles import ContractionPart
from ..reading.indices import Indices
from ..reading.places import Place
from ..reading.reader import Reader
from .loop_order import SEVERAL
from .tiling import Tiling

#: With more lines than these at once, a tile would wait for them.
MOST_AT_ONCE = 8


@dataclass(frozen=True)
class RowsAhead:
    """What a tile fetches: of ``rows`` rows along ``axis`` of a ``factor`` that follow its own, the ``part``-th of
    ``parts``."""

    factor: int
    axis: int
    rows: int
    part: DimLike = 0
    parts: int = 1

    def stream(self, reader: Reader, part: ContractionPart, index: Indices) -> Stream | None:
        """What the tile fetches whose first result vector is at ``index``; None if its rows are computed, or do not lie
        together in memory."""
        first = (0,) * len(part.extents)
        moved = _at(index, self.axis, self.rows)
        where = ((moved, first), (_at(moved, self.axis, 1), first), (moved, (*first[:-1], 1)))
        places = [place for each in where if (place := reader.factor(part, self.factor, *each)) is not None]
        if len(places) < len(where):
            return None
        (place, start), (_, below), (_, behind) = places
        row = place.apart(start, below)
        if row != product(part.extents) or place.apart(start, behind) != 1 or not isinstance(row, int):
            return None
        if self.parts == 1:
            return Stream(place, start, pace=self.rows)
        lines = ceil(self.rows * row / (place.line * self.parts))
        if lines > MOST_AT_ONCE:
            return None
        return Stream(place, (*start[:-1], start[-1] + self.part * (lines * place.line)), lines=lines)


@dataclass(frozen=True)
class Stream:
    """Memory from ``base`` on: ``lines`` of the cache at once, or ``pace`` elements in each step of a sum."""

    place: Place
    base: Indices
    lines: int = 0
    pace: int = 0

    def begin(self, reader: Reader) -> None:
        """Emits the prefetches before the first step."""
        for number in range(self.lines):
            self._fetch(reader, number * self.place.line)

    def step(self, reader: Reader, extents: Shape, at: Indices, copy: int) -> None:
        """Emits the prefetches of the step ``at`` of a sum over ``extents``, the ``copy``-th of its loop's body."""
        steps: DimLike = 0
        for extent, k in zip(extents, at, strict=True):
            steps = steps * extent + k
        if isinstance(steps, int):
            copy = steps
        begin, end = copy * self.pace, (copy + 1) * self.pace
        for number in range(-(-begin // self.place.line), -(-end // self.place.line)):
            self._fetch(reader, steps * self.pace + (number * self.place.line - begin))

    def _fetch(self, reader: Reader, further: DimLike) -> None:
        buffer = reader.parameter(self.place, "read")
        reader.b.prefetch(buffer, (*self.base[:-1], self.base[-1] + further))


def rows_ahead(
    tiling: Tiling,
    space: Shape,
    contractions: Sequence[ContractionPart],
    columns: DimLike,
    machine: Machine,
) -> RowsAhead | None:
    """What a tile whose columns begin at ``columns`` fetches. None: nothing, since its rows are not of a product alone,
    or may be in the caches anyway."""
    own, extent = tiling.row_axis, space[-1] if space else 1
    if not machine.prefetch or own is None or tiling.inner or tiling.lane_axis is not None:
        return None
    if len(contractions) != 1 or tiling.cells * tiling.bands > 1:
        return None
    (part,) = contractions
    factor = rows_of(part, own)
    if factor is None or part.op.multiplies_bytes:
        return None
    width, type = tiling.lanes * tiling.vectors, part.types[factor]
    made, read = RowsAhead(factor, own, tiling.rows), type.nbytes
    if tiling.rows_outermost:
        assert isinstance(extent, int)
        made = replace(made, part=columns // width, parts=extent // width)
    elif not isinstance(extent, int) or extent > width:
        # All tiles of columns but the first find rows in the cache unless these are too many for it.
        read = space[own] * product(part.extents) * np.dtype(type.dtype).itemsize
    # Another kernel has written them, and more in between.
    return made if typical(read, SEVERAL) >= 4 * machine.l1_bytes else None


def rows_of(part: ContractionPart, axis: int | None) -> int | None:
    """Which factor is read by rows along ``axis``, an element for each term, and not by columns; None without one, or
    if rows of it overlap."""
    rows, columns = f"axis{axis}", f"axis{part.node.types[0].rank - 1}"
    terms = {f"term{number}" for number, extent in enumerate(part.extents) if extent != 1}
    for number, (_, at) in enumerate(part.general_factors()):
        names = [dim_symbols(index) & {rows, columns, *terms} for index in at]
        if set().union(*names) == {rows, *terms} and all(len(own) <= 1 for own in names):
            return number
    return None


def _at(index: Indices, axis: int, further: int) -> Indices:
    return (*index[:axis], index[axis] + further, *index[axis + 1 :])
