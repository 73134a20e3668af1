"""Layers that read and write cells at positions which are data, and those that make such positions."""

from __future__ import annotations

from typing import ClassVar, Literal

from ..base import Axis
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


LAYERS = (
    GatherElements,
    GatherNd,
    ScatterElements,
    ScatterNd,
)
