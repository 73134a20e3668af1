"""Layers that sort, count and accumulate along an axis."""

from __future__ import annotations

from typing import ClassVar, Literal

from ..base import Axis, DimExpression, DType, Flag, Number
from .base import LayerSpec


class TopK(LayerSpec):
    """The `k` largest (or smallest) numbers along an axis, sorted; equal ones keep their order. NaN counts as larger
    than all numbers, as in NumPy's and PyTorch's sorting.

    Ports: `values`, which is also the output, and `indices`, their positions (int64). If `k` is the size of the axis,
    it sorts. The time grows with the square of the axis' size, since all pairs are compared.
    """

    type: Literal["top_k"] = "top_k"
    k: DimExpression
    """How many numbers."""
    axis: Axis = -1
    """The axis along which they are compared."""
    largest: Flag = True
    """Whether the largest ones come first, or the smallest."""

    def ports(self) -> tuple[str, ...]:
        return ("values", "indices")


class OneHot(LayerSpec):
    """One-hot encoding: a new axis of `depth` cells for each whole number, with `on` in the cell of that number and
    `off` in the others.

    Negative numbers count from the end; for a number outside the axis all cells are `off`.
    """

    type: Literal["one_hot"] = "one_hot"
    depth: DimExpression
    """The number of cells."""
    axis: Axis = -1
    """The position of the new axis in the output."""
    on: Number = 1.0
    """The value in the cell of the number."""
    off: Number = 0.0
    """The value in the other cells."""
    dtype: DType | None = None
    """The dtype; the model's float type by default."""


class CumulativeSum(LayerSpec):
    """Cumulative sums along an axis: each cell is the sum of the cells up to and including itself."""

    type: Literal["cumulative_sum"] = "cumulative_sum"
    axis: Axis = 1
    """The axis to sum along."""
    exclusive: Flag = False
    """Whether to leave out the cell itself, so that the first sum is 0."""
    reverse: Flag = False
    """Whether to sum from the end to the start."""


class Reverse(LayerSpec):
    """The cells of an axis in reverse order.

    If there is a second input `[N]` of whole numbers, or the input's sequences have lengths, each sample reverses only
    as many steps from its start and keeps the others (Keras' and TensorFlow's reverse_sequence).
    """

    arity: ClassVar[tuple[int, int | None]] = (1, 2)

    type: Literal["reverse"] = "reverse"
    axis: Axis = 1
    """The axis to reverse."""


LAYERS = (
    TopK,
    OneHot,
    CumulativeSum,
    Reverse,
)
