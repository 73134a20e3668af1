"""Chooses how many rows and vectors a register tile of a product has, by the cost of all tiles together.

A step of the reduction loads a tile's vectors of one operand and, row by row, broadcasts elements of the other. The
multiply-adds of a tile take time in proportion to its area, the loads to its sides; so tiles should be large and few,
and the last ones along both axes not much smaller than the others.
"""

from __future__ import annotations

from netwright.specs.dims import DimLike

from ...machine import Machine
from ...plans.shapes import registers_beside, step_cost

#: More rows make kernels long without making them faster.
MOST_ROWS = 14


def tile_sizes(
    rows: int, vectors: DimLike, products: int, cells: int, most_vectors: int, machine: Machine
) -> list[tuple[int, int]]:
    """Rows and vectors of all tiles that fit, the cheapest first (see ``tile_costs``)."""
    costs = tile_costs(rows, vectors, products, cells, most_vectors, machine)
    return sorted(costs, key=lambda size: (costs[size], size))


def tile_costs(
    rows: int, vectors: DimLike, products: int, cells: int, most_vectors: int, machine: Machine
) -> dict[tuple[int, int], float]:
    """The cost of a step of the sums in each tile that fits, by its rows and vectors, for ``rows`` by ``vectors``
    results (an open number of vectors counts as many) of ``products`` with operands of their own, each of which needs
    ``cells`` accumulators per result."""
    number = many(vectors, most_vectors)
    return {
        (height, width): step_cost(rows, number, height, width, products, cells, machine)
        for width in range(1, max(2, min(most_vectors, number) + 1))
        for height in range(1, min(rows, MOST_ROWS) + 1)
        if (height, width) == (1, 1) or fits(height, width, products, cells, machine)
    }


def many(vectors: DimLike, most_vectors: int) -> int:
    """How many vectors are counted on: an open number counts as many tiles."""
    return vectors if isinstance(vectors, int) else 8 * most_vectors


def fits(rows: int, vectors: int, products: int, cells: int, machine: Machine) -> bool:
    """Whether the accumulators of a tile leave registers for its operands, also for what LLVM loads early."""
    accumulators = rows * vectors * products * cells
    left = registers_beside(vectors * products, machine)
    if machine.broadcast_operand and machine.fma:
        return accumulators <= left
    early = min(rows * cells, machine.early_elements)
    return accumulators <= min(left - early - (not machine.fma), machine.accumulators)


def open_rows(vectors: int, products: int, cells: int, machine: Machine) -> int:
    """The most rows of a tile of so many ``vectors`` along an axis that has any number of rows."""
    operand = vectors * products
    return max(1, min(machine.accumulators, registers_beside(operand, machine)) // (operand * cells))
