"""Geometry that convolutions and pools share: attributes, counts of windows, and which cells a window reads."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from netwright.specs.dims import DimLike, Shape, bounds

from ...graph.node import Attributes
from ...graph.rules import ShapeError
from ...graph.types import FLOATS, TensorType


@dataclass(frozen=True, slots=True)
class ConvAttributes(Attributes):
    """``stride`` and ``dilation`` per spatial axis; ``groups`` of channels are convolved separately. ``order``: see
    ``protocols.Order``."""

    optional: ClassVar[tuple[str, ...]] = ("order",)

    stride: tuple[int, ...]
    dilation: tuple[int, ...]
    groups: int = 1
    order: Literal["any", "ascending"] = "any"


@dataclass(frozen=True, slots=True)
class ConvKernelGradientAttributes(Attributes):
    """The convolution's attributes, the spatial size of its kernel, and the ``order`` of the sums (see
    ``protocols.Order``), in which samples are outermost."""

    optional: ClassVar[tuple[str, ...]] = ("order",)

    kernel_size: tuple[int, ...]
    stride: tuple[int, ...]
    dilation: tuple[int, ...]
    groups: int = 1
    order: Literal["any", "fixed", "ascending", "descending"] = "any"


def window_cells(size: DimLike, window: int, stride: int, dilation: int = 1, operand: int = 0) -> DimLike:
    """How many windows of ``window`` cells fit into ``size``. Raises ShapeError if provably none does."""
    span = (window - 1) * dilation + 1
    greatest = bounds(size - span, {})[1]
    if greatest is not None and greatest < 0:
        raise ShapeError(f"a window of {span} does not fit into {size}", operand)
    return (size - span) // stride + 1


def check_operand(name: str, attrs: ConvAttributes | ConvKernelGradientAttributes, x: TensorType) -> None:
    rank = len(attrs.stride)
    if not 1 <= rank <= 3 or len(attrs.dilation) != rank or x.rank != rank + 2 or x.dtype not in FLOATS:
        raise ShapeError(f"{name} of {x} with stride {attrs.stride} and dilation {attrs.dilation}", 0)
    if min(*attrs.stride, *attrs.dilation, attrs.groups) < 1:
        raise ShapeError(f"{name} with a stride, dilation or groups below 1")
    if not isinstance(x.shape[-1], int) or x.shape[-1] % attrs.groups:
        raise ShapeError(f"{name} of {x.shape[-1]} channels in {attrs.groups} groups", 0)


def window_counts(
    attrs: ConvAttributes | ConvKernelGradientAttributes, shape: Shape, kernel_size: Sequence[int]
) -> Shape:
    per_axis = zip(shape[1:-1], kernel_size, attrs.stride, attrs.dilation, strict=True)
    return tuple(window_cells(*axis) for axis in per_axis)


def taps_and_cells(
    attrs: ConvAttributes | ConvKernelGradientAttributes, kernel_size: Sequence[int], cells: Sequence[int]
) -> Iterator[tuple[tuple[int, ...], tuple[slice, ...]]]:
    """Every kernel position, with the input cells that it is multiplied by."""
    for tap in np.ndindex(*kernel_size):
        starts = [k * d for k, d in zip(tap, attrs.dilation, strict=True)]
        spans = [(o - 1) * s + 1 for o, s in zip(cells, attrs.stride, strict=True)]
        ranges = [slice(a, a + n, s) for a, n, s in zip(starts, spans, attrs.stride, strict=True)]
        yield tap, (slice(None), *ranges)


def input_cells(
    attrs: ConvAttributes | ConvKernelGradientAttributes, cells: Sequence[Any], taps: Sequence[Any]
) -> list[Any]:
    """The input cell that kernel position ``taps`` is multiplied by in window ``cells``."""
    per_axis = zip(cells, taps, attrs.stride, attrs.dilation, strict=True)
    return [cell * stride + tap * dilation for cell, tap, stride, dilation in per_axis]


def input_channel(
    attrs: ConvAttributes | ConvKernelGradientAttributes, channels: Shape, channel: Any, feature: Any
) -> Any:
    """The input channel at position ``channel`` within the group of output channel ``feature``; ``channels`` are the
    last two sizes of the weights."""
    if attrs.groups == 1:
        return channel
    c_in, c_out = channels
    assert isinstance(c_out, int)
    return feature // (c_out // attrs.groups) * c_in + channel


def group_features(attrs: ConvAttributes | ConvKernelGradientAttributes, features: TensorType) -> int | None:
    """How many output channels (on the last axis of ``features``) read the same input channels; None if all do, or
    only one."""
    c_out = features.shape[-1]
    assert isinstance(c_out, int)
    return c_out // attrs.groups if 1 < attrs.groups < c_out else None


def conv_cases() -> list[tuple[TensorType, TensorType, ConvAttributes]]:
    def t(*shape: int) -> TensorType:
        return TensorType("float64", shape)

    return [
        (t(2, 7, 3), t(3, 3, 4), ConvAttributes((1,), (1,))),
        (t(1, 10, 2), t(3, 2, 3), ConvAttributes((3,), (2,))),
        (t(2, 5, 6, 2), t(3, 2, 2, 3), ConvAttributes((1, 1), (1, 1))),
        (t(1, 6, 7, 4), t(2, 3, 2, 6), ConvAttributes((2, 3), (2, 1), 2)),
        (t(2, 5, 5, 3), t(3, 3, 1, 3), ConvAttributes((1, 2), (1, 1), 3)),
        (t(1, 5, 6), t(2, 2, 60), ConvAttributes((2,), (1,), 3)),
        (t(1, 3, 4, 3, 2), t(2, 2, 1, 2, 2), ConvAttributes((1, 2, 1), (1, 1, 1))),
    ]
