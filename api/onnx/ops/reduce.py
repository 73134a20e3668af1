"""Reductions, and the positions of maxima and minima."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..arrange import channels_last
from ..context import Context
from ..errors import Refusal
from ..fold import axes_of, checked_axis
from ..operands import Held, Known, is_one
from .pool import pooled_whole
from .shape import unbatched
from .table import op

_KINDS = {
    "ReduceSum": "sum",
    "ReduceMean": "mean",
    "ReduceMax": "max",
    "ReduceMin": "min",
    "ReduceProd": "prod",
    "ReduceL1": "l1",
    "ReduceL2": "l2",
    "ReduceLogSum": "log_sum",
    "ReduceLogSumExp": "log_sum_exp",
    "ReduceSumSquare": "sum_square",
}
#: Reductions that leave a single number unchanged.
_PLAIN = ("sum", "mean", "max", "min", "prod")


def reduced(ctx: Context, value: Held, axes: Sequence[int], kind: str) -> Held:
    """``value`` reduced along logical axes, which are kept with size 1."""
    shape = tuple(1 if axis in axes else size for axis, size in enumerate(value.shape))
    positions = sorted(value.axes.index(axis) for axis in axes if axis in value.axes)
    if kind in _PLAIN and all(is_one(value.shape[axis]) for axis in axes):
        return Held(value.ref, value.dtype, shape, value.axes)
    if not positions:  # functions of a single number, reduced as if there were an axis
        value = Held(ctx.arranged(value, (*value.axes, None)), value.dtype, value.shape, (*value.axes, None))
        positions = [len(value.axes) - 1]
    keys: dict[str, Any] = {"op": kind, "axes": positions[0] if len(positions) == 1 else positions}
    kept = tuple(axis for i, axis in enumerate(value.axes) if i not in positions)
    if not kept:
        keys["keepdims"], kept = True, (None,) * len(positions)
    ref = ctx.layer("reduce", [value.ref], keys, fallback=kind)
    return Held(ref, ctx.writer.sketch.type_of(ref).dtype, shape, kept)


def dropped(value: Held, axes: Sequence[int]) -> Held:
    """A value without logical axes of size 1."""
    rest = [axis for axis in range(value.rank) if axis not in axes]
    moved = {axis: position for position, axis in enumerate(rest)}
    held = tuple(moved.get(axis) if axis is not None else None for axis in value.axes)
    return Held(value.ref, value.dtype, tuple(value.shape[axis] for axis in rest), held)


def reduced_axes(ctx: Context, rank: int) -> list[int] | None:
    """The axes of a reduction, from an attribute or operand; None if nothing is reduced."""
    if ctx.has(1):
        ctx.array(1, "the list of axes")
    axes = axes_of([None, ctx.known(1)], 1, ctx.node.attributes)
    if not axes:
        return None if ctx.integer("noop_with_empty_axes", 0) else list(range(rank))
    return sorted({checked_axis(axis, rank) for axis in axes})


@op(*_KINDS, attributes="axes keepdims noop_with_empty_axes")
def reduce(ctx: Context) -> None:
    """Axes reduced to one value."""
    kind = _KINDS[ctx.node.op]
    axes = reduced_axes(ctx, len(ctx.shape()))
    given = ctx.value()
    if isinstance(given, Known) and 0 in given.shape:
        return ctx.give(_of_nothing(ctx, given, axes if axes is not None else []))
    value = ctx.held()
    if axes is None:
        if kind in _PLAIN:
            return ctx.give(value)
        axes = []
    result = _pooled(ctx, value, axes, kind) or reduced(ctx, value, axes, kind)
    ctx.give(result if ctx.integer("keepdims", 1) else dropped(result, axes))


def _pooled(ctx: Context, value: Held, axes: Sequence[int], kind: str) -> Held | None:
    """The mean or maximum over all spatial axes of an image becomes a global pool."""
    rank = value.rank
    if kind not in ("mean", "max") or value.dtype != ctx.writer.dtype or not 3 <= rank <= 5:
        return None
    if axes != list(range(2, rank)) or value.axes != channels_last(rank):
        return None
    return pooled_whole(ctx, value, f"global_{kind}_pool", {})


def _of_nothing(ctx: Context, value: Known, axes: list[int]) -> Known:
    """The result for an empty operand: the neutral element."""
    kind = ctx.node.op
    numbers = {"ReduceProd": 1, "ReduceMax": -np.inf, "ReduceMin": np.inf}
    numbers |= {"ReduceLogSum": -np.inf, "ReduceLogSumExp": -np.inf, "ReduceMean": np.nan}
    number = numbers.get(kind, 0)
    dtype = np.dtype(value.dtype)
    if dtype.kind in "iub" and not np.isfinite(number):
        if kind not in ("ReduceMax", "ReduceMin"):
            raise Refusal("there is no such number for integers")
        if dtype.kind == "b":
            number = kind == "ReduceMin"
        else:
            number = np.iinfo(dtype).min if kind == "ReduceMax" else np.iinfo(dtype).max
    keep = ctx.integer("keepdims", 1)
    shape = [1 if i in axes else s for i, s in enumerate(value.shape) if keep or i not in axes]
    sizes = [size for size in shape if isinstance(size, int)]
    if len(sizes) < len(shape):
        raise Refusal("nothing is reduced over an open size")
    return Known.of(np.full(sizes, number, dtype))


@op("ArgMax", "ArgMin", attributes="axis keepdims select_last_index")
def arg_extremum(ctx: Context) -> None:
    """The position of the largest or smallest element, the first or last of equal ones."""
    value = ctx.held()
    axis = ctx.axis(0, value.rank)
    value = unbatched(ctx, value, axis)
    position = value.axes.index(axis)
    keys: dict[str, Any] = {"axis": position} if position != len(value.axes) - 1 else {}
    if ctx.integer("select_last_index", 0):
        keys["last"] = True
    ref = ctx.layer(ctx.node.op.lower(), [value.ref], keys)
    shape = tuple(1 if i == axis else size for i, size in enumerate(value.shape))
    result = Held(ref, "int64", shape, tuple(other for other in value.axes if other != axis))
    ctx.give(result if ctx.integer("keepdims", 1) else dropped(result, [axis]))
