"""Memory of the loop interpreter, which detects accesses out of bounds, reads of uninitialized memory, and races."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from .numeric import Lanes

#: Positions of lanes in a memory: a slice where possible, since NumPy is several times faster on slices.
Positions: TypeAlias = slice | np.ndarray


class InterpreterError(Exception):
    """A function accessed memory out of bounds, uninitialized or in a race, or broke another rule of loop IR."""


@dataclass(eq=False)
class Memory:
    """The elements of one buffer, in order, and what is known of each.

    ``written`` is None if every element has a value from the start. ``writer`` and ``reader`` hold the accesses since
    the last barrier: 0 or the thread's number + 1 (readers: -1 for several); they are None for memory of one thread.
    """

    elements: Lanes
    written: np.ndarray | None = None
    writer: np.ndarray | None = None
    reader: np.ndarray | None = None

    @classmethod
    def of(cls, array: np.ndarray, initialized: bool, shared: bool) -> Memory:
        """Memory on a C-contiguous ``array``, which accesses change; checked for races if ``shared``."""
        if not array.flags.c_contiguous:
            raise InterpreterError("buffers are C-contiguous arrays")
        elements = array.reshape(-1)
        written = None if initialized else np.zeros(elements.size, bool)
        watch = [np.zeros(elements.size, np.int32) if shared else None for _ in range(2)]
        return cls(elements, written, *watch)

    @classmethod
    def uninitialized(cls, dtype: str, size: int, shared: bool) -> Memory:
        """New memory filled with bytes 0xA5, or with NaN for floats, so that using it by mistake shows."""
        elements = np.full(size * np.dtype(dtype).itemsize, 0xA5, np.uint8).view(dtype)
        if elements.dtype.kind == "f":
            elements.fill(np.nan)
        return cls.of(elements, False, shared)

    def barrier(self) -> None:
        """Forgets all accesses, as a barrier does."""
        if self.writer is not None and self.reader is not None:
            self.writer.fill(0)
            self.reader.fill(0)


@dataclass(frozen=True, eq=False)
class View:
    """``shape`` elements of a memory from ``offset`` on, which a buffer is bound to."""

    name: str
    memory: Memory
    shape: tuple[int, ...]
    offset: int = 0

    def positions(self, indices: Sequence[int], lanes: int, stride: int) -> Positions:
        """The positions in memory of the lanes at ``indices``. Raises InterpreterError out of bounds."""
        if len(indices) != len(self.shape):
            raise InterpreterError(f"{self.name} has {len(self.shape)} axes, not {len(indices)}")
        if lanes <= 0:
            return slice(0)
        position, last = 0, len(self.shape) - 1
        for axis, (index, size) in enumerate(zip(indices, self.shape, strict=True)):
            end = index + (lanes - 1) * stride if axis == last else index
            if not (0 <= index < size and 0 <= end < size):
                wrong = end if 0 <= index < size else index
                raise InterpreterError(f"{self.name}: index {wrong} on axis {axis} of size {size}")
            position = position * size + index
        position += self.offset
        if lanes == 1:
            return slice(position, position + 1)
        if stride > 0:
            return slice(position, position + (lanes - 1) * stride + 1, stride)
        return position + stride * np.arange(lanes)

    def load(self, positions: Positions, tid: int) -> Lanes:
        """The elements at ``positions``, possibly as a view of the memory."""
        memory = self.memory
        if memory.written is not None and not memory.written[positions].all():
            raise InterpreterError(f"{self.name} is read before it is written")
        if memory.writer is not None and memory.reader is not None:
            writer, seen = memory.writer[positions], memory.reader[positions]
            if ((writer != 0) & (writer != tid + 1)).any():
                raise InterpreterError(f"{self.name}: race of thread {tid}'s read with another's write")
            memory.reader[positions] = np.where((seen == 0) | (seen == tid + 1), tid + 1, -1)
        return memory.elements[positions]

    def store(self, positions: Positions, value: Lanes, tid: int) -> None:
        memory = self.memory
        if memory.writer is not None and memory.reader is not None:
            for others in (memory.writer[positions], memory.reader[positions]):
                if ((others != 0) & (others != tid + 1)).any():
                    raise InterpreterError(f"{self.name}: race of thread {tid}'s write with another's access")
            memory.writer[positions] = tid + 1
        if memory.written is not None:
            memory.written[positions] = True
        memory.elements[positions] = value
