"""Sums and products as a person would write them: the layers add and multiply, a rescaling, or a bias or scale merged
into the layer before.
"""

from __future__ import annotations

import ast

import numpy as np

from ..context import Context
from ..formulas import inlined
from ..operands import Held, Known, Value, is_one


def joined(ctx: Context, values: list[Value]) -> Held | None:
    """The simple cases: add for equal shapes, multiply, or a bias or scale that the layer before can take over."""
    if len(values) == 2:
        for value, other, position in ((values[0], values[1], 0), (values[1], values[0], 1)):
            if isinstance(other, Known) and isinstance(value, Held) and ctx.sole[position]:
                absorbed = _absorbed(ctx, value, other)
                if absorbed is not None:
                    layer = ctx.writer.layers[absorbed.ref]
                    layer.sources = (*layer.sources, other.name)
                    return absorbed
    held = [ctx.settled(value) for value in values if not isinstance(value, Known)]
    if ctx.node.op == "Mul" and len(values) == 2 and (scaled := _rescaled(ctx, values)) is not None:
        return scaled
    if not held or len(held) < len(values):
        return None
    best = max(held, key=lambda value: (sum(not is_one(size) for size in value.shape), len(value.axes)))
    if not best.axes or best.dtype == "bool" or len({value.ref for value in held}) < len(held):
        return None
    product = ctx.node.op == "Mul"
    if any(value.shape != best.shape and not (product and _stretches(value, best)) for value in held):
        return None
    refs = [ctx.arranged(value, best.axes) for value in held]
    return ctx.held_as(ctx.layer("multiply" if product else "add", refs), best.axes, best.rank)


def _stretches(factor: Held, other: Held) -> bool:
    """Whether a factor has the shape of another one, except for axes of size 1."""
    sizes = zip(factor.shape, other.shape, strict=False)
    return factor.rank == other.rank and all(a == b or is_one(a) for a, b in sizes)


def difference(ctx: Context, first: Value, second: Value) -> Held | None:
    """A value minus a constant, merged as a bias; or a number minus a rescaling, merged into it."""
    if isinstance(first, Held) and isinstance(second, Known) and ctx.sole[0] and not second.is_open:
        if second.array.dtype.kind != "f":
            return None
        return _absorbed(ctx, first, Known(-second.array, second.dtype, second.name))
    if not isinstance(first, Known) or not isinstance(second, Held) or not ctx.sole[1]:
        return None
    layer, text = ctx.writer.layers.get(second.ref), None if first.is_open else inlined(first.array)
    if layer is None or layer.type != "rescale" or {"offset", "activation"} & layer.keys.keys():
        return None
    if first.array.shape or text is None:
        return None
    layer.keys |= {"scale": -layer.keys.get("scale", 1.0), "offset": ast.literal_eval(text)}
    return second


def quotient(ctx: Context, first: Value, second: Value) -> Held | None:
    """A value divided by one number, as a rescaling."""
    if (
        not isinstance(second, Known)
        or second.is_open
        or second.array.shape
        or second.array.dtype.kind != "f"
    ):
        return None
    return _rescaled(ctx, [first, Known(np.reciprocal(second.array), second.dtype, second.name)])


def _rescaled(ctx: Context, values: list[Value]) -> Held | None:
    """A product with one number as a separate layer, which also works for integers."""
    for value, number, position in ((values[0], values[1], 0), (values[1], values[0], 1)):
        if (
            not isinstance(value, Held)
            or not isinstance(number, Known)
            or number.array.shape
            or number.is_open
        ):
            continue
        text = inlined(number.array)
        layer = ctx.writer.layers.get(value.ref)
        if (
            value.dtype != ctx.writer.dtype
            or text is None
            or not number.array
            or not np.isfinite(number.array)
        ):
            return None
        ref = value.ref
        if layer is not None and layer.keys.get("value") == f"cast(x, {value.dtype})" and ctx.sole[position]:
            ref = layer.inputs[0]
        if not value.axes:
            return None
        made = ctx.layer("rescale", [ref], {"scale": ast.literal_eval(text)})
        return Held(made, value.dtype, value.shape, value.axes)
    return None


def _absorbed(ctx: Context, value: Held, constant: Known) -> Held | None:
    """Merges a sum or product with one constant per channel into the dense, convolution or batch norm layer before."""
    layer = ctx.writer.layers.get(value.ref)
    if layer is None or constant.is_open or "activation" in layer.keys or constant.dtype != ctx.writer.dtype:
        return None
    if not value.axes:  # a single number has no channels
        return None
    channel, array = value.axes[-1], constant.array
    if channel is None or array.ndim > value.rank:
        return None
    array = array.reshape((1,) * (value.rank - array.ndim) + array.shape)
    channels = value.shape[channel]
    if not isinstance(channels, int):
        return None
    if array.size != array.shape[channel] or array.size not in (1, channels):
        return None
    vector = np.broadcast_to(array.reshape(-1), (channels,))
    if layer.type == "rescale":
        if (
            ctx.node.op == "Mul"
            or "offset" in layer.keys
            or array.size != 1
            or (text := inlined(array)) is None
        ):
            return None
        layer.keys["offset"] = ast.literal_eval(text)
        return value
    if layer.type in ("batch_norm", "group_norm", "instance_norm"):
        if ctx.node.op == "Mul":
            layer.weights["gamma"] = layer.weights["gamma"] * vector
            layer.weights["beta"] = layer.weights["beta"] * vector
        else:
            layer.weights["beta"] = layer.weights["beta"] + vector
        return value
    if layer.type not in ("dense", "conv1d", "conv2d", "conv3d") or "kernel" not in layer.weights:
        return None
    if ctx.node.op == "Mul":  # the scale of a batch norm, which a bias follows
        if layer.keys.get("use_bias", True) or ctx.readers != {"Add"}:
            return None
        layer.weights["kernel"] = layer.weights["kernel"] * vector
        return value
    if is_one(channels) and array.size == 1 and layer.keys.get("use_bias", True):
        return None
    if layer.keys.pop("use_bias", True):
        layer.weights["bias"] = layer.weights["bias"] + vector
    else:
        layer.weights["bias"] = np.array(vector)
    return value
