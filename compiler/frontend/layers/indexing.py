"""Layers that read or write cells at computed positions, through tables: the array becomes rows, and a position in
several axes becomes one row number."""

from __future__ import annotations

from collections.abc import Sequence

from netwright.specs.dims import DimLike, Shape, product
from netwright.specs.models.layers.indexing import GatherElements, GatherNd, ScatterElements, ScatterNd

from ...graph.rules import ShapeError
from ...graph.types import TensorType
from ...ops.indexing.gather import ScatterAddAttributes
from ...ops.indexing.scatter import ScatterAttributes
from ...ops.views.layout import show
from ..expansion import Expansion
from ..problem import show_type
from ..scope import Scope, Signal
from ..tensor import Tensor, full, iota, where
from .picking import from_end

_INTEGERS = ("int32", "int64", "uint8")


def expand_gather_elements(scope: Scope) -> Signal:
    """Reads each cell of the result at its own position along an axis."""
    spec = scope.spec
    assert isinstance(spec, GatherElements)
    data, positions = _data_and_positions(scope)
    axis = scope.axis(data, spec.axis)
    _check_alike(scope, data, positions, axis)
    rows = cells_along(data.tensor, axis, positions.tensor)
    return scope.give(flat(data.tensor).gather(rows), like=positions)


def expand_scatter_elements(scope: Scope) -> Signal:
    """Writes cells at their own positions along an axis."""
    spec = scope.spec
    assert isinstance(spec, ScatterElements)
    data, positions = _data_and_positions(scope)
    axis = scope.axis(data, spec.axis)
    _check_alike(scope, data, positions, axis)
    updates = _updates(scope, data, positions.shape)
    rows = cells_along(data.tensor, axis, positions.tensor)
    written = scattered(flat(data.tensor), rows, updates, spec.reduction)
    return scope.give(written.reshape(data.shape))


def expand_gather_nd(scope: Scope) -> Signal:
    """Reads slices at positions in several axes."""
    spec = scope.spec
    assert isinstance(spec, GatherNd)
    data, positions = _data_and_positions(scope)
    batch = spec.batch_axes
    if batch < 0 or batch >= min(data.rank, positions.rank) or positions.shape[:batch] != data.shape[:batch]:
        message = f"{show(data.shape)} and {show(positions.shape)} do not have {batch} leading axes in common"
        raise scope.problem("NW0308", message, "batch_axes", labels=scope.sources())
    rows, rest = _rows(scope, data, positions, batch)
    table = data.tensor.reshape((product(data.shape[: data.rank - len(rest)]), *rest))
    return scope.give(table.gather(rows), like=positions)


def expand_scatter_nd(scope: Scope) -> Signal:
    """Writes slices at positions in several axes."""
    spec = scope.spec
    assert isinstance(spec, ScatterNd)
    data, positions = _data_and_positions(scope)
    rows, rest = _rows(scope, data, positions, 0)
    updates = _updates(scope, data, (*positions.shape[:-1], *rest))
    table = data.tensor.reshape((product(data.shape[: data.rank - len(rest)]), *rest))
    return scope.give(scattered(table, rows, updates, spec.reduction).reshape(data.shape))


# Checks.


def _data_and_positions(scope: Scope) -> tuple[Signal, Signal]:
    data, positions = scope.inputs[:2]
    for signal in scope.inputs:
        scope.refuse_lengths(signal, "positions may be past the end of a sequence")
    if positions.dtype not in _INTEGERS:
        message = f"the positions are {show_type(positions.dtype, positions.shape)}, not integers"
        raise scope.problem("NW0311", message, "inputs", 1, labels=scope.blame(positions))
    return data, positions


def _check_alike(scope: Scope, data: Signal, positions: Signal, axis: int) -> None:
    pairs = zip(positions.shape, data.shape, strict=False)
    fits = data.rank == positions.rank and all(
        i == axis or own == other or ((least := scope.least(other - own)) is not None and least >= 0)
        for i, (own, other) in enumerate(pairs)
    )
    if not fits:
        message = (
            f"positions {show(positions.shape)} do not fit {show(data.shape)} on the axes besides {axis}"
        )
        raise scope.problem("NW0308", message, "inputs", 1, labels=scope.sources())


def _updates(scope: Scope, data: Signal, shape: Shape) -> Tensor:
    signal = scope.inputs[2]
    if signal.tensor.type != TensorType(data.dtype, tuple(shape)):
        wanted, actual = show_type(data.dtype, shape), show_type(signal.dtype, signal.shape)
        message = f"the updates are {wanted}, this is {actual}"
        raise scope.problem("NW0308", message, "inputs", 2, labels=scope.blame(signal))
    return signal.tensor


def _rows(scope: Scope, data: Signal, positions: Signal, batch: int) -> tuple[Tensor, Shape]:
    """The row of each position in a table over the indexed axes, and the axes that stay."""
    depth = positions.shape[-1] if positions.rank else 0
    if not isinstance(depth, int) or not 1 <= depth <= data.rank - batch:
        message = f"the last axis of {show(positions.shape)} holds no positions in {show(data.shape)}"
        raise scope.problem("NW0308", message, "inputs", 1, labels=scope.sources())
    index, axes = positions.tensor.cast("int64"), range(batch, batch + depth)
    parts = [index.take(index.rank - 1, i) for i in range(depth)]
    parts = [inside(part, data.shape[axis]) for part, axis in zip(parts, axes, strict=True)]
    shape = parts[0].shape
    leading = [iota(index.graph, "int64", shape, axis) for axis in range(batch)]
    sizes = data.shape[: batch + depth]
    return combined([*leading, *parts], sizes), data.shape[batch + depth :]


# Positions.


def flat(x: Tensor) -> Tensor:
    """All cells along one axis."""
    return x.reshape((product(x.shape),))


def inside(index: Tensor, size: DimLike) -> Tensor:
    """Positions with negative ones counted from the end; those out of range become −1, which no table has."""
    position = from_end(index, size)
    last = position.count(size)
    return where(position.compare("lt", last), position, -1)


def combined(parts: Sequence[Tensor], sizes: Sequence[DimLike]) -> Tensor:
    """The row-major number of a cell, from its positions on each axis; negative if one of these is."""
    total, bad = parts[0], parts[0].compare("lt", 0)
    for part, size in zip(parts[1:], sizes[1:], strict=True):
        total = total * total.count(size) + part
        bad = bad.either(part.compare("lt", 0))
    return where(bad, full(total.graph, -1, total.type), total)


def cells_along(x: Tensor, axis: int, positions: Tensor) -> Tensor:
    """The numbers of the cells of ``x`` that keep their own position on every axis except ``axis``, where they have
    ``positions``."""
    positions = inside(positions.cast("int64"), x.shape[axis])
    graph, shape = x.graph, positions.shape
    parts = [positions if i == axis else iota(graph, "int64", shape, i) for i in range(x.rank)]
    return combined(parts, x.shape)


def scattered(table: Tensor, rows: Tensor, updates: Tensor, reduction: str) -> Tensor:
    """A table with rows written to it."""
    if reduction == "add":
        if table.dtype == "bool":
            raise ShapeError("sums of truth values")
        attrs = ScatterAddAttributes(table.shape[0])
        return table + rows.apply("scatter_add", updates, attrs=attrs)
    if reduction != "set" and table.dtype == "bool":
        raise ShapeError(f"the {reduction} of truth values")
    return table.apply("scatter", rows, updates, attrs=ScatterAttributes(reduction))


EXPANSIONS = {
    GatherElements: Expansion(expand_gather_elements),
    GatherNd: Expansion(expand_gather_nd),
    ScatterElements: Expansion(expand_scatter_elements),
    ScatterNd: Expansion(expand_scatter_nd),
}
