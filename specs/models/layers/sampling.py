"""Layers that read an image at positions which are computed, or write one at the positions of maxima."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from ..base import DimExpression, Flag, NonNegative, Size
from .base import LayerSpec


class GridSample(LayerSpec):
    """The first input read at the positions that the second one holds, with values in between where they fall between
    cells: the sampler of spatial transformers (Jaderberg et al., 2015).

    `x [N, H, W, C]` at `grid [N, P, Q, 2]` gives `[N, P, Q, C]`; the last axis of the grid holds x, then y, −1 at one
    border and 1 at the other. One and three spatial axes go likewise, with the grid's last axis in the order of the
    last spatial axis first.
    """

    arity: ClassVar[tuple[int, int | None]] = (2, 2)

    type: Literal["grid_sample"] = "grid_sample"
    mode: Literal["nearest", "linear", "cubic"] = "linear"
    """Which cells count: the nearest one, the two around the position along each axis, or four of them."""
    padding: Literal["zeros", "border", "reflection"] = "zeros"
    """What is outside: zeros, the cell at the border, or the cells mirrored about the border."""
    align_corners: Flag = False
    """Whether −1 and 1 are the centres of the cells at the borders, or the borders themselves."""


class MaxUnpool(LayerSpec):
    """The inverse of a max pool: zeros, but for the values of the first input at the positions that the second one
    holds (port `indices` of a max pool: positions among the cells of a channel of a sample).
    """

    arity: ClassVar[tuple[int, int | None]] = (2, 2)

    type: Literal["max_unpool"] = "max_unpool"
    pool_size: Annotated[tuple[Size, ...], Field(min_length=1, max_length=3)] | Size
    """The windows of the max pool."""
    stride: Annotated[tuple[Size, ...], Field(min_length=1, max_length=3)] | Size | None = None
    """Its strides; those of the windows when left out."""
    padding: (
        Annotated[tuple[tuple[NonNegative, NonNegative], ...], Field(min_length=1, max_length=3)] | None
    ) = None
    """Its padding, [[low, high], …] for each spatial axis; none when left out."""
    output_size: Annotated[tuple[DimExpression, ...], Field(min_length=1, max_length=3)] | None = None
    """The sizes of the result's spatial axes; when left out, (size − 1)·stride + pool_size − padding."""


LAYERS = (
    GridSample,
    MaxUnpool,
)
