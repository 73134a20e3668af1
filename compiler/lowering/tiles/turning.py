"""Lets the product of a recurrence read its weights from the first column to the last and back again, step by step.

Weights that do not fit into the L2 cache are read again in every step. If each step reads them in the same order, the
cache has always just dropped what comes next, and holds nothing of use. So every other step goes through the columns
from the last to the first: what the step before read last, it finds in the cache.
"""

from __future__ import annotations

from collections.abc import Collection

from netwright.specs.dims import DimLike, Shape, dim, dim_max, dim_min

from ...machine import Machine
from ..grouping.groups import Group
from .loop_order import leaves_cache, operands_of
from .tiling import Tiling


def turning_dim(dims: Collection[str]) -> str:
    """A name that is none of ``dims``, for the dim that tells such a kernel the direction: 0 from the first column on,
    else from the last."""
    name = "turn"
    while name in dims:
        name += "_"
    return name


def may_turn(space: Shape, tiling: Tiling, group: Group, machine: Machine) -> bool:
    """Whether a kernel over ``space`` reads weights that leave the L2 cache, with the loop over their columns
    outermost."""
    if tiling.row_axis is None or tiling.inner or tiling.lane_axis is not None or tiling.segment is not None:
        return False
    axes = [axis for axis, size in enumerate(space[:-1]) if size != 1 and axis != tiling.row_axis]
    outermost = not tiling.rows_outermost and (not axes or tiling.column_depth == 0)
    return outermost and leaves_cache(operands_of(space, group.contractions()), machine)


def turned(block: DimLike, number: DimLike, turn: str) -> DimLike:
    """The ``block``-th of ``number`` blocks of columns in the direction that the dim ``turn`` tells."""
    return dim_max(0, block - number * dim(turn), number * dim_min(dim(turn), 1) - 1 - block)


def following(columns: DimLike, turn: str) -> DimLike:
    """How far the next block of so many ``columns`` is from a block, in the direction that the dim ``turn`` tells."""
    return columns * (1 - 2 * dim_min(dim(turn), 1))
