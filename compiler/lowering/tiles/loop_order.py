"""Chooses the order of a kernel's loops over tiles by the memory traffic that each order causes.

A tile of results reads its columns' share of the weights. As long as all weights stay in the L2 cache, that share is
close by, whichever loop is the outermost. Weights that are larger would stream through the cache once per row of an
image; with the loop over columns further out, each share is read once and then serves many rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from netwright.specs.dims import Shape, dim_symbols, product, typical

from ...machine import Machine
from ...plans.shapes import traffic
from ..grouping.roles import ContractionPart

#: With fewer rows than these, threads had too few tiles of rows to divide.
MANY_ROWS = 256
#: The number that stands for an open size in results that may leave a cache: those of many sequences or steps do.
SEVERAL = 32


@dataclass(frozen=True)
class Operands:
    """Bytes of operands that a kernel reads: ``shared`` by all rows, which read it by columns, and ``others``."""

    shared: int
    others: int


def column_depth(
    space: Shape,
    row_axis: int | None,
    operands: Operands,
    width: int,
    machine: Machine,
) -> int | None:
    """How many of the loops over whole axes stand outside of the loop over column tiles of ``width``; None for all of
    them.

    Moves the loop over columns out only if the operand that is read by columns leaves the L2 cache.
    """
    outer = [axis for axis in range(len(space) - 1) if axis != row_axis]
    columns = space[-1] if space else 1
    if not isinstance(columns, int) or columns <= width:
        return None
    if not leaves_cache(operands, machine):
        return None
    extents = [typical(space[axis]) for axis in outer]
    moved = [
        traffic(operands.shared, operands.others, extents, depth, -(-columns // width), machine)
        for depth in range(len(outer) + 1)
    ]
    best = min(moved)
    return None if moved[-1] == best else moved.index(best)


def leaves_cache(operands: Operands, machine: Machine) -> bool:
    """Whether the operand that is read by columns leaves the L2 cache."""
    return 4 * operands.shared > 3 * machine.l2_bytes


def operands_of(space: Shape, contractions: Sequence[ContractionPart]) -> Operands:
    """The operands of contractions over ``space``, with a typical number for each open size."""
    column = f"axis{len(space) - 1}"
    shared: dict[object, int] = {}
    others: dict[object, int] = {}
    for part in contractions:
        for position, at in part.general_factors():
            axes = {name for i in at for name in dim_symbols(i) if name.startswith("axis")}
            kind = shared if axes == {column} else others
            kind[part.operands[position]] = typical(part.types[position].nbytes)
    return Operands(sum(shared.values()), sum(others.values()))


def rows_outermost(
    space: Shape, row_axis: int | None, operands: Operands, width: int, machine: Machine
) -> bool:
    """Whether the loop over tiles of rows stands outside of the one over column tiles of ``width``.

    With columns outside, a tile stores a short piece of each row, and the next one goes to other rows. Results that
    leave the L2 cache are then written in pieces far apart, for which the memory is slowest. With rows outside they
    are written row by row. Every tile of rows then reads all weights, so these have to stay in the L2 cache.
    """
    columns = space[-1]
    whole = all(space[axis] == 1 for axis in range(len(space) - 1) if axis != row_axis)
    if row_axis is None or not whole or not isinstance(columns, int) or columns % width or columns <= width:
        return False
    rows = space[row_axis]
    if isinstance(rows, int) and rows < MANY_ROWS:
        return False
    results = typical(product(space), SEVERAL) * 4
    return 2 * results >= machine.l2_bytes and 4 * operands.shared <= machine.l2_bytes
