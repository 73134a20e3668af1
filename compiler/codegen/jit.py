"""Programs compiled into this process."""

from __future__ import annotations

import ctypes
import itertools
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Literal

import llvmlite.binding as llvm
import numpy as np
from numpy.typing import NDArray

from ..loop import ir
from .llvm.entries import entry_symbol, plan_symbol
from .llvm.modules import program_modules
from .llvm.support import POOL, has_threads, write_pool, write_python, write_recorder
from .objects.ahead import Ahead
from .objects.cache import ObjectCache, default_cache
from .objects.compile import LEVEL, compile_object, compiling
from .targets.target import Target, host_target

#: Entries only call kernels: optimizing them would add a fifth to the compile time, and save nothing at run time.
ENTRY_LEVEL = 0

_library_numbers = itertools.count()
_support_objects: dict[Target, bytes] = {}


class LinkedObjects:
    """Objects linked into this process; the addresses of their symbols are valid as long as this object lives."""

    def __init__(self, objects: Sequence[bytes], symbols: Iterable[str], target: Target):
        host_target()  # initializes LLVM's targets
        library = llvm.JITLibraryBuilder()
        for code in objects:
            library.add_object_img(code)
        for symbol in symbols:
            library.export_symbol(symbol)
        library.add_current_process()  # threads are created, and sleep, through the C library
        # Each has an engine of its own, so that equal symbols of two programs do not clash.
        self._engine = llvm.create_lljit_compiler(
            llvm.Target.from_triple(target.triple).create_target_machine(
                cpu=target.cpu, features=target.features
            ),
            use_jit_link=True,
        )
        self._tracker = library.link(self._engine, f"program{next(_library_numbers)}")

    def __getitem__(self, symbol: str) -> int:
        return self._tracker[symbol]


class NativeProgram:
    """The machine code of a program; addresses are valid as long as this object lives. ``objects`` is what it was
    linked from."""

    def __init__(self, model: str, entries: Iterable[str], target: Target, objects: Sequence[bytes]):
        names = list(entries)
        symbols = [entry_symbol(model, entry) for entry in names]
        symbols += [plan_symbol(model, entry) for entry in names]
        self._linked = LinkedObjects(objects, symbols, target)
        self._model = model
        self.objects = objects

    def address(self, entry: str) -> int:
        """The address of ``int32_t MODEL_ENTRY(const netwright_context *, int32_t, int32_t)``."""
        return self._linked[entry_symbol(self._model, entry)]

    def plan_address(self, entry: str) -> int:
        """The address of ``int64_t MODEL_ENTRY_plan(const int64_t *dims, int64_t *offsets)``."""
        return self._linked[plan_symbol(self._model, entry)]


def compile_jit(
    program: ir.Program,
    target: Target | None = None,
    cache: ObjectCache | Literal["default"] | None = "default",
    watch: bool = False,
    ahead: Ahead | None = None,
) -> NativeProgram:
    """Compiles a program into this process, kernel by kernel, through the cache (None: without one). With ``watch``
    entries pass a mark at each of their moments (``loop.marks.watched``), for a ``Recorder``. ``ahead`` has kernels
    that are compiled already.

    Raises CompileError, which names the layers, if LLVM rejects a kernel.
    """
    target = target or host_target()
    store = default_cache() if cache == "default" else cache
    modules = program_modules(program, target, watch=watch, texts=ahead and ahead.texts)
    *kernels, (entries, calls), (what, support) = modules.texts
    objects = [_object(what, text, target, store, ahead=ahead) for what, text in kernels]
    objects.append(_object(entries, calls, target, store, level=ENTRY_LEVEL))
    if target not in _support_objects:
        _support_objects[target] = _object(what, support, target, store)
    return NativeProgram(program.model, program.entries, target, [*objects, _support_objects[target]])


@cache
def jit_pool() -> Mapping[str, int] | None:
    """The addresses of the functions of this process's thread pool (``POOL``, ll/pool.ll), or None if the system has
    no POSIX threads."""
    target = host_target()
    if not has_threads(target):
        return None
    prefix = "netwright."
    code = _object("the pool of threads", write_pool(target, prefix), target, default_cache())
    linked = LinkedObjects([code], [prefix + name for name in POOL], target)
    # Never freed: workers may still be asleep in this code when the interpreter exits.
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(linked))
    return {name: linked[prefix + name] for name in POOL}


@cache
def jit_caller() -> Mapping[str, int] | None:
    """The addresses of how Python calls entries (ll/python.ll): of the function, and of the table of Python's own
    functions that it needs. None on machines whose pointers have not 64 bits.
    """
    target = host_target()
    if not target.is_64_bit:
        return None
    symbols = {"call": "netwright.call.python", "table": "netwright.python"}
    code = _object("calls from Python", write_python(target), target, default_cache())
    linked = LinkedObjects([code], symbols.values(), target)
    # Never freed: functions in it may outlive the programs.
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(linked))
    return {name: linked[symbol] for name, symbol in symbols.items()}


class Recorder:
    """Writes down when an entry passes its marks, in native code, which takes some 30 ns each.

    ``address`` is that of the function to be told.
    """

    def __init__(self) -> None:
        target = host_target()
        code = _object("the recorder", write_recorder(target), target, default_cache())
        self._linked = LinkedObjects([code], ["netwright.record", "netwright.recorded"], target)
        self.address = self._linked["netwright.record"]
        self._state = (ctypes.c_int64 * 3).from_address(self._linked["netwright.recorded"])
        self._events = np.zeros((0, 2), np.int64)

    def reserve(self) -> None:
        """Makes room for as many events as were passed since the last ``clear``."""
        self._events = np.zeros((self._state[2], 2), np.int64)
        self._state[0], self._state[1] = self._events.ctypes.data, len(self._events)

    def clear(self) -> None:
        """Forgets all events."""
        self._state[2] = 0

    @property
    def events(self) -> NDArray[np.int64]:
        """The events since the last ``clear``, [events, 2]: the mark's number and the time in ns."""
        return self._events[: min(self._state[2], len(self._events))]


def _object(
    what: str,
    text: str,
    target: Target,
    cache: ObjectCache | None,
    *,
    level: int = LEVEL,
    ahead: Ahead | None = None,
) -> bytes:
    with compiling(what):
        if ahead is not None and (code := ahead.object(text)) is not None:
            return code
        return compile_object(text, target, cache, level=level)


def kernel_objects(
    program: ir.Program,
    target: Target | None = None,
    cache: ObjectCache | Literal["default"] | None = "default",
) -> Mapping[str, tuple[str, bytes]]:
    """For each kernel its symbol and the object that defines it, as `compile_jit` links them."""
    target = target or host_target()
    store = default_cache() if cache == "default" else cache
    modules = program_modules(program, target)
    made = {
        symbol: _object(modules.origins[symbol], text, target, store)
        for symbol, text in modules.kernels.items()
    }
    return {name: (symbol, made[symbol]) for name, symbol in modules.symbols.items()}
