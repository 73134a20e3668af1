"""An entry of native code prepared for one binding of dims: its context, and what its arrays have to be."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from ..arrays.arrays import aligned_zeros
from ..errors import ExecutionError

_ENTRY = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_void_p, ctypes.c_int32, ctypes.c_int32)

#: (context address, tid, nthreads) -> return code
NativeFunction = Callable[[int, int, int], int]

#: The index of the word in the block shared by the threads that holds how many operations justify one share.
_GRAIN = 7


class Context(ctypes.Structure):
    """``netwright_context`` of the ABI (specs/manifest.py)."""

    _fields_ = (
        ("dims", ctypes.c_void_p),
        ("buffers", ctypes.c_void_p),
        ("arena", ctypes.c_void_p),
        ("offsets", ctypes.c_void_p),
        ("barrier", ctypes.c_void_p),
        ("passed", ctypes.c_void_p),
    )


class Slot:
    """One buffer of a prepared call, with what the native code requires of its array."""

    __slots__ = ("dtype", "index", "name", "shape", "written")

    def __init__(self, index: int, name: str, shape: tuple[int, ...], dtype: np.dtype, written: bool):
        self.index = index
        self.name = name
        self.shape = shape
        self.dtype = dtype
        self.written = written

    def address(self, array: NDArray) -> int:
        """The address of the data. Raises ExecutionError unless the array is exactly what the native code expects."""
        flags = array.flags
        if array.shape != self.shape or array.dtype != self.dtype:
            raise ExecutionError(
                f"buffer {self.name!r} must be {self.dtype.name} {list(self.shape)}, "
                f"not {array.dtype.name} {list(array.shape)}"
            )
        if not (flags.c_contiguous and flags.aligned):
            raise ExecutionError(f"buffer {self.name!r} must be C-ordered and aligned")
        if self.written and not flags.writeable:
            raise ExecutionError(f"buffer {self.name!r} is written, but the array is read-only")
        return array.__array_interface__["data"][0]


class PreparedCall:
    """An entry prepared for one binding of dims: its context, and the arrays that the pointer table points at."""

    def __init__(self, entry: int, dims: NDArray, offsets: NDArray, arena_bytes: int, table: int, grain: int):
        self.entry = entry
        self.function: NativeFunction = _ENTRY(entry)
        self.arena_bytes = arena_bytes
        self.pointers = (ctypes.c_void_p * max(table, 1))()
        self.barrier = aligned_zeros((16,), np.dtype(np.int32))
        self.barrier[_GRAIN] = grain
        self.context = Context(
            dims.ctypes.data,
            ctypes.addressof(self.pointers),
            None,
            offsets.ctypes.data,
            self.barrier.ctypes.data,
            None,
        )
        self.address = ctypes.addressof(self.context)
        self.keepalive = (dims, offsets)
        self.kept: list[Slot] = []  # parameters, state, packed: usually the same arrays as in the last call
        self.passing: list[Slot] = []  # inputs and outputs: usually new, and the caller keeps them alive
        self.last: list[NDArray | None] = []

    def point(self, buffers: Mapping[str, NDArray]) -> None:
        """Updates the pointer table for the arrays that differ from the last call."""
        pointers, last = self.pointers, self.last
        try:
            for position, slot in enumerate(self.kept):
                array = buffers[slot.name]
                if array is not last[position]:
                    last[position] = None
                    pointers[slot.index] = slot.address(array)
                    last[position] = array
            for slot in self.passing:
                pointers[slot.index] = slot.address(buffers[slot.name])
        except KeyError as error:
            raise ExecutionError(f"buffer {error.args[0]!r} was not given") from None
