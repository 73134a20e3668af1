"""Predicts how long a plan takes, to compare plans and to say beside measured times.

The unit is the time in which a core multiplies and adds one vector: a plan's arithmetic counts as ``tile_size`` does
it, the traffic as ``loop_order`` does. ``Rates`` turn units and bytes into seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from netwright.specs.dims import DimLike, Shape, dim_symbols, evaluate, product, typical

from ..machine import Machine
from ..tuning import TileChoice
from .cuts import Left
from .shapes import step_cost, traffic

#: How long a vector from beyond a core's own caches takes.
FAR = 10.0
#: What a call takes, in units.
CALL = 500.0


@dataclass(frozen=True)
class Rates:
    """What one core reaches: floating-point operations and bytes from memory per second."""

    flops: float
    memory: float


@dataclass(frozen=True)
class Work:
    """A product's work, in sizes that may be open: results are ``outer`` axes of ``rows`` × ``columns``, each a sum of
    ``terms``, for ``products`` that share an operand, with ``cells`` accumulators per result.

    ``shared`` and ``others``: bytes of the operands that are read by columns, and of the others. ``inner``: the last
    extent of the sum. ``left``: how rows are cut that fill no whole tile (see ``cut``).
    """

    outer: Shape
    rows: DimLike
    columns: DimLike
    terms: DimLike
    inner: DimLike
    products: int
    cells: int
    shared: int
    others: int
    lanes: int
    left: Left | None = None

    def sized(self, sizes: Mapping[str, int]) -> Work:
        """The work for known sizes."""

        def known(size: DimLike) -> int:
            names = {name: sizes[name] for name in dim_symbols(size) if name in sizes}
            return typical(evaluate(size, names) if len(names) == len(dim_symbols(size)) else size)

        return replace(
            self,
            outer=tuple(map(known, self.outer)),
            rows=known(self.rows),
            columns=known(self.columns),
            terms=known(self.terms),
            inner=known(self.inner),
        )


def predicted(work: Work, choice: TileChoice, machine: Machine) -> float:
    """The units that ``work`` takes with the given choice."""
    outer, rows, terms = (typical(size) for size in (product(work.outer), work.rows, work.terms))
    columns = typical(work.columns)
    vectors = max(1, -(-columns // work.lanes))
    height = choice.rows if work.left else min(choice.rows, rows) or 1
    width = min(choice.vectors, vectors)
    step = step_cost(rows, vectors, height, width, work.products, work.cells, machine, work.left)
    arithmetic = outer * terms * step
    extents = [typical(size) for size in work.outer]
    depth = len(extents) if choice.depth is None else min(choice.depth, len(extents))
    moved = traffic(work.shared, work.others, extents, depth, -(-vectors // width), machine)
    near = work.shared + work.others <= machine.l2_bytes
    reading = 0.0 if near else moved / machine.vector_bytes * FAR / 4
    hidden = choice.prefetch and machine.prefetch
    return CALL + (max(arithmetic, reading) if hidden else arithmetic + reading / 2)


def seconds(units: float, lanes: int, rates: Rates) -> float:
    """The time of ``units`` at a core's peak."""
    return units * 2 * lanes / rates.flops


def moving_seconds(flops: int, bytes: int, rates: Rates) -> float:
    """The time of a kernel that is no product: its bytes at the speed of memory, or its arithmetic at an eighth of the
    peak, which is about what elementary functions reach."""
    return max(8 * flops / rates.flops, bytes / (4 * rates.memory))
