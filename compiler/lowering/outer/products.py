"""The kernel of a group that is a sum of outer products, if it is one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ...graph.node import Value
from ...machine import Machine
from ..grouping.groups import Group
from ..reading.memory import NotVectorizable
from ..reading.places import Target
from ..reading.reader import Reader
from .held import HeldTiles
from .kernel import OuterTiles
from .parts import Parts, PartTiles
from .tiling import outer_tiling


def outer_products(
    reader: Reader,
    group: Group,
    targets: Sequence[tuple[Value, Sequence[Target]]],
    dims: Mapping[str, int],
    machine: Machine,
    parts: Parts | None = None,
) -> str | None:
    """Emits the kernel of a group that sums outer products; returns its tiles in words, or None if it is no such sum,
    or cannot be computed in vectors, which leaves a part of a kernel behind. ``dims``: the least sizes; ``parts``:
    those whose sums the target gets."""
    tiling = outer_tiling(reader.roles, group, group.space, dims, machine)
    if tiling is None:
        return None
    (part,) = group.contractions()
    try:
        if parts is not None:
            PartTiles(reader, part, group.space, targets[0][1], tiling, parts).emit()
        elif tiling.finishes:
            HeldTiles(reader, part, group.space, targets, tiling).emit()
        else:
            OuterTiles(reader, part, group.space, targets[0][1], tiling).emit()
    except NotVectorizable:
        return None
    return tiling.describe(group.space, part.extents)
