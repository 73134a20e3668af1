"""Gradients of filters in parts: sums of outer products over some of the samples, which a second kernel adds up.

Threads that divide the tiles of such a product each read all of the data, half of which lies in the caches of other
cores, which wrote it. In parts, each thread reads the samples that it has computed before. There are as many parts as
sizes say, whatever the number of threads; and parts are added in order. So all bits are the same on any number of
threads.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

import numpy as np

from netwright.specs.dims import Shape, bounds, dim, dim_max, dim_min, product, typical

from ...machine import Machine
from ..grouping.groups import Group
from ..grouping.roles import ContractionPart, Roles
from ..reading.indices import Indices
from ..reading.places import Target
from ..reading.reader import Reader
from .kernel import OuterTiles
from .tiling import TYPICAL, OuterTiling, outer_tiling

#: The most parts that samples are cut into.
MOST_SAMPLES = 8
#: The most parts that the cells of each sample are cut into, along the first axis, and the fewest cells of such a part.
MOST_ROWS, LEAST_CELLS = 8, 256
#: The fewest terms of a part: adding the sums of parts should take little of the time.
LEAST_TERMS = 128


@dataclass(frozen=True)
class Parts:
    """A sum over samples and cells is cut into ``samples`` parts, or as many as there are samples, and each of those
    into ``rows`` parts along the first axis of the cells. ``name``: the dim of the kernel that says how many parts of
    samples there are."""

    samples: int
    rows: int
    name: str


def parts_of(roles: Roles, group: Group, dims: Mapping[str, int], machine: Machine) -> Parts | None:
    """The parts of a group that is one sum of outer products over samples, if these pay."""
    tiling = outer_tiling(roles, group, group.space, dims, machine)
    if tiling is None or tiling.finishes:
        return None
    (part,) = group.contractions()
    samples, *cells = part.extents
    count = product(cells)
    if isinstance(samples, int) or not cells:
        return None
    terms = typical(count, TYPICAL)
    sums = product(group.space)
    assert isinstance(sums, int)
    most = machine.l2_bytes // 2 // (sums * np.dtype(part.node.types[0].dtype).itemsize)
    most = min(most, typical(samples, TYPICAL) * terms // LEAST_TERMS)
    number = _power(min(most, MOST_SAMPLES))
    if number < 2:
        return None
    rows, *inside = cells
    least, _ = bounds(samples, {name: (low, None) for name, low in dims.items()})
    divides = inside and isinstance(count, int) and least is not None and least >= 1
    divided = min(most // number, MOST_ROWS, terms // LEAST_CELLS, typical(rows)) if divides else 1
    name = "parts"
    while name in dims:
        name += "_"
    return Parts(number, _power(divided), name)


def _power(number: int) -> int:
    """The greatest power of two that is at most ``number``, or 1."""
    return 1 << max(1, number).bit_length() - 1


@dataclass
class _Number:
    """The indices of the part that is computed, before those of the result."""

    indices: Indices = ()

    def __call__(self, index: Indices) -> Indices:
        return (*self.indices, *index)


class PartTiles(OuterTiles):
    """Emits the loops over parts, which threads divide, and over the tiles of each. The target has two axes more than
    the result: the parts."""

    def __init__(
        self,
        reader: Reader,
        part: ContractionPart,
        space: Shape,
        targets: Sequence[Target],
        tiling: OuterTiling,
        parts: Parts,
    ):
        ((place, _),) = targets
        self.number = _Number()
        super().__init__(reader, part, space, [(place, self.number)], tiling)
        self.parts, self.kind = parts, "serial"

    def emit(self) -> None:
        parts, rows, (samples, *cells) = self.parts, self.parts.rows, self.part.extents
        with ExitStack() as stack:
            at = stack.enter_context(self.b.loop("part", 0, dim(parts.name), kind="parallel"))
            # The first of an even share, but a sample for each part if there are no more.
            first = dim_max(at, at * samples // parts.samples)
            stop = dim_min(samples, dim_max(at + 1, (at + 1) * samples // parts.samples))
            if rows == 1:
                self.first, self.stop = (first, *self.first[1:]), (stop, *self.stop[1:])
                self.number.indices = (at, 0)
            else:
                row = stack.enter_context(self.b.loop("part", 0, rows, kind="parallel"))
                height = -(-cells[0] // rows)
                self.first = (first, row * height, *self.first[2:])
                self.stop = (stop, dim_min(cells[0], (row + 1) * height), *self.stop[2:])
                self.number.indices = (at, row)
            super().emit()
