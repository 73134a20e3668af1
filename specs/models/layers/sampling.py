"""Layers that sample an image at computed positions, or write values to the positions of maxima."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from ..base import DimExpression, Flag, NonNegative, Size
from .base import LayerSpec


class GridSample(LayerSpec):
    """Samples the first input at the positions in the second, interpolating between cells: the sampler of spatial
    transformers (Jaderberg et al., 2015).

    `x [N, H, W, C]` at `grid [N, P, Q, 2]` gives `[N, P, Q, C]`; the last axis of the grid holds x, then y, from −1 at
    one border to 1 at the other. It works the same for one and three spatial axes; the grid's last axis then begins
    with the last spatial axis.
    """

    arity: ClassVar[tuple[int, int | None]] = (2, 2)

    type: Literal["grid_sample"] = "grid_sample"
    mode: Literal["nearest", "linear", "cubic"] = "linear"
    """The cells to interpolate: the nearest one, two around the position along each axis, or four."""
    padding: Literal["zeros", "border", "reflection"] = "zeros"
    """The values outside: zeros, the cell at the border, or the cells mirrored at the border."""
    align_corners: Flag = False
    """Whether −1 and 1 are the centres of the cells at the borders, or the borders themselves."""


class MaxUnpool(LayerSpec):
    """The inverse of a max pool: zeros, except for the values of the first input at the positions in the second (port
    `indices` of a max pool: positions among the cells of one channel of a sample).
    """

    arity: ClassVar[tuple[int, int | None]] = (2, 2)

    type: Literal["max_unpool"] = "max_unpool"
    pool_size: Annotated[tuple[Size, ...], Field(min_length=1, max_length=3)] | Size
    """The windows of the max pool."""
    stride: Annotated[tuple[Size, ...], Field(min_length=1, max_length=3)] | Size | None = None
    """Its strides; by default the size of its windows."""
    padding: (
        Annotated[tuple[tuple[NonNegative, NonNegative], ...], Field(min_length=1, max_length=3)] | None
    ) = None
    """Its padding, [[low, high], …] for each spatial axis; none by default."""
    output_size: Annotated[tuple[DimExpression, ...], Field(min_length=1, max_length=3)] | None = None
    """The sizes of the output's spatial axes; by default (size − 1)·stride + pool_size − padding."""


LAYERS = (
    GridSample,
    MaxUnpool,
)
