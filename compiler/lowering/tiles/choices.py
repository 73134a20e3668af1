"""Which tiles a product may have: the one by cost, those that are worth measuring, and whether a tuned one fits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from netwright.specs.dims import DimLike, Shape, typical

from ...machine import Machine
from ...plans.shapes import BROADCAST, step_cost
from ...tuning import TileChoice, TuningError
from ..grouping.groups import Group
from ..grouping.roles import ContractionPart
from .size import MOST_ROWS, fits, many, tile_sizes
from .sliding import fits_sliding

#: So many bytes from the second cache cost as much as a multiply-add (measured for vectors of 64 bytes: a tile of 4 × 4
#: of them takes twice as long, one of 8 × 3 1.4 times).
FAR_BYTES = 16
#: Tiles of several bands have to gain so much, since their code is another one for no other reason.
WORTH_BANDS = 1.1
#: How many tiles of other sizes are worth measuring.
OTHER_SIZES = 4
#: How many steps of a sum an innermost loop may have.
STEPS = (1, 2, 4, 8)


@dataclass(frozen=True)
class TileRoom:
    """What the tiles of a product have to fit into: ``rows`` and ``vectors`` of results, at ``most`` so many vectors,
    for ``products`` that share an operand, with ``cells`` accumulators per result. ``outer``: the number of loops over
    whole axes; ``inner``: the extent of the innermost loop of the sum; ``taps``: how many taps of a filter's row a step
    of the sums may have (see ``sliding``)."""

    rows: DimLike
    vectors: DimLike
    most: int
    products: int
    cells: int
    outer: int
    inner: DimLike
    machine: Machine
    taps: int = 1

    def sizes(self) -> list[tuple[int, int]]:
        """Rows and vectors of the tiles that fit, the cheapest first."""
        rows = min(typical(self.rows), MOST_ROWS) if not isinstance(self.rows, int) else self.rows
        return self._sizes(rows)

    def _sizes(self, rows: int) -> list[tuple[int, int]]:
        """The tiles of up to so many ``rows``, the cheapest first. Sums that slide broadcast each element once."""
        sizes = tile_sizes(rows, self.vectors, self.products, self.cells, self.most, self.machine)
        if self.taps == 1:
            return sizes
        return sorted(sizes, key=lambda size: (self.cost(rows, *size), size))

    def cost(self, rows: int, height: int, width: int) -> float:
        """The cost of a step of the sums for all results of ``rows`` rows in such tiles."""
        number = many(self.vectors, self.most)
        cost = step_cost(rows, number, height, width, self.products, self.cells, self.machine)
        if self.taps > 1 and fits_sliding(height, width, self.products, self.cells, self.taps, self.machine):
            cost -= (1 - 1 / self.taps) * BROADCAST * self.cells * rows * -(-number // width)
        return cost

    def banded(self, bands: DimLike, shared: int) -> tuple[int, int, int]:
        """Rows and vectors of the cheapest tile, and how many of ``bands`` of rows it has. Where few rows fill no tile,
        it may have those of several bands, and all tiles as many. ``shared``: the bytes of the operand with the
        columns. Each band reads all of it, so a tile's part comes from the second cache unless the first one holds
        all."""
        rows, vectors = self.sizes()[0]
        assert isinstance(self.rows, int)
        if not isinstance(bands, int) or bands == 1 or 2 * self.rows > MOST_ROWS or rows != self.rows:
            return rows, vectors, 1
        whole, number = bands * self.rows, many(self.vectors, self.most)

        loads = 0 if shared <= self.machine.l1_bytes else self.machine.vector_bytes / FAR_BYTES

        def cost(height: int, width: int) -> float:
            steps = self.cost(whole, height, width)
            return steps + loads * (-(-whole // height) * number * self.products)

        costs = {(vectors, 1): cost(rows, vectors)}
        for height, width in self._sizes(whole):
            own, left = divmod(height, self.rows)
            if own > 1 and not left and bands % own == 0:
                costs[width, own] = cost(height, width) * WORTH_BANDS
        vectors, own = min(costs, key=lambda size: costs[size])
        return rows, vectors, own

    def check(self, choice: TileChoice, signature: str) -> None:
        """Raises TuningError if a tuned tile is not one of those that fit."""
        limit = min(self.rows, MOST_ROWS) if isinstance(self.rows, int) else MOST_ROWS
        wide = self.vectors if isinstance(self.vectors, int) else self.most
        size, reason = (choice.rows, choice.vectors), ""
        if not 1 <= choice.rows <= limit:
            reason = f"it has 1 to {limit} rows"
        elif not 1 <= choice.vectors <= max(1, min(self.most, wide)):
            reason = f"it has 1 to {max(1, min(self.most, wide))} vectors"
        elif size != (1, 1) and not fits(*size, self.products, self.cells, self.machine):
            reason = f"{choice.rows} × {choice.vectors} accumulators do not fit the machine's registers"
        elif choice.depth is not None and not 0 <= choice.depth < self.outer:
            reason = f"there are {self.outer} loops over whole axes"
        elif choice.steps is not None and choice.steps not in self._steps():
            reason = f"its sum is unrolled by {', '.join(map(str, self._steps()))}"
        if reason:
            raise TuningError("NW0708", f"{signature}: the tile {choice} is not possible: {reason}")

    def others(self, choice: TileChoice, fetches: bool) -> Iterator[TileChoice]:
        """Choices beside ``choice`` that are worth measuring, those of other sizes first; ``fetches``: whether weights
        are fetched ahead, or would be."""
        sizes = [size for size in self.sizes() if size != (choice.rows, choice.vectors)]
        for rows, vectors in sizes[:OTHER_SIZES]:
            yield replace(choice, rows=rows, vectors=vectors, steps=None)
        if self.outer and not (isinstance(self.vectors, int) and self.vectors <= choice.vectors):
            yield replace(choice, depth=0 if choice.depth is None else None)
        if fetches:
            yield replace(choice, prefetch=not choice.prefetch)
        for steps in self._steps():
            if choice.steps is not None and steps in (choice.steps // 2, 2 * choice.steps):
                yield replace(choice, steps=steps)

    def _steps(self) -> Sequence[int]:
        extent = self.inner
        if not isinstance(extent, int):
            return (1,)
        return [n for n in STEPS if n <= extent and extent % n == 0] + [extent] * (extent in (3, 5, 6, 7))


def signature(group: Group, space: Shape, contractions: Sequence[ContractionPart]) -> str:
    """What tuned tiles are found by: the operations with their operands' types, and what of the result is pooled."""
    parts = []
    for part in contractions:
        types = " ".join(str(type).replace(", ", ",") for type in part.types[:2])
        parts.append(f"{part.node.op} {types}")
    counted = [f"{parts.count(text)} × {text}" if parts.count(text) > 1 else text for text in parts]
    pools = ["×".join(map(str, part.window)) for part in group.windows()]
    pooled = f" in windows {' '.join(pools)}" if pools else ""
    order = contractions[0].order
    return (
        " + ".join(dict.fromkeys(counted))
        + f" → {','.join(map(str, space))}{pooled}"
        + ("" if order == "any" else f" {order}")
    )
