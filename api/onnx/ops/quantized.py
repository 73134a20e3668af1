"""Quantized networks: integers with a scale and a zero point.

A QuantizeLinear that is read by a DequantizeLinear with the same scale becomes a `fake_quantize` layer. So does the
result of a quantized operator if another one reads it as floats.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..context import Context
from ..errors import Refusal
from ..fold import checked_axis
from ..network import Quantized
from ..operands import Held, Known, Value
from ..tensors import HELD_AS, dtype_name
from .broadcast import equation
from .reduce import dropped, reduced
from .table import op

#: Up to this many scales of an axis are written in the spec.
_WRITTEN = 16


@op("QuantizeLinear", attributes="axis block_size output_dtype precision saturate", since=10)
def quantize_linear(ctx: Context) -> None:
    """Floats to integers: round(x / scale) + zero_point, clipped to the range of the type."""
    ctx.floats()
    if ctx.integer("precision", 0):
        raise Refusal("dividing in another precision is not supported", "precision")
    value = ctx.settled(ctx.value(0))
    scale, zero = _scales(ctx, value)
    named = ctx.integer("output_dtype", 0)
    dtype = zero.dtype if zero is not None else dtype_name(named) if named else "uint8"
    if named and dtype_name(named) != dtype:
        raise Refusal(f"is not the zero point's type, {dtype}", "output_dtype")
    ctx.give(quantized(ctx, value, scale, zero, dtype))


def quantized(ctx: Context, value: Held, scale: Value, zero: Value | None, dtype: str) -> Held:
    """Floats as integers. What they were is recorded for readers that convert them back. Raises Refusal."""
    if dtype not in ("int8", "uint8", "int16", "uint16"):
        raise Refusal(f"whole numbers of type {dtype}")
    made = _codes(ctx, value, scale, zero, dtype)
    if isinstance(scale, Known) and not isinstance(zero, Held):
        ctx.writer.quantized[made.ref] = Quantized(value, scale.array, _numbers(zero, scale), dtype)
    return made


def _codes(ctx: Context, value: Held, scale: Value, zero: Value | None, dtype: str) -> Held:
    limits = np.iinfo(dtype)
    operands: dict[str, Value] = {"x": value, "s": scale}
    text = "round(x / s)"
    if zero is not None and not (isinstance(zero, Known) and not zero.array.any()):
        text += " + z"
        operands["z"] = as_floats(ctx, zero)
    text = f"cast(clip({text}, {limits.min}, {limits.max}), {HELD_AS.get(dtype, dtype)})"
    codes = equation(ctx, text, operands, fallback="quantize")
    return Held(codes.ref, dtype, codes.shape, codes.axes)


@op("DequantizeLinear", attributes="axis block_size output_dtype", since=10)
def dequantize_linear(ctx: Context) -> None:
    """Integers to floats: (x − zero point)·scale."""
    value = ctx.settled(ctx.value(0))
    scale, zero = _scales(ctx, value)
    named = ctx.integer("output_dtype", 0)
    if scale.dtype != ctx.writer.dtype or (named and dtype_name(named) != scale.dtype):
        raise Refusal(f"floats of type {dtype_name(named) if named else scale.dtype}")
    ctx.give(dequantized(ctx, value, scale, zero))


def dequantized(ctx: Context, value: Held, scale: Value, zero: Value | None) -> Held:
    """Integers as floats: a `fake_quantize` layer if they were quantized in the same way."""
    known = ctx.writer.quantized.get(value.ref)
    if known is not None and isinstance(scale, Known) and not isinstance(zero, Held):
        same = np.array_equal(known.scale, scale.array) and np.array_equal(known.zero, _numbers(zero, scale))
        if same and known.dtype == value.dtype:
            return _fake(ctx, known)
    operands: dict[str, Value] = {"x": value, "s": scale}
    text = f"cast(x, {ctx.writer.dtype})"
    if zero is not None and not (isinstance(zero, Known) and not zero.array.any()):
        text = f"({text} - z)"
        operands["z"] = as_floats(ctx, zero)
    return equation(ctx, f"{text} * s", operands, fallback="dequantize")


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
            keys["scale"] = [float(str(scale)) for scale in scales]
            keys |= {"zero_point": [int(zero) for zero in zeros]} if zeros.any() else {}
            keys["axis"] = axis
    keys |= {"bits": limits.bits} if limits.bits != 8 else {}
    keys |= {} if limits.min else {"signed": False}
    made = ctx.layer("fake_quantize", [value.ref], keys, weights)
    return Held(made, value.dtype, value.shape, value.axes)


def _scales(ctx: Context, value: Held) -> tuple[Value, Value | None]:
    """The scale and the zero point. Known ones get a shape that broadcasts to the value. Raises Refusal."""
    if ctx.integer("block_size", 0):
        raise Refusal("blocks of a computed operand are not supported", "block_size")
    values: list[Value | None] = []
    for position in (1, 2):
        operand = ctx.value(position) if ctx.has(position) else None
        if isinstance(operand, Held) and operand.rank and operand.shape != (1,):
            ctx.array(position, "scales of an axis")
        if isinstance(operand, Known) and operand.array.size == 1:
            operand = Known(operand.array.reshape(()), operand.dtype, operand.name)
        elif isinstance(operand, Known):
            axis = checked_axis(ctx.integer("axis", 1), value.rank)
            if ctx.opset < 13:
                raise Refusal("scales of an axis are of opset 13")
            if operand.array.ndim != 1 or operand.array.size != value.shape[axis]:
                raise Refusal(f"{operand.array.size} scales for {value.shape[axis]} cells", "axis")
            shape = [-1 if i == axis else 1 for i in range(value.rank)]
            operand = Known(operand.array.reshape(shape), operand.dtype, operand.name)
        elif isinstance(operand, Held):
            operand = Held(operand.ref, operand.dtype, (), (None,) * len(operand.axes))
        values.append(operand)
    scale, zero = values
    assert scale is not None
    if isinstance(scale, Known) and not (np.isfinite(scale.array).all() and (scale.array > 0).all()):
        raise Refusal("a scale is no positive number")
    return scale, zero


def _numbers(zero: Value | None, scale: Known) -> NDArray:
    """Zero points, as many as there are scales."""
    array = zero.array if isinstance(zero, Known) else np.zeros(())
    return np.broadcast_to(array, scale.array.shape).astype(np.int64)


def as_floats(ctx: Context, value: Value) -> Value:
    """Integers in the model's float type."""
    if isinstance(value, Known):
        return Known.of(value.array.astype(ctx.writer.dtype), value.name)
    return equation(ctx, f"cast(x, {ctx.writer.dtype})", {"x": value}, fallback="cast")


@op("DynamicQuantizeLinear", since=11)
def dynamic_quantize_linear(ctx: Context) -> None:
    """Integers from 0 to 255, with the scale and zero point that fit the operand."""
    ctx.floats()
    for position, result in enumerate(dynamically(ctx, ctx.settled(ctx.value(0)))):
        ctx.give(result, position)


def dynamically(ctx: Context, value: Held) -> tuple[Held, Held, Held]:
    """Floats as integers from 0 to 255, the scale that covers all of them, and the zero point."""
    axes = list(range(value.rank))
    ends = {name: reduced(ctx, value, axes, kind) for name, kind in (("a", "min"), ("b", "max"))}
    span = "(maximum(b, 0) - minimum(a, 0))"
    scale = equation(ctx, f"where({span} == 0, 1, {span} / 255)", ends, fallback="scale")
    text = "clip(round(-minimum(a, 0) / s), 0, 255)"
    zero = equation(ctx, text, {"a": ends["a"], "s": scale}, fallback="zero_point")
    codes = "cast(clip(round(x / s) + z, 0, 255), uint8)"
    quantized = equation(ctx, codes, {"x": value, "s": scale, "z": zero}, fallback="quantize")
    whole = equation(ctx, "cast(z, uint8)", {"z": zero}, fallback="zero_point")
    return quantized, dropped(scale, axes), dropped(whole, axes)
