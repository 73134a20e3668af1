"""Convolutions. Kernels are transposed from [filters, c_in / groups, …] to […, c_in / groups, filters]."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from netwright.specs.dims import Shape

from ..arrange import channels_last
from ..context import Context
from ..errors import Refusal
from ..operands import Held
from .table import op


def scalar_or_list(values: list[int]) -> int | list[int]:
    """A single number if all are equal."""
    return values[0] if len(set(values)) == 1 else list(values)


def pads_of(ctx: Context, spatial: int) -> list[tuple[int, int]] | str:
    """The padding of each spatial axis, or `same_upper`, `same_lower`, `valid`. Raises Refusal."""
    auto = ctx.text("auto_pad", "NOTSET", "NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID")
    pads = ctx.integers("pads")
    if auto != "NOTSET":
        if pads and any(pads):
            raise Refusal("is given beside auto_pad", "pads")
        return auto.lower()
    pads = pads or [0] * 2 * spatial
    if len(pads) != 2 * spatial or min(pads) < 0:
        raise Refusal(f"{pads} is no padding of {spatial} axes", "pads")
    return list(zip(pads[:spatial], pads[spatial:], strict=True))


def padding_key(
    padding: list[tuple[int, int]] | str, window: list[int], stride: list[int], dilation: list[int]
) -> str | list[list[int]]:
    """Padding as the language writes it, by name if a name means the same."""
    if isinstance(padding, str):
        return padding
    if not any(low or high for low, high in padding):
        return "valid"
    spans = [(size - 1) * step + 1 for size, step in zip(window, dilation, strict=True)]
    same = [((span - 1) // 2, span - 1 - (span - 1) // 2) for span in spans]
    if padding == same and set(stride) == {1} and all(span % 2 for span in spans):
        return "same"
    return [[low, high] for low, high in padding]


def per_axis(ctx: Context, name: str, spatial: int, default: list[int] | None = None) -> list[int]:
    """A list with one positive number for each spatial axis. Raises Refusal."""
    numbers = ctx.integers(name, default if default is not None else [1] * spatial)
    if numbers is None or len(numbers) != spatial or min(numbers) < 1:
        raise Refusal(f"{numbers} does not fit {spatial} spatial axes", name)
    return numbers


def _operands(ctx: Context) -> tuple[Held, NDArray, int]:
    """The input, the kernel, and the number of spatial axes. Raises Refusal."""
    ctx.floats()
    value = ctx.settled(ctx.value())
    kernel = ctx.array(1, "the kernel")
    spatial = value.rank - 2
    if not 1 <= spatial <= 3 or kernel.ndim != value.rank:
        raise Refusal(f"an input of {value.rank} axes and a kernel of {kernel.ndim}")
    return value, kernel, spatial


@op("Conv", attributes="auto_pad dilations group kernel_shape pads strides")
def conv(ctx: Context) -> None:
    """A convolution over one, two or three axes."""
    if ctx.is_computed(1) or ctx.is_computed(2):
        return _computed(ctx)
    value, kernel, _ = _operands(ctx)
    bias = ctx.array(2, "the bias").reshape(-1) if ctx.has(2) else None
    ctx.give(convolved(ctx, value, kernel, bias))


def _computed(ctx: Context) -> None:
    """A convolution whose kernel or bias is computed at run time."""
    ctx.floats()
    value, kernel = ctx.settled(ctx.value(0)), ctx.held(1)
    spatial = value.rank - 2
    static = [size for size in kernel.shape if isinstance(size, int)]
    if not 1 <= spatial <= 3 or kernel.rank != value.rank or len(static) != kernel.rank:
        raise Refusal(f"an input of {value.rank} axes, a kernel {[str(size) for size in kernel.shape]}")
    computed = {"kernel": ctx.arranged(kernel, (*range(2, kernel.rank), 1, 0))}
    if ctx.has(2):
        computed["bias"] = ctx.arranged(ctx.held(2), (0,))
    shape = np.broadcast_to(np.float32(0), static)
    ctx.give(convolved(ctx, value, shape, None, computed))


def convolved(
    ctx: Context,
    value: Held,
    kernel: NDArray,
    bias: NDArray | None,
    computed: Mapping[str, str] | None = None,
) -> Held:
    """A layer with the node's windows, optionally with another kernel than its operand. For a computed kernel,
    ``kernel`` has its shape.
    """
    spatial = value.rank - 2
    window = per_axis(ctx, "kernel_shape", spatial, list(kernel.shape[2:]))
    if window != list(kernel.shape[2:]):
        raise Refusal(f"{window} is not the kernel's {list(kernel.shape[2:])}", "kernel_shape")
    stride, dilation = per_axis(ctx, "strides", spatial), per_axis(ctx, "dilations", spatial)
    groups, filters = ctx.integer("group", 1), kernel.shape[0]
    if groups < 1 or value.shape[1] != kernel.shape[1] * groups:
        raise Refusal(
            f"{value.shape[1]} channels, a kernel for {kernel.shape[1]} in {groups} groups", "group"
        )
    keys: dict[str, Any] = {"filters": filters, "kernel_size": scalar_or_list(window)}
    if set(stride) != {1}:
        keys["stride"] = scalar_or_list(stride)
    padding = padding_key(pads_of(ctx, spatial), window, stride, dilation)
    if padding != "valid":
        keys["padding"] = padding
    if set(dilation) != {1}:
        keys["dilation"] = scalar_or_list(dilation)
    if groups > 1:
        keys["groups"] = groups
    weights: dict[str, NDArray] = {"kernel": np.moveaxis(kernel, (0, 1), (-1, -2))}
    if bias is not None:
        weights["bias"] = bias
    elif "bias" not in (computed or {}):
        keys["use_bias"] = False
    axes = channels_last(value.rank)
    source = ctx.arranged(value, axes)
    if computed:
        return ctx.held_as(ctx.with_computed(f"conv{spatial}d", [source], keys, computed), axes)
    return ctx.held_as(ctx.layer(f"conv{spatial}d", [source], keys, weights), axes)


@op(
    "ConvTranspose",
    attributes="auto_pad dilations group kernel_shape output_padding output_shape pads strides",
)
def conv_transpose(ctx: Context) -> None:
    """A transposed convolution. A requested output shape is converted to padding."""
    value, kernel, spatial = _operands(ctx)
    groups, window = ctx.integer("group", 1), list(kernel.shape[2:])
    if per_axis(ctx, "kernel_shape", spatial, window) != window:
        raise Refusal(f"is not the kernel's {window}", "kernel_shape")
    if groups < 1 or kernel.shape[0] != value.shape[1] or kernel.shape[0] % groups:
        raise Refusal(
            f"{value.shape[1]} channels, a kernel for {kernel.shape[0]} in {groups} groups", "group"
        )
    stride, dilation = per_axis(ctx, "strides", spatial), per_axis(ctx, "dilations", spatial)
    beyond = ctx.integers("output_padding", [0] * spatial) or []
    padding = pads_of(ctx, spatial)
    wanted = ctx.integers("output_shape")
    if wanted:
        wanted = wanted[-spatial:]
        upper = ctx.attribute("auto_pad", "NOTSET") == "SAME_UPPER"
        spans = [(size - 1) * step + 1 for size, step in zip(window, dilation, strict=True)]
        padding, beyond = _cut_to(wanted, value.shape[2:], spans, stride, beyond, upper)
    filters = kernel.shape[1] * groups
    keys: dict[str, Any] = {"filters": filters, "kernel_size": scalar_or_list(window)}
    if set(stride) != {1}:
        keys["stride"] = scalar_or_list(stride)
    if isinstance(padding, str) or any(low or high for low, high in padding):
        keys["padding"] = padding if isinstance(padding, str) else [list(pair) for pair in padding]
    if any(beyond):
        keys["output_padding"] = scalar_or_list(beyond)
    if set(dilation) != {1}:
        keys["dilation"] = scalar_or_list(dilation)
    if groups > 1:
        keys["groups"] = groups
    grouped = kernel.reshape(groups, kernel.shape[0] // groups, kernel.shape[1], *window)
    turned = np.moveaxis(grouped, (1, 0, 2), (-3, -2, -1))
    weights = {"kernel": turned.reshape(*window, kernel.shape[0] // groups, filters)}
    if ctx.has(2):
        weights["bias"] = ctx.array(2, "the bias").reshape(-1)
    else:
        keys["use_bias"] = False
    axes = channels_last(value.rank)
    ref = ctx.layer(f"conv_transpose{spatial}d", [ctx.arranged(value, axes)], keys, weights)
    ctx.give(ctx.held_as(ref, axes))


def _cut_to(
    wanted: list[int], sizes: Shape, spans: list[int], stride: list[int], beyond: list[int], upper: bool
) -> tuple[list[tuple[int, int]], list[int]]:
    """Padding and output padding for a requested shape."""
    pads, further = [], []
    for goal, size, span, step, more in zip(wanted, sizes, spans, stride, beyond, strict=True):
        if not isinstance(size, int):
            raise Refusal("an output shape is asked for, and the input's is open", "output_shape")
        total = step * (size - 1) + more + span - goal
        further.append(more - min(total, 0))
        half = max(total, 0) // 2
        pads.append((half, max(total, 0) - half) if upper else (max(total, 0) - half, half))
    return pads, further
