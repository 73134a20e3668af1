"""Tiles along a batch that two threads can divide evenly: 32 samples are four tiles of eight rows. Of six rows they are
six tiles, and the last one has two, so that one thread gets 18 rows and the other one 14.
"""

from __future__ import annotations

from netwright.specs.dims import DimLike, typical

from ...machine import Machine
from ...plans.shapes import step_cost

#: The size of a batch for which tiles are chosen.
BATCH = 32
#: The fewest products of numbers per row. A batch with fewer is done in some ten microseconds, which leaves a second
#: thread little to gain, and tiles of more rows are more code.
LEAST_PRODUCTS = 50_000


def is_long_batch(extent: DimLike, products: DimLike) -> bool:
    """Whether an axis has an open size of which a batch is typical, with so many ``products`` of numbers per row that
    threads should divide it evenly."""
    batch = not isinstance(extent, int) and typical(extent, BATCH) == BATCH
    return batch and typical(products) >= LEAST_PRODUCTS


def even_tile(
    rows: int, vectors: int, number: int, products: int, cells: int, machine: Machine
) -> tuple[int, int]:
    """Rows and vectors of the tile of which the slower one of two threads gets the fewest, among those of
    no more accumulators than ``rows`` by ``vectors`` that cost one thread no more."""

    def whole(size: tuple[int, int]) -> float:
        return step_cost(BATCH, number, *size, products, cells, machine)

    def slower(size: tuple[int, int]) -> int:
        """The rows of the thread that gets more."""
        tiles = -(-BATCH // size[0])
        return min(BATCH, -(-tiles // 2) * size[0])

    given, *others = [(rows * vectors // width, width) for width in range(vectors, 0, -1)]
    return min([given, *(size for size in others if whole(size) <= whole(given))], key=slower)
