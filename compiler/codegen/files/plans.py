"""The memory planners of a program without its entries, as native code.

They are the same functions that a compiled program contains, so they report the memory that the program will ask for.
"""

from __future__ import annotations

import ctypes
import itertools
from collections.abc import Mapping

import llvmlite.binding as llvm
import numpy as np

from ...loop import ir
from ..llvm.entries import plan_symbol
from ..llvm.features import attributes_of_all
from ..llvm.planner import PLAN_DECLARATION, PLANNER_DECLARATIONS, write_plan
from ..llvm.statements import module
from ..llvm.support import plan_limit, write_support
from ..objects.compile import compile_object
from ..targets.target import Target, host_target

_numbers = itertools.count()
_PLAN = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_void_p, ctypes.c_void_p)


class Planners:
    """The memory planners of a program's entries; nothing else of the program is compiled."""

    def __init__(self, program: ir.Program, target: Target | None = None):
        target = target or host_target()
        plans = [
            write_plan(program, entry, plan_symbol(program.model, name), plan_limit(target))
            for name, entry in program.entries.items()
        ]
        text = module(target, {*PLANNER_DECLARATIONS, PLAN_DECLARATION}, attributes_of_all(target), *plans)
        library = llvm.JITLibraryBuilder()
        for code in (text, write_support(target)):
            library.add_object_img(compile_object(code, target, None))
        for name in program.entries:
            library.export_symbol(plan_symbol(program.model, name))
        made = llvm.Target.from_triple(target.triple).create_target_machine(
            cpu=target.cpu, features=target.features
        )
        self._engine = llvm.create_lljit_compiler(made, use_jit_link=True)
        self._tracker = library.link(self._engine, f"plans{next(_numbers)}")
        self._dims = tuple(name for name, _ in program.dims)
        self._slots = {name: len(entry.arena) for name, entry in program.entries.items()}
        self._plans = {
            name: _PLAN(self._tracker[plan_symbol(program.model, name)]) for name in program.entries
        }

    def arena_bytes(self, entry: str, dims: Mapping[str, int]) -> int:
        """The bytes of an entry's arena for a binding of all dims; -1 if it is larger than can be addressed."""
        values = np.array([dims[name] for name in self._dims] or [0], np.int64)
        offsets = np.zeros(max(self._slots[entry], 1), np.int64)
        return self._plans[entry](values.ctypes.data, offsets.ctypes.data)
