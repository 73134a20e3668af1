"""Normalizations and dropout."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from netwright.specs.dims import Shape

from ..arrange import channels_last, regrouped
from ..context import Context
from ..errors import Refusal
from ..fold import checked_axis
from ..numbers import decimal
from ..operands import Held, Known, Value
from .broadcast import equation
from .reduce import dropped, reduced
from .shape import unbatched
from .table import op


def channels_at_end(value: Held) -> tuple[int | None, ...]:
    """An order of the axes with the channels, the second logical axis, at the end."""
    return value.axes if len(value.axes) > 1 and value.axes[-1] == 1 else channels_last(value.rank)


def numbers(ctx: Context, **defaults: float) -> dict[str, float]:
    """The numbers among the attributes that differ from the defaults."""
    values = {name: ctx.number(name, default) for name, default in defaults.items()}
    return {name: value for name, value in values.items() if value != defaults[name]}


def same_place(
    ctx: Context, kind: str, value: Held, axes: tuple[int | None, ...], keys: Any, weights: Any
) -> Held:
    """A layer whose output has the input's shape."""
    ref = ctx.layer(kind, [ctx.arranged(value, axes)], keys, weights)
    return Held(ref, value.dtype, value.shape, axes)


@op("BatchNormalization", attributes="epsilon is_test momentum spatial training_mode")
def batch_normalization(ctx: Context) -> None:
    """By running statistics or, in training mode, by those of the batch."""
    ctx.floats()
    if not ctx.integer("spatial", 1):
        raise Refusal("each element its own statistics is not supported", "spatial")
    value = ctx.settled(ctx.value())
    if value.rank < 2:
        raise Refusal("an input without channels")
    if ctx.integer("training_mode", 0) or (ctx.opset < 7 and not ctx.integer("is_test", 0)):
        return _train(ctx, value)
    ctx.refuse_outputs(1)
    if not isinstance(value.shape[1], int):
        return ctx.give(_normalized(ctx, value, ctx.value(3), ctx.value(4)))
    names = ("gamma", "beta", "mean", "variance")
    if any(ctx.is_computed(1 + i) for i in range(4)):
        axes = channels_at_end(value)
        computed = {name: ctx.arranged(ctx.held(1 + i), (0,)) for i, name in enumerate(names)}
        keys = numbers(ctx, epsilon=1e-5, momentum=0.9)
        ref = ctx.with_computed("batch_norm", [ctx.arranged(value, axes)], keys, computed)
        return ctx.give(Held(ref, value.dtype, value.shape, axes))
    weights = {name: ctx.array(1 + i, name).astype(value.dtype).reshape(-1) for i, name in enumerate(names)}
    keys = numbers(ctx, epsilon=1e-5, momentum=0.9)
    ctx.give(same_place(ctx, "batch_norm", value, channels_at_end(value), keys, weights))


def _train(ctx: Context, value: Held) -> None:
    """Normalizes by the batch and updates the running statistics."""
    axes = [axis for axis in range(value.rank) if axis != 1]
    momentum = ctx.number("momentum", 0.9)
    mean = reduced(ctx, value, axes, "mean")
    square = equation(ctx, "(x - m) * (x - m)", {"x": value, "m": mean}, fallback="square")
    variance = reduced(ctx, square, axes, "mean")
    ctx.give(_normalized(ctx, value, mean, variance))
    for position, statistic in ((1, mean), (2, variance)):
        if ctx.wants(position):
            operands = {"o": ctx.value(position + 2), "n": dropped(statistic, axes)}
            text = f"o * {momentum!r} + n * {decimal(1 - momentum)!r}"
            ctx.give(equation(ctx, text, operands, fallback="running"), position)
    ctx.refuse_outputs(3)


def _normalized(ctx: Context, value: Held, mean: Value, variance: Value) -> Value:
    """By the mean and the variance of each channel, scaled and shifted. There may be any number of channels: layer
    normalization is written as one of batches that have a channel for each vector.
    """
    shape = (*value.shape[1:2], *(1,) * (value.rank - 2))
    named = {"m": mean, "v": variance, "g": ctx.value(1), "b": ctx.value(2)}
    operands = {name: _shaped(operand, shape) for name, operand in named.items()}
    text = f"(x - m) / sqrt(v + {ctx.number('epsilon', 1e-5)!r}) * g + b"
    return equation(ctx, text, {"x": value, **operands}, fallback="batch_norm")


def _shaped(value: Value, shape: Shape) -> Value:
    """A value of one axis in a shape that only adds axes of size 1; others as they are."""
    if len(value.shape) != 1:
        return value
    if isinstance(value, Known):
        return Known(value.array.reshape([int(size) for size in shape]), value.dtype, value.name)  # type: ignore
    assert isinstance(value, Held)
    return Held(value.ref, value.dtype, shape, value.axes)


@op("InstanceNormalization", attributes="epsilon")
def instance_normalization(ctx: Context) -> None:
    """Each channel of each sample separately."""
    ctx.floats()
    value = ctx.settled(ctx.value())
    weights = {"gamma": ctx.array(1, "the scale"), "beta": ctx.array(2, "the bias")}
    if (result := grouped(ctx, value, weights)) is not None:
        return ctx.give(result)
    axes = channels_last(value.rank)
    ctx.give(same_place(ctx, "instance_norm", value, axes, numbers(ctx, epsilon=1e-5), weights))


def grouped(ctx: Context, value: Held, weights: dict[str, NDArray]) -> Held | None:
    """A group normalization written as a reshape to [N, groups, …], a normalization over all but the first two axes,
    and a reshape back.
    """
    before, groups = ctx.writer.reshaped_from.get(value), value.shape[1]
    if before is None or value.rank < 3 or before.rank < 3 or before.shape[0] != value.shape[0]:
        return None
    channels = before.shape[1]
    if not isinstance(channels, int) or not isinstance(groups, int) or channels % groups:
        return None
    if (weights["gamma"] != 1).any() or weights["beta"].any():
        return None
    own = {"gamma": np.ones(channels, value.dtype), "beta": np.zeros(channels, value.dtype)}
    keys = {"groups": groups, **numbers(ctx, epsilon=1e-5)}
    made = same_place(ctx, "group_norm", before, channels_last(before.rank), keys, own)
    back = regrouped(ctx.writer, made, value.shape, may_merge=False)
    assert isinstance(back, Held)
    ctx.writer.reshaped_from[back] = made
    return back


def check_stash(ctx: Context) -> None:
    """Raises Refusal if the mean and deviation are to be computed in another type than the values."""
    if ctx.integer("stash_type", 1) != onnx.TensorProto.FLOAT:
        raise Refusal("computing statistics in another type than float32 is not supported", "stash_type")


@op("GroupNormalization", attributes="epsilon num_groups stash_type", since=18)
def group_normalization(ctx: Context) -> None:
    """Groups of channels of each sample; one scale and bias per group (opset 18) or per channel (21)."""
    ctx.floats()
    check_stash(ctx)
    value = ctx.settled(ctx.value())
    groups, channels = ctx.integer("num_groups", 0), value.shape[1]
    weights = {"gamma": ctx.array(1, "the scale"), "beta": ctx.array(2, "the bias")}
    if groups < 1 or not isinstance(channels, int) or channels % groups:
        raise Refusal(f"{channels} channels in {groups} groups", "num_groups")
    if ctx.opset < 21:
        weights = {name: np.repeat(array, channels // groups) for name, array in weights.items()}
    keys = {"groups": groups, **numbers(ctx, epsilon=1e-5)}
    ctx.give(same_place(ctx, "group_norm", value, channels_last(value.rank), keys, weights))


@op("LayerNormalization", "RMSNormalization", attributes="axis epsilon stash_type", since=17)
def layer_normalization(ctx: Context) -> None:
    """Normalizes over the last axes."""
    ctx.floats()
    check_stash(ctx)
    value = ctx.settled(ctx.value())
    axis = ctx.axis(-1, value.rank)
    layer = ctx.node.op == "LayerNormalization"
    shape = tuple(value.shape[axis:])
    weights = {"gamma": np.broadcast_to(ctx.array(1, "the scale"), shape)}  # type: ignore[arg-type]
    keys: dict[str, Any] = numbers(ctx, epsilon=1e-5)
    if layer and ctx.has(2):
        weights["beta"] = np.broadcast_to(ctx.array(2, "the bias"), shape)  # type: ignore[arg-type]
    elif layer:
        keys["center"] = False
    axes: tuple[int | None, ...] = tuple(range(value.rank))
    if axis == 0:  # samples are kept apart: treat everything as one sample
        axes = (None, *axes)
    if axis != value.rank - 1:
        keys["axis"] = axis - value.rank
    result = same_place(ctx, "layer_norm" if layer else "rms_norm", value, axes, keys, weights)
    ctx.give(result)
    for position, port in ((1, "mean"), (2, "inv_stddev")):
        if layer and ctx.wants(position):
            ref = f"{result.ref}.{port}"
            kept = tuple(None if place is not None and place >= axis else place for place in axes)
            ctx.give(ctx.held_as(ref, kept, value.rank), position)


@op("LRN", attributes="alpha beta bias size")
def lrn(ctx: Context) -> None:
    """Local response normalization: by the squares of neighbouring channels."""
    ctx.floats()
    value = ctx.settled(ctx.value())
    keys = {"size": ctx.integer("size", 0), **numbers(ctx, alpha=1e-4, beta=0.75, bias=1.0)}
    ctx.give(same_place(ctx, "lrn", value, channels_at_end(value), keys, {}))


@op("LpNormalization", attributes="axis p")
def lp_normalization(ctx: Context) -> None:
    """By the norm along an axis."""
    ctx.floats()
    value = ctx.settled(ctx.value())
    axis = ctx.axis(-1, value.rank)
    value = unbatched(ctx, value, axis)
    position, p = value.axes.index(axis) - len(value.axes), ctx.integer("p", 2)
    keys = ({"axis": position} if position != -1 else {}) | ({"p": p} if p != 2 else {})
    ctx.give(same_place(ctx, "lp_norm", value, value.axes, keys, {}))


@op("MeanVarianceNormalization", attributes="axes", since=9)
def mean_variance_normalization(ctx: Context) -> None:
    """By mean and standard deviation over axes."""
    ctx.floats()
    value = ctx.settled(ctx.value())
    axes = [checked_axis(axis, value.rank) for axis in ctx.integers("axes", (0, 2, 3)) or ()]
    order = channels_last(value.rank)
    keys = (
        {} if sorted(axes) == [0, *range(2, value.rank)] else {"axes": sorted(order.index(a) for a in axes)}
    )
    ctx.give(same_place(ctx, "mean_variance_norm", value, order, keys, {}))


@op("Dropout", attributes="is_test ratio seed")
def dropout(ctx: Context) -> None:
    """Nothing in prediction, but kept as a layer for further training."""
    ctx.floats()
    ratio = ctx.number("ratio", 0.5)
    if ctx.opset >= 12:
        ratio = float(ctx.array(1, "the ratio").reshape(())) if ctx.has(1) else 0.5
        if ctx.has(2) and ctx.array(2, "the mode").reshape(()) and ratio:
            raise Refusal("training draws from a random generator that ONNX does not specify")
    value = ctx.settled(ctx.value())
    if not 0 <= ratio < 1:
        raise Refusal(f"the ratio {ratio} is no probability below 1")
    ref = ctx.layer("dropout", [value.ref], {"rate": ratio})
    ctx.give(Held(ref, value.dtype, value.shape, value.axes))
    if ctx.wants(1):
        # Marks elements that are kept, which are all; before opset 10 the mask consists of floats.
        mask = equation(ctx, "x == x" if ctx.opset >= 10 else "x * 0 + 1", {"x": value}, fallback="mask")
        ctx.give(mask, 1)
