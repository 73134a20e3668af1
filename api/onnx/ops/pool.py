"""Pools over windows and over whole images."""

from __future__ import annotations

from typing import Any

from netwright.specs.dims import DimLike, Shape, product

from ..arrange import channels_last
from ..context import Context
from ..errors import Refusal
from ..operands import Held, Known, dims_array, known_dims
from ..tensors import HELD_AS
from .broadcast import equation
from .conv import padding_key, pads_of, per_axis, scalar_or_list
from .table import op

#: Operators that read a pooled image as a vector.
_UNKEPT = frozenset(("Flatten", "Reshape", "Squeeze"))
#: Operators that read it as an image, through any reshapes.
_IMAGES = frozenset(("Conv",))
_WINDOWS = "auto_pad ceil_mode dilations kernel_shape pads strides"


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
    pads = pads_of(ctx, spatial)
    padding = padding_key(pads, window, stride, dilation)
    if padding != "valid":
        keys["padding"] = padding
    if not ctx.integer("ceil_mode", 0) and not _whole(value.shape[2:], pads, window, stride, dilation):
        keys["rounding"] = "floor"
    return keys


def _whole(sizes: Shape, pads: Any, window: list[int], stride: list[int], dilation: list[int]) -> bool:
    """Whether the windows fit the axes exactly, so that rounding does not matter."""
    if isinstance(pads, str):
        return False
    rows = zip(sizes, pads, window, stride, dilation, strict=True)
    return all(
        isinstance(size, int) and (size + low + high - (cells - 1) * gap - 1) % step == 0
        for size, (low, high), cells, step, gap in rows
    )


@op("MaxPool", attributes=_WINDOWS + " storage_order")
def max_pool(ctx: Context) -> None:
    """The largest value of each window, and its position."""
    value = ctx.settled(ctx.value())
    dtype = value.dtype
    if dtype == "uint8" or dtype in HELD_AS:  # all of them are floats
        value = equation(ctx, f"cast(x, {ctx.writer.dtype})", {"x": value}, fallback="cast")
    elif dtype != ctx.writer.dtype:
        raise Refusal(f"the operand is {dtype}")
    keys, axes = _windows(ctx, value), channels_last(value.rank)
    ports = ["indices"] if ctx.wants(1) else []
    ref = ctx.layer(f"max_pool{value.rank - 2}d", [ctx.arranged(value, axes)], keys, ports=ports)
    result = ctx.held_as(ref, axes)
    if dtype == "uint8" or dtype in HELD_AS:
        result = equation(ctx, f"cast(x, {HELD_AS.get(dtype, dtype)})", {"x": result}, fallback="cast")
    ctx.give(result)
    if ctx.wants(1):
        ctx.give(_positions(ctx, f"{ref}.indices", value), 1)


def _positions(ctx: Context, ref: str, value: Held) -> Held:
    """Converts positions among the cells of one channel of a sample to positions in the whole tensor."""
    sizes = value.shape[1:]
    cells = product(sizes[1:])
    cell = "i"
    if ctx.integer("storage_order", 0):
        if value.rank != 4 or not all(isinstance(size, int) for size in sizes):
            raise Refusal("columns first is for images of known sizes", "storage_order")
        cell = f"i % {sizes[2]} * {sizes[1]} + i // {sizes[2]}"
    place = Held(ref, "int64", ctx.held_as(ref, channels_last(value.rank)).shape, channels_last(value.rank))
    operands = {"i": place, "c": _counted(sizes[0]), "n": _counted(cells)}
    text = f"(index(i, axis=0) * c + index(i, axis=-1)) * n + {cell}"
    made = equation(ctx, text, operands, fallback="positions")
    if cell == "i":
        ctx.writer.positions[made.ref] = (ref, cells)
    return made


def _counted(size: DimLike) -> Known:
    """A size as a number in an equation."""
    return known_dims(dims_array([size]).reshape(()), "int64")


@op("AveragePool", attributes=_WINDOWS + " count_include_pad")
def average_pool(ctx: Context) -> None:
    """The mean of each window."""
    ctx.floats()
    value = ctx.settled(ctx.value())
    keys = _windows(ctx, value)
    whole = list(ctx.node.attributes.get("kernel_shape", ())) == list(value.shape[2:])
    if whole and not {"padding", "dilation"} & keys.keys():
        return _global(ctx, value, "global_mean_pool", {})  # a window as large as the input
    if ctx.integer("count_include_pad", 0) and "padding" in keys:
        keys["count_include_pad"] = True
    _pool(ctx, value, "mean_pool", keys)


@op("LpPool", attributes=_WINDOWS + " p")
def lp_pool(ctx: Context) -> None:
    """The p-norm of each window."""
    ctx.floats()
    value = ctx.settled(ctx.value())
    _pool(ctx, value, "lp_pool", {**_windows(ctx, value), **_exponent(ctx)})


def _exponent(ctx: Context) -> dict[str, Any]:
    p = ctx.integer("p", 2)
    return {"p": p} if p != 2 else {}


def _pool(ctx: Context, value: Held, kind: str, keys: dict[str, Any]) -> None:
    axes = channels_last(value.rank)
    ref = ctx.layer(f"{kind}{value.rank - 2}d", [ctx.arranged(value, axes)], keys)
    ctx.give(ctx.held_as(ref, axes))


def _global(ctx: Context, value: Held, kind: str, keys: dict[str, Any]) -> None:
    if value.rank < 3:
        raise Refusal(f"an input of {value.rank} axes")
    ctx.give(pooled_whole(ctx, value, kind, keys))


def pooled_whole(ctx: Context, value: Held, kind: str, keys: dict[str, Any]) -> Held:
    """One value per channel: a vector if the reader removes the axes of size 1, otherwise an image with a single
    cell.
    """
    axes = channels_last(value.rank)
    direct, behind = ctx.readers, ctx.readers_behind_shapes
    as_image = direct.isdisjoint(_UNKEPT) if direct else False
    kept = (as_image or bool(behind and behind <= _IMAGES)) and bool(ctx.integer("keepdims", 1))
    keys = {**keys, "keepdims": True} if kept else keys
    ref = ctx.layer(kind, [ctx.arranged(value, axes)], keys)
    shape = (*value.shape[:2], *(1,) * (value.rank - 2))
    return Held(ref, value.dtype, shape, axes if kept else (0, 1))


@op("GlobalAveragePool")
def global_average_pool(ctx: Context) -> None:
    """The mean of each channel."""
    ctx.floats()
    _global(ctx, ctx.settled(ctx.value()), "global_mean_pool", {})


@op("GlobalMaxPool")
def global_max_pool(ctx: Context) -> None:
    """The largest value of each channel."""
    ctx.floats()
    _global(ctx, ctx.settled(ctx.value()), "global_max_pool", {})


@op("GlobalLpPool", attributes="p")
def global_lp_pool(ctx: Context) -> None:
    """The p-norm of each channel."""
    ctx.floats()
    _global(ctx, ctx.settled(ctx.value()), "global_lp_pool", _exponent(ctx))
