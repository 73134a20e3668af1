"""Receptive fields: which part of the input one cell of a layer's value depends on, how far the fields of neighbouring
cells are apart, and which border cells of the input no field reaches.

Through a chain of windows the field grows by (F − 1)·d·j, where F is the filter size, d its dilation and j the
distance in the input between neighbouring cells, the product of the strides so far (Araujo, Norris and Sim,
*Computing Receptive Fields of Convolutional Neural Networks*, 2019). Here the field follows from how values move when
the input is shifted (`track`), for any layers in between.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor

from ..describe import times
from .motion import Motion
from .shift import InputAxis, ShiftAnalysis


@dataclass(frozen=True, slots=True)
class AxisField:
    """The field along one axis of an input.

    ``size`` is its length in cells (None: the whole axis), ``stride`` the distance between the fields of neighbouring
    cells. ``unseen`` counts the input's cells at the start and at the end that no field reaches; None if that depends
    on open sizes.
    """

    axis: InputAxis
    size: int | None
    stride: Fraction | None = None
    unseen: tuple[int, int] | None = (0, 0)

    def __str__(self) -> str:
        return "all" if self.size is None else str(self.size)


@dataclass(frozen=True, slots=True)
class ReceptiveField:
    """The fields of a layer's cells along the axes of the input that they depend on."""

    axes: tuple[AxisField, ...]

    def __str__(self) -> str:
        """``5×5``, or ``all``."""
        sizes = [str(axis) for axis in self.axes]
        return times(sizes[:1] if set(sizes) == {"all"} else sizes)

    @property
    def stride_text(self) -> str:
        """The total stride, such as ``4×4``; empty if each cell depends on the whole input."""
        if any(axis.stride is None for axis in self.axes):
            return ""
        return times(str(axis.stride) for axis in self.axes)

    @property
    def unseen_text(self) -> str:
        """In words, which cells of the input no cell depends on; empty if there are none."""
        parts = []
        for axis in self.axes:
            first, last = axis.unseen or (0, 0)
            for count, where in ((first, "first"), (last, "last")):
                if count:
                    cells = f"{count} of {axis.axis.size} {axis.axis.name}s" if count > 1 else axis.axis.name
                    parts.append(f"the {where} {cells}")
        return " and ".join(parts)


def receptive_fields(analysis: ShiftAnalysis) -> dict[str, ReceptiveField]:
    """The field of each layer's value, along the axes of the first input with such axes that it depends on."""
    receptive = {}
    for layer in analysis.network.layers:
        motions = {
            axis: motion for axis, motion in analysis.layer_motions(layer.name).items() if motion.depends
        }
        first = next((axis.input for axis in motions), None)
        if first is not None:
            fields = [_field(axis, motion) for axis, motion in motions.items() if axis.input == first]
            receptive[layer.name] = ReceptiveField(tuple(fields))
    return receptive


def _field(axis: InputAxis, motion: Motion) -> AxisField:
    if motion.whole or motion.broken or not motion.moves:
        return AxisField(axis, None)
    place, part = next(iter(motion.moves))
    move, sizes = motion.moves[place, part], motion.parts[place]
    size = ceil(move.high - move.low) + 1
    # Neighbours along an axis that a reshape merged with others are not neighbours in the input.
    innermost = all(size == 1 for size in sizes[part + 1 :])
    whole = move if innermost else motion.collapsed(place) if sum(size != 1 for size in sizes) <= 2 else None
    unseen: tuple[int, int] | None = (0, 0)
    if move.ratio.denominator == 1:
        last = axis.size - 1 - (sizes[part] - 1) * move.ratio.numerator - floor(move.high)
        unseen = (max(ceil(move.low), 0), max(last, 0)) if isinstance(last, int) else None
    return AxisField(axis, size, whole.ratio if whole else None, unseen)
