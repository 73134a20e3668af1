"""Exports the windows of a signal.

Signals and images of floats become a convolution whose filters select the cells of a window; the importer recognizes it
as windows again. All others become a Gather of the cells along each axis.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from netwright.compiler.graph.node import Node, Value
from netwright.specs.dims import DimLike

from ..tensors import window_kernel
from .context import Exporter, to_last


def export_windows(e: Exporter, node: Node, operands: Sequence[Value]) -> None:
    """[*B, *S, *R] becomes [*B, *cells, *window, *R]."""
    attrs: Any = node.attrs
    w, shape = e.writer, e.shape(operands[0])
    floats = e.dtype(operands[0]) in ("float32", "float64")
    if floats and attrs.first == 1 and len(shape) == len(attrs.window) + 2 and isinstance(shape[-1], int):
        return _by_convolution(e, node, operands[0])
    counts, rank = attrs.counts(shape), len(attrs.window)
    name = e.last(operands[0])
    for axis in reversed(range(rank)):
        cells = _cells(e, counts[axis], attrs.window[axis], attrs.stride[axis])
        name = w.add("Gather", [name, cells], axis=attrs.first + axis)
    if rank > 1:
        # Each axis has become two, cells and window side by side.
        pairs = [attrs.first + 2 * axis for axis in range(rank)]
        rest = range(attrs.first + 2 * rank, len(shape) + rank)
        order = [*range(attrs.first), *pairs, *(axis + 1 for axis in pairs), *rest]
        name = w.add("Transpose", [name], perm=order)
    e.give(node.values[0], name)


def _by_convolution(e: Exporter, node: Node, x: Value) -> None:
    attrs: Any = node.attrs
    w, shape, result = e.writer, e.shape(x), node.types[0].shape
    channels = shape[-1]
    assert isinstance(channels, int)
    kernel = w.constant(window_kernel(attrs.window, channels).astype(e.dtype(x)), hint="windows")
    name = w.add("Conv", [e.first(x), kernel], kernel_shape=list(attrs.window), strides=list(attrs.stride))
    name = w.add("Transpose", [name], perm=to_last(len(shape)))
    e.give(node.values[0], w.add("Reshape", [name, w.shape(result)]))


def _cells(e: Exporter, count: DimLike, window: int, stride: int) -> str:
    """The cells of the windows along an axis: int64 [count, window]."""
    w, taps = e.writer, np.arange(window, dtype=np.int64)
    if isinstance(count, int):
        return w.constant(np.arange(count, dtype=np.int64)[:, None] * stride + taps)
    limit = w.add("Reshape", [w.size(count), w.constant(np.zeros(0, np.int64))])
    numbers = w.add("Range", [w.constant(np.int64(0)), limit, w.constant(np.int64(1))])
    starts = w.add("Mul", [numbers, w.constant(np.int64(stride))])
    column = w.add("Reshape", [starts, w.constant([-1, 1], "int64")])
    return w.add("Add", [column, w.constant(taps)])
