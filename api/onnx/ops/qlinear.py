"""Operators on integers with scales, as ONNX Runtime's static quantization writes them.

Each computes what QuantizeLinear and DequantizeLinear around the same operator on floats compute or, if its sums are
sums of integers, these sums.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from netwright.specs.dims import product

from ..context import Context
from ..errors import Refusal
from ..operands import Held, Known, Value, dims_array, known_dims
from ..tensors import HELD_AS
from .broadcast import equation
from .quantized import dequantized, quantized
from .quantized_products import centred
from .reduce import reduced
from .table import RUNTIME_OPS, op


def _scale(ctx: Context, position: int) -> Known:
    """The single scale of a tensor. Raises Refusal."""
    scale = ctx.array(position, "the scale")
    if scale.size != 1 or not np.isfinite(scale).all() or not (scale > 0).all():
        raise Refusal(f"operand {position} is no scale of a whole tensor")
    return Known.of(scale.reshape(()))


def _zero(ctx: Context, position: int) -> Known | None:
    """The single zero point of a tensor, which may be missing. Raises Refusal."""
    if not ctx.has(position):
        return None
    zero = ctx.array(position, "the zero point")
    if zero.size != 1:
        raise Refusal(f"operand {position} is no zero point of a whole tensor")
    return Known(zero.reshape(()), ctx.dtype(position))


def _whole(ctx: Context, position: int) -> Held:
    """An operand of integers. Raises Refusal."""
    value = ctx.settled(ctx.value(position))
    if value.dtype not in ("int8", "uint8", "int16", "uint16"):
        raise Refusal(f"operand {position} is {value.dtype}")
    return value


def _floats(ctx: Context, position: int, scale: int, zero: int) -> Held:
    """An operand converted to floats."""
    return dequantized(ctx, _whole(ctx, position), _scale(ctx, scale), _zero(ctx, zero))


def _give(ctx: Context, value: Value, scale: int, zero: int) -> None:
    """A result converted to integers with a scale."""
    point = _zero(ctx, zero)
    dtype = point.dtype if point is not None else ctx.dtype(0)
    ctx.give(quantized(ctx, ctx.settled(value), _scale(ctx, scale), point, dtype))


def _give_whole(
    ctx: Context, text: str, operands: Mapping[str, Value], zero: int, *, inside: bool = False
) -> None:
    """A result that is computed in units of its scale.

    ``inside``: the runtime adds the zero point before it rounds, which matters halfway between two integers.
    """
    point = _zero(ctx, zero)
    added = int(point.array.item()) if point is not None else 0
    term = f" {'+' if added > 0 else '-'} {abs(added)}" if added else ""
    _give_codes(ctx, f"round({text}{term})" if inside else f"round({text}){term}", operands, zero)


def _give_codes(ctx: Context, text: str, operands: Mapping[str, Value], zero: int) -> None:
    """A result, clipped to the range of its type."""
    dtype = ctx.dtype(zero) if ctx.has(zero) else ctx.dtype(0)
    limits = np.iinfo(dtype)
    text = f"cast(clip({text}, {limits.min}, {limits.max}), {HELD_AS.get(dtype, dtype)})"
    made = equation(ctx, text, operands, fallback="quantize")
    ctx.give(Held(made.ref, dtype, made.shape, made.axes))


@op("QLinearAdd", since=1, table=RUNTIME_OPS)
def qlinear_add(ctx: Context) -> None:
    """A sum of quantized operands, quantized."""
    a, b, c = (_scale(ctx, position).array.astype(np.float32) for position in (1, 4, 6))
    f, g = a / c, b / c
    points = [
        np.float32(0 if zero is None else zero.array.item()) for zero in (_zero(ctx, i) for i in (2, 5, 7))
    ]
    # Order of operations as in the runtime, which decides how sums halfway between two integers are rounded.
    fixed = np.float32(float(f) * float(points[0]) + float(g * points[1]))
    numbers = {"f": f, "g": g, "k": points[2] - fixed}
    operands: dict[str, Value] = {name: Known.of(np.asarray(number)) for name, number in numbers.items()}
    operands |= {"a": _whole(ctx, 0), "b": _whole(ctx, 3)}
    dtype = ctx.writer.dtype
    _give_codes(ctx, f"round(cast(b, {dtype}) * g + k + cast(a, {dtype}) * f)", operands, 7)


@op("QLinearMul", since=1, table=RUNTIME_OPS)
def qlinear_mul(ctx: Context) -> None:
    """A product of quantized operands, element by element, quantized."""
    a, b, c = (_scale(ctx, position).array.astype(np.float32) for position in (1, 4, 6))
    operands: dict[str, Value] = {"a": centred(ctx, 0, 2), "b": centred(ctx, 3, 5)}
    operands["f"] = Known.of(np.asarray(a * b / c, np.float32))
    _give_whole(ctx, "a * b * f", operands, 7, inside=True)


@op("QLinearSigmoid", since=1, table=RUNTIME_OPS)
def qlinear_sigmoid(ctx: Context) -> None:
    """The logistic function of quantized numbers, quantized."""
    _give(ctx, ctx.conversion.operation("Sigmoid", [_floats(ctx, 0, 1, 2)]), 3, 4)


@op("QLinearLeakyRelu", attributes="alpha", since=1, table=RUNTIME_OPS)
def qlinear_leaky_relu(ctx: Context) -> None:
    """x where x ≥ 0, else alpha·x, of quantized numbers, quantized."""
    value = _floats(ctx, 0, 1, 2)
    _give(ctx, ctx.conversion.operation("LeakyRelu", [value], **ctx.node.attributes), 3, 4)


@op("QLinearSoftmax", attributes="axis opset", since=1, table=RUNTIME_OPS)
def qlinear_softmax(ctx: Context) -> None:
    """exp(x) / Σ exp(x) of quantized numbers, quantized."""
    value = _floats(ctx, 0, 1, 2)
    old = ctx.integer("opset", 13) < 13
    axis = ctx.axis(1 if old else -1, value.rank)
    if old and axis != value.rank - 1 and any(size != 1 for size in value.shape[axis + 1 :]):
        raise Refusal("a softmax over several axes is not supported", "axis")
    softmax = ctx.conversion.operation("Softmax", [value], axis=axis)
    # The runtime multiplies by an integer; the scale is usually 1/256.
    units = np.floor(np.float32(1) / _scale(ctx, 3).array.astype(np.float32))
    _give_whole(ctx, "x * f", {"x": softmax, "f": Known.of(np.asarray(units, np.float32))}, 4)


@op("QLinearConcat", attributes="axis", since=1, table=RUNTIME_OPS)
def qlinear_concat(ctx: Context) -> None:
    """Quantized operands of different scales joined along an axis, quantized."""
    positions = range(2, len(ctx.node.inputs), 3)
    parts = []
    for position in positions:
        value = ctx.settled(ctx.value(position))
        if _is_alike(ctx, position):
            parts.append(value)
            continue
        floats = _floats(ctx, position, position + 1, position + 2)
        point = _zero(ctx, 1)
        dtype = point.dtype if point is not None else value.dtype
        parts.append(quantized(ctx, floats, _scale(ctx, 0), point, dtype))
    if len({part.dtype for part in parts}) > 1:
        raise Refusal(f"operands of the types {', '.join(part.dtype for part in parts)}")
    result = ctx.conversion.operation("Concat", parts, axis=ctx.axis(0, parts[0].rank))
    ctx.give(result)


def _is_alike(ctx: Context, position: int) -> bool:
    """Whether an operand already has the result's scale and zero point."""
    if _scale(ctx, position + 1).array != _scale(ctx, 0).array:
        return False
    points = [_zero(ctx, index) for index in (position + 2, 1)]
    numbers = {0 if zero is None else int(zero.array.item()) for zero in points}
    types = {ctx.dtype(position) if zero is None else zero.dtype for zero in points}
    return len(numbers) == len(types) == 1


@op("QLinearWhere", since=1, table=RUNTIME_OPS)
def qlinear_where(ctx: Context) -> None:
    """One of two quantized operands, element by element, quantized."""
    operands: dict[str, Value] = {
        "c": ctx.value(0),
        "a": _floats(ctx, 1, 2, 3),
        "b": _floats(ctx, 4, 5, 6),
    }
    _give(ctx, equation(ctx, "where(c, a, b)", operands, fallback="where"), 7, 8)


# Means of integers.


@op("QLinearGlobalAveragePool", attributes="channels_last", since=1, table=RUNTIME_OPS)
def qlinear_global_average_pool(ctx: Context) -> None:
    """The mean of each channel of quantized numbers, quantized."""
    value = _channels_second(ctx, centred(ctx, 0, 2))
    if value.rank < 3:
        raise Refusal(f"an input of {value.rank} axes")
    axes = list(range(2, value.rank))
    _give_mean(ctx, reduced(ctx, value, axes, "sum"), value, axes)


def _give_mean(ctx: Context, total: Held, value: Held, axes: list[int]) -> None:
    """Sums divided by their counts, as integers with another scale."""
    ratio = np.float32(_scale(ctx, 1).array) / np.float32(_scale(ctx, 3).array)
    count = product([value.shape[axis] for axis in axes])
    if isinstance(count, int):
        operands: dict[str, Value] = {"x": total, "f": Known.of(np.asarray(ratio / np.float32(count)))}
        text = "x * f"
    else:
        size = known_dims(dims_array([count]).reshape(()), "int64")
        operands = {"x": total, "r": Known.of(np.asarray(ratio)), "n": size}
        text = f"x * (r / cast(n, {ctx.writer.dtype}))"
    _give_whole(ctx, text, operands, 4)
    _restore(ctx)


@op(
    "QLinearAveragePool",
    attributes="auto_pad ceil_mode channels_last count_include_pad kernel_shape pads strides",
    since=1,
    table=RUNTIME_OPS,
)
def qlinear_average_pool(ctx: Context) -> None:
    """The mean of each window of quantized numbers, quantized."""
    if ctx.integer("ceil_mode", 0) and ctx.integer("count_include_pad", 0):
        raise Refusal("what lies beyond the padding counts too where ceil_mode is set", "count_include_pad")
    value = _channels_second(ctx, _floats(ctx, 0, 1, 2))
    attributes: dict[str, Any] = {k: v for k, v in ctx.node.attributes.items() if k != "channels_last"}
    pooled = ctx.conversion.operation("AveragePool", [value], **attributes)
    _give_whole(ctx, "x / s", {"x": pooled, "s": _scale(ctx, 3)}, 4, inside=True)
    _restore(ctx)


def _channels_second(ctx: Context, value: Held) -> Held:
    """The operand of a pool with its channels second, if they are last."""
    if not ctx.integer("channels_last", 0):
        return value
    return _ordered(value, (0, value.rank - 1, *range(1, value.rank - 1)))


def _restore(ctx: Context) -> None:
    """The result with its channels last again, if the operand had them last."""
    result = ctx.results[0]
    if ctx.integer("channels_last", 0) and isinstance(result, Held):
        ctx.results[0] = _ordered(result, (0, *range(2, result.rank), 1))


def _ordered(value: Held, order: tuple[int, ...]) -> Held:
    """The same tensor with its logical axes in another order."""
    axes = tuple(None if axis is None else order.index(axis) for axis in value.axes)
    return Held(value.ref, value.dtype, tuple(value.shape[axis] for axis in order), axes)
