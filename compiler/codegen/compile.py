"""LLVM IR to object code: a short list of passes, and the code generator.

The loop IR is written clean (index arithmetic is placed where it belongs, loops are rotated, vectors are
explicit), so what is left is to turn registers into values, simplify and merge. The default pipelines would
find little, and take seconds on unrolled blocks.
"""

from __future__ import annotations

from importlib.metadata import version

import llvmlite
import llvmlite.binding as llvm

from .cache import ObjectCache
from .target import Target, machine

_VERSIONS = f"netwright {version('netwright')} llvmlite {llvmlite.__version__} codegen 1"


def optimize(text: str, target: Target) -> llvm.ModuleRef:
    """Parses, verifies and simplifies a module."""
    parsed = llvm.parse_assembly(text)
    parsed.verify()
    builder = llvm.create_pass_builder(machine(target), llvm.create_pipeline_tuning_options(speed_level=2))
    passes = llvm.create_new_function_pass_manager()
    passes.add_sroa_pass()
    passes.add_instruction_combine_pass()
    passes.add_new_gvn_pass()
    passes.add_simplify_cfg_pass()
    for function in parsed.functions:
        if not function.is_declaration:
            passes.run(function, builder)
    return parsed


def compile_object(text: str, target: Target, cache: ObjectCache | None) -> bytes:
    """The object file of a module, from the cache where it is there."""
    key = "" if cache is None else cache.key(_VERSIONS, target.triple, target.cpu, target.features, text)
    if cache is not None and (found := cache.get(key)) is not None:
        return found
    code = machine(target).emit_object(optimize(text, target))
    if cache is not None:
        cache.put(key, code)
    return code
