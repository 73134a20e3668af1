"""Pools of any kind, defined by an equation."""

from __future__ import annotations

from typing import ClassVar, Literal

from .pool import Pool
from .window import CausalPadding


class ExpressionPool(Pool):
    """Computes an equation of the cells x of each window and channel, over the cells that exist: `expression:
    sqrt(mean(x * x))`.

    `sum`, `mean`, `max`, `min` and `softmax` go over a window's cells, `size(x)` is their number, and `index(x)` is the
    position of each (int64, in row-major order). Everything else is element by element.
    """

    expression: str
    """The equation. Its result is one number for the cells x."""


class Pool1D(ExpressionPool):
    """An equation of the cells of each window over one axis."""

    rank: ClassVar[int] = 1
    type: Literal["pool1d"] = "pool1d"
    padding: CausalPadding = "valid"  # type: ignore[assignment]
    """What is added at the borders: valid (nothing), same (stride 1 keeps the size), same_upper, same_lower,
    causal (all of it before the first cell), or [[low, high]]; see [paddings](#paddings).
    Padded cells do not count.
    """


class Pool2D(ExpressionPool):
    """An equation of the cells of each window over two axes."""

    rank: ClassVar[int] = 2
    type: Literal["pool2d"] = "pool2d"


class Pool3D(ExpressionPool):
    """An equation of the cells of each window over three axes."""

    rank: ClassVar[int] = 3
    type: Literal["pool3d"] = "pool3d"


LAYERS = (
    Pool1D,
    Pool2D,
    Pool3D,
)
