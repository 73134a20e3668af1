"""Entries as built-in functions of CPython, which take NumPy arrays: some 100 ns per call and array, a fifth of what
ctypes takes for the arrays' addresses alone.

The functions are native code (``compiler/codegen/llvm/ll/python.ll``) over structures that are filled here once per
binding of dims. They refuse whatever is not exactly right, so that the usual way converts it or says what is wrong.
"""

from __future__ import annotations

import ctypes
import sys
import threading
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from netwright.specs.manifest import MOST_ARRAYS

from .prepared import PreparedCall, Slot

#: Takes the arrays; returns the entry's code, or ``REFUSED``.
ArrayFunction = Callable[..., int]

#: What a function returns that did nothing, since an array, or the scratch memory, is not as it has to be.
REFUSED = -1

#: What the native code needs of Python, in the order of its table.
_NEEDED = (
    "PyTuple_GetItem",
    "PyLong_AsVoidPtr",
    "PyObject_Type",
    "Py_DecRef",
    "PyObject_GetBuffer",
    "PyBuffer_Release",
    "PyErr_Clear",
    "PyEval_SaveThread",
    "PyEval_RestoreThread",
    "PyLong_FromLongLong",
)
_METH_FASTCALL = 0x80


class _Definition(ctypes.Structure):
    """``PyMethodDef``."""

    _fields_ = (
        ("name", ctypes.c_char_p),
        ("function", ctypes.c_void_p),
        ("flags", ctypes.c_int),
        ("doc", ctypes.c_char_p),
    )


class _Array(ctypes.Structure):
    """What an array has to be, and where its pointer and its largest element go."""

    _fields_ = (
        ("slot", ctypes.c_void_p),
        ("format", ctypes.c_int64),
        ("itemsize", ctypes.c_int64),
        ("bytes", ctypes.c_int64),
        ("axes", ctypes.c_int64),
        ("shape", ctypes.c_void_p),
        ("written", ctypes.c_int64),
        ("largest", ctypes.c_void_p),
    )


class _Call(ctypes.Structure):
    _fields_ = (
        ("entry", ctypes.c_void_p),
        ("context", ctypes.c_void_p),
        ("scratch", ctypes.c_void_p),
        ("arena_bytes", ctypes.c_int64),
        ("threads", ctypes.c_int32),
        ("spins", ctypes.c_int32),
        ("pool", ctypes.c_void_p),
        ("planner", ctypes.c_void_p),
        ("array_type", ctypes.c_void_p),
        ("count", ctypes.c_int64),
        ("arrays", _Array * MOST_ARRAYS),
    )


class Scratch(ctypes.Structure):
    """What the calls of an engine share and may change between them: the arena, and who is told of marks."""

    _fields_ = (("address", ctypes.c_void_p), ("size", ctypes.c_int64), ("passed", ctypes.c_void_p))


class Caller:
    """Makes functions over native code, given by its addresses: ``call`` and the ``table`` of Python's own functions
    that it needs.
    """

    def __init__(self, addresses: Mapping[str, int]):
        table = (ctypes.c_void_p * len(_NEEDED)).from_address(addresses["table"])
        for position, name in enumerate(_NEEDED):
            table[position] = ctypes.cast(getattr(ctypes.pythonapi, name), ctypes.c_void_p).value
        self._definition = _Definition(b"entry", addresses["call"], _METH_FASTCALL, None)
        make = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.c_void_p, ctypes.py_object, ctypes.c_void_p)
        self._make = make(("PyCFunction_NewEx", ctypes.pythonapi))

    def function(
        self,
        call: PreparedCall,
        slots: Sequence[Slot],
        scratch: Scratch,
        *,
        kept: object,
        longest: Mapping[str, int],
        planner: int = 0,
        pool: int = 0,
        threads: int = 1,
        spins: int = 1,
    ) -> ArrayFunction | None:
        """A function of arrays for ``slots``, in order; None if there are too many of them. All other pointers of
        ``call`` are in place, to arrays that ``kept`` holds. ``longest`` has the addresses of dims that are the largest
        number in an array; where there are some, ``planner`` plans the arena of each call.
        """
        if len(slots) > MOST_ARRAYS:
            return None
        owners = [kept, call, scratch]
        made = _Call(
            call.entry,
            call.address,
            ctypes.addressof(scratch),
            call.arena_bytes,
            threads,
            spins,
            pool,
            planner if longest else None,
            id(np.ndarray),
            len(slots),
        )
        for described, slot in zip(made.arrays, slots, strict=False):
            shape = (ctypes.c_int64 * max(len(slot.shape), 1))(*slot.shape)
            owners.append(shape)
            letter = memoryview(np.empty(0, slot.dtype).data).format
            described.slot = ctypes.addressof(call.pointers) + slot.index * ctypes.sizeof(ctypes.c_void_p)
            described.format = ord(letter) if len(letter) == 1 else 0
            described.itemsize = slot.dtype.itemsize
            described.bytes = int(np.prod(slot.shape, dtype=np.int64)) * slot.dtype.itemsize
            described.axes = len(slot.shape)
            described.shape = ctypes.addressof(shape)
            described.written = slot.written
            described.largest = longest.get(slot.name)
        return self._make(ctypes.addressof(self._definition), (ctypes.addressof(made), made, owners), None)


_shared: Caller | None = None
_making = threading.Lock()


def process_caller(addresses: Mapping[str, int] | None) -> Caller | None:
    """The process's maker of functions: the existing one, otherwise a new one over these addresses. None if there are
    neither, or if this is not CPython. It lives as long as the process, since its functions do.
    """
    global _shared
    with _making:
        if _shared is None and addresses is not None and sys.implementation.name == "cpython":
            _shared = Caller(addresses)
        return _shared
