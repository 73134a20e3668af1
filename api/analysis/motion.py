"""Motion: how a value responds when its input is shifted. `track` computes it; this module defines its terms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TypeAlias

import numpy as np

from netwright.specs.dims import Shape, product

#: A part of an axis: (axis, position among the factors of its size, outermost first). Most axes are one part. An axis
#: merged by a reshape keeps those of the original axes, so that a later reshape can split it again.
Part: TypeAlias = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Move:
    """Where the cells along a part are in the input: cell i is at ``ratio``·i, and depends on the input's cells from
    ratio·i + ``low`` to ratio·i + ``high``.
    """

    ratio: Fraction
    low: Fraction
    high: Fraction

    def scaled(self, stride: int, first: int, last: int) -> Move:
        """The move of a window that reads cells ``stride``·i + ``first`` to ``stride``·i + ``last``."""
        return Move(self.ratio * stride, self.low + self.ratio * first, self.high + self.ratio * last)

    def joined(self, other: Move) -> Move:
        """The move whose cells depend on the cells of both."""
        return Move(self.ratio, min(self.low, other.low), max(self.high, other.high))


@dataclass(frozen=True, slots=True)
class Break:
    """The layer at which movement ends, and the reason."""

    layer: str
    reason: str


@dataclass(frozen=True, slots=True)
class Motion:
    """How a value responds to shifts of the input by multiples of ``period``.

    ``moves``: the parts along which it is shifted; empty if it does not change. ``uniform``: the parts along which all
    its cells are equal. ``whole``: each of its cells may depend on the whole axis of the input.
    """

    parts: tuple[Shape, ...]
    moves: Mapping[Part, Move] = field(default_factory=dict)
    uniform: frozenset[Part] = frozenset()
    depends: bool = False
    whole: bool = False
    period: int = 1
    broken: Break | None = None
    array: np.ndarray | None = None
    """The value itself, at sizes chosen for the analysis, if it follows from positions and constants alone."""

    @property
    def is_invariant(self) -> bool:
        """Whether shifts don't change it."""
        return self.broken is None and not self.moves

    def is_uniform(self, axis: int) -> bool:
        """Whether all cells along an axis are equal."""
        return all((axis, part) in self.uniform for part in range(len(self.parts[axis])))

    def moving(self, axis: int) -> list[int]:
        """The parts of an axis that move."""
        return [part for part in range(len(self.parts[axis])) if (axis, part) in self.moves]

    def collapsed(self, axis: int) -> Move | None:
        """The move of the axis as a whole. It exists if the outermost part moves, by as many cells as the inner parts
        have.
        """
        sizes = self.parts[axis]
        outer = next((i for i, size in enumerate(sizes) if size != 1), 0)
        inside = product(sizes[outer + 1 :])
        if self.moving(axis) != [outer] or not isinstance(inside, int):
            return None
        move = self.moves[axis, outer]
        return Move(move.ratio / inside, move.low - move.ratio * Fraction(inside - 1, inside), move.high)


class Broken(Exception):
    """Raised when movement ends, with the reason."""


def plain(shape: Shape) -> Motion:
    """The motion of a value that does not depend on the input. Along axes of size 1 it is uniform."""
    ones = frozenset((axis, 0) for axis, size in enumerate(shape) if size == 1)
    return Motion(tuple((size,) for size in shape), uniform=ones)
