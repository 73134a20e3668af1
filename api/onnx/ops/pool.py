"""Pools over windows and over everything."""

from __future__ import annotations

from typing import Any

from ..arrange import channels_last
from ..context import Context
from ..errors import Refusal
from ..values import Held
from .conv import padding_key, pads_of, per_axis, scalar_or_list
from .table import op


def _windows(ctx: Context, value: Held) -> dict[str, Any]:
    """The keys of a pool."""
    spatial = value.rank - 2
    if not 1 <= spatial <= 3:
        raise Refusal(f"a pool over {spatial} axes")
    window = per_axis(ctx, "kernel_shape", spatial, [])
    stride, dilation = per_axis(ctx, "strides", spatial), per_axis(ctx, "dilations", spatial)
    keys: dict[str, Any] = {"pool_size": scalar_or_list(window)}
    if stride != window:
        keys["stride"] = scalar_or_list(stride)
    if set(dilation) != {1}:
        keys["dilation"] = scalar_or_list(dilation)
    padding = padding_key(pads_of(ctx, spatial), window, stride, dilation)
    if padding != "valid":
        keys["padding"] = padding
    if not ctx.integer("ceil_mode", 0):
        keys["rounding"] = "floor"
    return keys


@op("MaxPool", attributes="auto_pad ceil_mode dilations kernel_shape pads storage_order strides")
def max_pool(ctx: Context) -> None:
    """The largest value of each window."""
    ctx.floats()
    ctx.refuse_outputs(1)
    value = ctx.settled(ctx.value())
    keys = _windows(ctx, value)
    axes = channels_last(value.rank)
    ref = ctx.layer(f"max_pool{value.rank - 2}d", [ctx.arranged(value, axes)], keys)
    ctx.give(ctx.held_as(ref, axes))


@op("AveragePool", attributes="auto_pad ceil_mode count_include_pad dilations kernel_shape pads strides")
def average_pool(ctx: Context) -> None:
    """The mean of each window."""
    ctx.floats()
    value = ctx.settled(ctx.value())
    keys = _windows(ctx, value)
    if ctx.integer("count_include_pad", 0) and "padding" in keys:
        raise Refusal("padded cells never count", "count_include_pad")
    axes = channels_last(value.rank)
    if list(ctx.node.attributes.get("kernel_shape", ())) == list(value.shape[2:]) and "padding" not in keys:
        return _global(ctx, value, "global_mean_pool")  # a window as large as its input
    ref = ctx.layer(f"mean_pool{value.rank - 2}d", [ctx.arranged(value, axes)], keys)
    ctx.give(ctx.held_as(ref, axes))


def _global(ctx: Context, value: Held, kind: str) -> None:
    if value.rank < 3:
        raise Refusal(f"an input of {value.rank} axes")
    ref = ctx.layer(kind, [ctx.arranged(value, channels_last(value.rank))])
    ctx.give(ctx.held_as(ref, (0, 1), value.rank))


@op("GlobalAveragePool")
def global_average_pool(ctx: Context) -> None:
    """The mean of each channel."""
    ctx.floats()
    _global(ctx, ctx.settled(ctx.value()), "global_mean_pool")


@op("GlobalMaxPool")
def global_max_pool(ctx: Context) -> None:
    """The largest value of each channel."""
    ctx.floats()
    _global(ctx, ctx.settled(ctx.value()), "global_max_pool")
