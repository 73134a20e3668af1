"""What tiles of outer products cost: the choice of a tile, and of the width of panels that rows are packed in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from math import prod

import numpy as np

from ..machine import Machine
from .shapes import power_of_two, registers_beside

#: More accumulators make kernels long without making them faster.
MOST_ACCUMULATORS = 28
#: So much longer may tiles take that read rows from panels than those that read them where they are.
WORTH_PACKING = 1.1
#: Loads and multiply-adds that a core starts per cycle, and the cycles until a sum can be added to again.
PER_CYCLE, LATENCY = 2, 4


def tile_lanes(columns: int, dtype: str, machine: Machine) -> int:
    """The lanes of a tile's vectors along ``columns``."""
    return min(machine.lanes(dtype), power_of_two(columns))


@lru_cache(maxsize=1 << 8)  # the layers of a stage have equal sizes, and each is asked about three times
def tile_costs(
    sizes: tuple[int, ...], columns: int, dtype: str, along: bool, machine: Machine
) -> Mapping[tuple[int, int, int], tuple[float, int]]:
    """What ``_cost`` says of all tiles that fit the registers."""
    lanes = tile_lanes(columns, dtype, machine)
    panel = machine.l1_bytes * 2 // 3 // np.dtype(dtype).itemsize
    return {
        tile: _cost(sizes, columns, lanes, along, panel, *tile)
        for tile in _tiles(sizes, columns, lanes, along, machine)
    }


def row_panels(rows: int, columns: int, dtype: str, machine: Machine) -> int | None:
    """How wide panels of the operand with the rows should be for a product of ``rows`` by ``columns``: as wide as the
    best tile that divides all rows is high. None if such tiles are slower than panels are worth."""
    costs = tile_costs((rows,), columns, dtype, False, machine)
    least = min(cycles for cycles, _ in costs.values())
    whole = {
        tile: cost
        for tile, (cost, _) in costs.items()
        if 1 < tile[1] < rows and rows % tile[1] == 0 and cost <= least * WORTH_PACKING
    }
    return min(whole, key=lambda tile: whole[tile])[1] if whole else None


def _tiles(
    sizes: tuple[int, ...], columns: int, lanes: int, along: bool, machine: Machine
) -> Iterator[tuple[int, int, int]]:
    """(row axis, rows along it, vectors) of the tiles that fit the registers."""
    for vectors in range(1, -(-columns // lanes) + 1):
        left = registers_beside(vectors, machine)
        if machine.broadcast_operand:  # rows need no registers, but one where they are vectors
            most = max(machine.accumulators, min(MOST_ACCUMULATORS, left + (not along)))
        else:
            most = min(machine.accumulators, left)
        most //= vectors
        for axis in range(len(sizes)):
            behind = prod(sizes[axis + 1 :])
            for rows in range(1, min(sizes[axis], most // behind) + 1):
                yield axis, rows, vectors
        if most < 1:
            break


def _cost(
    sizes: tuple[int, ...],
    columns: int,
    lanes: int,
    along: bool,
    panel: int,
    axis: int,
    rows: int,
    vectors: int,
) -> tuple[float, int]:
    """The cycles of one term of all results, and the number of tiles. Blocks have ``panel`` elements of columns."""
    behind = prod(sizes[axis + 1 :])
    blocks = -(-columns // lanes)
    terms = max(1, panel // (vectors * lanes))
    total, number = 0.0, 0
    for height, tiles in ((rows, sizes[axis] // rows), (sizes[axis] % rows, 1)):
        for width, panels in ((vectors, blocks // vectors), (blocks % vectors, 1)):
            sums = height * behind * width
            if sums:
                loads = width + height * behind * (width if along else 1)
                cycles = max(sums, loads, PER_CYCLE * LATENCY * 1.25) / PER_CYCLE + (loads + 4) / 16
                cycles += 0 if along else sums / terms  # sums are loaded and stored for each block
                total, number = total + tiles * panels * cycles, number + tiles * panels
    count = prod(sizes[:axis])
    return total * count, number * count
