"""Brings the weights of the next column tile into the cache while this one is computed.

In networks for single samples every weight is read once per call, from behind the caches. A column tile's first rows
would wait for its panels, and the others find them in the L2 cache; so each of the tiles of rows fetches a part of the
panels that come next, in steps of its reduction.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from netwright.specs.dims import DimLike, Shape

from ...machine import Machine
from ...plans.shapes import power_of_two
from ..grouping.roles import ContractionPart
from ..reading.indices import Indices
from ..reading.reader import Reader
from .tiling import Tiling

#: A single tile of rows would have to fetch everything while it is computed, which the memory is too slow for.
LEAST_TILES = 3
#: How many tiles of rows an open axis is taken to have.
OPEN_TILES = 4


@dataclass(frozen=True)
class Ahead:
    """What a tile of rows fetches: its ``part`` of ``parts`` of the panels that are ``columns`` further on, of weights
    of at least ``least`` bytes."""

    columns: DimLike
    part: DimLike
    parts: int
    least: int
    vectors: int

    def fetch(self, reader: Reader, part: ContractionPart, index: Indices, at: Indices, copy: int) -> None:
        """Emits the prefetches of the reduction step ``at``, the ``copy``-th of its loop's body, for a tile whose first
        result vector is at ``index``."""
        following = (*index[:-1], index[-1] + self.columns)
        for position, own in part.factors(following, (0,) * len(at)):
            size = part.types[position].nbytes
            if isinstance(size, int) and size >= self.least:
                self._fetch(reader, part, position, own, at, copy)

    def _fetch(
        self,
        reader: Reader,
        part: ContractionPart,
        position: int,
        own: Sequence[DimLike],
        at: Indices,
        copy: int,
    ) -> None:
        memory = reader.panel(part.operands[position], reader.settled(own))
        if memory is None:
            return
        place, base = memory
        depth, steps = 1, 0
        for extent, k in zip(part.extents, at, strict=True):
            depth, steps = depth * extent, steps * extent + k
        buffer = reader.parameter(place, "read")
        *panel, row, lane = base
        # The panels of a tile follow each other in memory: together they are so many rows, of a vector each.
        first = row + self.part * -(-depth * self.vectors // self.parts)
        each, of = max(1, self.vectors // self.parts), max(1, self.parts // self.vectors)
        if copy % of == 0:
            at_lane = lane + steps * (place.type.shape[-1] * each // of)
            for number in range(each):
                reader.b.prefetch(buffer, (*panel, first + number, at_lane))


def ahead(
    tiling: Tiling, space: Shape, order: Sequence[int], index: Mapping[int, DimLike], machine: Machine
) -> Ahead | None:
    """What the tile at ``index`` fetches; ``order``: the loops over axes, outermost first. None: nothing."""
    last = len(space) - 1
    if not machine.prefetch or tiling.row_axis is None or tiling.inner or tiling.lane_axis is not None:
        return None
    number, count = 0, 1
    for axis in order[order.index(last) + 1 :]:
        step = tiling.rows if axis == tiling.row_axis else tiling.bands if axis == tiling.band_axis else 1
        extent = space[axis]
        tiles = (
            -(-extent // step) if isinstance(extent, int) else OPEN_TILES if axis == tiling.row_axis else 1
        )
        if tiles == 1:
            continue
        number, count = number * tiles + index[axis] // step, count * tiles
    if count < LEAST_TILES:
        return None
    parts = min(tiling.lanes, power_of_two(count))
    known = isinstance(space[tiling.row_axis], int)
    part = number if count <= parts and known else number - number // parts * parts
    return Ahead(tiling.lanes * tiling.vectors, part, parts, machine.l1_bytes, tiling.vectors)
