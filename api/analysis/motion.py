"""Motion: how a value answers when its input is shifted. `track` finds it; here is what can be said."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TypeAlias

import numpy as np

from netwright.specs.dims import Shape, product

#: A part of an axis: (axis, position among the sizes it is made of, outermost first). Most axes are one part; those
#: that a reshape merged keep theirs, so that a later reshape can take them apart again.
Part: TypeAlias = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Move:
    """Cell i lies ``ratio``·i along the input, and is made of the input's cells from ratio·i + ``low`` to
    ratio·i + ``high``."""

    ratio: Fraction
    low: Fraction
    high: Fraction

    def scaled(self, stride: int, first: int, last: int) -> Move:
        """What a window sees that reads cells ``stride``·i + ``first`` to ``stride``·i + ``last``."""
        return Move(self.ratio * stride, self.low + self.ratio * first, self.high + self.ratio * last)

    def joined(self, other: Move) -> Move:
        """What both see."""
        return Move(self.ratio, min(self.low, other.low), max(self.high, other.high))


@dataclass(frozen=True, slots=True)
class Break:
    """Where movement ends, and why."""

    layer: str
    reason: str


@dataclass(frozen=True, slots=True)
class Motion:
    """How a value answers to shifts of the input by multiples of ``period``.

    ``moves``: the parts along which it is shifted; none in a value that stays as it is. ``uniform``: the parts along
    which all its cells are equal. ``whole``: each of its cells may depend on all of the input's axis.
    """

    parts: tuple[Shape, ...]
    moves: Mapping[Part, Move] = field(default_factory=dict)
    uniform: frozenset[Part] = frozenset()
    depends: bool = False
    whole: bool = False
    period: int = 1
    broken: Break | None = None
    array: np.ndarray | None = None
    """What it is, at sizes chosen for the purpose, where that follows from positions and numbers alone."""

    @property
    def is_invariant(self) -> bool:
        """Whether shifts leave it as it is."""
        return self.broken is None and not self.moves

    def is_uniform(self, axis: int) -> bool:
        """Whether all cells along an axis are equal."""
        return all((axis, part) in self.uniform for part in range(len(self.parts[axis])))

    def moving(self, axis: int) -> list[int]:
        """The parts of an axis that move."""
        return [part for part in range(len(self.parts[axis])) if (axis, part) in self.moves]

    def collapsed(self, axis: int) -> Move | None:
        """The axis as one: it moves as a whole where its outermost part does, by as many cells as lie within."""
        sizes = self.parts[axis]
        outer = next((i for i, size in enumerate(sizes) if size != 1), 0)
        inside = product(sizes[outer + 1 :])
        if self.moving(axis) != [outer] or not isinstance(inside, int):
            return None
        move = self.moves[axis, outer]
        return Move(move.ratio / inside, move.low - move.ratio * Fraction(inside - 1, inside), move.high)


class Broken(Exception):
    """Movement ends; the argument says why."""


def plain(shape: Shape) -> Motion:
    """A value that the input has nothing to do with; axes of one cell are the same everywhere."""
    ones = frozenset((axis, 0) for axis, size in enumerate(shape) if size == 1)
    return Motion(tuple((size,) for size in shape), uniform=ones)
