"""What a kernel gets of memory: its buffers, the addresses of elements in them, and loads of vectors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeGuard

from netwright.specs.dims import Dim, DimLike, Shape, coefficient, product, substitute

from ...loop import ir
from ...loop.intrinsics.builder import LANE, KernelBuilder
from ...loop.ir import Expr
from .indices import Indices, is_linear
from .places import Place

#: Lanes up to this many elements apart are loaded with the elements between them, and then shuffled out.
CLOSE = 4
#: The same where lanes run along a reduction: with four columns, lanes along the columns are faster.
CLOSE_STEPS = 3


class NotVectorizable(Exception):
    """A vector cannot be read or stored: its elements are not at a fixed stride along the last axis of a buffer."""


class Memory:
    """The memory that a kernel accesses: ``lanes`` elements at a time, of which ``count`` exist (None, or more than
    ``lanes``: all)."""

    def __init__(self, builder: KernelBuilder):
        self.b = builder
        self.parameters: dict[tuple[Any, ...], tuple[ir.Buffer, Place]] = {}
        self.flat: Shape | None = None  # the one axis of a flattened kernel
        self.close = CLOSE
        self.moved_axes = False
        self.lanes = 1
        self.count: DimLike | None = None

    @property
    def places(self) -> list[Place]:
        """The places of the kernel's buffers, in order."""
        return [place for _, place in self.parameters.values()]

    def parameter(self, place: Place, access: str) -> ir.Buffer:
        """The kernel's buffer for ``place``, without its unit axes, so that contiguity shows."""
        shape = place.type.shape
        declared = tuple(s for s in shape if s != 1)
        if self._is_flat(place):
            assert self.flat is not None
            declared = self.flat
        key = (place.storage.name, place.extents, place.indices, declared)
        known = self.parameters.get(key)
        if known is None:
            buffer = self.b.buffer(f"p{len(self.parameters)}", place.type.dtype, declared)
            if access == "write":
                buffer = self.b.set_access(buffer, "write")
        else:
            buffer = known[0]
            if access != buffer.access:
                buffer = self.b.set_access(buffer, "readwrite")
        self.parameters[key] = (buffer, place)
        return buffer

    def shape_is_free(self, place: Place) -> bool:
        """Whether the kernel sees the memory of ``place`` in no other shape, since two parameters must not alias."""
        declared = tuple(size for size in place.type.shape if size != 1)
        return all(
            other.storage is not place.storage or buffer.shape == declared
            for buffer, other in self.parameters.values()
        )

    def address(self, place: Place, index: Sequence[DimLike]) -> tuple[Indices, DimLike]:
        """The index of lane 0 without unit axes, and the stride between lanes along the last axis (0: all lanes read
        one element)."""
        if not self._is_flat(place):
            index = [i for i, size in zip(index, place.type.shape, strict=True) if size != 1]
        if not any(moves(i) for i in index):
            return tuple(index), 0
        steps = [coefficient(i, LANE) for i in index]
        base = tuple([substitute(i, {LANE: 0}) if moves(i) else i for i in index])
        if self.lanes == 1:
            return base, 0
        *outer, stride = steps or [0]
        if (
            any(step != 0 for step in outer) or stride is None or stride < 0
        ):  # None where it is not the same in all
            raise NotVectorizable
        return base, stride

    def _is_flat(self, place: Place) -> bool:
        """Whether a flattened kernel iterates over ``place``; a place that it does not iterate over is a scalar."""
        return self.flat is not None and place.type.size == self.flat[0]

    def load(self, place: Place, index: Sequence[DimLike], guards: Indices, fill: Any) -> Expr:
        place, index = self._close(place, place.within(index))
        buffer = self.parameter(place, "read")
        base, stride = self.address(place, index)
        if stride == 0:
            return self.b.broadcast(self.b.load(buffer, base, 1, None, guards, fill), self.lanes)
        return self.b.load(buffer, base, self.lanes, self.count, guards, fill, stride)

    def _close(self, place: Place, index: Sequence[DimLike]) -> tuple[Place, Sequence[DimLike]]:
        """The place and index with the axis of the lanes merged with the few elements behind it."""
        if self.lanes == 1 or self._is_flat(place):
            return place, index
        moving = [axis for axis, i in enumerate(index) if coefficient(i, LANE) != 0]
        if len(moving) != 1:
            return place, index
        (axis,), shape = moving, place.type.shape
        behind = product(shape[axis + 1 :])
        close = isinstance(behind, int) and 1 < behind <= self.close
        if not close or not is_linear(index[axis], shape[axis]):
            return place, index
        merged = place.reshaped((*shape[:axis], shape[axis] * behind))
        if not self.shape_is_free(merged):
            return place, index
        self.moved_axes = True
        at: DimLike = 0
        for i, size in zip(index[axis:], shape[axis:], strict=True):
            at = at * size + i
        return merged, (*index[:axis], at)


def moves(index: DimLike) -> TypeGuard[Dim]:
    """Whether an index differs from lane to lane."""
    return not isinstance(index, int) and LANE in index.symbols
