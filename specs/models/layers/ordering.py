"""Layers that order, count and accumulate along an axis."""

from __future__ import annotations

from typing import ClassVar, Literal

from ..base import Axis, DimExpression, DType, Flag, Number
from .base import LayerSpec


class TopK(LayerSpec):
    """The `k` largest (or smallest) numbers along an axis in their order; of equal ones the first ones come first.
    NaN counts as larger than all numbers, as where NumPy and PyTorch sort.

    Ports: `values`, which is the output as well, and `indices`, their positions (int64). With `k` as large as the axis
    it sorts. Each number is compared with all others of its axis.
    """

    type: Literal["top_k"] = "top_k"
    k: DimExpression
    """How many."""
    axis: Axis = -1
    """The axis along which they are compared."""
    largest: Flag = True
    """Whether the largest ones come first, or the smallest."""

    def ports(self) -> tuple[str, ...]:
        return ("values", "indices")


class OneHot(LayerSpec):
    """For each whole number an axis of `depth` cells: `on` in the cell of that number, `off` in the others.

    Negative numbers count from the end; for a number outside the axis all cells are `off`.
    """

    type: Literal["one_hot"] = "one_hot"
    depth: DimExpression
    """The number of cells."""
    axis: Axis = -1
    """Where the new axis stands in the result."""
    on: Number = 1.0
    """What the cell of the number holds."""
    off: Number = 0.0
    """What the other cells hold."""
    dtype: DType | None = None
    """The dtype; the model's float type when left out."""


class CumulativeSum(LayerSpec):
    """Sums along an axis that grow: each cell is the sum of the cells up to itself."""

    type: Literal["cumulative_sum"] = "cumulative_sum"
    axis: Axis = 1
    """The axis along which the sums grow."""
    exclusive: Flag = False
    """Whether a cell itself is left out: the first sum is then 0."""
    reverse: Flag = False
    """Whether the sums grow from the end to the start."""


class Reverse(LayerSpec):
    """The cells of an axis from the end to the start.

    With a second input `[N]` of whole numbers, or an input whose sequences have lengths, the first so many steps of
    each sample are reversed among themselves and the others stay (Keras' and TensorFlow's reverse_sequence).
    """

    arity: ClassVar[tuple[int, int | None]] = (1, 2)

    type: Literal["reverse"] = "reverse"
    axis: Axis = 1
    """The axis that is reversed."""


LAYERS = (
    TopK,
    OneHot,
    CumulativeSum,
    Reverse,
)
