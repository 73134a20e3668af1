"""How many steps of a sum the innermost loop of a kernel has at once, in how many parts a tile adds them up, and how
many terms are added before those of the next columns."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from netwright.specs.dims import DimLike, Shape, product, typical

from ...machine import Machine
from ...ops.protocols import Order
from ..grouping.roles import ContractionPart

#: How many steps a loop's body has at most where code is to be short: with more, loops win little.
SHORT = 3
#: Bytes of an operand that a block of a sum has at most, so that memory is read nearly in its order: processors fetch
#: ahead what follows, but not what lies some lines further.
BLOCK_BYTES = 1280
#: The fewest terms of sums that are cut into blocks.
LEAST_TERMS = 8


def sum_steps(extents: Shape, accumulators: int, role: str, machine: Machine, whole: bool = True) -> int:
    """The steps for sums over ``extents`` in a tile of ``accumulators``; ``whole``: whether it is no rest of rows or
    columns. ``role`` is that of the contraction."""
    if machine.compact:
        return _short(extents)
    # Products take registers, too, where multiplying and adding is not one instruction.
    free = machine.vector_registers if machine.fma else machine.vector_registers * 2 // 3
    if role == "reduction":
        free //= 2  # what is fused into it loads vectors of its own, for each term
    if not whole:
        free = free * 2 // 3  # what is left of rows or columns is seldom worth long code
    return unrolling(extents[-1] if extents else 1, accumulators, free)


def _short(extents: Shape) -> int:
    """The steps where code is to be short: as many as divide the innermost extent, up to `SHORT`."""
    extent = next((extent for extent in reversed(extents) if extent != 1), 1)
    if not isinstance(extent, int):
        return 1
    return max(steps for steps in range(1, SHORT + 1) if extent % steps == 0)


def partial_sums(steps: int, accumulators: int, order: Order, machine: Machine) -> int:
    """The parts that each sum is added up in, to hide the latency of adding: one where terms have an order."""
    most = machine.partial_sums // max(1, accumulators) if order == "any" else 1
    return max(1, min(steps, most))


def unrolling(extent: DimLike, accumulators: int, registers: int = 32) -> int:
    """How many steps of an innermost reduction loop its body holds: enough to hide the loop's overhead, and few enough
    for the ``registers``, since LLVM loads operands of several steps early."""
    if not isinstance(extent, int):
        return 1
    if extent * accumulators <= 3 * registers and extent <= 8:
        return extent
    for copies in (8, 4, 2):
        if extent % copies == 0 and 2 * accumulators * copies <= 3 * registers:
            return copies
    return 1


def terms_in_order(
    space: Shape, contractions: Sequence[ContractionPart], width: int, machine: Machine
) -> int | None:
    """How many terms of all columns a reduction adds before it goes on to the next ones; None if it has only ``width``
    columns, or gains nothing: then each tile of columns adds all its terms at once.

    Tiles of some columns read a piece of each row of memory, and the next tile reads the next piece. Data that have to
    come from far are then read in several passes, none of which fetches ahead well.
    """
    first, columns = contractions[0], space[-1] if space else 1
    alike = all((part.extents, part.combine) == (first.extents, first.combine) for part in contractions)
    reduces = alike and all(part.role == "reduction" and part.types[0].rank > 1 for part in contractions)
    if (
        not reduces
        or not isinstance(columns, int)
        or columns <= width
        or all(size == 1 for size in space[:-1])
    ):
        return None
    itemsize = np.dtype(first.node.types[0].dtype).itemsize
    nbytes = columns * itemsize
    sums = len(contractions) * nbytes
    terms = typical(product(first.extents))
    if terms < LEAST_TERMS or 4 * sums > machine.l1_bytes or 2 * terms * nbytes <= machine.l1_bytes:
        return None
    innermost = next(extent for extent in reversed(first.extents) if extent != 1)
    most = max(1, BLOCK_BYTES // nbytes)
    if not isinstance(innermost, int):
        return 1
    return max(number for number in range(1, min(most, innermost) + 1) if innermost % number == 0)
