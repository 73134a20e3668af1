"""Reductions, the position of extrema, and what normalizations are made of."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..context import Context
from ..errors import Refusal
from ..fold import axes_of, checked_axis
from ..values import Held, Known, is_one
from .broadcast import equation
from .shape import unbatched
from .table import op

#: What is done to the elements, how they are reduced, and what is done to the result.
_FORMS = {
    "ReduceSum": ("x", "sum", "y"),
    "ReduceMean": ("x", "mean", "y"),
    "ReduceMax": ("x", "max", "y"),
    "ReduceMin": ("x", "min", "y"),
    "ReduceL1": ("abs(x)", "sum", "y"),
    "ReduceL2": ("x * x", "sum", "sqrt(y)"),
    "ReduceLogSum": ("x", "sum", "log(y)"),
    "ReduceSumSquare": ("x * x", "sum", "y"),
}


def reduced(ctx: Context, value: Held, axes: Sequence[int], form: str, fallback: str) -> Held:
    """``value`` reduced along logical axes, which stay with size 1. ``form`` has `x`, and a function around it as in
    `sqrt(sum(x * x))`: the outermost `sum`, `mean`, `max` or `min` is applied axis by axis."""
    inside, function, after = form.split("|")
    positions = sorted(
        value.axes.index(axis) for axis in axes if axis in value.axes and not is_one(value.shape[axis])
    )
    text = inside
    for position in reversed(positions):
        text = f"{function}({text}, axis={position})"
    text = _put(after, "y", text)
    kept = tuple(axis for i, axis in enumerate(value.axes) if i not in positions)
    shape = tuple(1 if axis in axes else size for axis, size in enumerate(value.shape))
    if text == "x":
        return Held(value.ref, value.dtype, shape, value.axes)
    ref = ctx.layer("expression", [value.ref], {"value": text}, variables=["x"], fallback=fallback)
    type = ctx.writer.sketch.type_of(ref)
    if not kept:
        ref, kept = ctx.writer.reshaped(ref, (1,)), (None,)
    return Held(ref, type.dtype, shape, kept)


def _put(text: str, name: str, value: str) -> str:
    if text == name:
        return value
    return text.replace(f"({name})", f"({value})")


def dropped(value: Held, axes: Sequence[int]) -> Held:
    """A value without logical axes of size 1."""
    rest = [axis for axis in range(value.rank) if axis not in axes]
    moved = {axis: position for position, axis in enumerate(rest)}
    held = tuple(moved.get(axis) if axis is not None else None for axis in value.axes)
    return Held(value.ref, value.dtype, tuple(value.shape[axis] for axis in rest), held)


def reduced_axes(ctx: Context, rank: int) -> list[int] | None:
    """The axes of a reduction: attribute, or operand; None where nothing is done."""
    if ctx.has(1):
        ctx.array(1, "the list of axes")
    axes = axes_of([None, ctx.known(1)], 1, ctx.node.attributes)
    if not axes:
        return None if ctx.integer("noop_with_empty_axes", 0) else list(range(rank))
    return sorted({checked_axis(axis, rank) for axis in axes})


@op(*_FORMS, "ReduceLogSumExp", "ReduceProd", attributes="axes keepdims noop_with_empty_axes")
def reduce(ctx: Context) -> None:
    """Axes reduced to one value."""
    kind = ctx.node.op
    axes = reduced_axes(ctx, len(ctx.shape()))
    given = ctx.value()
    if isinstance(given, Known) and 0 in given.shape:
        return ctx.give(_of_nothing(ctx, given, axes if axes is not None else []))
    value = ctx.held()
    if axes is None:
        if kind in ("ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceProd"):
            return ctx.give(value)
        axes = []
    boolean = value.dtype == "bool"
    if boolean:
        value = equation(ctx, "cast(x, int32)", {"x": value}, fallback="cast")
    if kind == "ReduceLogSumExp":
        found = _log_sum_exp(ctx, value, axes)
    elif kind == "ReduceProd":
        found = _product(ctx, value, axes)
    else:
        inside, function, after = _FORMS[kind]
        if function == "mean" and value.dtype not in ("float32", "float64"):
            raise Refusal(f"the mean of {value.dtype}")
        if inside == "x * x" and value.dtype not in ("float32", "float64") and "sqrt" in after:
            raise Refusal(f"the root of {value.dtype}")
        found = reduced(ctx, value, axes, f"{inside}|{function}|{after}", kind.removeprefix("Reduce").lower())
    if boolean:
        found = equation(ctx, "x != 0", {"x": found}, fallback="cast")
    ctx.give(found if ctx.integer("keepdims", 1) else dropped(found, axes))


def _of_nothing(ctx: Context, value: Known, axes: list[int]) -> Known:
    """What an empty operand is reduced to: the neutral element."""
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


def _log_sum_exp(ctx: Context, value: Held, axes: list[int]) -> Held:
    largest = reduced(ctx, value, axes, "x|max|y", "max")
    # An infinite maximum is not subtracted: it would leave no number.
    finite = equation(ctx, "where(isinf(m), 0.0, m)", {"m": largest}, fallback="shift")
    shifted = equation(ctx, "exp(x - m)", {"x": value, "m": finite}, fallback="exp")
    total = reduced(ctx, shifted, axes, "x|sum|y", "sum")
    return equation(ctx, "log(s) + m", {"s": total, "m": finite}, fallback="logsumexp")


def _product(ctx: Context, value: Held, axes: list[int]) -> Held:
    raise Refusal("there is no layer for products along an axis")


@op("ArgMax", "ArgMin", attributes="axis keepdims select_last_index")
def arg_extremum(ctx: Context) -> None:
    """The position of the largest or smallest element, the first or the last of equal ones."""
    value = ctx.held()
    axis = ctx.axis(0, value.rank)
    if is_one(value.shape[axis]):
        raise Refusal("the axis has one element")
    value = unbatched(ctx, value, axis)
    if ctx.node.op == "ArgMin":
        value = equation(ctx, "-x", {"x": value}, fallback="neg")
        value = unbatched(ctx, value, axis)
    position, last = value.axes.index(axis), ctx.integer("select_last_index", 0)
    ref = value.ref
    if last:
        ref = ctx.layer("slice", [ref], {"axes": [position], "steps": [-1]})
    ref = ctx.layer("argmax", [ref], {"axis": position} if position != len(value.axes) - 1 else None)
    shape = tuple(1 if i == axis else size for i, size in enumerate(value.shape))
    kept = tuple(one for one in value.axes if one != axis)
    found = Held(ref, "int64", shape, kept)
    if last:
        found = equation(ctx, f"{int(value.shape[axis]) - 1} - x", {"x": found}, fallback="last")  # type: ignore
    ctx.give(found if ctx.integer("keepdims", 1) else dropped(found, [axis]))
