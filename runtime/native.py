"""The engine over native code: raw function addresses, from the JIT or from a shared library (shared.py).

What stays the same between two calls with the same dims – the context struct, the plan, the pointer table – is built
once and kept. A later call then costs a dictionary look-up, an update of the pointers that changed, and the native
call.
"""

from __future__ import annotations

import ctypes
import os
import threading
import weakref
from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from netwright.specs.dims import DimLike, dim_symbols, evaluate, parse_dim
from netwright.specs.manifest import ABI_VERSION, MOST_THREADS, EntryInfo, Manifest

from .arena import Arena
from .arrays import aligned_zeros
from .engine import code_error, find_entry
from .errors import ExecutionError
from .processors import own_processors, processor_count
from .workers import WorkerPool, patience, pin_caller

_ENTRY = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_void_p, ctypes.c_int32, ctypes.c_int32)
_PLAN = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_void_p, ctypes.c_void_p)

_PASSED = ctypes.CFUNCTYPE(None, ctypes.c_int32)

#: (context address, tid, nthreads) -> return code
NativeFunction = Callable[[int, int, int], int]

#: The index of the word in the block shared by the threads that holds how many operations justify one share.
_GRAIN = 7

#: How many bindings of dims have a prepared call. When there are more, all are dropped and prepared again on demand.
_MAX_CALLS = 256


class _Context(ctypes.Structure):
    """``netwright_context`` of the ABI (specs/manifest.py)."""

    _fields_ = (
        ("dims", ctypes.c_void_p),
        ("buffers", ctypes.c_void_p),
        ("arena", ctypes.c_void_p),
        ("offsets", ctypes.c_void_p),
        ("barrier", ctypes.c_void_p),
        ("passed", ctypes.c_void_p),
    )


class _Slot:
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


class _Call:
    """An entry prepared for one binding of dims: its context, and the arrays that the pointer table points at."""

    def __init__(self, entry: int, dims: NDArray, offsets: NDArray, arena_bytes: int, table: int, grain: int):
        self.entry = entry
        self.function: NativeFunction = _ENTRY(entry)
        self.arena_bytes = arena_bytes
        self.pointers = (ctypes.c_void_p * max(table, 1))()
        self.barrier = aligned_zeros((16,), np.dtype(np.int32))
        self.barrier[_GRAIN] = grain
        self.context = _Context(
            dims.ctypes.data,
            ctypes.addressof(self.pointers),
            None,
            offsets.ctypes.data,
            self.barrier.ctypes.data,
            None,
        )
        self.address = ctypes.addressof(self.context)
        self.keepalive = (dims, offsets)
        self.kept: list[_Slot] = []  # parameters, state, packed: usually the same arrays as in the last call
        self.passing: list[_Slot] = []  # inputs and outputs: usually new, and the caller keeps them alive
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


class NativeEngine:
    """An ``Engine`` over native functions.

    ``addresses`` and ``plans`` map entry names to function addresses (an entry without a plan needs no arena).
    ``constants`` holds the contents of buffers of role "constant", ``embedded`` the parameters that came with the code,
    if any. ``keepalive`` is the object that owns the code.

    Up to ``threads`` threads of ``pool`` share each call (None: as many as there are processors), one per ``grain``
    operations (0: the value built into the code). With ``pin`` each thread, the calling one included, stays on a
    processor of its own from then on. Without a pool, one thread runs everything.

    Calls from several Python threads are serialized, since they share one arena: use one engine per thread to run them
    side by side.
    """

    def __init__(
        self,
        manifest: Manifest,
        addresses: Mapping[str, int],
        plans: Mapping[str, int],
        *,
        constants: Mapping[str, NDArray] | None = None,
        embedded: Mapping[str, NDArray] | None = None,
        keepalive: object = None,
        threads: int | None = 1,
        pool: WorkerPool | None = None,
        pin: bool = False,
        grain: int = 0,
    ):
        if manifest.abi != ABI_VERSION:
            raise ExecutionError(
                f"model {manifest.model!r} was compiled by netwright {manifest.netwright} for ABI version "
                f"{manifest.abi}; this runtime has {ABI_VERSION}: compile it again"
            )
        if threads is None:
            threads = processor_count()
        if not 1 <= threads <= MOST_THREADS:
            raise ValueError(f"threads must be from 1 to {MOST_THREADS}, not {threads}")
        self._manifest = manifest
        self.threads = threads if pool else 1
        self.embedded = dict(embedded or {})
        self._constants = {name: np.asarray(array, order="C") for name, array in (constants or {}).items()}
        self._keepalive = keepalive
        self._addresses = dict(addresses)
        self._plans = {name: _PLAN(address) for name, address in plans.items()}
        self._dim_names = tuple(info.name for info in manifest.dims)
        self._shapes: dict[str, tuple[DimLike, ...]] = {
            info.name: tuple(map(parse_dim, info.shape)) for info in manifest.buffers
        }
        self._calls: dict[tuple[object, ...], _Call] = {}
        self._arena = Arena()
        if pin and threads > len(own_processors()):
            raise ValueError(
                f"pin: {threads} threads need as many processors; there are {len(own_processors())}"
            )
        if pin and pool is not None:
            pool.pin()
        self._pin, self._pinned = pin and pool is not None, threading.local()
        self._pool = pool
        self._grain, self._spins = grain, patience(threads)
        self._leave_pool: weakref.finalize | None = None
        self._passed: int | None = None
        self._unlock()
        _engines.add(self)

    @property
    def manifest(self) -> Manifest:
        return self._manifest

    def run(self, entry: str, dims: Mapping[str, int], buffers: Mapping[str, NDArray]) -> None:
        """See ``Engine.run``."""
        with self._lock:
            call = self._calls.get((entry, *map(dims.get, self._dim_names)))
            if call is None:
                call = self._prepare(entry, dims)
            call.point(buffers)
            arena = self._arena
            if call.arena_bytes > arena.size:
                arena.reserve(call.arena_bytes)
            call.context.arena = arena.address
            call.context.passed = self._passed
            if self._pool is None or self.threads == 1:
                code = call.function(call.address, 0, 1)
            else:
                if self._pin and not hasattr(self._pinned, "done"):
                    pin_caller()
                    self._pinned.done = True
                if self._leave_pool is None:
                    self._leave_pool = self._pool.join(self)
                code = self._pool.run(call.entry, call.address, self.threads, self._spins)
        if code:
            raise code_error(self._manifest, entry, code)

    def tell(self, passed: Callable[[int], None] | int | None) -> None:
        """See ``Engine.tell``. ``passed`` may be the address of a native function."""
        function = None if passed is None else _PASSED(passed)
        self._passed = ctypes.cast(function, ctypes.c_void_p).value if function else None
        self._told = function  # kept alive

    def arena_bytes(self, entry: str, dims: Mapping[str, int]) -> int:
        """The bytes of scratch memory that ``entry`` needs for this binding of dims."""
        with self._lock:
            call = self._calls.get((entry, *map(dims.get, self._dim_names)))
            return (call or self._prepare(entry, dims)).arena_bytes

    def _prepare(self, name: str, dims: Mapping[str, int]) -> _Call:
        entry = find_entry(self._manifest, name)
        if name not in self._addresses:
            raise ExecutionError(f"entry {name!r} of {self._manifest.model!r} has no code here")
        binding = self._complete(entry, dims)
        values = np.array([binding[dim] for dim in self._dim_names] or [0], np.int64)
        offsets = np.zeros(max(entry.slots, 1), np.int64)
        plan = self._plans.get(name)
        arena_bytes = plan(values.ctypes.data, offsets.ctypes.data) if plan is not None else 0
        if arena_bytes < 0:
            sizes = ", ".join(f"{dim} = {size}" for dim, size in binding.items())
            raise ExecutionError(
                f"{self._manifest.model}.{name} with {sizes} needs more memory than can be addressed"
            )
        call = _Call(
            self._addresses[name], values, offsets, arena_bytes, len(self._manifest.buffers), self._grain
        )
        used, written = {*entry.reads, *entry.writes}, set(entry.writes)
        for index, info in enumerate(self._manifest.buffers):
            if info.name in used:
                shape = tuple(evaluate(size, binding) for size in self._shapes[info.name])
                slot = _Slot(index, info.name, shape, np.dtype(info.dtype), info.name in written)
                if info.role == "constant":
                    call.pointers[index] = slot.address(self._constant(info.name))
                else:
                    (call.passing if info.role in ("input", "output") else call.kept).append(slot)
        call.last = [None] * len(call.kept)
        if len(self._calls) >= _MAX_CALLS:
            self._calls.clear()
        self._calls[(name, *map(dims.get, self._dim_names))] = call
        return call

    def _complete(self, entry: EntryInfo, dims: Mapping[str, int]) -> dict[str, int]:
        """A value for every dim: dims that no buffer of the entry depends on get their minimum."""
        needed: set[str] = set()
        for name in (*entry.reads, *entry.writes):
            for size in self._shapes[name]:
                needed |= dim_symbols(size)
        if missing := sorted(needed - dims.keys()):
            raise ExecutionError(
                f"{self._manifest.model}.{entry.name} needs a value for dim {', '.join(missing)}"
            )
        binding = {info.name: int(dims.get(info.name, info.unbound)) for info in self._manifest.dims}
        for info in self._manifest.dims:  # the code is proved correct for admitted sizes only
            if not info.admits(binding[info.name]):
                model = f"{self._manifest.model}.{entry.name}"
                raise ExecutionError(
                    f"{model}: {info.name} is {binding[info.name]}, it has to be {info.admitted}"
                )
        return binding

    def _constant(self, name: str) -> NDArray:
        if name not in self._constants:
            raise ExecutionError(f"{self._manifest.model!r} came without its constant {name!r}")
        return self._constants[name]

    def close(self) -> None:
        """Leaves the pool, whose threads end when the last engine leaves, and frees the arena."""
        with self._lock:
            if self._leave_pool is not None:
                self._leave_pool()
                self._leave_pool = None
            self._calls.clear()
            self._arena = Arena()

    def _unlock(self) -> None:
        self._lock = threading.Lock()


_engines: weakref.WeakSet[NativeEngine] = weakref.WeakSet()


def _unlock_engines() -> None:
    """In a forked child, replaces the engines' locks: a thread that held one exists in the parent only."""
    for engine in _engines:
        engine._unlock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_unlock_engines)
