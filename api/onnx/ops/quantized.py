"""Quantized networks: whole numbers with a scale and a zero point.

A QuantizeLinear whose result a DequantizeLinear of the same scale reads becomes a `fake_quantize` layer. What
multiplies whole numbers does so in floats that hold each sum exactly: float32 says all whole numbers up to 2^24, and a
kernel whose sums could be larger is taken apart into a higher and a lower part.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from netwright.specs.dims import Dim

from ..arrange import channels_last
from ..context import Context
from ..errors import Refusal
from ..fold import checked_axis
from ..network import Quantized
from ..tensors import HELD_AS, dtype_name
from ..values import Held, Known, Value
from .broadcast import equation
from .conv import convolved
from .linear import dense
from .reduce import dropped, reduced
from .table import op

#: Floats say all whole numbers up to this one.
EXACT = 2**24
#: Scales of an axis are written in the spec up to this many.
_WRITTEN = 16


@op("QuantizeLinear", attributes="axis block_size output_dtype precision saturate", since=10)
def quantize_linear(ctx: Context) -> None:
    """Floats to whole numbers: round(x / scale) + zero point, held within what the type can say."""
    ctx.floats()
    if ctx.integer("precision", 0):
        raise Refusal("dividing in another precision is not supported", "precision")
    value = ctx.settled(ctx.value(0))
    scale, zero = _scales(ctx, value)
    named = ctx.integer("output_dtype", 0)
    dtype = zero.dtype if zero is not None else dtype_name(named) if named else "uint8"
    if named and dtype_name(named) != dtype:
        raise Refusal(f"is not the zero point's type, {dtype}", "output_dtype")
    if dtype not in ("int8", "uint8", "int16", "uint16"):
        raise Refusal(f"whole numbers of type {dtype}")
    made = _codes(ctx, value, scale, zero, dtype)
    if isinstance(scale, Known) and not isinstance(zero, Held):
        ctx.writer.quantized[made.ref] = Quantized(value, scale.array, _numbers(zero, scale), dtype)
    ctx.give(made)


def _codes(ctx: Context, value: Held, scale: Value, zero: Value | None, dtype: str) -> Held:
    limits = np.iinfo(dtype)
    operands: dict[str, Value] = {"x": value, "s": scale}
    text = "round(x / s)"
    if zero is not None and not (isinstance(zero, Known) and not zero.array.any()):
        text += " + z"
        operands["z"] = _as_floats(ctx, zero)
    text = f"cast(clip({text}, {limits.min}, {limits.max}), {HELD_AS.get(dtype, dtype)})"
    found = equation(ctx, text, operands, fallback="quantize")
    return Held(found.ref, dtype, found.shape, found.axes)


@op("DequantizeLinear", attributes="axis block_size output_dtype", since=10)
def dequantize_linear(ctx: Context) -> None:
    """Whole numbers to floats: (x − zero point)·scale."""
    value = ctx.settled(ctx.value(0))
    scale, zero = _scales(ctx, value)
    named = ctx.integer("output_dtype", 0)
    if scale.dtype != ctx.writer.dtype or (named and dtype_name(named) != scale.dtype):
        raise Refusal(f"floats of type {dtype_name(named) if named else scale.dtype}")
    known = ctx.writer.quantized.get(value.ref)
    if known is not None and isinstance(scale, Known) and not isinstance(zero, Held):
        same = np.array_equal(known.scale, scale.array) and np.array_equal(known.zero, _numbers(zero, scale))
        if same and known.dtype == value.dtype:
            return ctx.give(_fake(ctx, known))
    operands: dict[str, Value] = {"x": value, "s": scale}
    text = f"cast(x, {ctx.writer.dtype})"
    if zero is not None and not (isinstance(zero, Known) and not zero.array.any()):
        text = f"({text} - z)"
        operands["z"] = _as_floats(ctx, zero)
    ctx.give(equation(ctx, f"{text} * s", operands, fallback="dequantize"))


def _fake(ctx: Context, known: Quantized) -> Held:
    """A layer that quantizes and dequantizes."""
    value, limits = known.source, np.iinfo(known.dtype)
    keys: dict[str, Any] = {}
    weights: dict[str, NDArray] = {}
    scales, zeros = known.scale.reshape(-1), known.zero.reshape(-1)
    if scales.size == 1:
        keys["scale"] = float(str(scales[0]))
        keys |= {"zero_point": int(zeros[0])} if zeros[0] else {}
    else:
        logical = next(axis for axis, size in enumerate(known.scale.shape) if size != 1)
        axis = value.axes.index(logical + value.rank - known.scale.ndim)
        if scales.size > _WRITTEN:
            keys["axis"] = axis
            weights = {"scale": scales.astype(value.dtype), "zero_point": zeros.astype(value.dtype)}
        else:
            keys["scale"] = [float(str(one)) for one in scales]
            keys |= {"zero_point": [int(one) for one in zeros]} if zeros.any() else {}
            keys["axis"] = axis
    keys |= {"bits": limits.bits} if limits.bits != 8 else {}
    keys |= {} if limits.min else {"signed": False}
    made = ctx.layer("fake_quantize", [value.ref], keys, weights)
    return Held(made, value.dtype, value.shape, value.axes)


def _scales(ctx: Context, value: Held) -> tuple[Value, Value | None]:
    """The scale and the zero point, known ones in shapes that broadcast to the value. Raises Refusal."""
    if ctx.integer("block_size", 0):
        raise Refusal("blocks of a computed operand are not supported", "block_size")
    found: list[Value | None] = []
    for position in (1, 2):
        one = ctx.value(position) if ctx.has(position) else None
        if isinstance(one, Held) and one.rank and one.shape != (1,):
            ctx.array(position, "scales of an axis")
        if isinstance(one, Known) and one.array.size == 1:
            one = Known(one.array.reshape(()), one.dtype, one.name)
        elif isinstance(one, Known):
            axis = checked_axis(ctx.integer("axis", 1), value.rank)
            if ctx.opset < 13:
                raise Refusal("scales of an axis are of opset 13")
            if one.array.ndim != 1 or one.array.size != value.shape[axis]:
                raise Refusal(f"{one.array.size} scales for {value.shape[axis]} cells", "axis")
            shape = [-1 if i == axis else 1 for i in range(value.rank)]
            one = Known(one.array.reshape(shape), one.dtype, one.name)
        elif isinstance(one, Held):
            one = Held(one.ref, one.dtype, (), (None,) * len(one.axes))
        found.append(one)
    assert found[0] is not None
    if isinstance(found[0], Known) and not (np.isfinite(found[0].array).all() and (found[0].array > 0).all()):
        raise Refusal("a scale is no positive number")
    return found[0], found[1]


def _numbers(zero: Value | None, scale: Known) -> NDArray:
    """Zero points, as many as there are scales."""
    array = zero.array if isinstance(zero, Known) else np.zeros(())
    return np.broadcast_to(array, scale.array.shape).astype(np.int64)


def _as_floats(ctx: Context, value: Value) -> Value:
    """Whole numbers in the model's float type."""
    if isinstance(value, Known):
        return Known.of(value.array.astype(ctx.writer.dtype), value.name)
    return equation(ctx, f"cast(x, {ctx.writer.dtype})", {"x": value}, fallback="cast")


@op("DynamicQuantizeLinear", since=11)
def dynamic_quantize_linear(ctx: Context) -> None:
    """Whole numbers from 0 to 255 with the scale and zero point that fit the operand."""
    ctx.floats()
    value = ctx.settled(ctx.value(0))
    axes = list(range(value.rank))
    ends = {name: reduced(ctx, value, axes, kind) for name, kind in (("a", "min"), ("b", "max"))}
    span = "(maximum(b, 0) - minimum(a, 0))"
    scale = equation(ctx, f"where({span} == 0, 1, {span} / 255)", ends, fallback="scale")
    text = "clip(round(-minimum(a, 0) / s), 0, 255)"
    zero = equation(ctx, text, {"a": ends["a"], "s": scale}, fallback="zero_point")
    codes = "cast(clip(round(x / s) + z, 0, 255), uint8)"
    ctx.give(equation(ctx, codes, {"x": value, "s": scale, "z": zero}, fallback="quantize"))
    ctx.give(dropped(scale, axes), 1)
    ctx.give(dropped(equation(ctx, "cast(z, uint8)", {"z": zero}, fallback="zero_point"), axes), 2)


# Products of whole numbers.


@op("MatMulInteger", since=10)
def matmul_integer(ctx: Context) -> None:
    """A product of whole numbers, without their zero points, in int32."""
    value = _without_zero(ctx, 0, 2, None)
    ctx.give(_summed(ctx, _matrix(ctx, value, _kernel(ctx, 1, 3, None))))


@op("ConvInteger", attributes="auto_pad dilations group kernel_shape pads strides", since=10)
def conv_integer(ctx: Context) -> None:
    """A convolution of whole numbers, without their zero points, in int32."""
    value = _without_zero(ctx, 0, 2, None)
    ctx.give(_summed(ctx, _windows(ctx, value, _kernel(ctx, 1, 3, 0))))


@op("QLinearMatMul", since=10)
def qlinear_matmul(ctx: Context) -> None:
    """A product of quantized factors, quantized."""
    value = _without_zero(ctx, 0, 2, None)
    parts = _matrix(ctx, value, _kernel(ctx, 3, 5, None))
    scales = [ctx.array(position, "the scale") for position in (1, 4, 6)]
    _requantized(ctx, _summed(ctx, parts), scales, 7, None)


@op("QLinearConv", attributes="auto_pad dilations group kernel_shape pads strides", since=10)
def qlinear_conv(ctx: Context) -> None:
    """A convolution of quantized operands, quantized."""
    value = _without_zero(ctx, 0, 2, None)
    found = _summed(ctx, _windows(ctx, value, _kernel(ctx, 3, 5, 0)))
    if ctx.has(8):
        bias = ctx.array(8, "the bias").reshape(-1, *[1] * (found.rank - 2)).astype(np.int32)
        found = equation(ctx, "x + b", {"x": found, "b": Known.of(bias)}, fallback="bias")
    scales = [ctx.array(position, "the scale") for position in (1, 4, 6)]
    _requantized(ctx, found, scales, 7, 1)


def _without_zero(ctx: Context, position: int, zero: int, axis: int | None) -> Held:
    """An operand without its zero point, in the model's float type."""
    value = ctx.settled(ctx.value(position))
    if value.dtype not in ("int8", "uint8"):
        raise Refusal(f"operand {position} is {value.dtype}")
    operands: dict[str, Value] = {"x": value}
    text = f"cast(x, {ctx.writer.dtype})"
    if ctx.has(zero) and not (isinstance(known := ctx.value(zero), Known) and not known.array.any()):
        point = ctx.value(zero)
        if isinstance(point, Known):
            if point.array.size != 1:
                raise Refusal("zero points of the rows of a computed operand are not supported")
            point = Known(point.array.reshape(()), point.dtype, point.name)
        elif isinstance(point, Held):
            point = Held(point.ref, point.dtype, (), (None,) * len(point.axes))
        operands["z"] = _as_floats(ctx, point)
        text += " - z"
    return equation(ctx, text, operands, fallback="centred")


def _kernel(ctx: Context, position: int, zero: int, axis: int | None) -> list[tuple[int, NDArray]]:
    """A constant factor without its zero points, as parts whose sums floats say exactly, each with its weight. The
    zero points are those of ``axis``, of the columns where it is None. Raises Refusal."""
    kernel = ctx.array(position, "the kernel").astype(np.int64)
    if ctx.has(zero):
        points = ctx.array(zero, "the zero point").astype(np.int64).reshape(-1)
        if points.size not in (1, kernel.shape[-1 if axis is None else axis]):
            raise Refusal(f"{points.size} zero points for a kernel {list(kernel.shape)}")
        kernel = kernel - (points if axis is None else points.reshape(-1, *[1] * (kernel.ndim - 1)))
    if _largest_sum(kernel, axis) <= EXACT:
        return [(1, kernel)]
    high = np.rint(kernel / 16).astype(np.int64)
    parts = [(16, high), (1, kernel - 16 * high)]
    if any(_largest_sum(part, axis) > EXACT for _, part in parts):
        raise Refusal(
            f"sums of {kernel.size // kernel.shape[-1 if axis is None else axis]} products are not exact"
        )
    return parts


def _largest_sum(kernel: NDArray, axis: int | None) -> int:
    """The largest sum of products with whole numbers from −255 to 255."""
    sizes = np.abs(kernel)
    rows = sizes.sum(-2) if axis is None else sizes.reshape(sizes.shape[0], -1).sum(1)
    return int(rows.max(initial=0)) * 255


def _matrix(ctx: Context, value: Held, parts: list[tuple[int, NDArray]]) -> list[tuple[int, Held]]:
    if any(part.ndim != 2 for _, part in parts) or value.rank < 2 or value.shape[-1] != parts[0][1].shape[0]:
        raise Refusal(f"{value.shape[-1] if value.rank else 1} columns times {list(parts[0][1].shape)}")
    return [(times, dense(ctx, value, part.astype(ctx.writer.dtype), None)) for times, part in parts]


def _windows(ctx: Context, value: Held, parts: list[tuple[int, NDArray]]) -> list[tuple[int, Held]]:
    spatial = value.rank - 2
    if not 1 <= spatial <= 3 or parts[0][1].ndim != value.rank or isinstance(value.shape[1], Dim):
        raise Refusal(f"an input of {value.rank} axes and a kernel of {parts[0][1].ndim}")
    value = Held(
        ctx.arranged(value, channels_last(value.rank)), value.dtype, value.shape, channels_last(value.rank)
    )
    return [(times, convolved(ctx, value, part.astype(ctx.writer.dtype), None)) for times, part in parts]


def _summed(ctx: Context, parts: list[tuple[int, Held]]) -> Held:
    """Parts of a sum, in int32."""
    names = [f"x{i}" for i in range(len(parts))]
    terms = [
        f"cast({name}, int32){f' * {times}' if times != 1 else ''}"
        for name, (times, _) in zip(names, parts, strict=True)
    ]
    operands = {name: value for name, (_, value) in zip(names, parts, strict=True)}
    return equation(ctx, " + ".join(terms), operands, fallback="sum")


def _requantized(ctx: Context, found: Held, scales: list[NDArray], zero: int, channel: int | None) -> None:
    """Sums to whole numbers of another scale: round(sum·(a·b / c)) + zero point, within what the type can say."""
    a, b, c = (scale.astype(np.float32) for scale in scales)
    factor = (a * b / c).astype(np.float32)
    if factor.size == 1:
        factor = factor.reshape(())
    elif channel is not None:
        factor = factor.reshape(-1, *[1] * (found.rank - 1 - channel))
    dtype = ctx.dtype(zero)
    limits = np.iinfo(dtype)
    point = int(ctx.array(zero, "the zero point").reshape(-1)[0])
    text = f"round(cast(x, {ctx.writer.dtype}) * f) + {point}"
    text = f"cast(clip({text}, {limits.min}, {limits.max}), {HELD_AS.get(dtype, dtype)})".replace("+ -", "- ")
    made = equation(ctx, text, {"x": found, "f": Known.of(factor)}, fallback="quantize")
    ctx.give(Held(made.ref, dtype, made.shape, made.axes))
