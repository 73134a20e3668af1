"""Programs compiled into this process."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Mapping

import llvmlite.binding as llvm

from ..loop import ir
from .cache import ObjectCache, default_cache
from .compile import compile_object
from .entries import entry_symbol, plan_symbol, write_entries
from .statements import write_kernel
from .support import write_support
from .target import Target, host_target

_PLACEHOLDER = "netwright.kernel"
_counter = itertools.count()


def kernel_modules(program: ir.Program, target: Target) -> tuple[dict[str, str], dict[str, str]]:
    """Every kernel's symbol, and every symbol's LLVM module.

    A symbol is the hash of the kernel's code, so that equal kernels are one, in this program and in the
    cache.
    """
    symbols: dict[str, str] = {}
    modules: dict[str, str] = {}
    for name, function in program.kernels.items():
        text = write_kernel(function, _PLACEHOLDER, target)
        unique = f"netwright.{hashlib.sha256(text.encode()).hexdigest()[:24]}"
        symbols[name] = unique
        modules[unique] = text.replace(f'@"{_PLACEHOLDER}"', f'@"{unique}"', 1)
    return symbols, modules


_support_objects: dict[Target, bytes] = {}


def _support(target: Target, cache: ObjectCache | None) -> bytes:
    if target not in _support_objects:
        _support_objects[target] = compile_object(write_support(target), target, cache)
    return _support_objects[target]


class NativeProgram:
    """The machine code of a program; addresses are valid as long as this object lives."""

    def __init__(self, program: ir.Program, target: Target, objects: list[bytes]):
        self._addresses: Mapping[str, int]
        library = llvm.JITLibraryBuilder()
        for code in objects:
            library.add_object_img(code)
        self._symbols = [
            name
            for entry in program.entries
            for name in (entry_symbol(program.model, entry), plan_symbol(program.model, entry))
        ]
        for name in self._symbols:
            library.export_symbol(name)
        self._engine = llvm.create_lljit_compiler(
            llvm.Target.from_triple(target.triple).create_target_machine(
                cpu=target.cpu, features=target.features
            ),
            use_jit_link=True,
        )
        self._tracker = library.link(self._engine, f"program{next(_counter)}")
        self._model = program.model
        self.slots = {name: len(entry.arena) for name, entry in program.entries.items()}

    def address(self, entry: str) -> int:
        """The address of ``int32_t MODEL_ENTRY(const netwright_context *, int32_t, int32_t)``."""
        return self._tracker[entry_symbol(self._model, entry)]

    def plan_address(self, entry: str) -> int:
        """The address of ``int64_t MODEL_ENTRY_plan(const int64_t *dims, int64_t *offsets)``."""
        return self._tracker[plan_symbol(self._model, entry)]


def compile_jit(
    program: ir.Program, target: Target | None = None, cache: ObjectCache | str | None = "default"
) -> NativeProgram:
    """Compiles a program into this process, kernel by kernel, through the cache (None: without)."""
    target = target or host_target()
    store = default_cache() if isinstance(cache, str) else cache
    symbols, modules = kernel_modules(program, target)
    objects = [compile_object(text, target, store) for text in modules.values()]
    objects.append(compile_object(write_entries(program, symbols, target), target, store))
    objects.append(_support(target, store))
    return NativeProgram(program, target, objects)
