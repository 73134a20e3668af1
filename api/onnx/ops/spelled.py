"""Normalizations over any axes, recognized in several nodes, that ONNX has no operator for."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrange import Axes, channels_last
from ..context import Context
from ..errors import Refusal
from ..fold import checked_axis
from ..idioms.candidates import AXES_NORMALIZATION
from ..operands import Held
from .normalization import grouped, numbers, same_place
from .table import RECOGNIZED_OPS, op


@op(AXES_NORMALIZATION, attributes="axes epsilon kind", table=RECOGNIZED_OPS)
def axes_normalization(ctx: Context) -> None:
    """A layer, instance, group or RMS normalization, with scale and bias that broadcast to the value."""
    value = ctx.settled(ctx.value())
    axes = sorted(checked_axis(axis, value.rank) for axis in ctx.attribute("axes"))
    vectors = {
        name: _aligned(ctx.array(i, name), value.rank)
        for i, name in ((1, "gamma"), (2, "beta"))
        if len(ctx.operands) > i
    }
    ctx.give(
        _over_images(ctx, value, axes, vectors)
        if axes == list(range(2, value.rank)) and _along(vectors, 1)
        else _over_last(ctx, value, axes, vectors)
    )


def _aligned(array: NDArray, rank: int) -> NDArray:
    """An array with as many axes as the value that it broadcasts to."""
    if array.ndim > rank:
        raise Refusal("the scale has more axes than the value")
    return array.reshape((1,) * (rank - array.ndim) + array.shape)


def _along(vectors: dict[str, NDArray], *axes: int) -> bool:
    """Whether numbers vary along these axes only."""
    return all(
        size == 1 or axis in axes for array in vectors.values() for axis, size in enumerate(array.shape)
    )


def _over_images(ctx: Context, value: Held, axes: list[int], vectors: dict[str, NDArray]) -> Held:
    """Over all spatial axes: each channel of each sample separately, or groups of channels."""
    if ctx.attribute("kind") != "layer":
        raise Refusal("no layer divides by the root mean square of images")
    ones = {"gamma": np.ones(1, value.dtype), "beta": np.zeros(1, value.dtype)}
    if not vectors and (result := grouped(ctx, value, ones)) is not None:
        return result
    if value.rank == 3 and not vectors:
        return _over_last(ctx, value, axes, vectors)
    keys: dict[str, Any] = numbers(ctx, epsilon=1e-5)
    keys |= {} if "beta" in vectors else {"center": False}
    keys |= {} if "gamma" in vectors else {"scale": False}
    channels = (value.shape[1],)
    weights = {name: np.broadcast_to(array.reshape(-1), channels) for name, array in vectors.items()}  # type: ignore[arg-type]
    return same_place(ctx, "instance_norm", value, channels_last(value.rank), keys, weights)


def _over_last(ctx: Context, value: Held, axes: list[int], vectors: dict[str, NDArray]) -> Held:
    """Over axes that are held last, or are moved there."""
    if not _along(vectors, *axes):
        raise Refusal("the scale differs along axes that are not normalized")
    order: Axes = value.axes
    if sorted(order[-len(axes) :], key=str) != sorted(axes, key=str) or len(order) != value.rank:
        order = (
            channels_last(value.rank)
            if axes == [1]
            else (*(a for a in range(value.rank) if a not in axes), *axes)
        )
    if None in order or len(order) == len(axes):
        raise Refusal("there are no samples")
    last = [axis for axis in order[-len(axes) :] if axis is not None]
    sizes = [value.shape[axis] for axis in range(value.rank) if axis in axes]
    place = sorted(axes)
    weights = {}
    for name, array in vectors.items():
        whole = np.broadcast_to(array.reshape([array.shape[axis] for axis in place]), sizes)  # type: ignore[arg-type]
        weights[name] = whole.transpose([place.index(axis) for axis in last])
    kind = ctx.attribute("kind")
    keys: dict[str, Any] = numbers(ctx, epsilon=1e-5)
    keys |= {"axis": -len(axes)} if len(axes) > 1 else {}
    keys |= {} if "gamma" in weights else {"scale": False}
    keys |= {"center": False} if kind == "layer" and "beta" not in weights else {}
    return same_place(ctx, f"{kind}_norm", value, order, keys, weights)
