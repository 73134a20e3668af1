"""Sampling at computed positions, and the inverse of max pools."""

from __future__ import annotations

import numpy as np

from netwright.specs.dims import Dim, product

from ..arrange import channels_last, identity
from ..context import Context
from ..errors import Refusal
from ..network import written
from ..operands import Held, Known
from .broadcast import equation
from .conv import pads_of, per_axis, scalar_or_list
from .linear import product as matrix_product
from .table import op

_MODES = {
    "bilinear": "linear",
    "linear": "linear",
    "nearest": "nearest",
    "bicubic": "cubic",
    "cubic": "cubic",
}


@op("GridSample", attributes="align_corners mode padding_mode", since=16)
def grid_sample(ctx: Context) -> None:
    """Samples an image at the positions of a grid."""
    ctx.floats()
    image, grid = ctx.settled(ctx.value(0)), ctx.held(1)
    names = ("bilinear", "nearest", "bicubic") if ctx.opset < 20 else ("linear", "nearest", "cubic")
    mode = _MODES[ctx.text("mode", names[0], *names)]
    if mode == "cubic" and image.rank != 4:
        raise Refusal(f"cubic interpolation in {image.rank - 2} axes", "mode")
    keys: dict = {} if mode == "linear" else {"mode": mode}
    padding = ctx.text("padding_mode", "zeros", "zeros", "border", "reflection")
    keys |= {} if padding == "zeros" else {"padding": padding}
    keys |= {"align_corners": True} if ctx.integer("align_corners", 0) else {}
    axes = channels_last(image.rank)
    refs = [ctx.arranged(image, axes), ctx.arranged(grid, identity(grid.rank))]
    ctx.give(ctx.held_as(ctx.layer("grid_sample", refs, keys), axes))


@op("AffineGrid", attributes="align_corners", since=20)
def affine_grid(ctx: Context) -> None:
    """The grid of one affine map per sample, of a known size."""
    ctx.floats()
    theta, sizes = ctx.settled(ctx.value(0)), ctx.sizes(1, "the size")
    spatial = len(sizes) - 2
    if spatial not in (2, 3) or theta.shape[1:] != (spatial, spatial + 1) or theta.shape[0] != sizes[0]:
        raise Refusal(f"maps {[str(s) for s in theta.shape]} for an image {[str(s) for s in sizes]}")
    known = [size for size in sizes[2:] if isinstance(size, int)]
    if len(known) != spatial:
        raise Refusal("the size of the grid is open")
    lines = [_line(size, bool(ctx.integer("align_corners", 0))) for size in known]
    mesh = np.stack([*np.meshgrid(*lines, indexing="ij")[::-1], np.ones(known)], -1)
    base = mesh.reshape(1, -1, spatial + 1).astype(theta.dtype)
    cells = Known.of(base, "grid")
    turned = Held(theta.ref, theta.dtype, (theta.shape[0], spatial + 1, spatial), _swapped(theta))
    grid = matrix_product(ctx, ctx.settled(cells), turned)
    ref = ctx.writer.reshaped(ctx.arranged(grid, (0, 1, 2)), (theta.shape[0], *known, spatial))
    ctx.give(ctx.held_as(ref, identity(spatial + 2)))


def _line(size: int, align: bool) -> np.ndarray:
    if align:
        return np.linspace(-1, 1, size) if size > 1 else np.zeros(1)
    return (np.arange(size) * 2 + 1) / size - 1


def _swapped(value: Held) -> tuple[int | None, ...]:
    order = {0: 0, 1: 2, 2: 1, None: None}
    return tuple(order[axis] for axis in value.axes)


@op("MaxUnpool", attributes="kernel_shape pads strides", since=9)
def max_unpool(ctx: Context) -> None:
    """Puts values back to the positions where a max pool found them."""
    ctx.floats()
    value, positions = ctx.settled(ctx.value(0)), ctx.held(1)
    spatial = value.rank - 2
    if not 1 <= spatial <= 3 or positions.shape != value.shape:
        raise Refusal(f"values of {value.rank} axes, positions of {positions.rank}")
    window, stride = per_axis(ctx, "kernel_shape", spatial, []), per_axis(ctx, "strides", spatial)
    pads = pads_of(ctx, spatial)
    assert not isinstance(pads, str)
    inferred = [
        (size - 1) * step + cells - low - high
        for size, step, cells, (low, high) in zip(value.shape[2:], stride, window, pads, strict=True)
    ]
    if any(isinstance(size, int) and size < 1 for size in inferred):
        raise Refusal(f"a result of {[str(size) for size in inferred]} cells")
    wanted = ctx.sizes(2, "the output's shape")[2:] if ctx.has(2) else inferred
    keys: dict = {"pool_size": scalar_or_list(window)}
    if stride != window:
        keys["stride"] = scalar_or_list(stride)
    if any(low or high for low, high in pads):
        keys["padding"] = [list(pair) for pair in pads]
    if list(wanted) != inferred:
        keys["output_size"] = [written(size) for size in wanted]
    axes = channels_last(value.rank)
    cells = _own_cells(ctx, value, positions, product(wanted), list(wanted) == inferred)
    ref = ctx.layer("max_unpool", [ctx.arranged(value, axes), cells], keys)
    ctx.give(ctx.held_as(ref, axes))


def _own_cells(ctx: Context, value: Held, positions: Held, count: int | Dim, inferred: bool) -> str:
    """Converts positions in the whole tensor to positions among the cells of a channel of a sample."""
    axes = channels_last(value.rank)
    pool = ctx.writer.positions.get(positions.ref)
    if pool is not None and pool[1] == count:
        return pool[0]
    if not inferred:
        raise Refusal(
            "ONNX and ONNX Runtime do not agree on where positions are in an output of another size"
        )
    whole = Held(ctx.arranged(positions, axes), positions.dtype, positions.shape, axes)
    if isinstance(count, Dim) or isinstance(value.shape[1], Dim):
        raise Refusal("positions that no max pool of the model gives, in an open number of cells")
    own = f"(index(i, axis=0) * {value.shape[1]} + index(i, axis=-1))"
    text = f"where(i // {count} == {own}, mod(i, {count}), -1)"
    return equation(ctx, text, {"i": whole}, fallback="positions").ref
