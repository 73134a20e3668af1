"""Targets: which machine code is made, and how LLVM is told so."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
from dataclasses import dataclass
from functools import cache

import llvmlite.binding as llvm

from ..machine import Machine
from .families import Family, family


@dataclass(frozen=True, slots=True)
class Target:
    """A machine: LLVM's triple, CPU name and feature list (``+avx2,-avx512f,…``; empty: what the CPU has)."""

    triple: str
    cpu: str
    features: str = ""

    @property
    def family(self) -> Family:
        """The family of CPUs that it belongs to."""
        return family(self.triple.split("-")[0])

    @property
    def is_linux(self) -> bool:
        return "-linux" in self.triple

    @property
    def assembles(self) -> bool:
        """Whether LLVM reads inline assembly for it: for this machine's own family only."""
        return self.family is host_target().family

    @property
    def is_darwin(self) -> bool:
        return "-darwin" in self.triple or "-macos" in self.triple

    @property
    def is_64_bit(self) -> bool:
        return "64" in self.family.name


class TargetError(ValueError):
    """A triple or CPU that LLVM does not know; the message says which, and what there is."""


@cache
def _initialize() -> None:
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    llvm.initialize_native_asmparser()


@cache
def host_target() -> Target:
    """This machine."""
    _initialize()
    return Target(llvm.get_process_triple(), llvm.get_host_cpu_name(), llvm.get_host_cpu_features().flatten())


def named_target(cpu: str, triple: str | None = None) -> Target:
    """The target for a CPU name as LLVM spells it; "native" is this machine, "generic" the least its family
    has.

    Raises TargetError for a triple or name that LLVM does not know.
    """
    _initialize()
    if triple is None and cpu == "native":
        return host_target()
    triple = triple or llvm.get_process_triple()
    try:
        llvm.Target.from_triple(triple)
    except RuntimeError as error:
        raise TargetError(f"LLVM knows no target {triple!r}") from error
    target = Target(triple, {"generic": "x86-64"}.get(cpu, cpu) if triple.startswith("x86_64") else cpu)
    if cpu != "generic" and not _knows_cpu(target):
        raise TargetError(
            f"LLVM knows no CPU {cpu!r} for {triple}; try native, generic or a name of llc -mcpu=help"
        )
    return target


_machines = threading.local()


def machine(target: Target) -> llvm.TargetMachine:
    """LLVM's code generator for ``target``; one a thread, since it is not to be shared between threads."""
    _initialize()
    known: dict[Target, llvm.TargetMachine] = _machines.__dict__.setdefault("known", {})
    if target not in known:
        known[target] = llvm.Target.from_triple(target.triple).create_target_machine(
            cpu=target.cpu, features=target.features, opt=3, reloc="pic", codemodel="small"
        )
    return known[target]


def attributes(target: Target) -> str:
    """The attributes of every function: the CPU, and vectors as wide as they are written."""
    parts = ["nounwind", f'"target-cpu"="{target.cpu}"']
    if target.features:
        parts.append(f'"target-features"="{target.features}"')
    return " ".join([*parts, *target.family.attributes])


@cache
def header(target: Target) -> str:
    """The first lines of every module."""
    layout = machine(target).target_data
    return f'target datalayout = "{layout}"\ntarget triple = "{target.triple}"\n'


@cache
def has_instruction(target: Target, intrinsic: str, arity: int) -> bool:
    """Whether ``llvm.INTRINSIC.f32`` is an instruction rather than a call of the C library."""
    arguments = ", ".join(["float %x"] * arity)
    parameters = ", ".join(["float"] * arity)
    text = f"""{header(target)}
declare float @llvm.{intrinsic}.f32({parameters})
define float @probe(float %x) #0 {{
  %y = call float @llvm.{intrinsic}.f32({arguments})
  ret float %y
}}
attributes #0 = {{ {attributes(target)} }}
"""
    assembly = machine(target).emit_assembly(llvm.parse_assembly(text))
    return re.search(rf"\b{intrinsic}f\b", assembly) is None


@cache
def describe(target: Target) -> Machine:
    """What the compiler has to know of a target, as LLVM's own code for it shows."""
    vector_bytes = _vector_bytes(target)
    return Machine(
        vector_bytes=vector_bytes,
        vector_registers=target.family.vector_registers(vector_bytes),
        fma=has_instruction(target, "fma", 3),
        masked=vector_bytes > 16,
    )


def _vector_bytes(target: Target) -> int:
    """The size of the vector registers that floats are best kept in."""
    text = f"""{header(target)}
define void @probe(ptr %p) #0 {{
  %x = load <16 x float>, ptr %p, align 4
  %y = fadd <16 x float> %x, %x
  store <16 x float> %y, ptr %p, align 4
  ret void
}}
attributes #0 = {{ {attributes(target)} }}
"""
    assembly = machine(target).emit_assembly(llvm.parse_assembly(text))
    return target.family.vector_bytes(assembly)


def _knows_cpu(target: Target) -> bool:
    """LLVM only prints a warning about an unknown CPU; its table of CPUs is not exported, so try it in a
    child."""
    code = (
        "import sys, llvmlite.binding as llvm\n"
        "llvm.initialize_all_targets(); llvm.initialize_all_asmprinters()\n"
        "llvm.Target.from_triple(sys.argv[1]).create_target_machine(cpu=sys.argv[2])\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", code, target.triple, target.cpu], capture_output=True, text=True
    )
    return run.returncode == 0 and "not a recognized processor" not in run.stderr
