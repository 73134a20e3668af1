"""Computes what follows a kernel's sums, and stores it."""

from __future__ import annotations

from collections.abc import Sequence

from netwright.specs.dims import DimLike

from ...graph.node import Value
from ...loop.ir import Expr
from .indices import Indices
from .memory import NotVectorizable
from .places import Place, Target
from .reader import Reader


def finish(
    reader: Reader, targets: Sequence[tuple[Value, Sequence[Target]]], index: Indices, count: DimLike | None
) -> None:
    """Reads all values at ``index`` and stores them, of a vector its first ``count`` lanes (None: all)."""
    # Read everything before storing anything: a buffer may be updated in place.
    values = [reader.read(value, index) for value, _ in targets]
    for (_, places), value in zip(targets, values, strict=True):
        for place, index_map in places:
            store(reader, place, index if reader.flat is not None else index_map(index), value, count)


def store(reader: Reader, place: Place, index: Sequence[DimLike], value: Expr, count: DimLike | None) -> None:
    """Stores a vector at ``index``. Raises NotVectorizable unless its elements lie side by side there."""
    base, stride = reader.address(place, index)
    if reader.lanes > 1 and stride != 1:
        raise NotVectorizable
    reader.b.store(reader.parameter(place, "write"), base, value, count)
