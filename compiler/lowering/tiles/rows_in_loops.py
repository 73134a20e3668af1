"""How tilings cut rows in loops over steps, which threads divide by samples: the sums of every row have the order of
those in a whole tile, so that a thread may get any number of rows. A row alone is shared with nobody, so its few sums
may be added up in parts, which hides the latency of adding."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from netwright.specs.dims import Shape

from ...machine import Machine
from ..grouping.roles import ContractionPart
from .tiling import Tiling


def in_loops(
    tilings: Iterable[Tiling], space: Shape, contractions: Sequence[ContractionPart], machine: Machine
) -> Iterator[Tiling]:
    """The tilings as they are in a loop over steps. Where code is to be short they stay as they are: so few rows are
    left to no thread."""
    for tiling in tilings:
        axis = tiling.row_axis
        if axis is None or isinstance(space[axis], int) or tiling.lane_axis is not None or machine.compact:
            yield tiling
            continue
        alone = tiling.vectors * tiling.cells * len(contractions)
        # A group of several contractions shares the loops over what is summed, and so its order.
        parts = contractions[0].order == "any" and 2 * alone <= machine.partial_sums
        yield replace(tiling, left="once or alone" if parts else "once")
