"""Products of integers, computed in floats that represent each sum exactly: float32 represents all integers up to 2^24.
A kernel whose sums could be larger is split into a high and a low part.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from netwright.specs.dims import Dim

from ..arrange import channels_last
from ..context import Context
from ..errors import Refusal
from ..operands import Held, Known, Value
from ..tensors import HELD_AS
from .broadcast import equation
from .conv import convolved
from .linear import dense
from .quantized import as_floats, dynamically
from .table import RUNTIME_OPS, op

#: Floats represent all integers up to this one.
EXACT = 2**24


@op("MatMulInteger", since=10)
def matmul_integer(ctx: Context) -> None:
    """A product of integers without their zero points, in int32."""
    value = centred(ctx, 0, 2)
    ctx.give(_summed(ctx, _matrix(ctx, value, _kernel(ctx, 1, 3, None))))


@op("ConvInteger", attributes="auto_pad dilations group kernel_shape pads strides", since=10)
def conv_integer(ctx: Context) -> None:
    """A convolution of integers without their zero points, in int32."""
    value = centred(ctx, 0, 2)
    ctx.give(_summed(ctx, _windows(ctx, value, _kernel(ctx, 1, 3, 0))))


@op("QLinearMatMul", since=10)
def qlinear_matmul(ctx: Context) -> None:
    """A product of quantized factors, quantized."""
    value = centred(ctx, 0, 2)
    parts = _matrix(ctx, value, _kernel(ctx, 3, 5, None))
    scales = [ctx.array(position, "the scale") for position in (1, 4, 6)]
    _requantized(ctx, _summed(ctx, parts), scales, 7, None)


@op("QLinearConv", attributes="auto_pad dilations group kernel_shape pads strides", since=10)
def qlinear_conv(ctx: Context) -> None:
    """A convolution of quantized operands, quantized."""
    value = centred(ctx, 0, 2)
    sums = _summed(ctx, _windows(ctx, value, _kernel(ctx, 3, 5, 0)))
    if ctx.has(8):
        bias = ctx.array(8, "the bias").reshape(-1, *[1] * (sums.rank - 2)).astype(np.int32)
        sums = equation(ctx, "x + b", {"x": sums, "b": Known.of(bias)}, fallback="bias")
    scales = [ctx.array(position, "the scale") for position in (1, 4, 6)]
    _requantized(ctx, sums, scales, 7, 1)


@op("QGemm", attributes="alpha transA transB", since=1, table=RUNTIME_OPS)
def qgemm(ctx: Context) -> None:
    """alpha·A·B + C of quantized factors and integers: quantized, or floats if no scale is given for the result."""
    value = centred(ctx, 0, 2)
    if ctx.integer("transA", 0):
        swap = {0: 1, 1: 0, None: None}
        value = Held(value.ref, value.dtype, value.shape[::-1], tuple(swap[axis] for axis in value.axes))
    kernel = ctx.array(3, "the kernel")
    if kernel.ndim != 2 or value.rank != 2:
        raise Refusal("the factors have to be matrices")
    kernel = kernel.T if ctx.integer("transB", 0) else kernel
    sums = _summed(ctx, _matrix(ctx, value, _parts_of(ctx, kernel, 5, None)))
    if ctx.has(6):
        bias = ctx.array(6, "the bias").astype(np.int32)
        sums = equation(ctx, "x + b", {"x": sums, "b": Known.of(bias)}, fallback="bias")
    a, b = (ctx.array(position, "the scale").astype(np.float32) for position in (1, 4))
    both = np.float32(ctx.number("alpha", 1.0)) * a.reshape(()) * (b.reshape(()) if b.size == 1 else b)
    if ctx.has(7):
        return _requantized(
            ctx, sums, [np.asarray(both), np.ones((), np.float32), ctx.array(7, "the scale")], 8, None
        )
    text = f"cast(x, {ctx.writer.dtype}) * f"
    ctx.give(equation(ctx, text, {"x": sums, "f": Known.of(np.asarray(both))}, fallback="scaled"))


@op("MatMulIntegerToFloat", since=1, table=RUNTIME_OPS)
def matmul_integer_to_float(ctx: Context) -> None:
    """A product of integers, times both scales, plus a bias."""
    value = centred(ctx, 0, 4)
    sums = _summed(ctx, _matrix(ctx, value, _kernel(ctx, 1, 5, None)))
    _scaled(ctx, sums, ctx.value(2), 3, 6)


@op("DynamicQuantizeMatMul", since=1, table=RUNTIME_OPS)
def dynamic_quantize_matmul(ctx: Context) -> None:
    """A product whose first factor is quantized with the scale that fits all of it, plus a bias."""
    ctx.floats()
    value, scale = dynamically_centred(ctx, ctx.settled(ctx.value(0)))
    sums = _summed(ctx, _matrix(ctx, value, _kernel(ctx, 1, 3, None)))
    _scaled(ctx, sums, scale, 2, 4)


def _scaled(ctx: Context, sums: Held, scale: Value, kernel_scale: int, bias: int) -> None:
    """Sums as floats."""
    second = ctx.array(kernel_scale, "the kernel's scale")
    operands: dict[str, Value] = {"x": sums, "a": _single(scale)}
    operands["b"] = Known.of(second.reshape(()) if second.size == 1 else second)
    text = f"cast(x, {ctx.writer.dtype}) * (a * b)"
    if ctx.has(bias):
        operands["c"], text = ctx.value(bias), f"{text} + c"
    ctx.give(equation(ctx, text, operands, fallback="scaled"))


def _single(value: Value) -> Value:
    """The scale or zero point of a whole tensor, as a number. Raises Refusal for one with more elements."""
    if isinstance(value, Known):
        if value.array.size != 1:
            raise Refusal("scales and zero points of the rows of a computed operand are not supported")
        return Known(value.array.reshape(()), value.dtype, value.name)
    return Held(value.ref, value.dtype, (), (None,) * len(value.axes)) if isinstance(value, Held) else value


def dynamically_centred(ctx: Context, value: Held) -> tuple[Held, Held]:
    """Floats as integers minus the zero point that fits all of them, and their scale."""
    codes, scale, zero = dynamically(ctx, value)
    dtype = ctx.writer.dtype
    operands = {"x": codes, "z": zero}
    return equation(ctx, f"cast(x, {dtype}) - cast(z, {dtype})", operands, fallback="centred"), scale


def centred(ctx: Context, position: int, zero: int) -> Held:
    """An operand without its zero point, in the model's float type."""
    value = ctx.settled(ctx.value(position))
    if value.dtype not in ("int8", "uint8"):
        raise Refusal(f"operand {position} is {value.dtype}")
    operands: dict[str, Value] = {"x": value}
    text = f"cast(x, {ctx.writer.dtype})"
    if ctx.has(zero) and not (isinstance(known := ctx.value(zero), Known) and not known.array.any()):
        operands["z"] = as_floats(ctx, _single(ctx.value(zero)))
        text += " - z"
    return equation(ctx, text, operands, fallback="centred")


def _kernel(ctx: Context, position: int, zero: int, axis: int | None) -> list[tuple[int, NDArray]]:
    """A constant factor minus its zero points, as parts whose sums floats represent exactly, each with its weight.

    There is one zero point per cell of ``axis``, or per column if it is None. Raises Refusal.
    """
    return _parts_of(ctx, ctx.array(position, "the kernel"), zero, axis)


def _parts_of(ctx: Context, kernel: NDArray, zero: int, axis: int | None) -> list[tuple[int, NDArray]]:
    kernel = kernel.astype(np.int64)
    if ctx.has(zero):
        points = ctx.array(zero, "the zero point").astype(np.int64).reshape(-1)
        if points.size not in (1, kernel.shape[-1 if axis is None else axis]):
            raise Refusal(f"{points.size} zero points for a kernel {list(kernel.shape)}")
        kernel = kernel - (points if axis is None else points.reshape(-1, *[1] * (kernel.ndim - 1)))
    return exact_parts(kernel, axis)


def exact_parts(kernel: NDArray, axis: int | None = None) -> list[tuple[int, NDArray]]:
    """Integers as parts whose sums of products floats represent exactly, each with its weight.

    There is one sum per cell of ``axis``, or per column if it is None. Raises Refusal.
    """
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
    """The largest possible sum of products with integers from −255 to 255."""
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
    """The weighted sum of parts, in int32."""
    names = [f"x{i}" for i in range(len(parts))]
    terms = [
        f"cast({name}, int32){f' * {times}' if times != 1 else ''}"
        for name, (times, _) in zip(names, parts, strict=True)
    ]
    operands = {name: value for name, (_, value) in zip(names, parts, strict=True)}
    return equation(ctx, " + ".join(terms), operands, fallback="sum")


def _requantized(ctx: Context, sums: Held, scales: list[NDArray], zero: int, channel: int | None) -> None:
    """Converts sums to integers with another scale: round(sum·(a·b / c)) + zero point, clipped to the range of the
    type.
    """
    a, b, c = (scale.astype(np.float32) for scale in scales)
    factor = (a * b / c).astype(np.float32)
    if factor.size == 1:
        factor = factor.reshape(())
    elif channel is not None:
        factor = factor.reshape(-1, *[1] * (sums.rank - 1 - channel))
    dtype = ctx.dtype(zero)
    limits = np.iinfo(dtype)
    point = int(ctx.array(zero, "the zero point").reshape(-1)[0])
    text = f"round(cast(x, {ctx.writer.dtype}) * f) + {point}"
    text = f"cast(clip({text}, {limits.min}, {limits.max}), {HELD_AS.get(dtype, dtype)})".replace("+ -", "- ")
    made = equation(ctx, text, {"x": sums, "f": Known.of(factor)}, fallback="quantize")
    ctx.give(Held(made.ref, dtype, made.shape, made.axes))
