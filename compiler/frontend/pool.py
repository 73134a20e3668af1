"""Pools: over windows, and over everything."""

from __future__ import annotations

import numpy as np

from netwright.specs.layers import GlobalMaxPool, MaxPool1D, MaxPool2D, MaxPool3D

from ..ops.reduce_window import ReduceWindowAttributes
from .scope import Scope, Signal
from .tensor import Tensor, constant, iota, where
from .window import WindowAxis, check_windows, pad_windows

_INFINITY = float("inf")


def expand_pool(scope: Scope) -> Signal:
    """The maximum or mean of each window, over the cells that exist."""
    axes = check_windows(scope)
    x = scope.floats(scope.input)
    largest = isinstance(scope.spec, MaxPool1D | MaxPool2D | MaxPool3D)
    filled = pad_windows(x, axes, -_INFINITY if largest else 0)
    window = (1, *(axis.span for axis in axes), 1)
    stride = (1, *(axis.stride for axis in axes), 1)
    attrs = ReduceWindowAttributes("max" if largest else "sum", window, stride)
    y = filled.apply("reduce_window", attrs=attrs)
    if not largest:
        y = _divided(y, axes)
    return scope.give(y)


def _divided(sums: Tensor, axes: list[WindowAxis]) -> Tensor:
    """Sums over windows divided by the number of cells that exist in each."""
    whole = 1
    counts: Tensor | None = None
    for position, axis in enumerate(axes):
        if axis.low == 0 and axis.high == 0 and axis.fits_whole:
            whole *= axis.span
            continue
        shape = (1,) * position + (axis.cells,) + (1,) * (len(axes) - position)
        own = _cells_that_exist(sums, axis).reshape(shape)
        counts = own if counts is None else counts * own
    if counts is None:
        return sums / whole
    return sums / (counts * whole if whole > 1 else counts)


def _cells_that_exist(like: Tensor, axis: WindowAxis) -> Tensor:
    """For each window along an axis, how many of its cells are in the input: [cells]."""
    graph, dtype = like.graph, like.dtype
    if all(isinstance(size, int) for size in (axis.size, axis.low, axis.cells)):
        starts = np.arange(axis.cells) * axis.stride - axis.low  # type: ignore[arg-type, operator]
        inside = np.minimum(starts + axis.span, axis.size) - np.maximum(starts, 0)  # type: ignore[type-var]
        return constant(graph, inside.astype(dtype))
    starts = iota(graph, dtype, (axis.cells,), 0) * axis.stride - like.count(axis.low)
    return (starts + axis.span).minimum(like.count(axis.size)) - starts.maximum(0)


def expand_global_pool(scope: Scope) -> Signal:
    """The maximum or mean of each channel over all spatial axes and valid steps: [N, *spatial, C] gives [N, C]."""
    signal = scope.input
    scope.check_rank(signal, "[N, …, C]", signal.rank >= 3)
    x, valid = scope.floats(signal), signal.valid_like()
    spatial = range(1, signal.rank - 1)
    if isinstance(scope.spec, GlobalMaxPool):
        return scope.give((x if valid is None else where(valid, x, -_INFINITY)).reduce("max", spatial))
    if valid is None:
        return scope.give(x.mean(spatial))
    shape = (signal.shape[0], signal.shape[-1])
    count = valid.cast(scope.dtype).sum(spatial).maximum(1)
    return scope.give(where(valid, x, 0).sum(spatial) / count.to(shape))
