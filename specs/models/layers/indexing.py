"""Layers that read and write cells at positions which are data, and those that make such positions."""

from __future__ import annotations

from typing import ClassVar, Literal

from ..base import Axis, DimExpression, DType, Flag, Number
from .base import LayerSpec


class GatherElements(LayerSpec):
    """Of the first input the cells at the positions that the second one holds along `axis` (PyTorch's gather, NumPy's
    take_along_axis).

    The positions have the first input's number of axes, and at most its sizes on the other axes; the result has their
    shape. Negative ones count from the end; one outside the axis is an error at run time. The last valid step of
    `x [N, T, F]` is `axis: 1` with positions `[N, 1, F]`.
    """

    arity: ClassVar[tuple[int, int | None]] = (2, 2)

    type: Literal["gather_elements"] = "gather_elements"
    axis: Axis = 1
    """The axis along which the positions count."""


class GatherNd(LayerSpec):
    """Slices of the first input at positions in several axes: the last axis of the second input holds one position for
    each of the axes looked up.

    `x [N, T, F]` at `[N, 1]` with `batch_axes: 1` gives `[N, F]`: one step of each sample. Negative positions count
    from the end; one outside its axis is an error at run time.
    """

    arity: ClassVar[tuple[int, int | None]] = (2, 2)

    type: Literal["gather_nd"] = "gather_nd"
    batch_axes: Axis = 0
    """How many leading axes the two inputs have in common; the axes looked up follow."""


class ScatterElements(LayerSpec):
    """The first input with cells written anew: those at the positions that the second one holds along `axis` become
    what the third one holds, which has the shape of the positions. What gather_elements reads, this writes.
    """

    arity: ClassVar[tuple[int, int | None]] = (3, 3)

    type: Literal["scatter_elements"] = "scatter_elements"
    axis: Axis = 1
    """The axis along which the positions count."""
    reduction: Literal["set", "add", "mul", "max", "min"] = "set"
    """What is written: the update, or the cell so far combined with it. Of several updates of one cell the last one
    sets it. Products and extremes have no gradient."""


class ScatterNd(LayerSpec):
    """The first input with slices written anew: those at the positions in the last axis of the second one become what
    the third one holds. What gather_nd reads, this writes.
    """

    arity: ClassVar[tuple[int, int | None]] = (3, 3)

    type: Literal["scatter_nd"] = "scatter_nd"
    reduction: Literal["set", "add", "mul", "max", "min"] = "set"
    """What is written: the update, or the cell so far combined with it. Of several updates of one cell the last one
    sets it. Products and extremes have no gradient."""


class TopK(LayerSpec):
    """The `k` largest (or smallest) numbers along an axis in their order; of equal ones the first ones come first.

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
