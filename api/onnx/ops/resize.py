"""Resize and Upsample."""

from __future__ import annotations

from typing import Any

from netwright.specs.dims import Dim

from ..context import Context
from ..errors import Refusal
from ..fold import checked_axis
from ..network import written
from ..numbers import decimal
from ..operands import Held
from ..tensors import MAX_AXIS
from .arranging import with_axes
from .table import op

_COORDINATES = (
    "half_pixel",
    "half_pixel_symmetric",
    "pytorch_half_pixel",
    "align_corners",
    "asymmetric",
    "tf_half_pixel_for_nn",
    "tf_crop_and_resize",
)


def _numbers(ctx: Context, position: int, what: str) -> list[float] | None:
    if not ctx.has(position):
        return None
    array = ctx.array(position, what)
    return [decimal(float(number)) for number in array.reshape(-1)] if array.size else None


@op("Upsample", attributes="mode scales height_scale width_scale")
def upsample(ctx: Context) -> None:
    """The predecessor of Resize, with scales only and asymmetric coordinates."""
    value = ctx.held()
    if "height_scale" in ctx.node.attributes or "width_scale" in ctx.node.attributes:
        raise Refusal("is of opset 1", "height_scale")
    listed = ctx.attribute("scales")
    scales = [decimal(scale) for scale in listed] if listed is not None else _numbers(ctx, 1, "the scales")
    mode = ctx.text("mode", "nearest", "nearest", "linear", "bilinear").removeprefix("bi")
    if scales is None or len(scales) != value.rank:
        raise Refusal("one scale for each axis is needed", "scales")
    keys: dict[str, Any] = {"mode": mode, "coordinates": "asymmetric"}
    if mode == "nearest":
        keys["nearest"] = "floor"
    _resize(ctx, value, {axis: scale for axis, scale in enumerate(scales) if scale != 1}, None, keys, {})


@op(
    "Resize",
    attributes="antialias axes coordinate_transformation_mode cubic_coeff_a exclude_outside extrapolation_value "
    "keep_aspect_ratio_policy mode nearest_mode",
    since=10,
)
def resize(ctx: Context) -> None:
    """Another resolution, by nearest, linear or cubic interpolation."""
    value = ctx.held()
    mode = ctx.text("mode", "nearest", "nearest", "linear", "cubic")
    if ctx.opset < 11:
        scales = _numbers(ctx, 1, "the scales")
        if scales is None or len(scales) != value.rank:
            raise Refusal("one scale for each axis is needed")
        keys = {"mode": mode, "coordinates": "asymmetric"} | (
            {"nearest": "floor"} if mode == "nearest" else {}
        )
        chosen = {axis: scale for axis, scale in enumerate(scales) if scale != 1}
        return _resize(ctx, value, chosen, None, keys, {})
    coordinates = ctx.text("coordinate_transformation_mode", "half_pixel", *_COORDINATES)
    axes = ctx.integers("axes")
    axes = list(range(value.rank)) if axes is None else [checked_axis(axis, value.rank) for axis in axes]
    keys: dict[str, Any] = {"mode": mode}
    if coordinates != "half_pixel":
        keys["coordinates"] = coordinates.removeprefix("tf_") if "crop" in coordinates else coordinates
    nearest = ctx.text(
        "nearest_mode", "round_prefer_floor", "round_prefer_floor", "round_prefer_ceil", "floor", "ceil"
    )
    if mode == "nearest" and nearest != "round_prefer_floor":
        keys["nearest"] = nearest
    if mode != "nearest" and coordinates == "tf_half_pixel_for_nn":
        raise Refusal("tf_half_pixel_for_nn is for the nearest cell", "coordinate_transformation_mode")
    if mode == "cubic" and (a := ctx.number("cubic_coeff_a", -0.75)) != -0.75:
        keys["cubic_coefficient"] = a
    if ctx.integer("antialias", 0) and mode != "nearest":
        keys["antialias"] = True
    # Without antialias this changes nothing in linear mode, where a cell outside has the border's value anyway.
    if ctx.integer("exclude_outside", 0) and (mode == "cubic" or "antialias" in keys):
        keys["exclude_outside"] = True
    roi: dict[int, tuple[float, float]] = {}
    if "crop" in coordinates:
        region = _numbers(ctx, 1, "the region") or []
        if len(region) != 2 * len(axes):
            raise Refusal("the region does not fit the axes")
        roi = {axis: (region[i], region[i + len(axes)]) for i, axis in enumerate(axes)}
        if (outside := ctx.number("extrapolation_value", 0.0)) != 0:
            keys["extrapolation_value"] = outside
    scales = _numbers(ctx, 2, "the scales")
    if scales is not None:
        if len(scales) != len(axes):
            raise Refusal("the scales do not fit the axes")
        chosen = {a: s for a, s in zip(axes, scales, strict=True) if s != 1 or roi.get(a, (0, 1)) != (0, 1)}
        return _resize(ctx, value, chosen, None, keys, roi)
    sizes = ctx.sizes(3, "the sizes") if ctx.has(3) else []
    if len(sizes) != len(axes):
        raise Refusal("the sizes do not fit the axes")
    policy = ctx.text("keep_aspect_ratio_policy", "stretch", "stretch", "not_larger", "not_smaller")
    if policy != "stretch":
        keys["keep_aspect_ratio"] = policy
    wanted = {
        a: s
        for a, s in zip(axes, sizes, strict=True)
        if s != value.shape[a] or policy != "stretch" or roi.get(a, (0, 1)) != (0, 1)
    }
    _resize(ctx, value, None, wanted, keys, roi)


def _resize(
    ctx: Context,
    value: Held,
    scales: dict[int, float] | None,
    sizes: dict[int, int | Dim] | None,
    keys: dict[str, Any],
    roi: dict[int, tuple[float, float]],
) -> None:
    chosen = scales if scales is not None else sizes
    if not chosen:
        return ctx.give(value)
    if value.rank == 4 and set(chosen) <= {2, 3} and value.axes == (0, 1, 2, 3):
        value = Held(ctx.arranged(value, (0, 2, 3, 1)), value.dtype, value.shape, (0, 2, 3, 1))
    for axis, number in chosen.items():
        size = number if scales is None else value.shape[axis]
        cells = size * (1 if scales is None else number) if isinstance(size, int) else 0
        if not cells <= MAX_AXIS:  # type: ignore[operator]
            raise Refusal(f"an axis of {cells} cells is too long")
    value = with_axes(ctx, value, list(chosen))
    rows = sorted((value.axes.index(axis), axis) for axis in chosen)
    listed = [chosen[axis] for _, axis in rows]
    entry = {"scales": listed} if scales is not None else {"sizes": [written(size) for size in listed]}  # type: ignore
    full = {**entry, "axes": [position for position, _ in rows], **keys}
    if roi:
        full["roi"] = [list(roi[axis]) for _, axis in rows]
    ref = ctx.layer("resize", [value.ref], full)
    ctx.give(ctx.held_as(ref, value.axes, value.rank))
