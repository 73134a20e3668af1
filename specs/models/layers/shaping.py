"""Layers that only move or join values: flatten, reshape, concat, and elementwise add and multiply."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from ..base import Axis, DimExpression, Size, at
from .base import LayerSpec


class Flatten(LayerSpec):
    """Joins the axes from `start_axis` to the last: `[N, H, W, C]` gives `[N, H*W*C]`."""

    type: Literal["flatten"] = "flatten"
    start_axis: Annotated[Axis, Field(ge=0)] = 1
    """The first axis to join; 1 keeps the batch, 2 keeps batch and time."""


class Reshape(LayerSpec):
    """The same values in row-major order under another shape, batch included: `shape: [N, 7, 7, 64]`."""

    type: Literal["reshape"] = "reshape"
    shape: Annotated[tuple[Literal[-1] | DimExpression, ...], Field(max_length=8)]
    """The new shape. One size may be -1; it is computed from the others."""

    @model_validator(mode="after")
    def _one_rest(self) -> Self:
        if self.shape.count(-1) > 1:
            raise at("shape", "together", "only one size of a shape can be -1")
        return self


class Concat(LayerSpec):
    """Concatenates its inputs along an axis; their other axes agree."""

    arity: ClassVar[tuple[int, int | None]] = (2, None)
    type: Literal["concat"] = "concat"
    axis: Axis = -1
    """The axis to join along."""


class Add(LayerSpec):
    """The sum of its inputs, which have one shape."""

    arity: ClassVar[tuple[int, int | None]] = (2, None)
    type: Literal["add"] = "add"


class Multiply(LayerSpec):
    """The product of its inputs, element by element.

    Their shapes are equal except for axes of size 1, which are broadcast: a gate `[N, 1, 1, C]` scales each channel of
    an image `[N, H, W, C]`, one of `[N, H, W, 1]` each pixel.
    """

    arity: ClassVar[tuple[int, int | None]] = (2, None)
    type: Literal["multiply"] = "multiply"


class DepthToSpace(LayerSpec):
    """Moves channels to space: `[N, H, W, b*b*C]` gives `[N, b*H, b*W, C]`, for any number of spatial axes."""

    type: Literal["depth_to_space"] = "depth_to_space"
    block_size: Size
    """The size of a block along each spatial axis."""
    mode: Literal["dcr", "crd"] = "dcr"
    """The order within the channels: dcr (block row, block column, channel) or crd (channel first, as
    PyTorch's pixel_shuffle)."""


class SpaceToDepth(LayerSpec):
    """Moves space to channels: `[N, b*H, b*W, C]` gives `[N, H, W, b*b*C]`, block row and column first."""

    type: Literal["space_to_depth"] = "space_to_depth"
    block_size: Size
    """The size of a block along each spatial axis."""


LAYERS = (
    Flatten,
    Reshape,
    Concat,
    Add,
    Multiply,
    DepthToSpace,
    SpaceToDepth,
)
