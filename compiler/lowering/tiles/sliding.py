"""Sums of convolutions that slide along a row: each element of the image is read once for all taps of a filter's row.

A tile has neighbouring cells of a row, and taps side by side read the same elements of it: cell r at tap t reads
element r + t. With the taps inside of the loop over channels, an element is broadcast once, not once per tap, and the
taps' weights are in registers meanwhile: a tile of 8 × 2 vectors takes 16 loads for 48 multiply-adds, not 30. Loads
are what tiles of one or two vectors wait for.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from netwright.specs.dims import DimLike, coefficient

from ...graph.types import FLOATS
from ...machine import Machine
from ..grouping.roles import ContractionPart
from ..reading.indices import Indices

#: How many steps of the loop over channels a body has, the first of these that is short enough.
STEPS = (4, 2, 1)
#: As many multiply-adds per register are a body that is short enough.
PER_REGISTER = 3


def sliding_taps(contractions: Sequence[ContractionPart], row_axis: int | None, machine: Machine) -> int:
    """How many taps of a filter's row a step of the sums may have: more than 1 if cells that lie side by side along
    ``row_axis`` share elements, and the order of terms is free."""
    first = contractions[0]
    if row_axis is None or machine.compact or not machine.fma:  # products would need registers, too
        return 1
    if len(first.extents) < 2 or any(part.extents != first.extents for part in contractions):
        return 1
    *_, taps, channels = first.extents
    if not isinstance(taps, int) or not isinstance(channels, int) or channels == 1:
        return 1
    return taps if all(_slides(part, row_axis) for part in contractions) else 1


def fits_sliding(rows: int, vectors: int, products: int, cells: int, taps: int, machine: Machine) -> bool:
    """Whether the weights of all ``taps`` fit into the registers beside the accumulators of a tile, of which there are
    enough to hide the latency of a multiply-add."""
    accumulators = rows * vectors * products * cells
    early = 0 if machine.broadcast_operand else machine.early_elements
    registers = accumulators + taps * vectors * products + early + 1
    return accumulators >= machine.partial_sums and registers <= machine.vector_registers


def sliding_steps(channels: DimLike, accumulators: int, taps: int, machine: Machine) -> int:
    """How many steps of the loop over channels have all of their ``taps`` at once; 0 if the code would be too long, or
    the number of channels is open."""
    if not isinstance(channels, int):
        return 0
    most = PER_REGISTER * machine.vector_registers // (accumulators * taps)
    return next((steps for steps in STEPS if steps <= most and channels % steps == 0), 0)


def _slides(part: ContractionPart, row_axis: int) -> bool:
    """Whether the next tap of a cell reads what the next cell reads at the same tap."""
    if part.order != "any" or part.node.types[0].dtype not in FLOATS or part.op.multiplies_bytes:
        return False
    cell, tap = f"axis{row_axis}", f"term{len(part.extents) - 2}"
    return any(
        coefficient(i, cell) == coefficient(i, tap) == 1 for _, at in part.general_factors() for i in at
    )


def in_order_of_elements(indices: Sequence[Indices], taps: int, row_axis: int) -> Iterator[tuple[int, int]]:
    """Numbers of results, and taps, ordered so that those that read the same element follow each other."""

    def distance(index: Indices, axis: int) -> DimLike:
        return index[axis] - indices[0][axis]

    places: list[tuple[tuple[DimLike, ...], DimLike, int, int]] = []
    for number, index in enumerate(indices):
        row = tuple(distance(index, axis) for axis in range(len(index) - 1) if axis != row_axis)
        places += ((row, distance(index, row_axis) + tap, tap, number) for tap in range(taps))
    return ((number, tap) for _, _, tap, number in sorted(places))
