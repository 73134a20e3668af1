"""Exports primitives that read and write cells at positions: interleaving, weighted cells, scattered rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from netwright.compiler.graph.node import Node, Value
from netwright.specs.dims import DimLike, Shape, ceil_div

from .context import Exporter


def export_interleave(e: Exporter, node: Node, operands: Sequence[Value]) -> None:
    """Interleaves the operands along each axis, the last axis fastest."""
    attrs: Any = node.attrs
    strides, shape = attrs.strides, e.shape(node.values[0])
    parts = [(e.last(value), e.shape(value)) for value in operands]
    for axis in range(len(strides) - 1, -1, -1):
        stride = strides[axis]
        if stride > 1:
            groups = [parts[i : i + stride] for i in range(0, len(parts), stride)]
            parts = [_joined(e, group, axis, shape[axis]) for group in groups]
    e.give(node.values[0], parts[0][0])


def _joined(e: Exporter, parts: Sequence[tuple[str, Shape]], axis: int, size: DimLike) -> tuple[str, Shape]:
    """Interleaves parts along one axis with ``size`` cells in all."""
    most, count = ceil_div(size, len(parts)), len(parts)
    shape = parts[0][1]
    wide = [_filled(e, name, own, axis, most) for name, own in parts]
    apart = (*shape[:axis], most, 1, *shape[axis + 1 :])
    rows = [e.writer.add("Reshape", [name, e.writer.shape(apart)]) for name in wide]
    stacked = e.writer.add("Concat", rows, axis=axis + 1)
    whole = (*shape[:axis], most * count, *shape[axis + 1 :])
    result = e.writer.add("Reshape", [stacked, e.writer.shape(whole)])
    if most * count != size:
        result = _cut(e, result, axis, size)
    return result, (*shape[:axis], size, *shape[axis + 1 :])


def _filled(e: Exporter, name: str, shape: Shape, axis: int, size: DimLike) -> str:
    """A part that may have one cell less than the others, padded to as many."""
    if shape[axis] == size:
        return name
    pads = [0] * (2 * len(shape))
    pads[len(shape) + axis] = 1
    padded = e.writer.add("Pad", [name, e.writer.constant(pads, "int64")])
    return _cut(e, padded, axis, size)


def _cut(e: Exporter, name: str, axis: int, size: DimLike) -> str:
    """The first cells of an axis."""
    start, axes = e.writer.constant([0], "int64"), e.writer.constant([axis], "int64")
    return e.writer.add("Slice", [name, start, e.writer.shape((size,)), axes])


def export_resample(e: Exporter, node: Node, operands: Sequence[Value]) -> None:
    """Each cell of the result [A, O, B] is a weighted sum of cells of [A, S, B], given their positions and weights [O,
    T].
    """
    x, cells, weights = operands
    outer, _, inner = e.shape(x)
    outputs, taps = e.shape(cells)
    w = e.writer
    read = w.add("Gather", [e.last(x), e.last(cells)], axis=1)  # [A, O, T, B]
    assert e.shape(node.values[0]) == (outer, outputs, inner)
    row = w.add("Reshape", [e.last(weights), w.shape((outputs, 1, taps))])
    product = w.add("MatMul", [row, read])
    e.give(node.values[0], w.add("Squeeze", [product, w.constant([2], "int64")]))


def export_scatter(e: Exporter, node: Node, operands: Sequence[Value]) -> None:
    """Rows of a table that are overwritten or combined with updates."""
    attrs: Any = node.attrs
    table, indices, updates = operands
    how = {"set": None}.get(attrs.op, attrs.op)
    _scattered(e, node, e.last(table), indices, updates, how)


def export_scatter_add(e: Exporter, node: Node, operands: Sequence[Value]) -> None:
    """Updates summed into rows."""
    if len(operands) == 3:
        table, indices, updates = operands
        return _scattered(e, node, e.last(table), indices, updates, "add")
    indices, updates = operands
    zero = e.writer.constant(np.zeros((), e.dtype(updates)))
    table = e.writer.add("Expand", [zero, e.writer.shape(e.shape(node.values[0]))])
    _scattered(e, node, table, indices, updates, "add")


def _scattered(e: Exporter, node: Node, table: str, indices: Value, updates: Value, how: str | None) -> None:
    w = e.writer
    positions = w.add("Cast", [e.last(indices)], to=7) if e.dtype(indices) != "int64" else e.last(indices)
    column = w.add("Unsqueeze", [positions, w.constant([-1], "int64")])
    e.give(node.values[0], w.add("ScatterND", [table, column, e.last(updates)], reduction=how))


def export_first(e: Exporter, node: Node, operands: Sequence[Value]) -> None:
    """The operand itself: the operation only matters for gradients."""
    e.give(node.values[0], e.last(operands[0]))
