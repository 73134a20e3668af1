"""How many rows of an image a product with one tap takes as one row of pixels (see ``pixels``).

The fewer, the better stay what a row reads in the first cache: as few as fill tiles well.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from netwright.specs.dims import DimLike, Shape, product

from ...machine import Machine
from ...plans.shapes import power_of_two
from ..grouping.roles import ContractionPart
from .loop_order import operands_of
from .size import MOST_ROWS, tile_costs

#: Longer rows have to gain so much: rows of the image are as good if their tiles cost hardly more.
WORTH = 0.01


@dataclass(frozen=True)
class PixelRows:
    """The axes from ``axis`` on, but for the last one, are one row per ``number`` indices of that axis (None: for all
    of them), in a space of the shape ``whole``."""

    whole: Shape
    axis: int
    number: int | None

    @property
    def lead(self) -> Shape:
        """The space's axes but for the last one."""
        *outer, size = self.whole[: self.axis + 1]
        inner, number = self.whole[self.axis + 1 : -1], size if self.number is None else self.number
        rows = 1 if self.number is None else size // self.number
        return (*outer, rows, *(1 for _ in inner[1:]), number * product(inner))

    @property
    def is_in_loop(self) -> bool:
        """Whether loops are left over other axes, which threads can divide."""
        return any(size != 1 for size in self.lead[:-1])

    def apart(self, index: Sequence[DimLike]) -> tuple[DimLike, ...]:
        """The index in the whole space for one in that of the rows."""
        *outer, row = index[: self.axis + 1]
        rest, inner = index[-2], list[DimLike]()
        for size in reversed(self.whole[self.axis + 1 : -1]):
            assert isinstance(size, int)
            inner.append(rest - rest // size * size)
            rest = rest // size
        return (*outer, row * (self.number or 1) + rest, *reversed(inner), index[-1])


def pixel_rows(
    space: Shape, contractions: Sequence[ContractionPart], dense: bool, machine: Machine
) -> PixelRows | None:
    """The rows of the fewest pixels that fill tiles about as well as any; None if those of the image do. ``dense``:
    whether results lie one behind the other."""
    columns, width, products = space[-1], space[-2], len(contractions)
    dtype = contractions[0].node.types[0].dtype
    if not isinstance(columns, int) or not isinstance(width, int):
        return None
    if machine.prefers_cells(columns, width, dtype):
        return None
    lanes = min(machine.lanes(dtype), power_of_two(columns))
    vectors, most = -(-columns // lanes), machine.vector_registers // 8

    def cost(pixels: int) -> float:
        """That of a step of the sum for a row of so many pixels, per pixel."""
        return min(tile_costs(pixels, vectors, products, 1, most, machine).values()) / pixels

    if dense and _are_few(space) and operands_of(space, contractions).shared > machine.l1_bytes:
        return PixelRows(space, 0, None)
    # Threads divide a loop by where its iterations store, which quotients of its index do not tell.
    choices = {rows: length for rows, length in _choices(space) if dense or rows.is_in_loop}
    costs = {rows: cost(length) for rows, length in choices.items()}
    most_cost = min(costs.values(), default=0.0) * (1 + WORTH)
    fewest = next((rows for rows, own in costs.items() if own <= most_cost), None)
    return None if fewest is None or choices[fewest] == width else fewest


def _are_few(space: Shape) -> bool:
    """Whether an image has so few pixels that a tile may have all of them as its rows, in a batch of open size."""
    pixels = product(space[1:-1])
    return isinstance(pixels, int) and 1 < pixels <= MOST_ROWS and not isinstance(space[0], int)


def _choices(space: Shape) -> Iterator[tuple[PixelRows, int]]:
    """All rows that consist of whole rows of one image, the shortest first, with their numbers of pixels."""
    *_, length, _ = space
    for axis in range(len(space) - 3, 0, -1):
        size = space[axis]
        if not isinstance(size, int) or not isinstance(length, int):
            return
        yield from (
            (PixelRows(space, axis, number), number * length)
            for number in range(1, size + 1)
            if size % number == 0
        )
        length = size * length
