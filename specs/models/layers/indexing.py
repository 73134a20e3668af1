"""Layers that read and write cells at positions that other layers compute."""

from __future__ import annotations

from typing import ClassVar, Literal

from ..base import Axis
from .base import LayerSpec


class GatherElements(LayerSpec):
    """Reads cells of the first input at the positions along `axis` in the second input (PyTorch's gather, NumPy's
    take_along_axis).

    The second input has as many axes as the first, and at most its sizes on the other axes; the output has the second
    input's shape. Negative positions count from the end; a position outside the axis is an error at run time. The last
    valid step of `x [N, T, F]` is `axis: 1` with positions `[N, 1, F]`.
    """

    arity: ClassVar[tuple[int, int | None]] = (2, 2)

    type: Literal["gather_elements"] = "gather_elements"
    axis: Axis = 1
    """The axis that the positions refer to."""


class GatherNd(LayerSpec):
    """Reads slices of the first input at positions in several axes: the last axis of the second input holds one
    position for each of these axes.

    `x [N, T, F]` at `[N, 1]` with `batch_axes: 1` gives `[N, F]`: one step of each sample. Negative positions count
    from the end; a position outside its axis is an error at run time.
    """

    arity: ClassVar[tuple[int, int | None]] = (2, 2)

    type: Literal["gather_nd"] = "gather_nd"
    batch_axes: Axis = 0
    """How many leading axes the two inputs have in common. The axes that the positions refer to follow them."""


class ScatterElements(LayerSpec):
    """The first input with some cells overwritten: those at the positions along `axis` in the second input take the
    values of the third, which has the shape of the positions.

    It writes the cells that gather_elements reads.
    """

    arity: ClassVar[tuple[int, int | None]] = (3, 3)

    type: Literal["scatter_elements"] = "scatter_elements"
    axis: Axis = 1
    """The axis that the positions refer to."""
    reduction: Literal["set", "add", "mul", "max", "min"] = "set"
    """The value written: the update, or the cell's value combined with it. If several updates set one cell, the last
    one wins. Products and extremes have no gradient.
    """


class ScatterNd(LayerSpec):
    """The first input with some slices overwritten: those at the positions in the last axis of the second input take
    the values of the third.

    It writes the slices that gather_nd reads.
    """

    arity: ClassVar[tuple[int, int | None]] = (3, 3)

    type: Literal["scatter_nd"] = "scatter_nd"
    reduction: Literal["set", "add", "mul", "max", "min"] = "set"
    """The value written: the update, or the cell's value combined with it. If several updates set one cell, the last
    one wins. Products and extremes have no gradient.
    """


LAYERS = (
    GatherElements,
    GatherNd,
    ScatterElements,
    ScatterNd,
)
