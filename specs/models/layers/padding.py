"""Layers that make a tensor larger: padding and repetition."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from ..base import Difference, DimExpression, Flag, Number, at
from .base import LayerSpec
from .key_types import Axes


class PadLayer(LayerSpec):
    """Cells around the input. Negative numbers cut cells off; a number may follow from open sizes, `[0, T - 8*(T//8)]`,
    and be one or the other."""

    type: Literal["pad"] = "pad"
    padding: Annotated[tuple[tuple[Difference, Difference], ...], Field(min_length=1, max_length=8)]
    """[[low, high], …] for each axis, or for each of `axes`."""
    axes: Axes | None = None
    """The axes that are padded; all when left out."""
    mode: Literal["constant", "reflect", "symmetric", "edge", "wrap"] = "constant"
    """constant: `value`; reflect: the cells mirrored about the border cell; symmetric: about the border;
    edge: the border cell; wrap: from the other side."""
    value: Number | Flag = 0.0
    """What is in the new cells."""

    @model_validator(mode="after")
    def _as_many(self) -> Self:
        if self.axes is not None and len(self.axes) != len(self.padding):
            raise at("padding", "together", "expected one pair for each of the axes")
        return self


class Tile(LayerSpec):
    """The input repeated as a whole along each axis."""

    type: Literal["tile"] = "tile"
    repeats: Annotated[tuple[DimExpression, ...], Field(min_length=1, max_length=8)]
    """How often on each axis, batch included."""


class BroadcastTo(LayerSpec):
    """The input stretched to a shape by NumPy's rule; axes of size 1 in `shape` keep the input's size."""

    type: Literal["broadcast_to"] = "broadcast_to"
    shape: Annotated[tuple[DimExpression, ...], Field(min_length=1, max_length=8)]
    """The shape, batch included."""


LAYERS = (
    PadLayer,
    Tile,
    BroadcastTo,
)
