"""Pools: over windows, and over all cells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce

import numpy as np

from netwright.specs.dims import product
from netwright.specs.models.layers.pool import (
    GlobalLpPool,
    GlobalMaxPool,
    GlobalMeanPool,
    GlobalPool,
    LpPool,
    MaxPool,
    MeanPool,
    Pool,
)

from ...ops.views.slice_pad import SliceAttributes
from ...ops.windows.reduce_window import ReduceWindowAttributes
from ..expansion import Expansion
from ..functions.arithmetic import constant_power
from ..scope import Scope, Signal
from ..tensor import Tensor, constant, full, iota, where
from .picking import LARGEST_TABLE
from .window import WindowAxis, check_windows, pad_windows

_INFINITY = float("inf")


def expand_pool(scope: Scope) -> Signal | Mapping[str, Signal]:
    """The maximum, mean or norm of each window, over the cells that exist."""
    spec = scope.spec
    assert isinstance(spec, Pool)
    axes = check_windows(scope)
    x = scope.floats(scope.input)
    if isinstance(spec, MaxPool):
        filled = pad_windows(x, axes, -_INFINITY)
        if "indices" in scope.ports:
            y, indices = _with_indices(filled, axes)
            return {"": scope.give(y), "indices": scope.give(indices)}
        return scope.give(_pooled("max", filled, axes))
    if isinstance(spec, LpPool):
        powers = constant_power(x.abs(), spec.p)
        return scope.give(_root(_pooled("sum", pad_windows(powers, axes, 0), axes), spec.p))
    assert isinstance(spec, MeanPool)
    sums = _pooled("sum", pad_windows(x, axes, 0), axes)
    return scope.give(_divided(sums, axes, spec.count_include_pad))


def _pooled(op: str, x: Tensor, axes: Sequence[WindowAxis]) -> Tensor:
    """The maximum or sum of each window of a padded input."""
    if all(axis.dilation == 1 for axis in axes):
        attrs = ReduceWindowAttributes(
            op, (1, *(axis.window for axis in axes), 1), (1, *(axis.stride for axis in axes), 1)
        )
        return x.apply("reduce_window", attrs=attrs)
    for position in reversed(range(len(axes))):
        taps = [_tap(x, 1 + position, axes[position], tap) for tap in range(axes[position].window)]
        # Of equal values the second operand counts as the maximum: the one found first.
        x = reduce((lambda best, tap: tap.maximum(best)) if op == "max" else Tensor.__add__, taps)
    return x


def _tap(x: Tensor, axis: int, window: WindowAxis, tap: int) -> Tensor:
    """The cells at one position of all windows along an axis."""
    first = tap * window.dilation
    along = SliceAttributes.along(x.shape, axis, first, first + (window.cells - 1) * window.stride + 1)
    strides = tuple(window.stride if i == axis else 1 for i in range(x.rank))
    return x.apply("slice", attrs=SliceAttributes(along.start, along.limit, strides))


def _with_indices(x: Tensor, axes: Sequence[WindowAxis]) -> tuple[Tensor, Tensor]:
    """The maxima, and the position of the first of each in the input, row-major over its spatial axes: int64."""
    graph = x.graph
    indices = full(graph, 0, x.type.with_dtype("int64"))
    for position in reversed(range(len(axes))):
        axis, window = 1 + position, axes[position]
        step = product(other.size for other in axes[position + 1 :])
        best: Tensor | None = None
        chosen = indices
        for tap in range(window.window):
            value, inner = _tap(x, axis, window, tap), _tap(indices, axis, window, tap)
            start = iota(graph, "int64", value.shape, axis) * window.stride + tap * window.dilation
            here = inner + (start - start.count(window.low)) * start.count(step)
            if best is None:
                best, chosen = value, here
                continue
            first_nan = value.compare("ne", value).both(best.compare("eq", best))
            better = value.compare("gt", best).either(first_nan)
            best, chosen = value.maximum(best), where(better, here, chosen)
        assert best is not None
        x, indices = best, chosen
    return x, indices


def _root(x: Tensor, p: int) -> Tensor:
    return x if p == 1 else constant_power(x, 1 / p)


def _divided(sums: Tensor, axes: list[WindowAxis], padding_counts: bool) -> Tensor:
    """Sums over windows divided by the number of cells in each: those that exist, or all except those beyond the
    padding."""
    whole = 1
    counts: Tensor | None = None
    for position, axis in enumerate(axes):
        if axis.fits_whole and (padding_counts or (axis.low == 0 and axis.high == 0)):
            whole *= axis.window
            continue
        shape = (1,) * position + (axis.cells,) + (1,) * (len(axes) - position)
        own = _counted_cells(sums, axis, padding_counts).reshape(shape)
        counts = own if counts is None else counts * own
    if counts is None:
        return sums / whole
    return sums / (counts * whole if whole > 1 else counts)


def _counted_cells(like: Tensor, axis: WindowAxis, padding_counts: bool) -> Tensor:
    """How many cells of each window along an axis count: [cells]."""
    graph, dtype = like.graph, like.dtype
    first = -axis.low if padding_counts else 0
    limit = axis.size + axis.high if padding_counts else axis.size
    known = all(isinstance(size, int) for size in (first, limit, axis.low, axis.cells))
    if known and axis.cells * axis.window <= LARGEST_TABLE:  # type: ignore[operator]
        starts = np.arange(axis.cells) * axis.stride - axis.low  # type: ignore[arg-type, operator]
        cells = starts[:, None] + np.arange(axis.window) * axis.dilation
        inside = ((cells >= first) & (cells < limit)).sum(1)  # type: ignore[operator]
        return constant(graph, inside.astype(dtype))
    starts = iota(graph, dtype, (axis.cells,), 0) * axis.stride - like.count(axis.low)
    ends_inside = axis.fits_whole and axis.high == 0  # so that nothing depends on the size
    if axis.dilation == 1:
        ends = starts + axis.window
        return (ends if ends_inside else ends.minimum(like.count(limit))) - starts.maximum(like.count(first))
    cells = [starts + tap * axis.dilation for tap in range(axis.window)]
    low = like.count(first)
    inside = [cell.compare("ge", low) for cell in cells]
    if not ends_inside:
        high = like.count(limit)
        inside = [begun.both(cell.compare("lt", high)) for begun, cell in zip(inside, cells, strict=True)]
    return reduce(Tensor.__add__, [each.cast(dtype) for each in inside])


def expand_global_pool(scope: Scope) -> Signal:
    """The maximum, mean or norm of each channel over all spatial axes and valid steps: [N, *spatial, C] gives
    [N, C], or [N, 1, …, C]."""
    spec, signal = scope.spec, scope.input
    assert isinstance(spec, GlobalPool)
    scope.check_rank(signal, "[N, …, C]", signal.rank >= 3)
    pooled = _pooled_whole(scope, spec, signal)
    if spec.keepdims:
        pooled = pooled.reshape((signal.shape[0], *(1,) * (signal.rank - 2), signal.shape[-1]))
    return scope.give(pooled)


def _pooled_whole(scope: Scope, spec: GlobalPool, signal: Signal) -> Tensor:
    """[N, C]."""
    x, valid = scope.floats(signal), signal.valid_like()
    spatial = range(1, signal.rank - 1)
    if isinstance(spec, GlobalMaxPool):
        return (x if valid is None else where(valid, x, -_INFINITY)).reduce("max", spatial)
    if isinstance(spec, GlobalLpPool):
        powers = constant_power(x.abs(), spec.p)
        return _root((powers if valid is None else where(valid, powers, 0)).sum(spatial), spec.p)
    if valid is None:
        return x.mean(spatial)
    shape = (signal.shape[0], signal.shape[-1])
    count = valid.cast(scope.dtype).sum(spatial).maximum(1)
    return where(valid, x, 0).sum(spatial) / count.to(shape)


EXPANSIONS = {
    Pool: Expansion(expand_pool),
    GlobalMaxPool: Expansion(expand_global_pool, honours_lengths=True),
    GlobalMeanPool: Expansion(expand_global_pool, honours_lengths=True),
    GlobalLpPool: Expansion(expand_global_pool, honours_lengths=True),
}
