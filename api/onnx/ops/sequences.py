"""Sequences of tensors: made, read, and joined to one tensor."""

from __future__ import annotations

from dataclasses import replace

from ..arrange import settled
from ..context import Context
from ..errors import OnnxError, Refusal
from ..fold.table import checked_axis
from ..listing import in_a_row, moved, stack_of, stacked
from ..operands import Known, Listed, Value, dims_array
from ..tensors import network_dtype
from .table import op


def _listed(ctx: Context) -> Listed:
    """The first operand. Raises Refusal unless it is a sequence."""
    value = ctx.value()
    if not isinstance(value, Listed):
        raise Refusal("a sequence of tensors is expected")
    return value


def _tensor(ctx: Context, position: int) -> Value:
    """An operand that is a tensor, in the form in which sequences store it."""
    value = ctx.value(position)
    return value if isinstance(value, Known) else settled(ctx.writer, value)


def _place(ctx: Context, count: int, *, end: bool = False) -> int:
    """The position among ``count`` tensors, or after the last one, that the last operand gives. Raises Refusal."""
    position = int(ctx.array(len(ctx.node.inputs) - 1, "the position").reshape(()).item())
    if not -count <= position < count + end:
        raise Refusal(f"there is no position {position} among {count} tensors")
    return position % count if position < 0 else position


@op("SequenceEmpty", attributes="dtype", since=11)
def sequence_empty(ctx: Context) -> None:
    """A sequence without tensors."""
    try:
        element = network_dtype(ctx.integer("dtype", 1))
    except OnnxError as error:
        raise Refusal(str(error), "dtype") from None
    ctx.give(Listed(element))


@op("SequenceConstruct", since=11)
def sequence_construct(ctx: Context) -> None:
    """A sequence of the operands."""
    items = tuple(_tensor(ctx, position) for position in range(len(ctx.node.inputs)))
    ctx.give(Listed(items[0].dtype, items))  # type: ignore[arg-type]


@op("SequenceInsert", since=11)
def sequence_insert(ctx: Context) -> None:
    """A sequence with one more tensor, at a known position or at the end."""
    listed, item = _listed(ctx), _tensor(ctx, 1)
    if listed.element != item.dtype:
        raise Refusal(f"a sequence of {listed.element} has no tensor of {item.dtype}")
    if listed.whole is not None and not ctx.has(2):
        rows = [listed.whole, stacked(ctx, [item], 0)]
        return ctx.give(_of_whole(ctx.conversion.operation("Concat", rows, axis=0)))
    if listed.whole is not None:
        raise Refusal(f"a position in a sequence of {listed.count} tensors")
    place = _place(ctx, len(listed.items), end=True) if ctx.has(2) else len(listed.items)
    items = (*listed.items[:place], item, *listed.items[place:])
    ctx.give(replace(listed, items=items))  # type: ignore[arg-type]


@op("SequenceErase", since=11)
def sequence_erase(ctx: Context) -> None:
    """A sequence without the tensor at a known position, or without the last one."""
    listed = _listed(ctx)
    if listed.whole is not None:
        raise Refusal(f"a sequence of {listed.count} parts of one tensor is made shorter")
    if not listed.items:
        raise Refusal("a sequence without tensors is made shorter")
    place = _place(ctx, len(listed.items)) if ctx.has(1) else len(listed.items) - 1
    ctx.give(replace(listed, items=listed.items[:place] + listed.items[place + 1 :]))


@op("SequenceAt", since=11)
def sequence_at(ctx: Context) -> None:
    """The tensor at a position."""
    listed = _listed(ctx)
    if listed.whole is not None:
        return ctx.give(ctx.conversion.operation("Gather", [listed.whole, ctx.value(1)], axis=0))
    ctx.give(listed.items[_place(ctx, len(listed.items))])


@op("SequenceLength", since=11)
def sequence_length(ctx: Context) -> None:
    """How many tensors there are."""
    ctx.give(Known(dims_array([_listed(ctx).count]).reshape(()), "int64"))


@op("SplitToSequence", attributes="axis keepdims", since=11)
def split_to_sequence(ctx: Context) -> None:
    """The parts of an axis: of size one each, or of known sizes."""
    value = ctx.settled(ctx.value())
    axis = ctx.axis(0, value.rank)
    parts = ctx.array(1, "the sizes of the parts") if ctx.has(1) else None
    size = value.shape[axis]
    if parts is None or (not parts.ndim and parts.item() == 1):
        order = (axis, *(other for other in range(value.rank) if other != axis))
        whole = ctx.conversion.operation("Transpose", [value], perm=order)
        if ctx.integer(
            "keepdims", 1
        ):  # for parts of size 1 ONNX Runtime drops the axis too, and PyTorch relies on it
            axes = ([[axis + 1]], {}) if ctx.opset >= 13 else ([], {"axes": (axis + 1,)})
            whole = ctx.conversion.operation("Unsqueeze", [whole, *axes[0]], **axes[1])
        return ctx.give(_of_whole(whole))
    if not isinstance(size, int):
        raise Refusal(f"parts of several cells along the open size {size}")
    step = int(parts.item()) if not parts.ndim else 0
    if not parts.ndim and step < 1:
        raise Refusal(f"parts of {step} cells")
    sizes = [min(step, size - at) for at in range(0, size, step)] if not parts.ndim else parts.tolist()
    if min(sizes, default=0) < 0 or sum(sizes) != size:
        raise Refusal(f"parts of {sizes} cells along an axis of {size}")
    ends = [sum(sizes[: i + 1]) for i in range(len(sizes))]
    cut = [([end - length], [end], [axis]) for length, end in zip(sizes, ends, strict=True)]
    items = tuple(ctx.conversion.operation("Slice", [value, *bounds]) for bounds in cut)
    ctx.give(Listed(value.dtype, items))  # type: ignore[arg-type]


@op("ConcatFromSequence", attributes="axis new_axis", since=11)
def concat_from_sequence(ctx: Context) -> None:
    """The tensors of a sequence joined along an axis or, with ``new_axis``, stacked along a new one."""
    listed = _listed(ctx)
    new = ctx.integer("new_axis", 0)
    if new not in (0, 1):
        raise Refusal(f"is 0 or 1, not {new}", "new_axis")
    if listed.whole is None and listed.items and not new:
        axis = ctx.axis(0, len(listed.items[0].shape))
        return ctx.give(ctx.conversion.operation("Concat", listed.items, axis=axis))
    stack = stack_of(ctx, listed)
    rank = len(stack.shape) - 1
    axis = checked_axis(ctx.integer("axis", 0), rank + new, attribute="axis")
    ctx.give(moved(ctx, stack, axis) if new else in_a_row(ctx, stack, axis))


def _of_whole(value: Value) -> Listed:
    assert not isinstance(value, Listed)
    return Listed(value.dtype, whole=value)
