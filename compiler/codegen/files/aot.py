"""Programs as files: LLVM IR, assembly, one relocatable object.

Every kernel goes through the same passes as in process, in a module of its own; only then are the modules linked. No
pass over code runs after that, so the machine code of a kernel, and every bit it computes, is the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, overload

import llvmlite.binding as llvm

from netwright.specs.manifest import Manifest, c_prefix

from ...loop import ir
from ..llvm.debug import DebugInfo
from ..llvm.entries import direct_entries, entered_symbol, entry_symbol, plan_symbol
from ..llvm.features import missing_symbol
from ..llvm.modules import program_modules
from ..llvm.support import POOL, has_threads, write_pool
from ..objects.cache import default_cache, kept
from ..objects.compile import VERSIONS, compiling, optimize
from ..targets.target import Target, header, host_target, machine
from ..text.types import symbol


@overload
def emit(
    program: ir.Program,
    kind: Literal["llvm", "asm"],
    target: Target | None = None,
    manifest: Manifest | None = None,
    contents: str | None = None,
    *,
    watch: bool = False,
    debug: DebugInfo | None = None,
) -> str: ...
@overload
def emit(
    program: ir.Program,
    kind: Literal["object"],
    target: Target | None = None,
    manifest: Manifest | None = None,
    contents: str | None = None,
    *,
    watch: bool = False,
    debug: DebugInfo | None = None,
) -> bytes: ...
def emit(
    program: ir.Program,
    kind: Literal["llvm", "asm", "object"],
    target: Target | None = None,
    manifest: Manifest | None = None,
    contents: str | None = None,
    *,
    watch: bool = False,
    debug: DebugInfo | None = None,
) -> str | bytes:
    """A program as optimized LLVM IR, as assembly, or as a relocatable object.

    The only visible symbols are ``MODEL_ENTRY_entry``, ``MODEL_ENTRY_plan``, ``MODEL_missing``; if the system has
    threads, ``MODEL_pool_run``, ``_stop``, ``_forked`` and ``_pin``; and with a manifest ``MODEL_manifest`` (JSON, a C
    string). So two models link into one program. ``contents`` is the symbol of the buffer contents that the object is
    linked with: entries refuse to write into them. With ``watch`` entries pass marks at their moments
    (``loop.marks.watched``). With ``debug`` kernels have debug information: their layers' places in the spec.
    """
    target = target or host_target()
    parts = _parts(program, target, manifest, contents, watch, debug)
    match kind:
        case "llvm":
            return str(parts.linked(target))
        case "asm":
            return machine(target).emit_assembly(parts.linked(target))
        case "object":
            return _object(parts, target)
    raise ValueError(f"{kind!r} is none of llvm, asm, object")


def pool_prefix(model: str) -> str:
    """The prefix of the C symbols of a model's thread pool."""
    return f"{c_prefix(model)}_pool_"


def manifest_symbol(model: str) -> str:
    """The C symbol of the manifest."""
    return f"{c_prefix(model)}_manifest"


@dataclass(frozen=True)
class _Parts:
    """A program's modules: what each is for, and its text. ``finished`` is linked as it is written. Of the functions
    only the ``visible`` can be called from outside.
    """

    model: str
    texts: Sequence[tuple[str, str]]
    finished: str | None
    visible: frozenset[str]

    def linked(self, target: Target) -> llvm.ModuleRef:
        """All modules in one, each after its passes. Raises CompileError."""
        modules: list[llvm.ModuleRef] = []
        for what, text in self.texts:
            with compiling(what):
                modules.append(optimize(text, target))
        if self.finished is not None:
            modules.append(llvm.parse_assembly(self.finished))
        linked, *others = modules
        for part in others:
            linked.link_in(part)
        linked.name = self.model
        for function in linked.functions:
            if not function.is_declaration and function.name not in self.visible:
                function.linkage = "internal"
        linked.verify()
        unused = llvm.create_new_module_pass_manager()
        unused.add_global_dead_code_eliminate_pass()  # such as the planner, if all entries are planned
        unused.run(linked, llvm.create_pass_builder(machine(target), llvm.create_pipeline_tuning_options()))
        return linked


def _object(parts: _Parts, target: Target) -> bytes:
    """The object file, from the cache if the same one was made before: weights are no part of it."""
    texts = (text for _, text in parts.texts)
    kind = (VERSIONS, "linked", target.triple, target.cpu, target.features, parts.model)
    content = (*kind, *texts, parts.finished or "", *sorted(parts.visible))
    return kept(default_cache(), content, lambda: machine(target).emit_object(parts.linked(target)))


def _parts(
    program: ir.Program,
    target: Target,
    manifest: Manifest | None,
    contents: str | None,
    watch: bool,
    debug: DebugInfo | None,
) -> _Parts:
    infos: Mapping[str, ir.CallInfo] = {}
    names: dict[str, str] | None = None
    if debug is not None:
        program, infos = debug.split(program)
        names = debug.symbols(program.model, infos)
    multiples = {dim.name: dim.multiple_of for dim in manifest.dims} if manifest else None
    direct = direct_entries(program, manifest, target) if manifest else {}
    made = program_modules(
        program,
        target,
        readable=True,
        contents=contents,
        multiples=multiples,
        watch=watch,
        names=names,
        direct=direct,
    )
    if debug is not None:
        for kernel, info in infos.items():
            name = made.symbols[kernel]
            made.kernels[name] = debug.described(made.kernels[name], name, info)
    texts = made.texts
    pool = pool_prefix(program.model)
    if has_threads(target):
        texts.append(("the pool of threads", write_pool(target, pool)))
    visible = {entry_symbol(program.model, entry) for entry in program.entries}
    visible |= {missing_symbol(program.model)}
    visible |= {plan_symbol(program.model, entry) for entry in program.entries}
    visible |= {pool + name for name in POOL}
    visible |= {entered_symbol(entry_symbol(program.model, entry)) for entry in direct}
    finished = _manifest_text(program, target, manifest) if manifest is not None else None
    return _Parts(program.model, texts, finished, frozenset(visible))


def _manifest_text(program: ir.Program, target: Target, manifest: Manifest) -> str:
    data = manifest_json(manifest).encode() + b"\0"
    escaped = "".join(
        chr(byte) if 32 <= byte < 127 and byte not in b'"\\' else f"\\{byte:02X}" for byte in data
    )
    name = symbol(manifest_symbol(program.model))
    # A section of its own, so that a linker can leave it out of a microcontroller's flash.
    place = f', section ".rodata.{manifest_symbol(program.model)}"' if target.is_bare else ""
    return f'{header(target)}\n{name} = constant [{len(data)} x i8] c"{escaped}"{place}\n'


def manifest_json(manifest: Manifest) -> str:
    """The manifest as artifacts store it."""
    return manifest.model_dump_json(indent=1, exclude_none=True)
