"""Chooses how many rows and vectors a register tile of a product has, by the cost of all tiles together.

A step of the reduction loads a tile's vectors of one operand and, row by row, broadcasts elements of the other. The
multiply-adds of a tile take time in proportion to its area, the loads to its sides; so tiles should be large and few,
and the last ones along both axes not much smaller than the others.
"""

from __future__ import annotations

from netwright.specs.dims import DimLike

from ..machine import Machine

#: Cost of loading a vector, and of broadcasting an element, where a multiply-add costs 1. Most loads are hidden behind
#: the arithmetic, but vectors come from the L2 cache, and use up its bandwidth.
LOADED_VECTOR = 0.5
BROADCAST = 0.2
#: Cost of each further kind of tile, which needs code of its own, as a share of all multiply-adds.
FURTHER_CODE = 0.01
#: Rows and accumulators beyond these make kernels long without making them faster.
MOST_ROWS = 14
MOST_ACCUMULATORS = 28
#: About so many single elements wait in registers, where instructions cannot read them from memory for all lanes.
EARLY = 4


def tile_size(
    rows: int, vectors: DimLike, products: int, cells: int, most_vectors: int, machine: Machine
) -> tuple[int, int]:
    """Rows and vectors of the cheapest tile for ``rows`` by ``vectors`` results (an open number of vectors counts as
    many) of ``products`` with operands of their own, each of which needs ``cells`` accumulators per result."""
    number = vectors if isinstance(vectors, int) else 8 * most_vectors
    sizes = [
        (height, width)
        for width in range(1, max(2, min(most_vectors, number) + 1))
        for height in range(1, min(rows, MOST_ROWS) + 1)
        if (height, width) == (1, 1) or _fits(height, width, products, cells, machine)
    ]
    return min(sizes, key=lambda size: (_cost(rows, number, *size, products, cells), size))


def _fits(rows: int, vectors: int, products: int, cells: int, machine: Machine) -> bool:
    """Whether the accumulators leave registers for the vectors of one operand, elements of the other, and a spare."""
    accumulators = rows * vectors * products * cells
    left = machine.vector_registers - vectors * products - 2
    if machine.broadcast_operand and machine.fma:
        return accumulators <= min(left, MOST_ACCUMULATORS)
    # LLVM loads the elements of some rows early, where each needs a register.
    early = min(rows * cells, EARLY)
    return accumulators <= min(left - early - (not machine.fma), machine.accumulators)


def _cost(rows: int, number: int, height: int, width: int, products: int, cells: int) -> float:
    """Cost of one step of the reduction for all results."""
    heights = [(rows // height, height), (1, rows % height)]
    widths = [(number // width, width), (1, number % width)]
    kinds = [(n * m, h, w) for n, h in heights for m, w in widths if n * h * m * w]
    total = sum(
        count * (h * w * cells * products + LOADED_VECTOR * w * products + BROADCAST * h * cells)
        for count, h, w in kinds
    )
    return total + (len(kinds) - 1) * FURTHER_CODE * rows * number * cells * products
