"""Sequences of tensors, and tensors that are stacked or joined from them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from netwright.specs.dims import product

from .errors import Refusal
from .operands import Known, Listed, Value, dims_array

if TYPE_CHECKING:
    from .context import Context


def stacked(ctx: Context, values: Sequence[Value], axis: int) -> Value:
    """Stacks values along a new axis."""
    axes = ([[axis]], {}) if ctx.opset >= 13 else ([], {"axes": (axis,)})
    rows = [ctx.conversion.operation("Unsqueeze", [value, *axes[0]], **axes[1]) for value in values]
    return ctx.conversion.operation("Concat", rows, axis=axis) if len(rows) > 1 else rows[0]


def stack_of(ctx: Context, listed: Listed) -> Value:
    """The tensors of a sequence stacked along a new first axis. Raises Refusal for an empty sequence and for different
    shapes.
    """
    if listed.whole is not None:
        return listed.whole
    if not listed.items:
        raise Refusal("a sequence without tensors gives nothing to stack")
    shapes = [f"[{', '.join(map(str, item.shape))}]" for item in listed.items]
    if len(set(shapes)) > 1:
        raise Refusal(f"the tensors of a sequence have the shapes {', '.join(dict.fromkeys(shapes))}")
    return stacked(ctx, listed.items, 0)


def moved(ctx: Context, value: Value, axis: int) -> Value:
    """Moves the first axis of a value to the position ``axis``."""
    order = [*range(1, axis + 1), 0, *range(axis + 1, len(value.shape))]
    return ctx.conversion.operation("Transpose", [value], perm=tuple(order)) if axis else value


def in_a_row(ctx: Context, value: Value, axis: int) -> Value:
    """Joins the parts of a value along its first axis, by their axis ``axis``."""
    value = moved(ctx, value, axis)
    shape = value.shape
    joined = (*shape[:axis], product(shape[axis : axis + 2]), *shape[axis + 2 :])
    return ctx.conversion.operation("Reshape", [value, Known(dims_array(joined), "int64")])
