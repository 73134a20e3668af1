"""LLVM IR to object code: a short list of passes, and the code generator.

The LLVM IR is written clean (index arithmetic is placed where it belongs, every value once, loops are
rotated, vectors are explicit), so what is left is to turn registers into values and to simplify. The default
pipelines would find little, and take seconds on unrolled blocks. NewGVN is not used: it miscompiles.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version

import llvmlite
import llvmlite.binding as llvm

from .cache import ObjectCache
from .target import Target, machine

#: LLVM's passes over every function, in order, as llvmlite names them.
PASSES = ("sroa", "instruction_combine", "simplify_cfg")

#: What made an object besides the text and the target: code of another version or other passes is not loaded.
VERSIONS = (
    f"netwright {version('netwright')} llvmlite {llvmlite.__version__} "
    f"llvm {'.'.join(map(str, llvm.llvm_version_info))} codegen 2 {' '.join(PASSES)}"
)


class CompileError(RuntimeError):
    """LLVM does not take a module; the message says what the module is of."""


@contextmanager
def compiling(what: str) -> Iterator[None]:
    """Errors of LLVM inside are a CompileError about ``what``."""
    try:
        yield
    except RuntimeError as error:
        raise CompileError(
            f"LLVM makes no code of {what}: {error}\nThe spec is not at fault; please report this text "
            "with the spec. --engine reference computes the same without LLVM."
        ) from error


def optimize(text: str, target: Target) -> llvm.ModuleRef:
    """Parses, verifies and simplifies a module."""
    parsed = llvm.parse_assembly(text)
    parsed.verify()
    builder = llvm.create_pass_builder(machine(target), llvm.create_pipeline_tuning_options(speed_level=2))
    passes = llvm.create_new_function_pass_manager()
    for name in PASSES:
        getattr(passes, f"add_{name}_pass")()
    for function in parsed.functions:
        if not function.is_declaration:
            passes.run(function, builder)
    return parsed


def compile_object(text: str, target: Target, cache: ObjectCache | None, *, level: int = 3) -> bytes:
    """The object file of a module, by LLVM's code generator of a level, from the cache where it is there."""
    key = ""
    if cache is not None:
        key = cache.key(VERSIONS, str(level), target.triple, target.cpu, target.features, text)
    if cache is not None and (found := cache.get(key)) is not None:
        return found
    code = machine(target, level=level).emit_object(optimize(text, target))
    if cache is not None:
        cache.put(key, code)
    return code
