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
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from netwright.specs.dims import DimLike, dim_symbols, evaluate, parse_dim
from netwright.specs.manifest import ABI_VERSION, MOST_THREADS, EntryInfo, Manifest

from ..errors import ExecutionError
from .arena import Arena
from .engine import code_error, find_entry
from .fast_call import REFUSED, ArrayFunction, Caller, Scratch
from .prepared import PreparedCall, Slot
from .processors import own_processors, processor_count
from .workers import WorkerPool, patience, pin_caller

_PLAN = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_void_p, ctypes.c_void_p)

_PASSED = ctypes.CFUNCTYPE(None, ctypes.c_int32)

#: How many bindings of dims have a prepared call. When there are more, all are dropped and prepared again on demand.
_MAX_CALLS = 256


class NativeEngine:
    """An ``Engine`` over native functions.

    ``addresses`` and ``plans`` map entry names to function addresses (an entry without a plan needs no arena).
    ``constants`` holds the contents of buffers of role "constant", ``embedded`` the parameters that came with the code,
    if any. ``keepalive`` is the object that owns the code.

    Up to ``threads`` threads of ``pool`` share each call (None: as many as there are processors), one per ``grain``
    operations (0: the value built into the code). With ``pin`` each thread, the calling one included, stays on a
    processor of its own from then on. Without a pool, one thread runs everything. ``caller`` makes ``fast_call``s.

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
        caller: Caller | None = None,
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
        self._planners = dict(plans)
        self._plans = {name: _PLAN(address) for name, address in plans.items()}
        self._dim_names = tuple(info.name for info in manifest.dims)
        self._shapes: dict[str, tuple[DimLike, ...]] = {
            info.name: tuple(map(parse_dim, info.shape)) for info in manifest.buffers
        }
        self._calls: dict[tuple[object, ...], PreparedCall] = {}
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
        self._caller, self._scratch = caller, Scratch(None, -1, None)
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
            scratch = self._scratch
            if call.arena_bytes > scratch.size:
                self._reserve(call.arena_bytes)
            call.context.arena = scratch.address
            call.context.passed = scratch.passed
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

    def fast_call(
        self, entry: str, dims: Mapping[str, int], fixed: Mapping[str, NDArray], passed: Sequence[str]
    ) -> ArrayFunction | None:
        """See ``Engine.fast_call``."""
        if self._caller is None:
            return None
        call = self._made(entry, dims)
        slots = {slot.name: slot for slot in (*call.kept, *call.passing)}
        for name, slot in slots.items():
            if name not in passed:
                call.pointers[slot.index] = slot.address(fixed[name])
        sizes = call.context.dims or 0
        longest = {
            info.longest_of: sizes + position * ctypes.sizeof(ctypes.c_int64)
            for position, info in enumerate(self._manifest.dims)
            if info.longest_of is not None and info.longest_of in passed
        }
        function = self._caller.function(
            call,
            [slots[name] for name in passed],
            self._scratch,
            kept=fixed,
            longest=longest,
            planner=self._planners.get(entry, 0),
            pool=self._pool.address if self._pool and self.threads > 1 else 0,
            threads=self.threads,
            spins=self._spins,
        )
        if function is None:
            return None

        def alone(*arrays: NDArray) -> int:
            with self._lock:
                return function(*arrays)

        def together(*arrays: NDArray) -> int:
            with self._lock:
                ready = self._leave_pool is not None and (not self._pin or hasattr(self._pinned, "done"))
                return function(*arrays) if ready else REFUSED

        return alone if self._pool is None or self.threads == 1 else together

    def tell(self, passed: Callable[[int], None] | int | None) -> None:
        """See ``Engine.tell``. ``passed`` may be the address of a native function."""
        function = None if passed is None else _PASSED(passed)
        self._scratch.passed = ctypes.cast(function, ctypes.c_void_p).value if function else None
        self._told = function  # kept alive

    def arena_bytes(self, entry: str, dims: Mapping[str, int]) -> int:
        """The bytes of scratch memory that ``entry`` needs for this binding of dims."""
        with self._lock:
            call = self._calls.get((entry, *map(dims.get, self._dim_names)))
            return (call or self._prepare(entry, dims)).arena_bytes

    def _prepare(self, name: str, dims: Mapping[str, int]) -> PreparedCall:
        """Makes a call and keeps it."""
        if len(self._calls) >= _MAX_CALLS:
            self._calls.clear()
        call = self._calls[(name, *map(dims.get, self._dim_names))] = self._made(name, dims)
        return call

    def _made(self, name: str, dims: Mapping[str, int]) -> PreparedCall:
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
        call = PreparedCall(
            self._addresses[name], values, offsets, arena_bytes, len(self._manifest.buffers), self._grain
        )
        used, written = {*entry.reads, *entry.writes}, set(entry.writes)
        for index, info in enumerate(self._manifest.buffers):
            if info.name in used:
                shape = tuple(evaluate(size, binding) for size in self._shapes[info.name])
                slot = Slot(index, info.name, shape, np.dtype(info.dtype), info.name in written)
                if info.role == "constant":
                    call.pointers[index] = slot.address(self._constant(info.name))
                else:
                    (call.passing if info.role in ("input", "output") else call.kept).append(slot)
        call.last = [None] * len(call.kept)
        return call

    def _reserve(self, size: int) -> None:
        """Makes the arena at least this large."""
        self._scratch.address, self._scratch.size = None, -1
        self._arena.reserve(size)
        self._scratch.address, self._scratch.size = self._arena.address, self._arena.size

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
            self._scratch.address, self._scratch.size = None, -1

    def _unlock(self) -> None:
        self._lock = threading.Lock()


_engines: weakref.WeakSet[NativeEngine] = weakref.WeakSet()


def _unlock_engines() -> None:
    """In a forked child, replaces the engines' locks: a thread that held one exists in the parent only."""
    for engine in _engines:
        engine._unlock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_unlock_engines)
