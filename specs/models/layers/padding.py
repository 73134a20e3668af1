"""Layers that enlarge a tensor: padding and repetition."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from ..base import Difference, DimExpression, Flag, Number, at
from .base import LayerSpec
from .key_types import Axes


class PadLayer(LayerSpec):
    """Pads the input with cells.

    Negative numbers cut cells off. A number may be an expression of open sizes, `[0, T - 8*(T//8)]`, and be positive
    for some sizes and negative for others.
    """

    type: Literal["pad"] = "pad"
    padding: Annotated[tuple[tuple[Difference, Difference], ...], Field(min_length=1, max_length=8)]
    """[[low, high], …] for each axis, or for each of `axes`."""
    axes: Axes | None = None
    """The axes to pad; all by default."""
    mode: Literal["constant", "reflect", "symmetric", "edge", "wrap"] = "constant"
    """constant: `value`; reflect: mirrored at the border cell; symmetric: mirrored at the border; edge: the border
    cell; wrap: the cells from the other side.
    """
    value: Number | Flag = 0.0
    """The value of the new cells."""

    @model_validator(mode="after")
    def _as_many(self) -> Self:
        if self.axes is not None and len(self.axes) != len(self.padding):
            raise at("padding", "together", "expected one pair for each of the axes")
        return self


class Tile(LayerSpec):
    """Repeats the whole input along each axis."""

    type: Literal["tile"] = "tile"
    repeats: Annotated[tuple[DimExpression, ...], Field(min_length=1, max_length=8)]
    """How often along each axis, batch included."""


class BroadcastTo(LayerSpec):
    """Broadcasts the input to a shape by NumPy's rules. Axes of size 1 in `shape` keep the input's size."""

    type: Literal["broadcast_to"] = "broadcast_to"
    shape: Annotated[tuple[DimExpression, ...], Field(min_length=1, max_length=8)]
    """The shape, batch included."""


LAYERS = (
    PadLayer,
    Tile,
    BroadcastTo,
)
