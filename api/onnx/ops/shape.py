"""Operators that move values. Those that only change how values are held cost nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from netwright.specs.dims import Dim, DimLike, bounds, product

from ..arrange import identity, regrouped
from ..context import Context
from ..errors import Refusal
from ..fold import axes_of, checked_axis
from ..fold.ratio import Ratio
from ..fold.shapes import reshaped
from ..operands import Held, Known, dims_array, known_dims
from .table import op


@op(
    "Constant",
    attributes="value value_float value_floats value_int value_ints",
)
def constant(ctx: Context) -> None:
    """A value of the file."""
    for name, dtype in {
        "value": None,
        "value_float": np.float32,
        "value_floats": np.float32,
        "value_int": np.int64,
        "value_ints": np.int64,
    }.items():
        value = ctx.attribute(name)
        if value is not None:
            return ctx.give(Known.of(np.asarray(value, dtype), ctx.node.outputs[0]))
    raise Refusal("no value is given")


@op("Shape", attributes="start end")
def shape(ctx: Context) -> None:
    """The sizes of the operand."""
    sizes = list(ctx.shape())
    start, end = ctx.integer("start", 0), ctx.integer("end", len(sizes))
    ctx.give(known_dims(dims_array(sizes[slice(start, end)])))


@op("Size")
def size(ctx: Context) -> None:
    """The number of elements."""
    total = dims_array([product(ctx.shape())])
    ctx.give(known_dims(total.reshape(())))


@op("Range", since=11)
def range_(ctx: Context) -> None:
    """A range of whole numbers. Its length may be open only if it runs from 0 to the size of an existing axis."""
    start, limit, delta = (_whole(ctx.sizes(position, "a range")[0]) for position in range(3))
    if (start, delta) != (0, 1) or not isinstance(limit, Dim):
        raise Refusal("a range of open length has to count from 0 in steps of 1")
    ref, axis = ctx.writer.axis_of(limit) or (_axis_made(ctx, limit), 0)
    rank = len(ctx.writer.sketch.type_of(ref).shape)
    dtype, numbers = ctx.dtype(1), f"index(x, axis={axis})"
    keys = {"value": numbers if dtype == "int64" else f"cast({numbers}, {dtype})"}
    made = ctx.layer("expression", [ref], keys, variables=["x"], fallback="index")
    if rest := [other for other in range(rank) if other != axis]:
        made = ctx.layer("slice", [made], {"axes": rest, "stops": [1] * len(rest)})
    axes = tuple(0 if other == axis else None for other in range(rank))
    ctx.writer.counts.add(made)
    ctx.give(ctx.held_as(made, axes, 1))


def _whole(size: Any) -> Any:
    """An open float as a whole number, if it is one."""
    return size.numerator if isinstance(size, Ratio) and size.denominator == 1 else size


def _axis_made(ctx: Context, size: Dim) -> str:
    """A value that has an axis of this open size and no other axis."""
    zero = ctx.writer.constant(np.zeros(1, ctx.writer.dtype), "")
    return ctx.layer("broadcast_to", [zero], {"shape": [str(size)]})


@op("Transpose", attributes="perm")
def transpose(ctx: Context) -> None:
    """Another order of the axes. The value stays as it is held."""
    value = ctx.settled(ctx.value())
    order = ctx.integers("perm", tuple(reversed(range(value.rank))))
    if order is None or sorted(order) != list(range(value.rank)):
        raise Refusal(f"{order} is no order of {value.rank} axes", "perm")
    axes = tuple(None if axis is None else order.index(axis) for axis in value.axes)
    ctx.give(Held(value.ref, value.dtype, tuple(value.shape[axis] for axis in order), axes))


@op("Squeeze", attributes="axes")
def squeeze(ctx: Context) -> None:
    """Removes axes of size 1. The value stays as it is held."""
    value = ctx.settled(ctx.value())
    if ctx.has(1):
        ctx.array(1, "the list of axes")
    axes = axes_of([None, ctx.known(1)], 1, ctx.node.attributes)
    gone = (
        [i for i, size in enumerate(value.shape) if size == 1]
        if axes is None
        else [checked_axis(axis, value.rank) for axis in axes]
    )
    for axis in gone:
        if isinstance(size := value.shape[axis], Dim) and bounds(size, ctx.writer.sketch.ranges) == (1, 1):
            operands = [Known.of(np.asarray([number])) for number in (0, 1, axis)]
            value = ctx.settled(
                ctx.conversion.operation("Slice", [value, *operands])
            )  # 1 for sizes that are kept
    if any(value.shape[axis] != 1 for axis in gone):
        raise Refusal(f"not all of the axes {gone} have size 1")
    ctx.give(regrouped(ctx.writer, value, tuple(s for i, s in enumerate(value.shape) if i not in gone)))


@op("Unsqueeze", attributes="axes")
def unsqueeze(ctx: Context) -> None:
    """Adds axes of size 1. The value stays as it is held."""
    value = ctx.settled(ctx.value())
    if ctx.has(1):
        ctx.array(1, "the list of axes")
    axes = axes_of([None, ctx.known(1)], 1, ctx.node.attributes)
    if axes is None:
        raise Refusal("no axes are given", "axes")
    rank = value.rank + len(axes)
    added = {checked_axis(axis, rank) for axis in axes}
    if len(added) < len(axes):
        raise Refusal(f"the axes {axes} are not all different", "axes")
    rest = iter(value.shape)
    ctx.give(regrouped(ctx.writer, value, tuple(1 if i in added else next(rest) for i in range(rank))))


@op("Reshape", attributes="allowzero")
def reshape(ctx: Context) -> None:
    """Another shape; 0 keeps a size, -1 is computed from the others."""
    target = ctx.sizes(1, "the new shape")
    value = ctx.held()
    shape = tuple(reshaped(value.shape, target, bool(ctx.integer("allowzero", 0))))
    before = ctx.writer.reshaped_from.get(value)
    if before is not None and before.shape == shape:  # this undoes the previous reshape
        return ctx.give(before)
    result = regrouped(ctx.writer, value, shape)
    if isinstance(result, Held) and result != value:
        ctx.writer.reshaped_from[result] = value
    ctx.give(result)


@op("Flatten", attributes="axis")
def flatten(ctx: Context) -> None:
    """A matrix: joins the axes before ``axis``, and those from it on."""
    value = ctx.settled(ctx.value())
    axis = ctx.axis(1, value.rank, end=True)
    target = (product(value.shape[:axis]), product(value.shape[axis:]))
    ctx.give(regrouped(ctx.writer, value, target))


@op("Concat", attributes="axis")
def concat(ctx: Context) -> None:
    """Concatenates operands along an axis."""
    values = [ctx.held(position) for position in range(len(ctx.operands)) if 0 not in ctx.shape(position)]
    if not values:
        raise Refusal("all operands are empty")
    first = values[0]
    axis = ctx.axis(1 if ctx.opset < 4 else 0, first.rank)
    if len(values) == 1:
        return ctx.give(first)
    if any(value.rank != first.rank for value in values):
        raise Refusal("the operands have different numbers of axes")
    best = max(values, key=lambda value: (axis in value.axes, len(value.axes)))
    wide = {i for value in values for i, size in enumerate(value.shape) if size != 1}
    axes = best.axes if axis in best.axes and wide <= set(best.axes) else identity(first.rank)
    axes = (None, *axes) if axes[0] == axis else axes
    refs = [ctx.arranged(value, axes) for value in values]
    position = axes.index(axis)
    keys = {"axis": position} if position != len(axes) - 1 else None
    ctx.give(ctx.held_as(ctx.layer("concat", refs, keys), axes, first.rank))


def unbatched(ctx: Context, value: Held, axis: int) -> Held:
    """``value`` held so that this logical axis is not the first: layers keep samples apart."""
    if axis in value.axes and value.axes.index(axis) > 0:
        return value
    axes = (None, *value.axes) if axis in value.axes else (*value.axes, axis)
    return Held(ctx.arranged(value, axes), value.dtype, value.shape, axes)


def with_last_joined(ctx: Context, value: Held, axes: list[int], apply: Callable[[Held], Held]) -> None:
    """Joins the trailing ``axes`` of ``value`` into one, applies a function, and splits them again."""
    start = axes[0]
    leading: tuple[DimLike, ...] = value.shape[:start] or (1,)
    joined = regrouped(ctx.writer, value, (*leading, product(value.shape[start:])), may_merge=False)
    assert isinstance(joined, Held)
    result = regrouped(ctx.writer, apply(joined), value.shape, may_merge=False)
    ctx.give(result)
