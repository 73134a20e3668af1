"""Where values live: storages, and places within them.

A *storage* is memory: a caller-owned buffer of the table, or a slot of the arena. A *place* is a storage seen in some
shape, at leading indices: step t of a tape, one half of a double-buffered carry. Kernels know neither: places are
passed to them as parameters.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from netwright.specs.dims import DimLike, Shape, product

from ...graph.types import TensorType
from ...loop import ir

#: Bytes of a line of the cache.
LINE = 64


@dataclass(eq=False)
class Storage:
    """Memory of ``type``, caller-owned if ``table``. It is alive from step ``first`` to step ``last`` of its entry;
    ``staggered`` is what the loop IR says of arenas."""

    name: str
    type: TensorType
    table: bool
    access: set[str] = field(default_factory=set)
    staggered: bool = False
    first: int = -1
    last: int = -1


@dataclass(frozen=True)
class Place:
    """``storage`` seen as [*extents, *type.shape], at the leading ``indices``.

    A value that lies inside another one has the other's place, with the ``shift`` of its elements along each axis.
    """

    storage: Storage
    type: TensorType
    extents: Shape = ()
    indices: tuple[DimLike, ...] = ()
    shift: Shape = ()

    def within(self, index: Sequence[DimLike]) -> Sequence[DimLike]:
        """Where the element at ``index`` of the value is in the place."""
        return tuple(i + by for i, by in zip(index, self.shift, strict=True)) if self.shift else index

    @property
    def line(self) -> int:
        """How many elements a line of the cache holds, which is what a prefetch brings."""
        return LINE // np.dtype(self.type.dtype).itemsize

    def apart(self, index: Sequence[DimLike], other: Sequence[DimLike]) -> DimLike:
        """How many elements apart two indices of the place are, both without its unit axes."""
        shape = [size for size in self.type.shape if size != 1]
        pairs = enumerate(zip(index, other, strict=True))
        return sum(((b - a) * product(shape[axis + 1 :]) for axis, (a, b) in pairs), start=0)

    def at(self, index: DimLike) -> Place:
        """The place at ``index`` of the first axis."""
        return Place(
            self.storage,
            self.type.with_shape(self.type.shape[1:]),
            (*self.extents, self.type.shape[0]),
            (*self.indices, index),
        )

    def at_all(self, indices: Sequence[DimLike]) -> Place:
        """The place at leading ``indices``, one per axis that has more than one element."""
        place = self
        for index in indices:
            while place.type.shape[0] == 1:
                place = place.at(0)
            place = place.at(index)
        return place

    def reshaped(self, shape: Shape) -> Place:
        return Place(self.storage, self.type.with_shape(shape), self.extents, self.indices)

    def slice(self) -> ir.Slice:
        """The argument that a call passes for this place."""
        shape = (*self.extents, *self.type.shape)
        return ir.Slice(self.storage.name, self.indices, None if shape == self.storage.type.shape else shape)


#: Where a value is stored: the place, and the map from an index of the iteration space to the index there.
IndexMap = Callable[[tuple[DimLike, ...]], Sequence[DimLike]]
Target = tuple[Place, IndexMap]


def same_index(index: tuple[DimLike, ...]) -> tuple[DimLike, ...]:
    """Maps an index to itself."""
    return index


class Lifetimes:
    """Counts an entry's steps and records for every storage the first and last step that touches it.

    A storage that exists before a loop and is used inside it lives until the loop ends. One that is first used inside
    a loop is dead at the end of the iteration, so its slot may be shared within the loop.
    """

    def __init__(self) -> None:
        self.step = 0
        self._loops: list[tuple[int, set[Storage]]] = []

    def touch(self, storage: Storage) -> None:
        if storage.first < 0:
            storage.first = self.step
        storage.last = max(storage.last, self.step)
        for _, used in self._loops:
            used.add(storage)

    def advance(self) -> None:
        self.step += 1

    def enter_loop(self) -> None:
        self.advance()
        self._loops.append((self.step, set()))

    def keep_all(self) -> None:
        """Has what is used in the present loop live until it ends: threads may be in different iterations of it."""
        start, used = self._loops[-1]
        for storage in used:
            if storage.first >= start:
                storage.first, storage.last = start, self.step

    def leave_loop(self) -> None:
        start, used = self._loops.pop()
        for storage in used:
            if storage.first < start:
                storage.last = max(storage.last, self.step)
        self.advance()
