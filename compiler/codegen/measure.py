"""How much memory a compiled program takes besides its data: bytes of machine code and of stack."""

from __future__ import annotations

import re
from dataclasses import dataclass

import llvmlite.binding as llvm

from ..loop import ir
from .llvm.modules import program_modules
from .objects.cache import default_cache
from .objects.compile import compile_object, optimize
from .targets.target import Target, machine

#: Room for a return address and a frame pointer, if the frame does not show them.
_CALL = 16


@dataclass(frozen=True, slots=True)
class CodeSize:
    """Bytes of machine code of all kernels and entries, and of the deepest stack: an entry's frame plus the largest
    frame of a kernel that it calls (kernels call nothing). ``stack`` is None for families whose frames cannot be
    read."""

    code: int
    stack: int | None


def code_size(program: ir.Program, target: Target) -> CodeSize:
    """Compiles the program, through the cache, and measures it."""
    modules = program_modules(program, target)
    code = sum(_text_bytes(compile_object(text, target, default_cache())) for _, text in modules.texts)
    kernels = max((_frame(text, target) or 0 for text in modules.kernels.values()), default=0)
    rest = [_frame(text, target) for text in (modules.entries, modules.support)]
    return CodeSize(code, None if None in rest else sum(size or 0 for size in rest) + kernels)


def _text_bytes(code: bytes) -> int:
    sections = llvm.ObjectFileRef.from_data(code).sections()
    return sum(section.size() for section in sections if section.is_text())


def _frame(text: str, target: Target) -> int | None:
    """The largest stack frame of a module's functions, read from its assembly."""
    assembly = machine(target).emit_assembly(optimize(text, target))
    functions = re.split(r"^\s*\.globl\b", assembly, flags=re.MULTILINE)
    sizes = [target.family.frame_bytes(function) for function in functions]
    return None if None in sizes else _CALL + max(size or 0 for size in sizes)
